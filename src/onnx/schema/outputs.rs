//! The element types of a node's outputs.

use super::super::proto::{AttributeProto, NodeProto, tensor_proto::DataType};
use super::find::find;
use super::given::Given;
use super::signature::at;

/// The element type of each output of a node: that of the inputs with the same type variable, else the only
/// allowed one, else what ONNX's inference derives from the attributes. `None` where that is unknown, and for
/// operators with inner graphs.
pub(crate) fn output_types(node: &NodeProto, opset: i64, inputs: &[Given]) -> Vec<Option<DataType>> {
    let Some(signature) = find(node.domain(), node.op_type(), opset) else {
        return vec![None; node.output.len()];
    };
    let bound = |variable: &str| {
        inputs.iter().enumerate().find_map(|(i, given)| match (given, at(signature.inputs, i)) {
            (Given::Tensor(found), Some(p)) if !p.mixed && p.variable == variable => Some(*found),
            _ => None,
        })
    };
    (0..node.output.len())
        .map(|i| {
            let p = at(signature.outputs, i)?;
            let shared = if p.mixed { None } else { bound(p.variable) };
            shared.or_else(|| p.types.only()).or_else(|| by_attributes(node, i, inputs))
        })
        .collect()
}

/// The type of an output that no type variable determines.
fn by_attributes(node: &NodeProto, output: usize, inputs: &[Given]) -> Option<DataType> {
    // An input that determines the type must be known; an omitted one does not count.
    let input = |i: usize| match inputs.get(i) {
        Some(Given::Tensor(found)) => Ok(Some(*found)),
        Some(Given::Unknown) => Err(()),
        Some(Given::LeftOut) | None => Ok(None),
    };
    let or_input = |name: &str, i: usize| element(node, name).or_else(|| input(i).ok().flatten());
    let or = |name: &str, default: DataType| element(node, name).or(Some(default));
    match node.op_type() {
        "BitCast" | "Cast" => element(node, "to"),
        "Constant" => constant(node),
        "ConstantOfShape" => match attribute(node, "value") {
            Some(value) => known(value.t.as_ref()?.data_type()),
            None => Some(DataType::Float),
        },
        "Bernoulli" | "EyeLike" | "RandomNormalLike" | "RandomUniformLike" => or_input("dtype", 0),
        "RandomNormal" | "RandomUniform" => or("dtype", DataType::Float),
        "Multinomial" => or("dtype", DataType::Int32),
        "BlackmanWindow" | "HammingWindow" | "HannWindow" | "MelWeightMatrix" => {
            or("output_datatype", DataType::Float)
        }
        "LayerNormalization" | "SimplifiedLayerNormalization" if output > 0 => {
            or("stash_type", DataType::Float)
        }
        // The zero point would determine it, if it were given and known.
        "QuantizeLinear" => match input(2) {
            Ok(None) => or("output_dtype", DataType::Uint8),
            _ => None,
        },
        "DequantizeLinear" => or_input("output_dtype", 1),
        "MatMulInteger16" => Some(DataType::Int32),
        "QGemm" => match input(8) {
            Ok(None) => Some(DataType::Float),
            Ok(found) => found,
            Err(()) => None,
        },
        _ => None,
    }
}

fn constant(node: &NodeProto) -> Option<DataType> {
    let [value] = node.attribute.as_slice() else { return None };
    match value.name() {
        "value" => known(value.t.as_ref()?.data_type()),
        "value_float" | "value_floats" => Some(DataType::Float),
        "value_int" | "value_ints" => Some(DataType::Int64),
        "value_string" | "value_strings" => Some(DataType::String),
        _ => None,
    }
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|a| a.name() == name)
}

/// The element type that an attribute names by its number.
pub(super) fn element(node: &NodeProto, name: &str) -> Option<DataType> {
    known(i32::try_from(attribute(node, name)?.i?).ok()?)
}

/// The element type of this number.
pub(super) fn known(number: i32) -> Option<DataType> {
    DataType::try_from(number).ok().filter(|t| *t != DataType::Undefined)
}
