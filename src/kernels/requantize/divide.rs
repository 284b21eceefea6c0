//! Division of many floats by one: multiplication by its inverse, then a correction. A vector division takes
//! sixteen cycles, a multiplication one.
//!
//! With `y + e = 1/s`, both floats, `q = x·y + x·e` as a fused operation is less than a unit in its last
//! place off `x/s`. The remainder `x − q·s` is a float, and a fused operation gives it exactly. Then
//! `q + (x − q·s)·y` is the quotient as division rounds it (P. W. Markstein, Computation of elementary
//! functions on the IBM RISC System/6000 processor, IBM J. Res. Dev. 34, 1990). That holds as long as nothing
//! overflows or is denormal: for 2^−40 ≤ s ≤ 2^40 and 2^−80 ≤ |x| ≤ 2^80.

#![cfg_attr(test, expect(unsafe_code, reason = "tests load and store vectors"))]

use std::arch::x86_64::*;

/// Replaces every NaN by the canonical one of [`numeric`](crate::numeric), in integers, as there.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn canonical(x: __m512) -> __m512 {
    let magnitude = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MAX));
    let nan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f80_0000));
    _mm512_castsi512_ps(_mm512_mask_mov_epi32(_mm512_castps_si512(x), nan, _mm512_set1_epi32(0x7fc0_0000)))
}

/// A divisor and its inverse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor {
    s: __m512,
    inverse: __m512,
    /// The rounding error of the inverse.
    rest: __m512,
    /// Whether it is in the range in which the correction is exact.
    tame: bool,
}

impl Divisor {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(crate) fn new(s: f32) -> Divisor {
        let inverse = 1.0 / s;
        let rest = (1.0 / f64::from(s) - f64::from(inverse)) as f32;
        Divisor {
            s: _mm512_set1_ps(s),
            inverse: _mm512_set1_ps(inverse),
            rest: _mm512_set1_ps(rest),
            tame: (2_f32.powi(-40)..=2_f32.powi(40)).contains(&s),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn corrected(&self, x: __m512) -> __m512 {
        let q = _mm512_fmadd_ps(x, self.inverse, _mm512_mul_ps(x, self.rest));
        _mm512_fmadd_ps(_mm512_fnmadd_ps(q, self.s, x), self.inverse, q)
    }

    /// `x / s`, exact in every bit; every NaN is the canonical one.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(crate) fn quotient(&self, x: __m512) -> __m512 {
        let bits = _mm512_castps_si512(x);
        let nonzero = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(i32::MAX));
        // Exponents from 127 − 80 to 127 + 80: one comparison, without the sign.
        let above = _mm512_sub_epi32(_mm512_slli_epi32::<1>(bits), _mm512_set1_epi32(47 << 24));
        let most = _mm512_set1_epi32((160_u32 << 24) as i32);
        if !self.tame || _mm512_mask_cmpgt_epu32_mask(nonzero, above, most) != 0 {
            return canonical(_mm512_div_ps(x, self.s));
        }
        // A zero keeps its sign: `s` is positive.
        _mm512_mask_blend_ps(nonzero, x, self.corrected(x))
    }
}

/// A quantization: quotients, rounded to integers between two bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantizer {
    by: Divisor,
    /// The bounds, and the bounds times the divisor.
    bounds: [__m512; 2],
    multiples: [__m512; 2],
}

impl Quantizer {
    /// `bounds` are below 2^20.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(crate) fn new(s: f32, bounds: [i32; 2]) -> Quantizer {
        let by = Divisor::new(s);
        let [lo, hi] = [bounds[0] as f32, bounds[1] as f32];
        Quantizer {
            by,
            bounds: [_mm512_set1_ps(lo), _mm512_set1_ps(hi)],
            multiples: [_mm512_set1_ps(lo * s), _mm512_set1_ps(hi * s)],
        }
    }

    /// `x / s`, rounded to integers, ties to even, and clamped; the lower bound for NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(crate) fn integers(&self, x: __m512) -> __m512i {
        if self.by.tame {
            // A bound times `s`, divided by `s`, rounds to the bound, and no x on this side of it rounds to
            // less. So x can be clamped instead of the quotient, and nothing overflows. Below 2^−80,
            // quotients round to 0 whatever precision they lose.
            let x = _mm512_min_ps(_mm512_max_ps(x, self.multiples[0]), self.multiples[1]);
            return _mm512_cvtps_epi32(self.by.corrected(x));
        }
        let q = _mm512_div_ps(x, self.by.s);
        _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(q, self.bounds[0]), self.bounds[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quotients of sixteen floats, and what they are quantized to.
    #[target_feature(enable = "avx512f,avx512dq")]
    fn both(x: &[f32; 16], s: f32, bounds: [i32; 2]) -> ([f32; 16], [i32; 16]) {
        let mut of = ([0.0; 16], [0; 16]);
        // SAFETY: sixteen elements each are read and written.
        unsafe {
            let x = _mm512_loadu_ps(x.as_ptr());
            _mm512_storeu_ps(of.0.as_mut_ptr(), Divisor::new(s).quotient(x));
            _mm512_storeu_si512(of.1.as_mut_ptr().cast(), Quantizer::new(s, bounds).integers(x));
        }
        of
    }

    #[test]
    fn quotients_are_those_of_division() {
        if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")) {
            return;
        }
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u32
        };
        let corners =
            [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, 1e-45, f32::MAX];
        for round in 0..200_000 {
            let any = f32::from_bits(next());
            // Scales as in networks, any others, and those whose inverse is hard to round.
            let s = match round % 4 {
                0 => any,
                1 => f32::from_bits((next() & 0x7f_ffff) | (100 + next() % 40) << 23),
                2 => [1.0, 3.0, 6.0, 0.1, 1.0 / 255.0, f32::from_bits(0x3fff_ffff)][next() as usize % 6],
                _ => 2_f32.powi(next() as i32 % 80 - 40),
            };
            let mut x = [0.0; 16];
            for (i, x) in x.iter_mut().enumerate() {
                *x = match (round + i) % 5 {
                    0 => f32::from_bits(next()),
                    // Near the middle of two integers.
                    1 | 2 => ((next() % 70_000) as f32 - 35_000.5) * s,
                    3 if round % 7 == 0 => corners[next() as usize % corners.len()],
                    _ => f32::from_bits((next() & 0x807f_ffff) | (110 + next() % 34) << 23),
                };
            }
            let bounds =
                [[0, 65_535], [-30_000, 35_535], [-128, 127], [5, 250], [-32_768, 32_767]][round % 5];
            // SAFETY: the CPU has the features.
            let (exact, integers) = unsafe { both(&x, s, bounds) };
            for ((x, exact), integer) in x.iter().zip(exact).zip(integers) {
                let q = x / s;
                assert!(exact.to_bits() == q.to_bits() || q.is_nan() && exact.is_nan(), "{x:e} / {s:e}");
                let [lo, hi] = bounds.map(|b| b as f32);
                let expected = if q.is_nan() { bounds[0] } else { q.round_ties_even().clamp(lo, hi) as i32 };
                assert_eq!(integer, expected, "{x:e} / {s:e} within {bounds:?}");
            }
        }
    }
}
