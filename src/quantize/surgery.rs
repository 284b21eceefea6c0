//! Changes of a model in QDQ form: another scale, zero point or width for a tensor. Biases are adapted.

use std::collections::{BTreeMap, BTreeSet};

use super::parameters::Activation;
use super::write::zero_point;
use super::{QuantizeError, versions};
use crate::graph::DType;
use crate::numeric;
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use crate::onnx::{Constant, Data};

/// The quantized activations of a QDQ model, by the name of their QuantizeLinear's output.
///
/// Tensors whose parameters are not constant, or that have several scales, are left out.
#[must_use]
pub fn activations(model: &ModelProto) -> BTreeMap<String, Activation> {
    let Some(graph) = model.graph.as_ref() else { return BTreeMap::new() };
    let quantizers = graph.node.iter().filter(|n| n.op_type() == "QuantizeLinear");
    quantizers.filter_map(|n| Some((n.output.first()?.clone(), parameters(graph, n)?))).collect()
}

fn constant(graph: &GraphProto, name: Option<&String>) -> Option<Constant> {
    let name = name.filter(|n| !n.is_empty())?;
    Constant::read(graph.initializer.iter().find(|t| t.name() == name)?).ok()
}

fn parameters(graph: &GraphProto, node: &NodeProto) -> Option<Activation> {
    let scale = constant(graph, node.input.get(1))?;
    let [scale] = *scale.floats()? else { return None };
    let Some(zero) = constant(graph, node.input.get(2)) else {
        return Some(Activation { dtype: DType::U8, scale, zero_point: 0 });
    };
    let [zero_point] = zero.integers()?[..] else { return None };
    let dtype = match zero.data {
        Data::U8(_) => DType::U8,
        Data::S8(_) => DType::S8,
        Data::U16(_) => DType::U16,
        Data::S16(_) => DType::S16,
        _ => return None,
    };
    Some(Activation { dtype, scale, zero_point: i32::try_from(zero_point).ok()? })
}

/// Gives quantized tensors of a QDQ model other parameters: `changes` are by the name of what a
/// QuantizeLinear writes, as in [`activations`]. All readers follow. Biases of Conv, ConvTranspose, Gemm and
/// MatMul behind a changed tensor get the scale of the new accumulator; one that no longer fits 32 bits
/// becomes float.
///
/// Only the named tensors change: the result of a MaxPool or Reshape of one is a tensor of its own.
///
/// # Errors
/// The model has no such tensor, or its opset cannot be raised to what 16 bits need.
pub fn set_activations(
    model: &ModelProto,
    changes: &BTreeMap<String, Activation>,
) -> Result<ModelProto, QuantizeError> {
    let mut model = model.clone();
    let Some(mut graph) = model.graph.take() else {
        return Err(QuantizeError::Model("it has no graph".into()));
    };
    let known: Vec<&String> = graph
        .node
        .iter()
        .filter(|n| n.op_type() == "QuantizeLinear")
        .filter_map(|n| n.output.first())
        .collect();
    if let Some(name) = changes.keys().find(|c| !known.contains(c)) {
        return Err(QuantizeError::NoSuchTensor(name.clone()));
    }
    let wide = changes.values().any(|a| a.dtype.bytes() > 1);
    let domain = versions::raise(&mut model, &graph, wide, false)?;
    // The real values of each changed tensor.
    let mut behind: BTreeMap<String, Activation> = BTreeMap::new();
    let mut made: Vec<TensorProto> = Vec::new();
    for node in &mut graph.node {
        let name = match node.op_type() {
            "QuantizeLinear" => node.output.first(),
            "DequantizeLinear" => node.input.first(),
            _ => continue,
        };
        let Some((name, a)) = name.and_then(|n| changes.get_key_value(n)) else { continue };
        let base = name.trim_end_matches("_QuantizeLinear_Output");
        let [scale, zero] = [format!("{base}_new_scale"), format!("{base}_new_zero_point")];
        node.input.truncate(1);
        node.input.extend([scale.clone(), zero.clone()]);
        node.attribute.clear();
        if wide && !domain.is_empty() {
            node.domain = Some(domain.into());
        }
        if node.op_type() == "QuantizeLinear" {
            let constant = |data| Constant { name: String::new(), shape: vec![], data };
            made.push(constant(Data::F32(vec![a.scale])).to_proto(&scale));
            made.push(constant(zero_point(*a)).to_proto(&zero));
        } else if let Some(real) = node.output.first() {
            behind.insert(real.clone(), *a);
        }
    }
    // A model that was changed before has these names already.
    graph.initializer.retain(|t| !made.iter().any(|m| m.name() == t.name()));
    graph.initializer.extend(made);
    biases(&mut graph, &behind);
    let used: BTreeSet<String> = graph.node.iter().flat_map(|n| n.input.iter().cloned()).collect();
    graph.initializer.retain(|t| used.contains(t.name()));
    model.graph = Some(graph);
    Ok(model)
}

