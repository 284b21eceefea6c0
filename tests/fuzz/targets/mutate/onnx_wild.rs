//! Changes after which a model may be anything.

use rcar_iss::internals::onnx::proto::attribute_proto::AttributeType;
use rcar_iss::internals::onnx::proto::tensor_proto::{DataLocation, DataType};
use rcar_iss::internals::onnx::proto::tensor_shape_proto::{Dimension, dimension};
use rcar_iss::internals::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    ValueInfoProto, type_proto,
};

use super::super::random::Random;
use super::onnx::{
    attribute, graph, names, node_with_attributes, parameters, raw, set_raw, some, tensor_type, value,
};
use super::values::{FLOATS, INTEGERS, NAMES, damage, near, small};

pub(super) const WORDS: &[&str] = &[
    "NOTSET",
    "SAME_UPPER",
    "SAME_LOWER",
    "VALID",
    "nearest",
    "linear",
    "cubic",
    "asymmetric",
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "tf_crop_and_resize",
    "floor",
    "ceil",
    "round_prefer_floor",
    "round_prefer_ceil",
    "constant",
    "reflect",
    "edge",
    "wrap",
    "DCR",
    "CRD",
    "tanh",
    "none",
    "stretch",
    "not_larger",
    "not_smaller",
    "",
];
const OPERATORS: &str = "Conv ConvTranspose Gemm MatMul ConvInteger MatMulInteger QLinearConv QLinearMatMul Add Sub Mul Div Min Max \
    Pow Where BatchNormalization Relu Clip Sigmoid Tanh HardSwish Gelu Erf Exp Sqrt Softmax LogSoftmax MaxPool AveragePool LpPool \
    GlobalAveragePool GlobalMaxPool ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd Concat Split Slice Gather GatherElements \
    GatherND ScatterND Pad Resize Upsample DepthToSpace SpaceToDepth Transpose Expand Tile Reshape Flatten Squeeze Unsqueeze Shape \
    Size Constant ConstantOfShape Cast CastLike Identity Dropout If Loop Scan LayerNormalization InstanceNormalization LRN TopK \
    NonMaxSuppression ArgMax CumSum OneHot Range NonZero EyeLike Einsum GridSample RoiAlign LSTM GRU Trilu Mod Not And Equal Greater \
    QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearAdd QLinearMul QLinearConcat QLinearSigmoid QLinearLeakyRelu \
    QLinearAveragePool QLinearGlobalAveragePool QLinearSoftmax QGemm PRelu LeakyRelu Elu Selu Mish Celu ThresholdedRelu HardSigmoid \
    Softplus Softsign Abs Neg Ceil Floor Round Reciprocal Log Sin Cos Sum Mean Nonsense";
const ATTRIBUTES: &str = "axis axes kernel_shape strides pads dilations group auto_pad ceil_mode count_include_pad perm keepdims \
    alpha beta transA transB to blocksize mode epsilon output_padding output_shape storage_order value value_int value_ints value_float \
    value_floats value_string saturate block_size output_dtype allowzero start end largest sorted num_outputs noop_with_empty_axes \
    channels_last nearest_mode coordinate_transformation_mode cubic_coeff_a antialias exclude_outside batch_dims select_last_index \
    then_branch else_branch body";

fn one_of(random: &mut Random, list: &str) -> String {
    let words: Vec<&str> = list.split_whitespace().collect();
    random.pick(&words).into()
}

type Change = fn(&mut Random, &mut GraphProto) -> Option<()>;

const CHANGES: &[Change] = &[
    attribute_value,
    attribute_value,
    attribute_type,
    attributes,
    value_shape,
    value_type,
    constant_bytes,
    constant_shape,
    constant_type,
    constant_field,
    constant_outside,
    parameter,
    operator,
    edge,
    edge,
    nodes,
    lists,
];

/// One change; none if the model has nothing of the kind.
pub(super) fn change(random: &mut Random, model: &mut ModelProto) -> Option<()> {
    if random.one_in(24) {
        let opset = some(random, &mut model.opset_import, |_| true)?;
        match random.below(3) {
            0 => opset.domain = Some(random.pick(&["", "com.microsoft", "ai.onnx.ml", "x"]).into()),
            1 => opset.version = None,
            _ => {
                opset.version =
                    Some(random.pick(&[1, 6, 7, 9, 10, 11, 12, 13, 17, 19, 21, 23, 24, -1, 0, i64::MAX]))
            }
        }
        return Some(());
    }
    let graph = graph(random, model)?;
    random.pick(CHANGES)(random, graph)
}

fn attribute_value(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let node = node_with_attributes(random, graph)?;
    let a = attribute(random, node)?;
    match a.r#type() {
        AttributeType::Int => a.i = Some(near(random, a.i())),
        AttributeType::Ints => match random.place(&a.ints) {
            Some(at) => match random.below(5) {
                0 => a.ints.insert(at, small(random)),
                1 => drop(a.ints.remove(at)),
                2 => random.shuffle(&mut a.ints),
                _ => a.ints[at] = small(random),
            },
            None => a.ints.push(small(random)),
        },
        AttributeType::Float => a.f = Some(random.pick(FLOATS)),
        AttributeType::String => a.s = Some(random.pick(WORDS).into()),
        _ => return None,
    }
    Some(())
}

