//! Indexes over a float network: producers and readers of values, constants, and floats.

use std::collections::{BTreeMap, BTreeSet};

use crate::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataType};
use crate::onnx::{Constant, Data};

/// Indexes over a graph whose nodes all have names and are in topological order.
pub(super) struct Network<'a> {
    pub(super) graph: &'a GraphProto,
    constants: BTreeMap<&'a str, &'a TensorProto>,
    producers: BTreeMap<&'a str, usize>,
    readers: BTreeMap<&'a str, Vec<usize>>,
    outputs: BTreeSet<&'a str>,
    /// Element types, where they are known.
    types: BTreeMap<&'a str, i32>,
}

impl<'a> Network<'a> {
    pub(super) fn of(graph: &'a GraphProto) -> Network<'a> {
        let mut network = Network {
            graph,
            constants: graph.initializer.iter().map(|t| (t.name(), t)).collect(),
            producers: BTreeMap::new(),
            readers: BTreeMap::new(),
            outputs: graph.output.iter().map(|o| o.name()).collect(),
            types: BTreeMap::new(),
        };
        network.types.extend(graph.initializer.iter().map(|t| (t.name(), t.data_type())));
        for input in &graph.input {
            use crate::onnx::proto::type_proto::Value;
            if let Some(Value::TensorType(t)) = input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
                network.types.insert(input.name(), t.elem_type());
            }
        }
        for (at, node) in graph.node.iter().enumerate() {
            for input in node.input.iter().filter(|i| !i.is_empty()) {
                network.readers.entry(input).or_default().push(at);
            }
            for branch in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
                network.captures(branch, at);
            }
            for (place, output) in node.output.iter().enumerate().filter(|(_, o)| !o.is_empty()) {
                network.producers.insert(output, at);
                if let Some(made) = result_type(node, place, |name| network.types.get(name).copied()) {
                    network.types.insert(output, made);
                }
            }
        }
        network
    }

    /// An inner graph reads values of the graph around it.
    fn captures(&mut self, branch: &'a GraphProto, at: usize) {
        for node in &branch.node {
            for input in &node.input {
                self.readers.entry(input).or_default().push(at);
            }
            for inner in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
                self.captures(inner, at);
            }
        }
    }

    /// The node that computes a value.
    pub(super) fn producer(&self, name: &str) -> Option<usize> {
        self.producers.get(name).copied()
    }

    /// The nodes that read a value; a node occurs twice if it reads it twice.
    pub(super) fn readers(&self, name: &str) -> &[usize] {
        self.readers.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_output(&self, name: &str) -> bool {
        self.outputs.contains(name)
    }

    pub(super) fn is_constant(&self, name: &str) -> bool {
        self.constants.contains_key(name)
    }

    /// Whether a value is a tensor of f32.
    pub(super) fn is_float(&self, name: &str) -> bool {
        self.types.get(name) == Some(&(DataType::Float as i32))
    }

    /// A float constant.
    pub(super) fn floats(&self, name: &str) -> Option<Floats> {
        Floats::read(self.constants.get(name)?)
    }

    /// The extents of a float constant. Its values are not read.
    pub(super) fn shape(&self, name: &str) -> Option<&'a [i64]> {
        let tensor = *self.constants.get(name)?;
        Floats::can_read(tensor).then_some(tensor.dims.as_slice())
    }

    /// The rank of a float constant, without reading its values.
    pub(super) fn rank(&self, name: &str) -> Option<usize> {
        self.shape(name).map(<[i64]>::len)
    }

    /// The value of a constant scalar.
    pub(super) fn number(&self, name: &str) -> Option<f32> {
        if !self.is_number(name) {
            return None;
        }
        self.floats(name)?.values.first().copied()
    }

    /// Whether a value is a constant scalar.
    pub(super) fn is_number(&self, name: &str) -> bool {
        self.constants.get(name).is_some_and(|t| t.dims.iter().all(|d| *d == 1)) && self.is_float(name)
    }
}

/// A float constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floats {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Floats {
    /// Reads f32 only: doubles must stay doubles.
    pub(super) fn read(tensor: &TensorProto) -> Option<Floats> {
        if tensor.data_type() != DataType::Float as i32 {
            return None;
        }
        let c = Constant::read(tensor).ok()?;
        match c.data {
            Data::F32(values) => Some(Floats { shape: c.shape, values }),
            _ => None,
        }
    }

    /// Whether [`Floats::read`] succeeds.
    fn can_read(tensor: &TensorProto) -> bool {
        if tensor.data_type() != DataType::Float as i32 {
            return false;
        }
        let held = tensor.raw_data.as_ref().map_or(tensor.float_data.len() * 4, |raw| raw.len());
        let mut extents = tensor.dims.iter().map(|d| usize::try_from(*d).ok());
        let needed = extents.try_fold(4, |n: usize, d| n.checked_mul(d?));
        tensor.external_data.is_empty() && needed == Some(held)
    }

    pub(super) fn to_proto(&self, name: &str) -> TensorProto {
        Constant { name: name.into(), shape: self.shape.clone(), data: Data::F32(self.values.clone()) }
            .to_proto(name)
    }
}

/// The element type of a node's result at this index, given those of earlier values. `None` if only a run
/// could tell.
pub(super) fn result_type(
    node: &NodeProto,
    place: usize,
    known: impl Fn(&str) -> Option<i32>,
) -> Option<i32> {
    let of = |at: usize| node.input.get(at).filter(|i| !i.is_empty()).and_then(|i| known(i));
    let named = |name: &str| attribute(node, name).and_then(|a| a.i).and_then(|i| i32::try_from(i).ok());
    let is = |t: DataType| Some(t as i32);
    match (node.op_type(), place) {
        ("Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" | "NonMaxSuppression", _)
        | ("TopK" | "MaxPool", 1)
        | ("Unique", 1..) => is(DataType::Int64),
        (
            "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" | "And" | "Or" | "Not" | "Xor",
            _,
        )
        | ("IsNaN" | "IsInf", _)
        | ("Dropout", 1) => is(DataType::Bool),
        ("Cast", _) => named("to"),
        ("CastLike", _) => of(1),
        ("ConstantOfShape", _) => match attribute(node, "value").and_then(|a| a.t.as_ref()) {
            Some(t) => Some(t.data_type()),
            None => is(DataType::Float),
        },
        ("Constant", _) => attribute(node, "value").and_then(|a| a.t.as_ref()).map(|t| t.data_type()),
        ("RandomNormal" | "RandomUniform", _) => named("dtype").or(is(DataType::Float)),
        ("RandomNormalLike" | "RandomUniformLike" | "EyeLike" | "Bernoulli", _) => {
            named("dtype").or_else(|| of(0))
        }
        ("Multinomial", _) => named("dtype").or(is(DataType::Int32)),
        ("Where", _) => of(1).or_else(|| of(2)),
        ("OneHot", _) => of(2),
        ("DequantizeLinear", _) => of(1),
        ("QuantizeLinear" | "DynamicQuantizeLinear" | "If" | "Loop" | "Scan" | "Optional", _) => None,
        _ => of(0),
    }
}

/// An attribute of a node.
pub(super) fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|a| a.name() == name)
}

/// An integer attribute.
pub(super) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).and_then(|a| a.i).unwrap_or(default)
}

/// A float attribute.
pub(super) fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).and_then(|a| a.f).unwrap_or(default)
}
