//! Changes that mostly leave a model valid: other attributes, extents, types, scales, zero points, weights,
//! neighbours.

use rcar_iss::internals::onnx::proto::attribute_proto::AttributeType;
use rcar_iss::internals::onnx::proto::tensor_proto::DataType;
use rcar_iss::internals::onnx::proto::tensor_shape_proto::dimension;
use rcar_iss::internals::onnx::proto::{AttributeProto, GraphProto, ModelProto, NodeProto};

use super::super::random::Random;
use super::onnx::{
    attribute, graph, names, node_with_attributes, parameters, raw, set_raw, size, some, tensor_type,
};
use super::onnx_wild::WORDS;

/// Operators that take each other's operands.
const FAMILIES: &[&[&str]] = &[
    &[
        "Relu",
        "Sigmoid",
        "Tanh",
        "HardSwish",
        "HardSigmoid",
        "Gelu",
        "Erf",
        "Exp",
        "Sqrt",
        "Abs",
        "Neg",
        "Ceil",
        "Floor",
        "Round",
        "Reciprocal",
        "Log",
        "Sin",
        "Cos",
        "Elu",
        "Selu",
        "Mish",
        "Softplus",
        "Softsign",
        "LeakyRelu",
        "Celu",
        "ThresholdedRelu",
        "Sign",
        "Softmax",
        "LogSoftmax",
        "Identity",
        "Shrink",
    ],
    &["Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "PRelu", "Mod"],
    &["MaxPool", "AveragePool", "LpPool"],
    &["GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"],
    &["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1"],
    &["QLinearAdd", "QLinearMul"],
    &["DepthToSpace", "SpaceToDepth"],
];
/// Attributes that an operator may get.
const NEW: &[(&str, &str, &[i64])] = &[
    ("Conv", "strides", &[2, 1]),
    ("Conv", "dilations", &[1, 2]),
    ("Conv", "pads", &[1, 0, 2, 1]),
    ("ConvTranspose", "output_padding", &[1, 1]),
    ("ConvTranspose", "strides", &[2, 3]),
    ("MaxPool", "dilations", &[2, 1]),
    ("MaxPool", "strides", &[2, 2]),
    ("AveragePool", "pads", &[1, 1, 0, 1]),
    ("AveragePool", "strides", &[2, 2]),
    ("Transpose", "perm", &[0, 2, 1]),
];
/// The same with one number.
const NEW_NUMBER: &[(&str, &str, i64)] = &[
    ("Conv", "group", 2),
    ("MaxPool", "ceil_mode", 1),
    ("AveragePool", "ceil_mode", 1),
    ("AveragePool", "count_include_pad", 1),
    ("Gemm", "transA", 1),
    ("Gemm", "transB", 1),
    ("Softmax", "axis", 1),
    ("ReduceMean", "keepdims", 0),
    ("ReduceSum", "keepdims", 0),
    ("Concat", "axis", -1),
    ("Split", "axis", -1),
    ("Gather", "axis", -1),
    ("QuantizeLinear", "axis", 0),
    ("DequantizeLinear", "axis", 0),
];

type Change = fn(&mut Random, &mut GraphProto) -> Option<()>;

const CHANGES: &[Change] = &[
    attribute_value,
    attribute_value,
    new_attribute,
    operator,
    extent,
    extent,
    signs,
    widths,
    scale,
    zero_point,
    weights,
    indices,
    neighbour,
    output,
];

pub(super) fn change(random: &mut Random, model: &mut ModelProto) -> Option<()> {
    if random.one_in(20) {
        let opset = some(random, &mut model.opset_import, |o| o.domain().is_empty())?;
        opset.version = Some(11 + random.below(13) as i64);
        return Some(());
    }
    let graph = graph(random, model)?;
    random.pick(CHANGES)(random, graph)
}

fn attribute_value(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let node = node_with_attributes(random, graph)?;
    let a = attribute(random, node)?;
    match a.r#type() {
        AttributeType::Int => a.i = Some((a.i() + random.pick(&[1, -1])).clamp(-4, 64)),
        AttributeType::Ints => {
            let at = random.place(&a.ints)?;
            match random.below(3) {
                0 => random.shuffle(&mut a.ints),
                _ => a.ints[at] = (a.ints[at] + random.pick(&[1, -1])).clamp(-4, 64),
            }
        }
        AttributeType::Float => a.f = Some(random.pick(&[0.01, 0.5, 1.0, 2.0, -0.3, 6.0])),
        AttributeType::String => a.s = Some(random.pick(WORDS).into()),
        _ => return None,
    }
    Some(())
}

