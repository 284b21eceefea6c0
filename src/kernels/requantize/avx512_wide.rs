//! Requantization of 64-bit accumulators on 512 bits.
//!
//! The product of an accumulator and a multiplier is rounded once, to an integer. A fused multiply-add does
//! that: it adds 3·2^51 to the exact product, and the f64 nearest to the sum, between 2^52 and 2^53, is an
//! integer whose low bits are the product's. 3·2^51 is even, so ties are decided as for the product alone.
//! This needs accumulators that f64 holds exactly, below 2^53; others are computed by [`numeric`], element by
//! element.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::multipliers::Multipliers;
use crate::kernels::epilogue::Bounds;
use crate::kernels::line::Line;
use crate::kernels::view::{View, ViewMut};
use crate::numeric;

/// Added to a product to round it to an integer.
const INTEGERS: f64 = 3.0 * (1_u64 << 51) as f64;

/// Vector constants of a requantization.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exact {
    integers: __m512d,
    lo: __m512d,
    hi: __m512d,
    zero: __m512i,
    /// The bounds of results.
    least: __m512i,
    most: __m512i,
    /// The low halves of the elements of two vectors.
    halves: __m512i,
}

impl Exact {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn new(b: Bounds) -> Exact {
        Exact {
            integers: _mm512_set1_pd(INTEGERS),
            lo: _mm512_set1_pd(INTEGERS + f64::from(b.clamp[0] - b.zero_point)),
            hi: _mm512_set1_pd(INTEGERS + f64::from(b.clamp[1] - b.zero_point)),
            zero: _mm512_set1_epi32(b.zero_point),
            least: _mm512_set1_epi32(b.clamp[0]),
            most: _mm512_set1_epi32(b.clamp[1]),
            halves: _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
        }
    }

    /// The results of sixteen accumulators below 2^53 and their finite multipliers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn round(&self, a: [__m512d; 2], by: [__m512d; 2]) -> __m512i {
        // No closures here: they would be compiled without the features.
        let first = _mm512_fmadd_pd(a[0], by[0], self.integers);
        let second = _mm512_fmadd_pd(a[1], by[1], self.integers);
        let first = _mm512_castpd_si512(_mm512_min_pd(_mm512_max_pd(first, self.lo), self.hi));
        let second = _mm512_castpd_si512(_mm512_min_pd(_mm512_max_pd(second, self.lo), self.hi));
        _mm512_add_epi32(_mm512_permutex2var_epi32(first, self.halves, second), self.zero)
    }

    /// As [`round`](Exact::round), where no product exceeds 2^30: clamping 32-bit integers takes half as many
    /// instructions.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn round_small(&self, a: [__m512d; 2], by: [__m512d; 2]) -> __m512i {
        let first = _mm512_castpd_si512(_mm512_fmadd_pd(a[0], by[0], self.integers));
        let second = _mm512_castpd_si512(_mm512_fmadd_pd(a[1], by[1], self.integers));
        let all = _mm512_add_epi32(_mm512_permutex2var_epi32(first, self.halves, second), self.zero);
        _mm512_min_epi32(_mm512_max_epi32(all, self.least), self.most)
    }
}

