//! Requantization on 512 bits: the roundings of [`numeric`](crate::numeric), sixteen elements at a time.
//!
//! Every function has a portable counterpart there, which the tests compare it with. Clamping to whole
//! numbers before rounding to nearest gives the same as clamping afterwards; for NaN the maximum takes its
//! second operand, as `round` does.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::divide::{Quantizer, canonical};
use crate::isa::EType;
use crate::kernels::avx512::{load, tail};
use crate::kernels::epilogue::{Bounds, Channels};
use crate::kernels::line::Line;
use crate::kernels::view::{View, ViewMut};

/// Vector constants of a requantization.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounding {
    hi: __m512,
    zero: __m512i,
    lo: __m512i,
    hi_bytes: __m512i,
    order: __m512i,
    signed: bool,
    needs: Needs,
}

/// What a result needs beside packing, which saturates; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Needs {
    Nothing,
    /// A zero point.
    ZeroPoint,
    /// Bounds inside those of the type.
    Bounds,
    /// A bound before the conversion to integers: multipliers may increase sums.
    LargeMultipliers,
}

impl Rounding {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(crate) fn new(b: Bounds, signed: bool, small: bool) -> Rounding {
        let whole = if signed { [-128, 127] } else { [0, 255] };
        Rounding {
            needs: match b.zero_point {
                _ if !small => Needs::LargeMultipliers,
                _ if b.clamp != whole => Needs::Bounds,
                0 => Needs::Nothing,
                _ => Needs::ZeroPoint,
            },
            // Only the upper bound is applied to floats, so that the conversion cannot overflow upwards;
            // values that are too low, and NaN, which the minimum passes on, become the least integer, and
            // all that follows saturates.
            hi: _mm512_set1_ps((b.clamp[1] - b.zero_point) as f32),
            zero: _mm512_set1_epi16(b.zero_point as i16),
            lo: _mm512_set1_epi8(b.clamp[0] as i8),
            hi_bytes: _mm512_set1_epi8(b.clamp[1] as i8),
            // Packing works inside 128 bits: a 4 × 4 matrix of quads, to be transposed.
            order: _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
            signed,
        }
    }

