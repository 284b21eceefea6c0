//! The 32-bit sums that products of words compute, pixel by pixel: stored as 64-bit accumulators, or
//! requantized at once.
//!
//! Rows of sums are whole vectors long, so that they are loaded without masks.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use crate::kernels::avx512::tail;
use crate::kernels::epilogue::Bounds;
use crate::kernels::line::Line;
use crate::kernels::requantize::Multipliers;
use crate::kernels::requantize::avx512_wide::Exact;
use crate::kernels::view::ViewMut;

/// Sums of some pixels: `low + 256·high`, 32 bits each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WideSums<'a> {
    pub(crate) low: &'a [u8],
    /// `None` counts as zeros.
    pub(crate) high: Option<&'a [u8]>,
    /// Channels from a pixel to the next: a multiple of 16.
    pub(crate) pitch: usize,
}

impl WideSums<'_> {
    /// Whether the sums of `pixels` pixels and `n` channels are complete.
    fn fits(&self, pixels: usize, n: usize) -> bool {
        let bytes = pixels.checked_mul(self.pitch * 4);
        let holds = |plane: &[u8]| bytes.is_some_and(|b| plane.len() >= b);
        self.pitch >= n.next_multiple_of(16) && holds(self.low) && self.high.is_none_or(holds)
    }

    fn places(&self) -> [*const i32; 2] {
        [self.low, self.high.unwrap_or(self.low)].map(|plane| plane.as_ptr().cast())
    }
}

/// What sums of 64 bits are added to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WideStart<'a> {
    /// Nothing.
    Zero,
    /// One value for each channel, little endian.
    Bias(&'a [[u8; 8]]),
    /// The present accumulators.
    Accumulate,
}

