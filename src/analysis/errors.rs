//! Error figures of two tensors, from sums that can be merged over inputs.

use serde::Serialize;

/// The decibels reported for a ratio without noise, and negated for one without signal.
pub const NO_NOISE_DB: f64 = 200.0;

/// The decibels reported where a value is NaN or only one side is infinite: below all real ratios, so that
/// such values never count as agreement.
pub const NAN_DB: f64 = -300.0;

/// Root mean square error of a perfect quantizer, in steps: `1/√12`.
pub const PERFECT_STEPS: f64 = 0.288_675_134_594_812_9;

/// Values that are examined together for NaN and infinities before they are added.
const BLOCK: usize = 1024;

/// Number of partial sums.
const LANES: usize = 4;

/// Sums over pairs of a reference value and a value. Pairs with NaN, or with an infinity on one side, are
/// counted separately.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Pairs.
    pub count: u64,
    /// Pairs left out because one of the two is NaN.
    pub nan: u64,
    /// Pairs left out because one of the two is infinite, and the other is not the same.
    pub infinite: u64,
    /// Σ reference².
    pub signal: f64,
    /// Σ (value − reference)².
    pub noise: f64,
    /// Σ value².
    pub power: f64,
    /// Σ reference · value.
    pub product: f64,
    /// Σ |value − reference|.
    pub absolute: f64,
    /// max |value − reference|.
    pub greatest: f64,
}

impl Sums {
    /// Adds one pair.
    pub fn add(&mut self, reference: f32, value: f32) {
        if reference.is_nan() || value.is_nan() {
            self.nan += 1;
            return;
        }
        if !reference.is_finite() || !value.is_finite() {
            self.infinite += u64::from(reference != value);
            return;
        }
        let (r, v) = (f64::from(reference), f64::from(value));
        let error = (v - r).abs();
        self.count += 1;
        self.signal += r * r;
        self.noise += error * error;
        self.power += v * v;
        self.product += r * v;
        self.absolute += error;
        self.greatest = self.greatest.max(error);
    }

    /// Adds all pairs of two tensors.
    #[must_use]
    pub fn of(reference: &[f32], value: &[f32]) -> Sums {
        let mut sums = Sums::default();
        let len = reference.len().min(value.len());
        for (r, v) in reference[..len].chunks(BLOCK).zip(value[..len].chunks(BLOCK)) {
            let finite = |x: &[f32]| x.iter().fold(true, |all, x| all & x.is_finite());
            if finite(r) && finite(v) {
                sums.merge(&Sums::of_finite(r, v));
            } else {
                r.iter().zip(v).for_each(|(r, v)| sums.add(*r, *v));
            }
        }
        sums
    }

    /// The same of finite values: element `i` adds to sum `i` modulo [`LANES`], since an addition would wait
    /// for the one before.
    fn of_finite(reference: &[f32], value: &[f32]) -> Sums {
        let mut lanes = [Sums::default(); LANES];
        let (r, last_r) = reference.as_chunks::<LANES>();
        let (v, last_v) = value.as_chunks::<LANES>();
        let pairs = r.iter().zip(v).map(|(r, v)| (r.as_slice(), v.as_slice()));
        for (r, v) in pairs.chain([(last_r, last_v)]) {
            for ((sums, r), v) in lanes.iter_mut().zip(r).zip(v) {
                let (r, v) = (f64::from(*r), f64::from(*v));
                let error = (v - r).abs();
                sums.signal += r * r;
                sums.noise += error * error;
                sums.power += v * v;
                sums.product += r * v;
                sums.absolute += error;
                sums.greatest = if error > sums.greatest { error } else { sums.greatest };
            }
        }
        let [mut sum, others @ ..] = lanes;
        others.iter().for_each(|s| sum.merge(s));
        Sums { count: reference.len() as u64, ..sum }
    }

    /// Adds the sums of other pairs.
    pub fn merge(&mut self, other: &Sums) {
        self.count += other.count;
        self.nan += other.nan;
        self.infinite += other.infinite;
        self.signal += other.signal;
        self.noise += other.noise;
        self.power += other.power;
        self.product += other.product;
        self.absolute += other.absolute;
        self.greatest = self.greatest.max(other.greatest);
    }

    /// Pairs with a NaN, or an infinity on one side only.
    #[must_use]
    pub fn not_finite(&self) -> u64 {
        self.nan + self.infinite
    }

    /// Signal to noise in decibels; [`NAN_DB`] if a value is NaN, or infinite where the other is not.
    #[must_use]
    pub fn sqnr_db(&self) -> f64 {
        if self.not_finite() > 0 {
            return NAN_DB;
        }
        decibels(self.signal, self.noise)
    }

