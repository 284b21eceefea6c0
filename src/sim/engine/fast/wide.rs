//! The MAC array with operands of 16 bits: 32-bit differences, 64-bit sums.
//!
//! As `mac.rs`, without register blocks: one activation times a row of weights.

use super::image::Image;
use super::rows::{pad, read, read_wide, row_address, write_wide};
use super::scratch::Scratch;
use crate::isa::blocks::{BLOCK, BLOCK_ELEMENTS, in_block};
use crate::isa::{BlockGrid, Space, TensorDesc};
use crate::kernels::accumulate::accumulate_wide;
use crate::kernels::cpu::Level;
use crate::kernels::dense::portable::scale_add_wide;
use crate::kernels::depthwise::portable::{multiply_add_wide, multiply_add_words};
use crate::kernels::pack::portable::widen;
use crate::kernels::reduce::sum_wide;
use crate::sim::memory::Memory;
use crate::sim::op::{ConvOp, Pruned};

/// Whether an operation sums in 64 bits.
pub(super) fn is_wide(dst: &TensorDesc) -> bool {
    dst.etype.bytes() == 8
}

/// Appends `n` elements of a row to `to`, minus their zero point.
fn differences(m: &Memory, d: &TensorDesc, start: i64, n: usize, row: &mut Vec<i32>, to: &mut Vec<i32>) {
    read(m, d, start, n, row);
    to.extend(row.iter().map(|v| v - d.zero_point));
}

/// Dense convolution.
pub(super) fn conv(level: Level, s: &mut Scratch, m: &mut Memory, c: &ConvOp) -> u64 {
    let [oc, _, kw, ic] = c.weights.dims.map(|n| n as usize);
    let (image, mut activations) = (Image::inside_of(c), Vec::new());
    image.differences(m, c, ic, &mut s.a, &mut activations, |v| v);
    let weights = match &c.pruned {
        None => packed(m, &c.weights, &mut s.a),
        Some(pruned) => blocks(m, &c.weights, pruned, &mut s.a),
    };
    let mut wraps = 0;
    let mut sums = vec![0_i64; oc];
    each_pixel(c, |y, x| {
        sums.fill(0);
        for (tap, weights) in weights.chunks_exact(ic * oc).enumerate() {
            let at = image.offset(c, [y, x], [tap / kw, tap % kw].map(|k| k as i64), ic);
            if at == image.zeros(ic) {
                continue;
            }
            for (a, w) in activations[at..at + ic].iter().zip(weights.chunks_exact(oc)) {
                scale_add_wide(level, &mut sums, *a, w);
            }
        }
        wraps += add(level, m, &c.dst, c.bias.as_ref(), c.accumulate, [y, x], &sums);
    });
    pad(m, &c.dst);
    wraps
}

/// Depthwise convolution.
pub(super) fn depthwise(level: Level, s: &mut Scratch, m: &mut Memory, c: &ConvOp) -> u64 {
    let [_, kh, kw, channels] = c.weights.dims.map(|n| n as usize);
    let (image, mut activations) = (Image::inside_of(c), Vec::new());
    image.differences(m, c, channels, &mut s.a, &mut activations, |v| v);
    let mut weights = Vec::new();
    for ky in 0..kh as i64 {
        for kx in 0..kw as i64 {
            let start = row_address(&c.weights, [0, ky, kx]);
            differences(m, &c.weights, start, channels, &mut s.a, &mut weights);
        }
    }
    let mut wraps = 0;
    let mut sums = vec![0_i64; channels];
    // Products of 16 and 8 bits are below 2^24: 127 of them fit 32 bits.
    let short = c.weights.etype.bytes() == 1 && c.src.etype.bytes() <= 2 && kh * kw <= 127;
    let mut words = vec![0_i32; channels];
    each_pixel(c, |y, x| {
        let places = |tap: usize| image.offset(c, [y, x], [tap / kw, tap % kw].map(|k| k as i64), channels);
        let taps = weights.chunks_exact(channels).enumerate().map(|(tap, w)| (places(tap), w));
        let taps = taps.filter(|(at, _)| *at != image.zeros(channels));
        if short {
            words.fill(0);
            for (at, w) in taps {
                multiply_add_words(level, &mut words, &activations[at..at + channels], w);
            }
            sums.iter_mut().zip(&words).for_each(|(s, w)| *s = i64::from(*w));
            wraps += add(level, m, &c.dst, c.bias.as_ref(), c.accumulate, [y, x], &sums);
            return;
        }
        sums.fill(0);
        for (at, w) in taps {
            multiply_add_wide(level, &mut sums, &activations[at..at + channels], w);
        }
        wraps += add(level, m, &c.dst, c.bias.as_ref(), c.accumulate, [y, x], &sums);
    });
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
    let (rows, k, cols) = (i64::from(a.dims[2]), a.dims[3] as usize, b.dims[3] as usize);
    let mut right = Vec::new();
    for i in 0..k as i64 {
        differences(m, b, row_address(b, [0, 0, i]), cols, &mut s.a, &mut right);
    }
    let mut wraps = 0;
    let mut left = Vec::new();
    let mut sums = vec![0_i64; cols];
    for row in 0..rows {
        left.clear();
        differences(m, a, row_address(a, [0, 0, row]), k, &mut s.a, &mut left);
        sums.fill(0);
        for (x, line) in left.iter().zip(right.chunks_exact(cols)) {
            scale_add_wide(level, &mut sums, *x, line);
        }
        wraps += add(level, m, dst, bias, accumulate, [0, row], &sums);
    }
    pad(m, dst);
    wraps
}

