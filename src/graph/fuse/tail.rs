//! A table behind a convolution or matrix product becomes its tail: the tile is looked up before it leaves
//! the scratchpad.

use super::work::Work;
use crate::graph::{MacEpilogue, Op, Tail};

pub(super) fn fuse(work: &mut Work<'_, '_>) {
    for at in 0..work.graph.nodes.len() {
        if let Some(producer) = producer(work, at) {
            merge(work, producer, at);
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

/// The node whose tail the table at `at` can become.
fn producer(work: &Work<'_, '_>, at: usize) -> Option<usize> {
    let graph = &*work.graph;
    let node = &graph.nodes[at];
    let id = *node.inputs.first().filter(|_| work.nodes[at] && matches!(node.op, Op::Table(_)))?;
    let producer = work.links.maker(id)?;
    let (Op::Conv { epilogue, .. } | Op::Gemm { epilogue, .. } | Op::ConvTranspose { epilogue, .. }) =
        &graph.nodes[producer].op
    else {
        return None;
    };
    let between = graph.tensor(id);
    let fits = epilogue.tail.is_none() && between.dtype.bytes() == 1 && between.quant.is_some();
    (fits && work.links.readers(id).len() == 1 && work.removable(id)).then_some(producer)
}

fn merge(work: &mut Work<'_, '_>, producer: usize, at: usize) {
    let table = &work.graph.nodes[at];
    let (name, gone, Op::Table(lut)) = (table.name.clone(), table.inputs[0], table.op.clone()) else {
        return;
    };
    let between = work.graph.tensor(gone);
    let (dtype, zero_point) = (between.dtype, between.quant.map_or(0, |q| q.zero_point));
    let node = &mut work.graph.nodes[producer];
    if let Some(epilogue) = epilogue(&mut node.op) {
        epilogue.tail = Some(Tail { lut, dtype, zero_point });
    }
    let reason = format!("looked up inside layer \"{}\" ({name})", node.name);
    work.absorb(at, producer, gone, reason);
}
