//! Nodes that depend on constants alone, computed by the float library where it computes what ONNX defines.

use std::collections::BTreeMap;

use prost::Message;

use super::network::result_type;
use crate::float::FloatRunner;
use crate::onnx::proto::{
    GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataType,
};
use crate::onnx::{self, Constant, Data};
use crate::tensor_file::{Element, TensorData};

/// Largest constant, in elements, that is computed before the run.
const MAX_CONSTANT: usize = 1 << 24;

/// Operators that move or compare integers: no result exceeds 32 bits unless an operand does.
const EXACT: &[&str] = &[
    "Cast",
    "Concat",
    "ConstantOfShape",
    "Equal",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "Less",
    "LessOrEqual",
    "Max",
    "Min",
    "Not",
    "And",
    "Or",
    "Range",
    "Reshape",
    "ScatterND",
    "Shape",
    "Size",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
    "ArgMax",
    "ArgMin",
    "NonZero",
    "TopK",
    "Trilu",
    "Pad",
    "DepthToSpace",
    "SpaceToDepth",
];
/// Operators whose results on small integers fit 32 bits.
const SMALL: &[&str] = &["Add", "Sub", "Mul", "Div", "Neg", "Abs", "Mod"];

/// The results of a node as initializers. `None` if the float library would compute them in another type, or
/// cannot: the node then stays in the model.
pub(super) fn computed(
    model: &ModelProto,
    node: &NodeProto,
    known: &BTreeMap<String, TensorProto>,
) -> Option<Vec<TensorProto>> {
    let type_of = |name: &str| known.get(name).map(TensorProto::data_type);
    let places = node.output.iter().enumerate().filter(|(_, o)| !o.is_empty());
    let made: Vec<(&str, DataType)> = places
        .map(|(at, o)| Some((o.as_str(), DataType::try_from(result_type(node, at, type_of)?).ok()?)))
        .collect::<Option<_>>()?;
    let inputs: Vec<&TensorProto> = node.input.iter().filter_map(|i| known.get(i)).collect();
    if !is_exact(node, &inputs, &made) {
        return None;
    }
    let names: Vec<&str> = made.iter().map(|m| m.0).collect();
    let graph = GraphProto {
        name: Some("constant".into()),
        node: vec![node.clone()],
        initializer: inputs.into_iter().cloned().collect(),
        output: names
            .iter()
            .map(|o| ValueInfoProto { name: Some((*o).into()), ..ValueInfoProto::default() })
            .collect(),
        ..GraphProto::default()
    };
    let mut one = ModelProto { graph: Some(graph), ..model.clone() };
    // What the library would compute incorrectly stays in the model.
    onnx::portable(&mut one).ok()?;
    let results = FloatRunner::new().run(&one.encode_to_vec(), &[], &names).ok()?;
    made.iter().zip(results).map(|((name, kind), tensor)| as_constant(name, *kind, &tensor)).collect()
}

/// Whether the library, which has f32, 8 and 32 bits, supports the types of a node, and its integers fit.
fn is_exact(node: &NodeProto, inputs: &[&TensorProto], made: &[(&str, DataType)]) -> bool {
    use DataType::{Bool, Double, Float, Float16, Int8, Int32, Int64, Uint8};
    let op = node.op_type();
    let to_float = op == "Cast" && made.iter().all(|(_, kind)| *kind == Float);
    let known = |kind: DataType| match kind {
        Float | Int32 | Int64 | Bool | Int8 | Uint8 => true,
        // Halves are f32 there. Values that are only moved, or cast to f32, are exact.
        Float16 => to_float || EXACT.contains(&op) && !matches!(op, "Cast" | "Range"),
        Double => to_float,
        _ => false,
    };
    let types = inputs.iter().map(|t| DataType::try_from(t.data_type()).ok());
    if !types.into_iter().all(|t| t.is_some_and(known)) || !made.iter().all(|(_, kind)| known(*kind)) {
        return false;
    }
    if to_float {
        return in_reach(inputs, 1 << 31);
    }
    let from = |t: &TensorProto| Constant::read(t).ok();
    if op == "Cast" && made.iter().any(|(_, kind)| !matches!(kind, Float | Bool)) {
        let small = |v: &f32| v.abs() < (1_u32 << 31) as f32;
        let narrow = made.iter().any(|(_, kind)| matches!(kind, Int8 | Uint8));
        let fits = |t: &&TensorProto| from(t).is_some_and(|c| c.floats().is_none_or(|v| v.iter().all(small)));
        return !narrow && inputs.iter().all(fits) && in_reach(inputs, 1 << 31);
    }
    // Bounds of a Slice may be arbitrarily large.
    let bounded = if op == "Slice" { inputs.get(..1).unwrap_or_default() } else { inputs };
    if made.iter().all(|(_, kind)| *kind == Float) || EXACT.contains(&op) {
        return in_reach(bounded, 1 << 31);
    }
    SMALL.contains(&op) && in_reach(inputs, 1 << 15)
}

