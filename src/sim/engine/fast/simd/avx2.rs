//! Dense products of bytes on 256 bits: a few pixels times sixteen channels in registers.
//!
//! With AVX-VNNI, VPDPBUSD adds four products to a sum. Without, bytes are widened to words and VPMADDWD adds two: the
//! instruction for bytes, VPMADDUBSW, saturates.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    __m256i, _mm_cvtepu8_epi16, _mm_cvtsi32_si128, _mm_loadu_si128, _mm256_add_epi32,
    _mm256_broadcastq_epi64, _mm256_cvtepi8_epi16, _mm256_dpbusd_avx_epi32, _mm256_hadd_epi32,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_storeu_si256,
};

use super::tile::{Lists, Tile};

/// Computes a tile that [`Tile::fits`]; `vnni` if the CPU has AVX-VNNI, which detection knows.
pub(super) fn run(t: &mut Tile, plain: bool, vnni: bool, lists: &mut Lists) -> u64 {
    let mut pixels = std::mem::take(&mut lists.pixels);
    t.pixels(&mut pixels);
    let mut wraps = 0;
    let mut at = 0;
    for first in (0..t.oc).step_by(64) {
        let width = (t.oc - first).min(64).next_multiple_of(16);
        for sixteen in (0..width).step_by(16) {
            let group = Group { channel: first + sixteen, width, weights: at + sixteen * 4, plain };
            wraps += if vnni {
                group.all::<6, true>(t, lists, &pixels)
            } else {
                group.all::<3, false>(t, lists, &pixels)
            };
        }
        at += t.block_bytes(width);
    }
    lists.pixels = pixels;
    wraps
}

/// Sixteen output channels.
struct Group {
    channel: usize,
    /// Channels of a row of the packed weights.
    width: usize,
    /// Where the weights begin.
    weights: usize,
    plain: bool,
}

impl Group {
    fn all<const P: usize, const VNNI: bool>(
        &self,
        t: &mut Tile,
        lists: &mut Lists,
        pixels: &[(usize, usize)],
    ) -> u64 {
        let mut wraps = 0;
        let n = (t.oc - self.channel).min(16);
        for group in pixels.chunks(P) {
            let from: [usize; P] = std::array::from_fn(|p| group[p.min(group.len() - 1)].0);
            let mut sums = [[0_i32; 16]; P];
            // SAFETY: detection gives a level with these features only to a CPU that has them. `Tile::fits` holds: from each
            // pixel's first byte on, `reach` bytes are inside `src`, and the weights of this block are inside `weights`.
            unsafe {
                let sources = from.map(|o| t.src.as_ptr().add(o));
                let weights = t.weights.as_ptr().add(self.weights);
                if VNNI {
                    dot_quads(&sources, t.taps, t.quads, weights, self.width * 4, &mut sums);
                } else {
                    dot_pairs(&sources, t.taps, t.quads, weights, self.width * 4, &mut sums);
                }
            }
            let init = &lists.init[self.channel..self.channel + 16];
            for ((source, target), sums) in group.iter().zip(&mut sums) {
                let less = t.less(*source);
                sums.iter_mut().zip(init).for_each(|(s, i)| {
                    *s = s.wrapping_add(i.wrapping_sub(if self.plain { less } else { 0 }))
                });
                if self.plain {
                    let to = t.dst[target + self.channel * 4..][..n * 4].as_chunks_mut::<4>().0;
                    to.iter_mut().zip(&*sums).for_each(|(t, s)| *t = s.to_le_bytes());
                } else {
                    wraps += t.finish(less, *target, self.channel, &sums[..n]);
                }
            }
        }
        wraps
    }
}

/// `sums[p] ← Σ sources[p] · weights` of sixteen channels.
///
/// # Safety
/// The CPU has AVX2 and AVX-VNNI. Sources have `quads · 4` bytes at every tap, weights `taps · quads` rows of 64 bytes,
/// `row` bytes from each other.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn dot_quads<const P: usize>(
    sources: &[*const u8; P],
    taps: &[usize],
    quads: usize,
    mut weights: *const u8,
    row: usize,
    to: &mut [[i32; 16]; P],
) {
    // SAFETY: as the function says.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); 2]; P];
        for tap in taps {
            for quad in 0..quads {
                let w = [load(weights), load(weights.add(32))];
                weights = weights.wrapping_add(row);
                for p in 0..P {
                    let a = sources[p].add(tap + quad * 4).cast::<i32>().read_unaligned();
                    let a = _mm256_set1_epi32(a);
                    for v in 0..2 {
                        sums[p][v] = _mm256_dpbusd_avx_epi32(sums[p][v], a, w[v]);
                    }
                }
            }
        }
        for (to, sums) in to.iter_mut().zip(sums) {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), sums[0]);
            _mm256_storeu_si256(to.as_mut_ptr().add(8).cast(), sums[1]);
        }
    }
}

/// The same with words.
///
/// # Safety
/// As for [`dot_quads`], but the CPU needs AVX2 only.
#[target_feature(enable = "avx2")]
unsafe fn dot_pairs<const P: usize>(
    sources: &[*const u8; P],
    taps: &[usize],
    quads: usize,
    mut weights: *const u8,
    row: usize,
    to: &mut [[i32; 16]; P],
) {
    // SAFETY: as the function says.
    unsafe {
        // Four channels each, two sums for a channel.
        let mut sums = [[_mm256_setzero_si256(); 4]; P];
        for tap in taps {
            for quad in 0..quads {
                let mut a = [_mm256_setzero_si256(); P];
                for (a, source) in a.iter_mut().zip(sources) {
                    let four = source.add(tap + quad * 4).cast::<i32>().read_unaligned();
                    *a = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(four)));
                }
                for p in 0..P {
                    // Widened anew for each pixel in the source; the compiler keeps what fits into registers.
                    for (v, sum) in sums[p].iter_mut().enumerate() {
                        let w = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(v * 16).cast()));
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(a[p], w));
                    }
                }
                weights = weights.wrapping_add(row);
            }
        }
        for (to, sums) in to.iter_mut().zip(sums) {
            for half in 0..2 {
                // Pairs are added inside 128 bits, which leaves the middle fours exchanged.
                let eight = _mm256_hadd_epi32(sums[half * 2], sums[half * 2 + 1]);
                let eight = _mm256_permute4x64_epi64::<0b11_01_10_00>(eight);
                _mm256_storeu_si256(to.as_mut_ptr().add(half * 8).cast(), eight);
            }
        }
    }
}

/// # Safety
/// The CPU has AVX; 32 bytes can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(from: *const u8) -> __m256i {
    // SAFETY: as the function says.
    unsafe { _mm256_loadu_si256(from.cast()) }
}
