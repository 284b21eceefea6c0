//! Accumulators of 64 bits on 512 bits: requantization, and sums of products of bytes joined to those of words.
//!
//! The product of an accumulator and a multiplier of 24 bits is rounded once. Below 2^29 it is exact in f64, so that the
//! conversion to an integer rounds it rightly. Below 2^53 a fused operation gives what the product in f64 lost, and that
//! decides ties; beyond, [`numeric`] does, element by element.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::finish::Bounds;
use super::round::Line;
use crate::numeric;

/// Multipliers as the kernel takes them: beside the given ones those in f64, a whole vector more.
#[derive(Debug, Default)]
pub(in crate::sim::engine::fast) struct Multipliers {
    single: Vec<f32>,
    double: Vec<f64>,
}

impl Multipliers {
    /// Takes multipliers; none if one is no finite number.
    pub(in crate::sim::engine::fast) fn take(&mut self, from: &[f32]) -> Option<()> {
        self.single.clear();
        self.single.extend_from_slice(from);
        self.double.clear();
        self.double.extend(from.iter().map(|m| f64::from(*m)));
        self.double.resize(from.len() + 16, 0.0);
        from.iter().all(|m| m.is_finite()).then_some(())
    }
}

/// `dst[row][i] ← requantize_wide(acc[row][i], by[i])`, accumulators and results of the given sizes in bytes; false if
/// something lies outside.
pub(in crate::sim::engine::fast) fn requantize(
    (acc, from, acc_size): (&[u8], Line, usize),
    (dst, to, size): (&mut [u8], Line, usize),
    rows: usize,
    by: &Multipliers,
    bounds: Bounds,
) -> bool {
    let n = by.single.len();
    if !(from.fits(rows, n * acc_size, acc.len()) && to.fits(rows, n * size, dst.len())) {
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
        let lo = _mm512_set1_pd(f64::from(b.clamp[0] - b.zero_point));
        let hi = _mm512_set1_pd(f64::from(b.clamp[1] - b.zero_point));
        let zero = _mm512_set1_epi32(b.zero_point);
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
                // No closures here: they would be compiled without the features.
                let rounded = if below::<29>(a) {
                    [exact(a[0], m[0], lo, hi), exact(a[1], m[1], lo, hi)]
                } else if below::<53>(a) {
                    [corrected(a[0], m[0], lo, hi), corrected(a[1], m[1], lo, hi)]
                } else {
                    enormous(a, by.single.get(i..).unwrap_or_default(), b)
                };
                let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(rounded[0]), rounded[1]);
                let sum = _mm512_add_epi32(both, zero);
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

/// Whether all values lie between −2^`BITS` and 2^`BITS`: shifted by that, they have no higher bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn below<const BITS: u32>(a: [__m512i; 2]) -> bool {
    let shift = _mm512_set1_epi64(1 << BITS);
    let both = _mm512_or_si512(_mm512_add_epi64(a[0], shift), _mm512_add_epi64(a[1], shift));
    _mm512_test_epi64_mask(both, _mm512_set1_epi64(-1 << (BITS + 1))) == 0
}

/// Rounded and clamped products, where f64 holds them exactly.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn exact(a: __m512i, m: __m512d, lo: __m512d, hi: __m512d) -> __m256i {
    let product = _mm512_mul_pd(_mm512_cvtepi64_pd(a), m);
    _mm512_cvtpd_epi32(_mm512_min_pd(_mm512_max_pd(product, lo), hi))
}

/// The same where f64 holds the accumulators exactly, but not the products: a product that seems to lie in the middle of two
/// integers lies where the rest says. Nothing else can change, as the middle itself is an f64.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn corrected(a: __m512i, m: __m512d, lo: __m512d, hi: __m512d) -> __m256i {
    let (a, nothing, one) = (_mm512_cvtepi64_pd(a), _mm512_setzero_pd(), _mm512_set1_pd(1.0));
    let product = _mm512_mul_pd(a, m);
    let lost = _mm512_fmsub_pd(a, m, product);
    let clamped = _mm512_min_pd(_mm512_max_pd(product, lo), hi);
    let near = _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(clamped);
    let rest = _mm512_sub_pd(clamped, near);
    let up = _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(rest, _mm512_set1_pd(0.5))
        & _mm512_cmp_pd_mask::<_CMP_GT_OQ>(lost, nothing);
    let down = _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(rest, _mm512_set1_pd(-0.5))
        & _mm512_cmp_pd_mask::<_CMP_LT_OQ>(lost, nothing);
    let near = _mm512_mask_add_pd(near, up, near, one);
    _mm512_cvtpd_epi32(_mm512_mask_sub_pd(near, down, near, one))
}

