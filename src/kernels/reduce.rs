//! Steps of pools and reductions on a row of a window or an image.

use super::multiversion::kernel;
use crate::numeric::{self, Average};

kernel! {
    /// The larger of two, into `best`.
    pub fn max(best: &mut [i32], other: &[i32]) -> () {
        for (b, o) in best.iter_mut().zip(other) {
            *b = (*b).max(*o);
        }
    }
}

kernel! {
    /// The larger of two bytes, into `best`.
    pub fn max_bytes(best: &mut [u8], other: &[u8], signed: bool) -> () {
        if signed {
            for (b, o) in best.iter_mut().zip(other) {
                *b = (*b as i8).max(*o as i8) as u8;
            }
        } else {
            for (b, o) in best.iter_mut().zip(other) {
                *b = (*b).max(*o);
            }
        }
    }
}

kernel! {
    /// Adds the dequantized `values[c]` to `averages[c]`.
    pub fn average(averages: &mut [Average], values: &[i32], scale: f32, zero_point: i32) -> () {
        for (a, v) in averages.iter_mut().zip(values) {
            a.take(numeric::dequantize(*v, scale, zero_point));
        }
    }
}

kernel! {
    /// `sums[c] += values[c] − zero_point`.
    pub fn sum(sums: &mut [i32], values: &[i32], zero_point: i32) -> () {
        for (s, v) in sums.iter_mut().zip(values) {
            *s = s.wrapping_add(*v - zero_point);
        }
    }
}

kernel! {
    /// `sums[c] += bytes[c] − zero_point`.
    pub fn sum_bytes(sums: &mut [i32], bytes: &[u8], signed: bool, zero_point: i32) -> () {
        if signed {
            for (s, b) in sums.iter_mut().zip(bytes) {
                *s = s.wrapping_add(i32::from(*b as i8) - zero_point);
            }
        } else {
            for (s, b) in sums.iter_mut().zip(bytes) {
                *s = s.wrapping_add(i32::from(*b) - zero_point);
            }
        }
    }
}

kernel! {
    /// `sums[c] += values[c] − zero_point`.
    pub fn sum_wide(sums: &mut [i64], values: &[i32], zero_point: i32) -> () {
        for (s, v) in sums.iter_mut().zip(values) {
            *s += i64::from(*v - zero_point);
        }
    }
}
