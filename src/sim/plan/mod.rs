//! What a load prepares for runs: the program as it was written, and the same optimized.
//!
//! The control pass makes a `record` of what a program executes. Passes `elide` loads that nobody needs,
//! `fuse` products with their requantizations and `merge` tiles; who wrote a byte last they note in `cells`.
//! Values are the same. Neither the clock nor observers of instructions know of it: both follow the record.

pub(super) mod cells;
mod elide;
#[cfg(test)]
mod examples;
mod fuse;
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
    /// What the program says, instruction by instruction.
    pub(super) as_written: Arc<Record>,
    /// What gives the same tensors with less work, in the same order.
    pub(super) optimized: Vec<Unit>,
    /// What the optimized program has then left to bring to the scratchpad, for those who look there after a
    /// run.
    pub(super) left: Vec<QueueOp>,
}

impl Plan {
    /// The plan of a record whose layers leave these tensors in memories of these sizes. With `sums` runs
    /// leave in the accumulators what the program leaves there.
    pub(super) fn new(record: Arc<Record>, tensors: &[TensorEntry], sizes: &Memories, sums: bool) -> Plan {
        let gaps = record.gaps();
        let Elided { ops, left } = elide(&record, tensors, sizes);
        let units = fuse(ops, &gaps, sizes.acc, sums);
        let optimized = merge(units, &gaps);
        Plan { as_written: record, optimized, left }
    }
}
