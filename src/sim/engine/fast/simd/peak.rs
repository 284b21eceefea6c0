//! As many products of bytes as the CPU can do at all: what kernels are compared with.

#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_si512,
};

/// Sums in work at once: enough to hide an instruction's latency.
const SUMS: usize = 16;

/// Does `rounds` rounds of VPDPBUSD in registers; gives the multiply-accumulates done, and a number that depends on them.
pub(in crate::sim::engine::fast) fn products(rounds: u64) -> (u64, i32) {
    // SAFETY: AVX-512 VNNI was detected, else this module is not called; no memory is touched.
    (rounds * SUMS as u64 * 64, unsafe { spin(rounds) })
}

/// # Safety
/// The CPU has the features.
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
