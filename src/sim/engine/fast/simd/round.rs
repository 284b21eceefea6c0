//! Requantization, sums and tables on 512 bits: the roundings of [`numeric`](crate::numeric), sixteen elements at a time.
//!
//! Every function has a portable twin there, which the tests hold it against. Clamping to whole numbers before rounding to
//! the nearest gives what clamping after it gives; the maximum takes its second operand for NaN, as `saturate` does.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    __m128i, __m512, __m512i, _mm_mask_storeu_epi8, _mm_maskz_loadu_epi8, _mm512_add_epi32, _mm512_add_ps,
    _mm512_cvtepi8_epi32, _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_cvtps_epi32,
    _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_mask_blend_epi8,
    _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8, _mm512_maskz_loadu_epi32, _mm512_maskz_loadu_ps,
    _mm512_maskz_mov_epi16, _mm512_max_ps, _mm512_min_ps, _mm512_movepi8_mask, _mm512_mul_ps,
    _mm512_permutex2var_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_sub_epi32,
};

/// Zero point and bounds of a result.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::engine::fast) struct Bounds {
    pub(in crate::sim::engine::fast) zero_point: i32,
    pub(in crate::sim::engine::fast) clamp: [i32; 2],
}

/// Lanes of the last vector of `n` elements.
fn tail(n: usize) -> u16 {
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

/// `dst[row][i] ← requantize(acc[row][i], multipliers[i])`; false if something lies outside.
pub(in crate::sim::engine::fast) fn requantize(
    acc: &[u8],
    from: Line,
    dst: &mut [u8],
    to: Line,
    rows: usize,
    multipliers: &[f32],
    bounds: Bounds,
) -> bool {
    let n = multipliers.len();
    if !(from.fits(rows, n * 4, acc.len()) && to.fits(rows, n, dst.len())) {
        return false;
    }
    // SAFETY: AVX-512 was detected, else this module is not called; rows lie inside the slices.
    unsafe {
        let (acc, dst) = (acc.as_ptr().add(from.first), dst.as_mut_ptr().add(to.first));
        requantize_rows(acc, from.stride, dst, to.stride, rows, multipliers, bounds);
    }
    true
}

#[inline]
#[target_feature(enable = "avx512f")]
fn requantized(v: __m512i, m: __m512, [lo, hi]: [__m512; 2], zero: __m512i) -> __m128i {
    let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(v), m);
    let clamped = _mm512_min_ps(_mm512_max_ps(scaled, lo), hi);
    _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(clamped), zero))
}

