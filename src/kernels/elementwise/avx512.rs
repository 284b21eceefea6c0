//! Sums and products of two tensors on 512 bits: the roundings of [`numeric`](crate::numeric), sixteen
//! elements at a time, of 8 or 16 bits each.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::operand::{Combine, Operand};
use crate::isa::EType;
use crate::kernels::avx512::{load, tail};
use crate::kernels::view::ViewMut;

/// QLinearAdd or QLinearMul, element by element, in one memory; false, and nothing is written, if something
/// lies outside. The result may replace an operand.
pub(crate) fn combine(
    mut memory: ViewMut<'_>,
    dims: [usize; 4],
    to: Operand,
    from: [Operand; 2],
    sum: Combine,
    clamp: [i32; 2],
) -> bool {
    let all = [to, from[0], from[1]];
    let few = dims.iter().try_fold(1, |n: usize, d| n.checked_mul(*d)).is_some_and(|n| n <= memory.len());
    if to.one || !few || all.iter().any(|o| o.etype.bytes() > 2 || !o.inside(dims, memory.len())) {
        return false;
    }
    let base = memory.as_mut_ptr();
    let only_bytes = all.iter().all(|o| o.etype.bytes() == 1);
    let kernel = match (only_bytes, to.etype == EType::S8, sum) {
        (false, ..) => match (all.map(|o| o.etype), sum) {
            ([EType::U16, EType::U16, EType::U16], Combine::Add(_)) => words::<false, true>,
            ([EType::U16, EType::U16, EType::U16], Combine::Mul(..)) => words::<false, false>,
            ([EType::S16, EType::S16, EType::S16], Combine::Add(_)) => words::<true, true>,
            ([EType::S16, EType::S16, EType::S16], Combine::Mul(..)) => words::<true, false>,
            (_, Combine::Add(_)) => mixed::<true>,
            (_, Combine::Mul(..)) => mixed::<false>,
        },
        (_, false, Combine::Add(_)) => bytes::<false, true>,
        (_, true, Combine::Add(_)) => bytes::<true, true>,
        (_, false, Combine::Mul(..)) => bytes::<false, false>,
        (_, true, Combine::Mul(..)) => bytes::<true, false>,
    };
    for a in 0..dims[0] {
        for b in 0..dims[1] {
            let row = |o: Operand| o.row([a, b, 0]);
            // SAFETY: AVX-512 was detected, else this module is not called; all rows lie inside the memory.
            unsafe { kernel(base, row(to), from.map(row), [dims[2], dims[3]], sum, clamp) };
        }
    }
    true
}

/// The bytes of each 128 bits as four times four integers; `sign` is 0x80 for signed ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widened(x: __m512i, sign: i32) -> [__m512i; 4] {
    let none = _mm512_setzero_si512();
    let x = _mm512_xor_si512(x, _mm512_set1_epi8(sign as i8));
    let (low, high) = (_mm512_unpacklo_epi8(x, none), _mm512_unpackhi_epi8(x, none));
    [
        _mm512_unpacklo_epi16(low, none),
        _mm512_unpackhi_epi16(low, none),
        _mm512_unpacklo_epi16(high, none),
        _mm512_unpackhi_epi16(high, none),
    ]
}

/// Up to three factors and summands of the formula, and the zero points subtracted from the operands.
fn factors(sum: Combine) -> ([f32; 3], [i32; 2]) {
    match sum {
        Combine::Add(by) => (by, [0; 2]),
        Combine::Mul(zeros, m, zero) => ([m, zero as f32, 0.0], zeros),
    }
}

