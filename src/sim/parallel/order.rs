//! The order in which a schedule goes through a record: that of the program, but constants are loaded earlier.
//!
//! A worker that loads the weights of a layer when it has come there lets the others wait for it, as they do for their part of the
//! weights. So loads move before what is computed before them, as far as nothing there touches the bytes that they write:
//! the values are the same.

use crate::isa::Space;
use crate::sim::access::{Region, for_each_region, padded_dims};
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::stream::{Issued, Step, Stream};

/// Bytes that are looked at as one.
const CELL: i64 = 64;

/// Instructions that are cut alike: one, or [a pair](crate::sim::pairs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// Number of the first among all queue instructions.
    pub(super) seq: usize,
    pub(super) len: usize,
}

/// Whether an instruction loads constants into the scratchpad.
pub(super) fn loads_constants(op: &QueueOp, writable: i64) -> bool {
    matches!(&op.kind, OpKind::DmaIn { src, .. } if src.space == Space::Dram && src.base < writable)
}

/// The units of a record, loads moved; nothing moves over host layers or, if the ends of layers are looked at, over those.
pub(super) fn order(stream: &Stream, memory: &Memory, layers: bool) -> Vec<Unit> {
    let writable = memory.writable() as i64;
    let barriers = barriers(stream, layers);
    let mut last = Last { at: vec![0; memory.size(Space::Spm).div_ceil(CELL as u64) as usize] };
    // Where units go: before the one of this number among all, loads first.
    let mut placed: Vec<(usize, bool, Unit)> = Vec::new();
    // Where the present and the previous run of other units began, and whether a load came last.
    let (mut run, mut previous, mut loading) = (0, 0, true);
    let (mut seq, mut barrier) = (0, 0);
    while seq < stream.issued.len() {
        let paired = stream.pairs.get(seq).copied().unwrap_or_default();
        let unit = Unit { seq, len: if paired { 2 } else { 1 } };
        let (n, ops) = (placed.len(), &stream.issued[seq..(seq + unit.len).min(stream.issued.len())]);
        if barriers.get(seq).copied().unwrap_or_default() {
            barrier = n;
        }
        let Some(op) = ops.first().map(Issued::executed) else { break };
        if loads_constants(op, writable) {
            if !loading {
                (previous, loading) = (run, true);
            }
            let to = last.touched(op).max(previous).max(barrier);
            placed.push((to.min(n), false, unit));
        } else {
            if loading && !matches!(op.kind, OpKind::Nop) {
                (run, loading) = (n, false);
            }
            placed.push((n, true, unit));
        }
        ops.iter().for_each(|issued| last.touch(issued.executed(), n + 1));
        seq += unit.len;
    }
    // Stable: loads keep their order.
    placed.sort_by_key(|(to, stays, _)| (*to, *stays));
    placed.into_iter().map(|(_, _, unit)| unit).collect()
}

/// Whether something happens before a queue instruction for which all earlier ones must have been executed, and none after.
fn barriers(stream: &Stream, layers: bool) -> Vec<bool> {
    let mut barriers = vec![false; stream.issued.len() + 1];
    let mut at = 0;
    for step in &stream.steps {
        match step {
            Step::Issue(n) => at += n,
            Step::Host { .. } => barriers[at] = true,
            Step::LayerBegin(_) | Step::LayerEnd(_) if layers => barriers[at] = true,
            _ => {}
        }
    }
    barriers
}

/// For each cell of the scratchpad, how many units there were when one touched it last.
struct Last {
    at: Vec<usize>,
}

impl Last {
    fn cells(&mut self, (lo, hi): (i64, i64)) -> &mut [usize] {
        self.at.get_mut((lo / CELL) as usize..((hi + CELL - 1) / CELL) as usize).unwrap_or_default()
    }

    /// How many units there were when one touched what an instruction writes.
    fn touched(&mut self, op: &QueueOp) -> usize {
        let dst = op.kind.dst().filter(|d| d.space == Space::Spm);
        let span = dst.and_then(|d| Region::Box(d, padded_dims(d)).span());
        span.map_or(usize::MAX, |span| self.cells(span).iter().copied().max().unwrap_or(usize::MAX))
    }

    fn touch(&mut self, op: &QueueOp, units: usize) {
        let _: Result<(), ()> = for_each_region(&op.kind, &mut |region, _| {
            if region.space() == Space::Spm
                && let Some(span) = region.span()
            {
                self.cells(span).fill(units);
            }
            Ok(())
        });
    }
}