/// `to[p][o] ← start[o] + sums[p][o] + add[o]` for `pixels` rows of `add.len()` channels; returns how many
/// additions to `start` wrapped. `None`, and nothing is written, if something lies outside.
pub(crate) fn join(
    (mut to, line): (ViewMut<'_>, Line),
    sums: WideSums,
    pixels: usize,
    add: &[i64],
    start: WideStart,
) -> Option<u64> {
    let n = add.len();
    let start_fits = match start {
        WideStart::Bias(b) => b.len() >= n,
        WideStart::Zero | WideStart::Accumulate => true,
    };
    if !line.fits(pixels, n * 8, to.len()) || !sums.fits(pixels, n) || !start_fits {
        return None;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; `n` elements of each pixel lie inside.
    Some(unsafe {
        let to = to.as_mut_ptr().add(line.first);
        let kernel = if sums.high.is_some() { join_rows::<true> } else { join_rows::<false> };
        kernel((to, line.stride), (sums.places(), sums.pitch), pixels, add, start)
    })
}

/// # Safety
/// The CPU has the features; as many elements as `add` has, up to whole vectors, can be read of the sums and
/// written for each pixel, and read from `start`.
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
unsafe fn join_rows<const HIGH: bool>(
    (to, stride): (*mut u8, usize),
    ([low, high], pitch): ([*const i32; 2], usize),
    pixels: usize,
    add: &[i64],
    start: WideStart,
) -> u64 {
    let n = add.len();
    let mut wraps = 0;
    // SAFETY: as the function says; the last vector of a pixel is masked.
    unsafe {
        for pixel in 0..pixels {
            let to = to.add(pixel * stride).cast::<i64>();
            let (low, high) = (low.add(pixel * pitch), high.add(pixel * pitch));
            for i in (0..n).step_by(8) {
                let mask = if n - i >= 8 { u8::MAX } else { (1 << (n - i)) - 1 };
                let mut sum = _mm512_maskz_loadu_epi64(mask, add.as_ptr().add(i));
                sum = _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(_mm256_loadu_si256(low.add(i).cast())));
                if HIGH {
                    let high = _mm512_cvtepi32_epi64(_mm256_loadu_si256(high.add(i).cast()));
                    sum = _mm512_add_epi64(sum, _mm512_slli_epi64::<8>(high));
                }
                let from: *const i64 = match start {
                    WideStart::Zero => std::ptr::null(),
                    WideStart::Bias(b) => b.as_ptr().cast(),
                    WideStart::Accumulate => to,
                };
                if !from.is_null() {
                    let start = _mm512_maskz_loadu_epi64(mask, from.add(i));
                    let total = _mm512_add_epi64(start, sum);
                    // It wrapped where the signs of both operands are not the result's: (start ^ total) &
                    // (sum ^ total).
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

/// The requantization of sums.
#[derive(Debug)]
pub(crate) struct Results<'a> {
    /// Added to the sums of each channel: whole numbers below 2^52, up to a multiple of 16.
    pub(crate) add: &'a [f64],
    /// One for each channel; those of channels beyond are zero.
    pub(crate) by: &'a Multipliers,
    pub(crate) bounds: Bounds,
    /// Channels, possibly rounded up to a whole vector with zero points as results; and bytes of a result: 1
    /// or 2.
    pub(crate) channels: usize,
    pub(crate) size: usize,
    /// Whether the sums of an element fit 32 bits together, and no product of an accumulator with a
    /// multiplier exceeds 2^30.
    pub(crate) small: bool,
}

/// How sums are combined.
const LOW: u8 = 0;
const BOTH: u8 = 1;
/// Those of [`Results::small`].
const LOW_SMALL: u8 = 2;
const SMALL: u8 = 3;

impl Results<'_> {
    /// `to[p][o] ← requantize_wide(sums[p][o] + add[o], by[o])` for `pixels` pixels; false, and nothing is
    /// written, if something lies outside.
    pub(crate) fn store(&self, (mut to, line): (ViewMut<'_>, Line), sums: WideSums, pixels: usize) -> bool {
        let n = self.channels;
        let whole = n.next_multiple_of(16);
        let fits = line.fits(pixels, n * self.size, to.len())
            && sums.fits(pixels, n)
            && self.add.len() >= whole
            && self.by.double.len() >= whole
            && matches!(self.size, 1 | 2);
        if !fits {
            return false;
        }
        let kernel = match (sums.high.is_some(), self.small, self.size, n <= 8) {
            (true, true, 2, false) => Results::rows::<SMALL, true>,
            (true, true, 2, true) => Results::narrow_rows::<SMALL, true>,
            (false, true, 2, false) => Results::rows::<LOW_SMALL, true>,
            (false, true, 2, true) => Results::narrow_rows::<LOW_SMALL, true>,
            (true, _, 1, false) => Results::rows::<BOTH, false>,
            (true, _, _, false) => Results::rows::<BOTH, true>,
            (false, _, 1, false) => Results::rows::<LOW, false>,
            (false, _, _, false) => Results::rows::<LOW, true>,
            (true, _, 1, true) => Results::narrow_rows::<BOTH, false>,
            (true, _, _, true) => Results::narrow_rows::<BOTH, true>,
            (false, _, 1, true) => Results::narrow_rows::<LOW, false>,
            (false, _, _, true) => Results::narrow_rows::<LOW, true>,
        };
        // SAFETY: AVX-512 was detected, else this module is not called; all rows lie inside the slices, sums
        // and operands up to whole vectors.
        unsafe {
            let to = to.as_mut_ptr().add(line.first);
            kernel(self, (to, line.stride), (sums.places(), sums.pitch), pixels);
        }
        true
    }

    /// # Safety
    /// The CPU has the features; sums and operands of whole vectors of channels can be read, the results of
    /// each pixel written.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn rows<const SUMS: u8, const WORDS: bool>(
        &self,
        (to, stride): (*mut u8, usize),
        ([low, high], pitch): ([*const i32; 2], usize),
        pixels: usize,
    ) {
        // SAFETY: as the function says; the last vector of a pixel is masked.
        unsafe {
            let exact = Exact::new(self.bounds);
            let (add, by) = (self.add.as_ptr(), self.by.double.as_ptr());
            for pixel in 0..pixels {
                let to = to.add(pixel * stride);
                let (low, high) = (low.add(pixel * pitch), high.add(pixel * pitch));
                for i in (0..self.channels).step_by(16) {
                    let a = [
                        total::<SUMS>(low.add(i), high.add(i), _mm512_loadu_pd(add.add(i))),
                        total::<SUMS>(low.add(i + 8), high.add(i + 8), _mm512_loadu_pd(add.add(i + 8))),
                    ];
                    let by = [_mm512_loadu_pd(by.add(i)), _mm512_loadu_pd(by.add(i + 8))];
                    let results =
                        if SUMS >= LOW_SMALL { exact.round_small(a, by) } else { exact.round(a, by) };
                    let mask = tail(self.channels - i);
                    if WORDS {
                        let to = to.cast::<i16>().add(i);
                        // A masked narrowing store takes as long as all the rest.
                        if mask == u16::MAX {
                            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(results));
                        } else {
                            _mm256_mask_storeu_epi16(to, mask, _mm512_cvtepi32_epi16(results));
                        }
                    } else {
                        _mm_mask_storeu_epi8(to.cast::<i8>().add(i), mask, _mm512_cvtepi32_epi8(results));
                    }
                }
            }
        }
    }

    /// As [`rows`](Results::rows), for up to eight channels, two pixels at a time.
    ///
    /// # Safety
    /// As of [`rows`](Results::rows).
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn narrow_rows<const SUMS: u8, const WORDS: bool>(
        &self,
        (to, stride): (*mut u8, usize),
        ([low, high], pitch): ([*const i32; 2], usize),
        pixels: usize,
    ) {
        // SAFETY: as the function says; a pixel's part of a vector is masked, and the last pixel may be
        // paired with itself.
        unsafe {
            let exact = Exact::new(self.bounds);
            let (add, by) = (_mm512_loadu_pd(self.add.as_ptr()), _mm512_loadu_pd(self.by.double.as_ptr()));
            let (n, size) = (self.channels, if WORDS { 2 } else { 1 });
            let mask = tail(n);
            // Contiguous pixels are stored at once.
            let dense = n == 8 && stride == 8 * size;
            for pixel in (0..pixels).step_by(2) {
                let next = (pixel + 1).min(pixels - 1);
                let a = [
                    total::<SUMS>(low.add(pixel * pitch), high.add(pixel * pitch), add),
                    total::<SUMS>(low.add(next * pitch), high.add(next * pitch), add),
                ];
                let results =
                    if SUMS >= LOW_SMALL { exact.round_small(a, [by; 2]) } else { exact.round(a, [by; 2]) };
                let to = [to.add(pixel * stride), to.add(next * stride)];
                if WORDS {
                    let words = _mm512_cvtepi32_epi16(results);
                    if dense && next > pixel {
                        _mm256_storeu_si256(to[0].cast(), words);
                        continue;
                    }
                    let second = _mm256_extracti128_si256::<1>(words);
                    _mm_mask_storeu_epi16(to[0].cast(), mask as u8, _mm256_castsi256_si128(words));
                    _mm_mask_storeu_epi16(to[1].cast(), mask as u8, second);
                } else {
                    let bytes = _mm512_cvtepi32_epi8(results);
                    _mm_mask_storeu_epi8(to[0].cast(), mask, bytes);
                    _mm_mask_storeu_epi8(to[1].cast(), mask, _mm_srli_si128::<8>(bytes));
                }
            }
        }
    }
}

/// Eight sums plus what is added to them.
///
/// # Safety
/// The CPU has the features; eight sums can be read at each place.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
unsafe fn total<const SUMS: u8>(low: *const i32, high: *const i32, add: __m512d) -> __m512d {
    // SAFETY: as the function says.
    unsafe {
        let mut low = _mm256_loadu_si256(low.cast());
        if SUMS == SMALL {
            let high = _mm256_loadu_si256(high.cast());
            low = _mm256_add_epi32(low, _mm256_slli_epi32::<8>(high));
        }
        let mut sum = _mm512_add_pd(_mm512_cvtepi32_pd(low), add);
        if SUMS == BOTH {
            let high = _mm512_cvtepi32_pd(_mm256_loadu_si256(high.cast()));
            // Whole numbers below 2^53: exact.
            sum = _mm512_fmadd_pd(high, _mm512_set1_pd(256.0), sum);
        }
        sum
    }
}
