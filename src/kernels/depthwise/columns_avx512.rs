//! Depthwise convolution of bytes with kernels of 3 × 3 and 5 × 5 on 512 bits: 64 channels at a time, column
//! by column.
//!
//! A column is the pixels under the kernel's height at one position along the width. Its rows are interleaved
//! once, four bytes for each channel, and VPDPBUSD adds them to the sums of all outputs whose windows contain
//! the column. Padding is read from zero points instead of the image, so no image is copied.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    __m512i, _mm_maskz_loadu_epi8, _mm512_cvtepu8_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512,
    _mm512_mask_storeu_epi32, _mm512_maskz_loadu_epi8, _mm512_permutexvar_epi32, _mm512_set1_epi8,
    _mm512_setr_epi32, _mm512_setzero_si512, _mm512_unpackhi_epi8, _mm512_unpackhi_epi16,
    _mm512_unpacklo_epi8, _mm512_unpacklo_epi16, _mm512_xor_si512,
};

use super::columns::{Columns, Row};
use crate::kernels::aligned::Aligned;
use crate::kernels::cpu::Level;
use crate::kernels::epilogue::Epilogue;
use crate::kernels::pack::portable::interleave as interleave_rows;
use crate::kernels::requantize::avx512::{Even, Rounding};

/// Bytes of a set of interleaved weights.
pub(super) fn set_bytes(kernel: usize, channels: usize) -> usize {
    channels.div_ceil(64) * block_bytes(kernel)
}

/// Signed weights `[tap][channel]` of a square kernel as `[channel/64][column][row/4][64 channels][4 rows]`,
/// absent ones zero; `to` has as many bytes as [`set_bytes`] says.
pub(super) fn interleave(level: Level, weights: &[u8], kernel: usize, channels: usize, to: &mut [u8]) {
    to.fill(0);
    let absent = vec![0; channels];
    for column in 0..kernel {
        for group in 0..kernel.div_ceil(4) {
            let rows: [&[u8]; 4] = std::array::from_fn(|i| match group * 4 + i {
                row if row < kernel => &weights[(row * kernel + column) * channels..][..channels],
                _ => absent.as_slice(),
            });
            for block in 0..channels.div_ceil(64) {
                let at = block * block_bytes(kernel) + (column * kernel.div_ceil(4) + group) * 256;
                let rows = rows.map(|r| &r[block * 64..channels.min(block * 64 + 64)]);
                interleave_rows(level, rows, 1, &mut to[at..at + 256]);
            }
        }
    }
}

/// Bytes of the interleaved weights of 64 channels.
const fn block_bytes(kernel: usize) -> usize {
    kernel * kernel.div_ceil(4) * 256
}

/// Computes a tile; `line` is a buffer for a row of sums. False if something lies outside, or if bytes were
/// stored and a guarded sum wrapped.
pub(super) fn run(t: &mut Columns<'_>, line: &mut Aligned<i32>) -> bool {
    let blocks = t.channels.div_ceil(64);
    let unit = t.epilogue.bytes();
    if !t.fits() || t.weights.len() < blocks * block_bytes(t.kernel) {
        return false;
    }
    let set = blocks * block_bytes(t.kernel);
    let second = (t.weights.len() >= 2 * set).then_some(set);
    let bytes = match t.epilogue {
        Epilogue::Sums => None,
        // SAFETY: AVX-512 was detected, else this module is not called.
        Epilogue::Bytes(s) => Some((unsafe { Rounding::new(s.bounds, s.signed, s.small) }, s)),
    };
    let pixels = t.extent[1];
    line.room(pixels.next_multiple_of(16) * 64);
    let mut wrapped = false;
    let padding = [t.zero ^ t.flip; 64];
    for y in 0..t.extent[0] {
        for block in 0..blocks {
            let n = (t.channels - block * 64).min(64);
            let mut rows: [Row; 5] = [(padding.as_ptr(), 0); 5];
            for (i, row) in rows.iter_mut().enumerate().take(t.kernel) {
                if let Some(first) = t.row(y, i) {
                    *row = (t.src.as_ptr().wrapping_add(first + block * 64), t.pitch[1]);
                }
            }
            let target = t.target + y * t.step[0] + block * 64 * unit;
            let (to, step) = match bytes {
                None => (t.dst.as_mut_ptr().wrapping_add(target), t.step[1]),
                Some(_) => (line.as_mut_ptr().cast(), 256),
            };
            let outputs = OutputLine {
                rows,
                begin: t.corner[1],
                width: t.image[1] as i64,
                zero: t.zero,
                flip: t.flip,
                weights: t.weights[block * block_bytes(t.kernel)..].as_ptr(),
                second,
                init: t.init[block * 64..].as_ptr(),
                to,
                step,
                pixels,
                n,
            };
            // SAFETY: AVX-512 VNNI was detected, else this module is not called. Rows lie inside the image,
            // which is inside `src`, or are 64 bytes of padding with a step of 0; `fits` says that all
            // targets are inside `dst`, or they are in `line`, which has 64 sums for every pixel.
            unsafe { outputs.run(t.kernel, t.stride[1]) };
            let Some((rounding, scale)) = &bytes else { continue };
            let targets = Even(t.dst.as_mut_ptr().wrapping_add(target), t.step[1]);
            // SAFETY: as above; `serves` says that there are operands for whole blocks of channels.
            wrapped |=
                unsafe { rounding.finish((line.as_ptr(), 64), scale.from(block * 64), n, targets, pixels) };
        }
    }
    !wrapped
}

