//! Dense products of bytes with SDOT (the dot-product extension of ARMv8.2): a few pixels times sixteen
//! channels in registers.
//!
//! SDOT multiplies signed bytes. Activations are unsigned, so 128 is subtracted from each by flipping a bit,
//! and the start values of the sums compensate for it.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

use std::arch::aarch64::{
    int8x16_t, int32x4_t, uint8x16_t, vdupq_n_s8, vdupq_n_s32, vdupq_n_u8, vdupq_n_u32, veorq_u8, vld1q_s8,
    vld1q_u8, vreinterpretq_s8_u8, vreinterpretq_u8_u32, vst1q_s32,
};
use std::arch::asm;

use super::tile::{Lists, Tile};
use crate::kernels::cpu::Level;
use crate::kernels::epilogue::Epilogue;

/// Pixels that are multiplied with the same weights: with sixteen channels, their sums fill sixteen
/// registers.
const PIXELS: usize = 4;

/// Computes a tile for which [`Tile::fits`] holds.
pub(super) fn run(t: &mut Tile, level: Level, plain: bool, lists: &mut Lists) -> u64 {
    let reduction = (t.taps.len() * t.quads * 4) as i32;
    for (init, sum) in lists.init.iter_mut().zip(t.weight_sums) {
        // 128·Σw, where Σw = Σ(w − zw) + zw·n.
        let weights = sum.wrapping_add(t.zeros[1].wrapping_mul(reduction));
        *init = init.wrapping_add(weights.wrapping_mul(128));
    }
    let mut pixels = std::mem::take(&mut lists.pixels);
    t.pixels(&mut pixels);
    let mut wraps = 0;
    let mut at = 0;
    for first in (0..t.oc).step_by(64) {
        let width = (t.oc - first).min(64).next_multiple_of(16);
        for sixteen in (0..width).step_by(16) {
            let group = Group { channel: first + sixteen, width, weights: at + sixteen * 4, plain, level };
            for some in pixels.chunks(PIXELS) {
                wraps += match some.len() {
                    1 => group.some::<1>(t, &lists.init, some),
                    _ => group.some::<PIXELS>(t, &lists.init, some),
                };
            }
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
    /// Offset of the weights.
    weights: usize,
    plain: bool,
    level: Level,
}

impl Group {
    /// Computes up to `P` pixels, but at least one.
    fn some<const P: usize>(&self, t: &mut Tile, init: &[i32], pixels: &[(usize, usize)]) -> u64 {
        let from: [usize; P] = std::array::from_fn(|p| pixels[p.min(pixels.len() - 1)].0);
        let mut sums = [[0_i32; 16]; P];
        // SAFETY: detection gives the level of this module only to a CPU with the feature. `Tile::fits`
        // holds: from each pixel's first byte on, `reach` bytes are inside `src`, and the weights of this
        // block are inside `weights`.
        unsafe {
            let sources = from.map(|o| t.src.as_ptr().add(o));
            let weights = t.weights.as_ptr().add(self.weights);
            dot(&sources, t.taps, t.quads, weights, self.width * 4, &mut sums);
        }
        let n = (t.oc - self.channel).min(16);
        let init = &init[self.channel..self.channel + 16];
        let mut wraps = 0;
        for ((source, target), sums) in pixels.iter().zip(&mut sums) {
            let term = t.zero_point_term(self.level, *source);
            let taken = if self.plain { term } else { 0 };
            sums.iter_mut().zip(init).for_each(|(s, i)| *s = s.wrapping_add(i.wrapping_sub(taken)));
            let sums = &sums[..n];
            match t.epilogue {
                Epilogue::Bytes(scale) => {
                    let at = target + self.channel;
                    let to = t.dst.get_mut(at..at + n).unwrap_or_default();
                    wraps += u64::from(scale.store(self.level, self.channel, sums, to));
                }
                Epilogue::Sums if self.plain => {
                    let at = target + self.channel * 4;
                    let to = t.dst.get_mut(at..at + n * 4).unwrap_or_default().as_chunks_mut::<4>().0;
                    to.iter_mut().zip(sums).for_each(|(t, s)| *t = s.to_le_bytes());
                }
                Epilogue::Sums => wraps += t.accumulate(self.level, term, *target, self.channel, sums),
            }
        }
        wraps
    }
}

/// `to[p] ← Σ (sources[p] − 128) · weights` of sixteen channels.
///
/// # Safety
/// The CPU has the feature. Sources have `quads · 4` bytes at every tap, weights `taps · quads` rows of 64
/// bytes, `row` bytes from each other.
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot<const P: usize>(
    sources: &[*const u8; P],
    taps: &[usize],
    quads: usize,
    mut weights: *const u8,
    row: usize,
    to: &mut [[i32; 16]; P],
) {
    // SAFETY: as the function says; the pointer to the weights may leave them only after the last row.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 4]; P];
        for tap in taps {
            let mut quad = 0;
            while quad + 4 <= quads {
                let mut a = [vdupq_n_s8(0); P];
                for p in 0..P {
                    a[p] = signed(vld1q_u8(sources[p].add(tap + quad * 4)));
                }
                step::<P, 0>(&mut sums, &a, weights);
                step::<P, 1>(&mut sums, &a, weights.wrapping_add(row));
                step::<P, 2>(&mut sums, &a, weights.wrapping_add(2 * row));
                step::<P, 3>(&mut sums, &a, weights.wrapping_add(3 * row));
                weights = weights.wrapping_add(4 * row);
                quad += 4;
            }
            while quad < quads {
                let mut a = [vdupq_n_s8(0); P];
                for p in 0..P {
                    let four = sources[p].add(tap + quad * 4).cast::<u32>().read_unaligned();
                    a[p] = signed(vreinterpretq_u8_u32(vdupq_n_u32(four)));
                }
                step::<P, 0>(&mut sums, &a, weights);
                weights = weights.wrapping_add(row);
                quad += 1;
            }
        }
        for (to, sums) in to.iter_mut().zip(&sums) {
            for (v, sum) in sums.iter().enumerate() {
                vst1q_s32(to.as_mut_ptr().add(v * 4), *sum);
            }
        }
    }
}

/// Unsigned bytes minus 128.
#[inline]
#[target_feature(enable = "neon")]
fn signed(a: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(veorq_u8(a, vdupq_n_u8(0x80)))
}

/// Adds the products of one quad of each pixel's activations, the one in `LANE`, with sixteen channels.
///
/// # Safety
/// The CPU has the feature; 64 bytes of weights can be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn step<const P: usize, const LANE: u32>(
    sums: &mut [[int32x4_t; 4]; P],
    a: &[int8x16_t; P],
    weights: *const u8,
) {
    // SAFETY: as the function says. The instruction, for which there is no stable intrinsic, only changes its
    // sum.
    unsafe {
        let mut w = [vdupq_n_s8(0); 4];
        for (v, w) in w.iter_mut().enumerate() {
            *w = vld1q_s8(weights.add(v * 16).cast());
        }
        for p in 0..P {
            for (sum, w) in sums[p].iter_mut().zip(&w) {
                asm!(
                    "sdot {sum:v}.4s, {w:v}.16b, {a:v}.4b[{lane}]",
                    sum = inout(vreg) *sum,
                    w = in(vreg) *w,
                    a = in(vreg) a[p],
                    lane = const LANE,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
        }
    }
}
