//! The inner loops, on contiguous slices.

use super::level::kernel;
use crate::isa::{EType, Float1, Float2};
use crate::numeric::{self, Average};

/// Output channels that one call of [`dot`] computes.
pub(super) const OC: usize = 16;
/// Pixels that one call of [`dot`] computes.
pub(super) const PIXELS: usize = 4;

/// What is computed of two elements.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sum {
    /// QLinearAdd, with [`AddCoefficients`](numeric::AddCoefficients) `ra`, `rb`, `c`.
    Add([f32; 3]),
    /// QLinearMul: zero points of the operands, multiplier, zero point of the result.
    Mul([i32; 2], f32, i32),
}

kernel! {
    /// `sum[p][o] = Σ(tap, i) activations[offsets[tap][p] + i] · weights[tap][i][o]`, `k` values of `i`. The sums fit 32
    /// bits, so they are added in any order.
    pub(super) fn dot(
        activations: &[i16],
        offsets: &[[usize; PIXELS]],
        k: usize,
        weights: &[i16],
    ) -> [[i32; OC]; PIXELS] {
        let mut sums = [[0_i32; OC]; PIXELS];
        for (at, tap) in offsets.iter().zip(weights.chunks_exact(k * OC)) {
            let rows = at.map(|o| &activations[o..o + k]);
            for (i, w) in tap.as_chunks::<OC>().0.iter().enumerate() {
                for p in 0..PIXELS {
                    let a = i32::from(rows[p][i]);
                    for o in 0..OC {
                        sums[p][o] = sums[p][o].wrapping_add(a * i32::from(w[o]));
                    }
                }
            }
        }
        sums
    }
}

kernel! {
    /// `sums[c] += values[c] − zero_point`.
    pub(super) fn sum_wide(sums: &mut [i64], values: &[i32], zero_point: i32) -> () {
        for (s, v) in sums.iter_mut().zip(values) {
            *s += i64::from(*v - zero_point);
        }
    }
}

kernel! {
    /// `to[o] = bias[o] − zero_point · sums[o]`; no bias for what lies beyond its end.
    pub(super) fn start_values(to: &mut [i32], sums: &[i32], zero_point: i32, bias: &[[u8; 4]]) -> () {
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = zero_point.wrapping_mul(*sum).wrapping_neg();
        }
        for (to, b) in to.iter_mut().zip(bias) {
            *to = to.wrapping_add(i32::from_le_bytes(*b));
        }
    }
}

kernel! {
    /// The largest bias without its sign; of a negative one, one less.
    pub(super) fn largest(bias: &[[u8; 4]]) -> i32 {
        bias.iter().fold(0, |largest: i32, b| {
            let b = i32::from_le_bytes(*b);
            largest.max(b ^ (b >> 31))
        })
    }
}

kernel! {
    /// Biases as integers, and the sign bit for those beyond ±`limit`.
    pub(super) fn watch(bias: &[[u8; 4]], limit: i32, to: &mut [i32], watched: &mut [i32]) -> () {
        for ((to, w), b) in to.iter_mut().zip(watched).zip(bias) {
            let b = i32::from_le_bytes(*b);
            *to = b;
            *w = if b > limit || b < -limit { i32::MIN } else { 0 };
        }
    }
}

kernel! {
    /// `sums[c] += a[c] · w[c]`.
    pub(super) fn multiply_add(sums: &mut [i32], a: &[i16], w: &[i16]) -> () {
        for ((s, a), w) in sums.iter_mut().zip(a).zip(w) {
            *s = s.wrapping_add(i32::from(*a) * i32::from(*w));
        }
    }
}

kernel! {
    /// Adds sums to start values; returns how many additions wrapped.
    pub(super) fn accumulate(start: &mut [i32], sums: &[i32]) -> u64 {
        let mut wraps = 0_u32;
        for (s, sum) in start.iter_mut().zip(sums) {
            let (value, wrapped) = numeric::accumulate(*s, *sum);
            *s = value;
            wraps += u32::from(wrapped);
        }
        u64::from(wraps)
    }
}

kernel! {
    /// Requantizes in place with one multiplier for each element.
    pub(super) fn requantize(values: &mut [i32], multipliers: &[f32], zero_point: i32, clamp: [i32; 2]) -> () {
        for (v, m) in values.iter_mut().zip(multipliers) {
            *v = numeric::requantize(*v, *m, zero_point, clamp);
        }
    }
}

#[cfg(target_arch = "aarch64")]
kernel! {
    /// The bytes of sums, with one multiplier for each.
    pub(super) fn requantize_bytes(
        to: &mut [u8],
        sums: &[i32],
        multipliers: &[f32],
        zero_point: i32,
        clamp: [i32; 2],
    ) -> () {
        for ((to, sum), m) in to.iter_mut().zip(sums).zip(multipliers) {
            *to = numeric::requantize(*sum, *m, zero_point, clamp) as u8;
        }
    }
}