/// Sums, or products where not `ADD`, of rows of bytes.
///
/// # Safety
/// The CPU has the features; `n` elements of each row of each operand can be read and written, or one.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma")]
unsafe fn bytes<const SIGNED: bool, const ADD: bool>(
    base: *mut u8,
    to: Operand,
    from: [Operand; 2],
    [rows, n]: [usize; 2],
    sum: Combine,
    clamp: [i32; 2],
) {
    // SAFETY: as the function says; the last vector of a row is masked.
    unsafe {
        let hi = _mm512_set1_ps(clamp[1] as f32);
        let lo = _mm512_set1_epi8(clamp[0] as i8);
        let (by, zeros) = factors(sum);
        let [p, q, r] = [_mm512_set1_ps(by[0]), _mm512_set1_ps(by[1]), _mm512_set1_ps(by[2])];
        let sign = [0, 1].map(|i| if from[i].etype == EType::S8 { 0x80 } else { 0 });
        let offsets = [_mm512_set1_epi32(zeros[0] + sign[0]), _mm512_set1_epi32(zeros[1] + sign[1])];
        for row in 0..rows {
            let at = [0, 1].map(|o| base.add(from[o].at + row * from[o].strides[2]));
            let to = base.add(to.at + row * to.strides[2]);
            for i in (0..n).step_by(64) {
                let mask = if n - i >= 64 { u64::MAX } else { (1 << (n - i)) - 1 };
                let mut each = [[_mm512_setzero_si512(); 4]; 2];
                for (o, each) in each.iter_mut().enumerate() {
                    let all = if from[o].one {
                        _mm512_set1_epi8(at[o].cast::<i8>().read())
                    } else {
                        _mm512_maskz_loadu_epi8(mask, at[o].add(i).cast())
                    };
                    *each = widened(all, sign[o]);
                }
                let mut results = [_mm512_setzero_si512(); 4];
                for (v, result) in results.iter_mut().enumerate() {
                    let x = _mm512_cvtepi32_ps(_mm512_sub_epi32(each[0][v], offsets[0]));
                    let y = _mm512_cvtepi32_ps(_mm512_sub_epi32(each[1][v], offsets[1]));
                    let sum = if ADD {
                        _mm512_fmadd_ps(x, p, _mm512_fmadd_ps(y, q, r))
                    } else {
                        // The f32 product of exact factors is the rounded integer product.
                        _mm512_add_ps(_mm512_mul_ps(_mm512_mul_ps(x, y), p), q)
                    };
                    // Values that are too low, and NaN, which the minimum passes on, become the least
                    // integer, and packing saturates.
                    *result = _mm512_cvtps_epi32(_mm512_min_ps(hi, sum));
                }
                let [a, b, c, d] = results;
                let (low, high) = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
                let packed = if SIGNED {
                    _mm512_max_epi8(_mm512_packs_epi16(low, high), lo)
                } else {
                    _mm512_max_epu8(_mm512_packus_epi16(low, high), lo)
                };
                // Where the result replaces an operand, a masked store would overlap the load of the next
                // row.
                if n - i <= 16 {
                    _mm_mask_storeu_epi8(to.add(i).cast(), mask as u16, _mm512_castsi512_si128(packed));
                } else if n - i <= 32 {
                    _mm256_mask_storeu_epi8(to.add(i).cast(), mask as u32, _mm512_castsi512_si256(packed));
                } else {
                    _mm512_mask_storeu_epi8(to.add(i).cast(), mask, packed);
                }
            }
        }
    }
}

/// Sums, or products where not `ADD`, of rows of words of one type.
///
/// # Safety
/// The CPU has the features; `n` elements of each row of each operand can be read and written, or one.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma")]
unsafe fn words<const SIGNED: bool, const ADD: bool>(
    base: *mut u8,
    to: Operand,
    from: [Operand; 2],
    [rows, n]: [usize; 2],
    sum: Combine,
    clamp: [i32; 2],
) {
    // SAFETY: as the function says; the last vector of a row is masked.
    unsafe {
        let hi = _mm512_set1_ps(clamp[1] as f32);
        let lo = _mm512_set1_epi16(clamp[0] as i16);
        let (by, zeros) = factors(sum);
        let [p, q, r] = [_mm512_set1_ps(by[0]), _mm512_set1_ps(by[1]), _mm512_set1_ps(by[2])];
        // Signed operands are made unsigned.
        let sign = if SIGNED { 0x8000 } else { 0 };
        let offsets = [_mm512_set1_epi32(zeros[0] + sign), _mm512_set1_epi32(zeros[1] + sign)];
        for row in 0..rows {
            let at = [0, 1].map(|o| base.add(from[o].at + row * from[o].strides[2]));
            let to = base.add(to.at + row * to.strides[2]).cast::<i16>();
            let mut each = [[_mm512_setzero_ps(); 2]; 2];
            for (o, each) in each.iter_mut().enumerate().filter(|(o, _)| from[*o].one) {
                let all = _mm512_set1_epi16(at[o].cast::<i16>().read_unaligned());
                *each = operands::<SIGNED, ADD>(all, offsets[o]);
            }
            for i in (0..n).step_by(32) {
                let mask = if n - i >= 32 { u32::MAX } else { (1 << (n - i)) - 1 };
                for (o, each) in each.iter_mut().enumerate().filter(|(o, _)| !from[*o].one) {
                    let all = _mm512_maskz_loadu_epi16(mask, at[o].cast::<i16>().add(i));
                    *each = operands::<SIGNED, ADD>(all, offsets[o]);
                }
                let mut results = [_mm512_setzero_si512(); 2];
                for (v, result) in results.iter_mut().enumerate() {
                    let [x, y] = [each[0][v], each[1][v]];
                    let sum = if ADD {
                        _mm512_fmadd_ps(x, p, _mm512_fmadd_ps(y, q, r))
                    } else {
                        _mm512_add_ps(_mm512_mul_ps(_mm512_mul_ps(x, y), p), q)
                    };
                    // As for bytes: values that are too low, and NaN, become the least integer, and packing
                    // saturates.
                    *result = _mm512_cvtps_epi32(_mm512_min_ps(hi, sum));
                }
                // Unpacking and packing permute in the same way.
                let packed = if SIGNED {
                    _mm512_max_epi16(_mm512_packs_epi32(results[0], results[1]), lo)
                } else {
                    _mm512_max_epu16(_mm512_packus_epi32(results[0], results[1]), lo)
                };
                if n - i <= 16 {
                    _mm256_mask_storeu_epi16(to.add(i), mask as u16, _mm512_castsi512_si256(packed));
                } else {
                    _mm512_mask_storeu_epi16(to.add(i), mask, packed);
                }
            }
        }
    }
}

