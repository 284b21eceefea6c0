//! Products whose sums are read by the requantization behind them and by nothing else: an engine may execute the two as one
//! and leave the accumulators alone.
//!
//! Decided on the record, by who wrote each cell of the accumulators last. What a run leaves in the accumulators at its end
//! nothing of a program reads: the last product at each place is a pair too, unless it is [asked for](super::Loaded::keep_accumulators).
//! Observers of instructions see no pairs.

use std::convert::Infallible;

use super::access::{Region, for_each_region};
use super::op::{OpKind, QueueOp};
use super::stream::{Issued, Step};
use crate::isa::Space;

/// Bytes that are looked at as one: accumulators of 32 bits for eight lanes.
const CELL: i64 = 32;

/// Nobody wrote a cell yet.
const NOBODY: u32 = u32::MAX;

/// For each queue instruction of a record, whether it and the next one are a pair. With `last`, what accumulators hold at the
/// end is read.
pub(super) fn find(steps: &[Step], issued: &[Issued], acc_bytes: u64, last: bool) -> Vec<bool> {
    let mut pairs = vec![false; issued.len()];
    let mut at = 0;
    // Nothing but control instructions and other queues' work may stand between the two.
    for step in steps {
        if let Step::Issue(n) = step {
            for first in at..(at + n).saturating_sub(1) {
                pairs[first] = fit(&issued[first].op, &issued[first + 1].op);
            }
            at += n;
        }
    }
    let mut writers = Writers { last: vec![NOBODY; acc_bytes.div_ceil(CELL as u64) as usize] };
    for (seq, Issued { op, .. }) in issued.iter().enumerate() {
        // The second of a pair reads what the first has just written.
        let paired = seq > 0 && pairs[seq - 1];
        let Ok(()) = for_each_region::<Infallible>(&op.kind, &mut |region, writes| {
            if region.space() != Space::Acc || (paired && !writes) {
                return Ok(());
            }
            if writes {
                writers.write(&region, seq as u32, &mut pairs);
            } else {
                writers.read(&region, &mut pairs);
            }
            Ok(())
        });
    }
    if last {
        writers.last.iter().for_each(|w| keep(*w, &mut pairs));
    }
    pairs
}

/// Whether the second requantizes exactly what the first has computed.
fn fit(first: &QueueOp, second: &QueueOp) -> bool {
    let (OpKind::Conv(c) | OpKind::Depthwise(c), OpKind::Requant { src, .. }) = (&first.kind, &second.kind)
    else {
        return false;
    };
    let same =
        (c.dst.base, c.dst.dims, c.dst.strides, c.dst.etype) == (src.base, src.dims, src.strides, src.etype);
    c.dst.space == Space::Acc && src.space == Space::Acc && same && !c.accumulate
}

/// The sums that an instruction has written are needed.
fn keep(writer: u32, pairs: &mut [bool]) {
    if let Some(pair) = pairs.get_mut(writer as usize) {
        *pair = false;
    }
}

/// Who wrote each cell of the accumulators last.
struct Writers {
    last: Vec<u32>,
}

impl Writers {
    fn read(&self, region: &Region<'_>, pairs: &mut [bool]) {
        let Ok(()) = region.rows::<Infallible>(&mut |row| {
            let end = row.start + row.len;
            let cells = (row.start / CELL) as usize..((end + CELL - 1) / CELL) as usize;
            self.last.get(cells).unwrap_or_default().iter().for_each(|w| keep(*w, pairs));
            Ok(())
        });
    }

    fn write(&mut self, region: &Region<'_>, seq: u32, pairs: &mut [bool]) {
        let Ok(()) = region.rows::<Infallible>(&mut |row| {
            let end = row.start + row.len;
            // Cells that are written in part have two writers, of which one would be forgotten.
            for edge in [row.start, end] {
                if edge % CELL != 0
                    && let Some(last) = self.last.get((edge / CELL) as usize)
                    && *last != seq
                {
                    keep(*last, pairs);
                    keep(seq, pairs);
                }
            }
            let cells = (row.start / CELL) as usize..((end + CELL - 1) / CELL) as usize;
            if let Some(cells) = self.last.get_mut(cells) {
                cells.fill(seq);
            }
            Ok(())
        });
    }
}