kernel! {
    /// QLinearAdd; the result replaces `a`.
    pub(super) fn add(a: &mut [i32], b: &[i32], c: [f32; 3], clamp: [i32; 2]) -> () {
        for (a, b) in a.iter_mut().zip(b) {
            *a = numeric::add(*a, *b, c[0], c[1], c[2], clamp);
        }
    }
}

kernel! {
    /// QLinearMul; the result replaces `a`.
    pub(super) fn mul(a: &mut [i32], b: &[i32], zeros: [i32; 2], m: f32, zero_point: i32, clamp: [i32; 2]) -> () {
        for (a, b) in a.iter_mut().zip(b) {
            *a = numeric::mul_operands(*a - zeros[0], *b - zeros[1], m, zero_point, clamp);
        }
    }
}

kernel! {
    /// The larger of two, into `best`.
    pub(super) fn max(best: &mut [i32], other: &[i32]) -> () {
        for (b, o) in best.iter_mut().zip(other) {
            *b = (*b).max(*o);
        }
    }
}

kernel! {
    /// The larger of two bytes, into `best`.
    pub(super) fn max_bytes(best: &mut [u8], other: &[u8], signed: bool) -> () {
        if signed {
            for (b, o) in best.iter_mut().zip(other) {
                *b = (*b as i8).max(*o as i8) as u8;
            }
        } else {
            for (b, o) in best.iter_mut().zip(other) {
                *b = (*b).max(*o);
            }
        }
    }
}

kernel! {
    /// `sums[c] += values[c] − zero_point`.
    pub(super) fn sum(sums: &mut [i32], values: &[i32], zero_point: i32) -> () {
        for (s, v) in sums.iter_mut().zip(values) {
            *s = s.wrapping_add(*v - zero_point);
        }
    }
}

kernel! {
    /// `sums[c] += bytes[c] − zero_point`.
    pub(super) fn sum_bytes(sums: &mut [i32], bytes: &[u8], signed: bool, zero_point: i32) -> () {
        if signed {
            for (s, b) in sums.iter_mut().zip(bytes) {
                *s = s.wrapping_add(i32::from(*b as i8) - zero_point);
            }
        } else {
            for (s, b) in sums.iter_mut().zip(bytes) {
                *s = s.wrapping_add(i32::from(*b) - zero_point);
            }
        }
    }
}

kernel! {
    /// `averages[c]` takes the dequantized `values[c]`.
    pub(super) fn average(averages: &mut [Average], values: &[i32], scale: f32, zero_point: i32) -> () {
        for (a, v) in averages.iter_mut().zip(values) {
            a.take(numeric::dequantize(*v, scale, zero_point));
        }
    }
}

kernel! {
    /// QuantizeLinear.
    pub(super) fn quantize(to: &mut [i32], from: &[f32], scale: f32, zero_point: i32, clamp: [i32; 2]) -> () {
        for (q, x) in to.iter_mut().zip(from) {
            *q = numeric::quantize(*x, scale, zero_point, clamp);
        }
    }
}

kernel! {
    /// `sums[o] += a · w[o]`.
    pub(super) fn scale_add_wide(sums: &mut [i64], a: i32, w: &[i32]) -> () {
        for (s, w) in sums.iter_mut().zip(w) {
            *s = s.wrapping_add(i64::from(a) * i64::from(*w));
        }
    }
}

kernel! {
    /// `sums[c] += a[c] · w[c]`, where sums fit 32 bits.
    pub(super) fn multiply_add_words(sums: &mut [i32], a: &[i32], w: &[i32]) -> () {
        for ((s, a), w) in sums.iter_mut().zip(a).zip(w) {
            *s = s.wrapping_add(a.wrapping_mul(*w));
        }
    }
}

kernel! {
    /// `sums[c] += a[c] · w[c]`.
    pub(super) fn multiply_add_wide(sums: &mut [i64], a: &[i32], w: &[i32]) -> () {
        for ((s, a), w) in sums.iter_mut().zip(a).zip(w) {
            *s = s.wrapping_add(i64::from(*a) * i64::from(*w));
        }
    }
}

kernel! {
    /// Adds sums to start values; returns how many additions wrapped.
    pub(super) fn accumulate_wide(start: &mut [i64], sums: &[i64]) -> u64 {
        let mut wraps = 0;
        for (s, sum) in start.iter_mut().zip(sums) {
            let (value, wrapped) = numeric::accumulate_wide(*s, *sum);
            *s = value;
            wraps += u64::from(wrapped);
        }
        wraps
    }
}

