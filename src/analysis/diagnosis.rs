//! The result of a diagnosis, with its evidence.

use serde::Serialize;

use super::verdict::{Cause, TensorTrial, Thresholds, WeightTrial};

/// How an experiment was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The layer's instructions were executed.
    Executed,
    /// The layer is a table: its function was interpolated between the pairs of its reference.
    Interpolated,
    /// The layer passes the tensor on: the error is that of rounding it.
    Rounded,
}

/// An experiment at one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// The layer that was executed.
    pub layer: String,
    /// The tensor whose format was changed.
    pub tensor: String,
    /// How it was done.
    pub how: How,
    /// SQNR of the layer on the reference's inputs, with nothing changed (dB).
    pub isolated_db: f64,
    /// The numbers.
    pub trial: TensorTrial,
}

/// An input with values beyond a tensor's range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Beyond {
    /// Number of the input.
    pub input: usize,
    /// Least and greatest value.
    pub reached: [f32; 2],
    /// Share of the elements beyond the range.
    pub share: f64,
}

/// The range that calibration inputs give.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CalibrationRange {
    /// Least and greatest value over the calibration images.
    pub reached: [f32; 2],
    /// Whether it covers the range that the given inputs need; if so, the range was not made from these
    /// inputs, or by a method that clips.
    pub sufficient: bool,
}

/// A channel that widens a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WideChannel {
    /// Number of the channel.
    pub channel: usize,
    /// Its own least and greatest value.
    pub range: [f32; 2],
    /// Its greatest magnitude as a multiple of the median channel's.
    pub ratio: f64,
}

/// Cycles of the whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Price {
    /// As compiled.
    pub now: u64,
    /// With the tensor in 16 bits.
    pub sixteen: u64,
}

/// A cause of lost accuracy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// The layer at fault: the one that computes the tensor, or has the weights.
    pub layer: String,
    /// Its number.
    pub index: usize,
    /// The tensors with the range at fault, the layer's own first; empty for weights.
    pub tensors: Vec<String>,
    /// The experiments that show it, worst first.
    pub evidence: Vec<Evidence>,
    /// The experiment with the weights.
    pub weights: Option<WeightTrial>,
    /// The tensor's range; none for weights.
    pub range: Option<[f32; 2]>,
    /// The best 8-bit range for the given inputs.
    pub ideal: Option<[f32; 2]>,
    /// The range of the given inputs.
    pub reached: Option<[f32; 2]>,
    /// Inputs with values beyond the range, furthest first.
    pub beyond: Vec<Beyond>,
    /// Inputs that would repair the range if they were among the calibration inputs.
    pub mend: Vec<usize>,
    /// The range that the calibration inputs give.
    pub calibration: Option<CalibrationRange>,
    /// Channels that widen the range, or the only scale of the weights, widest first.
    pub channels: Vec<WideChannel>,
    /// Cycles with 16 bits; none where the network cannot be compiled with them.
    pub price: Option<Price>,
    /// Share of the weights that are zero although the float network's are not.
    pub pruned: Option<f64>,
}

/// A layer that is accurate alone, but not in the full run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Inherited {
    /// The layer.
    pub layer: String,
    /// SQNR in the full run (dB).
    pub accumulated_db: f64,
    /// SQNR alone (dB).
    pub isolated_db: f64,
    /// The earlier layer that causes the error: one at fault if there is one, else the worst.
    pub from: String,
    /// Whether that layer is at fault.
    pub faulty: bool,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// The thresholds that were used.
    pub thresholds: Thresholds,
    /// Number of inputs.
    pub inputs: usize,
    /// Causes, in the order of the layers.
    pub findings: Vec<Finding>,
    /// Layers that inherit an error.
    pub inherited: Vec<Inherited>,
    /// Suspicious layers without a single tensor or weight at fault: ordinary rounding errors add up.
    pub ordinary: Vec<String>,
    /// Suspicious layers that could not be examined, and why.
    pub skipped: Vec<String>,
}
