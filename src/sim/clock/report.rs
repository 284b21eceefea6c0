//! What a clock reports.

use serde::Serialize;

/// Cycles of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ClockReport {
    /// From the first instruction to the end of `halt`.
    pub total: u64,
    /// Instructions retired, control and queues.
    pub instructions: u64,
    /// Before the first layer.
    pub prologue: u64,
    /// One row for each layer of the program, in order: `T_k − T_(k−1)`, `T_k` the latest end among layers up to `k`.
    pub layers: Vec<LayerCycles>,
    /// After the last layer.
    pub epilogue: u64,
    /// The control core.
    pub control: ControlCycles,
    /// The units: dmain, dmaout, mac, vec.
    pub units: [UnitCycles; 4],
}

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LayerCycles {
    /// Its share of the total.
    pub cycles: u64,
    /// Queue instructions.
    pub instructions: u64,
    /// Multiply-accumulates executed, padding included.
    pub macs: u64,
    /// Bytes read from DRAM.
    pub bytes_in: u64,
    /// Bytes written to DRAM.
    pub bytes_out: u64,
    /// Cycles in which the MAC array was busy for it.
    pub mac_busy: u64,
    /// Cycles in which the vector unit was busy for it.
    pub vec_busy: u64,
}

/// Cycles of the control core by cause; they sum to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ControlCycles {
    /// Executing.
    pub busy: u64,
    /// Waiting for the constant port.
    pub constant_load: u64,
    /// The target queue was full.
    pub queue_full: u64,
    /// Waiting at a fence, host layer or halt.
    pub fence: u64,
}

impl ControlCycles {
    /// Sum of all causes.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.busy + self.constant_load + self.queue_full + self.fence
    }
}

/// Cycles of a unit by cause; they sum to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct UnitCycles {
    /// Instructions executed.
    pub instructions: u64,
    /// Executing.
    pub busy: u64,
    /// Idle: nothing was issued.
    pub nothing_issued: u64,
    /// Idle: the first condition of the next instruction was not met.
    pub condition1: u64,
    /// Idle: its second condition was not met.
    pub condition2: u64,
}

impl UnitCycles {
    /// Sum of all causes.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.busy + self.nothing_issued + self.condition1 + self.condition2
    }
}

impl ClockReport {
    /// Whether every cycle of every unit has exactly one cause, and the rows sum to the total.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let rows: u64 = self.layers.iter().map(|l| l.cycles).sum();
        self.control.sum() == self.total
            && self.units.iter().all(|u| u.sum() == self.total)
            && self.prologue + rows + self.epilogue == self.total
    }
}
