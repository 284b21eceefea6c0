//! The roundings of [`numeric`] for rows of elements.

use crate::kernels::multiversion::kernel;
use crate::numeric;

kernel! {
    /// Requantizes in place with one multiplier for each element.
    pub fn requantize(values: &mut [i32], multipliers: &[f32], zero_point: i32, clamp: [i32; 2]) -> () {
        for (v, m) in values.iter_mut().zip(multipliers) {
            *v = numeric::requantize(*v, *m, zero_point, clamp);
        }
    }
}

#[cfg(target_arch = "aarch64")]
kernel! {
    /// The bytes of sums, with one multiplier for each.
    pub fn requantize_bytes(
        to: &mut [u8],
        sums: &[i32],
        multipliers: &[f32],
        zero_point: i32,
        clamp: [i32; 2],
    ) -> () {
        for ((to, sum), m) in to.iter_mut().zip(sums).zip(multipliers) {
            *to = numeric::requantize(*sum, *m, zero_point, clamp) as u8;
        }
    }
}

kernel! {
    /// QuantizeLinear.
    pub fn quantize(to: &mut [i32], from: &[f32], scale: f32, zero_point: i32, clamp: [i32; 2]) -> () {
        for (q, x) in to.iter_mut().zip(from) {
            *q = numeric::quantize(*x, scale, zero_point, clamp);
        }
    }
}

kernel! {
    /// DequantizeLinear with one multiplier for each element.
    pub fn dequantize(to: &mut [f32], values: &[i32], zero_point: i32, multipliers: &[f32]) -> () {
        for ((t, v), m) in to.iter_mut().zip(values).zip(multipliers) {
            // Differences of 17 bits are exact in f32 either way.
            *t = numeric::scale_sum(i64::from(*v - zero_point), *m);
        }
    }
}