    /// Sixteen scaled sums, rounded, without zero point and lower bound.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(crate) fn scaled(&self, sums: __m512i, multipliers: __m512) -> __m512i {
        let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), multipliers);
        _mm512_cvtps_epi32(_mm512_min_ps(self.hi, scaled))
    }

    /// As [`scaled`](Rounding::scaled) without upper bound, for multipliers below 1: no sum exceeds the range
    /// of integers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn scaled_down(&self, sums: __m512i, multipliers: __m512) -> __m512i {
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), multipliers))
    }

    /// The bytes of 64 values from [`scaled`](Rounding::scaled) or [`scaled_down`](Rounding::scaled_down).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(crate) fn bytes<const NEEDS: u8>(&self, r: [__m512i; 4]) -> __m512i {
        let (mut low, mut high) = (_mm512_packs_epi32(r[0], r[1]), _mm512_packs_epi32(r[2], r[3]));
        if NEEDS >= Needs::ZeroPoint as u8 {
            (low, high) = (_mm512_adds_epi16(low, self.zero), _mm512_adds_epi16(high, self.zero));
        }
        let mut bytes =
            if self.signed { _mm512_packs_epi16(low, high) } else { _mm512_packus_epi16(low, high) };
        if NEEDS >= Needs::Bounds as u8 {
            bytes = if self.signed {
                _mm512_min_epi8(_mm512_max_epi8(bytes, self.lo), self.hi_bytes)
            } else {
                _mm512_min_epu8(_mm512_max_epu8(bytes, self.lo), self.hi_bytes)
            };
        }
        _mm512_permutexvar_epi32(self.order, bytes)
    }

    /// Requantizes `n` rows of `V` vectors of sums, and stores the bytes of each row that `mask` selects.
    /// Returns the lanes in which a guarded sum wrapped. With `TERMS`, a term is subtracted from all sums of
    /// a row first.
    ///
    /// # Safety
    /// The CPU has the features. `V` vectors can be read at the places of `channels`, and of every row of
    /// sums up to the next multiple of four rows, which are `stride` sums from each other; targets take the
    /// bytes of the mask.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(crate) unsafe fn rows<const V: usize, const TERMS: bool>(
        self,
        (sums, stride): (*const i32, usize),
        terms: &[i32; 16],
        channels: Channels,
        targets: impl Targets,
        n: usize,
        mask: u64,
    ) -> u16 {
        // SAFETY: as the function says.
        unsafe {
            let operands = ((sums, stride), terms, channels, targets, n, mask);
            match self.needs {
                Needs::Nothing => self.some_rows::<V, TERMS, { Needs::Nothing as u8 }>(operands),
                Needs::ZeroPoint => self.some_rows::<V, TERMS, { Needs::ZeroPoint as u8 }>(operands),
                Needs::Bounds => self.some_rows::<V, TERMS, { Needs::Bounds as u8 }>(operands),
                Needs::LargeMultipliers => {
                    self.some_rows::<V, TERMS, { Needs::LargeMultipliers as u8 }>(operands)
                }
            }
        }
    }

    /// [`rows`](Rounding::rows) with what they need, as a number.
    ///
    /// # Safety
    /// As of [`rows`](Rounding::rows).
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn some_rows<const V: usize, const TERMS: bool, const NEEDS: u8>(
        self,
        ((sums, stride), terms, channels, targets, n, mask): Rows<'_, impl Targets>,
    ) -> u16 {
        // SAFETY: as the function says.
        unsafe {
            let mut by = [_mm512_setzero_ps(); V];
            for (v, by) in by.iter_mut().enumerate() {
                *by = _mm512_loadu_ps(channels.multipliers.add(v * 16));
            }
            // As many rows as make four vectors.
            let together = 4 / V;
            let mut seen = _mm512_setzero_si512();
            let mut row = 0;
            while row < n {
                let mut r = [_mm512_setzero_si512(); 4];
                for (i, r) in r.iter_mut().enumerate().take(together * V) {
                    let (row, v) = (row + i / V, i % V);
                    let mut of = _mm512_loadu_si512(sums.add(row * stride + v * 16).cast());
                    if TERMS {
                        of = _mm512_sub_epi32(of, _mm512_set1_epi32(terms[row % 16]));
                    }
                    *r = if NEEDS == Needs::LargeMultipliers as u8 {
                        self.scaled(of, by[v])
                    } else {
                        self.scaled_down(of, by[v])
                    };
                    if let Some((bias, watched)) = channels.guard
                        && row < n
                        && targets.row(row).is_some()
                    {
                        seen = _mm512_or_si512(seen, wrapped(of, bias.add(v * 16), watched.add(v * 16)));
                    }
                }
                let bytes = self.bytes::<NEEDS>(r);
                let (low, high) = (_mm512_castsi512_si256(bytes), _mm512_extracti64x4_epi64::<1>(bytes));
                let parts = [
                    _mm256_castsi256_si128(low),
                    _mm256_extracti128_si256::<1>(low),
                    _mm256_castsi256_si128(high),
                    _mm256_extracti128_si256::<1>(high),
                ];
                for (i, part) in parts.into_iter().enumerate().take(together.min(n - row)) {
                    let Some(to) = targets.row(row + i) else { continue };
                    match V {
                        1 => _mm_mask_storeu_epi8(to.cast(), mask as u16, part),
                        2 => _mm256_mask_storeu_epi8(to.cast(), mask as u32, if i == 0 { low } else { high }),
                        _ => _mm512_mask_storeu_epi8(to.cast(), mask, bytes),
                    }
                }
                row += together;
            }
            _mm512_movepi32_mask(seen)
        }
    }

    /// [`rows`](Rounding::rows) with as many vectors as `n` channels need; all but the last are whole.
    ///
    /// # Safety
    /// As of [`rows`](Rounding::rows).
    pub(crate) unsafe fn finish(
        self,
        sums: (*const i32, usize),
        channels: Channels,
        n: usize,
        targets: impl Targets,
        rows: usize,
    ) -> bool {
        let (terms, mask) = (&[0; 16], if n == 64 { u64::MAX } else { (1 << n) - 1 });
        // SAFETY: as the function says.
        let wrapped = unsafe {
            match n.div_ceil(16) {
                1 => self.rows::<1, false>(sums, terms, channels, targets, rows, mask),
                2 => self.rows::<2, false>(sums, terms, channels, targets, rows, mask),
                3 => self.rows::<3, false>(sums, terms, channels, targets, rows, mask),
                _ => self.rows::<4, false>(sums, terms, channels, targets, rows, mask),
            }
        };
        wrapped != 0
    }
}

/// Operands of [`Rounding::rows`].
type Rows<'a, T> = ((*const i32, usize), &'a [i32; 16], Channels, T, usize, u64);

/// Destinations of the bytes of rows.
pub(crate) trait Targets: Copy {
    /// Address of a row's first byte; `None` if the row is not stored.
    fn row(self, row: usize) -> Option<*mut u8>;
}

/// Up to sixteen rows at any addresses; null for those that are not stored.
impl Targets for &[*mut u8; 16] {
    #[inline(always)]
    fn row(self, row: usize) -> Option<*mut u8> {
        Some(self[row % 16]).filter(|to| !to.is_null())
    }
}

