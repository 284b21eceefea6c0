//! Sums of packed weights by VPDPBUSD: every weight times one.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

/// Adds up the signed packed weights of a block, rows of `sums.len()` channels, for each channel.
pub(super) fn sum_quads(rows: &[u8], sums: &mut [i32]) {
    let width = sums.len();
    debug_assert!(width.is_multiple_of(16) && width <= 64);
    // SAFETY: AVX-512 VNNI was detected, else this module is not called; whole vectors of rows and sums are
    // read and written.
    unsafe {
        for v in 0..width / 16 {
            let n = rows.len() / (width * 4);
            column_sums(rows.as_ptr().add(v * 64), width * 4, n, sums.as_mut_ptr().add(v * 16));
        }
    }
}

/// # Safety
/// The CPU has the features; 64 bytes of `n` rows can be read, and 16 sums written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn column_sums(rows: *const u8, step: usize, n: usize, to: *mut i32) {
    // SAFETY: as the function says.
    unsafe {
        let ones = _mm512_set1_epi8(1);
        let mut sums = [_mm512_setzero_si512(); 4];
        let mut row = 0;
        while row + 4 <= n {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_dpbusd_epi32(*sum, ones, _mm512_loadu_si512(rows.add((row + i) * step).cast()));
            }
            row += 4;
        }
        while row < n {
            sums[0] = _mm512_dpbusd_epi32(sums[0], ones, _mm512_loadu_si512(rows.add(row * step).cast()));
            row += 1;
        }
        let two = [_mm512_add_epi32(sums[0], sums[1]), _mm512_add_epi32(sums[2], sums[3])];
        _mm512_storeu_si512(to.cast(), _mm512_add_epi32(two[0], two[1]));
    }
}
