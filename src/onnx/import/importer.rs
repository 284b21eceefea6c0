//! The state of an import: every value, the fate of every node, and the graph so far.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::constant::{Constant, ConstantError};
use super::super::load::LoadedModel;
use super::super::proto::tensor_proto::DataType;
use super::super::proto::{GraphProto, OperatorSetIdProto, ValueInfoProto};
use super::node::OnnxNode;
use super::options::ImportOptions;
use super::outcome::ImportError;
use super::value::{Pending, Value};
use crate::graph::{Graph, Quant, TensorId};

/// By the output of an If node, whether its first branch is taken.
pub(super) type Branches = BTreeMap<String, bool>;

/// A host node.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) level: u32,
    /// The longest chain of nodes of this level that ends with it.
    pub(super) depth: u32,
    pub(super) reason: String,
}

/// The state of a node.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    Pending,
    Layer(String),
    Fused(String),
    Folded(String),
    Host(String),
    Unsupported(String),
    Unreached,
}

/// The state of an import.
pub(in crate::onnx) struct Importer<'a> {
    pub(super) proto: &'a GraphProto,
    pub(super) nodes: &'a [OnnxNode<'a>],
    pub(super) options: &'a ImportOptions,
    pub(super) values: BTreeMap<&'a str, Value>,
    pub(super) graph: Graph,
    pub(super) fates: Vec<Fate>,
    /// The layer that computes a tensor, valid as long as layers are only added.
    pub(super) made_by: BTreeMap<TensorId, usize>,
    /// Names that tensors have or had.
    pub(super) tensor_names: BTreeSet<String>,
    /// Constants that are tensors, by name and quantization (scale, by its bits, and zero point).
    pub(super) constants: BTreeMap<(String, Option<(u32, i32)>), TensorId>,
    /// What the model declares for its values and outputs.
    pub(super) declared: BTreeMap<&'a str, &'a ValueInfoProto>,
    /// The node that computes a value.
    pub(super) producers: BTreeMap<&'a str, usize>,
    pub(super) opsets: Vec<OperatorSetIdProto>,
    /// The version of ONNX's own operators.
    pub(super) opset: i64,
    /// Nodes that run on the host.
    pub(super) host: BTreeMap<usize, Guest>,
    /// Tensors that hold values of host nodes.
    pub(super) host_tensors: BTreeMap<&'a str, TensorId>,
    /// Number of islands of host nodes on the way to a tensor.
    pub(super) levels: BTreeMap<TensorId, u32>,
    pub(super) layer_names: BTreeSet<String>,
    /// How often a layer's name was requested again.
    pub(super) repeats: BTreeMap<String, u32>,
    /// If nodes with a known condition.
    pub(super) branches: Branches,
    /// Float tensors that were made on demand, by ONNX name.
    pub(super) floats: BTreeMap<String, TensorId>,
    /// Tensors that are read with another quantization than their own: scale, by its bits, and zero point.
    pub(super) readings: BTreeMap<(TensorId, u32, i32), TensorId>,
    /// Element types of values, as far as the operators' signatures determine them.
    pub(super) element_types: BTreeMap<String, DataType>,
    /// Names of the graph's outputs.
    pub(super) outputs: BTreeSet<&'a str>,
    /// Values that some node or the graph's user reads.
    pub(super) read: BTreeMap<&'a str, usize>,
    /// Tensors of integers without the zero points of their channels.
    pub(super) centred: BTreeSet<TensorId>,
    /// Sums of 32 bits that operators give out, and how they were made: a Cast makes floats of them at once.
    pub(super) sums: BTreeMap<TensorId, Rc<Pending>>,
}

impl<'a> Importer<'a> {
    pub(super) fn new(
        model: &'a LoadedModel,
        nodes: &'a [OnnxNode<'a>],
        options: &'a ImportOptions,
    ) -> Result<Importer<'a>, ImportError> {
        let proto = model.graph();
        let outputs = |n: &'a OnnxNode<'a>| {
            n.proto.output.iter().filter(|o| !o.is_empty()).map(|o| (o.as_str(), n.index))
        };
        let opsets = model.model.opset_import.clone();
        let own = opsets.iter().find(|o| matches!(o.domain(), "" | "ai.onnx"));
        let mut importer = Importer {
            proto,
            nodes,
            options,
            values: BTreeMap::new(),
            graph: Graph { name: proto.name().to_string(), ..Graph::default() },
            fates: vec![Fate::Pending; nodes.len()],
            made_by: BTreeMap::new(),
            tensor_names: BTreeSet::new(),
            constants: BTreeMap::new(),
            declared: proto.value_info.iter().chain(&proto.output).map(|v| (v.name(), v)).collect(),
            producers: nodes.iter().flat_map(outputs).collect(),
            opset: own.map_or(17, |o| o.version()),
            opsets,
            host: BTreeMap::new(),
            host_tensors: BTreeMap::new(),
            levels: BTreeMap::new(),
            layer_names: BTreeSet::new(),
            repeats: BTreeMap::new(),
            branches: BTreeMap::new(),
            floats: BTreeMap::new(),
            readings: BTreeMap::new(),
            element_types: BTreeMap::new(),
            outputs: proto.output.iter().map(|o| o.name()).collect(),
            read: read_values(proto),
            centred: BTreeSet::new(),
            sums: BTreeMap::new(),
        };
        for t in &proto.initializer {
            let value = match Constant::read(t) {
                Ok(c) => Value::Constant(Rc::new(c)),
                Err(e @ ConstantError::ElementType(_)) => Value::Exotic(e.to_string()),
                Err(ConstantError::Content(reason)) => {
                    let place = format!("initializer \"{}\"", t.name());
                    return Err(ImportError::Malformed { place, reason });
                }
            };
            importer.values.insert(t.name(), value);
        }
        for input in &proto.input {
            if !importer.values.contains_key(input.name()) {
                importer.input(input)?;
            }
        }
        Ok(importer)
    }

    pub(super) fn mark(&mut self, index: usize, fate: Fate) {
        // A node may be part of several layers; the first one suffices, and being a layer takes precedence.
        let stronger =
            matches!(fate, Fate::Layer(_) | Fate::Host(_)) || matches!(self.fates[index], Fate::Pending);
        if stronger {
            self.fates[index] = fate;
        }
    }
}

/// Values that a node, a branch of one, or the graph's user reads.
fn read_values(proto: &GraphProto) -> BTreeMap<&str, usize> {
    fn collect<'a>(graph: &'a GraphProto, into: &mut BTreeMap<&'a str, usize>) {
        let inputs = graph.node.iter().flat_map(|n| &n.input).map(String::as_str);
        for name in graph.output.iter().map(|o| o.name()).chain(inputs) {
            *into.entry(name).or_insert(0) += 1;
        }
        for n in &graph.node {
            n.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).for_each(|g| collect(g, into));
        }
    }
    let mut read = BTreeMap::new();
    collect(proto, &mut read);
    read
}

pub(super) fn same_quant(a: Quant, b: Quant) -> bool {
    a.scale.to_bits() == b.scale.to_bits() && a.zero_point == b.zero_point
}
