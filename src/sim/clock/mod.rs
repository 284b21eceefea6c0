//! Time: when each instruction starts and ends, and why it did not start earlier.
//!
//! Time depends on code and constants only: an [`EventClock`] follows the control core in program order, and
//! needs no values. It implements the section *Time* of `isa/MANUAL.md`. Its parts: what an instruction
//! [costs](cost), how a transfer is cut into [segments] and when they pass the
//! [channel], which bank [ports] an operation holds, the
//! [causes](cause) of every cycle, and the DMA units with the channel that they share. The tests compare it
//! with a second clock that steps through every cycle.

pub mod cause;
mod channel;
pub mod cost;
mod counts;
mod dma;
mod event;
mod layers;
pub mod ports;
mod report;
pub mod segments;
mod units;
mod waiting;

pub use cause::{Cause, Causes, Waits, awaited, unit};
pub use counts::Counts;
pub use event::EventClock;
pub use report::{ClockReport, ControlCycles, LayerCycles, UnitCycles};
pub use units::Units;

use crate::isa::Queue;

/// When a queue instruction was issued, started and ended, and which cycles of its unit are charged to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpTiming {
    /// Number among all queue instructions of the run, from 0.
    pub seq: u64,
    /// Its queue.
    pub queue: Queue,
    /// Cycle in which the control core issued it.
    pub issue: u64,
    /// First cycle of execution; for DMA the cycle in which it left its queue.
    pub start: u64,
    /// One past the last cycle.
    pub end: u64,
    /// Cycles of its unit that are charged to it: executing, or idle because of it.
    pub causes: Causes,
}
