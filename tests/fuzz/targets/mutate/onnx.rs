//! Changes of ONNX models: of their graphs, or of their bytes.

use prost::Message;
use rcar_iss::internals::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use rcar_iss::internals::onnx::proto::{tensor_proto::DataType, type_proto};

use super::super::random::Random;
use super::values::damage;
use super::{onnx_valid, onnx_wild};

/// A model with one to four changes: half of the mutants have only such that tend to leave it valid.
pub(crate) fn change(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    let Some(mut model) = ModelProto::decode(bytes).ok().filter(|_| !random.one_in(8)) else {
        damage(random, &mut damaged);
        return damaged;
    };
    let wild = random.one_in(2);
    for _ in 0..random.few(4) {
        // Many changes find nothing to change in a model.
        for _ in 0..10 {
            let done = if wild {
                onnx_wild::change(random, &mut model)
            } else {
                onnx_valid::change(random, &mut model)
            };
            if done.is_some() {
                break;
            }
        }
    }
    model.encode_to_vec()
}

/// A random element that satisfies a condition.
pub(super) fn some<'a, T>(
    random: &mut Random,
    list: &'a mut [T],
    wanted: impl Fn(&T) -> bool,
) -> Option<&'a mut T> {
    let fit: Vec<usize> = (0..list.len()).filter(|i| wanted(&list[*i])).collect();
    let at = fit[random.place(&fit)?];
    list.get_mut(at)
}

/// The model's graph, or one inside a node of it.
pub(super) fn graph<'a>(random: &mut Random, model: &'a mut ModelProto) -> Option<&'a mut GraphProto> {
    let outer = model.graph.as_mut()?;
    if random.one_in(4) {
        let inner = outer.node.iter().any(|n| n.attribute.iter().any(|a| a.g.is_some()));
        if inner {
            return outer.node.iter_mut().flat_map(|n| &mut n.attribute).find_map(|a| a.g.as_mut());
        }
    }
    Some(outer)
}

/// The names of a graph's values.
pub(super) fn names(graph: &GraphProto) -> Vec<String> {
    let inputs = graph.input.iter().map(|i| i.name().to_string());
    let constants = graph.initializer.iter().map(|t| t.name().to_string());
    inputs.chain(constants).chain(graph.node.iter().flat_map(|n| n.output.clone())).collect()
}

pub(super) fn node_with_attributes<'a>(
    random: &mut Random,
    graph: &'a mut GraphProto,
) -> Option<&'a mut NodeProto> {
    some(random, &mut graph.node, |n| !n.attribute.is_empty())
}

pub(super) fn attribute<'a>(random: &mut Random, node: &'a mut NodeProto) -> Option<&'a mut AttributeProto> {
    some(random, &mut node.attribute, |_| true)
}

/// One of the declared values: inputs, outputs, those between.
pub(super) fn value<'a>(random: &mut Random, graph: &'a mut GraphProto) -> Option<&'a mut ValueInfoProto> {
    let list = match random.below(3) {
        0 => &mut graph.input,
        1 => &mut graph.output,
        _ => &mut graph.value_info,
    };
    some(random, list, |_| true)
}

/// The tensor type of a declared value.
pub(super) fn tensor_type(info: &mut ValueInfoProto) -> Option<&mut type_proto::Tensor> {
    match info.r#type.as_mut()?.value.as_mut()? {
        type_proto::Value::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

/// Bytes of an element; none for types that are no integers or floats of whole bytes.
pub(super) fn size(kind: i32) -> Option<usize> {
    Some(match DataType::try_from(kind).ok()? {
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Uint16 | DataType::Int16 | DataType::Float16 | DataType::Bfloat16 => 2,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Double | DataType::Int64 | DataType::Uint64 => 8,
        _ => return None,
    })
}

/// The bytes of a constant that lie in `raw_data`.
pub(super) fn raw(tensor: &TensorProto) -> Option<Vec<u8>> {
    tensor.raw_data.as_ref().map(|data| data.to_vec()).filter(|data| !data.is_empty())
}

pub(super) fn set_raw(tensor: &mut TensorProto, bytes: Vec<u8>) {
    tensor.raw_data = Some(bytes.into());
}

/// Names that nodes with quantization use behind their first operand: scales and zero points among them.
pub(super) fn parameters(graph: &GraphProto) -> Vec<String> {
    let quantizes = |n: &&NodeProto| {
        n.op_type().contains("Linear") || n.op_type() == "QGemm" || n.op_type().ends_with("Integer")
    };
    graph.node.iter().filter(quantizes).flat_map(|n| n.input.iter().skip(1).cloned()).collect()
}