/// One line of outputs, up to 64 channels.
struct OutputLine {
    rows: [Row; 5],
    /// Column of the image under the first window's left edge, and columns of the image.
    begin: i64,
    width: i64,
    zero: u8,
    flip: u8,
    weights: *const u8,
    /// Offset of the second set of weights, if there is one.
    second: Option<usize>,
    init: *const i32,
    to: *mut u8,
    step: usize,
    pixels: usize,
    n: usize,
}

impl OutputLine {
    /// # Safety
    /// The CPU has AVX-512 VNNI. `n` bytes can be read at every column of every row, `n` values written for
    /// every pixel; weights and start values are whole. The kernel is 3 or 5.
    unsafe fn run(&self, kernel: usize, stride: usize) {
        // SAFETY: as the function says.
        unsafe {
            match (kernel, stride) {
                (3, 1) => self.slide::<3, 1, 3>(),
                (3, _) => self.slide::<3, 1, 2>(),
                (_, 1) => self.slide::<5, 2, 5>(),
                _ => self.slide::<5, 2, 3>(),
            }
        }
    }

    /// `K` is the kernel's size, `G` the number of quads of rows, `A` how many outputs have a column in their
    /// window at most (with step 1 as many as the kernel has columns).
    ///
    /// # Safety
    /// As [`run`](OutputLine::run) says.
    unsafe fn slide<const K: usize, const G: usize, const A: usize>(&self) {
        // SAFETY: as the function says.
        unsafe {
            match (self.n.div_ceil(16), self.second) {
                (1, None) => self.slide_some::<K, G, A, 1, false>(0),
                (2, None) => self.slide_some::<K, G, A, 2, false>(0),
                (3, None) => self.slide_some::<K, G, A, 3, false>(0),
                (_, None) => self.slide_some::<K, G, A, 4, false>(0),
                (1, Some(second)) => self.slide_some::<K, G, A, 1, true>(second),
                (2, Some(second)) => self.slide_some::<K, G, A, 2, true>(second),
                (3, Some(second)) => self.slide_some::<K, G, A, 3, true>(second),
                (_, Some(second)) => self.slide_some::<K, G, A, 4, true>(second),
            }
        }
    }