/// The biases of MatMuls that an Add of their own adds, by product.
fn added(graph: &GraphProto) -> BTreeMap<String, String> {
    let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
    for input in graph.node.iter().flat_map(|n| &n.input) {
        *readers.entry(input).or_insert(0) += 1;
    }
    let products = graph.node.iter().filter(|n| n.op_type() == "MatMul").filter_map(|n| n.output.first());
    let products: BTreeSet<&String> = products.filter(|o| readers.get(o.as_str()) == Some(&1)).collect();
    let bias = |n: &NodeProto| match n.input.as_slice() {
        [a, b] if products.contains(a) => Some((a.clone(), b.clone())),
        [a, b] if products.contains(b) => Some((b.clone(), a.clone())),
        _ => None,
    };
    graph.node.iter().filter(|n| n.op_type() == "Add").filter_map(bias).collect()
}

/// Adapts the biases of nodes that read changed tensors to the new accumulators.
fn biases(graph: &mut GraphProto, behind: &BTreeMap<String, Activation>) {
    let dequantizers: BTreeMap<String, NodeProto> = graph
        .node
        .iter()
        .filter(|n| n.op_type() == "DequantizeLinear")
        .filter_map(|n| Some((n.output.first()?.clone(), n.clone())))
        .collect();
    let added = added(graph);
    // What an Add reads instead of its bias, by the product that it reads.
    let mut instead: BTreeMap<String, String> = BTreeMap::new();
    let mut nodes = Vec::new();
    for mut node in std::mem::take(&mut graph.node) {
        let product = node.output.first().cloned().unwrap_or_default();
        let bias = match node.op_type() {
            "Conv" | "ConvTranspose" | "Gemm" => node.input.get(2),
            _ => added.get(&product),
        };
        let input = node.input.first().and_then(|i| behind.get(i)).copied();
        let mut changed = None;
        if let (Some(bias), Some(input)) = (bias, input)
            && let Some(new) = rescaled(graph, &dequantizers, (&node, bias), input)
        {
            let name = format!("{}.bias", node.name());
            if !new.fits() {
                let values = Constant {
                    name: String::new(),
                    shape: vec![new.values.len()],
                    data: Data::F32(new.values),
                };
                put(graph, values.to_proto(&name));
                changed = Some(name);
            } else {
                let q = |(v, s): (&f32, &f32)| numeric::quantize_bias(f64::from(*v), *s, false) as i32;
                let scale = |at: usize| if new.scale.len() == 1 { new.scale[0] } else { new.scale[at] };
                let scales: Vec<f32> = (0..new.values.len()).map(scale).collect();
                let integers = new.values.iter().zip(&scales).map(q).collect();
                let [quantized, s, z] =
                    ["_quantized", "_scale", "_zero_point"].map(|end| format!("{name}{end}"));
                let constant = |data| Constant { name: String::new(), shape: vec![scales.len()], data };
                put(graph, constant(Data::S32(integers)).to_proto(&quantized));
                put(graph, constant(Data::S32(vec![0; scales.len()])).to_proto(&z));
                put(graph, constant(Data::F32(scales.clone())).to_proto(&s));
                let mut dequantize = new.dequantize;
                dequantize.input = vec![quantized, s, z];
                dequantize.name = Some(format!("{name}_DequantizeLinear"));
                dequantize.output = vec![format!("{name}_DequantizeLinear_Output")];
                let axis = crate::onnx::proto::AttributeProto {
                    name: Some("axis".into()),
                    r#type: Some(crate::onnx::proto::attribute_proto::AttributeType::Int as i32),
                    i: Some(0),
                    ..Default::default()
                };
                dequantize.attribute = vec![axis];
                changed = dequantize.output.first().cloned();
                // A model that was changed before has this node already.
                nodes.retain(|n: &NodeProto| n.output != dequantize.output);
                nodes.push(dequantize);
            }
        }
        match (changed, added.contains_key(&product)) {
            (Some(bias), true) => {
                instead.insert(product, bias);
            }
            (Some(bias), false) => node.input[2] = bias,
            (None, _) if node.op_type() == "Add" => {
                let new = node.input.iter().position(|i| instead.contains_key(i));
                if let (Some(at), [_, _]) = (new, node.input.as_slice()) {
                    node.input[1 - at] = instead[&node.input[at]].clone();
                }
            }
            (None, _) => {}
        }
        nodes.push(node);
    }
    // Dequantizers of biases that nobody reads any more.
    let used: BTreeSet<String> = nodes
        .iter()
        .flat_map(|n| n.input.iter().cloned())
        .chain(graph.output.iter().map(|o| o.name().to_string()))
        .collect();
    nodes.retain(|n| n.op_type() != "DequantizeLinear" || n.output.iter().any(|o| used.contains(o)));
    graph.node = nodes;
}