fn attribute_type(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let node = node_with_attributes(random, graph)?;
    attribute(random, node)?.r#type = Some(random.below(16) as i32);
    Some(())
}

fn attributes(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let node = some(random, &mut graph.node, |_| true)?;
    match (random.below(5), random.place(&node.attribute)) {
        (0, Some(at)) => drop(node.attribute.remove(at)),
        (1, Some(at)) => node.attribute.push(node.attribute[at].clone()),
        (2, Some(at)) => node.attribute[at].name = Some(one_of(random, ATTRIBUTES)),
        _ => node.attribute.push(new_attribute(random)),
    }
    Some(())
}

fn new_attribute(random: &mut Random) -> AttributeProto {
    let mut a = AttributeProto { name: Some(one_of(random, ATTRIBUTES)), ..AttributeProto::default() };
    let kind = match random.below(5) {
        0 => {
            a.i = Some(small(random));
            AttributeType::Int
        }
        1 => {
            a.ints = (0..random.below(6)).map(|_| small(random)).collect();
            AttributeType::Ints
        }
        2 => {
            a.f = Some(random.pick(FLOATS));
            AttributeType::Float
        }
        3 => {
            a.s = Some(random.pick(WORDS).into());
            AttributeType::String
        }
        _ => {
            let data_type = Some(DataType::Int64 as i32);
            a.t = Some(TensorProto {
                dims: vec![3],
                data_type,
                int64_data: vec![1, 2, 3],
                ..TensorProto::default()
            });
            AttributeType::Tensor
        }
    };
    a.r#type = Some(kind as i32);
    a
}

fn value_shape(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let info = value(random, graph)?;
    let tensor = tensor_type(info)?;
    if random.one_in(8) {
        tensor.shape = None;
        return Some(());
    }
    let dims = &mut tensor.shape.get_or_insert_with(TensorShapeProto::default).dim;
    let extent = match random.below(6) {
        0 => None,
        1 => Some(dimension::Value::DimParam(random.pick(&["N", "height", "x", ""]).into())),
        _ => Some(dimension::Value::DimValue(small(random))),
    };
    let new = Dimension { value: extent, denotation: None };
    match (random.below(4), random.place(dims)) {
        (0, Some(at)) => drop(dims.remove(at)),
        (1, Some(at)) => dims.insert(at, new),
        (_, Some(at)) => dims[at] = new,
        (_, None) => dims.push(new),
    }
    Some(())
}

fn value_type(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let info = value(random, graph)?;
    if random.one_in(6) {
        info.r#type.as_mut()?.value = match random.below(3) {
            0 => None,
            1 => Some(type_proto::Value::SequenceType(Default::default())),
            _ => Some(type_proto::Value::OptionalType(Default::default())),
        };
    } else {
        tensor_type(info)?.elem_type = Some(random.below(26) as i32 - 1);
    }
    Some(())
}

fn constant<'a>(random: &mut Random, graph: &'a mut GraphProto) -> Option<&'a mut TensorProto> {
    if random.one_in(6) {
        let of_node = graph.node.iter_mut().flat_map(|n| &mut n.attribute).find_map(|a| a.t.as_mut());
        if of_node.is_some() {
            return of_node;
        }
    }
    some(random, &mut graph.initializer, |_| true)
}

fn constant_bytes(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let tensor = constant(random, graph)?;
    let mut bytes = raw(tensor)?;
    match random.below(4) {
        0 => {
            let with = random.pick(&[0, 0xff, 0x80, 0x7f]);
            bytes.fill(with);
        }
        1 => bytes = random.bytes(bytes.len()),
        2 => {
            let longer = bytes.len() + random.pick(&[1, 4, 1000]);
            bytes.resize(longer, 1);
        }
        _ => damage(random, &mut bytes),
    }
    set_raw(tensor, bytes);
    Some(())
}

fn constant_shape(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let dims = &mut constant(random, graph)?.dims;
    match (random.below(6), random.place(dims)) {
        (0 | 1, Some(at)) => dims[at] = small(random),
        (2, Some(at)) => drop(dims.remove(at)),
        (3, Some(_)) => random.shuffle(dims),
        (4, _) => drop(dims.splice(..0, [1 << 32, 1 << 32])),
        (_, at) => dims.insert(at.unwrap_or(0), random.pick(&[1, 1, 0, 2, -1])),
    }
    Some(())
}

fn constant_type(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    constant(random, graph)?.data_type = Some(random.below(27) as i32 - 1);
    Some(())
}

