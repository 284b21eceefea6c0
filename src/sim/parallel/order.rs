//! The order in which a schedule takes the units of a plan: program order, but constants are loaded earlier.
//!
//! A worker that loads the weights of a layer when it gets there makes the others wait for it, since they
//! need the same weights. So loads move up, as far as nothing that they pass touches the bytes that they
//! write: values do not change.

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

/// The indices of a plan's units with loads moved up. Nothing moves across host layers, nor, if `layers`,
/// across the ends of layers.
pub(super) fn order(units: &[&Unit], gaps: &Gaps, memory: &Memory, layers: bool) -> Vec<usize> {
    let writable = memory.writable() as i64;
    let barrier_from = if layers { Gap::Layer } else { Gap::Host };
    let mut last = Last { at: Cells::new(memory.size(Space::Spm), 0) };
    // Position of each unit: before the unit of this number, loads first.
    let mut placed: Vec<(usize, bool, usize)> = Vec::with_capacity(units.len());
    // Where the present and the previous run of other units began, and whether the last unit was a load.
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

/// For each cell of the scratchpad, the number of units at the time one last touched it.
struct Last {
    at: Cells<usize, CELL>,
}

impl Last {
    /// The number of units at the time one last touched a byte that an instruction writes.
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
