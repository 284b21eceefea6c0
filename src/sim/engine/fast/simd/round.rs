//! Requantization and tables on 512 bits: the roundings of [`numeric`](crate::numeric), sixteen elements at a time.
//!
//! Every function has a portable twin there, which the tests hold it against. Clamping to whole numbers before rounding to
//! the nearest gives what clamping after it gives; the maximum takes its second operand for NaN, as `round` does.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::combine::Operand;

/// Zero point and bounds of a result.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Bounds {
    pub(in crate::sim::engine::fast) zero_point: i32,
    pub(in crate::sim::engine::fast) clamp: [i32; 2],
}

/// Lanes of the last vector of `n` elements.
pub(super) fn tail(n: usize) -> u16 {
    if n >= 16 { u16::MAX } else { (1 << n) - 1 }
}

/// The rows of an image line: where they begin, and how far the next one is.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Line {
    pub(in crate::sim::engine::fast) first: usize,
    pub(in crate::sim::engine::fast) stride: usize,
}

impl Line {
    /// Whether `rows` rows of `bytes` bytes lie inside `len` bytes.
    pub(super) fn fits(&self, rows: usize, bytes: usize, len: usize) -> bool {
        rows > 0 && self.first + (rows - 1) * self.stride + bytes <= len
    }
}

/// `dst[row][i] ← requantize(acc[row][i], multipliers[i])`; `signed` of the results; false if something lies outside.
/// `repeated` is room for multipliers.
pub(in crate::sim::engine::fast) fn requantize(
    (acc, from): (&[u8], Line),
    (dst, to): (&mut [u8], Line),
    rows: usize,
    multipliers: &[f32],
    (bounds, signed): (Bounds, bool),
    repeated: &mut Vec<f32>,
) -> bool {
    let n = multipliers.len();
    if !(from.fits(rows, n * 4, acc.len()) && to.fits(rows, n, dst.len())) {
        return false;
    }
    // Rows without gaps between them are one: as many as make whole vectors.
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
        // Only the upper bound is applied to floats, so that the conversion cannot overflow upwards; downwards, and for NaN,
        // which the minimum passes on, it gives the least integer, and all that follows saturates.
        let hi = _mm512_set1_ps((b.clamp[1] - b.zero_point) as f32);
        let zero = _mm512_set1_epi16(b.zero_point as i16);
        let lo = _mm512_set1_epi8(b.clamp[0] as i8);
        // Packing works inside 128 bits: a 4 × 4 matrix of fours, to be transposed.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let n = multipliers.len();
        let m = multipliers.as_ptr();
        let whole = n / 64 * 64;
        for row in 0..rows {
            let (acc, dst) = (acc.add(row * acc_stride).cast::<i32>(), dst.add(row * dst_stride));
            let mut i = 0;
            while i < whole {
                let mut r = [_mm512_setzero_si512(); 4];
                for (v, r) in r.iter_mut().enumerate() {
                    let sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(acc.add(i + v * 16).cast()));
                    let scaled = _mm512_mul_ps(sum, _mm512_loadu_ps(m.add(i + v * 16)));
                    *r = _mm512_cvtps_epi32(_mm512_min_ps(hi, scaled));
                }
                let low = _mm512_adds_epi16(_mm512_packs_epi32(r[0], r[1]), zero);
                let high = _mm512_adds_epi16(_mm512_packs_epi32(r[2], r[3]), zero);
                let bytes = if SIGNED {
                    _mm512_max_epi8(_mm512_packs_epi16(low, high), lo)
                } else {
                    _mm512_max_epu8(_mm512_packus_epi16(low, high), lo)
                };
                _mm512_storeu_si512(dst.add(i).cast(), _mm512_permutexvar_epi32(order, bytes));
                i += 64;
            }
            while i < n {
                let mask = tail(n - i);
                let sum = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(mask, acc.add(i)));
                let scaled = _mm512_mul_ps(sum, _mm512_maskz_loadu_ps(mask, m.add(i)));
                let low = _mm512_cvtepi32_epi16(_mm512_max_epi32(
                    _mm512_cvtps_epi32(_mm512_min_ps(hi, scaled)),
                    _mm512_set1_epi32(b.clamp[0] - b.zero_point),
                ));
                let bytes = _mm256_cvtepi16_epi8(_mm256_add_epi16(low, _mm512_castsi512_si256(zero)));
                _mm_mask_storeu_epi8(dst.add(i).cast(), mask, bytes);
                i += 16;
            }
        }
    }
}