/// The words of each 128 bits as two times four floats, minus their zero points. Signed words are made
/// unsigned first; `offsets` takes that into account.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn operands<const SIGNED: bool, const ADD: bool>(mut all: __m512i, offsets: __m512i) -> [__m512; 2] {
    let none = _mm512_setzero_si512();
    if SIGNED {
        all = _mm512_xor_si512(all, _mm512_set1_epi16(i16::MIN));
    }
    let mut parts = [_mm512_unpacklo_epi16(all, none), _mm512_unpackhi_epi16(all, none)];
    if SIGNED || !ADD {
        for part in &mut parts {
            *part = _mm512_sub_epi32(*part, offsets);
        }
    }
    [_mm512_cvtepi32_ps(parts[0]), _mm512_cvtepi32_ps(parts[1])]
}

/// The same of bytes and words of any types.
///
/// # Safety
/// The CPU has the features; `n` elements of each row of each operand can be read and written, or one.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma")]
unsafe fn mixed<const ADD: bool>(
    base: *mut u8,
    to: Operand,
    [a, b]: [Operand; 2],
    [rows, n]: [usize; 2],
    sum: Combine,
    clamp: [i32; 2],
) {
    // SAFETY: as the function says; the last vector of a row is masked.
    unsafe {
        let [lo, hi] = [_mm512_set1_ps(clamp[0] as f32), _mm512_set1_ps(clamp[1] as f32)];
        let first = _mm512_setzero_si512();
        let size = to.etype.bytes();
        let types = [a.etype, b.etype];
        let (by, zeros) = factors(sum);
        let [p, q, r] = [_mm512_set1_ps(by[0]), _mm512_set1_ps(by[1]), _mm512_set1_ps(by[2])];
        let offsets = [_mm512_set1_epi32(zeros[0]), _mm512_set1_epi32(zeros[1])];
        for row in 0..rows {
            let [from_a, from_b] = [base.add(a.at + row * a.strides[2]), base.add(b.at + row * b.strides[2])];
            let to = base.add(to.at + row * to.strides[2]);
            let mut x =
                if a.one { _mm512_permutexvar_epi32(first, load(from_a, types[0], 0, 1)) } else { first };
            let mut y =
                if b.one { _mm512_permutexvar_epi32(first, load(from_b, types[1], 0, 1)) } else { first };
            for i in (0..n).step_by(16) {
                let mask = tail(n - i);
                if !a.one {
                    x = load(from_a, types[0], i, mask);
                }
                if !b.one {
                    y = load(from_b, types[1], i, mask);
                }
                let sum = if ADD {
                    let second = _mm512_fmadd_ps(_mm512_cvtepi32_ps(y), q, r);
                    _mm512_fmadd_ps(_mm512_cvtepi32_ps(x), p, second)
                } else {
                    let x = _mm512_cvtepi32_ps(_mm512_sub_epi32(x, offsets[0]));
                    let y = _mm512_cvtepi32_ps(_mm512_sub_epi32(y, offsets[1]));
                    _mm512_add_ps(_mm512_mul_ps(_mm512_mul_ps(x, y), p), q)
                };
                let rounded = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(sum, lo), hi));
                if size == 1 {
                    _mm_mask_storeu_epi8(to.add(i).cast(), mask, _mm512_cvtepi32_epi8(rounded));
                } else {
                    _mm256_mask_storeu_epi16(to.add(i * 2).cast(), mask, _mm512_cvtepi32_epi16(rounded));
                }
            }
        }
    }
}
