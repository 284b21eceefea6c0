//! Tensors whose small values matter as much as their large ones, since something is divided by them.
//!
//! The steps of a scale are equal over its range. A variance of a thousandth of the greatest one is zero in 8
//! bits, and the row that is divided by its root becomes anything. Exporters take normalizations apart
//! (before opset 17 PyTorch has no other form), so deviations, variances and roots are tensors like others;
//! they get 16 bits.

use std::collections::BTreeSet;

use super::network::Network;
use crate::onnx::proto::NodeProto;
use crate::onnx::{Role, role};

/// The values that divisors are computed from, by reductions and functions: back to the difference that is
/// squared, or to the result of another operator, which is not among them. What is made of a number divided
/// by such a value is among them, too: a factor instead of a divisor.
pub(super) fn divisors<'a>(network: &Network<'a>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for node in &network.graph.node {
        let [above, below] = node.input.as_slice() else {
            if let ("Reciprocal", [x], [y]) = (node.op_type(), node.input.as_slice(), node.output.as_slice())
            {
                factors(network, y, &mut found);
                origins(network, x, &mut found);
            }
            continue;
        };
        let computed = |name: &str| network.producer(name).is_some() && network.is_float(name);
        let inverse = node.op_type() == "Pow" && network.number(below).is_some_and(|e| e < 0.0);
        if node.op_type() == "Div" && computed(below) {
            origins(network, below, &mut found);
        } else if inverse {
            origins(network, above, &mut found);
        }
        if inverse || node.op_type() == "Div" && computed(below) && network.is_number(above) {
            node.output.iter().for_each(|y| factors(network, y, &mut found));
        }
    }
    found
}

/// A value, and what it is computed from.
fn origins<'a>(network: &Network<'a>, from: &'a str, found: &mut BTreeSet<&'a str>) {
    let mut wanted = vec![from];
    while let Some(value) = wanted.pop() {
        let Some(at) = network.producer(value) else { continue };
        let node = &network.graph.node[at];
        let moves = role(node) == Some(Role::Move);
        let through = moves || is_function(network, node) || node.op_type().starts_with("Reduce");
        if !(through || node.op_type() == "Sub") || !network.is_float(value) || !found.insert(value) {
            continue;
        }
        let inputs = match (through, moves) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => node.input.len(),
        };
        wanted.extend(node.input.iter().take(inputs).map(String::as_str));
    }
}

/// A value, and functions of it.
fn factors<'a>(network: &Network<'a>, from: &'a str, found: &mut BTreeSet<&'a str>) {
    let mut wanted = vec![from];
    while let Some(value) = wanted.pop() {
        if !found.insert(value) {
            continue;
        }
        for at in network.readers(value) {
            let node = &network.graph.node[*at];
            if is_function(network, node) {
                wanted.extend(node.output.iter().map(String::as_str));
            }
        }
    }
}

/// Whether a node is a function of one tensor: alone, with numbers, or of it twice.
fn is_function(network: &Network, node: &NodeProto) -> bool {
    let mut tensors = node.input.iter().filter(|i| !i.is_empty() && !network.is_number(i));
    let first = tensors.next();
    matches!(role(node), Some(Role::Function | Role::Pair)) && tensors.all(|other| Some(other) == first)
}