/// Numbers in the field of another type, or in two fields.
fn constant_field(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let tensor = constant(random, graph)?;
    if !random.one_in(3) {
        tensor.raw_data = None;
    }
    let count = tensor.dims.iter().fold(1_i64, |n, d| n.wrapping_mul(*d)).clamp(0, 1000) as usize;
    let count = (count + random.pick(&[0, 0, 0, 1, 2])).saturating_sub(random.below(2));
    let integers: Vec<i64> = (0..count).map(|_| random.pick(INTEGERS)).collect();
    match random.below(5) {
        0 => tensor.int32_data = integers.iter().map(|n| *n as i32).collect(),
        1 => tensor.int64_data = integers,
        2 => tensor.float_data = (0..count).map(|_| random.pick(FLOATS)).collect(),
        3 => tensor.double_data = (0..count).map(|_| f64::from(random.pick(FLOATS))).collect(),
        _ => tensor.uint64_data = integers.iter().map(|n| *n as u64).collect(),
    }
    Some(())
}

fn constant_outside(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let tensor = constant(random, graph)?;
    tensor.data_location = Some(DataLocation::External as i32);
    if random.one_in(2) {
        tensor.raw_data = None;
    }
    let choices: [(&str, &[&str]); 3] = [
        ("location", &["w.bin", "", "../x", "/dev/zero", ".", "a\0b"]),
        ("offset", &["0", "-1", "4096", "18446744073709551615", "x"]),
        ("length", &["0", "16", "-1", "18446744073709551615", "x"]),
    ];
    for (key, values) in choices {
        if random.one_in(2) {
            let value = Some(random.pick(values).into());
            tensor.external_data.push(StringStringEntryProto { key: Some(key.into()), value });
        }
    }
    Some(())
}

/// A scale or zero point gets a value or a shape that none has.
fn parameter(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let known = parameters(graph);
    let tensor = some(random, &mut graph.initializer, |t| known.iter().any(|n| n == t.name()))?;
    if random.one_in(3) {
        tensor.dims = random.pick(&[&[][..], &[1], &[2], &[6], &[0], &[1, 1], &[1, 8, 1, 1]]).to_vec();
        return Some(());
    }
    let mut bytes = raw(tensor)?;
    let at = random.below(bytes.len()) / 4 * 4;
    if tensor.data_type == Some(DataType::Float as i32) && at + 4 <= bytes.len() {
        bytes[at..at + 4].copy_from_slice(&random.pick(FLOATS).to_le_bytes());
    } else {
        bytes[at] = random.next() as u8;
    }
    set_raw(tensor, bytes);
    Some(())
}

fn operator(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let node = some(random, &mut graph.node, |_| true)?;
    node.op_type = Some(one_of(random, OPERATORS));
    if random.one_in(4) {
        node.domain = Some(random.pick(&["", "com.microsoft", "ai.onnx", "ai.onnx.ml", "x"]).into());
    }
    Some(())
}

fn edge(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let mut names = names(graph);
    names.extend(["".into(), "unknown".into()]);
    let new = names[random.below(names.len())].clone();
    let node = some(random, &mut graph.node, |_| true)?;
    match (random.below(7), random.place(&node.input), random.place(&node.output)) {
        (0, ..) => drop(node.input.pop()),
        (1, ..) => node.input.push(new),
        (2, _, Some(at)) => node.output[at] = new,
        (3, ..) => node.output.push(new),
        (4, ..) => random.shuffle(&mut node.input),
        (_, Some(at), _) => node.input[at] = new,
        _ => return None,
    }
    Some(())
}

fn nodes(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    let at = random.place(&graph.node)?;
    match random.below(6) {
        0 => drop(graph.node.remove(at)),
        1 => graph.node.push(graph.node[at].clone()),
        2 => {
            let mut copy = graph.node[at].clone();
            for name in &mut copy.output {
                name.push_str("_copy");
                graph.output.push(ValueInfoProto { name: Some(name.clone()), ..ValueInfoProto::default() });
            }
            graph.node.push(copy);
        }
        3 => random.shuffle(&mut graph.node),
        4 => graph.node[at].name = Some(random.pick(NAMES).into()),
        _ => graph.node.truncate(at),
    }
    Some(())
}

/// Inputs, outputs and constants that are missing, twice there, or renamed.
fn lists(random: &mut Random, graph: &mut GraphProto) -> Option<()> {
    if random.one_in(3) {
        let at = random.place(&graph.initializer)?;
        match random.below(3) {
            0 => drop(graph.initializer.remove(at)),
            1 => graph.initializer.push(graph.initializer[at].clone()),
            _ => graph.initializer[at].name = Some(random.pick(NAMES).into()),
        }
        return Some(());
    }
    let names = names(graph);
    let list = if random.one_in(2) { &mut graph.input } else { &mut graph.output };
    match (random.below(4), random.place(list)) {
        (0, Some(at)) => drop(list.remove(at)),
        (1, Some(at)) => list.push(list[at].clone()),
        (2, Some(at)) => list[at].name = Some(random.pick(NAMES).into()),
        _ => {
            let name = names.get(random.place(&names)?).cloned();
            list.push(ValueInfoProto { name, ..ValueInfoProto::default() });
        }
    }
    Some(())
}