kernel! {
    /// Integers of 8 or 16 bits.
    pub(super) fn widen(bytes: &[u8], etype: EType, to: &mut [i32]) -> () {
        let words = bytes.as_chunks().0;
        match etype {
            EType::U8 => to.iter_mut().zip(bytes).for_each(|(t, b)| *t = i32::from(*b)),
            EType::S8 => to.iter_mut().zip(bytes).for_each(|(t, b)| *t = i32::from(*b as i8)),
            EType::U16 => to.iter_mut().zip(words).for_each(|(t, b)| *t = i32::from(u16::from_le_bytes(*b))),
            _ => to.iter_mut().zip(words).for_each(|(t, b)| *t = i32::from(i16::from_le_bytes(*b))),
        }
    }
}

kernel! {
    /// Integers that fit 8 or 16 bits, to `size` bytes each.
    pub(super) fn narrow(bytes: &mut [u8], size: usize, values: &[i32]) -> () {
        if size == 1 {
            bytes.iter_mut().zip(values).for_each(|(b, v)| *b = *v as u8);
        } else {
            let words = bytes.as_chunks_mut().0;
            words.iter_mut().zip(values).for_each(|(b, v)| *b = (*v as u16).to_le_bytes());
        }
    }
}

kernel! {
    /// DequantizeLinear with one multiplier for each element.
    pub(super) fn dequantize(to: &mut [f32], values: &[i32], zero_point: i32, multipliers: &[f32]) -> () {
        for ((t, v), m) in to.iter_mut().zip(values).zip(multipliers) {
            // Differences of 17 bits are exact in f32 either way.
            *t = numeric::scale_sum(i64::from(*v - zero_point), *m);
        }
    }
}

kernel! {
    /// A function of each float.
    pub(super) fn float1(values: &mut [f32], op: Float1) -> () {
        // One loop for each operation, so that the simple ones vectorize.
        macro_rules! each {
            ($($op:ident)*) => {
                match op {
                    $(Float1::$op => values.iter_mut().for_each(|x| *x = numeric::float1(Float1::$op, *x)),)*
                }
            };
        }
        each!(Neg Abs Sqrt Exp Log Erf Tanh Sigmoid Sin Cos Floor Ceil Round)
    }
}

kernel! {
    /// A function of two floats; the result replaces `a`.
    pub(super) fn float2(a: &mut [f32], b: &[f32], op: Float2) -> () {
        macro_rules! each {
            ($($op:ident)*) => {
                match op {
                    $(Float2::$op => {
                        a.iter_mut().zip(b).for_each(|(x, y)| *x = numeric::float2(Float2::$op, *x, *y));
                    })*
                }
            };
        }
        each!(Add Sub Mul Div Min Max Pow)
    }
}

kernel! {
    /// Words as their low and high bytes; `flip` changes the high ones.
    pub(super) fn split(words: &[u8], low: &mut [u8], high: &mut [u8], flip: u8) -> () {
        for ((l, h), w) in low.iter_mut().zip(high).zip(words.as_chunks::<2>().0) {
            let w = u16::from_le_bytes(*w);
            *l = w as u8;
            *h = (w >> 8) as u8 ^ flip;
        }
    }
}

kernel! {
    /// Four rows of elements of one or two bytes, element by element: the first of each, then the second of each.
    pub(super) fn interleave(rows: [&[u8]; 4], size: usize, to: &mut [u8]) -> () {
        let [a, b, c, d] = rows;
        if size == 1 {
            let rows = a.iter().zip(b).zip(c).zip(d);
            for (t, (((a, b), c), d)) in to.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
                *t = [*a, *b, *c, *d];
            }
        } else {
            let [a, b, c, d] = [a, b, c, d].map(|p| p.as_chunks::<2>().0);
            let rows = a.iter().zip(b).zip(c).zip(d);
            for (t, (((a, b), c), d)) in to.as_chunks_mut::<8>().0.iter_mut().zip(rows) {
                *t = [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]];
            }
        }
    }
}

kernel! {
    /// The sum of unsigned bytes.
    pub(super) fn byte_sum(bytes: &[u8]) -> i32 {
        bytes.iter().map(|b| i32::from(*b)).fold(0, i32::wrapping_add)
    }
}

kernel! {
    /// Adds signed packed weights, rows of four for each of `sums.len()` channels, up for each channel.
    pub(super) fn sum_quads(rows: &[u8], sums: &mut [i32]) -> () {
        for row in rows.chunks_exact(sums.len() * 4) {
            for (sum, w) in sums.iter_mut().zip(row.as_chunks::<4>().0) {
                *sum += w.iter().map(|w| i32::from(*w as i8)).sum::<i32>();
            }
        }
    }
}
