//! The order in which a schedule goes through a plan: that of the program, but constants are loaded earlier.
//!
//! A worker that loads the weights of a layer when it has come there lets the others wait for it, as they do
//! for their part of the weights. So loads move before what is computed before them, as far as nothing there
//! touches the bytes that they write: the values are the same.

use crate::isa::Space;
use crate::sim::access::{Region, for_each_region, padded_dims};
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::plan::Unit;
use crate::sim::plan::cells::Cells;
use crate::sim::plan::record::{Gap, Gaps};

/// Bytes of a cell.
const CELL: i64 = 64;

/// Whether an instruction loads constants into the scratchpad.
fn loads_constants(op: &QueueOp, writable: i64) -> bool {
    matches!(&op.kind, OpKind::DmaIn { src, .. } if src.space == Space::Dram && src.base < writable)
}

/// The units of a plan by their index, loads moved; nothing moves over host layers or, if the ends of layers
/// are looked at, over those.
pub(super) fn order(units: &[&Unit], gaps: &Gaps, memory: &Memory, layers: bool) -> Vec<usize> {
    let writable = memory.writable() as i64;
    let barrier_from = if layers { Gap::Layer } else { Gap::Host };
    let mut last = Last { at: Cells::new(memory.size(Space::Spm), 0) };
    // Where each unit goes: before the one of this number, loads first.
    let mut placed: Vec<(usize, bool, usize)> = Vec::with_capacity(units.len());
    // Where the present and the previous run of other units began, and whether a load came last.
    let (mut run, mut previous, mut loading) = (0, 0, true);
    let (mut end, mut barrier) = (0, 0);
    for (n, unit) in units.iter().enumerate() {
        if gaps.most(end, unit.seq()) >= barrier_from {
            barrier = n;
        }
        end = unit.end();
        let op = unit.first();
        if loads_constants(op, writable) {
            if !loading {
                (previous, loading) = (run, true);
            }
            let to = last.touched(op).max(previous).max(barrier);
            placed.push((to.min(n), false, n));
        } else {
            if loading {
                (run, loading) = (n, false);
            }
            placed.push((n, true, n));
        }
        unit.ops().iter().for_each(|op| last.touch(op, n + 1));
    }
    // Stable: loads keep their order.
    placed.sort_by_key(|(to, stays, _)| (*to, *stays));
    placed.into_iter().map(|(_, _, unit)| unit).collect()
}

/// For each cell of the scratchpad, how many units there were when one touched it last.
struct Last {
    at: Cells<usize, CELL>,
}

impl Last {
    /// How many units there were when one touched what an instruction writes.
    fn touched(&self, op: &QueueOp) -> usize {
        let dst = op.kind.dst().filter(|d| d.space == Space::Spm);
        let span = dst.and_then(|d| Region::Box(d, padded_dims(d)).span());
        span.and_then(|span| self.at.of(span).iter().copied().max()).unwrap_or(usize::MAX)
    }

    fn touch(&mut self, op: &QueueOp, units: usize) {
        let _: Result<(), ()> = for_each_region(&op.kind, &mut |region, _| {
            if region.space() == Space::Spm
                && let Some(span) = region.span()
            {
                self.at.of_mut(span).fill(units);
            }
            Ok(())
        });
    }
}