fn put(graph: &mut GraphProto, tensor: TensorProto) {
    graph.initializer.retain(|t| t.name() != tensor.name());
    graph.initializer.push(tensor);
}

/// A bias to be written again.
struct Rescaled {
    values: Vec<f32>,
    /// Scale of the new accumulator: one, or one for each channel.
    scale: Vec<f32>,
    dequantize: NodeProto,
}

impl Rescaled {
    /// Whether its integers have 32 bits.
    fn fits(&self) -> bool {
        let scale = |at: usize| f64::from(if self.scale.len() == 1 { self.scale[0] } else { self.scale[at] });
        self.values.iter().enumerate().all(|(i, v)| f64::from(v.abs()) / scale(i) < f64::from(i32::MAX))
    }
}

fn rescaled(
    graph: &GraphProto,
    dequantizers: &BTreeMap<String, NodeProto>,
    (node, name): (&NodeProto, &String),
    input: Activation,
) -> Option<Rescaled> {
    let weights = dequantizers.get(node.input.get(1)?)?;
    let (shape, values): (Vec<usize>, Vec<f32>) = match dequantizers.get(name) {
        Some(bias) => {
            let quantized = constant(graph, bias.input.first())?;
            let integers = quantized.integers()?;
            let old = constant(graph, bias.input.get(1))?;
            let old = old.floats()?;
            let at = |i: usize| f64::from(if old.len() == 1 { old[0] } else { old[i.min(old.len() - 1)] });
            (quantized.shape, integers.iter().enumerate().map(|(i, q)| (*q as f64 * at(i)) as f32).collect())
        }
        // With 16-bit operands it was left float.
        None => {
            let bias = constant(graph, Some(name))?;
            (bias.shape.clone(), bias.floats()?.to_vec())
        }
    };
    // A bias of another form than one for each channel, which only Gemm has, keeps its parameters.
    if shape.iter().rev().skip(1).any(|d| *d != 1) {
        return None;
    }
    let scale = constant(graph, weights.input.get(1))?;
    let scale: Vec<f32> = scale.floats()?.iter().map(|s| input.scale * s).collect();
    if scale.len() != 1 && scale.len() != values.len() {
        return None;
    }
    Some(Rescaled { values, scale, dequantize: weights.clone() })
}
