//! ONNX nodes: order, names, attributes.

use std::collections::{BTreeMap, BTreeSet};

use super::super::proto::{AttributeProto, GraphProto, NodeProto, OperatorSetIdProto};
use super::order::topological;
use super::outcome::ImportError;
use super::value::Refusal;

/// A node with its index in topological order.
#[derive(Debug)]
pub(super) struct OnnxNode<'a> {
    /// Index in the sorted list.
    pub(super) index: usize,
    /// Its name, or one made from type and position.
    pub(super) name: String,
    pub(super) proto: &'a NodeProto,
}

impl<'a> OnnxNode<'a> {
    pub(super) fn op_type(&self) -> &'a str {
        self.proto.op_type()
    }

    /// Domain; empty is ONNX's own.
    pub(super) fn domain(&self) -> &'a str {
        match self.proto.domain() {
            "ai.onnx" => "",
            other => other,
        }
    }

    /// `QLinearAdd (com.microsoft)`.
    pub(super) fn qualified_type(&self) -> String {
        match self.domain() {
            "" => self.op_type().to_string(),
            domain => format!("{} ({domain})", self.op_type()),
        }
    }

    /// Name of an input; `None` if it is omitted.
    pub(super) fn input(&self, index: usize) -> Option<&'a str> {
        self.proto.input.get(index).map(String::as_str).filter(|s| !s.is_empty())
    }

    /// Name of the first output.
    pub(super) fn output(&self) -> Option<&'a str> {
        self.proto.output.first().map(String::as_str).filter(|s| !s.is_empty())
    }

    /// Name of the first output, which the operator must have.
    pub(super) fn result(&self) -> Result<&'a str, Refusal> {
        self.output().ok_or_else(|| Refusal::Malformed("it has no output".into()))
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name() == name)
    }

    /// Whether it contains graphs, whose captured values are not listed.
    pub(super) fn has_graphs(&self) -> bool {
        self.proto.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|a| a.i).unwrap_or(default)
    }

    /// A boolean attribute. As in ONNX Runtime, 1 is true, and any other number is false.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name, default.into()) == 1
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).and_then(|a| a.f)
    }

    pub(super) fn string(&self, name: &str) -> Option<String> {
        self.attribute(name).and_then(|a| a.s.as_ref()).map(|s| String::from_utf8_lossy(s).into_owned())
    }

    /// A list of integers; `None` if the attribute is absent.
    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    /// A list of floats; `None` if the attribute is absent.
    pub(super) fn floats(&self, name: &str) -> Option<&'a [f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&'a super::super::proto::TensorProto> {
        self.attribute(name).and_then(|a| a.t.as_ref())
    }
}

/// A violation of ONNX's own rules in a graph: a value that no node or two nodes compute, a cycle, or
/// operands with types that an operator does not take. `None` if it can be run.
pub(crate) fn defect(proto: &GraphProto, opsets: &[OperatorSetIdProto]) -> Option<String> {
    if let Err(e) = sorted(proto) {
        return Some(e.to_string());
    }
    let (node, why) = crate::onnx::schema::check_types(proto, opsets).reports.into_iter().next()?;
    let node = &proto.node[node];
    Some(format!("node \"{}\" ({}): {why}", node.name(), node.op_type()))
}

/// The nodes in topological order (stable: a model that is sorted keeps its order).
pub(super) fn sorted(proto: &GraphProto) -> Result<Vec<OnnxNode<'_>>, ImportError> {
    let malformed = |place: &str, reason: String| ImportError::Malformed { place: place.into(), reason };
    let mut producer: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, n) in proto.node.iter().enumerate() {
        for o in n.output.iter().filter(|o| !o.is_empty()) {
            if producer.insert(o, i).is_some() {
                return Err(malformed(&format!("value \"{o}\""), "two nodes compute it".into()));
            }
        }
    }
    let given: BTreeSet<&str> =
        proto.initializer.iter().map(|t| t.name()).chain(proto.input.iter().map(|i| i.name())).collect();
    let known = |name: &str| given.contains(name);
    for n in &proto.node {
        if let Some(input) =
            n.input.iter().find(|s| !s.is_empty() && !producer.contains_key(s.as_str()) && !known(s))
        {
            let place = format!("node \"{}\" ({})", n.name(), n.op_type());
            return Err(malformed(&place, format!("nothing computes its input \"{input}\"")));
        }
    }
    let needs = |i: usize| {
        proto.node[i].input.iter().filter_map(|name| producer.get(name.as_str())).copied().collect()
    };
    let order = topological(proto.node.len(), needs);
    if order.len() < proto.node.len() {
        return Err(malformed("the graph", "its nodes form a circle".into()));
    }
    let name = |i: usize| match proto.node[i].name() {
        "" => format!("{}_{i}", proto.node[i].op_type()),
        given => given.to_string(),
    };
    Ok(order
        .into_iter()
        .enumerate()
        .map(|(index, i)| OnnxNode { index, name: name(i), proto: &proto.node[i] })
        .collect())
}
