//! Watching a run.

use super::memory::Memory;
use super::op::QueueOp;

/// Sees what a run does. All hooks have empty defaults; a run is generic over the observer, so what is not used costs
/// nothing. Observing never changes values or cycles.
pub trait Observer {
    /// A layer begins. Not called for the prologue.
    fn layer_begin(&mut self, _layer: u32) {}

    /// A layer has ended: its tensors lie complete in memory. Not called for a layer that faulted.
    fn layer_end(&mut self, _layer: u32, _memory: &Memory) {}

    /// Instruction `pc` was executed, of the control core or of a queue. Not called for the one that faulted.
    fn retire(&mut self, _pc: u32) {}

    /// A queue instruction was executed. Not called for control instructions, nor for the one that faulted.
    fn op(&mut self, _op: &QueueOp) {}
}

/// Watches nothing.
impl Observer for () {}
