//! VPDPBUSD on 512 bits: a few pixels times up to 64 channels in registers.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_maskz_loadu_epi8,
    _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    _mm512_sub_epi32,
};

use super::tile::{Lists, Sums, Tile};
use crate::kernels::cpu::Level;
use crate::kernels::epilogue::Channels;
use crate::kernels::epilogue::Epilogue;
use crate::kernels::requantize::avx512::Rounding;

/// Computes a tile for which [`Tile::fits`] holds.
pub(super) fn run(t: &mut Tile, level: Level, plain: bool, lists: &mut Lists) -> u64 {
    let mut pixels = std::mem::take(&mut lists.pixels);
    t.pixels(&mut pixels);
    let wraps = some(t, level, plain, lists, &pixels, 0..t.oc);
    lists.pixels = pixels;
    wraps
}

/// Computes some pixels of a tile, given by their offsets in source and destination, for channels from a
/// multiple of 64 on.
pub(super) fn some(
    t: &mut Tile,
    level: Level,
    plain: bool,
    lists: &mut Lists,
    pixels: &[(usize, usize)],
    channels: std::ops::Range<usize>,
) -> u64 {
    let mut wraps = 0;
    let mut at = t.block_bytes(channels.start);
    for first in channels.step_by(64) {
        let width = (t.oc - first).min(64).next_multiple_of(16);
        let group = Group { level, first, width, weights: at, plain };
        at += t.block_bytes(width);
        wraps += match width {
            64 => group.all::<4, 6>(t, lists, pixels),
            48 => group.all::<3, 8>(t, lists, pixels),
            32 => group.all::<2, 8>(t, lists, pixels),
            _ => group.all::<1, 12>(t, lists, pixels),
        };
    }
    wraps
}

/// A block of output channels.
struct Group {
    level: Level,
    /// Its first channel, and its number of channels in the packed weights.
    first: usize,
    width: usize,
    /// Offset of its weights.
    weights: usize,
    plain: bool,
}

impl Group {
    fn all<const V: usize, const P: usize>(
        &self,
        t: &mut Tile,
        lists: &mut Lists,
        pixels: &[(usize, usize)],
    ) -> u64 {
        let mut wraps = 0;
        let channels = self.width.min(t.oc - self.first);
        let init = lists.init[self.first..self.first + V * 16].as_ptr();
        let weights = t.weights[self.weights..].as_ptr();
        if self.plain && t.zeros[1] == 0 {
            let bytes = match t.epilogue {
                Epilogue::Sums => None,
                Epilogue::Bytes(s) => {
                    // SAFETY: AVX-512 was detected, else this module is not called.
                    let rounding = unsafe { Rounding::new(s.bounds, s.signed, s.small) };
                    Some((rounding, s.from(self.first)))
                }
            };
            let to = t.dst.as_mut_ptr().wrapping_add(self.first * t.epilogue.bytes());
            let plain = Plain {
                src: t.src.as_ptr(),
                taps: t.taps,
                quads: t.quads,
                weights,
                init,
                to,
                channels,
                bytes,
            };
            // SAFETY: AVX-512 VNNI was detected, else this module is not called. `Tile::fits` holds: from
            // each pixel's first byte on, `reach` bytes are inside `src`, and its channels inside `dst`; the
            // weights of this block are inside `weights`, `init` has V·16 values, and there are operands of
            // the rounding for whole blocks of channels.
            let wrapped = unsafe { plain.all::<V, P>(pixels, lists) };
            return u64::from(wrapped);
        }
        let mut kept = Sums::default();
        for group in pixels.chunks(P) {
            let from: [usize; P] = std::array::from_fn(|p| group[p.min(group.len() - 1)].0);
            let term = if t.zeros[1] == 0 { [0; P] } else { from.map(|source| zero_point_term(t, source)) };
            let start = if self.plain { term } else { [0; P] };
            // SAFETY: as above; `kept` takes P·64 sums.
            unsafe {
                let sources = from.map(|o| t.src.as_ptr().add(o));
                let targets = std::array::from_fn(|p| kept.0.as_mut_ptr().add(p * 64));
                some_pixels::<V, P>(&sources, t.taps, t.quads, weights, (init, &start), &targets);
            }
            if let Epilogue::Bytes(s) = t.epilogue {
                let to = t.dst.as_mut_ptr();
                let place = |p| group.get(p).map(|(_, target): &(usize, usize)| *target);
                let targets = std::array::from_fn(|p| match place(p) {
                    Some(target) => to.wrapping_add(target + self.first),
                    None => std::ptr::null_mut(),
                });
                // SAFETY: as above.
                let wrapped = unsafe {
                    let rounding = Rounding::new(s.bounds, s.signed, s.small);
                    let sums = (kept.0.as_ptr(), 64);
                    rounding.finish(sums, s.from(self.first), channels, &targets, group.len())
                };
                wraps += u64::from(wrapped);
                continue;
            }
            for (p, (_, target)) in group.iter().enumerate() {
                let sums = &kept.0[p * 64..][..channels];
                if self.plain {
                    let at = target + self.first * 4;
                    let to = t.dst.get_mut(at..at + channels * 4).unwrap_or_default().as_chunks_mut::<4>().0;
                    to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum.to_le_bytes());
                } else {
                    wraps += t.accumulate(self.level, term[p], *target, self.first, sums);
                }
            }
        }
        wraps
    }
}

/// [`Tile::zero_point_term`] of a pixel inside `src`.
pub(super) fn zero_point_term(t: &Tile, source: usize) -> i32 {
    let mut sum = 0;
    for tap in t.taps {
        let bytes = t.src.get(source + tap..source + tap + t.quads * 4).unwrap_or_default();
        // SAFETY: AVX-512 VNNI was detected, else this module is not called.
        sum += unsafe { byte_sum(bytes) };
    }
    t.zeros[1].wrapping_mul(sum)
}

