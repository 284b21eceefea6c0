//! Removal of nodes that change nothing. Between quantizers each of them would round once more.

use std::collections::BTreeSet;

use super::network::Network;
use super::upgrade::rank;
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::onnx::{Constant, reads};

/// Removes Identity, Dropout, sums with zero, products with one, and powers of one. Those that compute an
/// output of the network stay.
pub(super) fn remove(graph: &mut GraphProto, removed: &mut Vec<(String, String)>) {
    let outputs: BTreeSet<String> = graph.output.iter().map(|o| o.name().to_string()).collect();
    let mut read = BTreeSet::new();
    reads(graph, &mut read);
    let neutral = neutral(graph);
    let mut at = 0;
    let mut nodes = neutral.into_iter();
    while at < graph.node.len() {
        let kept = nodes.next().flatten();
        let node = &graph.node[at];
        let unread = |o: &String| !read.contains(o);
        let (plain, data) = match node.op_type() {
            "Identity" => (true, 0),
            "Dropout" => (node.output.iter().skip(1).all(unread) && !drops(graph, node), 0),
            _ => (kept.is_some(), kept.unwrap_or(0)),
        };
        match (node.input.get(data).cloned(), node.output.first().cloned()) {
            (Some(input), Some(output)) if plain && !outputs.contains(&output) => {
                let node = graph.node.remove(at);
                removed.push((node.name().into(), "it changes nothing".into()));
                redirect(&mut graph.node, &output, &input);
            }
            _ => {
                // A Dropout that must stay, because its result is an output of the network, has another form
                // in other opsets.
                if plain && graph.node[at].op_type() == "Dropout" {
                    let node = &mut graph.node[at];
                    node.op_type = Some("Identity".into());
                    node.input.truncate(1);
                    node.output.truncate(1);
                    node.attribute.clear();
                }
                at += 1;
            }
        }
    }
}

/// For each node the operand that it returns unchanged, because the other is the neutral number.
fn neutral(graph: &GraphProto) -> Vec<Option<usize>> {
    let network = Network::of(graph);
    let one = |node: &NodeProto| {
        let [a, b] = node.input.as_slice() else { return None };
        if !matches!(node.domain(), "" | "ai.onnx") || network.is_constant(a) == network.is_constant(b) {
            return None;
        }
        let data = usize::from(network.is_constant(a));
        let (value, name) = if data == 0 { (a, b) } else { (b, a) };
        let number = match (node.op_type(), data) {
            ("Add", _) | ("Sub", 0) => 0.0,
            ("Mul", _) | ("Div" | "Pow", 0) => 1.0,
            _ => return None,
        };
        // A constant of more axes than the value would add axes to it.
        let axes = network.rank(name)?;
        let same = axes == 0 || rank(graph, value).is_some_and(|of| axes <= of);
        (same && network.number(name) == Some(number)).then_some(data)
    };
    graph.node.iter().map(one).collect()
}

/// Whether a Dropout may drop values: neither is its flag known to be false, nor its ratio to be zero.
fn drops(graph: &GraphProto, node: &NodeProto) -> bool {
    let known = |at: usize| {
        let name = node.input.get(at).filter(|i| !i.is_empty())?;
        graph.initializer.iter().find(|t| t.name() == name).and_then(|t| Constant::read(t).ok())
    };
    let flagged = node.input.get(2).is_some_and(|f| !f.is_empty());
    let off = known(2).and_then(|c| c.integers()) == Some(vec![0]);
    let none = known(1).is_some_and(|c| c.floats().is_some_and(|ratio| ratio.iter().all(|r| *r == 0.0)));
    flagged && !off && !none
}

/// Replaces `from` by `to` in all readers.
fn redirect(nodes: &mut [NodeProto], from: &str, to: &str) {
    for node in nodes {
        for input in node.input.iter_mut().filter(|i| *i == from) {
            *input = to.into();
        }
        for branch in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
            redirect(&mut branch.node, from, to);
        }
    }
}
