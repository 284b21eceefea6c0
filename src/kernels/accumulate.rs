//! Start values of products, and the addition of sums to them.

use super::multiversion::kernel;
use crate::numeric;

kernel! {
    /// `to[o] = bias[o] − zero_point · sums[o]`; the bias counts as 0 beyond its end.
    pub fn start_values(to: &mut [i32], sums: &[i32], zero_point: i32, bias: &[[u8; 4]]) -> () {
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = zero_point.wrapping_mul(*sum).wrapping_neg();
        }
        for (to, b) in to.iter_mut().zip(bias) {
            *to = to.wrapping_add(i32::from_le_bytes(*b));
        }
    }
}

kernel! {
    /// The largest magnitude of a bias, with `b` counted as `−b − 1` if negative.
    pub fn largest(bias: &[[u8; 4]]) -> i32 {
        bias.iter().fold(0, |largest: i32, b| {
            let b = i32::from_le_bytes(*b);
            largest.max(b ^ (b >> 31))
        })
    }
}

kernel! {
    /// Biases as integers, and for each the sign bit if it lies beyond ±`limit`, else 0.
    pub fn watch(bias: &[[u8; 4]], limit: i32, to: &mut [i32], watched: &mut [i32]) -> () {
        for ((to, w), b) in to.iter_mut().zip(watched).zip(bias) {
            let b = i32::from_le_bytes(*b);
            *to = b;
            *w = if b > limit || b < -limit { i32::MIN } else { 0 };
        }
    }
}

kernel! {
    /// Adds sums to start values; returns how many additions wrapped.
    pub fn accumulate(start: &mut [i32], sums: &[i32]) -> u64 {
        let mut wraps = 0_u32;
        for (s, sum) in start.iter_mut().zip(sums) {
            let (value, wrapped) = numeric::accumulate(*s, *sum);
            *s = value;
            wraps += u32::from(wrapped);
        }
        u64::from(wraps)
    }
}

kernel! {
    /// Adds sums less a term to accumulators in memory, little endian; returns how many additions wrapped.
    pub fn accumulate_bytes(to: &mut [[u8; 4]], sums: &[i32], term: i32) -> u64 {
        let mut wraps = 0_u32;
        for (to, sum) in to.iter_mut().zip(sums) {
            let (value, wrapped) = numeric::accumulate(i32::from_le_bytes(*to), sum.wrapping_sub(term));
            *to = value.to_le_bytes();
            wraps += u32::from(wrapped);
        }
        u64::from(wraps)
    }
}

kernel! {
    /// Adds sums to start values; returns how many additions wrapped.
    pub fn accumulate_wide(start: &mut [i64], sums: &[i64]) -> u64 {
        let mut wraps = 0;
        for (s, sum) in start.iter_mut().zip(sums) {
            let (value, wrapped) = numeric::accumulate_wide(*s, *sum);
            *s = value;
            wraps += u64::from(wrapped);
        }
        wraps
    }
}