    /// `V` is the number of vectors of sixteen channels; `TWO` whether there is a second set of weights,
    /// `second` bytes behind.
    ///
    /// # Safety
    /// As [`run`](OutputLine::run) says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn slide_some<const K: usize, const G: usize, const A: usize, const V: usize, const TWO: bool>(
        &self,
        second: usize,
    ) {
        let stride = if A == K { 1 } else { 2 };
        // SAFETY: as the function says; loads and stores of channels beyond `n` are masked.
        unsafe {
            let bytes = if self.n == 64 { u64::MAX } else { (1 << self.n) - 1 };
            let left = self.n - (V - 1) * 16;
            let last = if left == 16 { u16::MAX } else { (1 << left) - 1 };
            let mut start = [_mm512_setzero_si512(); V];
            for (v, start) in start.iter_mut().enumerate() {
                *start = _mm512_loadu_si512(self.init.add(v * 16).cast());
            }
            // Outputs under way, the oldest first.
            let mut sums = [start; A];
            let padding = _mm512_set1_epi8(self.zero as i8);
            let flip = _mm512_set1_epi8(self.flip as i8);
            let mut to = self.to;
            let columns = (self.pixels - 1) * stride + K;
            for c in 0..columns {
                let at = self.begin + c as i64;
                let mut column = [[padding; V]; G];
                if at >= 0 && at < self.width {
                    let at = at as usize;
                    let mut rows = [_mm512_setzero_si512(); 4];
                    for (i, row) in rows.iter_mut().enumerate().take(if K < 4 { K } else { 4 }) {
                        let (first, step) = self.rows[i];
                        let a = _mm512_maskz_loadu_epi8(bytes, first.add(at * step).cast());
                        *row = in_fours(_mm512_xor_si512(a, flip));
                    }
                    column[0] = interleaved::<V>(rows);
                    if G == 2 {
                        let (first, step) = self.rows[4];
                        for (v, to) in column[G - 1].iter_mut().enumerate() {
                            let mask = if v == V - 1 { last } else { u16::MAX };
                            let a = _mm_maskz_loadu_epi8(mask, first.add(at * step + v * 16).cast());
                            // Missing rows are multiplied with zero weights.
                            *to = _mm512_xor_si512(_mm512_cvtepu8_epi32(a), flip);
                        }
                    }
                }
                // This is the last column in the oldest output's window, and an earlier one for younger
                // outputs.
                let even = stride == 1 || c % 2 == (K - 1) % 2;
                for (j, sums) in sums.iter_mut().enumerate() {
                    let tap = match (stride, even) {
                        (1, _) => K - 1 - j,
                        (_, true) => K - 1 - 2 * j,
                        // Between two columns of the oldest output's window; the youngest has not begun.
                        _ if j == A - 1 => continue,
                        _ => K - 2 - 2 * j,
                    };
                    for (g, column) in column.iter().enumerate() {
                        let weights = self.weights.add((tap * G + g) * 256);
                        for (v, (sum, a)) in sums.iter_mut().zip(column).enumerate() {
                            let w = _mm512_loadu_si512(weights.add(v * 64).cast());
                            *sum = _mm512_dpbusd_epi32(*sum, *a, w);
                            if TWO {
                                let w = _mm512_loadu_si512(weights.add(second + v * 64).cast());
                                *sum = _mm512_dpbusd_epi32(*sum, *a, w);
                            }
                        }
                    }
                }
                if !even {
                    continue;
                }
                if c + 1 >= K {
                    for (v, sum) in sums[0].iter().enumerate() {
                        let mask = if v == V - 1 { last } else { u16::MAX };
                        _mm512_mask_storeu_epi32(to.add(v * 64).cast(), mask, *sum);
                    }
                    to = to.add(self.step);
                }
                for j in 1..A {
                    sums[j - 1] = sums[j];
                }
                sums[A - 1] = start;
            }
        }
    }
}

/// The 4 × 4 matrix of quads of channels, transposed: interleaving then keeps the channels in order.
#[inline]
#[target_feature(enable = "avx512f")]
fn in_fours(a: __m512i) -> __m512i {
    _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), a)
}

/// Four bytes for each of `V` times sixteen channels, from rows [`in_fours`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleaved<const V: usize>(rows: [__m512i; 4]) -> [__m512i; V] {
    let mut to = [_mm512_setzero_si512(); V];
    for (v, to) in to.iter_mut().enumerate() {
        // The compiler computes each half once.
        let (one, two) = if v < 2 {
            (_mm512_unpacklo_epi8(rows[0], rows[1]), _mm512_unpacklo_epi8(rows[2], rows[3]))
        } else {
            (_mm512_unpackhi_epi8(rows[0], rows[1]), _mm512_unpackhi_epi8(rows[2], rows[3]))
        };
        *to = if v % 2 == 0 { _mm512_unpacklo_epi16(one, two) } else { _mm512_unpackhi_epi16(one, two) };
    }
    to
}