/// The same for any accumulators, one by one.
#[target_feature(enable = "avx512f")]
fn enormous(a: [__m512i; 2], by: &[f32], b: Bounds) -> [__m256i; 2] {
    let mut values = [0_i64; 16];
    let mut results = [0_i32; 16];
    // SAFETY: eight values each are written and read.
    unsafe {
        _mm512_storeu_si512(values.as_mut_ptr().cast(), a[0]);
        _mm512_storeu_si512(values.as_mut_ptr().add(8).cast(), a[1]);
        for ((r, v), m) in results.iter_mut().zip(values).zip(by) {
            *r = numeric::requantize_wide(v, *m, b.zero_point, b.clamp) - b.zero_point;
        }
        [_mm256_loadu_si256(results.as_ptr().cast()), _mm256_loadu_si256(results.as_ptr().add(8).cast())]
    }
}

/// What sums of 64 bits are added to.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) enum Start<'a> {
    /// Nothing.
    Zero,
    /// One value for each channel, little endian.
    Bias(&'a [[u8; 8]]),
    /// The present accumulators.
    Accumulate,
}

/// `to[p][o] ← start[o] + high[p][o]·256 + low[p][o] + add[o]` for `pixels` rows of `add.len()` channels, sums of 32 bits one
/// row after the other; gives how many additions to `start` wrapped, none if something lies outside.
pub(in crate::sim::engine::fast) fn join(
    (to, line): (&mut [u8], Line),
    [low, high]: [&[u8]; 2],
    pixels: usize,
    add: &[i64],
    start: Start,
) -> Option<u64> {
    let n = add.len();
    let start_fits = match start {
        Start::Bias(b) => b.len() >= n,
        Start::Zero | Start::Accumulate => true,
    };
    let sums = pixels.checked_mul(n * 4)?;
    if !line.fits(pixels, n * 8, to.len()) || low.len() < sums || high.len() < sums || !start_fits {
        return None;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; `n` elements of each pixel lie inside.
    Some(unsafe {
        let to = to.as_mut_ptr().add(line.first);
        join_rows((to, line.stride), [low.as_ptr(), high.as_ptr()], pixels, add, start)
    })
}

/// # Safety
/// The CPU has the features; as many elements as `add` has can be read of both sums and written for each pixel, and read from
/// `start`.
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
unsafe fn join_rows(
    (to, stride): (*mut u8, usize),
    [low, high]: [*const u8; 2],
    pixels: usize,
    add: &[i64],
    start: Start,
) -> u64 {
    let n = add.len();
    let mut wraps = 0;
    // SAFETY: as the function says; the last vector of a pixel is masked.
    unsafe {
        for pixel in 0..pixels {
            let to = to.add(pixel * stride).cast::<i64>();
            let low = low.add(pixel * n * 4).cast::<i32>();
            let high = high.add(pixel * n * 4).cast::<i32>();
            for i in (0..n).step_by(8) {
                let mask = if n - i >= 8 { u8::MAX } else { (1 << (n - i)) - 1 };
                let mut sum = _mm512_maskz_loadu_epi64(mask, add.as_ptr().add(i));
                sum =
                    _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(mask, low.add(i))));
                let high = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(mask, high.add(i)));
                sum = _mm512_add_epi64(sum, _mm512_slli_epi64::<8>(high));
                let from: *const i64 = match start {
                    Start::Zero => std::ptr::null(),
                    Start::Bias(b) => b.as_ptr().cast(),
                    Start::Accumulate => to,
                };
                if !from.is_null() {
                    let start = _mm512_maskz_loadu_epi64(mask, from.add(i));
                    let total = _mm512_add_epi64(start, sum);
                    // It wrapped where the signs of both operands are not the result's: (start ^ total) & (sum ^ total).
                    let wrapped = _mm512_ternarylogic_epi64::<0x42>(start, sum, total);
                    wraps += u64::from(_mm512_movepi64_mask(wrapped).count_ones());
                    sum = total;
                }
                _mm512_mask_storeu_epi64(to.add(i), mask, sum);
            }
        }
    }
    wraps
}
