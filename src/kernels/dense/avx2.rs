//! Dense products of bytes on 256 bits: six pixels times sixteen channels in registers.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]
#![expect(
    clippy::needless_range_loop,
    reason = "where iterators are not inlined, sums leave their registers"
)]

use std::arch::x86_64::*;

use super::tile::{Lists, Tile};
use crate::kernels::aligned::Aligned;
use crate::kernels::cpu::Level;
use crate::kernels::epilogue::{Channels, Epilogue, Scale};
use crate::kernels::requantize::avx2::{Operands, Rounding, any, put, put_sums};

/// Pixels computed together.
const TOGETHER: usize = 6;
/// Pixels from which on copying the weights of sixteen channels side by side pays.
const MANY: usize = 24;

/// Offset of a pixel in source and destination.
type Pixel = (usize, usize);

/// Computes a tile for which [`Tile::fits`] holds. Where bytes are stored, returns how many slices have a
/// guarded sum that wrapped.
pub(super) fn run(t: &mut Tile, level: Level, plain: bool, lists: &mut Lists) -> u64 {
    let vnni = matches!(level, Level::AvxVnni(_));
    let mut pixels = std::mem::take(&mut lists.pixels);
    let mut slice = std::mem::take(&mut lists.slice);
    t.pixels(&mut pixels);
    lists.terms.clear();
    lists.terms.extend(pixels.iter().map(|(source, _)| t.zero_point_term(level, *source)));
    let rows = t.taps.len() * t.quads;
    let mut wraps = 0;
    let mut at = 0;
    for first in (0..t.oc).step_by(64) {
        let width = (t.oc - first).min(64).next_multiple_of(16);
        for sixteen in (0..width).step_by(16) {
            let channel = first + sixteen;
            let from = t.weights[at + sixteen * 4..].as_ptr();
            // SAFETY: AVX2 was detected, else this module is not called. `Tile::fits` says that the weights
            // of this block are inside `weights`: rows of 64 bytes, `width` fours from each other.
            let (weights, row) = unsafe {
                if !vnni {
                    (widened(from, width * 4, rows, &mut slice), 128)
                } else if pixels.len() >= MANY && width > 16 {
                    (gathered(from, width * 4, rows, &mut slice), 64)
                } else {
                    (from, width * 4)
                }
            };
            let s = Slice {
                src: t.src.as_ptr(),
                taps: t.taps,
                quads: t.quads,
                weights,
                row,
                init: lists.init[channel..channel + 16].as_ptr(),
                n: (t.oc - channel).min(16),
            };
            wraps += if plain {
                let to = t.dst.as_mut_ptr().wrapping_add(channel * t.epilogue.bytes());
                let term = if t.zeros[1] == 0 { &[][..] } else { &lists.terms };
                let bytes = match t.epilogue {
                    Epilogue::Sums => None,
                    Epilogue::Bytes(scale) => Some((scale, scale.from(channel))),
                };
                // SAFETY: AVX2 was detected, and AVX-VNNI if `vnni`, else this module is not called.
                // `Tile::fits` holds: from each pixel's first byte on, `reach` bytes are inside `src`, and
                // its channels inside `dst`; there are start values and operands of the rounding for whole
                // blocks of channels.
                u64::from(unsafe { s.all(vnni, &pixels, term, to, bytes.as_ref()) })
            } else {
                let mut wraps = 0;
                for (group, term) in pixels.chunks(TOGETHER).zip(lists.terms.chunks(TOGETHER)) {
                    let mut sums = [[0_i32; 16]; TOGETHER];
                    let mut places = [(0, 0); TOGETHER];
                    places.iter_mut().zip(group).enumerate().for_each(|(i, (p, g))| *p = (g.0, i * 64));
                    let whole = Slice { n: 16, ..s };
                    let to = sums.as_mut_ptr().cast();
                    // SAFETY: as above; `sums` takes sixteen channels of every pixel.
                    unsafe { whole.all(vnni, &places[..group.len()], &[], to, None) };
                    for (((_, target), term), sums) in group.iter().zip(term).zip(&sums) {
                        wraps += t.accumulate(level, *term, *target, channel, &sums[..s.n]);
                    }
                }
                wraps
            };
        }
        at += t.block_bytes(width);
    }
    (lists.pixels, lists.slice) = (pixels, slice);
    wraps
}

/// Copies the weight rows of sixteen channels side by side.
///
/// # Safety
/// The CPU has AVX2; 64 bytes of every row can be read, `step` bytes from each other.
#[target_feature(enable = "avx2")]
unsafe fn gathered(mut from: *const u8, step: usize, rows: usize, to: &mut Aligned<u8>) -> *const u8 {
    let mut at = to.room(rows * 64).as_mut_ptr();
    for _ in 0..rows {
        // SAFETY: as the function says; there is room for all rows.
        unsafe {
            for half in [0, 32] {
                _mm256_storeu_si256(at.add(half).cast(), _mm256_loadu_si256(from.add(half).cast()));
            }
        }
        from = from.wrapping_add(step);
        at = at.wrapping_add(64);
    }
    to.as_ptr()
}

