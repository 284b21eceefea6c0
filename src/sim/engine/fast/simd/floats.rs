//! The f32 lane on 512 bits: functions of two floats, sixteen at a time, with the results of
//! [`numeric::float2`](crate::numeric::float2).

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::round::tail;
use crate::isa::Float2;

/// Many floats divided by one: the quotients of a division, at a third of its time.
///
/// `x·(1/d)` in f64 is within 2^-51 of the quotient, relatively. Rounding it to f32 gives what rounding the quotient gives unless a
/// middle of two f32 lies between them. A middle `m` has 25 significant bits and is odd there, so `m·d` has more than the 24 of
/// `x`: the quotient is no middle. And `x − m·d` is a multiple of the last place of that product of 25 by 24 bits, so that the
/// quotient is at least 2^-49 away from `m`, relatively. That is so for all results but those below the normal numbers, whose
/// middles have fewer bits. Zeros, infinities and NaN come out as from the division.
#[derive(Debug, Clone, Copy)]
pub(super) struct Divisor(__m512d);

impl Divisor {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new(d: f32) -> Divisor {
        Divisor(_mm512_set1_pd(1.0 / f64::from(d)))
    }

    /// The quotients of sixteen floats, those that are not below the normal numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn divide(self, x: __m512) -> __m512 {
        let (low, high) = (_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
        let low = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_cvtps_pd(low), self.0));
        let high = _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_cvtps_pd(high), self.0));
        _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
    }
}

/// Floats from a byte on, or one for all.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Floats {
    pub(in crate::sim::engine::fast) at: usize,
    pub(in crate::sim::engine::fast) one: bool,
}

/// `to ← op(a, b)` for `n` floats of one memory; false, and nothing done, if something lies outside, operands overlap the result
/// without being it, or there is no such kernel.
pub(in crate::sim::engine::fast) fn float2(
    memory: &mut [u8],
    to: usize,
    from: [Floats; 2],
    n: usize,
    op: Float2,
) -> bool {
    let end = |at: usize, n: usize| n.checked_mul(4)?.checked_add(at).filter(|end| *end <= memory.len());
    let Some(to_end) = end(to, n) else { return false };
    let fits = |f: &Floats| match end(f.at, if f.one { 1 } else { n }) {
        Some(from_end) => from_end <= to || to_end <= f.at || (f.at == to && !f.one),
        None => false,
    };
    if !from.iter().all(fits) {
        return false;
    }
    let base = memory.as_mut_ptr();
    // SAFETY: AVX-512 was detected, else this module is not called; all ranges lie inside the memory.
    unsafe {
        match op {
            Float2::Add => row::<ADD>(base, to, from, n),
            Float2::Sub => row::<SUB>(base, to, from, n),
            Float2::Mul => row::<MUL>(base, to, from, n),
            Float2::Div if from[1].one && !from[0].one => row::<SCALE>(base, to, from, n),
            Float2::Div => row::<DIV>(base, to, from, n),
            Float2::Min => row::<MIN>(base, to, from, n),
            Float2::Max => row::<MAX>(base, to, from, n),
            Float2::Pow => return false,
        }
    }
    true
}

const ADD: u8 = 0;
const SUB: u8 = 1;
const MUL: u8 = 2;
const DIV: u8 = 3;
const MIN: u8 = 4;
const MAX: u8 = 5;
/// A division of all by one.
const SCALE: u8 = 6;

/// # Safety
/// The CPU has the features; `n` floats, or one, can be read and written from their places on.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn row<const OP: u8>(base: *mut u8, to: usize, [a, b]: [Floats; 2], n: usize) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let to = base.add(to).cast::<f32>();
        let [from_a, from_b] = [base.add(a.at).cast::<f32>(), base.add(b.at).cast::<f32>()];
        let mut x = _mm512_set1_ps(if a.one { from_a.read_unaligned() } else { 0.0 });
        let mut y = _mm512_set1_ps(if b.one { from_b.read_unaligned() } else { 0.0 });
        let nan = _mm512_set1_ps(f32::NAN);
        let divisor = Divisor::new(if OP == SCALE { from_b.read_unaligned() } else { 1.0 });
        let (least, none) = (_mm512_set1_ps(f32::MIN_POSITIVE), _mm512_setzero_ps());
        for i in (0..n).step_by(16) {
            let mask = tail(n - i);
            if !a.one {
                x = _mm512_maskz_loadu_ps(mask, from_a.add(i));
            }
            if !b.one {
                y = _mm512_maskz_loadu_ps(mask, from_b.add(i));
            }
            let z = match OP {
                ADD => _mm512_add_ps(x, y),
                SUB => _mm512_sub_ps(x, y),
                MUL => _mm512_mul_ps(x, y),
                DIV => _mm512_div_ps(x, y),
                SCALE => {
                    let z = divisor.divide(x);
                    let small = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(z), least);
                    // Zeros are common, subnormal quotients are not.
                    let lost = _mm512_mask_cmp_ps_mask::<_CMP_NEQ_OQ>(small, x, none);
                    if lost == 0 { z } else { _mm512_div_ps(x, y) }
                }
                // The second operand where neither is less, as in the definition.
                MIN => _mm512_min_ps(x, y),
                _ => _mm512_max_ps(x, y),
            };
            let unordered = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(z, z);
            _mm512_mask_storeu_ps(to.add(i), mask, _mm512_mask_blend_ps(unordered, z, nan));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Floats of any bits, and quotients near the middle of two floats: those of products that are nearly short.
    #[test]
    fn quotients_are_those_of_the_division() {
        if !is_x86_feature_detected!("avx512dq") {
            return;
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bits = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE];
        let specials = special.map(f32::to_bits).into_iter().chain([1, 0x7f_ffff, 0x80_0001]);
        let mut divisors: Vec<u32> = specials.collect();
        let some = divisors.clone();
        divisors.extend((0..20_000).map(|i| match i % 4 {
            0 => bits(),
            // Mantissas of few bits, and of all.
            1 => 0x3f80_0000 | 1 << (bits() % 23),
            2 => 0x3fff_ffff - (1 << (bits() % 23)) + 1,
            _ => 0x3a00_0000 + (bits() >> 6),
        }));
        for d in divisors.into_iter().map(f32::from_bits) {
            let mut memory = vec![0_u8; 64 * 4];
            for (i, to) in memory.as_chunks_mut::<4>().0.iter_mut().take(16).enumerate() {
                let near = f64::from(f32::from_bits(0x3f80_0000 | bits() & 0x7f_ffff)) + 2_f64.powi(-24);
                let x = match i % 3 {
                    0 => f32::from_bits(bits()),
                    1 => (near * f64::from(d)) as f32,
                    _ => f32::from_bits(some[i % some.len()]),
                };
                *to = x.to_le_bytes();
            }
            memory[64..68].copy_from_slice(&d.to_le_bytes());
            let x: Vec<f32> =
                memory[..64].as_chunks().0.iter().map(|b: &[u8; 4]| f32::from_le_bytes(*b)).collect();
            let from = [Floats { at: 0, one: false }, Floats { at: 64, one: true }];
            assert!(float2(&mut memory, 128, from, 16, Float2::Div));
            for (x, got) in x.iter().zip(memory[128..192].as_chunks::<4>().0) {
                let (got, expected) = (f32::from_le_bytes(*got), x / d);
                let same = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
                assert!(same, "{x:e} / {d:e} = {expected:e}, not {got:e}");
            }
        }
    }
}