/// `dst[row][i] ← requantize_wide(acc[row][i], by[i])`, accumulators and results of the given sizes in bytes;
/// false, and nothing is written, if something lies outside.
pub(crate) fn requantize(
    (acc, from, acc_size): (View<'_>, Line, usize),
    (mut dst, to, size): (ViewMut<'_>, Line, usize),
    rows: usize,
    by: &Multipliers,
    bounds: Bounds,
) -> bool {
    let n = by.single.len();
    let known = matches!(acc_size, 4 | 8) && matches!(size, 1 | 2);
    if !known || !from.fits(rows, n * acc_size, acc.len()) || !to.fits(rows, n * size, dst.len()) {
        return false;
    }
    let kernel = match (acc_size, size) {
        (8, 2) => requantize_rows::<true, true>,
        (8, _) => requantize_rows::<true, false>,
        (_, 2) => requantize_rows::<false, true>,
        _ => requantize_rows::<false, false>,
    };
    // SAFETY: AVX-512 was detected, else this module is not called; rows lie inside the slices.
    unsafe {
        let (acc, dst) = (acc.as_ptr().add(from.first), dst.as_mut_ptr().add(to.first));
        kernel((acc, from.stride), (dst, to.stride), rows, by, bounds);
    }
    true
}

/// # Safety
/// The CPU has the features; rows of as many elements as multipliers can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn requantize_rows<const WIDE: bool, const WORDS: bool>(
    (acc, acc_stride): (*const u8, usize),
    (dst, dst_stride): (*mut u8, usize),
    rows: usize,
    by: &Multipliers,
    b: Bounds,
) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let n = by.single.len();
        let exact = Exact::new(b);
        for row in 0..rows {
            let (acc, dst) = (acc.add(row * acc_stride), dst.add(row * dst_stride));
            let mut i = 0;
            while i < n {
                let mask = if n - i >= 16 { u16::MAX } else { (1 << (n - i)) - 1 };
                let a = if WIDE {
                    let at = acc.cast::<i64>().add(i);
                    let second = _mm512_maskz_loadu_epi64((mask >> 8) as u8, at.wrapping_add(8));
                    [_mm512_maskz_loadu_epi64(mask as u8, at), second]
                } else {
                    let all = _mm512_maskz_loadu_epi32(mask, acc.cast::<i32>().add(i));
                    let second = _mm512_extracti64x4_epi64::<1>(all);
                    [_mm512_cvtepi32_epi64(_mm512_castsi512_si256(all)), _mm512_cvtepi32_epi64(second)]
                };
                let m = [
                    _mm512_loadu_pd(by.double.as_ptr().add(i)),
                    _mm512_loadu_pd(by.double.as_ptr().add(i + 8)),
                ];
                let sum = if held(a) {
                    exact.round([_mm512_cvtepi64_pd(a[0]), _mm512_cvtepi64_pd(a[1])], m)
                } else {
                    enormous(a, by.single.get(i..).unwrap_or_default(), b)
                };
                if WORDS {
                    _mm256_mask_storeu_epi16(dst.cast::<i16>().add(i), mask, _mm512_cvtepi32_epi16(sum));
                } else {
                    _mm_mask_storeu_epi8(dst.cast::<i8>().add(i), mask, _mm512_cvtepi32_epi8(sum));
                }
                i += 16;
            }
        }
    }
}

/// Whether f64 holds all values exactly: those between −2^53 and 2^53, which have no higher bits after adding
/// 2^53.
#[inline]
#[target_feature(enable = "avx512f")]
fn held(a: [__m512i; 2]) -> bool {
    let shift = _mm512_set1_epi64(1 << 53);
    let both = _mm512_or_si512(_mm512_add_epi64(a[0], shift), _mm512_add_epi64(a[1], shift));
    _mm512_test_epi64_mask(both, _mm512_set1_epi64(-1 << 54)) == 0
}

/// The results for any sixteen accumulators, one by one.
#[target_feature(enable = "avx512f")]
fn enormous(a: [__m512i; 2], by: &[f32], b: Bounds) -> __m512i {
    let mut values = [0_i64; 16];
    let mut results = [0_i32; 16];
    // SAFETY: eight values each are written, and sixteen read.
    unsafe {
        _mm512_storeu_si512(values.as_mut_ptr().cast(), a[0]);
        _mm512_storeu_si512(values.as_mut_ptr().add(8).cast(), a[1]);
        for ((r, v), m) in results.iter_mut().zip(values).zip(by) {
            *r = numeric::requantize_wide(v, *m, b.zero_point, b.clamp);
        }
        _mm512_loadu_si512(results.as_ptr().cast())
    }
}
