//! What an engine executes at once.

use std::slice;
use std::sync::Arc;

use crate::sim::op::QueueOp;

/// One instruction, or several whose intermediate values nothing else reads. Executing a unit has the same
/// effect as executing its instructions one by one, except that sums that nothing reads need not be stored.
/// Instructions are shared with the record and with other units.
#[derive(Debug, Clone, PartialEq)]
pub enum Unit {
    /// One instruction.
    One(Arc<QueueOp>),
    /// A product and the requantization that alone reads its sums. The sums need not be stored: the program
    /// writes those accumulators again before it reads them.
    Fused([Arc<QueueOp>; 2]),
    /// Several tiles as one.
    Merged(Box<Merged>),
}

/// Tiles of one product, each with its requantization, that lie below each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The product and the requantization over all rows. Their sums may exceed the accumulators: an engine
    /// that cannot execute the two as one executes the tiles.
    pub whole: [Arc<QueueOp>; 2],
    /// The tiles, [`Unit::Fused`] all of them.
    pub tiles: Vec<Unit>,
}

impl Unit {
    /// The instructions of an unmerged unit; of a merged one the two that stand for its tiles.
    #[must_use]
    pub fn ops(&self) -> &[Arc<QueueOp>] {
        match self {
            Unit::One(op) => slice::from_ref(op),
            Unit::Fused(ops) => ops,
            Unit::Merged(merged) => &merged.whole,
        }
    }

    /// The instruction that the program issues first.
    #[must_use]
    pub fn first(&self) -> &QueueOp {
        match self {
            Unit::One(op) | Unit::Fused([op, _]) => op,
            Unit::Merged(merged) => &merged.whole[0],
        }
    }

    /// The units that it was merged from; itself, if it is not merged.
    #[must_use]
    pub fn tiles(&self) -> &[Unit] {
        match self {
            Unit::Merged(merged) => &merged.tiles,
            unmerged => slice::from_ref(unmerged),
        }
    }

    /// The same unit with its [instructions](Unit::ops) replaced. The result of a merged unit has no tiles.
    pub(in crate::sim) fn map(&self, f: impl Fn(&QueueOp) -> QueueOp) -> Unit {
        let new = |op: &Arc<QueueOp>| Arc::new(f(op));
        match self {
            Unit::One(op) => Unit::One(new(op)),
            Unit::Fused(ops) => Unit::Fused(ops.each_ref().map(new)),
            Unit::Merged(merged) => Unit::Fused(merged.whole.each_ref().map(new)),
        }
    }

    /// Number of its first instruction in the record.
    pub(in crate::sim) fn seq(&self) -> usize {
        self.first().seq as usize
    }

    /// One past the number of its last instruction.
    pub(in crate::sim) fn end(&self) -> usize {
        self.tiles().last().and_then(|tile| tile.ops().last()).map_or(0, |op| op.seq as usize + 1)
    }

    /// Whether it is a product with its requantization, whose sums need not be stored.
    pub(in crate::sim) fn is_fused(&self) -> bool {
        !matches!(self, Unit::One(_))
    }
}
