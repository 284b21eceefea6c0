//! The result of a diagnosis, with the numbers behind it.

use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::{Cause, TensorTrial, Thresholds, WeightTrial};

/// How an experiment got its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The layer that was executed.
    pub layer: String,
    /// The tensor whose format was changed.
    pub tensor: String,
    /// How.
    pub how: How,
    /// SQNR of the layer on the reference's inputs, nothing changed (dB).
    pub isolated_db: f64,
    /// The numbers.
    pub trial: TensorTrial,
}

/// An input beyond a tensor's range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Beyond {
    /// Number of the input.
    pub input: usize,
    /// Least and greatest value.
    pub reached: [f32; 2],
    /// Share of the elements beyond the range.
    pub share: f64,
}

/// What calibration images would have given.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CalibrationRange {
    /// Least and greatest value over the calibration images.
    pub reached: [f32; 2],
    /// Whether they reach what the given inputs need; then the range was not made from them, or by a method
    /// that cuts.
    pub sufficient: bool,
}

/// A channel that makes a range wide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct WideChannel {
    /// Number.
    pub channel: usize,
    /// Its own least and greatest value.
    pub range: [f32; 2],
    /// Its greatest magnitude as a multiple of the median channel's.
    pub ratio: f64,
}

/// Cycles of the whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Price {
    /// As it is.
    pub now: u64,
    /// With the tensor in 16 bits.
    pub sixteen: u64,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// Why.
    pub cause: Cause,
    /// The layer at fault: the one that computes the tensor, or has the weights.
    pub layer: String,
    /// Its number.
    pub index: usize,
    /// The tensors with the range at fault, the layer's own first; empty for weights.
    pub tensors: Vec<String>,
    /// The experiments that say so, the worst first.
    pub evidence: Vec<Evidence>,
    /// The experiment with weights.
    pub weights: Option<WeightTrial>,
    /// The tensor's range; none for weights.
    pub range: Option<[f32; 2]>,
    /// The best 8-bit range for the given inputs.
    pub ideal: Option<[f32; 2]>,
    /// What the given inputs reach.
    pub reached: Option<[f32; 2]>,
    /// Inputs beyond the range, the farthest first.
    pub beyond: Vec<Beyond>,
    /// Inputs that would mend the range if they were among the calibration images.
    pub mend: Vec<usize>,
    /// What the calibration images give.
    pub calibration: Option<CalibrationRange>,
    /// Channels that make the range wide, or the only scale of the weights, the widest first.
    pub channels: Vec<WideChannel>,
    /// What 16 bits cost; none where the network cannot be compiled so.
    pub price: Option<Price>,
    /// Share of the weights that are zero though the float network's are not.
    pub pruned: Option<f64>,
}

/// A layer that is fine alone, and bad as the network runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Inherited {
    /// The layer.
    pub layer: String,
    /// As the network runs (dB).
    pub accumulated_db: f64,
    /// Alone (dB).
    pub isolated_db: f64,
    /// The earlier layer that the error comes from: a faulty one, else the worst.
    pub from: String,
    /// Whether that one is at fault.
    pub faulty: bool,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// What was judged by.
    pub thresholds: Thresholds,
    /// Inputs.
    pub inputs: usize,
    /// Faults, in the order of the layers.
    pub findings: Vec<Finding>,
    /// Layers that inherit an error.
    pub inherited: Vec<Inherited>,
    /// Suspicious layers in which no single tensor or weight is at fault: ordinary rounding adds up.
    pub ordinary: Vec<String>,
    /// Suspicious layers that could not be examined, and why.
    pub skipped: Vec<String>,
}
