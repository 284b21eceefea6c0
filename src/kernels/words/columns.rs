//! Depthwise convolution of words with kernels of 3 × 3 and 5 × 5 on 512 bits: 32 channels at a time, column
//! by column.
//!
//! As in [`depthwise`](crate::kernels::depthwise) for bytes, two rows of a column are interleaved once, and
//! VPDPWSSD adds them to the sums of all outputs whose windows contain the column. It takes signed
//! activations: the sign bit of unsigned ones is flipped. Weights are minus their zero point, so sums of 25
//! taps fit 32 bits.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use crate::kernels::aligned::Aligned;
use crate::kernels::extent::fits;
use crate::kernels::view::View;

/// Output rows of a depthwise tile: `Σ(i, j) (a[y·s + i][x·s + j][c] ^ flip) · w[i][j][c]`, the products of
/// signed words.
#[derive(Debug)]
pub(crate) struct WordColumns<'a> {
    /// Activations from the image's first pixel on, and the bytes from a row and from a pixel to the next.
    pub(crate) src: View<'a>,
    pub(crate) pitch: [usize; 2],
    /// Rows and columns of the image.
    pub(crate) image: [usize; 2],
    /// Row and column of the image under the upper left corner of the first window; negative in the padding.
    pub(crate) corner: [i64; 2],
    /// Whether the sign bit of activations is flipped, and the zero point before that.
    pub(crate) flip: bool,
    pub(crate) zero: i16,
    /// Height and width of the kernel, and its step.
    pub(crate) kernel: usize,
    pub(crate) stride: [usize; 2],
    /// From [`interleave`].
    pub(crate) weights: &'a [i16],
    pub(crate) channels: usize,
    /// Output columns.
    pub(crate) pixels: usize,
}

/// Words of the interleaved weights of 32 channels.
const fn block_words(kernel: usize) -> usize {
    kernel * kernel.div_ceil(2) * 64
}

/// Weights `[tap][channel]` of a square kernel as `[channel/32][column][row/2][32 channels][2 rows]`, absent
/// ones zero.
pub(crate) fn interleave(weights: &[i16], kernel: usize, channels: usize) -> Vec<i16> {
    let mut to = Vec::with_capacity(channels.div_ceil(32) * block_words(kernel));
    for block in (0..channels).step_by(32) {
        for column in 0..kernel {
            for pair in (0..kernel).step_by(2) {
                for c in block..block + 32 {
                    to.extend((pair..pair + 2).map(|row| match (row < kernel, c < channels) {
                        (true, true) => weights[(row * kernel + column) * channels + c],
                        _ => 0,
                    }));
                }
            }
        }
    }
    to
}

/// A row of the image: address of its first pixel, and the step to the next; the step of a padding row is 0.
type Row = (*const u8, usize);

impl WordColumns<'_> {
    /// Whether all that will be read lies inside the slices.
    pub(crate) fn fits(&self) -> bool {
        let [height, width] = self.image;
        let image = [(height, self.pitch[0]), (width, self.pitch[1])];
        self.pixels > 0
            && self.channels > 0
            && matches!(self.kernel, 3 | 5)
            && matches!(self.stride[1], 1 | 2)
            && fits(0, &image, self.channels * 2, self.src.len())
            && self.weights.len() >= self.channels.div_ceil(32) * block_words(self.kernel)
    }

    /// Channels from a pixel's sums to the next one's.
    pub(crate) fn pitch(&self) -> usize {
        self.channels.next_multiple_of(16)
    }

    /// The sums of an output row of a tile that [`fits`](WordColumns::fits), pixel by pixel; false, and
    /// nothing is written, if it does not.
    pub(crate) fn row(&self, y: usize, to: &mut Aligned<u8>) -> bool {
        if !self.fits() {
            return false;
        }
        let [height, width] = self.image;
        let Some(len) = self.pixels.checked_mul(self.pitch() * 4) else { return false };
        let to = to.room(len);
        let padding = [self.zero; 32];
        for block in 0..self.channels.div_ceil(32) {
            let mut rows: [Row; 5] = [(padding.as_ptr().cast(), 0); 5];
            for (i, row) in rows.iter_mut().enumerate().take(self.kernel) {
                let at = self.corner[0] + (y * self.stride[0] + i) as i64;
                if (0..height as i64).contains(&at) {
                    *row = (
                        self.src.as_ptr().wrapping_add(at as usize * self.pitch[0] + block * 64),
                        self.pitch[1],
                    );
                }
            }
            let line = OutputLine {
                rows,
                begin: self.corner[1],
                width: width as i64,
                zero: self.zero,
                flip: if self.flip { i16::MIN } else { 0 },
                weights: self.weights[block * block_words(self.kernel)..].as_ptr(),
                to: to[block * 128..].as_mut_ptr(),
                step: self.pitch() * 4,
                pixels: self.pixels,
                n: (self.channels - block * 32).min(32),
            };
            // SAFETY: AVX-512 VNNI was detected, else this module is not called. Rows lie inside the image,
            // which is inside `src`, or are 64 bytes of padding with a step of 0; `to` has sums for every
            // pixel, whole sixteens of channels.
            unsafe { line.run(self.kernel, self.stride[1]) };
        }
        true
    }
}

