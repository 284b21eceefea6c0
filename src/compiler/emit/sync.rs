//! Conditions between queues.
//!
//! For each operation and each other queue: is there an operation there that touches the same bytes, one of them
//! writing, and that may run before it (earlier in the text, or later in a loop that both share)? Then the operation
//! waits for it. The count of instructions that may still run is exact inside one straight line of operations and
//! 0 ("all issued so far") across loops, which is never too weak.

use std::collections::BTreeMap;

use crate::compiler::tile::{Stmt, TileOp};
use crate::isa::{Cond, Queue};

/// Conditions of every operation of a layer, in the order in which the operations stand in the text.
pub(super) fn conditions(body: &[Stmt]) -> Vec<Vec<Cond>> {
    let mut flat = Flat::default();
    flat.walk(body, &mut Vec::new());
    (0..flat.ops.len()).map(|i| flat.waits(i)).collect()
}

/// Operations in text order, each with the loops around it (by number).
#[derive(Default)]
struct Flat<'a> {
    ops: Vec<(&'a TileOp, Vec<usize>)>,
    loops: usize,
    /// A fence stands in front of this operation: nothing before it in the same straight line can still run.
    fences: BTreeMap<usize, ()>,
}

impl<'a> Flat<'a> {
    fn walk(&mut self, body: &'a [Stmt], around: &mut Vec<usize>) {
        for s in body {
            match s {
                Stmt::Op(op) => self.ops.push((op, around.clone())),
                Stmt::Loop { body, .. } => {
                    around.push(self.loops);
                    self.loops += 1;
                    self.walk(body, around);
                    around.pop();
                }
                Stmt::Fence | Stmt::Host(_) => {
                    self.fences.insert(self.ops.len(), ());
                }
            }
        }
    }

    fn waits(&self, i: usize) -> Vec<Cond> {
        let (op, around) = &self.ops[i];
        Queue::ALL
            .into_iter()
            .filter(|q| *q != op.code.queue())
            .filter_map(|queue| self.wait(i, op, around, queue).map(|back| Cond { queue, back }))
            .collect()
    }

    /// How many of the queue's last instructions may still run when operation `i` starts; none if it need not wait.
    fn wait(&self, i: usize, op: &TileOp, around: &[usize], queue: Queue) -> Option<u8> {
        let outer_fence = around.is_empty().then(|| self.fences.keys().rev().find(|f| **f <= i)).flatten();
        let first = outer_fence.copied().unwrap_or(0);
        let may_precede = |j: usize| {
            let shares_loop = self.ops[j].1.first().is_some_and(|l| around.first() == Some(l));
            j != i && j >= first && (j < i || shares_loop)
        };
        let needed = (0..self.ops.len())
            .any(|j| self.ops[j].0.code.queue() == queue && may_precede(j) && conflict(op, self.ops[j].0));
        if !needed {
            return None;
        }
        // Count back through the same straight line.
        let mut back = 0_u8;
        for j in (first..i).rev() {
            let (other, loops) = &self.ops[j];
            if loops != around {
                return Some(if loops.starts_with(around) { 0 } else { back });
            }
            if other.code.queue() == queue {
                if conflict(op, other) {
                    return Some(back);
                }
                back = back.saturating_add(1);
            }
        }
        // Only an operation of an earlier trip can be meant: everything issued before this trip must have ended.
        Some(back)
    }
}

/// Whether two operations touch a common byte and one of them writes it.
fn conflict(a: &TileOp, b: &TileOp) -> bool {
    a.touches().any(|(space, buffer, writes)| {
        b.touches().any(|(s, other, w)| s == space && (writes || w) && buffer.overlaps(&other))
    })
}