    /// The figures; `scale` is the value of one quantization step.
    #[must_use]
    pub fn errors(&self, scale: Option<f32>) -> Errors {
        let count = self.count.max(1) as f64;
        let norm = (self.signal * self.power).sqrt();
        Errors {
            sqnr_db: self.sqnr_db(),
            // The angle is undefined if a value is not finite, or if one vector is zero and the other is not.
            cosine: if self.not_finite() > 0 || (norm <= 0.0 && self.noise > 0.0) {
                0.0
            } else if norm > 0.0 {
                (self.product / norm).clamp(-1.0, 1.0)
            } else {
                1.0
            },
            max_abs: self.greatest,
            mean_abs: self.absolute / count,
            nan: self.nan,
            infinite: self.infinite,
            rms_steps: scale.map(|s| (self.noise / count).sqrt() / f64::from(s)),
        }
    }
}

/// `10·log₁₀(signal / noise)`, within ±[`NO_NOISE_DB`].
#[must_use]
pub fn decibels(signal: f64, noise: f64) -> f64 {
    if noise <= 0.0 {
        return NO_NOISE_DB;
    }
    (10.0 * (signal / noise).log10()).clamp(-NO_NOISE_DB, NO_NOISE_DB)
}

/// Errors of a tensor against its reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Errors {
    /// Signal to quantization noise, `10·log₁₀(Σr² / Σ(v−r)²)` (dB); 200 where there is no error, [`NAN_DB`]
    /// if a value is NaN, or infinite on one side.
    pub sqnr_db: f64,
    /// Cosine of the angle between both tensors as vectors.
    pub cosine: f64,
    /// Pairs in which a value is NaN; the other figures leave them out.
    pub nan: u64,
    /// Pairs in which one value is infinite and the other is not; the other figures leave them out.
    pub infinite: u64,
    /// Greatest error.
    pub max_abs: f64,
    /// Mean of the absolute errors.
    pub mean_abs: f64,
    /// Root mean square error in steps of the tensor's scale; a perfect quantizer has [`PERFECT_STEPS`]. None
    /// for floats.
    pub rms_steps: Option<f64>,
}

impl Errors {
    /// Pairs with a NaN, or an infinity on one side only.
    #[must_use]
    pub fn not_finite(&self) -> u64 {
        self.nan + self.infinite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_never_agrees() {
        let nan = Sums::of(&[3.0, f32::NAN], &[3.0, f32::NAN]);
        assert_eq!((nan.sqnr_db(), nan.errors(None).cosine, nan.nan), (NAN_DB, 0.0, 1));
        let clipped = Sums::of(&[f32::NEG_INFINITY, 1.0], &[-128.0, 1.0]);
        assert_eq!((clipped.sqnr_db(), clipped.infinite), (NAN_DB, 1), "it is not exact");
        let noisy = Sums::of(&[f32::NEG_INFINITY, 1.0], &[-128.0, 1.5]);
        assert_eq!((noisy.sqnr_db(), noisy.errors(None).cosine, noisy.infinite), (NAN_DB, 0.0, 1));
        let opposite = Sums::of(&[f32::NEG_INFINITY, 1.0], &[f32::INFINITY, 1.0]);
        assert_eq!((opposite.sqnr_db(), opposite.infinite), (NAN_DB, 1));
        let both = Sums::of(&[f32::INFINITY, 1.0], &[f32::INFINITY, 1.0]);
        assert_eq!((both.sqnr_db(), both.infinite), (NO_NOISE_DB, 0));
        assert_eq!(Sums::of(&[0.0, 0.0], &[1.0, 0.0]).errors(None).cosine, 0.0);
        assert_eq!(Sums::of(&[0.0, 0.0], &[0.0, 0.0]).errors(None).cosine, 1.0);
    }

    #[test]
    fn the_figures_are_those_of_the_definitions() {
        let sums = Sums::of(&[3.0, 4.0, f32::INFINITY], &[3.0, 4.5, f32::INFINITY]);
        let e = sums.errors(Some(0.5));
        assert!((e.sqnr_db - 20.0).abs() < 1e-9, "{e:?}");
        assert!((e.cosine - (9.0 + 18.0) / (5.0 * (9.0_f64 + 20.25).sqrt())).abs() < 1e-12);
        assert_eq!((e.max_abs, e.mean_abs, sums.infinite), (0.5, 0.25, 0));
        assert!((e.rms_steps.unwrap() - (0.125_f64).sqrt() / 0.5).abs() < 1e-12);
        assert_eq!(Sums::of(&[1.0], &[1.0]).sqnr_db(), NO_NOISE_DB);
    }

    #[test]
    fn a_uniform_error_is_that_of_a_perfect_quantizer() {
        let reference: Vec<f32> = (0..10_000).map(|i| i as f32 / 100.0).collect();
        let value: Vec<f32> = reference.iter().map(|r| r.round_ties_even()).collect();
        let steps = Sums::of(&reference, &value).errors(Some(1.0)).rms_steps.unwrap();
        assert!((steps - PERFECT_STEPS).abs() < 1e-3, "{steps}");
    }
}
