//! The arithmetic of the data path: one function for each rounding.
//!
//! The simulator computes with floats in this module only. Every function is a fixed sequence of IEEE-754
//! single operations (round to nearest, ties to even), so results do not depend on the CPU. The formulas were
//! measured against ONNX Runtime 1.32 (x86-64), whose integer operators they reproduce;
//! `tools/golden/numeric.py` writes the expected values that the tests compare with.

pub mod half;
mod lane;
mod rescale;
mod resize;
mod rounding;

pub use lane::{float1, float2, fold, softmax_sum, softmax_table, softmax_value};
pub use rescale::{AddRescales, Rescale, requantize_q31};
pub use resize::{Coordinates, Linear, interpolate, linear, nearest};
pub use rounding::{round, saturate};

/// `sat(rne(f32(acc)·m) + zy)`: accumulator to 8 bits (profile `onnx`; QLinearConv, QGemm, QLinearMatMul,
/// QLinearGlobalAveragePool).
#[inline]
#[must_use]
pub fn requantize(acc: i32, m: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
    // Clamping before the zero point is added keeps the sum exact: |clamp − zero_point| is below 2^17.
    round(acc as f32 * m, [clamp[0] - zero_point, clamp[1] - zero_point]) + zero_point
}

/// `sat(rne(acc·m) + zy)` with the exact product: accumulators of 64 bits, and every result of 16 bits. For a
/// multiplier that is not finite, the result is that of [`requantize`].
#[must_use]
pub fn requantize_wide(acc: i64, m: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
    let [lo, hi] = clamp.map(|c| i128::from(c - zero_point));
    if !m.is_finite() {
        return requantize(acc.signum() as i32, m, zero_point, clamp);
    }
    // m = mantissa · 2^exponent, 24 bits.
    let bits = m.to_bits();
    let field = (bits >> 23 & 0xff) as i32;
    let fraction = i64::from(bits & 0x7f_ffff);
    let magnitude = if field == 0 { fraction } else { fraction | 1 << 23 };
    let exponent = field.max(1) - 150;
    let factor = if bits >> 31 == 0 { magnitude } else { -magnitude };
    // Most products fit 64 bits, where the same arithmetic is much faster: 2^38 · 2^24 = 2^62.
    if exponent < 0 && exponent > -63 && acc.unsigned_abs() < 1 << 38 {
        let (product, shift) = (acc * factor, exponent.unsigned_abs());
        let floor = product >> shift;
        let rest = product - (floor << shift);
        let half = 1_i64 << (shift - 1);
        let rounded = floor + i64::from(rest > half || (rest == half && floor & 1 == 1));
        return rounded.clamp(lo as i64, hi as i64) as i32 + zero_point;
    }
    let product = i128::from(acc) * i128::from(factor);
    let rounded = if exponent >= 0 {
        // Beyond 2^20 every 16-bit type is saturated.
        product.clamp(-(1 << 20), 1 << 20) << exponent.min(20)
    } else {
        shift_right_even(product, exponent.unsigned_abs())
    };
    rounded.clamp(lo, hi) as i32 + zero_point
}

/// `value / 2^shift`, rounded half to even.
fn shift_right_even(value: i128, shift: u32) -> i128 {
    if shift > 120 {
        // The product has fewer than 89 bits.
        return 0;
    }
    let floor = value >> shift;
    let rest = value - (floor << shift);
    let half = 1_i128 << (shift - 1);
    floor + i128::from(rest > half || (rest == half && floor & 1 == 1))
}

/// `(sx·sw)/sy` in f32, evaluated in that order: the multiplier of [`requantize`].
#[inline]
#[must_use]
pub fn requantize_multiplier(sx: f32, sw: f32, sy: f32) -> f32 {
    sx * sw / sy
}

/// The multiplier of a global average over `count` elements: `sx / (sy·count)`; the accumulator is
/// `Σ(q − zx)`.
#[inline]
#[must_use]
pub fn gap_multiplier(sx: f32, sy: f32, count: u64) -> f32 {
    sx / (sy * count as f32)
}

/// Constants of a quantized sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddCoefficients {
    /// `sa/sy`.
    pub ra: f32,
    /// `sb/sy`.
    pub rb: f32,
    /// `zy − fma(ra, za, rb·zb)`.
    pub c: f32,
}

impl AddCoefficients {
    /// Constants for the scales and zero points of both operands and the result.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "ONNX Runtime's kernel fuses here")]
    pub fn new(sa: f32, za: i32, sb: f32, zb: i32, sy: f32, zy: i32) -> AddCoefficients {
        let (ra, rb) = (sa / sy, sb / sy);
        let c = zy as f32 - ra.mul_add(za as f32, rb * zb as f32);
        AddCoefficients { ra, rb, c }
    }
}

