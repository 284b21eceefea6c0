//! What dense and depthwise products of words share: buffers, and the epilogue of their sums.

use super::operands::Operands;
use crate::isa::{EType, Space};
use crate::kernels::aligned::Aligned;
use crate::kernels::cpu::Level;
use crate::kernels::dense::Lists;
use crate::kernels::line::Line;
use crate::kernels::view::ViewMut;
use crate::kernels::words::sums::{Results, WideStart, WideSums, join};
use crate::sim::engine::fast::fused::Fused;
use crate::sim::engine::fast::rows;
use crate::sim::engine::fast::sides::Sources;
use crate::sim::engine::fast::weights::{DenseWeights, DepthwiseWeights};
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Buffers kept between operations, and the weights of the last products.
#[derive(Debug, Default)]
pub(in crate::sim::engine::fast) struct Words {
    pub(super) lists: Lists,
    pub(super) taps: Vec<usize>,
    pub(super) weights: DenseWeights,
    pub(super) depthwise: DepthwiseWeights<i16>,
    /// For the last dense and the last depthwise product.
    pub(super) operands: [Operands; 2],
    /// Activations as the kernels take them: planes of low and high bytes, or a copy with its padding.
    pub(super) image: Aligned<u8>,
    /// Sums of a few rows.
    pub(super) sums: Aligned<u8>,
}

impl Words {
    /// Forgets everything but what was made from constants.
    pub(in crate::sim::engine::fast) fn reset(&mut self) {
        self.weights.reset();
        self.depthwise.reset();
        self.operands.iter_mut().for_each(|o| o.of = None);
    }

    /// Bytes of the scratchpad have changed.
    pub(in crate::sim::engine::fast) fn changed(&mut self, range: (i64, i64)) {
        self.weights.changed(range);
        self.depthwise.changed(range);
        self.operands.iter_mut().for_each(|o| o.changed(range));
    }
}

/// Whether the operands, those of the requantization included, have types and places that the kernels take.
pub(super) fn are_words(level: Level, c: &ConvOp, fused: Option<Fused<'_>>) -> bool {
    level.has_avx512()
        && matches!(c.src.etype, EType::U16 | EType::S16)
        && matches!(c.weights.etype, EType::U8 | EType::S8)
        && c.src.space == Space::Spm
        && matches!(c.weights.space, Space::Spm | Space::Dram)
        && c.dst.space == Space::Acc
        && c.dst.etype == EType::S64
        && c.src.strides[3] == 2
        && c.src.strides[..3].iter().all(|s| *s >= 0)
        && c.dst.strides[3] == 8
        && c.dst.strides[..3].iter().all(|s| *s >= 0)
        && c.dst.dims.iter().chain(&c.src.dims).all(|n| *n > 0)
        && c.bias.is_none_or(|b| b.space == Space::Spm && b.strides[3] == 8)
        && fused.is_none_or(|t| t.is_of_words(&c.dst))
}

/// The bias, as it lies in the scratchpad.
pub(super) fn bias<'a>(c: &ConvOp, sources: &Sources<'a>, n: usize) -> Option<&'a [[u8; 8]]> {
    match &c.bias {
        Some(b) => Some(sources.bytes(b.base, n * 8)?.as_chunks().0),
        None => Some(&[]),
    }
}

/// Writes the padding lanes of the results of a product and its requantization, if there is one.
pub(super) fn pad(m: &mut Memory, c: &ConvOp, fused: Option<Fused<'_>>) {
    if !fused.is_some_and(|t| t.fills_lanes()) {
        rows::pad(m, fused.map_or(&c.dst, |t| t.dst));
    }
}

/// What the sums become.
pub(super) enum WideEpilogue<'a> {
    /// Accumulators: what is added to the sums of each channel, and what they are accumulated to.
    Accumulators(&'a [i64], WideStart<'a>),
    Results(Results<'a>),
}

impl<'a> WideEpilogue<'a> {
    /// The epilogue for a requantization, if there is one; else sums are accumulated to `start`.
    pub(super) fn of(
        operands: &'a Operands,
        start: WideStart<'a>,
        fused: Option<Fused<'_>>,
    ) -> WideEpilogue<'a> {
        let Some(t) = fused else { return WideEpilogue::Accumulators(&operands.add, start) };
        let channels = operands.add.len();
        WideEpilogue::Results(Results {
            add: &operands.lacking,
            by: &operands.multipliers,
            bounds: t.bounds(),
            channels: if t.fills_lanes() { channels.next_multiple_of(16) } else { channels },
            size: t.dst.etype.bytes(),
            small: operands.small,
        })
    }

    /// Stores the sums of `pixels` pixels; returns how many additions wrapped.
    pub(super) fn store(&self, to: (ViewMut<'_>, Line), sums: WideSums<'_>, pixels: usize) -> Option<u64> {
        match self {
            WideEpilogue::Accumulators(add, start) => join(to, sums, pixels, add, *start),
            WideEpilogue::Results(results) => results.store(to, sums, pixels).then_some(0),
        }
    }
}
