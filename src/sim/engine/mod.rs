//! Engines compute values. They see captured operations that passed every check at load, in program order.
//!
//! [`mod@reference`] is plain loops straight from the manual and keeps its own map of written bytes; [`fast`] is what runs
//! by default. They are byte-equal on every program.

pub mod fast;
pub mod reference;

use super::fault::FaultKind;
use super::load::Decoded;
use super::memory::Memory;
use super::op::QueueOp;
use crate::isa::Space;

/// Executes operations.
pub trait Engine {
    /// Forgets everything but the constants, which are the same in all runs: a new run begins, and only they are defined.
    fn reset(&mut self);

    /// Bytes that something outside the queues wrote: inputs, outputs of host layers.
    fn defined(&mut self, space: Space, start: i64, len: usize);

    /// The lowest byte of a range that nothing has written; none if the engine does not track it.
    fn undefined(&self, _space: Space, _start: i64, _len: usize) -> Option<i64> {
        None
    }

    /// Bytes of the scratchpad were changed by an operation that another engine has executed on the same memory.
    fn changed(&mut self, _range: (i64, i64)) {}

    /// Whether products may read their weights in the constants.
    fn reads_constants(&self) -> bool {
        false
    }

    /// Executes one operation; returns how many accumulations wrapped.
    ///
    /// # Errors
    /// The reference engine reports reads of bytes that were never written.
    fn execute(&mut self, op: &QueueOp, memory: &mut Memory) -> Result<u64, FaultKind>;

    /// Executes a product and the requantization that alone reads its sums, so that those need not be stored: whatever the
    /// accumulators then hold, the program writes before it reads them.
    ///
    /// # Errors
    /// As [`execute`](Engine::execute).
    fn execute_pair(&mut self, pair: [&QueueOp; 2], memory: &mut Memory) -> Result<u64, FaultKind> {
        Ok(self.execute(pair[0], memory)? + self.execute(pair[1], memory)?)
    }

    /// Executes a product and its requantization that stand for those of several tiles: its sums may be more than there are
    /// accumulators. None if it cannot: what it has written then, the tiles themselves write again.
    fn execute_tall(&mut self, _pair: [&QueueOp; 2], _memory: &mut Memory) -> Option<u64> {
        None
    }
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// Plain loops.
    Reference,
    /// The default.
    #[default]
    Fast,
}

impl EngineKind {
    /// An engine for a program.
    #[must_use]
    pub fn make(self, decoded: &Decoded) -> Box<dyn Engine + Send> {
        match self {
            EngineKind::Reference => Box::new(reference::Reference::of(decoded)),
            EngineKind::Fast => Box::new(fast::Fast::new()),
        }
    }

    /// `reference` or `fast`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Reference => "reference",
            EngineKind::Fast => "fast",
        }
    }
}
