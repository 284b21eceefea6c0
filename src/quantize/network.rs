//! A float network as quantization sees it: who computes and who reads a value, which values are constant, which are
//! float.

use std::collections::{BTreeMap, BTreeSet};

use crate::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataType};
use crate::onnx::{Constant, Data};

/// Indexes over a graph whose nodes all have names and stand in an order in which they can run.
pub(super) struct Network<'a> {
    pub(super) graph: &'a GraphProto,
    constants: BTreeMap<&'a str, &'a TensorProto>,
    producers: BTreeMap<&'a str, usize>,
    readers: BTreeMap<&'a str, Vec<usize>>,
    outputs: BTreeSet<&'a str>,
    floats: BTreeSet<&'a str>,
}

impl<'a> Network<'a> {
    pub(super) fn of(graph: &'a GraphProto) -> Network<'a> {
        let mut network = Network {
            graph,
            constants: graph.initializer.iter().map(|t| (t.name(), t)).collect(),
            producers: BTreeMap::new(),
            readers: BTreeMap::new(),
            outputs: graph.output.iter().map(|o| o.name()).collect(),
            floats: BTreeSet::new(),
        };
        let float = Some(DataType::Float as i32);
        network.floats.extend(graph.initializer.iter().filter(|t| t.data_type == float).map(|t| t.name()));
        for input in &graph.input {
            use crate::onnx::proto::type_proto::Value;
            if let Some(Value::TensorType(t)) = input.r#type.as_ref().and_then(|t| t.value.as_ref())
                && t.elem_type == float
            {
                network.floats.insert(input.name());
            }
        }
        for (at, node) in graph.node.iter().enumerate() {
            for input in node.input.iter().filter(|i| !i.is_empty()) {
                network.readers.entry(input).or_default().push(at);
            }
            for branch in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
                network.captures(branch, at);
            }
            let is_float = makes_floats(node, &network.floats);
            for output in node.output.iter().filter(|o| !o.is_empty()) {
                network.producers.insert(output, at);
                if is_float {
                    network.floats.insert(output);
                }
            }
        }
        network
    }

    /// A branch reads values of the graph around it.
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

    /// The nodes that read a value; one twice if it reads it twice.
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
        self.floats.contains(name)
    }

    /// A float constant.
    pub(super) fn floats(&self, name: &str) -> Option<Floats> {
        Floats::read(self.constants.get(name)?)
    }

    /// The rank of a float constant. Its values are not read.
    pub(super) fn rank(&self, name: &str) -> Option<usize> {
        let tensor = self.constants.get(name)?;
        Floats::can_read(tensor).then_some(tensor.dims.len())
    }

    /// Whether a value is one constant number.
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
    pub(super) fn read(tensor: &TensorProto) -> Option<Floats> {
        let c = Constant::read(tensor).ok()?;
        match c.data {
            Data::F32(values) => Some(Floats { shape: c.shape, values }),
            _ => None,
        }
    }

    /// Whether [`Floats::read`] succeeds.
    fn can_read(tensor: &TensorProto) -> bool {
        let (size, typed) = match DataType::try_from(tensor.data_type()) {
            Ok(DataType::Float) => (4, tensor.float_data.len()),
            Ok(DataType::Double) => (8, tensor.double_data.len()),
            _ => return false,
        };
        let held = tensor.raw_data.as_ref().map_or(typed * size, |raw| raw.len());
        let mut extents = tensor.dims.iter().map(|d| usize::try_from(*d).ok());
        let needed = extents.try_fold(size, |n: usize, d| n.checked_mul(d?));
        tensor.external_data.is_empty() && needed == Some(held)
    }

    pub(super) fn to_proto(&self, name: &str) -> TensorProto {
        Constant { name: name.into(), shape: self.shape.clone(), data: Data::F32(self.values.clone()) }
            .to_proto(name)
    }
}

/// Whether a node's results are floats, given which values before it are.
fn makes_floats(node: &NodeProto, floats: &BTreeSet<&str>) -> bool {
    match node.op_type() {
        "Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" | "NonMaxSuppression" | "Equal" | "Less"
        | "Greater" | "LessOrEqual" | "GreaterOrEqual" | "And" | "Or" | "Not" | "Xor" | "IsNaN" | "IsInf" => {
            false
        }
        "Cast" => int(node, "to", 0) == DataType::Float as i64,
        "ConstantOfShape" => attribute(node, "value")
            .and_then(|a| a.t.as_ref())
            .is_none_or(|t| t.data_type == Some(DataType::Float as i32)),
        "Where" => node.input.get(1).is_some_and(|i| floats.contains(i.as_str())),
        "If" | "Loop" | "Scan" => false,
        _ => node.input.first().is_some_and(|i| floats.contains(i.as_str())),
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