fn new_attribute(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let node = some(random, &mut graph.node, |n| {
        NEW.iter().any(|(op, ..)| *op == n.op_type()) || NEW_NUMBER.iter().any(|(op, ..)| *op == n.op_type())
    })?;
    let mut fit: Vec<AttributeProto> = Vec::new();
    for (_, name, ints) in NEW.iter().filter(|(op, ..)| *op == node.op_type()) {
        let r#type = Some(AttributeType::Ints as i32);
        fit.push(AttributeProto {
            name: Some((*name).into()),
            ints: ints.to_vec(),
            r#type,
            ..AttributeProto::default()
        });
    }
    for (_, name, i) in NEW_NUMBER.iter().filter(|(op, ..)| *op == node.op_type()) {
        let r#type = Some(AttributeType::Int as i32);
        fit.push(AttributeProto {
            name: Some((*name).into()),
            i: Some(*i),
            r#type,
            ..AttributeProto::default()
        });
    }
    let new = fit[random.place(&fit)?].clone();
    node.attribute.retain(|a| a.name != new.name);
    node.attribute.push(new);
    Some(())
}

fn operator(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let family = |n: &NodeProto| FAMILIES.iter().find(|f| f.contains(&n.op_type()));
    let node = some(random, &mut graph.node, |n| family(n).is_some())?;
    node.op_type = Some(random.pick(family(node)?).into());
    Some(())
}

/// An extent of an input becomes another one, and outputs are left to be inferred.
fn extent(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let dims = &mut tensor_type(some(random, &mut graph.input, |_| true)?)?.shape.as_mut()?.dim;
    let dim = some(random, dims, |d| matches!(d.value, Some(dimension::Value::DimValue(_))))?;
    if let Some(dimension::Value::DimValue(n)) = &mut dim.value {
        *n = random.pick(&[1, *n + 1, *n * 2, (*n - 1).max(1), 7, 33]).clamp(1, 512);
    }
    for info in graph.output.iter_mut().chain(&mut graph.value_info) {
        if let Some(tensor) = tensor_type(info) {
            tensor.shape = None;
        }
    }
    Some(())
}

/// One type of integers becomes another of its width, in all constants and values or in one constant.
fn signs(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let (from, to) = random.pick(&[
        (DataType::Uint8, DataType::Int8),
        (DataType::Int8, DataType::Uint8),
        (DataType::Uint16, DataType::Int16),
        (DataType::Int16, DataType::Uint16),
    ]);
    let (from, to) = (Some(from as i32), Some(to as i32));
    if random.one_in(3) {
        some(random, &mut graph.initializer, |t| t.data_type == from)?.data_type = to;
        return Some(());
    }
    graph.initializer.iter_mut().filter(|t| t.data_type == from).for_each(|t| t.data_type = to);
    let values = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    values.filter_map(tensor_type).filter(|t| t.elem_type == from).for_each(|t| t.elem_type = to);
    Some(())
}

/// Zero points of 8 bits get 16.
fn widths(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let known = parameters(graph);
    let (from, to) = random.pick(&[(DataType::Uint8, DataType::Uint16), (DataType::Int8, DataType::Int16)]);
    let (from, to) = (Some(from as i32), Some(to as i32));
    let all = random.one_in(2);
    let mut done = None;
    for tensor in
        graph.initializer.iter_mut().filter(|t| t.data_type == from && known.iter().any(|n| n == t.name()))
    {
        let Some(bytes) = raw(tensor).filter(|b| b.len() < 200) else { continue };
        let wide =
            |b: u8| if from == Some(DataType::Int8 as i32) { i16::from(b as i8) } else { i16::from(b) };
        set_raw(tensor, bytes.iter().flat_map(|b| wide(*b).to_le_bytes()).collect());
        tensor.data_type = to;
        done = Some(());
        if !all {
            break;
        }
    }
    done?;
    let values = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    values.filter_map(tensor_type).filter(|t| t.elem_type == from).for_each(|t| t.elem_type = to);
    done
}

