//! The axis along which the vector unit walks.
//!
//! A vector holds elements of one row of the innermost extent: with four channels, four of its lanes work.
//! Element-wise operations give the same results in any order of the axes, so the extent that fills the lanes
//! best goes inside, as long as no padding lanes are written.

use super::super::tile::{Code, Expr, Stmt, TileOp, View};

/// Orders the axes of all element-wise operations for vectors of `lanes` elements.
pub(in crate::compiler) fn fill_lanes(body: &mut [Stmt], lanes: i64) {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => fill_lanes(body, lanes),
            Stmt::Op(op) => order(op, lanes),
            Stmt::Host(_) => {}
        }
    }
}

fn order(op: &mut TileOp, lanes: i64) {
    // A table is no operand of this kind, and multipliers belong to channels.
    let operands = match op.code {
        Code::Lut | Code::Quantize | Code::Dequantize | Code::F1(_) => 2,
        Code::Add | Code::Mul | Code::F2(_) => 3,
        _ => return,
    };
    let channels = op.quant.as_ref().is_some_and(|q| q.table.is_some());
    let Some(views) = op.views.get_mut(..operands).filter(|_| !channels) else { return };
    let alike = views.iter().all(|v| v.dims == views[0].dims);
    if !alike || pads(&views[0]) {
        return;
    }
    let Some(axes) = best(&views[0].dims, lanes) else { return };
    for view in views {
        view.dims = axes.map(|a| view.dims[a].clone());
        view.strides = axes.map(|a| view.strides[a]);
        view.lanes = 1;
    }
}

fn pads(result: &View) -> bool {
    let lanes = i64::from(result.lanes).max(1);
    result.dims[3].constant().is_none_or(|n| n % lanes != 0) && lanes > 1
}

/// The axes with another one inside, if that takes at most half of the vectors.
fn best(dims: &[Expr; 4], lanes: i64) -> Option<[usize; 4]> {
    let extent = |axis: usize| dims[axis].constant().filter(|n| *n > 0);
    let vectors = |n: i64| (n + lanes - 1) / lanes;
    let now = extent(3)?;
    let (axis, n) = (0..3)
        .filter_map(|axis| Some((axis, extent(axis)?)))
        .min_by(|(_, a), (_, b)| (vectors(*a) * b).cmp(&(vectors(*b) * a)))?;
    // Less than half is not worth what the new order costs a simulator.
    let fewer = 2 * vectors(n) * now <= vectors(now) * n;
    let mut axes = [0, 1, 2, 3];
    axes[axis..].rotate_left(1);
    fewer.then_some(axes)
}
