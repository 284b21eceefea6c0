//! A network in the form that float libraries take.

use std::collections::BTreeSet;

use prost::Message;

use super::portable;
use super::proto::{GraphProto, ModelProto};
use crate::float::{Network, Step};

/// A model for the engines of [`crate::float`]. Without a graph it has neither inputs nor nodes.
#[must_use]
pub fn float_network(model: &ModelProto) -> Network {
    let graph = model.graph.as_ref();
    let mut rewritten = model.clone();
    let (portable, wrong) = match portable(&mut rewritten) {
        Ok(true) => (Some(rewritten.encode_to_vec()), None),
        Ok(false) => (None, None),
        Err(why) => (None, Some(why)),
    };
    Network {
        model: model.encode_to_vec(),
        portable,
        wrong,
        inputs: graph.map(given_inputs).unwrap_or_default(),
        outputs: graph.iter().flat_map(|g| &g.output).map(|o| o.name().to_string()).collect(),
        steps: graph.map(steps).unwrap_or_default(),
    }
}

/// Inputs and outputs of each node, in the graph's order, which ONNX requires to be topological. Initializers
/// and the results of Constant nodes are left out.
#[must_use]
pub(crate) fn steps(graph: &GraphProto) -> Vec<Step> {
    let mut constant: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    constant.extend(
        graph.node.iter().filter(|n| n.op_type() == "Constant").flat_map(|n| &n.output).map(String::as_str),
    );
    let mut steps = Vec::new();
    for node in graph.node.iter().filter(|n| n.op_type() != "Constant") {
        let mut inputs = node.input.clone();
        for branch in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            captured(branch, &mut inputs);
        }
        inputs.retain(|i| !i.is_empty() && !constant.contains(i.as_str()));
        let outputs = node.output.iter().filter(|o| !o.is_empty()).cloned().collect();
        steps.push(Step { inputs, outputs });
    }
    steps
}

/// Inputs of a graph that are not initializers, and must be given to run it.
#[must_use]
pub fn given_inputs(graph: &GraphProto) -> Vec<String> {
    let constant: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    graph.input.iter().map(|i| i.name().to_string()).filter(|n| !constant.contains(n.as_str())).collect()
}

/// Everything that an inner graph reads; its own names do no harm.
fn captured(graph: &GraphProto, into: &mut Vec<String>) {
    for node in &graph.node {
        into.extend(node.input.iter().cloned());
        for branch in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            captured(branch, into);
        }
    }
    into.extend(graph.output.iter().map(|o| o.name().to_string()));
}
