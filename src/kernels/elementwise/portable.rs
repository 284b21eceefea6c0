//! Sums and products of rows of elements.

use crate::kernels::multiversion::kernel;
use crate::numeric;

kernel! {
    /// QLinearAdd; the result replaces `a`.
    pub fn add(a: &mut [i32], b: &[i32], c: [f32; 3], clamp: [i32; 2]) -> () {
        for (a, b) in a.iter_mut().zip(b) {
            *a = numeric::add(*a, *b, c[0], c[1], c[2], clamp);
        }
    }
}

kernel! {
    /// QLinearMul; the result replaces `a`.
    pub fn mul(a: &mut [i32], b: &[i32], zeros: [i32; 2], m: f32, zero_point: i32, clamp: [i32; 2]) -> () {
        for (a, b) in a.iter_mut().zip(b) {
            *a = numeric::mul_operands(*a - zeros[0], *b - zeros[1], m, zero_point, clamp);
        }
    }
}