/// As [`gathered`], widened to words: for each row two vectors of the first and third input, then two of the
/// second and fourth.
///
/// # Safety
/// As of [`gathered`].
#[target_feature(enable = "avx2")]
unsafe fn widened(mut from: *const u8, step: usize, rows: usize, to: &mut Aligned<u8>) -> *const u8 {
    let mut at = to.room(rows * 128).as_mut_ptr();
    for _ in 0..rows {
        // SAFETY: as the function says; there is room for all rows.
        unsafe {
            for half in [0, 32] {
                let w = _mm256_loadu_si256(from.add(half).cast());
                let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
                _mm256_storeu_si256(at.add(half).cast(), even);
                _mm256_storeu_si256(at.add(64 + half).cast(), _mm256_srai_epi16::<8>(w));
            }
        }
        from = from.wrapping_add(step);
        at = at.wrapping_add(128);
    }
    to.as_ptr()
}

/// Sixteen output channels.
#[derive(Clone, Copy)]
struct Slice<'a> {
    src: *const u8,
    taps: &'a [usize],
    quads: usize,
    /// Rows of packed or [`widened`] weights, and the bytes from one to the next.
    weights: *const u8,
    row: usize,
    /// Start values.
    init: *const i32,
    /// How many of the channels are stored.
    n: usize,
}

/// The requantization of the sums of sixteen channels.
type Bytes<'a> = (Scale<'a>, Channels);

impl Slice<'_> {
    /// Computes pixels, stored from `to` on; `term`, if not empty, is subtracted from the sums of each pixel.
    /// Returns whether a guarded sum wrapped.
    ///
    /// # Safety
    /// The CPU has AVX2, and AVX-VNNI if `vnni`. From each pixel on, four bytes of `src` can be read at each
    /// tap and quad, `n` values written; there are `taps · quads` rows of weights, sixteen start values and
    /// operands of the rounding.
    unsafe fn all(
        &self,
        vnni: bool,
        pixels: &[Pixel],
        term: &[i32],
        to: *mut u8,
        bytes: Option<&Bytes<'_>>,
    ) -> bool {
        // SAFETY: as the function says.
        unsafe {
            if vnni {
                self.all_quads(pixels, term, to, bytes)
            } else {
                self.all_pairs(pixels, term, to, bytes)
            }
        }
    }
}

/// Defines the loop over all pixels with the CPU features that its products need.
macro_rules! walk {
    ($name:ident, $group:ident, $features:literal) => {
        impl Slice<'_> {
            /// [`all`](Slice::all).
            ///
            /// # Safety
            /// As there.
            #[target_feature(enable = $features)]
            unsafe fn $name(
                &self,
                pixels: &[Pixel],
                term: &[i32],
                to: *mut u8,
                bytes: Option<&Bytes<'_>>,
            ) -> bool {
                // SAFETY: as the function says.
                unsafe {
                    let store = Store::new(to, self.n, bytes);
                    let mut seen = _mm256_setzero_si256();
                    let (groups, rest) = pixels.as_chunks::<TOGETHER>();
                    for (i, group) in groups.iter().enumerate() {
                        let sums = self.$group(group, term.get(i * TOGETHER..).unwrap_or_default());
                        seen = store.group(group, sums, seen);
                    }
                    let term = term.get(groups.len() * TOGETHER..).unwrap_or_default();
                    // A missing pixel repeats the last one, with the same results.
                    match rest {
                        [] => {}
                        [a] => seen = store.group(&[*a], self.$group(&[*a], term), seen),
                        [a, b] => seen = store.group(&[*a, *b], self.$group(&[*a, *b], term), seen),
                        [a, b, rest @ ..] if rest.len() < 3 => {
                            let (c, d) = (rest[0], rest[rest.len() - 1]);
                            let group = [*a, *b, c, d];
                            seen = store.group(&group, self.$group(&group, term), seen);
                        }
                        _ => {
                            let mut group = [rest[rest.len() - 1]; TOGETHER];
                            group[..rest.len()].copy_from_slice(rest);
                            seen = store.group(&group, self.$group(&group, term), seen);
                        }
                    }
                    any(seen)
                }
            }
        }
    };
}

walk!(all_quads, quads, "avx2,avxvnni");
walk!(all_pairs, pairs, "avx2");