/// Whether the magnitude of all integers is below `limit`.
fn in_reach(tensors: &[&TensorProto], limit: i64) -> bool {
    tensors.iter().all(|t| {
        let kind = DataType::try_from(t.data_type());
        let integers = !matches!(kind, Ok(DataType::Float | DataType::Float16 | DataType::Double));
        let read = integers.then(|| Constant::read(t).ok().and_then(|c| c.integers()));
        read.is_none_or(|read| read.is_some_and(|v| v.iter().all(|v| (-limit..limit).contains(v))))
    })
}

/// A result as an initializer of the node's type.
fn as_constant(name: &str, kind: DataType, tensor: &TensorData) -> Option<TensorProto> {
    if tensor.elements() > MAX_CONSTANT {
        return None;
    }
    let words = || tensor.bytes.as_chunks::<4>().0.iter();
    let integers = || words().map(|b| i32::from_le_bytes(*b));
    let data = match (kind, tensor.element) {
        (DataType::Float, Element::F32) => Data::F32(words().map(|b| f32::from_le_bytes(*b)).collect()),
        (DataType::Float16, Element::F32) => {
            Data::U16(words().map(|b| half(f32::from_le_bytes(*b))).collect())
        }
        (DataType::Int64, Element::S32) => Data::S64(integers().map(i64::from).collect()),
        (DataType::Int32, Element::S32) => Data::S32(integers().collect()),
        (DataType::Bool, Element::S32) => Data::U8(integers().map(|v| u8::from(v != 0)).collect()),
        (DataType::Uint8, Element::U8) => Data::U8(tensor.bytes.clone()),
        (DataType::Int8, Element::S8) => Data::S8(tensor.bytes.iter().map(|b| *b as i8).collect()),
        _ => return None,
    };
    let made = Constant { name: name.into(), shape: tensor.shape.clone(), data }.to_proto(name);
    Some(TensorProto { data_type: Some(kind as i32), ..made })
}

/// The bits of a half, from its value in f32.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let (exponent, mantissa) = ((bits >> 23 & 0xff) as i32 - 127, bits & 0x7f_ffff);
    match exponent {
        128 => sign | 0x7c00 | (mantissa >> 13) as u16,
        -14.. => sign | ((exponent + 15) << 10) as u16 | (mantissa >> 13) as u16,
        // Denormal: the leading one is explicit.
        -24.. => sign | ((mantissa | 0x80_0000) >> (-1 - exponent)) as u16,
        _ => sign,
    }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_come_back() {
        let known = [(1.0, 0x3c00), (-2.5, 0xc100), (65504.0, 0x7bff), (0.0, 0), (f32::NEG_INFINITY, 0xfc00)];
        assert!(known.iter().all(|(v, bits)| half(*v) == *bits));
        // The least normal number, and two denormal ones.
        assert_eq!([-14, -15, -24].map(|e| half(2.0_f32.powi(e))), [0x400, 0x200, 1]);
        assert!(half(f32::NAN) > 0x7c00);
    }
}
