//! Rules on buffers from their first write to their last read.

use std::collections::BTreeMap;

use super::scope::At;
use super::trips::operand;
use crate::compiler::tile::{Buffer, Stmt, TileOp};
use crate::isa::{EType, Space};

type Id = (Space, i64);

/// Operations in text order, with their loops.
fn operations<'a>(
    body: &'a [Stmt],
    around: &mut Vec<usize>,
    loops: &mut usize,
    list: &mut Vec<(Vec<usize>, &'a TileOp)>,
) {
    for s in body {
        match s {
            Stmt::Op(op) => list.push((around.clone(), op)),
            Stmt::Loop { body, .. } => {
                around.push(*loops);
                *loops += 1;
                operations(body, around, loops, list);
                around.pop();
            }
            Stmt::Host(_) => {}
        }
    }
}

fn in_order<'a>(at: &At<'a>) -> Vec<(Vec<usize>, &'a TileOp)> {
    let mut list = Vec::new();
    operations(&at.layer.body, &mut Vec::new(), &mut 0, &mut list);
    list
}

/// A buffer is written before it is read: a pass that removes a copy must keep what its buffer needs.
pub(super) fn written_first(at: &At<'_>) -> Result<(), String> {
    let mut written: Vec<Id> = Vec::new();
    for (_, op) in in_order(at) {
        for (i, (space, buffer, writes)) in op.touches().enumerate() {
            let reads = !writes || op.accumulate;
            if reads && at.is_buffer(space, &buffer) && !written.contains(&(space, buffer.start)) {
                return Err(format!(
                    "{} reads the buffer at {} {}, which nothing has written",
                    operand(op, i),
                    space.name(),
                    buffer.start
                ));
            }
        }
        written.extend(op.views.first().map(|v| (v.space, v.buffer.start)));
    }
    Ok(())
}

/// What is written to a buffer is read: otherwise a result is lost. Expressions of f32 may load and compute
/// values that they do not use.
pub(super) fn read_later(at: &At<'_>) -> Result<(), String> {
    let list = in_order(at);
    let reads = |id: Id| {
        list.iter().any(|(_, op)| op.touches().any(|(space, b, writes)| !writes && (space, b.start) == id))
    };
    for (_, op) in &list {
        let integers = op.views.first().filter(|v| v.etype != EType::F32);
        let Some(view) = integers.filter(|v| at.is_buffer(v.space, &v.buffer)) else { continue };
        if !reads((view.space, view.buffer.start)) {
            return Err(format!(
                "{} is the buffer at {} {}, which nothing reads",
                operand(op, 0),
                view.space.name(),
                view.buffer.start
            ));
        }
    }
    Ok(())
}

/// Where in the text a buffer holds data.
struct Life {
    buffer: Buffer,
    /// Indices of operations.
    first: usize,
    last: usize,
    touches: Vec<(usize, Vec<usize>)>,
}

/// Buffers in use at the same time do not overlap: values would be lost, since queues only wait for each
/// other.
pub(super) fn apart(at: &At<'_>) -> Result<(), String> {
    let list = in_order(at);
    let mut lives: BTreeMap<Id, Life> = BTreeMap::new();
    for (place, (around, op)) in list.iter().enumerate() {
        for (space, buffer, _) in op.touches().filter(|(s, b, _)| at.is_buffer(*s, b)) {
            let life = lives.entry((space, buffer.start)).or_insert(Life {
                buffer,
                first: place,
                last: place,
                touches: Vec::new(),
            });
            life.last = place;
            life.buffer.bytes = life.buffer.bytes.max(buffer.bytes);
            if buffer.ahead != 0 {
                life.buffer.ahead = buffer.ahead;
            }
            life.touches.push((place, around.clone()));
        }
    }
    // What a loop finds at its beginning must be there in every trip.
    for life in lives.values_mut() {
        let Some((_, outer)) = life.touches.first().cloned() else { continue };
        for (_, around) in &life.touches {
            let entered = around.iter().find(|l| !outer.contains(l));
            let end = entered.and_then(|l| list.iter().rposition(|(a, _)| a.contains(l)));
            life.last = life.last.max(end.unwrap_or(0));
        }
        // What a trip leaves for the next one stays through the whole loop.
        if let Some(carrying) = outer.last().filter(|_| life.buffer.ahead != 0) {
            let first = list.iter().position(|(a, _)| a.contains(carrying));
            let last = list.iter().rposition(|(a, _)| a.contains(carrying));
            life.first = life.first.min(first.unwrap_or(life.first));
            life.last = life.last.max(last.unwrap_or(life.last));
        }
    }
    let lives: Vec<(Id, Life)> = lives.into_iter().collect();
    for (i, (a, left)) in lives.iter().enumerate() {
        for (b, right) in &lives[i + 1..] {
            let together = left.first <= right.last && right.first <= left.last;
            let bytes = |life: &Life| at.sides(&life.buffer).map(|lo| (lo, lo + life.buffer.bytes));
            let shared =
                bytes(left).iter().any(|(lo, hi)| bytes(right).iter().any(|(l, h)| lo < h && l < hi));
            if a.0 == b.0 && together && shared {
                return Err(format!(
                    "the buffers at {} {} and {} share bytes while both are in use",
                    a.0.name(),
                    a.1,
                    b.1
                ));
            }
        }
    }
    Ok(())
}