/// # Safety
/// The CPU has the features; rows of as many elements as multipliers can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn requantize_rows(
    acc: *const u8,
    acc_stride: usize,
    dst: *mut u8,
    dst_stride: usize,
    rows: usize,
    multipliers: &[f32],
    b: Bounds,
) {
    // SAFETY: as the function says; the last vector of a row is masked.
    unsafe {
        let lo = _mm512_set1_ps((b.clamp[0] - b.zero_point) as f32);
        let hi = _mm512_set1_ps((b.clamp[1] - b.zero_point) as f32);
        let zero = _mm512_set1_epi32(b.zero_point);
        let n = multipliers.len();
        let whole = n / 16 * 16;
        let rest = tail(n - whole);
        for row in 0..rows {
            let (acc, dst) = (acc.add(row * acc_stride).cast::<i32>(), dst.add(row * dst_stride));
            let mut i = 0;
            while i < whole {
                let v = _mm512_loadu_si512(acc.add(i).cast());
                let m = _mm512_maskz_loadu_ps(u16::MAX, multipliers.as_ptr().add(i));
                dst.add(i).cast::<__m128i>().write_unaligned(requantized(v, m, [lo, hi], zero));
                i += 16;
            }
            if whole < n {
                let v = _mm512_maskz_loadu_epi32(rest, acc.add(i));
                let m = _mm512_maskz_loadu_ps(rest, multipliers.as_ptr().add(i));
                _mm_mask_storeu_epi8(dst.add(i).cast(), rest, requantized(v, m, [lo, hi], zero));
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

/// QLinearAdd of bytes: `to ← a ⊕ b`, element by element, `n` of them from three places of one memory on; `signed` of a and
/// b. False if something lies outside. The target may be one of the operands.
pub(in crate::sim::engine::fast) fn add(
    memory: &mut [u8],
    [to, a, b]: [usize; 3],
    n: usize,
    signed: [bool; 2],
    by: [f32; 3],
    clamp: [i32; 2],
) -> bool {
    if [to, a, b].into_iter().any(|at| at.checked_add(n).is_none_or(|end| end > memory.len())) {
        return false;
    }
    let base = memory.as_mut_ptr();
    // SAFETY: AVX-512 was detected, else this module is not called; all three ranges lie inside the memory.
    unsafe {
        match signed {
            [false, false] => add_row::<false, false>(base, [to, a, b], n, by, clamp),
            [false, true] => add_row::<false, true>(base, [to, a, b], n, by, clamp),
            [true, false] => add_row::<true, false>(base, [to, a, b], n, by, clamp),
            [true, true] => add_row::<true, true>(base, [to, a, b], n, by, clamp),
        }
    }
    true
}

/// # Safety
/// The CPU has the features; `n` bytes from each place on can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma")]
unsafe fn add_row<const A: bool, const B: bool>(
    base: *mut u8,
    [to, a, b]: [usize; 3],
    n: usize,
    [ra, rb, c]: [f32; 3],
    clamp: [i32; 2],
) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let [ra, rb, c] = [ra, rb, c].map(|x| _mm512_set1_ps(x));
        let [lo, hi] = clamp.map(|x| _mm512_set1_ps(x as f32));
        let mut i = 0;
        while i < n {
            let mask = tail(n - i);
            let (x, y) = (
                _mm_maskz_loadu_epi8(mask, base.add(a + i).cast()),
                _mm_maskz_loadu_epi8(mask, base.add(b + i).cast()),
            );
            let x = _mm512_cvtepi32_ps(if A { _mm512_cvtepi8_epi32(x) } else { _mm512_cvtepu8_epi32(x) });
            let y = _mm512_cvtepi32_ps(if B { _mm512_cvtepi8_epi32(y) } else { _mm512_cvtepu8_epi32(y) });
            let sum = _mm512_fmadd_ps(x, ra, _mm512_fmadd_ps(y, rb, c));
            let clamped = _mm512_min_ps(_mm512_max_ps(sum, lo), hi);
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(clamped));
            _mm_mask_storeu_epi8(base.add(to + i).cast(), mask, bytes);
            i += 16;
        }
    }
}

/// QLinearMul of bytes, as [`add`]; `zeros` of a and b.
pub(in crate::sim::engine::fast) fn mul(
    memory: &mut [u8],
    [to, a, b]: [usize; 3],
    n: usize,
    signed: [bool; 2],
    zeros: [i32; 2],
    m: f32,
    bounds: Bounds,
) -> bool {
    if [to, a, b].into_iter().any(|at| at.checked_add(n).is_none_or(|end| end > memory.len())) {
        return false;
    }
    let base = memory.as_mut_ptr();
    // SAFETY: AVX-512 was detected, else this module is not called; all three ranges lie inside the memory.
    unsafe {
        match signed {
            [false, false] => mul_row::<false, false>(base, [to, a, b], n, zeros, m, bounds),
            [false, true] => mul_row::<false, true>(base, [to, a, b], n, zeros, m, bounds),
            [true, false] => mul_row::<true, false>(base, [to, a, b], n, zeros, m, bounds),
            [true, true] => mul_row::<true, true>(base, [to, a, b], n, zeros, m, bounds),
        }
    }
    true
}

/// # Safety
/// The CPU has the features; `n` bytes from each place on can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn mul_row<const A: bool, const B: bool>(
    base: *mut u8,
    [to, a, b]: [usize; 3],
    n: usize,
    zeros: [i32; 2],
    m: f32,
    bounds: Bounds,
) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let (za, zb) = (_mm512_set1_epi32(zeros[0]), _mm512_set1_epi32(zeros[1]));
        let (m, zero) = (_mm512_set1_ps(m), _mm512_set1_ps(bounds.zero_point as f32));
        let (lo, hi) = (_mm512_set1_ps(bounds.clamp[0] as f32), _mm512_set1_ps(bounds.clamp[1] as f32));
        let mut i = 0;
        while i < n {
            let mask = tail(n - i);
            let (x, y) = (
                _mm_maskz_loadu_epi8(mask, base.add(a + i).cast()),
                _mm_maskz_loadu_epi8(mask, base.add(b + i).cast()),
            );
            let x = if A { _mm512_cvtepi8_epi32(x) } else { _mm512_cvtepu8_epi32(x) };
            let y = if B { _mm512_cvtepi8_epi32(y) } else { _mm512_cvtepu8_epi32(y) };
            // Differences of bytes fit 16 bits, so their product is the sum of one pair.
            let product = _mm512_madd_epi16(
                _mm512_maskz_mov_epi16(0x5555_5555, _mm512_sub_epi32(x, za)),
                _mm512_maskz_mov_epi16(0x5555_5555, _mm512_sub_epi32(y, zb)),
            );
            let sum = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(product), m), zero);
            let clamped = _mm512_min_ps(_mm512_max_ps(sum, lo), hi);
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(clamped));
            _mm_mask_storeu_epi8(base.add(to + i).cast(), mask, bytes);
            i += 16;
        }
    }
}

/// `to ← table[from]`, byte by byte, `n` of them from two places of one memory on; false if something lies outside or the
/// CPU cannot look up bytes. The target may be the source.
pub(in crate::sim::engine::fast) fn look_up(
    memory: &mut [u8],
    [to, from]: [usize; 2],
    n: usize,
    table: &[u8; 256],
) -> bool {
    let outside = [to, from].into_iter().any(|at| at.checked_add(n).is_none_or(|end| end > memory.len()));
    if outside || !std::arch::is_x86_feature_detected!("avx512vbmi") {
        return false;
    }
    // SAFETY: the CPU has the features, and both ranges lie inside the memory.
    unsafe { look_up_row(memory.as_mut_ptr(), [to, from], n, table) };
    true
}

/// # Safety
/// The CPU has the features; `n` bytes from each place on can be read and written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
unsafe fn look_up_row(base: *mut u8, [to, from]: [usize; 2], n: usize, table: &[u8; 256]) {
    // SAFETY: as the function says; the last vector is masked.
    unsafe {
        let quarter = |i: usize| _mm512_loadu_si512(table.as_ptr().add(i * 64).cast());
        let [t0, t1, t2, t3] = [quarter(0), quarter(1), quarter(2), quarter(3)];
        let mut i = 0;
        while i < n {
            let mask = if n - i >= 64 { u64::MAX } else { (1 << (n - i)) - 1 };
            let x = _mm512_maskz_loadu_epi8(mask, base.add(from + i).cast());
            let low = _mm512_permutex2var_epi8(t0, x, t1);
            let high = _mm512_permutex2var_epi8(t2, x, t3);
            let y = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
            _mm512_mask_storeu_epi8(base.add(to + i).cast(), mask, y);
            i += 64;
        }
    }
}
