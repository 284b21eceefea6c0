//! The MAC array with operands of 8 bits, on any CPU.
//!
//! Activations and weights are widened to 16 bits with their zero points subtracted: differences of bytes
//! fit, and the padding becomes zeros. Weights are laid out `[oc/16][tap][ic][16]`, so that the inner loop
//! multiplies one activation with 16 weights.

use super::image::Image;
use super::rows::{pad, read, row_address, write};
use super::scratch::Scratch;
use crate::isa::blocks::{BLOCK, BLOCK_ELEMENTS, in_block};
use crate::isa::{BlockGrid, EType, Space, TensorDesc};
use crate::kernels::accumulate::accumulate;
use crate::kernels::cpu::Level;
use crate::kernels::dense::portable::{OC, PIXELS, dot};
use crate::kernels::depthwise::portable::multiply_add;
use crate::sim::memory::Memory;
use crate::sim::op::{ConvOp, Pruned};

fn widen(bytes: &[u8], d: &TensorDesc, to: &mut [i16]) {
    let zero = d.zero_point as i16;
    if d.etype == EType::S8 {
        to.iter_mut().zip(bytes).for_each(|(t, b)| *t = i16::from(*b as i8) - zero);
    } else {
        to.iter_mut().zip(bytes).for_each(|(t, b)| *t = i16::from(*b) - zero);
    }
}

/// Packed weights `[oc/64][tap][ic/4][block][4]` → `[oc/16][tap][ic4][16]`, widened.
fn widen_packed(m: &Memory, d: &TensorDesc, to: &mut Vec<i16>) {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    let (taps, quads) = (kh * kw, ic.div_ceil(4));
    let depth = quads * 4;
    let total = oc.div_ceil(16) * 16 * taps * depth;
    to.clear();
    to.resize(total, 0);
    let mut rest = m.read(d.space, d.base, total);
    for block in (0..oc).step_by(64) {
        let width = (oc - block).min(64).next_multiple_of(16);
        for tap in 0..taps {
            for quad in 0..quads {
                let (now, later) = rest.split_at((width * 4).min(rest.len()));
                rest = later;
                for (chunk, bytes) in now.as_chunks::<64>().0.iter().enumerate() {
                    let at = (((block / 16 + chunk) * taps + tap) * depth + quad * 4) * OC;
                    let to: &mut [i16] = &mut to[at..at + 4 * OC];
                    let mut plain = [0_i16; 64];
                    widen(bytes, d, &mut plain);
                    for (o, four) in plain.as_chunks::<4>().0.iter().enumerate() {
                        for (i, v) in four.iter().enumerate() {
                            to[i * OC + o] = *v;
                        }
                    }
                }
            }
        }
    }
}

/// The blocks of pruned weights → `[oc/16][tap][ic4][16]`, widened; absent ones are zeros.
fn widen_blocks(m: &Memory, d: &TensorDesc, pruned: &Pruned, to: &mut Vec<i16>) {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    let (taps, depth) = (kh * kw, ic.next_multiple_of(4));
    to.clear();
    to.resize(oc.div_ceil(16) * 16 * taps * depth, 0);
    let mask = m.read(Space::Dram, pruned.mask, pruned.mask_bytes);
    let stream = m.read(d.space, d.base, pruned.blocks as usize * BLOCK_ELEMENTS);
    let mut plain = [0_i16; BLOCK_ELEMENTS];
    for ([o, tap, i], bytes) in BlockGrid::of(d.dims).present(mask).zip(stream.chunks_exact(BLOCK_ELEMENTS)) {
        widen(bytes, d, &mut plain);
        let first = i as usize * BLOCK;
        let at = ((o as usize * taps + tap as usize) * depth + first) * OC;
        let rows = (depth - first).min(BLOCK);
        for (input, row) in to[at..at + rows * OC].chunks_exact_mut(OC).enumerate() {
            for (output, v) in row.iter_mut().enumerate() {
                *v = plain[in_block(output, input)];
            }
        }
    }
}

/// Dense convolution.
pub(super) fn conv(level: Level, s: &mut Scratch, m: &mut Memory, c: &ConvOp) -> u64 {
    let [oc, kh, kw, ic] = c.weights.dims.map(|n| n as usize);
    let depth = ic.next_multiple_of(4);
    let image = Image::inside_of(c);
    image.differences(m, c, depth, &mut s.a, &mut s.activations, |v| v as i16);
    match &c.pruned {
        None => widen_packed(m, &c.weights, &mut s.weights),
        Some(pruned) => widen_blocks(m, &c.weights, pruned, &mut s.weights),
    }
    let [_, rows, cols, _] = c.dst.dims.map(i64::from);
    let pixels = rows * cols;
    let per_chunk = kh * kw * depth * OC;
    let mut wraps = 0;
    let mut at = 0;
    while at < pixels {
        let position = |p: usize| {
            let pixel = (at + p as i64).min(pixels - 1);
            [pixel / cols, pixel % cols]
        };
        let positions: [[i64; 2]; PIXELS] = std::array::from_fn(position);
        s.offsets.clear();
        for tap in 0..kh * kw {
            let tap = [tap / kw, tap % kw].map(|k| k as i64);
            s.offsets.push(positions.map(|p| image.offset(c, p, tap, depth)));
        }
        for (chunk, weights) in s.weights.chunks_exact(per_chunk).enumerate() {
            let sums = dot(level, &s.activations, &s.offsets, depth, weights);
            let first = chunk * OC;
            let n = (oc - first).min(OC);
            for (p, sums) in sums.iter().enumerate().take((pixels - at) as usize) {
                let [y, x] = positions[p];
                let to = Accumulators { dst: &c.dst, bias: c.bias.as_ref(), accumulate: c.accumulate };
                wraps += to.add(level, m, &mut s.b, [y, x], first, &sums[..n]);
            }
        }
        at += PIXELS as i64;
    }
    pad(m, &c.dst);
    wraps
}

