//! Time: when each instruction starts and ends, and why it did not start earlier.
//!
//! A [`Clock`] sees what the control core does, in program order, and needs no values: time depends on code and
//! constants only. [`EventClock`] goes from event to event; rules C1 (order inside a cycle), C2 (control core), C3
//! (units run one instruction at a time) and C6 (every cycle has a cause). Ports, banks and the DRAM channel's
//! arbitration (C4, C5) are not modeled yet: a DMA unit moves one instruction at a time at the channel's rate.

pub mod duration;
mod event;
mod report;

pub use event::EventClock;
pub use report::{ClockReport, ControlCycles, LayerCycles, UnitCycles};

use super::op::QueueOp;

/// When a queue instruction was issued, started and ended, and what it waited for before it started, in cycles of its
/// unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpTiming {
    /// Cycle in which the control core issued it.
    pub issue: u64,
    /// First cycle of execution.
    pub start: u64,
    /// One past the last cycle.
    pub end: u64,
    /// Cycles in which its unit was idle because nothing was issued.
    pub nothing_issued: u64,
    /// … because the first condition was not met.
    pub condition1: u64,
    /// … because the second condition was not met.
    pub condition2: u64,
}

/// A model of time.
pub trait Clock {
    /// A control instruction (`load`: it fetches from the constants).
    fn control(&mut self, load: bool);
    /// A queue instruction.
    fn issue(&mut self, op: &QueueOp) -> OpTiming;
    /// `layer.begin`.
    fn layer_begin(&mut self, layer: u32);
    /// `layer.end`.
    fn layer_end(&mut self, layer: u32);
    /// `fence`, or the fence in `host`.
    fn fence(&mut self);
    /// `halt`.
    fn halt(&mut self);
    /// The report, after `halt`.
    fn report(self) -> ClockReport;
}
