//! The order in which DMA walks DRAM.
//!
//! A transfer walks DRAM in the order of its descriptor, and every contiguous run costs at least a burst. A
//! transposing transfer, between the planes of ONNX and channels-last, should walk along the planes; for the
//! scratchpad the order does not matter. Permuting the axes of both descriptors alike changes nothing else,
//! as long as no padding lanes are written.

use super::super::tile::{Code, Expr, Stmt, View};
use crate::isa::Space;

/// Orders the axes of all transfers by their strides in DRAM.
pub(in crate::compiler) fn along_dram(body: &mut [Stmt]) {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => along_dram(body),
            Stmt::Op(op) if matches!(op.code, Code::DmaIn | Code::DmaOut) => {
                if let [to, from] = op.views.as_mut_slice() {
                    let (dram, local) = if to.space == Space::Dram { (to, from) } else { (from, to) };
                    order(dram, local);
                }
            }
            _ => {}
        }
    }
}

fn order(dram: &mut View, local: &mut View) {
    let padded = |v: &View| match v.dims[3].constant() {
        Some(n) => n % i64::from(v.lanes).max(1) != 0,
        None => v.lanes > 1,
    };
    if padded(dram) || padded(local) || dram.dims != local.dims {
        return;
    }
    let one = Expr::from(1);
    let mut axes = [0, 1, 2, 3];
    // Extents of one element go outside, then broadcast ones; the sort is stable.
    axes.sort_by_key(|a| {
        let stride = dram.strides[*a].abs();
        let rank = if dram.dims[*a] == one { 0 } else { 1 + i32::from(stride > 0) };
        (rank, std::cmp::Reverse(if rank == 2 { stride } else { 0 }))
    });
    if axes == [0, 1, 2, 3] || !gains(dram, axes) {
        return;
    }
    for view in [dram, local] {
        view.dims = axes.map(|a| view.dims[a].clone());
        view.strides = axes.map(|a| view.strides[a]);
        view.lanes = 1;
    }
}

/// Whether another axis, with a smaller stride, becomes the innermost one that is longer than one element.
fn gains(dram: &View, axes: [usize; 4]) -> bool {
    let one = Expr::from(1);
    let inner = |order: [usize; 4]| order.into_iter().rev().find(|a| dram.dims[*a] != one);
    match (inner([0, 1, 2, 3]), inner(axes)) {
        (Some(before), Some(after)) => {
            let [before, after] = [before, after].map(|a| dram.strides[a].abs());
            after > 0 && (before == 0 || after < before)
        }
        _ => false,
    }
}
