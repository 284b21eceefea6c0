//! Rules on loops, their variables, and the sides of double buffers.

use std::collections::BTreeMap;

use super::scope::{At, Fact};
use super::trips::{expressions, operand};
use crate::compiler::tile::{Expr, Slot, Stmt, TileOp, Var};
use crate::isa::Space;

/// Loops have at least one trip and variables numbered from the outside in, which emission relies on.
pub(super) fn loops(at: &At<'_>) -> Result<(), String> {
    nest(&at.layer.body, None, &mut Vec::new())
}

fn nest(body: &[Stmt], outer: Option<Var>, bound: &mut Vec<Var>) -> Result<(), String> {
    for s in body {
        let Stmt::Loop { var, start, end, step, body, .. } = s else { continue };
        let Var(n) = var;
        if *step < 1 || end <= start {
            return Err(format!("the loop of v{n} goes from {start} to {end} by {step}: it makes no trip"));
        }
        if bound.contains(var) {
            return Err(format!("two loops bind v{n}"));
        }
        if let Some(Var(outer)) = outer.filter(|outer| outer > var) {
            return Err(format!("the loop of v{n} stands inside that of v{outer}"));
        }
        bound.push(*var);
        nest(body, Some(*var), bound)?;
    }
    Ok(())
}

/// Variables are used inside their loops, where emission has registers for them, and origins have the form
/// that emission takes.
pub(super) fn variables(at: &At<'_>) -> Result<(), String> {
    used(&at.layer.body, &mut Vec::new())
}

fn used(body: &[Stmt], bound: &mut Vec<Var>) -> Result<(), String> {
    for s in body {
        match s {
            Stmt::Loop { var, body, .. } => {
                bound.push(*var);
                used(body, bound)?;
                bound.pop();
            }
            Stmt::Op(op) => {
                let mut unbound = None;
                expressions(op, &mut |e| {
                    e.variables(&mut |v| unbound = unbound.or(Some(v).filter(|v| !bound.contains(v))));
                });
                if let Some(Var(n)) = unbound {
                    return Err(format!("{}: v{n} is used outside its loop", op.code.name()));
                }
                if !op.origin.iter().all(|e| matches!(e, Expr::Const(_) | Expr::Var(_))) {
                    return Err(format!("{}: its origin is neither a number nor a variable", op.code.name()));
                }
            }
            Stmt::Host(_) => {}
        }
    }
    Ok(())
}

/// The operands of a double buffer agree on its variable and on the distance of its sides; a loop makes it
/// change sides, and the variable is not a loop's. Before buffers are placed none is double.
pub(super) fn sides(at: &At<'_>) -> Result<(), String> {
    let mut turned: Vec<Slot> = Vec::new();
    let mut bound = Vec::new();
    slots(&at.layer.body, &mut turned, &mut bound);
    if let Some(Slot { var: Var(n), .. }) = turned.iter().find(|s| bound.contains(&s.var)) {
        return Err(format!("v{n} is the variable of a loop and of a double buffer"));
    }
    let mut known: BTreeMap<(Space, i64), Option<Var>> = BTreeMap::new();
    operations(&at.layer.body, &mut |op| {
        for (i, (space, buffer, _)) in op.touches().enumerate() {
            let placed = at.scope.has(Fact::BuffersPlaced);
            let say = |what: &str| Err(format!("{} {what}", operand(op, i)));
            let Some(slot) = buffer.slot else {
                if placed && buffer.ahead != 0 {
                    return say("lies on the next side of a buffer that has one side");
                }
                continue;
            };
            if !placed {
                return say("lies in a double buffer before buffers have places");
            }
            let mut distances = turned.iter().filter(|s| s.var == slot).map(|s| s.bytes);
            let Some(distance) = distances.next() else {
                return say(&format!("lies in a double buffer, and no loop changes v{}", slot.0));
            };
            if distances.any(|d| d != distance) || (buffer.ahead != 0 && buffer.ahead != distance) {
                return say("lies in a double buffer whose sides have two distances");
            }
            if distance.abs() < buffer.bytes {
                return say(&format!(
                    "lies in a double buffer whose sides of {} bytes are {distance} bytes apart",
                    buffer.bytes
                ));
            }
            if *known.entry((space, buffer.start)).or_insert(Some(slot)) != Some(slot) {
                return say("lies in a double buffer that has two variables");
            }
        }
        Ok(())
    })
}

fn slots(body: &[Stmt], turned: &mut Vec<Slot>, bound: &mut Vec<Var>) {
    for s in body {
        if let Stmt::Loop { var, slots: own, body, .. } = s {
            bound.push(*var);
            turned.extend(own);
            slots(body, turned, bound);
        }
    }
}

fn operations(body: &[Stmt], f: &mut impl FnMut(&TileOp) -> Result<(), String>) -> Result<(), String> {
    body.iter().try_for_each(|s| match s {
        Stmt::Loop { body, .. } => operations(body, f),
        Stmt::Op(op) => f(op),
        Stmt::Host(_) => Ok(()),
    })
}
