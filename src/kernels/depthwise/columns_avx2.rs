//! Depthwise convolution of bytes with kernels of 3 × 3 and 5 × 5 on 256 bits: sixteen channels at a time,
//! column by column, as [`columns_avx512`](super::columns_avx512) with 64.
//!
//! With AVX-VNNI four rows of a column are interleaved, as bytes. Without it, or where weights minus their
//! zero point do not fit a byte, two rows are interleaved, as words.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::*;

use super::columns::{Columns, Row};
use crate::kernels::epilogue::{Channels, Epilogue, Scale};
use crate::kernels::requantize::avx2::{Operands, Rounding, any, put, put_sums, sixteen};

/// Channels computed together.
const BLOCK: usize = 16;

/// Bytes of the interleaved weights of sixteen channels, `rows` of them together.
const fn block_bytes(kernel: usize, rows: usize) -> usize {
    kernel * kernel.div_ceil(rows) * 64
}

/// Weights without their zero point, `[tap][channel]` of a square kernel, as
/// `[channel/16][column][row/R][16 channels][R rows]`, absent ones zero: `R` is four bytes for AVX-VNNI where
/// weights fit, else two words.
pub(super) fn interleave(weights: &[i16], kernel: usize, channels: usize, vnni: bool) -> Vec<u8> {
    let rows = if vnni && weights.iter().all(|w| i8::try_from(*w).is_ok()) { 4 } else { 2 };
    let mut to = Vec::with_capacity(channels.div_ceil(BLOCK) * block_bytes(kernel, rows));
    for block in (0..channels).step_by(BLOCK) {
        for column in 0..kernel {
            for group in (0..kernel).step_by(rows) {
                for lane in 0..BLOCK {
                    // Each 128-bit half has channels of both groups of eight.
                    let c = block + lane / 8 * 4 + lane % 8 / 4 * 8 + lane % 4;
                    for row in group..group + rows {
                        let there = row < kernel && c < channels;
                        let w = if there { weights[(row * kernel + column) * channels + c] } else { 0 };
                        to.extend_from_slice(&w.to_le_bytes()[..if rows == 4 { 1 } else { 2 }]);
                    }
                }
            }
        }
    }
    to
}

/// Computes a tile; `vnni` if the CPU has AVX-VNNI. False if something lies outside, or if bytes were stored
/// and a guarded sum wrapped.
pub(super) fn run(t: &mut Columns<'_>, vnni: bool) -> bool {
    let blocks = t.channels.div_ceil(BLOCK);
    let bytes = |rows| blocks * block_bytes(t.kernel, rows);
    if !t.fits() {
        return false;
    }
    let quads = vnni && t.weights.len() == bytes(4);
    if !quads && t.weights.len() != bytes(2) {
        return false;
    }
    let [_, width] = t.image;
    let unit = t.epilogue.bytes();
    let padding = [t.zero ^ t.flip; BLOCK];
    let mut spare: [Vec<u8>; 5] = Default::default();
    let mut wrapped = false;
    for y in 0..t.extent[0] {
        for block in 0..blocks {
            let channel = block * BLOCK;
            let n = (t.channels - channel).min(BLOCK);
            let mut rows: [Row; 5] = [(padding.as_ptr(), 0); 5];
            for (i, (row, copy)) in rows.iter_mut().zip(&mut spare).enumerate().take(t.kernel) {
                let Some(first) = t.row(y, i) else { continue };
                let first = first + channel;
                if n == BLOCK {
                    *row = (t.src.as_ptr().wrapping_add(first), t.pitch[1]);
                    continue;
                }
                // Vectors would reach beyond the image, or into bytes that another worker writes.
                copy.resize(width * BLOCK, 0);
                for (x, to) in copy.chunks_exact_mut(BLOCK).enumerate() {
                    let at = first + x * t.pitch[1];
                    to[..n].copy_from_slice(t.src.get(at..at + n).unwrap_or_default());
                }
                *row = (copy.as_ptr(), BLOCK);
            }
            let rows_of = if quads { 4 } else { 2 };
            let line = OutputLine {
                rows,
                begin: t.corner[1],
                width: width as i64,
                zero: t.zero,
                flip: t.flip,
                weights: t.weights[block * block_bytes(t.kernel, rows_of)..].as_ptr(),
                init: t.init[channel..channel + BLOCK].as_ptr(),
                to: t.dst.as_mut_ptr().wrapping_add(t.target + y * t.step[0] + channel * unit),
                step: t.step[1],
                pixels: t.extent[1],
                n,
                bytes: match t.epilogue {
                    Epilogue::Sums => None,
                    Epilogue::Bytes(scale) => Some((scale, scale.from(channel))),
                },
            };
            // SAFETY: AVX2 was detected, and AVX-VNNI if `vnni`, else this module is not called. Sixteen
            // bytes can be read at every column of every row: inside `src`, in `spare`, or of padding with a
            // step of 0. `fits` says that all targets are inside `dst`, and that there are start values and
            // operands of the rounding for whole blocks of channels.
            wrapped |= unsafe { line.run(t.kernel, t.stride[1], quads) };
        }
    }
    !wrapped
}

