//! Changing the format of tensors in a graph: scale, zero point, width. Everything that depends on a tensor's
//! format is recomputed in the operators that touch it, so that each computes the same real function.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{DType, Graph, MacEpilogue, Node, Op, Quant, Tensor, TensorId, Weights};
use crate::numeric;

/// A new format of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reformat {
    /// Element type, an integer of 8 or 16 bits.
    pub dtype: DType,
    /// Scale and zero point.
    pub quant: Quant,
}

/// One node as a graph of its own: its inputs and outputs are those of the graph. Tensors keep their names.
#[must_use]
pub fn alone(graph: &Graph, node: usize) -> Graph {
    let node = &graph.nodes[node];
    let mut made = Graph { name: node.name.clone(), ..Graph::default() };
    let mut ids: BTreeMap<TensorId, TensorId> = BTreeMap::new();
    for id in node.inputs.iter().chain(&node.outputs) {
        if ids.contains_key(id) {
            continue;
        }
        let new = TensorId(made.tensors.len() as u32);
        ids.insert(*id, new);
        made.tensors.push(graph.tensor(*id).clone());
        if let Some(data) = graph.constants.get(id) {
            made.constants.insert(new, Arc::clone(data));
        } else if node.outputs.contains(id) {
            made.outputs.push(new);
        } else {
            made.inputs.push(new);
        }
    }
    let renamed = |list: &[TensorId]| list.iter().map(|id| ids[id]).collect();
    made.nodes.push(Node { inputs: renamed(&node.inputs), outputs: renamed(&node.outputs), ..node.clone() });
    made
}

/// Changes the formats of tensors, by name.
///
/// # Errors
/// An operator that touches one of them does not allow it: a table is only defined for the codes that it was
/// made for, a MaxPool reads and writes one format.
pub fn reformat(graph: &mut Graph, formats: &BTreeMap<String, Reformat>) -> Result<(), String> {
    let before = graph.tensors.clone();
    for tensor in &mut graph.tensors {
        if let Some(to) = formats.get(&tensor.name).filter(|_| tensor.quant.is_some()) {
            tensor.dtype = to.dtype;
            tensor.quant = Some(to.quant);
        }
    }
    let touched = |id: &TensorId| {
        let (a, b) = (&before[id.0 as usize], &graph.tensors[id.0 as usize]);
        a.dtype != b.dtype || a.quant != b.quant
    };
    for node in &mut graph.nodes {
        if !node.inputs.iter().chain(&node.outputs).any(touched) {
            continue;
        }
        let pair = |id: &TensorId| Pair { old: &before[id.0 as usize], new: &graph.tensors[id.0 as usize] };
        let inputs: Vec<Pair<'_>> = node.inputs.iter().map(pair).collect();
        let Some(output) = node.outputs.first().map(pair) else { continue };
        operator(&mut node.op, &inputs, &output).map_err(|why| format!("{}: {why}", node.name))?;
    }
    Ok(())
}

/// Replaces the weights of a graph's only node by others of the same shape. The bias keeps its real values.
///
/// # Errors
/// The node has no constant weights, or weights of another shape.
pub fn reweigh(graph: &mut Graph, mut other: Weights) -> Result<(), String> {
    let [node] = &mut graph.nodes[..] else { return Err("there is not one node".into()) };
    let tensor = |id: Option<&TensorId>| id.and_then(|id| graph.tensors.get(id.0 as usize));
    let x = tensor(node.inputs.first());
    let sx = x.and_then(|t| t.quant).ok_or("it reads floats")?.scale;
    let narrow = x.is_some_and(|t| t.dtype.bytes() == 1) && other.dtype.bytes() == 1;
    let sy = tensor(node.outputs.first()).and_then(|t| t.quant).map_or(1.0, |q| q.scale);
    let (Op::Conv { weights, epilogue, .. }
    | Op::Gemm { weights, epilogue }
    | Op::ConvTranspose { weights, epilogue, .. }) = &mut node.op
    else {
        return Err("it has no constant weights".into());
    };
    if weights.shape != other.shape {
        return Err("the weights have another shape".into());
    }
    let at = |w: &Weights, channel: usize| w.scale[if w.scale.len() == 1 { 0 } else { channel }];
    let moved = |bias: &Arc<[i64]>| {
        let ratio = |c: usize| f64::from(at(weights, c)) / f64::from(at(&other, c));
        bias.iter().enumerate().map(|(c, b)| *b as f64 * ratio(c)).collect::<Vec<f64>>()
    };
    let mut bias = epilogue.bias.as_ref().map(moved);
    if let Some(bias) = bias.as_mut().filter(|_| narrow) {
        fit_bias(&mut other, bias);
    }
    epilogue.bias = bias.map(|bias| bias.iter().map(|b| b.round_ties_even() as i64).collect());
    epilogue.multiplier = other.scale.iter().map(|sw| numeric::requantize_multiplier(sx, *sw, sy)).collect();
    *weights = other;
    Ok(())
}

