//! The peak rate of byte products of the CPU, which kernels are compared with.

#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "vector instructions"))]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_si512,
};

use super::cpu::Level;

/// Independent sums: enough to hide an instruction's latency.
#[cfg(target_arch = "x86_64")]
const SUMS: usize = 16;

/// Executes `rounds` rounds of VPDPBUSD on 512 bits at the highest rate of the CPU, for benchmarks; returns
/// the multiply-accumulates done. `None` on levels without that instruction.
#[must_use]
pub fn products(level: Level, rounds: u64) -> Option<u64> {
    #[cfg(target_arch = "x86_64")]
    if level.has_avx512() {
        // SAFETY: AVX-512 VNNI was detected; no memory is touched.
        std::hint::black_box(unsafe { spin(rounds) });
        return Some(rounds * SUMS as u64 * 64);
    }
    let _ = (level, rounds);
    None
}

/// # Safety
/// The CPU has the features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn spin(rounds: u64) -> i32 {
    let mut sums = [_mm512_setzero_si512(); SUMS];
    let (a, w) = (_mm512_set1_epi32(std::hint::black_box(0x0102_0304)), _mm512_set1_epi8(3));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, a, w);
        }
    }
    let mut all = 0_i32;
    for sum in sums {
        all = all.wrapping_add(_mm512_reduce_add_epi32(sum));
    }
    all
}
