//! Other formats for tensors of a graph: scale, zero point, width. Everything that depends on a tensor's format is worked
//! out again in the operators that touch it, so that each computes the same real function.

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

/// One node as a graph of its own: what it reads are inputs, what it writes are outputs. Tensors keep their names.
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

/// Gives tensors, by name, other formats.
///
/// # Errors
/// An operator that touches one of them cannot have it: a table knows its function only at the codes that it was made
/// for, a MaxPool reads and writes one format.
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

/// Gives the only node of a graph other weights of the same shape. The bias keeps its real values.
///
/// # Errors
/// The node has no constant weights, or of another shape.
pub fn reweigh(graph: &mut Graph, other: Weights) -> Result<(), String> {
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
    epilogue.bias = epilogue.bias.as_ref().map(|bias| {
        let moved = bias.iter().enumerate().map(|(channel, b)| {
            let ratio = f64::from(at(weights, channel)) / f64::from(at(&other, channel));
            let b = (*b as f64 * ratio).round_ties_even() as i64;
            if narrow { b.clamp(i32::MIN.into(), i32::MAX.into()) } else { b }
        });
        moved.collect()
    });
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

    /// A code of the old format in the new one; the ends of one range are the ends of the other.
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

/// What only moves elements reads and writes one format.
fn same(inputs: &[Pair<'_>], output: &Pair<'_>) -> Result<(), String> {
    let differs = |p: &Pair<'_>| p.new.dtype != output.new.dtype || p.new.quant != output.new.quant;
    if inputs.iter().any(differs) { Err("it reads and writes one format".into()) } else { Ok(()) }
}

fn products(weights: &Weights, epilogue: &mut MacEpilogue, x: &Pair<'_>, y: &Pair<'_>) -> Result<(), String> {
    if epilogue.tail.is_some() {
        return Err("a table follows in the same layer; keep the tensor between them".into());
    }
    let Some((old, new)) = x.scales() else { return Err("it reads floats".into()) };
    let sy = y.new.quant.map_or(1.0, |q| q.scale);
    epilogue.multiplier =
        weights.scale.iter().map(|sw| numeric::requantize_multiplier(new, *sw, sy)).collect();
    y.clamp(&mut epilogue.clamp);
    let narrow = x.new.dtype.bytes() == 1 && weights.dtype.bytes() == 1;
    epilogue.bias = epilogue.bias.as_ref().map(|bias| {
        let moved = bias.iter().map(|b| {
            let b = (*b as f64 * (f64::from(old) / f64::from(new))).round_ties_even() as i64;
            if narrow { b.clamp(i32::MIN.into(), i32::MAX.into()) } else { b }
        });
        moved.collect()
    });
    Ok(())
}
