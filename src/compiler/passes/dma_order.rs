//! The order in which DMA walks DRAM.
//!
//! A transfer walks DRAM in the order of its descriptor, and every contiguous run costs at least a burst. A
//! transposing transfer, between the planes of ONNX and channels-last, should walk along the planes; for the
//! scratchpad the order does not matter. Permuting the axes of both descriptors alike changes nothing else,
//! as long as no padding lanes are written. A load that writes them becomes two: a fill of the padding lanes,
//! and the load of the elements along the planes.

use super::super::storage::next_multiple;
use super::super::tile::{Code, Expr, Stmt, TileOp, View};
use crate::isa::Space;

/// Orders the axes of all transfers by their strides in DRAM.
pub(in crate::compiler) fn along_dram(body: &mut Vec<Stmt>) {
    let mut at = 0;
    while let Some(s) = body.get_mut(at) {
        let fill = match s {
            Stmt::Loop { body, .. } => {
                along_dram(body);
                None
            }
            Stmt::Op(op) => transfer(op),
            Stmt::Host(_) => None,
        };
        if let Some(fill) = fill {
            body.insert(at, Stmt::Op(fill));
            at += 1;
        }
        at += 1;
    }
}

/// Orders the axes of a transfer; what must fill the padding lanes before it, if it no longer does.
fn transfer(op: &mut TileOp) -> Option<TileOp> {
    if !matches!(op.code, Code::DmaIn | Code::DmaOut) {
        return None;
    }
    let [to, from] = op.views.as_mut_slice() else { return None };
    let (dram, local) = if to.space == Space::Dram { (to, from) } else { (from, to) };
    if dram.dims != local.dims || dram.lanes > 1 {
        return None;
    }
    let axes = along(dram)?;
    let fill = match padding(local) {
        Padding::Unknown => return None,
        Padding::Lanes(lanes) => Some(TileOp::new(Code::DmaFill, vec![lanes])),
        Padding::None => None,
    };
    for view in [dram, local] {
        view.dims = axes.map(|a| view.dims[a].clone());
        view.strides = axes.map(|a| view.strides[a]);
        view.lanes = 1;
    }
    fill
}

/// What lies behind the innermost extent of a view.
enum Padding {
    None,
    Lanes(View),
    /// How much changes from tile to tile.
    Unknown,
}

fn padding(view: &View) -> Padding {
    let lanes = i64::from(view.lanes).max(1);
    if lanes == 1 {
        return Padding::None;
    }
    let Some(elements) = view.dims[3].constant() else { return Padding::Unknown };
    let behind = next_multiple(elements, lanes) - elements;
    if behind == 0 {
        return Padding::None;
    }
    let mut lanes = View { lanes: 1, ..view.clone() };
    lanes.base = view.base.clone() + elements * view.strides[3];
    lanes.dims[3] = behind.into();
    Padding::Lanes(lanes)
}

/// The order of axes along DRAM, if another axis than before becomes the innermost one.
fn along(dram: &View) -> Option<[usize; 4]> {
    let one = Expr::from(1);
    let mut axes = [0, 1, 2, 3];
    // Extents of one element go outside, then broadcast ones; the sort is stable.
    axes.sort_by_key(|a| {
        let stride = dram.strides[*a].abs();
        let rank = if dram.dims[*a] == one { 0 } else { 1 + i32::from(stride > 0) };
        (rank, std::cmp::Reverse(if rank == 2 { stride } else { 0 }))
    });
    (axes != [0, 1, 2, 3] && gains(dram, axes)).then_some(axes)
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
