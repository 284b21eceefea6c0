//! If nodes with a known condition: the node is replaced by the chosen branch.
//!
//! Exporters write them around Squeeze and Reshape, with conditions on shapes that are constant once the
//! inputs' extents are. A condition is known only while nodes are imported, so the import records which
//! branch is taken, and starts again on the graph without these nodes; branches may contain further ones.

use std::collections::{BTreeMap, BTreeSet};

use super::super::names::{made, rename};
use super::super::proto::{GraphProto, NodeProto};
use super::importer::{Branches, Importer};
use super::node::OnnxNode;
use super::outcome::ImportError;
use super::value::{Refusal, Value, unsupported};

impl<'a> Importer<'a> {
    /// Records the branch of an If; its results are unknown in this pass.
    pub(super) fn branch(&mut self, n: &OnnxNode<'a>) -> Result<Vec<Value>, Refusal> {
        let Value::Constant(condition) = self.value(n, 0)? else {
            return unsupported("its condition depends on data");
        };
        let Some(&[taken]) = condition.integers().as_deref() else {
            return Err(Refusal::Malformed("its condition is not one truth value".into()));
        };
        self.branches.insert(n.result()?.into(), taken != 0);
        Err(Refusal::Unreached)
    }
}

/// The graph with the recorded branches in place of their nodes.
pub(super) fn inlined(proto: &GraphProto, branches: &Branches) -> Result<GraphProto, ImportError> {
    let mut graph = proto.clone();
    let mut nodes = Vec::new();
    let mut values = names(&graph);
    let mut labels: BTreeSet<String> = graph.node.iter().map(|n| n.name().to_string()).collect();
    for node in std::mem::take(&mut graph.node) {
        let taken = node.output.first().and_then(|o| branches.get(o));
        let (Some(taken), "If") = (taken, node.op_type()) else {
            nodes.push(node);
            continue;
        };
        let name = if *taken { "then_branch" } else { "else_branch" };
        let body = node.attribute.iter().find(|a| a.name() == name).and_then(|a| a.g.clone());
        let malformed =
            |reason: String| ImportError::Malformed { place: format!("node \"{}\"", node.name()), reason };
        let mut body = body.ok_or_else(|| malformed(format!("it has no {name}")))?;
        if body.output.len() != node.output.len() {
            return Err(malformed(format!("its {name} has {} outputs", body.output.len())));
        }
        // Names of a branch are local: two branches, or a branch and the graph, may use the same.
        let inner: BTreeMap<String, String> = made(&body)
            .map(|value| (value.to_string(), unique(&format!("{}.{name}.{value}", node.name()), &mut values)))
            .collect();
        rename(&mut body, &inner);
        for inner in &mut body.node {
            inner.name = Some(unique(&format!("{}.{}", node.name(), inner.name()), &mut labels));
        }
        graph.initializer.extend(body.initializer);
        graph.value_info.extend(body.value_info);
        nodes.extend(body.node);
        // Every output keeps the name that the rest of the graph reads.
        for (from, to) in body.output.iter().zip(&node.output).filter(|(_, to)| !to.is_empty()) {
            nodes.push(NodeProto {
                name: Some(format!("{}.{name}.{to}", node.name())),
                op_type: Some("Identity".into()),
                input: vec![from.name().into()],
                output: vec![to.clone()],
                ..NodeProto::default()
            });
        }
    }
    graph.node = nodes;
    Ok(graph)
}

/// All names of values in a graph and in the graphs within.
fn names(graph: &GraphProto) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = made(graph).map(str::to_string).collect();
    all.extend(graph.input.iter().map(|i| i.name().to_string()));
    for inner in graph.node.iter().flat_map(|n| &n.attribute).flat_map(|a| a.g.iter().chain(&a.graphs)) {
        all.append(&mut names(inner));
    }
    all
}

/// The name, with a number if it is taken.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut number = 1;
    let mut tried = name.to_string();
    while !taken.insert(tried.clone()) {
        number += 1;
        tried = format!("{name}.{number}");
    }
    tried
}
