//! What dense and depthwise products of words have in common: buffers, and what becomes of their sums.

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

/// Buffers that are kept, and the weights of the last products.
#[derive(Debug, Default)]
pub(in crate::sim::engine::fast) struct Words {
    pub(super) lists: Lists,
    pub(super) taps: Vec<usize>,
    pub(super) weights: DenseWeights,
    pub(super) depthwise: DepthwiseWeights<i16>,
    /// Of the last dense and of the last depthwise product.
    pub(super) operands: [Operands; 2],
    /// Activations as the kernels take them: low and high bytes, or a copy with its padding.
    pub(super) image: Aligned<u8>,
    /// WideSums of a few rows.
    pub(super) sums: Aligned<u8>,
}

impl Words {
    /// The engine forgets everything.
    pub(in crate::sim::engine::fast) fn reset(&mut self) {
        self.weights.reset();
        self.depthwise.reset();
        self.operands.iter_mut().for_each(|o| o.of = None);
    }

    /// Bytes of the scratchpad change.
    pub(in crate::sim::engine::fast) fn changed(&mut self, range: (i64, i64)) {
        self.weights.changed(range);
        self.depthwise.changed(range);
        self.operands.iter_mut().for_each(|o| o.changed(range));
    }
}

/// Whether operands have the types and places that kernels take, those of the requantization too.
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

/// Writes the padding lanes of what a product and its requantization, if there is one, have stored.
pub(super) fn pad(m: &mut Memory, c: &ConvOp, fused: Option<Fused<'_>>) {
    if !fused.is_some_and(|t| t.fills_lanes()) {
        rows::pad(m, fused.map_or(&c.dst, |t| t.dst));
    }
}

/// What becomes of sums.
pub(super) enum WideEpilogue<'a> {
    /// Accumulators: what the sums of each channel lack, and what they are added to.
    Accumulators(&'a [i64], WideStart<'a>),
    Results(Results<'a>),
}

impl<'a> WideEpilogue<'a> {
    /// Results if there is a requantization. `start` is what sums are added to without one.
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

    /// Stores the sums of so many pixels; gives how many additions wrapped.
    pub(super) fn store(&self, to: (ViewMut<'_>, Line), sums: WideSums<'_>, pixels: usize) -> Option<u64> {
        match self {
            WideEpilogue::Accumulators(add, start) => join(to, sums, pixels, add, *start),
            WideEpilogue::Results(results) => results.store(to, sums, pixels).then_some(0),
        }
    }
}
