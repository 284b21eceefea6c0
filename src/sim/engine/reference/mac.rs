//! The MAC array: `start + Σ (a − za)(w − zw)`.

use super::access::{Access, for_each};
use crate::isa::{BlockGrid, EType, Space, TensorDesc};
use crate::numeric;
use crate::sim::op::{ConvOp, Pruned};

/// Dense convolution with packed weights.
pub(super) fn conv(m: &mut Access, c: &ConvOp) {
    let [oc, kh, kw, ic] = c.weights.dims.map(i64::from);
    // The packed weights as one row of elements.
    let blocks = c.pruned.map(|p| Blocks::of(m, c, &p));
    let line = TensorDesc { strides: [0, 0, 0, c.weights.etype.bytes() as i64], ..c.weights };
    for_each(c.dst.dims, |[_, y, x, o]| {
        let mut sum = 0;
        for ky in 0..kh {
            for kx in 0..kw {
                if let Some([iy, ix]) = tap(c, [y, x], [ky, kx]) {
                    for i in 0..ic {
                        let a = m.difference(&c.src, [0, iy, ix, i]);
                        let at = match &blocks {
                            None => Some(packed_offset([oc, kh, kw, ic], [o, ky, kx, i])),
                            Some(blocks) => blocks.offset([o, ky * kw + kx, i]),
                        };
                        if let Some(at) = at {
                            sum += a * m.difference(&line, [0, 0, 0, at]);
                        }
                    }
                }
            }
        }
        // All weights count as read, whichever taps lie in the padding.
        finish(m, &c.dst, [0, y, x, o], c.bias.as_ref(), c.accumulate, sum);
    });
    m.pad_lanes(&c.dst);
    let all = crate::sim::access::packed_weight_bytes(c);
    for at in 0..all {
        m.bytes::<1>(c.weights.space, c.weights.base + at);
    }
}

/// Where the blocks of pruned weights begin in the stream.
struct Blocks {
    grid: BlockGrid,
    /// Element offset for each bit of the mask; `None` for absent blocks.
    starts: Vec<Option<i64>>,
}

impl Blocks {
    fn of(m: &mut Access, c: &ConvOp, pruned: &Pruned) -> Blocks {
        let grid = BlockGrid::of(c.weights.dims);
        let mut starts = Vec::new();
        let mut next = 0;
        for bit in 0..grid.count().unwrap_or(0) as i64 {
            let [byte] = m.bytes::<1>(Space::Dram, pruned.mask + bit / 8);
            let present = byte >> (bit % 8) & 1 == 1;
            starts.push(present.then_some(next));
            next += if present { 256 } else { 0 };
        }
        Blocks { grid, starts }
    }

    fn offset(&self, [o, tap, i]: [i64; 3]) -> Option<i64> {
        let bit = ((o / 16) * self.grid.taps as i64 + tap) * self.grid.inner as i64 + i / 16;
        let start = self.starts[bit as usize]?;
        Some(start + (i % 16 / 4) * 64 + (o % 16) * 4 + i % 4)
    }
}

/// Depthwise convolution.
pub(super) fn depthwise(m: &mut Access, c: &ConvOp) {
    let [_, kh, kw, _] = c.weights.dims.map(i64::from);
    for_each(c.dst.dims, |[_, y, x, ch]| {
        let mut sum = 0;
        for ky in 0..kh {
            for kx in 0..kw {
                let w = m.difference(&c.weights, [0, ky, kx, ch]);
                if let Some([iy, ix]) = tap(c, [y, x], [ky, kx]) {
                    sum += m.difference(&c.src, [0, iy, ix, ch]) * w;
                }
            }
        }
        finish(m, &c.dst, [0, y, x, ch], c.bias.as_ref(), c.accumulate, sum);
    });
    m.pad_lanes(&c.dst);
}

/// Matrix product of two activations.
pub(super) fn matmul(
    m: &mut Access,
    dst: &TensorDesc,
    a: &TensorDesc,
    b: &TensorDesc,
    bias: Option<&TensorDesc>,
    accumulate: bool,
) {
    for_each(dst.dims, |[_, _, row, col]| {
        let mut sum = 0;
        for k in 0..i64::from(a.dims[3]) {
            sum += m.difference(a, [0, 0, row, k]) * m.difference(b, [0, 0, k, col]);
        }
        finish(m, dst, [0, 0, row, col], bias, accumulate, sum);
    });
    m.pad_lanes(dst);
}

/// Adds a sum to its start value; counts the wrap.
pub(super) fn finish(
    m: &mut Access,
    dst: &TensorDesc,
    at: [i64; 4],
    bias: Option<&TensorDesc>,
    accumulate: bool,
    sum: i64,
) {
    let start = if accumulate { m.int(dst, at) } else { bias.map_or(0, |b| m.int(b, [0, 0, 0, at[3]])) };
    let (value, wrapped) = if dst.etype == EType::S64 {
        numeric::accumulate_wide(start, sum)
    } else {
        // Both fit: the start is an s32, and reductions are so short that their sum is one too.
        let (value, wrapped) = numeric::accumulate(start as i32, sum as i32);
        (value.into(), wrapped)
    };
    m.wraps += u64::from(wrapped);
    m.put_int(dst, at, value);
}

/// Input row and column of a tap; `None` in the padding.
fn tap(c: &ConvOp, out: [i64; 2], k: [i64; 2]) -> Option<[i64; 2]> {
    let mut at = [0; 2];
    for axis in 0..2 {
        let w = &c.window;
        at[axis] = (c.origin[axis] + out[axis]) * i64::from(w.stride[axis]) - i64::from(w.pads[axis])
            + k[axis] * i64::from(w.dilation[axis]);
        if at[axis] < 0 || at[axis] >= i64::from(c.src.dims[axis + 1]) {
            return None;
        }
    }
    Some(at)
}

/// Position of a weight in the packed layout `[oc/64][kh][kw][ic/4][block][4]`.
fn packed_offset([oc, kh, kw, ic]: [i64; 4], [o, ky, kx, i]: [i64; 4]) -> i64 {
    let quads = (ic + 3) / 4;
    let block = o / 64;
    let width = ((oc - block * 64 + 15) / 16 * 16).min(64);
    block * 64 * kh * kw * quads * 4 + (((ky * kw + kx) * quads + i / 4) * width + o % 64) * 4 + i % 4
}
