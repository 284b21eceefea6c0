//! Depthwise convolution of words with bytes on 512 bits: 32 channels at a time.
//!
//! The words of two taps are interleaved, so that VPDPWSSD adds them for each channel. It takes signed
//! activations: the sign bit of unsigned ones is flipped. Weights are minus their zero point, so sums of up
//! to 127 taps fit 32 bits.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    __m512i, _mm512_dpwssd_epi32, _mm512_loadu_si512, _mm512_maskz_loadu_epi16, _mm512_permutex2var_epi32,
    _mm512_set1_epi16, _mm512_setr_epi32, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_unpackhi_epi16,
    _mm512_unpacklo_epi16, _mm512_xor_si512,
};

use crate::kernels::aligned::Aligned;
use crate::kernels::extent::fits;
use crate::kernels::view::View;

/// Most taps whose sum fits 32 bits.
pub(crate) const TAPS: usize = 127;

/// A depthwise tile: `Σ tap (a[p·step + tap][c] ^ flip) · w[tap][c]`, the products of signed words.
#[derive(Debug)]
pub(crate) struct WordTaps<'a> {
    /// Activations, and the offset of those of pixel (0, 0).
    pub(crate) src: View<'a>,
    pub(crate) first: usize,
    /// Whether their sign bit is flipped.
    pub(crate) flip: bool,
    /// Bytes from an output row and an output pixel to the next, in `src`.
    pub(crate) step: [usize; 2],
    /// Output rows and columns.
    pub(crate) extent: [usize; 2],
    /// Offset of each tap from the pixel's first byte.
    pub(crate) taps: &'a [usize],
    /// From [`interleave`].
    pub(crate) weights: &'a [i16],
    pub(crate) channels: usize,
}

/// Weights `[tap][channel]` as `[channel/32][tap/2][2 vectors][16 lanes][2 taps]`, absent ones zero.
pub(crate) fn interleave(weights: &[i16], channels: usize) -> Vec<i16> {
    let mut to = Vec::new();
    let taps = weights.len() / channels;
    for block in (0..channels).step_by(32) {
        for pair in (0..taps).step_by(2) {
            for v in 0..2 {
                for lane in 0..16 {
                    let c = block + lane / 4 * 8 + v * 4 + lane % 4;
                    to.extend(
                        (pair..pair + 2).map(|tap| {
                            if tap < taps && c < channels { weights[tap * channels + c] } else { 0 }
                        }),
                    );
                }
            }
        }
    }
    to
}

impl WordTaps<'_> {
    /// Whether all that is read lies inside the slices, and sums fit.
    pub(crate) fn fits(&self) -> bool {
        let steps = [(self.extent[0], self.step[0]), (self.extent[1], self.step[1])];
        let reach = self.taps.iter().max().and_then(|t| t.checked_add(self.channels * 2));
        self.taps.len() <= TAPS
            && reach.is_some_and(|reach| fits(self.first, &steps, reach, self.src.len()))
            && self.weights.len() >= self.channels.div_ceil(32) * self.taps.len().div_ceil(2) * 64
    }

    /// Channels from a pixel's sums to the next one's.
    pub(crate) fn pitch(&self) -> usize {
        self.channels.next_multiple_of(32)
    }

    /// The sums of an output row of a tile that [`fits`](WordTaps::fits), pixel by pixel; false, and nothing
    /// is written, if there is no such row.
    pub(crate) fn row(&self, y: usize, to: &mut Aligned<u8>) -> bool {
        if y >= self.extent[0] || !self.fits() {
            return false;
        }
        let blocks = self.channels.div_ceil(32);
        let pairs = self.taps.len().div_ceil(2);
        // Whole pairs; a missing tap repeats the first one with zero weights.
        let mut taps = [[self.taps[0]; 2]; TAPS.div_ceil(2)];
        taps.as_flattened_mut()[..self.taps.len()].copy_from_slice(self.taps);
        let Some(len) = self.extent[1].checked_mul(self.pitch() * 4) else { return false };
        let to = to.room(len);
        let from = self.first + y * self.step[0];
        for block in 0..blocks {
            let n = (self.channels - block * 32).min(32);
            // SAFETY: AVX-512 VNNI was detected, else this module is not called; `fits` says that all pixels'
            // taps lie inside the slices, the last block's channels are masked, and there is room for whole
            // blocks of sums.
            unsafe {
                let row = if self.flip { row::<true> } else { row::<false> };
                row(
                    (self.src.as_ptr().add(from + block * 64), self.step[1]),
                    (to.as_mut_ptr().add(block * 128), self.pitch() * 4),
                    self.extent[1],
                    &taps[..pairs],
                    self.weights.as_ptr().add(block * pairs * 64),
                    n,
                );
            }
        }
        true
    }
}

/// Lanes of two vectors of sums in the order of channels: the first 16 and the last 16.
#[inline]
#[target_feature(enable = "avx512f")]
fn in_order(s: [__m512i; 2]) -> [__m512i; 2] {
    let first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    let last = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    [_mm512_permutex2var_epi32(s[0], first, s[1]), _mm512_permutex2var_epi32(s[0], last, s[1])]
}

/// One row of pixels, up to 32 channels.
///
/// # Safety
/// The CPU has the features. `n` words can be read at every tap of every pixel, and 32 sums written; weights
/// are whole.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn row<const FLIP: bool>(
    (mut src, step): (*const u8, usize),
    (mut dst, stride): (*mut u8, usize),
    pixels: usize,
    taps: &[[usize; 2]],
    weights: *const i16,
    n: usize,
) {
    // SAFETY: as the function says.
    unsafe {
        let words = if n == 32 { u32::MAX } else { (1 << n) - 1 };
        let sign = _mm512_set1_epi16(i16::MIN);
        for _ in 0..pixels {
            let mut sums = [_mm512_setzero_si512(); 2];
            let mut w = weights.cast::<__m512i>();
            // No closures here: they would be compiled without the features.
            for two in taps {
                let mut a = _mm512_maskz_loadu_epi16(words, src.add(two[0]).cast());
                let mut b = _mm512_maskz_loadu_epi16(words, src.add(two[1]).cast());
                if FLIP {
                    a = _mm512_xor_si512(a, sign);
                    b = _mm512_xor_si512(b, sign);
                }
                let low = _mm512_loadu_si512(w);
                let high = _mm512_loadu_si512(w.add(1));
                sums[0] = _mm512_dpwssd_epi32(sums[0], _mm512_unpacklo_epi16(a, b), low);
                sums[1] = _mm512_dpwssd_epi32(sums[1], _mm512_unpackhi_epi16(a, b), high);
                w = w.add(2);
            }
            let sums = in_order(sums);
            _mm512_storeu_si512(dst.cast(), sums[0]);
            _mm512_storeu_si512(dst.add(64).cast(), sums[1]);
            src = src.add(step);
            dst = dst.add(stride);
        }
    }
}