/// Sum over the image.
pub(super) fn sum(
    level: Level,
    s: &mut Scratch,
    m: &mut Memory,
    dst: &TensorDesc,
    src: &TensorDesc,
    accumulate: bool,
) -> u64 {
    let n = src.dims[3] as usize;
    let mut sums = vec![0_i64; n];
    super::rows::for_rows(src.dims, |at| {
        let start = row_address(src, at);
        if src.strides[3] == 2 && src.etype.bytes() == 2 {
            s.a.resize(n, 0);
            widen(level, m.read(src.space, start, n * 2), src.etype, &mut s.a);
        } else {
            read(m, src, start, n, &mut s.a);
        }
        sum_wide(level, &mut sums, &s.a, src.zero_point);
    });
    let wraps = add(level, m, dst, None, accumulate, [0, 0], &sums);
    pad(m, dst);
    wraps
}

/// Calls `f(y, x)` for every output pixel.
fn each_pixel(c: &ConvOp, mut f: impl FnMut(i64, i64)) {
    for y in 0..i64::from(c.dst.dims[1]) {
        for x in 0..i64::from(c.dst.dims[2]) {
            f(y, x);
        }
    }
}

/// Packed weights `[oc/64][tap][ic/4][block][4]` → `[tap][ic][oc]`, without their zero point.
fn packed(m: &Memory, d: &TensorDesc, row: &mut Vec<i32>) -> Vec<i32> {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    let (taps, quads) = (kh * kw, ic.div_ceil(4));
    let mut to = vec![0; taps * ic * oc];
    let line = TensorDesc { strides: [0, 0, 0, d.etype.bytes() as i64], ..*d };
    let mut start = d.base;
    for block in (0..oc).step_by(64) {
        let width = (oc - block).min(64).next_multiple_of(16);
        for tap in 0..taps {
            for quad in 0..quads {
                read(m, &line, start, width * 4, row);
                start += (width * 4 * d.etype.bytes()) as i64;
                for (at, v) in row.iter().enumerate() {
                    let (o, i) = (block + at / 4, quad * 4 + at % 4);
                    if o < oc && i < ic {
                        to[(tap * ic + i) * oc + o] = v - d.zero_point;
                    }
                }
            }
        }
    }
    to
}

/// The blocks of pruned weights → `[tap][ic][oc]`, minus their zero point; absent ones are zeros.
fn blocks(m: &Memory, d: &TensorDesc, pruned: &Pruned, row: &mut Vec<i32>) -> Vec<i32> {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    let mut to = vec![0; kh * kw * ic * oc];
    let size = d.etype.bytes();
    let line = TensorDesc { strides: [0, 0, 0, size as i64], ..*d };
    let mask = m.read(Space::Dram, pruned.mask, pruned.mask_bytes);
    for (at, [o, tap, i]) in BlockGrid::of(d.dims).present(mask).enumerate() {
        read(m, &line, d.base + (at * BLOCK_ELEMENTS * size) as i64, BLOCK_ELEMENTS, row);
        let [first, start] = [o, i].map(|b| b as usize * BLOCK);
        for input in start..ic.min(start + BLOCK) {
            for output in first..oc.min(first + BLOCK) {
                to[(tap as usize * ic + input) * oc + output] = row[in_block(output, input)] - d.zero_point;
            }
        }
    }
    to
}

/// Adds the sums of a pixel to its start values; counts wraps.
fn add(
    level: Level,
    m: &mut Memory,
    dst: &TensorDesc,
    bias: Option<&TensorDesc>,
    accumulate: bool,
    [y, x]: [i64; 2],
    sums: &[i64],
) -> u64 {
    let at = row_address(dst, [0, y, x]);
    let mut start = Vec::new();
    match (accumulate, bias) {
        (true, _) => read_wide(m, dst, at, sums.len(), &mut start),
        (false, Some(b)) => read_wide(m, b, b.base, sums.len(), &mut start),
        (false, None) => {
            write_wide(m, dst, at, sums);
            return 0;
        }
    }
    let wraps = accumulate_wide(level, &mut start, sums);
    write_wide(m, dst, at, &start);
    wraps
}