/// Rows at a constant step: the first one, and bytes from one to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Even(pub *mut u8, pub usize);

impl Targets for Even {
    #[inline(always)]
    fn row(self, row: usize) -> Option<*mut u8> {
        Some(self.0.wrapping_add(row * self.1))
    }
}

/// Sign bits of watched sums whose sign differs from that of their bias.
///
/// # Safety
/// The CPU has the features; a vector can be read at both places.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn wrapped(sums: __m512i, bias: *const i32, watched: *const i32) -> __m512i {
    // SAFETY: as the function says.
    unsafe {
        let (bias, watched) = (_mm512_loadu_si512(bias.cast()), _mm512_loadu_si512(watched.cast()));
        // (sums ^ bias) & watched
        _mm512_ternarylogic_epi32::<0x28>(sums, bias, watched)
    }
}

/// `dst[row][i] ← requantize(acc[row][i], multipliers[i])`, with `signed` results; false, and nothing is
/// written, if something lies outside. `repeated` is a buffer for multipliers.
pub(crate) fn requantize(
    (acc, from): (View<'_>, Line),
    (mut dst, to): (ViewMut<'_>, Line),
    rows: usize,
    multipliers: &[f32],
    (bounds, signed): (Bounds, bool),
    repeated: &mut Vec<f32>,
) -> bool {
    let n = multipliers.len();
    if !(from.fits(rows, n * 4, acc.len()) && to.fits(rows, n, dst.len())) {
        return false;
    }
    // Contiguous rows are taken as one: as many as fill whole vectors.
    let together = 64 >> n.trailing_zeros().min(6);
    let groups = if from.stride == n * 4 && to.stride == n && n < 1024 { rows / together } else { 0 };
    let single = groups * together;
    // SAFETY: AVX-512 was detected, else this module is not called; rows lie inside the slices.
    unsafe {
        let (acc, dst) = (acc.as_ptr().add(from.first), dst.as_mut_ptr().add(to.first));
        let kernel = if signed { requantize_rows::<true> } else { requantize_rows::<false> };
        if groups > 0 {
            repeated.clear();
            (0..together).for_each(|_| repeated.extend_from_slice(multipliers));
            kernel((acc, from.stride * together), (dst, to.stride * together), groups, repeated, bounds);
        }
        let (acc, dst) = (acc.wrapping_add(single * from.stride), dst.wrapping_add(single * to.stride));
        kernel((acc, from.stride), (dst, to.stride), rows - single, multipliers, bounds);
    }
    true
}

/// # Safety
/// The CPU has the features; rows of as many elements as multipliers can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn requantize_rows<const SIGNED: bool>(
    (acc, acc_stride): (*const u8, usize),
    (dst, dst_stride): (*mut u8, usize),
    rows: usize,
    multipliers: &[f32],
    b: Bounds,
) {
    // SAFETY: as the function says; the last vector of a row is masked.
    unsafe {
        let rounding = Rounding::new(b, SIGNED, false);
        let n = multipliers.len();
        let m = multipliers.as_ptr();
        let whole = n / 64 * 64;
        for row in 0..rows {
            let (acc, dst) = (acc.add(row * acc_stride).cast::<i32>(), dst.add(row * dst_stride));
            let mut i = 0;
            while i < whole {
                let mut r = [_mm512_setzero_si512(); 4];
                for (v, r) in r.iter_mut().enumerate() {
                    let sums = _mm512_loadu_si512(acc.add(i + v * 16).cast());
                    *r = rounding.scaled(sums, _mm512_loadu_ps(m.add(i + v * 16)));
                }
                _mm512_storeu_si512(
                    dst.add(i).cast(),
                    rounding.bytes::<{ Needs::LargeMultipliers as u8 }>(r),
                );
                i += 64;
            }
            while i < n {
                let mask = tail(n - i);
                let sums = _mm512_maskz_loadu_epi32(mask, acc.add(i));
                let scaled = rounding.scaled(sums, _mm512_maskz_loadu_ps(mask, m.add(i)));
                let low = _mm512_cvtepi32_epi16(_mm512_max_epi32(
                    scaled,
                    _mm512_set1_epi32(b.clamp[0] - b.zero_point),
                ));
                let bytes =
                    _mm256_cvtepi16_epi8(_mm256_add_epi16(low, _mm512_castsi512_si256(rounding.zero)));
                _mm_mask_storeu_epi8(dst.add(i).cast(), mask, bytes);
                i += 16;
            }
        }
    }
}

/// Whether `n` elements of these sizes at these offsets lie inside `len` bytes without overlap.
fn apart([(to, to_size), (from, from_size)]: [(usize, usize); 2], n: usize, len: usize) -> bool {
    let end = |at: usize, size: usize| n.checked_mul(size)?.checked_add(at).filter(|end| *end <= len);
    match (end(to, to_size), end(from, from_size)) {
        (Some(to_end), Some(from_end)) => to_end <= from || from_end <= to,
        _ => false,
    }
}

/// QuantizeLinear of `n` floats to integers of `size` bytes, `to ← from`, both offsets in one memory; false,
/// and nothing is written, if something lies outside or the two overlap.
pub(crate) fn quantize(
    mut memory: ViewMut<'_>,
    [to, from]: [usize; 2],
    (n, size): (usize, usize),
    scale: f32,
    bounds: Bounds,
) -> bool {
    if !matches!(size, 1 | 2) || !apart([(to, size), (from, 4)], n, memory.len()) {
        return false;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; both ranges lie inside the memory.
    unsafe { quantize_row(memory.as_mut_ptr(), [to, from], (n, size), scale, bounds) };
    true
}

/// DequantizeLinear: `to ← (from − zero_point) · by`, integers of up to 16 bits to floats, both offsets in
/// one memory; one element for each multiplier. False, and nothing is written, if something lies outside or
/// the two overlap.
pub(crate) fn dequantize(
    mut memory: ViewMut<'_>,
    [to, from]: [usize; 2],
    etype: EType,
    zero_point: i32,
    by: &[f32],
) -> bool {
    if etype.bytes() > 2 || !apart([(to, 4), (from, etype.bytes())], by.len(), memory.len()) {
        return false;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; both ranges lie inside the memory.
    unsafe { dequantize_row(memory.as_mut_ptr(), [to, from], etype, zero_point, by) };
    true
}

/// # Safety
/// The CPU has the features; as many integers and floats as multipliers can be read and written from their
/// places on.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn dequantize_row(base: *mut u8, [to, from]: [usize; 2], etype: EType, zero_point: i32, by: &[f32]) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let zero = _mm512_set1_epi32(zero_point);
        let (to, from) = (base.add(to).cast::<f32>(), base.add(from));
        let whole = by.len() / 16 * 16;
        for i in (0..whole).step_by(16) {
            // Differences of 17 bits are exact in f32.
            let x = _mm512_cvtepi32_ps(_mm512_sub_epi32(load(from, etype, i, u16::MAX), zero));
            let scaled = _mm512_mul_ps(x, _mm512_loadu_ps(by.as_ptr().add(i)));
            _mm512_storeu_ps(to.add(i), canonical(scaled));
        }
        if whole < by.len() {
            let mask = tail(by.len() - whole);
            let x = _mm512_cvtepi32_ps(_mm512_sub_epi32(load(from, etype, whole, mask), zero));
            let scaled = _mm512_mul_ps(x, _mm512_maskz_loadu_ps(mask, by.as_ptr().add(whole)));
            _mm512_mask_storeu_ps(to.add(whole), mask, canonical(scaled));
        }
    }
}

/// # Safety
/// The CPU has the features; `n` floats and integers of `size` bytes from their places on can be read and
/// written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn quantize_row(
    base: *mut u8,
    [to, from]: [usize; 2],
    (n, size): (usize, usize),
    scale: f32,
    b: Bounds,
) {
    // SAFETY: as the function says; the last vectors are masked.
    unsafe {
        let quantizer = Quantizer::new(scale, b.clamp.map(|c| c - b.zero_point));
        let zero = _mm512_set1_epi16(b.zero_point as i16);
        // The low halves of two vectors become one: a narrowing store takes longer than permuting and
        // storing.
        let low: [i16; 32] = std::array::from_fn(|i| 2 * i as i16);
        let low = _mm512_loadu_si512(low.as_ptr().cast());
        for i in (0..n).step_by(32) {
            let mask = if n - i >= 32 { u32::MAX } else { (1 << (n - i)) - 1 };
            let from = base.add(from + i * 4).cast::<f32>();
            let first = quantizer.integers(_mm512_maskz_loadu_ps(mask as u16, from));
            let second = (mask >> 16) as u16;
            let second = quantizer.integers(_mm512_maskz_loadu_ps(second, from.wrapping_add(16)));
            // Modulo 2^16, in which the results lie.
            let words = _mm512_add_epi16(_mm512_permutex2var_epi16(first, low, second), zero);
            if size == 1 {
                _mm256_mask_storeu_epi8(base.add(to + i).cast(), mask, _mm512_cvtepi16_epi8(words));
            } else {
                _mm512_mask_storeu_epi16(base.add(to + i * 2).cast(), mask, words);
            }
        }
    }
}
