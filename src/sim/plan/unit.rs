//! What an engine executes at once.

use std::slice;
use std::sync::Arc;

use crate::sim::op::QueueOp;

/// One instruction, or several whose intermediate values nobody needs. Executing a unit gives what executing
/// its instructions one by one gives, but for sums that nothing reads. Instructions are shared: with the
/// record, or with other units.
#[derive(Debug, Clone, PartialEq)]
pub enum Unit {
    /// An instruction.
    One(Arc<QueueOp>),
    /// A product and the requantization that alone reads its sums, so that those need not be stored: whatever
    /// the accumulators then hold, the program writes before it reads them.
    Fused([Arc<QueueOp>; 2]),
    /// Several tiles as one.
    Merged(Box<Merged>),
}

/// Tiles of one product, each with its requantization, that lie below each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The product and the requantization of all rows. Their sums may be more than there are accumulators:
    /// who cannot execute the two as one executes the tiles.
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

    /// The units that it was merged of; itself, if it was not.
    #[must_use]
    pub fn tiles(&self) -> &[Unit] {
        match self {
            Unit::Merged(merged) => &merged.tiles,
            unmerged => slice::from_ref(unmerged),
        }
    }

    /// The same with other instructions in the places of its [own](Unit::ops). What was merged has no tiles
    /// any more.
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

    /// A product with its requantization, whose sums stay where nobody sees them.
    pub(in crate::sim) fn is_fused(&self) -> bool {
        !matches!(self, Unit::One(_))
    }
}