/// One line of outputs, up to sixteen channels.
struct OutputLine<'a> {
    rows: [Row; 5],
    /// Column of the image under the first window's left edge, and columns of the image.
    begin: i64,
    width: i64,
    zero: u8,
    flip: u8,
    weights: *const u8,
    init: *const i32,
    to: *mut u8,
    step: usize,
    pixels: usize,
    n: usize,
    bytes: Option<(Scale<'a>, Channels)>,
}

impl OutputLine<'_> {
    /// Returns whether a guarded sum wrapped.
    ///
    /// # Safety
    /// The CPU has AVX2, and AVX-VNNI if `quads`, which says how weights are interleaved. Sixteen bytes can
    /// be read at every column of every row, `n` values written for every pixel; weights, start values and
    /// operands of the rounding are whole. The kernel is 3 or 5.
    unsafe fn run(&self, kernel: usize, stride: usize, quads: bool) -> bool {
        // SAFETY: as the function says.
        unsafe {
            match (kernel, stride, quads) {
                (3, 1, true) => self.slide_quads::<3, 1, 3>(),
                (3, _, true) => self.slide_quads::<3, 1, 2>(),
                (_, 1, true) => self.slide_quads::<5, 2, 5>(),
                (_, _, true) => self.slide_quads::<5, 2, 3>(),
                (3, 1, _) => self.slide_pairs::<3, 2, 3>(),
                (3, ..) => self.slide_pairs::<3, 2, 2>(),
                (_, 1, _) => self.slide_pairs::<5, 3, 5>(),
                _ => self.slide_pairs::<5, 3, 3>(),
            }
        }
    }
}

/// Sixteen bytes of a row, eight in each 128 bits.
///
/// # Safety
/// The CPU has AVX2; sixteen bytes can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eights(from: *const u8, flip: __m256i) -> __m256i {
    // SAFETY: as the function says.
    unsafe {
        let low = _mm256_castsi128_si256(_mm_loadl_epi64(from.cast()));
        let both = _mm256_inserti128_si256::<1>(low, _mm_loadl_epi64(from.add(8).cast()));
        _mm256_xor_si256(both, flip)
    }
}

/// Rows of a column.
///
/// # Safety
/// The CPU has AVX2; sixteen bytes can be read at column `at` of `K` rows.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn rows<const K: usize>(rows: &[Row; 5], at: usize, flip: __m256i) -> [__m256i; 6] {
    let mut to = [_mm256_setzero_si256(); 6];
    for i in 0..K {
        let (first, step) = rows[i];
        // SAFETY: as the function says.
        to[i] = unsafe { eights(first.add(at * step), flip) };
    }
    to
}

/// Quads of rows, interleaved; missing rows are multiplied with zero weights.
///
/// # Safety
/// As of [`rows`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn quads<const K: usize, const G: usize>(
    of: &[Row; 5],
    at: usize,
    flip: __m256i,
) -> [[__m256i; 2]; G] {
    // SAFETY: as the function says.
    let rows = unsafe { rows::<K>(of, at, flip) };
    let none = _mm256_setzero_si256();
    let mut to = [[none; 2]; G];
    for g in 0..G {
        let one = _mm256_unpacklo_epi8(rows[g * 4], rows[g * 4 + 1]);
        let two = if g == 0 { _mm256_unpacklo_epi8(rows[2], rows[3]) } else { none };
        to[g] = [_mm256_unpacklo_epi16(one, two), _mm256_unpackhi_epi16(one, two)];
    }
    to
}

/// Pairs of rows, interleaved, as words.
///
/// # Safety
/// As of [`rows`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn pairs<const K: usize, const G: usize>(
    of: &[Row; 5],
    at: usize,
    flip: __m256i,
) -> [[__m256i; 2]; G] {
    // SAFETY: as the function says.
    let rows = unsafe { rows::<K>(of, at, flip) };
    let none = _mm256_setzero_si256();
    let mut to = [[none; 2]; G];
    for g in 0..G {
        let both = _mm256_unpacklo_epi8(rows[g * 2], rows[g * 2 + 1]);
        to[g] = [_mm256_unpacklo_epi8(both, none), _mm256_unpackhi_epi8(both, none)];
    }
    to
}