/// Depthwise convolution.
pub(super) fn depthwise(level: Level, s: &mut Scratch, m: &mut Memory, c: &ConvOp) -> u64 {
    let [_, kh, kw, channels] = c.weights.dims.map(|n| n as usize);
    let image = Image::inside_of(c);
    image.differences(m, c, channels, &mut s.a, &mut s.activations, |v| v as i16);
    s.weights.clear();
    for ky in 0..kh as i64 {
        for kx in 0..kw as i64 {
            read(m, &c.weights, row_address(&c.weights, [0, ky, kx]), channels, &mut s.a);
            s.weights.extend(s.a.iter().map(|w| (w - c.weights.zero_point) as i16));
        }
    }
    let [_, rows, cols, _] = c.dst.dims.map(i64::from);
    let to = Accumulators { dst: &c.dst, bias: c.bias.as_ref(), accumulate: c.accumulate };
    let mut wraps = 0;
    for y in 0..rows {
        for x in 0..cols {
            s.a.clear();
            s.a.resize(channels, 0);
            for (tap, w) in s.weights.chunks_exact(channels).enumerate() {
                let at = image.offset(c, [y, x], [tap / kw, tap % kw].map(|k| k as i64), channels);
                if at != image.zeros(channels) {
                    multiply_add(level, &mut s.a, &s.activations[at..at + channels], w);
                }
            }
            wraps += to.add(level, m, &mut s.b, [y, x], 0, &s.a);
        }
    }
    pad(m, &c.dst);
    wraps
}

/// Matrix product of two activations.
pub(super) fn matmul(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    [a, b]: [&TensorDesc; 2],
    bias: Option<&TensorDesc>,
    accumulate: bool,
) -> u64 {
    let (rows, k, cols) = (a.dims[2] as usize, a.dims[3] as usize, b.dims[3] as usize);
    s.activations.clear();
    for row in 0..rows {
        read(m, a, row_address(a, [0, 0, row as i64]), k, &mut s.a);
        s.activations.extend(s.a.iter().map(|v| (v - a.zero_point) as i16));
    }
    s.weights.clear();
    s.weights.resize(cols.div_ceil(OC) * k * OC, 0);
    for i in 0..k {
        read(m, b, row_address(b, [0, 0, i as i64]), cols, &mut s.a);
        for (o, v) in s.a.iter().enumerate() {
            s.weights[((o / OC) * k + i) * OC + o % OC] = (v - b.zero_point) as i16;
        }
    }
    let to = Accumulators { dst, bias, accumulate };
    let mut wraps = 0;
    for row in (0..rows).step_by(PIXELS) {
        let offsets = [std::array::from_fn(|p| (row + p).min(rows - 1) * k)];
        for (chunk, weights) in s.weights.chunks_exact(k * OC).enumerate() {
            let sums = dot(level, &s.activations, &offsets, k, weights);
            let first = chunk * OC;
            let n = (cols - first).min(OC);
            for (p, sums) in sums.iter().enumerate().take(rows - row) {
                wraps += to.add(level, m, &mut s.b, [0, (row + p) as i64], first, &sums[..n]);
            }
        }
    }
    pad(m, dst);
    wraps
}

/// Where sums go, and what they are added to.
struct Accumulators<'a> {
    dst: &'a TensorDesc,
    bias: Option<&'a TensorDesc>,
    accumulate: bool,
}

impl Accumulators<'_> {
    /// Adds the sums of channels from `first` on to the start values of a pixel; counts wraps.
    fn add(
        &self,
        level: Level,
        m: &mut Memory,
        start: &mut Vec<i32>,
        [y, x]: [i64; 2],
        first: usize,
        sums: &[i32],
    ) -> u64 {
        let at = row_address(self.dst, [0, y, x]) + first as i64 * self.dst.strides[3];
        let mut wraps = 0;
        match (self.accumulate, self.bias) {
            (true, _) => read(m, self.dst, at, sums.len(), start),
            (false, Some(b)) => read(m, b, b.base + first as i64 * b.strides[3], sums.len(), start),
            (false, None) => {
                write(m, self.dst, at, sums);
                return 0;
            }
        }
        wraps += accumulate(level, start, sums);
        write(m, self.dst, at, start);
        wraps
    }
}

/// Adds the sums of a reduction to the accumulators.
pub(super) fn add_row(
    level: Level,
    m: &mut Memory,
    start: &mut Vec<i32>,
    dst: &TensorDesc,
    accumulate: bool,
    sums: &[i32],
) -> u64 {
    let wraps = Accumulators { dst, bias: None, accumulate }.add(level, m, start, [0, 0], 0, sums);
    pad(m, dst);
    wraps
}