fn scale(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let known = parameters(graph);
    let float = Some(DataType::Float as i32);
    let tensor = some(random, &mut graph.initializer, |t| {
        t.data_type == float && known.iter().any(|n| n == t.name())
    })?;
    let mut bytes = raw(tensor)?;
    let factor = random.pick(&[0.5, 2.0, 1.1, 100.0, 0.01, 1e-6, 1e6]);
    let one = random.one_in(2).then(|| random.below(bytes.len() / 4));
    for (i, word) in bytes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        if one.is_none_or(|one| one == i) {
            *word = (f32::from_le_bytes(*word) * factor).to_le_bytes();
        }
    }
    set_raw(tensor, bytes);
    Some(())
}

fn zero_point(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let known = parameters(graph);
    let integer = |t: Option<i32>| t.is_some_and(|t| (2..=5).contains(&t));
    let tensor = some(random, &mut graph.initializer, |t| {
        integer(t.data_type) && known.iter().any(|n| n == t.name())
    })?;
    let mut bytes = raw(tensor).filter(|b| b.len() < 200)?;
    let width = size(tensor.data_type())?;
    let value = random.pick(&[0_i32, 1, -1, 127, 128, -128, 255, 3, 100]).to_le_bytes();
    let at = random.below(bytes.len() / width) * width;
    bytes.get_mut(at..at + width)?.copy_from_slice(&value[..width]);
    set_raw(tensor, bytes);
    Some(())
}

/// Numbers of a constant: extremes, noise, zeros.
fn weights(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let tensor = some(random, &mut graph.initializer, |t| matches!(t.data_type, Some(2..=6)))?;
    let mut bytes = raw(tensor)?;
    match random.below(4) {
        0 => bytes.fill(0),
        1 => bytes = random.bytes(bytes.len()),
        2 => {
            let with = random.pick(&[0x80, 0x7f, 0xff]);
            bytes.fill(with);
        }
        _ => {
            // Blocks of zeros, which a compiler may leave out.
            let at = random.below(bytes.len());
            let end = (at + 64 * random.few(8)).min(bytes.len());
            bytes[at..end].fill(0);
        }
    }
    set_raw(tensor, bytes);
    Some(())
}

/// A number among axes, shapes, pads, starts.
fn indices(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let tensor = some(random, &mut graph.initializer, |t| t.data_type == Some(DataType::Int64 as i32))?;
    let mut bytes = raw(tensor)?;
    let at = random.below(bytes.len() / 8) * 8;
    let field = bytes.get_mut(at..at + 8)?;
    let old = i64::from_le_bytes(<[u8; 8]>::try_from(&*field).ok()?);
    let new = random.pick(&[old.wrapping_add(1), old.wrapping_sub(1), old.wrapping_neg(), 0, 1, -1, 2]);
    field.copy_from_slice(&new.to_le_bytes());
    set_raw(tensor, bytes);
    Some(())
}

/// A node between a value and one of its readers.
fn neighbour(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let number = graph.node.len();
    let reader = some(random, &mut graph.node, |n| !n.input.is_empty())?;
    let value = reader.input[0].clone();
    let new = format!("between_{number}");
    reader.input[0].clone_from(&new);
    let op_type = random.pick(&[
        "Relu",
        "Identity",
        "Neg",
        "Abs",
        "Flatten",
        "Transpose",
        "Sigmoid",
        "Softmax",
        "Dropout",
    ]);
    graph.node.push(NodeProto {
        op_type: Some(op_type.into()),
        input: vec![value],
        output: vec![new],
        ..NodeProto::default()
    });
    Some(())
}

/// A value between operators becomes an output, or the only one.
fn output(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let names = names(graph);
    let name = names.get(random.place(&names)?).cloned();
    let mut info = graph.output.first()?.clone();
    info.name = name;
    tensor_type(&mut info)?.shape = None;
    if random.one_in(2) {
        graph.output.clear();
    }
    graph.output.push(info);
    Some(())
}