/// # Safety
/// The CPU has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn byte_sum(bytes: &[u8]) -> i32 {
    let (ones, mut sum) = (_mm512_set1_epi8(1), _mm512_setzero_si512());
    for part in bytes.chunks(64) {
        let mask = if part.len() == 64 { u64::MAX } else { (1 << part.len()) - 1 };
        // SAFETY: the bytes of the mask are inside the part.
        let a = unsafe { _mm512_maskz_loadu_epi8(mask, part.as_ptr().cast()) };
        sum = _mm512_dpbusd_epi32(sum, a, ones);
    }
    _mm512_reduce_add_epi32(sum)
}

/// A block of output channels whose sums need no further term: the weights have no zero point.
struct Plain<'a> {
    src: *const u8,
    taps: &'a [usize],
    quads: usize,
    weights: *const u8,
    init: *const i32,
    /// The block's first channel of the destination pixel at offset 0.
    to: *mut u8,
    channels: usize,
    bytes: Option<(Rounding, Channels)>,
}

impl Plain<'_> {
    /// Returns whether a guarded sum wrapped.
    ///
    /// # Safety
    /// As for [`block`], for every pixel.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn all<const V: usize, const P: usize>(
        &self,
        pixels: &[(usize, usize)],
        lists: &mut Lists,
    ) -> bool {
        let last = self.channels - (V - 1) * 16;
        let mask = if last == 16 { u16::MAX } else { (1 << last) - 1 };
        let mut wrapped = false;
        for group in pixels.chunks(P) {
            let n = group.len();
            // SAFETY: as the function says; `sums` takes P·64 sums.
            unsafe {
                let mut sources = [self.src; P];
                let mut targets = [self.to; P];
                for p in 0..P {
                    let (source, target) = group[if p < n { p } else { n - 1 }];
                    sources[p] = self.src.add(source);
                    targets[p] = self.to.add(target);
                }
                let Some((rounding, channels)) = self.bytes else {
                    let targets = targets.map(|t| t.cast());
                    let start = (self.init, &[0; P]);
                    block::<V, P>(&sources, self.taps, self.quads, self.weights, start, &targets, n, mask);
                    continue;
                };
                let sums = lists.sums.0.as_mut_ptr();
                let mut kept = [sums; P];
                for (p, kept) in kept.iter_mut().enumerate() {
                    *kept = sums.add(p * 64);
                }
                let start = (self.init, &[0; P]);
                block::<V, P>(&sources, self.taps, self.quads, self.weights, start, &kept, P, u16::MAX);
                let mut to = [std::ptr::null_mut(); 16];
                to[..n].copy_from_slice(&targets[..n]);
                wrapped |= rounding.finish((sums.cast_const(), 64), channels, self.channels, &to, n);
            }
        }
        wrapped
    }
}

/// [`block`] for all pixels, where inlining it is not worthwhile.
///
/// # Safety
/// As for [`block`]; targets take V vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn some_pixels<const V: usize, const P: usize>(
    sources: &[*const u8; P],
    taps: &[usize],
    quads: usize,
    weights: *const u8,
    start: (*const i32, &[i32; P]),
    targets: &[*mut i32; P],
) {
    // SAFETY: as the function says.
    unsafe { block::<V, P>(sources, taps, quads, weights, start, targets, P, u16::MAX) };
}

/// `targets[p] ← init − term[p] + Σ sources[p] · weights`, for the first `count` pixels; `mask` selects lanes
/// of the last vector.
///
/// # Safety
/// The CPU has the features. Sources have `quads · 4` bytes at every tap, weights `taps · quads` rows of V
/// vectors, `init` V vectors; targets take V vectors, the last one masked.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
unsafe fn block<const V: usize, const P: usize>(
    sources: &[*const u8; P],
    taps: &[usize],
    quads: usize,
    mut weights: *const u8,
    (init, term): (*const i32, &[i32; P]),
    targets: &[*mut i32; P],
    count: usize,
    mask: u16,
) {
    // SAFETY: as the function says.
    unsafe {
        // No closures here: they would be compiled without the features.
        let mut start = [_mm512_setzero_si512(); V];
        for (v, start) in start.iter_mut().enumerate() {
            *start = _mm512_loadu_si512(init.add(v * 16).cast());
        }
        let mut sums = [start; P];
        for (sums, term) in sums.iter_mut().zip(term) {
            for sum in sums {
                *sum = _mm512_sub_epi32(*sum, _mm512_set1_epi32(*term));
            }
        }
        for tap in taps {
            let mut from = *sources;
            for from in &mut from {
                *from = from.add(*tap);
            }
            for quad in 0..quads {
                let mut w = [_mm512_setzero_si512(); V];
                for (v, w) in w.iter_mut().enumerate() {
                    *w = _mm512_loadu_si512(weights.add(v * 64).cast());
                }
                weights = weights.add(V * 64);
                for p in 0..P {
                    let a = _mm512_set1_epi32(from[p].add(quad * 4).cast::<i32>().read_unaligned());
                    for v in 0..V {
                        sums[p][v] = _mm512_dpbusd_epi32(sums[p][v], a, w[v]);
                    }
                }
            }
        }
        for p in 0..P {
            if p < count {
                for (v, sum) in sums[p][..V - 1].iter().enumerate() {
                    _mm512_storeu_si512(targets[p].add(v * 16).cast(), *sum);
                }
                _mm512_mask_storeu_epi32(targets[p].add((V - 1) * 16), mask, sums[p][V - 1]);
            }
        }
    }
}
