//! A table behind a convolution or matrix product becomes its tail: the tile is looked up where it lies, before it
//! leaves the scratchpad.

use super::{FuseOptions, Fused, removable, remove};
use crate::graph::{Graph, MacEpilogue, Op, Tail};

pub(super) fn fuse(graph: &mut Graph, options: &FuseOptions<'_>, fused: &mut Fused) {
    let mut at = 0;
    while at < graph.nodes.len() {
        match producer(graph, at, options) {
            Some(producer) => merge(graph, producer, at, fused),
            None => at += 1,
        }
    }
}

fn epilogue(op: &mut Op) -> Option<&mut MacEpilogue> {
    match op {
        Op::Conv { epilogue, .. } | Op::Gemm { epilogue, .. } | Op::ConvTranspose { epilogue, .. } => {
            Some(epilogue)
        }
        _ => None,
    }
}

/// The node that the table at `at` can be the tail of.
fn producer(graph: &Graph, at: usize, options: &FuseOptions<'_>) -> Option<usize> {
    let node = &graph.nodes[at];
    let id = *node.inputs.first().filter(|_| matches!(node.op, Op::Table(_)))?;
    let producer = graph.producer(id)?;
    let (Op::Conv { epilogue, .. } | Op::Gemm { epilogue, .. } | Op::ConvTranspose { epilogue, .. }) =
        &graph.nodes[producer].op
    else {
        return None;
    };
    let between = graph.tensor(id);
    let fits = epilogue.tail.is_none() && between.dtype.bytes() == 1 && between.quant.is_some();
    (fits && graph.consumers(id).count() == 1 && removable(graph, id, options)).then_some(producer)
}

fn merge(graph: &mut Graph, producer: usize, at: usize, fused: &mut Fused) {
    let table = graph.nodes.remove(at);
    let (gone, Op::Table(lut)) = (table.inputs[0], table.op) else { return };
    let between = graph.tensor(gone);
    let (dtype, zero_point) = (between.dtype, between.quant.map_or(0, |q| q.zero_point));
    let node = &mut graph.nodes[producer];
    if let Some(epilogue) = epilogue(&mut node.op) {
        epilogue.tail = Some(Tail { lut, dtype, zero_point });
    }
    node.outputs = table.outputs;
    node.onnx_nodes.extend(table.onnx_nodes);
    fused.note(&table.name, &node.name);
    let reason = format!("looked up inside layer \"{}\" ({})", node.name, table.name);
    remove(graph, gone, reason);
}
