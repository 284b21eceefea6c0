//! Products of activations of 16 bits with weights of 8, for the kernels of `simd`.
//!
//! Dense ones are two products of bytes: `a = 256·high + low`, both unsigned, whose sums of 32 bits make one of 64. Depthwise
//! ones multiply words, two taps at a time. Sums go to the accumulators, or, if a requantization is given that alone reads them,
//! become its results at once; either way a few rows at a time, so that they stay in the caches.

mod dense;
mod depthwise;
mod operands;

pub(super) use dense::conv;
pub(super) use depthwise::depthwise;

use self::operands::{Interleaved, Operands};
use super::Level;
use super::aligned::Aligned;
use super::bytes::Then;
use super::sides::Sources;
use super::simd::finish::Bounds;
use super::simd::join::{Results, Start, Sums, join};
use super::simd::round::Line;
use super::simd::tile::Lists;
use super::weights::Ready;
use crate::isa::{EType, Space, TensorDesc};
use crate::sim::access::padded_dims;
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Buffers that are kept, and the weights of the last products.
#[derive(Debug, Default)]
pub(super) struct Words {
    lists: Lists,
    taps: Vec<usize>,
    weights: Ready,
    interleaved: Interleaved,
    /// Of the last dense and of the last depthwise product.
    operands: [Operands; 2],
    /// Activations as the kernels take them: low and high bytes, or a copy with its padding.
    image: Aligned<u8>,
    /// Sums of a few rows.
    sums: Aligned<u8>,
}

impl Words {
    /// The engine forgets everything.
    pub(super) fn reset(&mut self) {
        self.weights.of = None;
        self.interleaved.kept.reset();
        self.operands.iter_mut().for_each(|o| o.of = None);
    }

    /// Bytes of the scratchpad change.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        self.weights.changed(range);
        self.interleaved.kept.changed(range);
        self.operands.iter_mut().for_each(|o| o.changed(range));
    }
}

/// Whether operands have the types and places that kernels take, those of the requantization too.
fn suits(level: Level, c: &ConvOp, then: Option<Then<'_>>) -> bool {
    matches!(level, Level::Avx512Vnni(_) | Level::Amx(_))
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
        && then.is_none_or(|t| results_suit(&t, &c.dst))
}

/// Whether kernels can store the results of the requantization of such sums.
fn results_suit(then: &Then<'_>, sums: &TensorDesc) -> bool {
    let d = then.dst;
    d.space == Space::Spm
        && d.etype.int_range().is_some()
        && matches!(d.etype.bytes(), 1 | 2)
        && d.dims == sums.dims
        && d.strides[3] == d.etype.bytes() as i64
        && d.strides[..3].iter().all(|s| *s >= 0)
        && then.quant.doubles().is_none()
}

/// The bias, as it lies in the scratchpad.
fn bias<'a>(c: &ConvOp, sources: &Sources<'a>, n: usize) -> Option<&'a [[u8; 8]]> {
    match &c.bias {
        Some(b) => Some(sources.from(b.base)?.get(..n * 8)?.as_chunks().0),
        None => Some(&[]),
    }
}

/// Whether the padding lanes of results are what kernels make of channels without multipliers: whole vectors of zero points.
fn fills_lanes(then: &Then<'_>) -> bool {
    let (d, q) = (then.dst, then.quant);
    let whole = padded_dims(d)[3] == d.dims[3].next_multiple_of(16);
    whole && d.zero_point == q.zero_point && (q.lo..=q.hi).contains(&q.zero_point)
}

/// Writes the padding lanes of what a product and its requantization, if there is one, have stored.
fn pad(m: &mut Memory, c: &ConvOp, then: Option<Then<'_>>) {
    if !then.is_some_and(|t| fills_lanes(&t)) {
        super::rows::pad(m, then.map_or(&c.dst, |t| t.dst));
    }
}

/// What becomes of sums.
enum Target<'a> {
    /// Accumulators: what the sums of each channel lack, and what they are added to.
    Accumulators(&'a [i64], Start<'a>),
    Results(Results<'a>),
}

impl<'a> Target<'a> {
    /// Results if there is a requantization. `start` is what sums are added to without one.
    fn of(operands: &'a Operands, start: Start<'a>, then: Option<Then<'_>>) -> Target<'a> {
        let Some(t) = then else { return Target::Accumulators(&operands.add, start) };
        let channels = operands.add.len();
        Target::Results(Results {
            add: &operands.lacking,
            by: &operands.multipliers,
            bounds: Bounds { zero_point: t.quant.zero_point, clamp: [t.quant.lo, t.quant.hi] },
            channels: if fills_lanes(&t) { channels.next_multiple_of(16) } else { channels },
            size: t.dst.etype.bytes(),
            small: operands.small,
        })
    }

    /// Stores the sums of so many pixels; gives how many additions wrapped.
    fn store(&self, to: (&mut [u8], Line), sums: Sums<'_>, pixels: usize) -> Option<u64> {
        match self {
            Target::Accumulators(add, start) => join(to, sums, pixels, add, *start),
            Target::Results(results) => results.store(to, sums, pixels).then_some(0),
        }
    }
}
