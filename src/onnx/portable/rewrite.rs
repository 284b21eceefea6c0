//! Rewriting of single nodes.

use std::collections::BTreeMap;

use super::attributes::{attribute, int, ints};
use super::known::Known;
use super::omitted;
use crate::onnx::names::Names;
use crate::onnx::proto::attribute_proto::AttributeType;
use crate::onnx::proto::tensor_proto::DataType;
use crate::onnx::proto::{AttributeProto, NodeProto, TensorProto};
use crate::onnx::{Constant, Data};

/// Steps beyond the range of any 16-bit type, and inside 32 bits.
const FAR: f32 = (1_u32 << 30) as f32;
/// Largest ratio of the scales of channels, so that what is out of range for the least is out of range for
/// all.
const LIKE: f32 = (1_u32 << 12) as f32;

/// The replacement of a node.
pub(super) struct Written {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<TensorProto>,
}

impl From<Writer<'_>> for Written {
    fn from(by: Writer<'_>) -> Written {
        Written { nodes: by.nodes, initializers: by.initializers }
    }
}

/// Replaces a node by others, if the library would compute it incorrectly.
pub(super) fn rewritten(
    node: &NodeProto,
    opset: i64,
    known: &Known,
    types: &BTreeMap<String, DataType>,
    names: &mut Names,
) -> Result<Option<Written>, String> {
    let mut by = Writer::of(node, names);
    let (Some(x), Some(y)) = (node.input.first(), node.output.first()) else { return Ok(None) };
    let real = types.get(x).is_none_or(|t| matches!(t, DataType::Float | DataType::Double));
    match node.op_type() {
        // The library treats NaN as small; its Max and Min propagate it, but take more than twice the time.
        // Behind a convolution all values are NaN then.
        "Relu" | "Clip" if known.sums.contains(x) && (node.op_type() == "Relu" || bounded(node)) => {
            return Ok(None);
        }
        "Relu" if real => {
            let zero = by.number(0.0);
            by.put("Max", &[x, &zero], y, vec![]);
        }
        // Omitted bounds are the largest numbers, not infinity.
        "Clip" if real => {
            let mut bound = |at: usize, name: &str, default: f32| match node.input.get(at) {
                Some(given) if !given.is_empty() => given.clone(),
                _ => by.number(self::real(node, name, default)),
            };
            let (least, most) = (bound(1, "min", f32::MIN), bound(2, "max", f32::MAX));
            let above = by.value("Max", &[x, &least]);
            by.put("Min", &[&above, &most], y, vec![]);
        }
        // ln(1 + eˣ) where eˣ overflows: the larger of 0 and x, plus ln(1 + e⁻|ˣ|).
        "Softplus" => {
            let zero = by.number(0.0);
            let large = by.value("Max", &[x, &zero]);
            let size = by.value("Abs", &[x]);
            let down = by.value("Neg", &[&size]);
            let small = by.value("Softplus", &[&down]);
            by.put("Add", &[&large, &small], y, vec![]);
        }
        // ONNX Runtime starts with the least finite number, not with minus infinity.
        "GlobalMaxPool" => {
            let found = by.value("GlobalMaxPool", &[x]);
            let least = by.number(f32::MIN);
            by.put("Max", &[&found, &least], y, vec![]);
        }
        // The library rounds to 32 bits before it adds the zero point, which wraps for very large values.
        // Such large multiples of a scale saturate either way.
        "QuantizeLinear" => by.quantizer(known, x, y)?,
        // In inference, Dropout drops nothing.
        "Dropout" => by.put("Identity", &[x], y, vec![]),
        "CastLike" => {
            let Some(to) = node.input.get(1).and_then(|like| types.get(like)) else {
                return Err("the type that it casts to is not known".into());
            };
            if *to == DataType::Bool {
                let zero = by.is_zero(x);
                by.put("Not", &[&zero], y, vec![]);
            } else {
                by.put("Cast", &[x], y, vec![whole("to", *to as i64)]);
            }
        }
        "BatchNormalization" if omitted::trains(node) => by.batch(opset)?,
        // A vector is a column whose axis is not in the result; the library keeps the axis.
        "MatMul" if known.rank(node.input.get(1)) == Some(1) => {
            let shape = by.constant(vec![2], Data::S64(vec![-1, 1]));
            let column = by.value("Reshape", &[&node.input[1], &shape]);
            let product = by.value("MatMul", &[x, &column]);
            if opset < 13 {
                by.put("Squeeze", &[&product], y, vec![ints("axes", vec![-1])]);
            } else {
                let last = by.constant(vec![1], Data::S64(vec![-1]));
                by.put("Squeeze", &[&product, &last], y, vec![]);
            }
        }
        // It knows integer exponents of integers only.
        "Pow" if real && node.input.get(1).and_then(|e| types.get(e)).is_some_and(integer) => {
            let exponent =
                by.value_with("Cast", &[&node.input[1]], vec![whole("to", DataType::Float as i64)]);
            by.put("Pow", &[x, &exponent], y, vec![]);
        }
        // The library returns signed zeros.
        "Sign" => {
            let [zero, sign] = [by.is_zero(x), by.value("Sign", &[x])];
            by.put("Where", &[&zero, x, &sign], y, vec![]);
        }
        // It represents booleans as integers, and casts to integers, not to 0 and 1.
        "Cast" if int(node, "to", 0) == DataType::Bool as i64 => {
            let zero = by.is_zero(x);
            by.put("Not", &[&zero], y, vec![]);
        }
        // λ · x above zero, λ · α · (eˣ − 1) below: Elu times a constant, with the constants of the standard.
        "Selu" => {
            let alpha = self::real(node, "alpha", 1.673_263_2);
            let elu = by.value_with("Elu", &[x], vec![float("alpha", alpha)]);
            let gamma = by.number(self::real(node, "gamma", 1.050_701));
            by.put("Mul", &[&elu, &gamma], y, vec![]);
        }
        // α · (e^(x/α) − 1) below zero: Elu between two scalings.
        "Celu" => {
            let alpha = self::real(node, "alpha", 1.0);
            if alpha <= 0.0 {
                return Err(format!(
                    "the float library is not known to compute alpha={alpha} as ONNX Runtime does"
                ));
            }
            let alpha = by.number(alpha);
            let small = by.value("Div", &[x, &alpha]);
            let elu = by.value("Elu", &[&small]);
            by.put("Mul", &[&elu, &alpha], y, vec![]);
        }
        // Before opset 13 all axes from the given one on were one row; the library implements the later
        // meaning.
        "Softmax" | "LogSoftmax" if opset < 13 => by.old_softmax(known, x, y),
        // For equal extremes the first counts, or the last if an attribute says so; the library takes the
        // last.
        "ArgMax" | "ArgMin" => by.extreme(x, y),
        // One at the first of the largest elements; before opset 13 over all axes from the given one on.
        "Hardmax" => by.hardmax(opset, x, y),
        _ => return Ok(None),
    }
    Ok(Some(by.into()))
}

