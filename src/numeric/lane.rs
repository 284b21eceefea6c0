//! Functions of f32 of the vector unit, and the softmax of integers.
//!
//! Arithmetic, square root and roundings are IEEE-754 operations. The transcendental functions are computed
//! in f64 by a library in plain arithmetic and rounded to f32, so that every machine computes the same bits.
//! Every NaN result has the same bits.

use super::rounding::round;
use crate::isa::{Float1, Float2, Fold};

/// Every NaN becomes the one with the bits `0x7fc00000`. In integers: the compiler treats all NaNs as equal,
/// and would remove a comparison of floats.
#[inline]
pub(super) fn canonical(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7fff_ffff > 0x7f80_0000 { 0x7fc0_0000 } else { bits })
}

/// A function in f64, rounded to f32.
#[inline]
fn wide(x: f32, f: impl Fn(f64) -> f64) -> f32 {
    f(f64::from(x)) as f32
}

/// `op(x)`.
#[inline]
#[must_use]
pub fn float1(op: Float1, x: f32) -> f32 {
    canonical(match op {
        Float1::Neg => -x,
        Float1::Abs => x.abs(),
        Float1::Sqrt => x.sqrt(),
        Float1::Exp => wide(x, libm::exp),
        Float1::Log => wide(x, libm::log),
        Float1::Erf => wide(x, libm::erf),
        Float1::Tanh => wide(x, libm::tanh),
        Float1::Sigmoid => wide(x, |x| 1.0 / (1.0 + libm::exp(-x))),
        Float1::Sin => wide(x, libm::sin),
        Float1::Cos => wide(x, libm::cos),
        Float1::Floor => x.floor(),
        Float1::Ceil => x.ceil(),
        Float1::Round => x.round_ties_even(),
    })
}

/// `op(a, b)`. Minimum and maximum are decided by one comparison, so that zeros and NaN behave the same
/// everywhere: `a < b ? a : b`, `a > b ? a : b`.
#[inline]
#[must_use]
pub fn float2(op: Float2, a: f32, b: f32) -> f32 {
    canonical(match op {
        Float2::Add => a + b,
        Float2::Sub => a - b,
        Float2::Mul => a * b,
        Float2::Div => a / b,
        Float2::Min => {
            if a < b {
                a
            } else {
                b
            }
        }
        Float2::Max => {
            if a > b {
                a
            } else {
                b
            }
        }
        Float2::Pow => libm::pow(f64::from(a), f64::from(b)) as f32,
    })
}

/// Reduces a row, from the first element to the last.
#[must_use]
pub fn fold(op: Fold, row: &[f32]) -> f32 {
    let op = match op {
        Fold::Sum => Float2::Add,
        Fold::Max => Float2::Max,
        Fold::Min => Float2::Min,
    };
    let mut rest = row.iter();
    let first = canonical(rest.next().copied().unwrap_or(0.0));
    rest.fold(first, |so_far, x| float2(op, so_far, *x))
}

/// The table of a quantized softmax over rows of `length` elements (ONNX Runtime's QLinearSoftmax): entry
/// `255 − d` is `exp(−d·scale)` for an element `d` below the largest, all scaled up so that sums neither
/// vanish nor overflow; signed types index by the raw byte. The sum of a row stays `e⁵` below the largest
/// float, as in ONNX Runtime, and so does the product of the largest entry with the multiplier `m` of
/// [`softmax_value`] if that is the tighter bound.
#[must_use]
pub fn softmax_table(scale: f32, length: usize, signed: bool, m: f32) -> [f32; 256] {
    let scale = f64::from(scale);
    let room = libm::log(f64::from(f32::MAX / length as f32));
    let headroom = (libm::log(f64::from(m.max(1.0)) / length as f64) + 1.0).max(5.0);
    let shift = (room - headroom).max(0.0) / scale;
    let mut table = [0.0; 256];
    for i in 0..256_i32 {
        let value = libm::exp((f64::from(i) - 255.0 + shift) * scale);
        let at = if signed { (i - 128) as u8 } else { i as u8 };
        table[usize::from(at)] = value as f32;
    }
    table
}

/// The sum of a row's entries, from the first to the last.
#[must_use]
pub fn softmax_sum(entries: impl Iterator<Item = f32>) -> f32 {
    let sum = entries.fold(0.0, |sum, e| sum + e);
    if sum == 0.0 { 1.0 } else { sum }
}

/// `sat(rne(e·m / sum) + zy)`.
#[inline]
#[must_use]
pub fn softmax_value(e: f32, m: f32, sum: f32, zero_point: i32, clamp: [i32; 2]) -> i32 {
    round(e * m / sum, [clamp[0] - zero_point, clamp[1] - zero_point]) + zero_point
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_nan_for_all() {
        // Hidden from the compiler, which evaluates constants with a NaN of its own.
        let [one, zero] = [-1.0, 0.0].map(std::hint::black_box);
        let bits = [float1(Float1::Log, one), float1(Float1::Sqrt, one), float2(Float2::Div, zero, zero)];
        assert!(bits.iter().all(|x| x.to_bits() == 0x7fc0_0000));
        assert!(float2(Float2::Max, 1.0, f32::NAN).is_nan() && float2(Float2::Max, f32::NAN, 1.0) == 1.0);
    }

    #[test]
    fn a_softmax_with_a_tiny_output_scale_does_not_overflow() {
        for (length, m) in [(1, 149.0), (8, 1e4), (17, 3908.0), (1000, 1e9), (2, f32::MAX)] {
            let table = softmax_table(7e-4, length, false, m);
            let sum = softmax_sum((0..length).map(|_| table[255]));
            let got = softmax_value(table[255], m, sum, 0, [0, 1 << 21]);
            let want = (m / length as f32).min((1 << 21) as f32);
            assert!(
                (got as f32 - want).abs() <= want * 1e-5 + 0.5,
                "{length} elements, m {m}: {got}, not {want}"
            );
        }
    }

    #[test]
    fn functions_are_the_nearest_floats() {
        assert_eq!(float1(Float1::Exp, 1.0), std::f32::consts::E);
        assert_eq!(float1(Float1::Sigmoid, 0.0), 0.5);
        assert_eq!(float1(Float1::Round, 2.5), 2.0);
        assert_eq!(float2(Float2::Pow, 2.0, 0.5), std::f32::consts::SQRT_2);
        assert_eq!(fold(Fold::Sum, &[1.0, 2.0, 3.5]), 6.5);
        assert_eq!(fold(Fold::Max, &[1.0, 7.0, 3.5]), 7.0);
    }
}
