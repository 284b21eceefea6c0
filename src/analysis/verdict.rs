//! From the numbers of the experiments to a cause. Nothing here runs anything.

use serde::{Deserialize, Serialize};

/// All that the judgement depends on. The values were chosen by hand while the faults of `tests/diagnose/study.py` in small
/// networks were looked at; the script can freeze others on one half of its networks and check them on the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// A layer whose isolated SQNR is lower is looked at (dB).
    pub suspicious_db: f64,
    /// A range may be badly calibrated if a layer that reads the tensor has less than this with the tensor as it is and
    /// everything else in 16 bits (dB).
    pub calibration_db: f64,
    /// What an ideal 8-bit range must gain then to be called the repair (dB).
    pub calibration_gain_db: f64,
    /// A range may be too wide for 8 bits if such a layer has less than this (dB).
    pub range_db: f64,
    /// What 16 bits must gain then beyond the ideal range to be called the repair (dB).
    pub range_gain_db: f64,
    /// Weights are at fault if the layer has less than this with all activations in 16 bits (dB).
    pub weights_db: f64,
    /// What other weights must gain to be called the repair (dB).
    pub weights_gain_db: f64,
    /// A layer whose SQNR is lower as the network runs, though it is fine alone, inherits an error (dB).
    pub inherited_db: f64,
    /// A channel causes a wide range if its own is wider than the median channel's by this factor.
    pub wide_channel: f64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            suspicious_db: 30.0,
            calibration_db: 28.0,
            calibration_gain_db: 8.0,
            range_db: 20.0,
            range_gain_db: 6.0,
            weights_db: 16.0,
            weights_gain_db: 6.0,
            inherited_db: 20.0,
            wide_channel: 8.0,
        }
    }
}

/// SQNR of one layer with one of its input tensors in different formats, everything else in 16 bits (dB).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TensorTrial {
    /// The tensor's own format.
    pub as_is_db: f64,
    /// The best 8-bit range for the given inputs.
    pub ideal_db: f64,
    /// 16 bits.
    pub sixteen_db: f64,
}

/// SQNR of one layer with all activations in 16 bits and different weights (dB).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WeightTrial {
    /// The weights as they are.
    pub as_is_db: f64,
    /// The float network's weights, rounded as the quantized ones are; none if they are not known.
    pub rounded_db: Option<f64>,
    /// The float network's weights in 16 bits.
    pub sixteen_db: Option<f64>,
}

/// Why a layer loses accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// (a) The range does not fit the given inputs; an 8-bit range that fits repairs it.
    Calibration,
    /// (b) No 8-bit range is good enough; 16 bits are.
    Range,
    /// The weights need more than their bits.
    Weights,
    /// Weights were set to zero.
    Pruning,
    /// Neither formats nor weights: the operator's own arithmetic, or weights that cannot be compared.
    Operator,
}

/// Judges one tensor by one layer that reads it; none if the tensor is not at fault there.
#[must_use]
pub fn judge_tensor(trial: &TensorTrial, t: &Thresholds) -> Option<Cause> {
    let calibrated = trial.ideal_db - trial.as_is_db;
    if trial.as_is_db < t.calibration_db && calibrated >= t.calibration_gain_db {
        return Some(Cause::Calibration);
    }
    let widened = trial.sixteen_db - trial.ideal_db;
    (trial.as_is_db < t.range_db && widened >= t.range_gain_db).then_some(Cause::Range)
}

/// Judges the weights of one layer; none if they are not at fault.
#[must_use]
pub fn judge_weights(trial: &WeightTrial, t: &Thresholds) -> Option<Cause> {
    if trial.as_is_db >= t.weights_db {
        return None;
    }
    let gains = |other: Option<f64>| other.is_some_and(|db| db - trial.as_is_db >= t.weights_gain_db);
    if gains(trial.rounded_db) {
        return Some(Cause::Pruning);
    }
    Some(if gains(trial.sixteen_db) { Cause::Weights } else { Cause::Operator })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_repair_that_works_is_the_verdict() {
        let t = Thresholds::default();
        let judge = |as_is_db, ideal_db, sixteen_db| {
            judge_tensor(&TensorTrial { as_is_db, ideal_db, sixteen_db }, &t)
        };
        assert_eq!(judge(5.0, 32.0, 60.0), Some(Cause::Calibration));
        assert_eq!(judge(5.0, 7.0, 50.0), Some(Cause::Range));
        assert_eq!(judge(30.0, 32.0, 60.0), None);
        assert_eq!(judge(5.0, 6.0, 7.0), None);
    }

    #[test]
    fn weights_are_judged_by_other_weights() {
        let t = Thresholds::default();
        let judge = |as_is_db, rounded_db, sixteen_db| {
            judge_weights(&WeightTrial { as_is_db, rounded_db, sixteen_db }, &t)
        };
        assert_eq!(judge(8.0, Some(30.0), Some(60.0)), Some(Cause::Pruning));
        assert_eq!(judge(8.0, Some(9.0), Some(60.0)), Some(Cause::Weights));
        assert_eq!(judge(8.0, None, None), Some(Cause::Operator));
        assert_eq!(judge(28.0, Some(60.0), Some(60.0)), None);
    }
}