/// QuantizeLinear to bytes: `to ← from`, `n` floats from one place on, bytes from another, of one memory; false if something
/// lies outside or the two overlap.
pub(in crate::sim::engine::fast) fn quantize(
    memory: &mut [u8],
    [to, from]: [usize; 2],
    n: usize,
    scale: f32,
    bounds: Bounds,
) -> bool {
    let ends = (to.checked_add(n), n.checked_mul(4).and_then(|n| n.checked_add(from)));
    let (Some(to_end), Some(from_end)) = ends else { return false };
    if to_end > memory.len() || from_end > memory.len() || (to < from_end && from < to_end) {
        return false;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; both ranges lie inside the memory.
    unsafe { quantize_row(memory.as_mut_ptr(), [to, from], n, scale, bounds) };
    true
}

/// # Safety
/// The CPU has the features; `n` floats and bytes from their places on can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn quantize_row(base: *mut u8, [to, from]: [usize; 2], n: usize, scale: f32, b: Bounds) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let [lo, hi] = b.clamp.map(|c| _mm512_set1_ps((c - b.zero_point) as f32));
        let (zero, scale) = (_mm512_set1_epi32(b.zero_point), _mm512_set1_ps(scale));
        let mut i = 0;
        while i < n {
            let mask = tail(n - i);
            let x = _mm512_maskz_loadu_ps(mask, base.add(from + i * 4).cast());
            let clamped = _mm512_min_ps(_mm512_max_ps(_mm512_div_ps(x, scale), lo), hi);
            let bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(clamped), zero));
            _mm_mask_storeu_epi8(base.add(to + i).cast(), mask, bytes);
            i += 16;
        }
    }
}

/// `to ← table[from]`, byte by byte, in one memory; false, and nothing done, if something lies outside or the CPU cannot look
/// up bytes. The target may be the source.
pub(in crate::sim::engine::fast) fn look_up(
    memory: &mut [u8],
    dims: [usize; 4],
    [to, from]: [Operand; 2],
    table: &[u8; 256],
) -> bool {
    let bytes = |o: &Operand| !o.one && o.etype.bytes() == 1 && o.inside(dims, memory.len());
    if dims.contains(&0) || ![to, from].iter().all(bytes) || !is_x86_feature_detected!("avx512vbmi") {
        return false;
    }
    for a in 0..dims[0] {
        for b in 0..dims[1] {
            let [to, from] = [to, from].map(|o| (o.row([a, b, 0]).at, o.strides[2]));
            // SAFETY: the CPU has the features, and all rows lie inside the memory.
            unsafe { look_up_rows(memory.as_mut_ptr(), [to, from], [dims[2], dims[3]], table) };
        }
    }
    true
}

/// # Safety
/// The CPU has the features; `n` bytes of each row, given by the first one's place and the step, can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
unsafe fn look_up_rows(
    base: *mut u8,
    [to, from]: [(usize, usize); 2],
    [rows, n]: [usize; 2],
    table: &[u8; 256],
) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let quarter = |i: usize| _mm512_loadu_si512(table.as_ptr().add(i * 64).cast());
        let [t0, t1, t2, t3] = [quarter(0), quarter(1), quarter(2), quarter(3)];
        for row in 0..rows {
            let (to, from) = (base.add(to.0 + row * to.1), base.add(from.0 + row * from.1));
            for i in (0..n).step_by(64) {
                let mask = if n - i >= 64 { u64::MAX } else { (1 << (n - i)) - 1 };
                let x = _mm512_maskz_loadu_epi8(mask, from.add(i).cast());
                let low = _mm512_permutex2var_epi8(t0, x, t1);
                let high = _mm512_permutex2var_epi8(t2, x, t3);
                let y = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
                _mm512_mask_storeu_epi8(to.add(i).cast(), mask, y);
            }
        }
    }
}