/// Builds the replacement of a node.
pub(super) struct Writer<'a> {
    names: &'a mut Names,
    of: &'a NodeProto,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl<'a> Writer<'a> {
    pub(super) fn of(node: &'a NodeProto, names: &'a mut Names) -> Writer<'a> {
        Writer { names, of: node, nodes: Vec::new(), initializers: Vec::new() }
    }

    /// Adds the node with the result of the replaced one. Errors of the library name the user's node.
    pub(super) fn put(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        let name = self.of.name.clone();
        self.add(name, op, inputs, output, attribute);
    }

    fn add(
        &mut self,
        name: Option<String>,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|i| (*i).to_string()).collect(),
            output: vec![output.into()],
            name,
            op_type: Some(op.into()),
            attribute,
            ..NodeProto::default()
        });
    }

    /// Adds an intermediate node; returns the name of its result. Node names must be unique for the library.
    pub(super) fn value_with(&mut self, op: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let stem = self.of.output.first().map_or("", String::as_str);
        let output = self.names.own(&format!("{stem}.{op}"));
        let name = self.of.name();
        // Refusals of the operator must name the user's node.
        let name =
            if op == self.of.op_type() { name.into() } else { self.names.own(&format!("{name}.{op}")) };
        self.add(Some(name), op, inputs, &output, attribute);
        output
    }

    pub(super) fn value(&mut self, op: &str, inputs: &[&str]) -> String {
        self.value_with(op, inputs, vec![])
    }

    pub(super) fn constant(&mut self, shape: Vec<usize>, data: Data) -> String {
        let stem = self.of.output.first().map_or("", String::as_str);
        let name = self.names.own(&format!("{stem}.constant"));
        self.initializers.push(Constant { name: String::new(), shape, data }.to_proto(&name));
        name
    }

    pub(super) fn number(&mut self, value: f32) -> String {
        self.constant(vec![], Data::F32(vec![value]))
    }

    /// Whether a value is zero, for any type: only zero equals its own negative.
    fn is_zero(&mut self, x: &str) -> String {
        let opposite = self.value("Neg", &[x]);
        self.value("Equal", &[x, &opposite])
    }

    /// Limits such large multiples of a scale to 32 bits; they saturate in any case.
    fn quantizer(&mut self, known: &Known, x: &str, y: &str) -> Result<(), String> {
        let node = self.of;
        let Some([least, most]) = node.input.get(1).and_then(|scale| known.scales.get(scale)) else {
            return Err("the float library needs its scale as a constant".into());
        };
        if !(*least > 0.0 && *most <= least * LIKE) {
            return Err(format!(
                "the float library is not known to compute scales from {least} to {most} as ONNX Runtime does"
            ));
        }
        let bound = (least * FAR).min(f32::MAX);
        let [low, high] = [-bound, bound].map(|b| self.number(b));
        let above = self.value("Max", &[x, &low]);
        let inside = self.value("Min", &[&above, &high]);
        let others = node.input[1..].iter().map(String::as_str);
        let inputs: Vec<&str> = std::iter::once(inside.as_str()).chain(others).collect();
        self.put("QuantizeLinear", &inputs, y, node.attribute.clone());
        Ok(())
    }

    /// All axes from the given one on are one row.
    fn old_softmax(&mut self, known: &Known, x: &str, y: &str) {
        let node = self.of;
        let axis = int(node, "axis", 1);
        let last = known.rank(node.input.first()).is_some_and(|r| axis + 1 == r as i64) || axis == -1;
        let last_axis = || vec![whole("axis", -1)];
        if last {
            self.put(node.op_type(), &[x], y, last_axis());
        } else {
            let flat = self.value_with("Flatten", &[x], vec![whole("axis", axis)]);
            let soft = self.value_with(node.op_type(), &[&flat], last_axis());
            let shape = self.value("Shape", &[x]);
            self.put("Reshape", &[&soft, &shape], y, vec![]);
        }
    }

    /// The index of the first extreme, found as the last one in reverse order.
    fn extreme(&mut self, x: &str, y: &str) {
        let node = self.of;
        let mut kept = node.attribute.clone();
        kept.retain(|a| a.name() != "select_last_index");
        if int(node, "select_last_index", 0) != 0 {
            self.put(node.op_type(), &[x], y, kept);
        } else {
            let axis = int(node, "axis", 0);
            let [last, end, axis] =
                [-1, i64::from(i32::MIN), axis].map(|v| self.constant(vec![1], Data::S64(vec![v])));
            let turned = self.value("Slice", &[x, &last, &end, &axis, &last]);
            let found = self.value_with(node.op_type(), &[&turned], kept);
            let shape = self.value("Shape", &[x]);
            let extent = self.value("Gather", &[&shape, &axis]);
            // The index from the other end.
            let back = self.value("Add", &[&extent, &last]);
            self.put("Sub", &[&back, &found], y, vec![]);
        }
    }

    /// One at the first of the largest elements of each row.
    fn hardmax(&mut self, opset: i64, x: &str, y: &str) {
        let node = self.of;
        let (axis, rows) = if opset < 13 {
            let axis = int(node, "axis", 1);
            (1, self.value_with("Flatten", &[x], vec![whole("axis", axis)]))
        } else {
            (int(node, "axis", -1), x.to_string())
        };
        let at = self.constant(vec![1], Data::S64(vec![axis]));
        let [last, end] = [-1, i64::from(i32::MIN)].map(|v| self.constant(vec![1], Data::S64(vec![v])));
        let turned = self.value("Slice", &[&rows, &last, &end, &at, &last]);
        let found = self.value_with("ArgMax", &[&turned], vec![whole("axis", axis), whole("keepdims", 0)]);
        let all = self.value("Shape", &[&rows]);
        let extent = self.value("Gather", &[&all, &at]);
        let back = self.value("Add", &[&extent, &last]);
        let index = self.value("Sub", &[&back, &found]);
        let values = self.constant(vec![2], Data::F32(vec![0.0, 1.0]));
        let ones = self.value_with("OneHot", &[&index, &extent, &values], vec![whole("axis", axis)]);
        let shape = self.value("Shape", &[x]);
        self.put("Reshape", &[&ones, &shape], y, vec![]);
    }

    /// A BatchNormalization in training mode, whose mean and variance are those of its input. Channels are
    /// the second axis; all further ones become one axis, so that the rank need not be known.
    fn batch(&mut self, opset: i64) -> Result<(), String> {
        let node = self.of;
        let [x, scale, bias, old_mean, old_variance] = node.input.as_slice() else {
            return Err("it has no five inputs".into());
        };
        let rows = self.constant(vec![3], Data::S64(vec![0, 0, -1]));
        let channels = self.constant(vec![3], Data::S64(vec![1, -1, 1]));
        let shape = self.value("Shape", &[x]);
        let flat = self.value("Reshape", &[x, &rows]);
        let mean = self.mean(&flat, opset);
        let centred = self.value("Sub", &[&flat, &mean]);
        let squared = self.value("Mul", &[&centred, &centred]);
        let variance = self.mean(&squared, opset);
        let epsilon = self.number(real(node, "epsilon", 1e-5));
        let sum = self.value("Add", &[&variance, &epsilon]);
        let deviation = self.value("Sqrt", &[&sum]);
        let unit = self.value("Div", &[&centred, &deviation]);
        let [scale, bias] = [scale, bias].map(|v| self.value("Reshape", &[v, &channels]));
        let scaled = self.value("Mul", &[&unit, &scale]);
        let shifted = self.value("Add", &[&scaled, &bias]);
        self.put("Reshape", &[&shifted, &shape], &node.output[0], vec![]);
        let momentum = real(node, "momentum", 0.9);
        let all = self.constant(vec![1], Data::S64(vec![-1]));
        for (at, old, new) in [(1, old_mean, &mean), (2, old_variance, &variance)] {
            let Some(output) = node.output.get(at).filter(|o| !o.is_empty()) else { continue };
            let [kept, rest] = [momentum, 1.0 - momentum].map(|v| self.number(v));
            let row = self.value("Reshape", &[new, &all]);
            let [old, new] = [self.value("Mul", &[old, &kept]), self.value("Mul", &[&row, &rest])];
            self.put("Add", &[&old, &new], output, vec![]);
        }
        Ok(())
    }

    /// The mean over the first and the last of three axes.
    fn mean(&mut self, x: &str, opset: i64) -> String {
        let axes = vec![0, 2];
        if opset < 18 {
            return self.value_with("ReduceMean", &[x], vec![ints("axes", axes)]);
        }
        let axes = self.constant(vec![2], Data::S64(axes));
        self.value("ReduceMean", &[x, &axes])
    }
}

fn integer(kind: &DataType) -> bool {
    matches!(kind, DataType::Int32 | DataType::Int64)
}

/// Whether a Clip has both bounds.
fn bounded(node: &NodeProto) -> bool {
    let given = |at: usize, name: &str| {
        node.input.get(at).is_some_and(|i| !i.is_empty()) || attribute(node, name).is_some()
    };
    given(1, "min") && given(2, "max")
}

fn real(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).and_then(|a| a.f).unwrap_or(default)
}

pub(super) fn whole(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Float as i32),
        f: Some(value),
        ..AttributeProto::default()
    }
}
