//! Depthwise convolution of bytes on 512 bits: 64 channels at a time.
//!
//! The bytes of four taps are interleaved, so that VPDPBUSD adds them for each channel; weights are
//! interleaved once for many tiles. Interleaving permutes the channels ([`order`]); the result is permuted
//! back.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_mask_storeu_epi32,
    _mm512_maskz_loadu_epi8, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_unpackhi_epi8,
    _mm512_unpackhi_epi16, _mm512_unpacklo_epi8, _mm512_unpacklo_epi16,
};

use super::taps::Taps;
use crate::kernels::extent::{few, fits};
/// The channel of byte 4·`lane` of vector `v` of 64 interleaved channels.
fn order(v: usize, lane: usize) -> usize {
    lane / 4 * 16 + v * 4 + lane % 4
}

/// Signed weights `[tap][channel]` as `[channel/64][tap/4][4 vectors][16 lanes][4 taps]`, absent ones zero.
pub(super) fn interleave(weights: &[u8], channels: usize) -> Vec<u8> {
    let mut to = Vec::new();
    let taps = weights.len() / channels;
    for block in (0..channels).step_by(64) {
        for group in (0..taps).step_by(4) {
            for v in 0..4 {
                for lane in 0..16 {
                    let c = block + order(v, lane);
                    to.extend(
                        (group..group + 4).map(|tap| {
                            if tap < taps && c < channels { weights[tap * channels + c] } else { 0 }
                        }),
                    );
                }
            }
        }
    }
    to
}

/// Computes a tile; false if something lies outside.
pub(super) fn run(t: &mut Taps<'_>) -> bool {
    let steps = |step: [usize; 2]| [(t.extent[0], step[0]), (t.extent[1], step[1])];
    let reach = t.taps.iter().max().and_then(|tap| tap.checked_add(t.channels));
    let blocks = t.channels.div_ceil(64);
    let groups = t.taps.len().div_ceil(4);
    let fits = few(t.extent, t.dst.len())
        && reach.is_some_and(|reach| fits(t.first, &steps(t.step), reach, t.src.len()))
        && fits(t.target, &steps(t.stride), t.channels.saturating_mul(4), t.dst.len())
        && blocks.checked_mul(groups * 256).is_some_and(|bytes| t.weights.len() >= bytes)
        && t.init.len() >= blocks * 64;
    if !fits {
        return false;
    }
    // Whole groups of four; a missing tap repeats the first one with zero weights.
    let mut taps = t.taps.to_vec();
    taps.resize(groups * 4, t.taps[0]);
    for y in 0..t.extent[0] {
        let from = t.first + y * t.step[0];
        let to = t.target + y * t.stride[0];
        for block in 0..blocks {
            let n = (t.channels - block * 64).min(64);
            // SAFETY: AVX-512 VNNI was detected, else this module is not called; `fits` says that all pixels'
            // taps and targets lie inside the slices, and the last block's channels are masked.
            unsafe {
                row(
                    t.src.as_ptr().add(from + block * 64),
                    t.step[1],
                    t.dst.as_mut_ptr().add(to + block * 256),
                    t.stride[1],
                    t.extent[1],
                    taps.as_chunks::<4>().0,
                    t.weights.as_ptr().add(block * groups * 256),
                    t.init.as_ptr().add(block * 64),
                    n,
                );
            }
        }
    }
    true
}

/// The bytes of four taps of 64 channels, interleaved.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleaved(a: [__m512i; 4]) -> [__m512i; 4] {
    let low = [_mm512_unpacklo_epi8(a[0], a[1]), _mm512_unpacklo_epi8(a[2], a[3])];
    let high = [_mm512_unpackhi_epi8(a[0], a[1]), _mm512_unpackhi_epi8(a[2], a[3])];
    [
        _mm512_unpacklo_epi16(low[0], low[1]),
        _mm512_unpackhi_epi16(low[0], low[1]),
        _mm512_unpacklo_epi16(high[0], high[1]),
        _mm512_unpackhi_epi16(high[0], high[1]),
    ]
}

/// Sums back in the order of channels: the 4 × 4 matrix of 128-bit lanes, transposed.
#[inline]
#[target_feature(enable = "avx512f")]
fn in_order(s: [__m512i; 4]) -> [__m512i; 4] {
    let t0 = _mm512_shuffle_i32x4::<0x44>(s[0], s[1]);
    let t1 = _mm512_shuffle_i32x4::<0xee>(s[0], s[1]);
    let t2 = _mm512_shuffle_i32x4::<0x44>(s[2], s[3]);
    let t3 = _mm512_shuffle_i32x4::<0xee>(s[2], s[3]);
    [
        _mm512_shuffle_i32x4::<0x88>(t0, t2),
        _mm512_shuffle_i32x4::<0xdd>(t0, t2),
        _mm512_shuffle_i32x4::<0x88>(t1, t3),
        _mm512_shuffle_i32x4::<0xdd>(t1, t3),
    ]
}

/// One row of pixels, up to 64 channels.
///
/// # Safety
/// The CPU has the features. `n` bytes can be read at every tap of every pixel, and `n` values written;
/// weights are whole.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
unsafe fn row(
    mut src: *const u8,
    step: usize,
    mut dst: *mut u8,
    stride: usize,
    pixels: usize,
    taps: &[[usize; 4]],
    weights: *const u8,
    init: *const i32,
    n: usize,
) {
    // SAFETY: as the function says.
    unsafe {
        let bytes = if n == 64 { u64::MAX } else { (1 << n) - 1 };
        let init = init.cast::<__m512i>();
        let init = [
            _mm512_loadu_si512(init),
            _mm512_loadu_si512(init.add(1)),
            _mm512_loadu_si512(init.add(2)),
            _mm512_loadu_si512(init.add(3)),
        ];
        for _ in 0..pixels {
            let mut sums = [_mm512_setzero_si512(); 4];
            let mut w = weights.cast::<__m512i>();
            // No closures here: they would be compiled without the features.
            for four in taps {
                let a = interleaved([
                    _mm512_maskz_loadu_epi8(bytes, src.add(four[0]).cast()),
                    _mm512_maskz_loadu_epi8(bytes, src.add(four[1]).cast()),
                    _mm512_maskz_loadu_epi8(bytes, src.add(four[2]).cast()),
                    _mm512_maskz_loadu_epi8(bytes, src.add(four[3]).cast()),
                ]);
                for v in 0..4 {
                    sums[v] = _mm512_dpbusd_epi32(sums[v], a[v], _mm512_loadu_si512(w.add(v)));
                }
                w = w.add(4);
            }
            let sums = in_order(sums);
            for v in 0..n.div_ceil(16) {
                let left = n - v * 16;
                let mask = if left >= 16 { u16::MAX } else { (1 << left) - 1 };
                _mm512_mask_storeu_epi32(dst.add(v * 64).cast(), mask, _mm512_add_epi32(sums[v], init[v]));
            }
            src = src.add(step);
            dst = dst.add(stride);
        }
    }
}
