//! Engines compute values. They execute captured operations, which passed every check at load, in program
//! order.
//!
//! [`mod@reference`] is plain loops that follow the manual, and keeps its own map of written bytes; [`fast`]
//! runs by default. They write the same bytes for every program.

pub mod fast;
mod kind;
mod probe;
pub mod reference;

use super::fault::FaultKind;
use super::memory::Memory;
use super::op::QueueOp;
use super::plan::Unit;
use crate::isa::Space;
pub use kind::EngineKind;
pub use probe::{Probe, Probed, Work};

/// Executes operations.
pub trait Engine {
    /// Begins a new run: forgets everything but the constants, which are the same in all runs. Only constants
    /// are defined.
    fn reset(&mut self);

    /// Bytes that were written by something else than a queue instruction: inputs, outputs of host layers.
    fn defined(&mut self, space: Space, start: i64, len: usize);

    /// The lowest byte of a range that nothing has written; `None` if there is none or if the engine does not
    /// track it.
    fn undefined(&self, _space: Space, _start: i64, _len: usize) -> Option<i64> {
        None
    }

    /// Bytes of the scratchpad were changed by another engine that works on the same memory.
    fn changed(&mut self, _range: (i64, i64)) {}

    /// Whether it executes [optimized units](Unit), in which products read weights in the constants and loads
    /// are left out. The reference engine does not: it executes the program as it is written.
    fn optimizes(&self) -> bool {
        false
    }

    /// Executes one operation; returns how many accumulations wrapped.
    ///
    /// # Errors
    /// The reference engine reports reads of bytes that were never written.
    fn execute(&mut self, op: &QueueOp, memory: &mut Memory) -> Result<u64, FaultKind>;

    /// Executes a unit of a plan. An engine that has no kernel for it executes its
    /// [parts](Engine::execute_parts).
    ///
    /// # Errors
    /// As [`execute`](Engine::execute).
    fn execute_unit(&mut self, unit: &Unit, memory: &mut Memory) -> Result<u64, FaultKind> {
        self.execute_parts(unit, memory)
    }

    /// Executes the parts of a unit: the tiles of a merged one, the instructions of others.
    ///
    /// # Errors
    /// As [`execute`](Engine::execute).
    fn execute_parts(&mut self, unit: &Unit, memory: &mut Memory) -> Result<u64, FaultKind> {
        let mut wraps = 0;
        match unit {
            Unit::One(op) => wraps += self.execute(op, memory)?,
            Unit::Fused(ops) => {
                for op in ops {
                    wraps += self.execute(op, memory)?;
                }
            }
            Unit::Merged(merged) => {
                for tile in &merged.tiles {
                    wraps += self.execute_unit(tile, memory)?;
                }
            }
        }
        Ok(wraps)
    }
}
