//! Division of many floats by one: by its inverse, and corrected. A vector is divided in sixteen cycles, and multiplied in one.
//!
//! With `y = 1/s` rounded, `q = x·y` is less than two units in its last place off `x/s`. The remainder `x − q·s` is a float, and
//! a fused operation gives it exactly. `q + (x − q·s)·y` is less than a unit off, and the same once more is the quotient as division
//! rounds it (P. W. Markstein, Computation of elementary functions on the IBM RISC System/6000 processor, IBM J. Res. Dev. 34,
//! 1990). That holds as long as nothing overflows or is denormal: for 2^−40 ≤ |s| ≤ 2^40 and 2^−80 ≤ |x| ≤ 2^80.

#![cfg_attr(test, expect(unsafe_code, reason = "tests load and store vectors"))]

use std::arch::x86_64::*;

/// What is divided by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Divisor {
    s: __m512,
    inverse: __m512,
    /// In range.
    tame: bool,
}

impl Divisor {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn new(s: f32) -> Divisor {
        let tame = (2_f32.powi(-40)..=2_f32.powi(40)).contains(&s.abs());
        Divisor { s: _mm512_set1_ps(s), inverse: _mm512_set1_ps(1.0 / s), tame }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn corrected(&self, x: __m512, q: __m512) -> __m512 {
        let q = _mm512_fmadd_ps(_mm512_fnmadd_ps(q, self.s, x), self.inverse, q);
        _mm512_fmadd_ps(_mm512_fnmadd_ps(q, self.s, x), self.inverse, q)
    }

    /// `x / s`, every bit of it.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn quotient(&self, x: __m512) -> __m512 {
        let size = _mm512_abs_ps(x);
        let zero = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(size, _mm512_setzero_ps());
        let tame = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(size, _mm512_set1_ps(2_f32.powi(-80)))
            & _mm512_cmp_ps_mask::<_CMP_LE_OQ>(size, _mm512_set1_ps(2_f32.powi(80)));
        if !self.tame || zero | tame != u16::MAX {
            return _mm512_div_ps(x, self.s);
        }
        let q = _mm512_mul_ps(x, self.inverse);
        // A zero keeps its sign.
        _mm512_mask_blend_ps(zero, self.corrected(x, q), q)
    }

    /// What rounds to the same integer as `x / s`, if that is less than 2^23, else something as large; NaN for NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn nearly(&self, x: __m512) -> __m512 {
        if !self.tame {
            return _mm512_div_ps(x, self.s);
        }
        // Below 2^−80, quotients are below 2^−40 whatever digits they lose.
        let q = _mm512_mul_ps(x, self.inverse);
        let small = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(q), _mm512_set1_ps(2_f32.powi(24)));
        _mm512_mask_blend_ps(small, q, self.corrected(x, q))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both quotients of sixteen floats.
    #[target_feature(enable = "avx512f,avx512dq")]
    fn both(x: &[f32; 16], s: f32) -> [[f32; 16]; 2] {
        let d = Divisor::new(s);
        let mut of = [[0.0; 16]; 2];
        // SAFETY: sixteen floats each are read and written.
        unsafe {
            let x = _mm512_loadu_ps(x.as_ptr());
            _mm512_storeu_ps(of[0].as_mut_ptr(), d.quotient(x));
            _mm512_storeu_ps(of[1].as_mut_ptr(), d.nearly(x));
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
            // Scales of networks, any others, and those whose inverse is hard to round.
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
            // SAFETY: the CPU has the features.
            let [exact, nearly] = unsafe { both(&x, s) };
            for ((x, exact), nearly) in x.iter().zip(exact).zip(nearly) {
                let q = x / s;
                assert!(exact.to_bits() == q.to_bits() || q.is_nan() && exact.is_nan(), "{x:e} / {s:e}");
                let large =
                    q.abs() >= 8_388_608.0 && nearly.abs() >= 8_388_607.0 && (q > 0.0) == (nearly > 0.0);
                let same = q.round_ties_even() == nearly.round_ties_even();
                assert!(same || large || q.is_nan() && nearly.is_nan(), "{x:e} / {s:e}: nearly {nearly:e}");
            }
        }
    }
}