/// One line of outputs, up to 32 channels.
struct OutputLine {
    rows: [Row; 5],
    /// Column of the image under the first window's left edge, and columns of the image.
    begin: i64,
    width: i64,
    zero: i16,
    flip: i16,
    weights: *const i16,
    to: *mut u8,
    step: usize,
    pixels: usize,
    n: usize,
}

impl OutputLine {
    /// # Safety
    /// The CPU has AVX-512 VNNI. `n` words can be read at every column of every row, sums of whole sixteens
    /// of channels written for every pixel; weights are whole.
    unsafe fn run(&self, kernel: usize, stride: usize) {
        // SAFETY: as the function says.
        unsafe {
            match (kernel, stride, self.n > 16) {
                (3, 1, false) => self.slide::<3, 2, 3, 1>(),
                (3, 1, true) => self.slide::<3, 2, 3, 2>(),
                (3, _, false) => self.slide::<3, 2, 2, 1>(),
                (3, _, true) => self.slide::<3, 2, 2, 2>(),
                (_, 1, false) => self.slide::<5, 3, 5, 1>(),
                (_, 1, true) => self.slide::<5, 3, 5, 2>(),
                (_, _, false) => self.slide::<5, 3, 3, 1>(),
                (_, _, true) => self.slide::<5, 3, 3, 2>(),
            }
        }
    }

    /// `K` is the kernel's size, `G` the number of pairs of rows, `A` how many outputs have a column in their
    /// window at most (with step 1 as many as the kernel has columns), `V` the number of vectors of sixteen
    /// channels.
    ///
    /// # Safety
    /// As [`run`](OutputLine::run) says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn slide<const K: usize, const G: usize, const A: usize, const V: usize>(&self) {
        let stride = if A == K { 1 } else { 2 };
        // SAFETY: as the function says; loads of channels beyond `n` are masked.
        unsafe {
            let words = if self.n == 32 { u32::MAX } else { (1 << self.n) - 1 };
            let none = _mm512_setzero_si512();
            // Outputs under way, the oldest first.
            let mut sums = [[none; V]; A];
            let flip = _mm512_set1_epi16(self.flip);
            let padding = _mm512_set1_epi16(self.zero ^ self.flip);
            // Quads of channels: the first four to the lower halves, so that interleaving keeps them in
            // order.
            let order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
            let mut to = self.to;
            let columns = (self.pixels - 1) * stride + K;
            for c in 0..columns {
                let at = self.begin + c as i64;
                let mut column = [[padding; V]; G];
                if at >= 0 && at < self.width {
                    let at = at as usize;
                    for (g, column) in column.iter_mut().enumerate() {
                        let mut two = [none; 2];
                        for (i, a) in two.iter_mut().enumerate() {
                            // A missing row is multiplied with zero weights.
                            if g * 2 + i < K {
                                let (first, step) = self.rows[g * 2 + i];
                                let row = _mm512_maskz_loadu_epi16(words, first.add(at * step).cast());
                                *a = _mm512_permutexvar_epi64(order, _mm512_xor_si512(row, flip));
                            }
                        }
                        column[0] = _mm512_unpacklo_epi16(two[0], two[1]);
                        if V == 2 {
                            column[V - 1] = _mm512_unpackhi_epi16(two[0], two[1]);
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
                        let weights = self.weights.add((tap * G + g) * 64);
                        for (v, (sum, a)) in sums.iter_mut().zip(column).enumerate() {
                            let w = _mm512_loadu_si512(weights.add(v * 32).cast());
                            *sum = _mm512_dpwssd_epi32(*sum, *a, w);
                        }
                    }
                }
                if !even {
                    continue;
                }
                if c + 1 >= K {
                    for (v, sum) in sums[0].iter().enumerate() {
                        _mm512_storeu_si512(to.add(v * 64).cast(), *sum);
                    }
                    to = to.add(self.step);
                }
                for j in 1..A {
                    sums[j - 1] = sums[j];
                }
                sums[A - 1] = [none; V];
            }
        }
    }
}
