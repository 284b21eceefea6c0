//! The q31 profiles: an integer multiplier and a shift replace an f32 factor, for devices without an f32
//! multiplier.
//!
//! The arithmetic is that of TOSA 1.0's RESCALE (`apply_scale_32`), with single or double rounding, extended
//! beyond 32 bits.

use crate::isa::{Profile, QuantDesc};

/// `multiplier / 2^shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rescale {
    /// Multiplier; TOSA's are at least 0.
    pub multiplier: i32,
    /// Shift, 0 to 63; TOSA's are 2 to 62.
    pub shift: u8,
}

impl Rescale {
    /// The nearest rescale to a factor, with 31 bits of multiplier unless the factor is below 2^-31; `None`
    /// if the factor is negative, not finite, or 2^29 and more. It equals any f32 down to 2^-38.
    #[must_use]
    pub fn of(factor: f64) -> Option<Rescale> {
        if factor == 0.0 {
            return Some(Rescale { multiplier: 0, shift: 31 });
        }
        if !factor.is_finite() || factor < 0.0 {
            return None;
        }
        // factor = fraction · 2^exponent with 1/2 ≤ fraction < 1.
        let (fraction, mut exponent) = libm::frexp(factor);
        let mut multiplier = (fraction * f64::from(1_u32 << 31)).round() as i64;
        if multiplier == 1 << 31 {
            multiplier >>= 1;
            exponent += 1;
        }
        let mut shift = 31 - exponent;
        if shift > 62 {
            multiplier = multiplier.checked_shr((shift - 62) as u32).unwrap_or(0);
            shift = 62;
        }
        let shift = u8::try_from(shift).ok().filter(|s| *s >= 2)?;
        Some(Rescale { multiplier: multiplier as i32, shift })
    }

    /// `value · multiplier / 2^shift`, a half rounded up; `double`: with TOSA's second rounding.
    #[inline]
    #[must_use]
    pub fn apply(self, value: i128, double: bool) -> i128 {
        let shift = u32::from(self.shift) & 63;
        if let (Ok(small), 2..=62) = (i32::try_from(value), shift) {
            // Most values fit 64 bits.
            let mut round = (1_i64 << shift) >> 1;
            if double && shift > 31 {
                round += if small >= 0 { 1 << 30 } else { -(1 << 30) };
            }
            return ((i64::from(small) * i64::from(self.multiplier) + round) >> shift).into();
        }
        let mut round = (1_i128 << shift) >> 1;
        if double && shift > 31 {
            round += if value >= 0 { 1 << 30 } else { -(1 << 30) };
        }
        (value * i128::from(self.multiplier) + round) >> shift
    }
}

impl QuantDesc {
    /// For the q31 profiles, whether rescaling rounds twice; `None` for others.
    #[must_use]
    pub fn doubles(&self) -> Option<bool> {
        match self.profile {
            Profile::Onnx => None,
            Profile::Q31 => Some(false),
            Profile::Q31double => Some(true),
        }
    }

    /// Multipliers and shifts of the q31 profiles.
    #[must_use]
    pub fn rescales(&self) -> [Rescale; 3] {
        [(self.k0, self.s0), (self.k1, self.s1), (self.k2, self.s2)]
            .map(|(multiplier, shift)| Rescale { multiplier, shift })
    }
}

/// A rescaled value plus its zero point, clamped.
fn finish(value: i128, zero_point: i32, clamp: [i32; 2]) -> i32 {
    let [lo, hi] = clamp.map(i128::from);
    (value + i128::from(zero_point)).clamp(lo, hi) as i32
}

/// Accumulator, or product of two operands without their zero points, to 8 or 16 bits.
#[inline]
#[must_use]
pub fn requantize_q31(value: i64, by: Rescale, double: bool, zero_point: i32, clamp: [i32; 2]) -> i32 {
    finish(by.apply(value.into(), double), zero_point, clamp)
}

/// Constants of a quantized sum in the q31 profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddRescales {
    /// First operand, second operand, sum.
    pub by: [Rescale; 3],
}

impl AddRescales {
    /// Constants for the factors `sa/sy` and `sb/sy`: both operands are rescaled to the scale `2·max / 2^L`,
    /// and the sum from there to the output (as in TensorFlow Lite's quantized addition, which TOSA compilers
    /// write as three RESCALE).
    #[must_use]
    pub fn of(ra: f32, rb: f32, wide: bool) -> Option<AddRescales> {
        let [ra, rb] = [ra, rb].map(f64::from);
        let common = 2.0 * ra.max(rb);
        let unit = f64::from(1 << left(wide));
        let by = [Rescale::of(ra / common)?, Rescale::of(rb / common)?, Rescale::of(common / unit)?];
        Some(AddRescales { by })
    }

    /// The sum of two operands minus their zero points.
    #[inline]
    #[must_use]
    pub fn add(&self, a: i64, b: i64, wide: bool, double: bool, zero_point: i32, clamp: [i32; 2]) -> i32 {
        let [x, y, sum] = self.by;
        let bring = |by: Rescale, v: i64| by.apply(i128::from(v) << left(wide), double);
        // Both below 2^64, so products with a multiplier stay far below 2^127.
        finish(sum.apply(bring(x, a) + bring(y, b), double), zero_point, clamp)
    }
}

/// Bits that the operands of a sum are shifted left by before rescaling.
fn left(wide: bool) -> u32 {
    if wide { 15 } else { 20 }
}
