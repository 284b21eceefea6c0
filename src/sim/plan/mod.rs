//! The plan: what a load prepares for runs. It holds the program as written, and the same optimized.
//!
//! The control pass makes a `record` of what a program executes. The passes `elide` needless loads, `fuse`
//! products with their requantizations and `merge` tiles, using the last writer of each byte (`cells`,
//! `intervals`).
//! Values do not change. The clock and observers of instructions do not see the plan: both follow the record.

pub(super) mod cells;
mod elide;
#[cfg(test)]
mod examples;
mod fuse;
mod intervals;
mod merge;
pub(super) mod record;
mod unit;

use std::sync::Arc;

pub use unit::{Merged, Unit};

use super::op::QueueOp;
use super::validate::Memories;
use crate::program::TensorEntry;
use elide::{Elided, elide};
use fuse::fuse;
use merge::merge;
use record::Record;

/// What runs execute.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The program as written, instruction by instruction.
    pub(super) as_written: Arc<Record>,
    /// Units that give the same tensors with less work, in the same order.
    pub(super) optimized: Vec<Unit>,
    /// Loads that the units leave out and whose bytes the scratchpad would hold after a run; executed when
    /// memory is inspected.
    pub(super) left: Vec<QueueOp>,
}

impl Plan {
    /// The plan of a record whose layers leave `tensors`, in memories of these sizes. With `sums`, runs leave
    /// the accumulators as the program leaves them.
    pub(super) fn new(record: Arc<Record>, tensors: &[TensorEntry], sizes: &Memories, sums: bool) -> Plan {
        let gaps = record.gaps();
        let Elided { ops, left } = elide(&record, tensors, sizes);
        let units = fuse(ops, &gaps, sizes.acc, sums);
        let optimized = merge(units, &gaps);
        Plan { as_written: record, optimized, left }
    }
}
