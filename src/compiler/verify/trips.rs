//! The trips in which operations are examined.

use crate::compiler::tile::{Expr, Stmt, TileOp, Var};

/// Values of the loop variables in one trip.
#[derive(Default)]
pub(super) struct Trip(Vec<(Var, i64)>);

impl Trip {
    /// The value of an expression, with double buffers on their first side.
    pub(super) fn value(&self, e: &Expr) -> i64 {
        e.value(&|v| self.0.iter().find(|(w, _)| *w == v).map_or(0, |(_, n)| *n))
    }
}

impl std::fmt::Display for Trip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (Var(v), n)) in self.0.iter().enumerate() {
            write!(f, "{} v{v} = {n}", if i == 0 { ", where" } else { "," })?;
        }
        Ok(())
    }
}

/// The name of an operand in messages.
pub(super) fn operand(op: &TileOp, index: usize) -> String {
    let name = op.code.name();
    match index {
        0 => format!("{name}: its destination"),
        _ => format!("{name}: its source {index}"),
    }
}

/// Calls `f` for every operation, in the first and the last trip of each loop that it depends on. Stops at
/// the first error, to which it adds the trip.
pub(super) fn each(
    body: &[Stmt],
    f: &mut impl FnMut(&TileOp, &Trip) -> Result<(), String>,
) -> Result<(), String> {
    list(body, &mut Vec::new(), f)
}

fn list(
    body: &[Stmt],
    around: &mut Vec<(Var, [i64; 2])>,
    f: &mut impl FnMut(&TileOp, &Trip) -> Result<(), String>,
) -> Result<(), String> {
    for s in body {
        match s {
            Stmt::Op(op) => {
                let mut used = Vec::new();
                expressions(op, &mut |e| e.variables(&mut |v| used.push(v)));
                let loops: Vec<(Var, [i64; 2])> =
                    around.iter().filter(|(v, _)| used.contains(v)).copied().collect();
                combine(op, &loops, &mut Trip::default(), f)?;
            }
            Stmt::Loop { var, start, end, step, body, .. } => {
                let last = start + (end - 1 - start).max(0) / (*step).max(1) * step;
                around.push((*var, [*start, last]));
                list(body, around, f)?;
                around.pop();
            }
            Stmt::Host(_) => {}
        }
    }
    Ok(())
}

fn combine(
    op: &TileOp,
    loops: &[(Var, [i64; 2])],
    trip: &mut Trip,
    f: &mut impl FnMut(&TileOp, &Trip) -> Result<(), String>,
) -> Result<(), String> {
    let Some(((var, [first, last]), rest)) = loops.split_first() else {
        return f(op, trip).map_err(|why| format!("{why}{trip}"));
    };
    trip.0.push((*var, *first));
    combine(op, rest, trip, f)?;
    trip.0.pop();
    if last != first {
        trip.0.push((*var, *last));
        combine(op, rest, trip, f)?;
        trip.0.pop();
    }
    Ok(())
}

/// Calls `f` for every expression of an operation.
pub(super) fn expressions(op: &TileOp, f: &mut impl FnMut(&Expr)) {
    for view in &op.views {
        f(&view.base);
        view.dims.iter().for_each(&mut *f);
    }
    op.origin.iter().for_each(&mut *f);
    op.mask.iter().for_each(&mut *f);
    if let Some((table, _)) = op.quant.as_ref().and_then(|q| q.table.as_ref()) {
        f(table);
    }
}