/// A tensor before and after.
struct Pair<'a> {
    old: &'a Tensor,
    new: &'a Tensor,
}

impl Pair<'_> {
    fn scales(&self) -> Option<(f32, f32)> {
        Some((self.old.quant?.scale, self.new.quant?.scale))
    }

    /// A code of the old format in the new one; the ends of the old range map to the ends of the new.
    fn code(&self, code: i32) -> i32 {
        let (Some(old), Some(new)) = (self.old.quant, self.new.quant) else { return code };
        let ends = |t: &Tensor| t.dtype.int_range().map_or([0, 0], |(a, b)| [a as i32, b as i32]);
        let (from, to) = (ends(self.old), ends(self.new));
        match code {
            c if c == from[0] => to[0],
            c if c == from[1] => to[1],
            c => numeric::quantize(
                numeric::dequantize(c, old.scale, old.zero_point),
                new.scale,
                new.zero_point,
                to,
            ),
        }
    }

    fn clamp(&self, clamp: &mut [i32; 2]) {
        *clamp = clamp.map(|c| self.code(c));
    }
}

fn operator(op: &mut Op, inputs: &[Pair<'_>], output: &Pair<'_>) -> Result<(), String> {
    match op {
        Op::Conv { weights, epilogue, .. }
        | Op::Gemm { weights, epilogue }
        | Op::ConvTranspose { weights, epilogue, .. } => {
            let [x] = inputs else { return Err("it has not one input".into()) };
            products(weights, epilogue, x, output)
        }
        Op::Add { clamp } | Op::Mul { clamp } => {
            output.clamp(clamp);
            Ok(())
        }
        Op::MatMul { multiplier, clamp } => {
            let [a, b] = inputs else { return Err("it has not two inputs".into()) };
            let scale = |p: &Pair<'_>| p.new.quant.map(|q| q.scale);
            let (Some(sa), Some(sb)) = (scale(a), scale(b)) else { return Err("it reads floats".into()) };
            *multiplier = numeric::requantize_multiplier(sa, sb, scale(output).unwrap_or(1.0));
            output.clamp(clamp);
            Ok(())
        }
        Op::Move { fill, .. } => {
            *fill = fill.map(|f| output.code(f));
            same(inputs, output)
        }
        Op::MaxPool { .. } | Op::Reshape | Op::Transpose { .. } => same(inputs, output),
        Op::Gather => Err("a table is made for its format".into()),
        Op::Concat { tables, .. } => {
            if tables.iter().any(Option::is_some) {
                return Err("its inputs go through tables".into());
            }
            same(inputs, output)
        }
        Op::Table(_) => Err("a table is made for its formats".into()),
        Op::Softmax { .. } | Op::Resize { .. } => {
            let wide = inputs.iter().chain([output]).any(|p| p.new.dtype.bytes() != 1);
            if wide { Err("it has 8 bits".into()) } else { Ok(()) }
        }
        Op::Quantize
        | Op::Dequantize
        | Op::AvgPool { .. }
        | Op::GlobalAvgPool
        | Op::Lane { .. }
        | Op::Host(_) => Ok(()),
    }
}

/// Operators that only move elements read and write one format.
fn same(inputs: &[Pair<'_>], output: &Pair<'_>) -> Result<(), String> {
    let differs = |p: &Pair<'_>| p.new.dtype != output.new.dtype || p.new.quant != output.new.quant;
    if inputs.iter().any(differs) { Err("it reads and writes one format".into()) } else { Ok(()) }
}

fn products(
    weights: &mut Weights,
    epilogue: &mut MacEpilogue,
    x: &Pair<'_>,
    y: &Pair<'_>,
) -> Result<(), String> {
    if epilogue.tail.is_some() {
        return Err("a table follows in the same layer; keep the tensor between them".into());
    }
    let Some((old, new)) = x.scales() else { return Err("it reads floats".into()) };
    let ratio = f64::from(old) / f64::from(new);
    let mut bias: Option<Vec<f64>> =
        epilogue.bias.as_ref().map(|bias| bias.iter().map(|b| *b as f64 * ratio).collect());
    if let Some(bias) = bias.as_mut().filter(|_| x.new.dtype.bytes() == 1 && weights.dtype.bytes() == 1) {
        fit_bias(weights, bias);
    }
    let sy = y.new.quant.map_or(1.0, |q| q.scale);
    epilogue.multiplier =
        weights.scale.iter().map(|sw| numeric::requantize_multiplier(new, *sw, sy)).collect();
    y.clamp(&mut epilogue.clamp);
    epilogue.bias = bias.map(|bias| bias.iter().map(|b| b.round_ties_even() as i64).collect());
    Ok(())
}

/// Makes biases fit 32 bits, in units of the accumulator: where one does not, its channel's weights (all, if
/// they share one scale) get a coarser scale and use fewer of their codes. ONNX Runtime's quantizer does the
/// same; the weights of such channels hardly matter beside their bias.
fn fit_bias(weights: &mut Weights, bias: &mut [f64]) {
    let room = f64::from(i32::MAX) / 2.0;
    let excess = |b: f64| if b.abs() > f64::from(i32::MAX) { b.abs() / room } else { 1.0 };
    let mut factors: Vec<f64> = bias.iter().map(|b| excess(*b)).collect();
    if factors.iter().all(|f| *f == 1.0) {
        return;
    }
    if weights.scale.len() == 1 {
        let greatest = factors.iter().copied().fold(1.0, f64::max);
        factors.fill(greatest);
    }
    for (scale, factor) in weights.scale.iter_mut().zip(&factors) {
        *scale = (f64::from(*scale) * factor) as f32;
    }
    bias.iter_mut().zip(&factors).for_each(|(b, factor)| *b /= factor);
    let (zero, unsigned) = (weights.zero_point, weights.dtype == DType::U8);
    let size = (weights.data.len() / factors.len().max(1)).max(1);
    let coarser = weights.data.iter().enumerate().map(|(i, byte)| {
        let code = if unsigned { i32::from(*byte) } else { i32::from(byte.cast_signed()) };
        let factor = factors.get(i / size).copied().unwrap_or(1.0);
        (zero + (f64::from(code - zero) / factor).round_ties_even() as i32) as u8
    });
    weights.data = coarser.collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_that_leaves_32_bits_makes_its_channel_coarser() {
        let mut weights = Weights {
            name: "w".into(),
            shape: [2, 2, 1, 1],
            dtype: DType::S8,
            data: Arc::from([127, -3_i8 as u8, 127, 64]),
            scale: vec![1e-9, 0.5],
            zero_point: 0,
        };
        let mut bias = [f64::from(i32::MAX) * 2.0, 100.0];
        let real = bias[0] * f64::from(weights.scale[0]);
        fit_bias(&mut weights, &mut bias);
        assert!(bias[0] <= f64::from(i32::MAX));
        assert!((bias[0] * f64::from(weights.scale[0]) / real - 1.0).abs() < 1e-6);
        assert_eq!((bias[1], weights.scale[1]), (100.0, 0.5));
        assert_eq!(weights.data[..], [32, -1_i8 as u8, 127, 64]);
    }
}
