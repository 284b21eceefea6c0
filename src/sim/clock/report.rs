//! What a clock reports. All figures are cycles unless said otherwise.

use serde::Serialize;

use super::cause::{Causes, Waits};
use super::units::Units;

/// Cycles of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ClockReport {
    /// From the first instruction to the end of `halt`.
    pub total: u64,
    /// Instructions retired, control and queues.
    pub instructions: u64,
    /// Before the first layer.
    pub prologue: u64,
    /// One row for each layer of the program, in order: `T_k − T_(k−1)`, `T_k` the latest end among layers up
    /// to `k`.
    pub layers: Vec<LayerCycles>,
    /// After the last layer.
    pub epilogue: u64,
    /// The control core.
    pub control: ControlCycles,
    /// The units.
    pub units: Units<UnitCycles>,
    /// Which queues the units' next instructions waited for.
    pub waits: Units<Waits>,
}

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerCycles {
    /// Its share of the total.
    pub cycles: u64,
    /// `T_k`, in cycles from the start.
    pub end: u64,
    /// Queue instructions.
    pub instructions: u64,
    /// Multiply-accumulates executed, padding included.
    pub macs: u64,
    /// Bytes read from DRAM.
    pub bytes_in: u64,
    /// Bytes written to DRAM.
    pub bytes_out: u64,
    /// What the units did for its instructions, and what they waited for. Loads of constants that were issued
    /// before the layer began count here too, so the sum is not the layer's `cycles`.
    pub units: Units<Causes>,
    /// Which queues its instructions waited for, by the unit that waited.
    pub waits: Units<Waits>,
}

/// Cycles of the control core by cause; they sum to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ControlCycles {
    /// Executing.
    pub busy: u64,
    /// Waiting for the constant port.
    pub constant_load: u64,
    /// The target queue was full.
    pub queue_full: u64,
    /// Waiting at a fence or host layer.
    pub fence: u64,
    /// Waiting at `halt`.
    pub halted: u64,
}

impl ControlCycles {
    /// Sum of all causes.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.busy + self.constant_load + self.queue_full + self.fence + self.halted
    }
}

/// A unit's cycles by cause; they sum to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct UnitCycles {
    /// Instructions executed.
    pub instructions: u64,
    /// Its cycles by cause.
    #[serde(flatten)]
    pub causes: Causes,
}

impl ClockReport {
    /// Whether every cycle of every unit has exactly one cause, and the rows sum to the total.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let rows: u64 = self.layers.iter().map(|l| l.cycles).sum();
        self.control.sum() == self.total
            && self.units.iter().all(|(_, u)| u.causes.sum() == self.total)
            && self.prologue + rows + self.epilogue == self.total
    }
}
