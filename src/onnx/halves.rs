//! Models with numbers of 16 bits, IEEE's half precision or bfloat16, in the place of singles.
//!
//! Producers keep scales, biases and what stays float in half precision. Every half is a single, so a model
//! of singles has the same constants. Quantized operators compute on integers either way. What stays float is
//! computed with more digits than the producer's device has; only a graph input that is cast to half
//! precision is rounded to it, since its quantizer sees that. Models without quantized operators, or
//! with halves as inputs or outputs, keep them: there each operator is ONNX's own or refused.

use std::collections::BTreeSet;

use super::names::Names;
use super::proto::tensor_proto::DataType;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, type_proto};
use crate::numeric::half;

/// The bits that a single has more than a half, and than a bfloat16.
const FEWER_BITS: [(DataType, i32); 2] = [(DataType::Float16, 13), (DataType::Bfloat16, 16)];

fn is_half(code: i32) -> bool {
    FEWER_BITS.iter().any(|(kind, _)| *kind as i32 == code)
}

/// The model with singles; `None` if it has no halves, has them as inputs or outputs, or quantizes nothing.
pub(super) fn singles(model: &ModelProto) -> Option<ModelProto> {
    if !model.graph.as_ref().is_some_and(|g| is_quantized(g) && !gives_halves(g) && has_halves(g)) {
        return None;
    }
    let mut model = model.clone();
    let graph = model.graph.as_mut()?;
    round_inputs(graph);
    widen(graph);
    Some(model)
}

/// Whether an operator of the graph, or of a graph within, reads or writes quantized integers.
fn is_quantized(graph: &GraphProto) -> bool {
    graph.node.iter().any(|n| {
        matches!(
            n.op_type(),
            "QuantizeLinear" | "DequantizeLinear" | "QGemm" | "ConvInteger" | "MatMulInteger"
        ) || n.op_type().starts_with("QLinear")
            || n.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).any(is_quantized)
    })
}

/// Whether an input or output of a graph is of halves.
fn gives_halves(graph: &GraphProto) -> bool {
    graph.input.iter().chain(&graph.output).any(|info| is_half(declared(info)))
}

fn has_halves(graph: &GraphProto) -> bool {
    let tensor = |t: &TensorProto| is_half(t.data_type());
    let attribute = |n: &NodeProto| {
        n.attribute.iter().any(|a| {
            a.t.iter().chain(&a.tensors).any(tensor)
                || element_type(a.name()) && a.i.is_some_and(|i| is_half(i as i32))
                || a.g.iter().chain(&a.graphs).any(has_halves)
        })
    };
    graph.initializer.iter().any(tensor) || graph.node.iter().any(attribute)
}

/// Whether an attribute of this name is an element type.
fn element_type(name: &str) -> bool {
    matches!(name, "to" | "dtype" | "output_dtype")
}

fn declared(info: &ValueInfoProto) -> i32 {
    match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(t)) => t.elem_type(),
        _ => 0,
    }
}

fn widen(graph: &mut GraphProto) {
    graph.initializer.iter_mut().for_each(widened);
    for info in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        if let Some(type_proto::Value::TensorType(t)) = info.r#type.as_mut().and_then(|t| t.value.as_mut())
            && is_half(t.elem_type())
        {
            t.elem_type = Some(DataType::Float as i32);
        }
    }
    for attribute in graph.node.iter_mut().flat_map(|n| &mut n.attribute) {
        if element_type(attribute.name()) && attribute.i.is_some_and(|i| is_half(i as i32)) {
            attribute.i = Some(DataType::Float as i64);
        }
        attribute.t.iter_mut().chain(&mut attribute.tensors).for_each(widened);
        attribute.g.iter_mut().chain(&mut attribute.graphs).for_each(widen);
    }
}

fn widened(t: &mut TensorProto) {
    let single = match DataType::try_from(t.data_type()) {
        Ok(DataType::Float16) => half::single,
        Ok(DataType::Bfloat16) => |bits: u16| f32::from_bits(u32::from(bits) << 16),
        _ => return,
    };
    t.data_type = Some(DataType::Float as i32);
    match t.raw_data.take() {
        Some(raw) => {
            let (halves, rest) = raw.as_chunks::<2>();
            let mut bytes: Vec<u8> =
                halves.iter().flat_map(|b| single(u16::from_le_bytes(*b)).to_le_bytes()).collect();
            // An odd byte stays, so that the tensor is as broken as it was.
            bytes.extend(rest);
            t.raw_data = Some(bytes.into());
        }
        None => t.float_data = std::mem::take(&mut t.int32_data).iter().map(|v| single(*v as u16)).collect(),
    }
}

/// A Cast of a graph input to fewer bits, written with what singles have: `t = x·(2ⁿ + 1)`, `t − (t − x)` is
/// x rounded to n bits fewer (Dekker, "A floating-point technique for extending the available precision",
/// 1971).
fn round_inputs(graph: &mut GraphProto) {
    let inputs: BTreeSet<String> = graph
        .input
        .iter()
        .filter(|i| declared(i) == DataType::Float as i32)
        .map(|i| i.name().into())
        .collect();
    let mut names = Names::of(graph);
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node) {
        let to = node.attribute.iter().find(|a| a.name() == "to").and_then(|a| a.i).unwrap_or(0);
        let bits = FEWER_BITS.iter().find(|(kind, _)| *kind as i64 == to).map(|(_, bits)| *bits);
        let (Some(bits), "Cast", [x], [y]) = (bits, node.op_type(), &node.input[..], &node.output[..]) else {
            nodes.push(node);
            continue;
        };
        if !inputs.contains(x) {
            nodes.push(node);
            continue;
        }
        let factor = names.own(&format!("{y}.factor"));
        graph.initializer.push(TensorProto {
            name: Some(factor.clone()),
            data_type: Some(DataType::Float as i32),
            float_data: vec![2_f32.powi(bits) + 1.0],
            ..TensorProto::default()
        });
        let [product, rest] = ["product", "rest"].map(|what| names.own(&format!("{y}.{what}")));
        let mut step = |op: &str, a: &str, b: &str, to: &str| {
            let own =
                if to == y { node.name().to_string() } else { names.own(&format!("{}.{op}", node.name())) };
            nodes.push(NodeProto {
                name: Some(own),
                op_type: Some(op.into()),
                input: vec![a.into(), b.into()],
                output: vec![to.into()],
                ..NodeProto::default()
            });
        };
        step("Mul", x, &factor, &product);
        step("Sub", &product, x, &rest);
        step("Sub", &product, &rest, y);
    }
    graph.node = nodes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_is_rounded_as_a_half_is() {
        for i in 0..20_000_u32 {
            let x = f32::from_bits(0x3c00_0000 + i * 3_571);
            let t = x * 8193.0;
            assert_eq!(t - (t - x), half::single(half::of_single(x)), "{x}");
        }
    }

    #[test]
    fn halves_become_the_singles_that_they_are() {
        let tensor = |raw: Option<Vec<u8>>, typed: Vec<i32>| TensorProto {
            data_type: Some(DataType::Float16 as i32),
            dims: vec![2],
            raw_data: raw.map(Into::into),
            int32_data: typed,
            ..TensorProto::default()
        };
        let mut raw = tensor(Some(vec![0, 0x3c, 0, 0xc0]), vec![]);
        let mut typed = tensor(None, vec![0x3c00, 0xc000]);
        widened(&mut raw);
        widened(&mut typed);
        let bytes: Vec<u8> = [1.0_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!((raw.raw_data.unwrap().to_vec(), typed.float_data), (bytes, vec![1.0, -2.0]));
    }
}
