//! Depthwise products on any CPU: a tap of all channels of a pixel.

use crate::kernels::multiversion::kernel;

kernel! {
    /// `sums[c] += a[c] · w[c]`.
    pub fn multiply_add(sums: &mut [i32], a: &[i16], w: &[i16]) -> () {
        for ((s, a), w) in sums.iter_mut().zip(a).zip(w) {
            *s = s.wrapping_add(i32::from(*a) * i32::from(*w));
        }
    }
}

kernel! {
    /// `sums[c] += a[c] · w[c]`, where sums fit 32 bits.
    pub fn multiply_add_words(sums: &mut [i32], a: &[i32], w: &[i32]) -> () {
        for ((s, a), w) in sums.iter_mut().zip(a).zip(w) {
            *s = s.wrapping_add(a.wrapping_mul(*w));
        }
    }
}

kernel! {
    /// `sums[c] += a[c] · w[c]`.
    pub fn multiply_add_wide(sums: &mut [i64], a: &[i32], w: &[i32]) -> () {
        for ((s, a), w) in sums.iter_mut().zip(a).zip(w) {
            *s = s.wrapping_add(i64::from(*a) * i64::from(*w));
        }
    }
}