impl Slice<'_> {
    /// The start values of some pixels' sums.
    ///
    /// # Safety
    /// As of [`all`](Slice::all).
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn start<const P: usize>(&self, term: &[i32]) -> [[__m256i; 2]; P] {
        // SAFETY: as the function says.
        let init =
            unsafe { [_mm256_loadu_si256(self.init.cast()), _mm256_loadu_si256(self.init.add(8).cast())] };
        let mut sums = [init; P];
        if let Some(last) = term.len().checked_sub(1) {
            for p in 0..P {
                let term = _mm256_set1_epi32(term[if p < last { p } else { last }]);
                sums[p] = [_mm256_sub_epi32(sums[p][0], term), _mm256_sub_epi32(sums[p][1], term)];
            }
        }
        sums
    }

    /// Sums of some pixels, by VPDPBUSD.
    ///
    /// # Safety
    /// As of [`all`](Slice::all).
    #[inline]
    #[target_feature(enable = "avx2,avxvnni")]
    unsafe fn quads<const P: usize>(&self, pixels: &[Pixel; P], term: &[i32]) -> [[__m256i; 2]; P] {
        // SAFETY: as the function says.
        unsafe {
            let mut sums = self.start::<P>(term);
            let mut weights = self.weights;
            for tap in self.taps {
                let mut from = [self.src; P];
                for p in 0..P {
                    from[p] = from[p].add(pixels[p].0 + tap);
                }
                for quad in 0..self.quads {
                    let w = [_mm256_loadu_si256(weights.cast()), _mm256_loadu_si256(weights.add(32).cast())];
                    weights = weights.wrapping_add(self.row);
                    for p in 0..P {
                        let a = _mm256_set1_epi32(from[p].add(quad * 4).cast::<i32>().read_unaligned());
                        sums[p][0] = _mm256_dpbusd_avx_epi32(sums[p][0], a, w[0]);
                        sums[p][1] = _mm256_dpbusd_avx_epi32(sums[p][1], a, w[1]);
                    }
                }
            }
            sums
        }
    }

    /// Sums of some pixels, by VPMADDWD with [`widened`] weights.
    ///
    /// # Safety
    /// As of [`all`](Slice::all).
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn pairs<const P: usize>(&self, pixels: &[Pixel; P], term: &[i32]) -> [[__m256i; 2]; P] {
        // SAFETY: as the function says.
        unsafe {
            let mut sums = self.start::<P>(term);
            let low = _mm256_set1_epi16(0xff);
            let mut weights = self.weights.cast::<__m256i>();
            for tap in self.taps {
                let mut from = [self.src; P];
                for p in 0..P {
                    from[p] = from[p].add(pixels[p].0 + tap);
                }
                for quad in 0..self.quads {
                    for p in 0..P {
                        let a = _mm256_set1_epi32(from[p].add(quad * 4).cast::<i32>().read_unaligned());
                        let (even, odd) = (_mm256_and_si256(a, low), _mm256_srli_epi16::<8>(a));
                        for v in 0..2 {
                            let even = _mm256_madd_epi16(even, _mm256_loadu_si256(weights.add(v)));
                            let odd = _mm256_madd_epi16(odd, _mm256_loadu_si256(weights.add(2 + v)));
                            sums[p][v] = _mm256_add_epi32(sums[p][v], _mm256_add_epi32(even, odd));
                        }
                    }
                    weights = weights.add(4);
                }
            }
            sums
        }
    }
}

/// The destination, and the epilogue.
struct Store {
    to: *mut u8,
    n: usize,
    bytes: Option<(Rounding, Operands)>,
}

impl Store {
    /// # Safety
    /// The CPU has AVX2; sixteen operands of a rounding can be read.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn new(to: *mut u8, n: usize, bytes: Option<&Bytes<'_>>) -> Store {
        let mut rounding = None;
        if let Some((scale, channels)) = bytes {
            // SAFETY: as the function says.
            rounding = Some((Rounding::new(scale), unsafe { Operands::load::<false>(*channels) }));
        }
        Store { to, n, bytes: rounding }
    }

    /// Stores the sums of some pixels, or their bytes; returns `seen` with the sign bits of guarded sums that
    /// wrapped.
    ///
    /// # Safety
    /// The CPU has AVX2; `n` channels of every pixel can be written.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn group<const P: usize>(
        &self,
        pixels: &[Pixel; P],
        sums: [[__m256i; 2]; P],
        mut seen: __m256i,
    ) -> __m256i {
        // SAFETY: as the function says.
        unsafe {
            let Some((rounding, operands)) = &self.bytes else {
                for p in 0..P {
                    put_sums(self.to.add(pixels[p].1), sums[p], self.n);
                }
                return seen;
            };
            let mut words = [_mm256_setzero_si256(); P];
            for p in 0..P {
                words[p] = rounding.words(sums[p], operands.multipliers);
                seen = operands.wrapped(sums[p], seen);
            }
            // Packing works inside 128 bits: this brings quads of channels into their order.
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            for p in (0..P).step_by(2) {
                let next = if p + 1 < P { p + 1 } else { p };
                let both = _mm256_permutevar8x32_epi32(rounding.bytes(words[p], words[next]), order);
                put(self.to.add(pixels[p].1), _mm256_castsi256_si128(both), self.n);
                put(self.to.add(pixels[next].1), _mm256_extracti128_si256::<1>(both), self.n);
            }
            seen
        }
    }
}