/// Sums plus the products of four bytes.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn add_quads(sum: __m256i, a: __m256i, w: __m256i) -> __m256i {
    _mm256_dpbusd_avx_epi32(sum, a, w)
}

/// Sums plus the products of two words.
#[inline]
#[target_feature(enable = "avx2")]
fn add_pairs(sum: __m256i, a: __m256i, w: __m256i) -> __m256i {
    _mm256_add_epi32(sum, _mm256_madd_epi16(a, w))
}

/// A column of padding, as bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn padding_bytes(zero: u8) -> __m256i {
    _mm256_set1_epi8(zero as i8)
}

/// A column of padding, as words.
#[inline]
#[target_feature(enable = "avx2")]
fn padding_words(zero: u8) -> __m256i {
    _mm256_set1_epi16(zero.into())
}

/// What is stored for sixteen sums.
struct Store {
    n: usize,
    bytes: Option<(Rounding, Operands)>,
}

impl Store {
    /// Stores the sums, or their bytes; returns `seen` with the sign bits of guarded sums that wrapped.
    ///
    /// # Safety
    /// The CPU has AVX2; `n` values can be written.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn put(&self, to: *mut u8, sums: [__m256i; 2], seen: __m256i) -> __m256i {
        // SAFETY: as the function says.
        unsafe {
            let Some((rounding, operands)) = &self.bytes else {
                let ordered = [
                    _mm256_permute2x128_si256::<0x20>(sums[0], sums[1]),
                    _mm256_permute2x128_si256::<0x31>(sums[0], sums[1]),
                ];
                put_sums(to, ordered, self.n);
                return seen;
            };
            let words = rounding.words(sums, operands.multipliers);
            let bytes = _mm256_permute4x64_epi64::<0b10_00>(rounding.bytes(words, words));
            put(to, _mm256_castsi256_si128(bytes), self.n);
            operands.wrapped(sums, seen)
        }
    }
}

/// Defines the loop along a row with the CPU features that its products need.
macro_rules! slide {
    ($name:ident, $column:ident, $add:ident, $padding:ident, $features:literal) => {
        impl OutputLine<'_> {
            /// `K` is the kernel's size, `G` the number of groups of rows, `A` how many outputs have a column
            /// in their window at most (with step 1 as many as the kernel has columns).
            ///
            /// # Safety
            /// As [`run`](OutputLine::run) says.
            #[target_feature(enable = $features)]
            unsafe fn $name<const K: usize, const G: usize, const A: usize>(&self) -> bool {
                let stride = if A == K { 1 } else { 2 };
                // SAFETY: as the function says.
                unsafe {
                    let mut store = Store { n: self.n, bytes: None };
                    if let Some((scale, channels)) = &self.bytes {
                        store.bytes = Some((Rounding::new(scale), Operands::load::<true>(*channels)));
                    }
                    let start = sixteen::<true>(self.init);
                    // Outputs under way, the oldest first.
                    let mut sums = [start; A];
                    let padding = [[$padding(self.zero); 2]; G];
                    let flip = _mm256_set1_epi8(self.flip as i8);
                    let mut seen = _mm256_setzero_si256();
                    let mut to = self.to;
                    let columns = (self.pixels - 1) * stride + K;
                    for c in 0..columns {
                        let at = self.begin + c as i64;
                        let mut column = padding;
                        if at >= 0 && at < self.width {
                            column = $column::<K, G>(&self.rows, at as usize, flip);
                        }
                        // This is the last column in the oldest output's window, and an earlier one for
                        // younger outputs.
                        let even = stride == 1 || c % 2 == (K - 1) % 2;
                        for j in 0..A {
                            let tap = match (stride, even) {
                                (1, _) => K - 1 - j,
                                (_, true) => K - 1 - 2 * j,
                                // Between two columns of the oldest output's window; the youngest has not
                                // begun.
                                _ if j == A - 1 => continue,
                                _ => K - 2 - 2 * j,
                            };
                            for g in 0..G {
                                let w = self.weights.add((tap * G + g) * 64).cast::<__m256i>();
                                for v in 0..2 {
                                    sums[j][v] = $add(sums[j][v], column[g][v], _mm256_loadu_si256(w.add(v)));
                                }
                            }
                        }
                        if !even {
                            continue;
                        }
                        if c + 1 >= K {
                            seen = store.put(to, sums[0], seen);
                            to = to.wrapping_add(self.step);
                        }
                        for j in 1..A {
                            sums[j - 1] = sums[j];
                        }
                        sums[A - 1] = start;
                    }
                    any(seen)
                }
            }
        }
    };
}

slide!(slide_quads, quads, add_quads, padding_bytes, "avx2,avxvnni");
slide!(slide_pairs, pairs, add_pairs, padding_words, "avx2");
