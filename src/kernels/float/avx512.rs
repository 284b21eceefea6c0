//! Functions of two f32 on 512 bits, sixteen at a time, with the results of
//! [`numeric::float2`](crate::numeric::float2).

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::floats::Floats;
use crate::isa::Float2;
use crate::kernels::avx512::tail;
use crate::kernels::requantize::divide::{Divisor, canonical};
use crate::kernels::view::ViewMut;

/// `to ← op(a, b)` for `n` floats of one memory; false, and nothing is written, if something lies outside, an
/// operand overlaps the result without being it, or there is no such kernel.
pub(crate) fn float2(mut memory: ViewMut<'_>, to: usize, from: [Floats; 2], n: usize, op: Float2) -> bool {
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
            Float2::Div if from[1].one => row::<DIV_BY_ONE>(base, to, from, n),
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
const DIV_BY_ONE: u8 = 6;

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
        let divisor = Divisor::new(_mm512_cvtss_f32(y));
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
                DIV_BY_ONE => divisor.quotient(x),
                // As defined, the second operand where neither is less.
                MIN => _mm512_min_ps(x, y),
                _ => _mm512_max_ps(x, y),
            };
            let z = if OP == DIV_BY_ONE { z } else { canonical(z) };
            _mm512_mask_storeu_ps(to.add(i), mask, z);
        }
    }
}
