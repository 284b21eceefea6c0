//! Formulas of the timing classes: cycles of an instruction from its extents. The clock, the tile search
//! and the lower bounds use them.
//!
//! An instruction of MAC or VEC takes the largest of its steps and of what its operands take to pass the
//! ports of its unit (manual, *Time*: Streams).

use super::{Dram, Machine};
use crate::isa::Space;

/// The products of an instruction of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// Output pixels (rows of a matrix product).
    pub pixels: u64,
    /// Output channels (its columns).
    pub channels: u64,
    /// Taps of the kernel; 1 for a matrix product.
    pub taps: u64,
    /// Products that are summed at each tap.
    pub reduction: u64,
    /// Bytes of an activation, a weight and a sum.
    pub bytes: [u64; 3],
}

/// What an instruction demands of the array: steps, and bytes through each of its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Cycles of products.
    pub steps: u64,
    /// Bytes of activations.
    pub activations: u64,
    /// Bytes of weights.
    pub weights: u64,
    /// Bytes of sums, those written.
    pub sums: u64,
}

impl Product {
    /// Steps at each tap and block of the reduction: tiles of the array; each operand of 16 bits doubles
    /// them.
    #[must_use]
    pub fn passes(&self, m: &Machine) -> u64 {
        self.channels.div_ceil(m.mac.oc_lanes.into()) * self.per_block(m)
    }

    fn per_block(&self, m: &Machine) -> u64 {
        self.pixels.div_ceil(m.mac.pixel_lanes.into()) * self.bytes[0] * self.bytes[1]
    }

    /// A convolution or matrix product with the weights held in the array: every block of weights is loaded
    /// once; for each, the activations of all pixels pass, and all sums.
    #[must_use]
    pub fn dense(&self, m: &Machine) -> Demand {
        let Product { pixels, channels, taps, reduction, bytes: [activation, weight, sum] } = *self;
        let blocks = taps * reduction.div_ceil(m.mac.ic_lanes.into());
        Demand {
            steps: self.passes(m) * blocks,
            activations: channels.div_ceil(m.mac.oc_lanes.into()) * taps * reduction * pixels * activation,
            weights: channels * taps * reduction * weight,
            sums: blocks * pixels * channels * sum,
        }
    }

    /// A dense convolution of which the array does `steps` blocks, on a stream of `stored` bytes of weights.
    #[must_use]
    pub fn pruned(&self, m: &Machine, steps: u64, stored: u64) -> Demand {
        let Product { pixels, channels, bytes: [activation, _, sum], .. } = *self;
        Demand {
            steps: steps * self.per_block(m),
            activations: steps * pixels * u64::from(m.mac.ic_lanes) * activation,
            weights: stored,
            sums: steps * pixels * channels.min(m.mac.oc_lanes.into()) * sum,
        }
    }

    /// A depthwise convolution: lanes of the reduction take the taps, some at once, and rows of the image are
    /// held in the array, so that each of the `window` pixels under a tile passes once.
    #[must_use]
    pub fn depthwise(&self, m: &Machine, window: u64) -> Demand {
        let Product { pixels, channels, taps, bytes: [activation, weight, sum], .. } = *self;
        Demand {
            steps: self.passes(m) * taps.div_ceil(m.mac.depthwise_taps.min(m.mac.ic_lanes).into()),
            activations: window * channels * activation,
            weights: channels * taps * weight,
            sums: pixels * channels * sum,
        }
    }
}

impl Demand {
    /// The largest of the steps and of the cycles that each port is busy.
    #[must_use]
    pub fn busy(&self, m: &Machine) -> u64 {
        self.steps
            .max(self.activations.div_ceil(m.mac.activation_bytes_per_cycle.into()))
            .max(self.weights.div_ceil(m.mac.weight_bytes_per_cycle.into()))
            .max(self.sums.div_ceil(m.mac.sum_bytes_per_cycle.into()))
    }

    /// Cycles of the instruction: fill, [`Demand::busy`], drain.
    #[must_use]
    pub fn cycles(&self, m: &Machine) -> u64 {
        u64::from(m.mac.fill_cycles) + self.busy(m) + u64::from(m.mac.drain_cycles)
    }
}

/// Rows (or columns) of the image under `outputs` windows of `kernel` taps in one axis, padding included.
#[must_use]
pub fn window(outputs: u64, kernel: u64, stride: u64, dilation: u64) -> u64 {
    let span = outputs.saturating_sub(1) * stride + kernel.saturating_sub(1) * dilation + 1;
    span.min(outputs * kernel)
}

/// VEC: vectors of a box, `D0·D1·D2·⌈D3 / lanes⌉`.
#[must_use]
pub fn vectors(m: &Machine, [a, b, c, d]: [u64; 4]) -> u64 {
    a * b * c * d.div_ceil(m.vec.lanes.into())
}

/// VEC: latency, then the largest of `times` the vectors of the box `read` and of the cycles that each port
/// is busy: `times` the elements of the box for every source (its memory and bytes of an element), the bytes
/// of the result once.
#[must_use]
pub fn vector(
    m: &Machine,
    read: [u64; 4],
    times: u64,
    sources: &[(Space, u64)],
    (memory, result): (Space, u64),
) -> u64 {
    let port = |space: Space, width: u32| {
        u64::from(if space == Space::Acc { m.vec.sum_bytes_per_cycle } else { width })
    };
    let elements = times * read.iter().product::<u64>();
    let streams = sources
        .iter()
        .map(|(space, bytes)| (elements * bytes).div_ceil(port(*space, m.vec.source_bytes_per_cycle)))
        .chain([result.div_ceil(port(memory, m.vec.result_bytes_per_cycle))]);
    u64::from(m.vec.latency_cycles) + streams.fold(times * vectors(m, read), u64::max)
}

/// DMA: a copy or fill inside the scratchpad.
#[must_use]
pub fn copy(m: &Machine, bytes: u64) -> u64 {
    bytes.div_ceil(m.spm.bytes_per_cycle.into())
}

/// Channel: the segments of a row of `bytes` bytes that ids choose, and the bytes of the pieces of each: as
/// if each segment began at the last byte of a row of the memory.
#[must_use]
pub fn chosen_row(dram: &Dram, bytes: u64) -> Vec<Vec<u32>> {
    let [grant, burst, row] =
        [dram.grant_bytes, dram.burst_bytes, dram.row_bytes].map(|n| u64::from(n).max(1));
    let segment = |i: u64| {
        let beyond_first = grant.min(bytes - i * grant) - 1;
        let mut left = beyond_first.div_ceil(burst) * burst;
        let mut pieces = vec![dram.burst_bytes];
        while left > 0 {
            let piece = left.min(row);
            pieces.push(piece as u32);
            left -= piece;
        }
        pieces
    };
    (0..bytes.div_ceil(grant)).map(segment).collect()
}

/// Channel: cycles of such a row by itself.
#[must_use]
pub fn chosen_row_cycles(dram: &Dram, bytes: u64) -> u64 {
    let pieces = chosen_row(dram, bytes);
    let moved: u64 = pieces.iter().flatten().map(|p| u64::from(*p)).sum();
    let changes = pieces.iter().flatten().count() as u64;
    (moved * 1000).div_ceil(dram.rate()) + changes * u64::from(dram.row_miss_cycles)
}