/// `sat(rne(fma(a, ra, fma(b, rb, c))))` (QLinearAdd).
#[inline]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "ONNX Runtime's kernel fuses here")]
pub fn add(a: i32, b: i32, ra: f32, rb: f32, c: f32, clamp: [i32; 2]) -> i32 {
    round((a as f32).mul_add(ra, (b as f32).mul_add(rb, c)), clamp)
}

/// Constant of a quantized product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MulCoefficients {
    /// `(sa·sb)/sy`.
    pub m: f32,
}

impl MulCoefficients {
    /// The constant for the scales of both operands and the result.
    #[must_use]
    pub fn new(sa: f32, sb: f32, sy: f32) -> MulCoefficients {
        MulCoefficients { m: sa * sb / sy }
    }
}

/// `sat(rne(f32(p)·m + zy))`, where `p` is the product of the operands minus their zero points (QLinearMul):
/// the zero point is added before rounding.
#[inline]
#[must_use]
pub fn mul(product: i64, m: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
    round(product as f32 * m + zero_point as f32, clamp)
}

/// [`mul`] of two operands minus their zero points, of at most 24 bits: the f32 product of exact factors is
/// the rounded integer product.
#[inline]
#[must_use]
pub fn mul_operands(a: i32, b: i32, m: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
    round(a as f32 * b as f32 * m + zero_point as f32, clamp)
}

/// `sat(rne(x / scale) + zy)` (QuantizeLinear): divides, never multiplies by the reciprocal. NaN becomes the
/// lower bound, infinities saturate.
#[inline]
#[must_use]
pub fn quantize(x: f32, scale: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
    round(x / scale, [clamp[0] - zero_point, clamp[1] - zero_point]) + zero_point
}

/// A float bias in the accumulator's scale: `sat(rne(bias / scale))`, with the quotient in f64, in 32 bits
/// or, with operands of 16 bits, 64. For models with float biases; most quantizers store integers.
#[must_use]
pub fn quantize_bias(bias: f64, scale: f32, wide: bool) -> i64 {
    let rounded = (bias / f64::from(scale)).round_ties_even();
    // The cast saturates, and NaN becomes 0.
    if wide { rounded as i64 } else { i64::from(rounded as i32) }
}

/// `(q − zero_point)·scale` (DequantizeLinear).
#[inline]
#[must_use]
pub fn dequantize(q: i32, scale: f32, zero_point: i32) -> f32 {
    (q - zero_point) as f32 * scale
}

/// The average of a window as QLinearAveragePool computes it: elements are dequantized and summed in f32 in
/// row-major order of the window, divided by the count, then by the output's scale; the zero point is added
/// before rounding.
#[derive(Debug, Clone, Copy, Default)]
pub struct Average {
    sum: f32,
}

impl Average {
    /// Adds one element, already dequantized.
    #[inline]
    pub fn take(&mut self, x: f32) {
        self.sum += x;
    }

    /// The result over `count` positions; a window without any position is the zero point.
    #[inline]
    #[must_use]
    pub fn finish(self, count: u32, scale: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
        if count == 0 {
            return zero_point.clamp(clamp[0], clamp[1]);
        }
        round(self.sum / count as f32 / scale + zero_point as f32, clamp)
    }
}

/// `f32(acc)·m`: an accumulator as a float. Every NaN has the same bits.
#[inline]
#[must_use]
pub fn scale_sum(acc: i64, m: f32) -> f32 {
    lane::canonical(acc as f32 * m)
}

/// Adds a sum to an accumulator in two's complement; returns whether it wrapped.
#[inline]
#[must_use]
pub fn accumulate(acc: i32, sum: i32) -> (i32, bool) {
    acc.overflowing_add(sum)
}

