//! Cycles of the whole network with some tensors in 16 bits.

use std::collections::{BTreeMap, BTreeSet};

use super::format::Format;
use super::ranges::TensorRanges;
use crate::compiler::CompileOptions;
use crate::compiler::estimate::estimate;
use crate::graph::reformat::reformat;
use crate::graph::{Graph, Op, TensorId};
use crate::machine::Machine;

/// Codes of 16 bits.
pub(super) const SIXTEEN: [i32; 2] = [0, 65535];

/// Cycles of the network with these tensors in 16 bits; `None` if an operator does not support it. Operators
/// that only pass values on change with them.
pub(super) fn with_sixteen_bits(
    graph: &Graph,
    machine: &Machine,
    tensors: &[String],
    ranges: &BTreeMap<String, TensorRanges>,
) -> Option<u64> {
    let named = |id: &TensorId| tensors.contains(&graph.tensor(*id).name);
    let mut set: BTreeSet<TensorId> = (0..graph.tensors.len() as u32).map(TensorId).filter(named).collect();
    loop {
        let before = set.len();
        for node in &graph.nodes {
            let passes = matches!(
                node.op,
                Op::MaxPool { .. } | Op::Reshape | Op::Transpose { .. } | Op::Move { .. } | Op::Concat { .. }
            );
            if passes && node.inputs.iter().chain(&node.outputs).any(|id| set.contains(id)) {
                set.extend(node.inputs.iter().chain(&node.outputs));
            }
        }
        if set.len() == before {
            break;
        }
    }
    let mut reached = [0.0_f32; 2];
    for id in &set {
        let seen = ranges.get(&graph.tensor(*id).name).map(TensorRanges::reached);
        if let Some([lo, hi]) = seen {
            reached = [reached[0].min(lo), reached[1].max(hi)];
        }
    }
    let format = Format::covering(reached[0], reached[1], SIXTEEN).reformat();
    let mut wide = graph.clone();
    let formats = set.iter().map(|id| (graph.tensor(*id).name.clone(), format)).collect();
    reformat(&mut wide, &formats).ok()?;
    cycles(&wide, machine)
}

/// Cycles of a network; `None` if it cannot be compiled.
pub(super) fn cycles(graph: &Graph, machine: &Machine) -> Option<u64> {
    Some(estimate(graph, machine, &CompileOptions::default()).ok()?.clock.total)
}
