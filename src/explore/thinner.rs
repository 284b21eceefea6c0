//! The same graph with one layer's weights pruned or narrower, to ask for its cycles. Its values are of no
//! use.

use crate::graph::{DType, Graph, Op, Weights};
use crate::machine::Machine;

fn weights(op: &Op) -> Option<&Weights> {
    match op {
        Op::Conv { weights, groups: 1, .. } | Op::Gemm { weights, .. } => Some(weights),
        _ => None,
    }
}

/// With half of the blocks of a layer's weights zero, as `quantize --prune 0.5 --prune-block` with the
/// array's lanes leaves them: every other one. `None` for a layer without dense weights, or with too few.
pub(super) fn pruned(graph: &Graph, node: usize, machine: &Machine) -> Option<Graph> {
    let before = weights(&graph.nodes.get(node)?.op)?;
    let [outputs, inputs, rows, columns] = before.shape;
    let (oc, ic) = (machine.mac.oc_lanes as usize, machine.mac.ic_lanes as usize);
    if outputs.div_ceil(oc) * inputs.div_ceil(ic) < 2 || !matches!(before.dtype, DType::S8 | DType::U8) {
        return None;
    }
    let zero = before.zero_point.to_le_bytes()[0];
    let mut data = before.data.to_vec();
    for (at, taps) in data.chunks_mut((rows * columns).max(1)).enumerate() {
        if (at / inputs / oc + at % inputs / ic) % 2 == 1 {
            taps.fill(zero);
        }
    }
    changed(graph, node, |w| w.data = data.into())
}

/// With a layer's weights of 16 bits in 8. `None` for a layer that has none of 16.
pub(super) fn narrowed(graph: &Graph, node: usize) -> Option<Graph> {
    let op = &graph.nodes.get(node)?.op;
    let before = match op {
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } | Op::ConvTranspose { weights, .. } => weights,
        _ => return None,
    };
    if before.dtype != DType::S16 {
        return None;
    }
    // The high byte, but never zero where the weight is not, so that no block becomes one that is skipped.
    let byte = |w: &[u8]| if w == [0, 0] { 0 } else { w.get(1).copied().unwrap_or(0).max(1) };
    let data: Vec<u8> = before.data.chunks_exact(2).map(byte).collect();
    changed(graph, node, |w| (w.dtype, w.data) = (DType::S8, data.into()))
}

fn changed(graph: &Graph, node: usize, change: impl FnOnce(&mut Weights)) -> Option<Graph> {
    let mut graph = graph.clone();
    match &mut graph.nodes.get_mut(node)?.op {
        Op::Conv { weights, .. } | Op::Gemm { weights, .. } | Op::ConvTranspose { weights, .. } => {
            change(weights);
        }
        _ => return None,
    }
    Some(graph)
}