/// [`accumulate`] in 64 bits.
#[inline]
#[must_use]
pub fn accumulate_wide(acc: i64, sum: i64) -> (i64, bool) {
    acc.overflowing_add(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const U8: [i32; 2] = [0, 255];
    const S8: [i32; 2] = [-128, 127];

    #[test]
    fn ties_go_to_the_even_neighbour_before_the_zero_point() {
        assert_eq!([1, 3, 5, -1, -3].map(|a| requantize(a, 0.5, 7, U8)), [7, 9, 9, 7, 5]);
        // QLinearMul rounds after adding the zero point, so an odd one moves the ties.
        assert_eq!([1, 3, 5].map(|p| mul(p, 0.5, 7, U8)), [8, 8, 10]);
    }

    #[test]
    fn rounding_is_to_even_and_clamped() {
        for value in [
            -3.5_f32,
            -2.5,
            -0.5,
            -0.0,
            0.5,
            1.5,
            2.500_000_2,
            1e30,
            f32::NEG_INFINITY,
            f32::NAN,
            65534.5,
            4_194_303.5,
        ] {
            for clamp in [[-3, 2], [0, 255], [-65535, 65535], [-(1 << 22), 1 << 22]] {
                assert_eq!(round(value, clamp), saturate(value.round_ties_even(), clamp), "{value}");
            }
        }
        for value in (-66_000..66_000).map(|i| i as f32 * 0.5) {
            assert_eq!(round(value, S8), saturate(value.round_ties_even(), S8));
        }
    }

    #[test]
    fn a_product_of_operands_is_the_integer_product() {
        for a in [-65535, -32768, -4097, -1, 0, 3, 255, 40_001, 65535] {
            for b in [-65535, -20_011, -128, 1, 127, 65535] {
                let expected = mul(i64::from(a) * i64::from(b), 3.1e-6, 5, [-32768, 32767]);
                assert_eq!(mul_operands(a, b, 3.1e-6, 5, [-32768, 32767]), expected, "{a} · {b}");
            }
        }
    }

    #[test]
    fn a_wide_product_is_exact_and_rounded_once() {
        assert_eq!([1, 3, 5, -1, -3].map(|a| requantize_wide(a, 0.5, 7, U8)), [7, 9, 9, 7, 5]);
        // 2^24 + 1 is not an f32; its half is a tie that only the exact product finds.
        let scale = 1.0 / f32::from(1_u16 << 12) / f32::from(1_u16 << 11);
        assert_eq!(requantize_wide((1 << 24) + 1, scale, 0, [0, 65535]), 2);
        assert_eq!(requantize_wide((3 << 22) + 1, scale, 0, [0, 65535]), 2);
        assert_eq!(requantize_wide(3 << 22, scale, 0, [0, 65535]), 2);
        assert_eq!(requantize_wide(5 << 22, scale, 0, [0, 65535]), 2);
        assert_eq!(requantize_wide((5 << 22) + 1, scale, 0, [0, 65535]), 3);
        assert_eq!(requantize_wide(i64::MAX, f32::MAX, -5, [-32768, 32767]), 32767);
        assert_eq!(requantize_wide(i64::MIN, f32::MAX, -5, [-32768, 32767]), -32768);
        assert_eq!(requantize_wide(i64::MIN, f32::MIN_POSITIVE, 3, U8), 3);
        assert_eq!(requantize_wide(1, f32::NAN, 3, U8), requantize(1, f32::NAN, 3, U8));
    }

    #[test]
    fn wide_products_in_64_bits_are_those_in_128() {
        // The same number below and beyond the limit of the fast path.
        for acc in [0_i64, 1, -1, 12_345, -987_654_321, (1 << 37) + 1, (1 << 38) - 1, -(1 << 38) + 1] {
            for scale in [0.5, 0.25, 0.3, 1e-3, 7.7e-9, -0.01, 1e-12] {
                let quick = requantize_wide(acc, scale, 3, [-32768, 32767]);
                let slow = requantize_wide(acc << 20, scale / (1 << 20) as f32, 3, [-32768, 32767]);
                assert_eq!(quick, slow, "{acc} · {scale}");
            }
        }
    }

    #[test]
    fn everything_saturates() {
        assert_eq!(requantize(i32::MAX, 1e30, 255, U8), 255);
        assert_eq!(requantize(i32::MIN, 1e30, 255, U8), 0);
        assert_eq!(quantize(f32::NAN, 0.1, 5, S8), -128);
        assert_eq!((quantize(f32::INFINITY, 0.1, 5, S8), quantize(f32::NEG_INFINITY, 0.1, 5, U8)), (127, 0));
        assert_eq!(add(255, 255, 3.0, 3.0, 0.0, U8), 255);
    }

    #[test]
    fn accumulation_wraps_and_tells() {
        assert_eq!(accumulate(i32::MAX, 1), (i32::MIN, true));
        assert_eq!(accumulate(5, -7), (-2, false));
    }

    #[test]
    fn an_average_adds_its_zero_point_inside_the_rounding() {
        let mut a = Average::default();
        a.take(1.0);
        a.take(2.0);
        assert_eq!(a.finish(2, 1.0, 3, U8), 4);
        assert_eq!(Average::default().finish(0, 1.0, 3, U8), 3);
    }
}
