//! From the figures of the experiments to a cause. Nothing is executed here.

use serde::{Deserialize, Serialize};

/// The thresholds of the judgement. `bad_db` and `repaired` were chosen on one half of the networks of
/// `tools/measure/diagnose.py` and checked on the other half; a gain of 6 dB is one bit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// A layer whose isolated SQNR is lower is examined (dB).
    pub suspicious_db: f64,
    /// A tensor's format may be at fault if a layer that reads the tensor has a lower SQNR with the tensor as
    /// it is and everything else in 16 bits (dB).
    pub bad_db: f64,
    /// What another format must gain to count as a repair (dB).
    pub gain_db: f64,
    /// The share of the difference to `bad_db` that an ideal 8-bit range must recover, where 16 bits would
    /// recover more.
    pub repaired: f64,
    /// Weights are at fault if the layer has a lower SQNR with all activations in 16 bits (dB).
    pub weights_db: f64,
    /// What other weights must gain to count as the repair (dB).
    pub weights_gain_db: f64,
    /// A layer whose SQNR in the full run is lower although it is accurate alone inherits an error (dB).
    pub inherited_db: f64,
    /// A channel widens a range if its own is wider than the median channel's by this factor.
    pub wide_channel: f64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            suspicious_db: 30.0,
            bad_db: 30.0,
            gain_db: 6.0,
            repaired: 0.5,
            weights_db: 20.0,
            weights_gain_db: 6.0,
            inherited_db: 20.0,
            wide_channel: 8.0,
        }
    }
}

impl Thresholds {
    /// Checks that all thresholds are numbers.
    ///
    /// # Errors
    /// The one that is not a number.
    pub fn check(&self) -> Result<(), String> {
        let all = [
            ("suspicious_db", self.suspicious_db),
            ("bad_db", self.bad_db),
            ("gain_db", self.gain_db),
            ("repaired", self.repaired),
            ("weights_db", self.weights_db),
            ("weights_gain_db", self.weights_gain_db),
            ("inherited_db", self.inherited_db),
            ("wide_channel", self.wide_channel),
        ];
        match all.into_iter().find(|(_, value)| !value.is_finite()) {
            Some((name, value)) => Err(format!("{name} = {value}: it must be a number")),
            None if !(0.0..=1.0).contains(&self.repaired) => {
                Err(format!("repaired = {}: it is a share, 0 to 1", self.repaired))
            }
            None => Ok(()),
        }
    }
}

/// SQNR of one layer with one of its input tensors in different formats, everything else in 16 bits (dB).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WeightTrial {
    /// The weights as they are.
    pub as_is_db: f64,
    /// The float network's weights, rounded as the quantized ones are; none if not known.
    pub rounded_db: Option<f64>,
    /// The float network's weights in 16 bits.
    pub sixteen_db: Option<f64>,
}

/// Why a layer loses accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
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
///
/// The cheapest repair that works is the verdict. An ideal range works if it makes the layer accurate, or
/// recovers the larger part of the difference; otherwise, if 16 bits gain more, the range is too wide for 8
/// bits.
#[must_use]
pub fn judge_tensor(trial: &TensorTrial, t: &Thresholds) -> Option<Cause> {
    let TensorTrial { as_is_db, ideal_db, sixteen_db } = *trial;
    if as_is_db >= t.bad_db {
        return None;
    }
    let (calibrated, widened) = (ideal_db - as_is_db, sixteen_db - ideal_db);
    let fits = ideal_db >= t.bad_db || calibrated >= t.repaired * (t.bad_db - as_is_db);
    if calibrated >= t.gain_db && (fits || widened < t.gain_db) {
        return Some(Cause::Calibration);
    }
    (ideal_db < t.bad_db && widened >= t.gain_db).then_some(Cause::Range)
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
        assert_eq!(
            judge(29.0, 32.0, 60.0),
            None,
            "the ideal range is good enough, and gains less than a bit"
        );
        assert_eq!(judge(5.0, 6.0, 7.0), None);
        assert_eq!(judge(12.0, 25.0, 45.0), Some(Cause::Calibration), "most of what is missing");
        assert_eq!(judge(17.0, 23.0, 33.0), Some(Cause::Range), "less than half of it");
        assert_eq!(judge(17.0, 23.0, 24.0), Some(Cause::Calibration), "and 16 bits gain no more");
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
