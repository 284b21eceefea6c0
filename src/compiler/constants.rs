//! Builds the constant segment: weights in the machine's block order, biases, multipliers, tables,
//! descriptors.

use std::collections::BTreeMap;

use crate::graph::Weights;
use crate::isa::BlockGrid;
use crate::isa::blocks::{BLOCK, BLOCK_ELEMENTS, in_block};
use crate::machine::Control;
use crate::program;

/// The constant segment under construction.
#[derive(Debug, Default)]
pub(super) struct Constants {
    bytes: Vec<u8>,
    outline: Option<Outline>,
    /// Largest segment of the DRAM channel.
    segment: usize,
    records: BTreeMap<Vec<u8>, i64>,
    /// Bytes of a line of the control core's cache, and lines that it holds: none if there is no cache.
    cache: [usize; 2],
}

/// A segment without the contents that only DMA reads.
#[derive(Debug, Default)]
struct Outline {
    size: usize,
    /// What is kept, with its address.
    kept: Vec<(usize, Vec<u8>)>,
}

impl Constants {
    /// An empty segment for a machine whose channel moves `segment` bytes at once.
    pub(super) fn new(segment: u32) -> Constants {
        Constants { segment: segment as usize, ..Constants::default() }
    }

    /// The same segment with zeros for everything that only DMA reads, so that weights need not be packed:
    /// masks and descriptors, by which the control core and the clock go, are there.
    pub(super) fn outline(segment: u32) -> Constants {
        Constants { outline: Some(Outline::default()), ..Constants::new(segment) }
    }

    /// Appends `len` bytes that DMA loads and returns their DRAM address: a multiple of 64, or of a channel
    /// segment if there are more bytes than that, so that segments do not straddle DRAM rows.
    pub(super) fn append_packed(&mut self, len: usize, pack: impl FnOnce() -> Vec<u8>) -> i64 {
        let align = if len > self.segment { self.segment } else { 64 };
        if let Some(Outline { size, .. }) = &mut self.outline {
            let at = size.next_multiple_of(align);
            *size = at + len;
            return at as i64;
        }
        let packed = pack();
        debug_assert_eq!(packed.len(), len, "the size of packed weights is known before");
        self.append(&packed, align)
    }

    /// Appends bytes that DMA loads, as [`append_packed`](Constants::append_packed).
    pub(super) fn append_loaded(&mut self, bytes: &[u8]) -> i64 {
        self.append_packed(bytes.len(), || bytes.to_vec())
    }

    /// Appends bytes at a multiple of `align` and returns their DRAM address.
    pub(super) fn append(&mut self, bytes: &[u8], align: usize) -> i64 {
        if let Some(Outline { size, kept }) = &mut self.outline {
            let at = size.next_multiple_of(align);
            *size = at + bytes.len();
            kept.push((at, bytes.to_vec()));
            return at as i64;
        }
        let at = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(bytes);
        at as i64
    }

    /// The records that follow are loaded in their order, by a core with this cache.
    pub(super) fn records_for(&mut self, core: &Control) {
        let line = core.const_line_bytes.max(1);
        self.cache = [line, core.const_cache_bytes / line].map(|n| n as usize);
    }

    /// Appends a small record at a multiple of 8, unless the cache still holds an equal one; returns its
    /// address. Without a cache nothing is gained by a copy, and equal records are stored once.
    pub(super) fn record(&mut self, bytes: &[u8]) -> i64 {
        if let Some(at) = self.records.get(bytes)
            && self.holds(*at)
        {
            return *at;
        }
        let at = self.append(bytes, 8);
        self.records.insert(bytes.to_vec(), at);
        at
    }

    /// Whether a record lies in one of the last lines that the cache has room for. Records before are loaded,
    /// so these lines are there.
    fn holds(&self, at: i64) -> bool {
        let [line, lines] = self.cache;
        lines == 0 || at as usize / line + lines > (self.len() - 1) / line
    }

    /// Bytes so far.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.outline.as_ref().map_or(self.bytes.len(), |o| o.size)
    }

    /// The finished segment, zero-filled up to `len`.
    #[must_use]
    pub(super) fn finish(mut self, len: usize) -> program::Constants {
        if let Some(Outline { size, kept }) = self.outline {
            return program::Constants::sparse(len.max(size), &kept);
        }
        self.bytes.resize(len.max(self.bytes.len()), 0);
        self.bytes.into()
    }
}

/// Elements of packed weights of `oc × kh × kw × ic` (manual, *Layouts*): output channels in blocks of 64,
/// the last one rounded up to a multiple of 16, input channels rounded up to a multiple of 4.
#[must_use]
pub(super) fn packed_bytes(oc: i64, taps: i64, ic: i64) -> i64 {
    (oc + 15) / 16 * 16 * taps * ((ic + 3) / 4 * 4)
}

/// Packs output channels `oc` and input channels `ic` (of one group) of dense weights `[OC, IC, KH, KW]`:
/// `[oc/64][kh][kw][ic/4][block][4]`. Positions beyond the logical extents hold the zero point, so they
/// contribute nothing whatever the activation is.
#[must_use]
pub(super) fn pack_dense(
    weights: &Weights,
    oc: std::ops::Range<usize>,
    ic: std::ops::Range<usize>,
) -> Vec<u8> {
    let [_, channels, kh, kw] = weights.shape;
    let taps = kh * kw;
    let size = weights.dtype.bytes();
    let fill = weights.zero_point.to_le_bytes();
    let mut packed =
        Vec::with_capacity(packed_bytes(oc.len() as i64, taps as i64, ic.len() as i64) as usize * size);
    for block in oc.clone().step_by(64) {
        let width = (oc.end - block).min(64).next_multiple_of(16);
        for tap in 0..taps {
            for quad in ic.clone().step_by(4) {
                for o in block..block + width {
                    for i in quad..quad + 4 {
                        let inside = o < oc.end && i < ic.end;
                        packed.extend_from_slice(if inside {
                            element(weights, (o * channels + i) * taps + tap)
                        } else {
                            &fill[..size]
                        });
                    }
                }
            }
        }
    }
    packed
}

/// Packs output channels `oc` and input channels `ic` as a stream without zero blocks; returns the stream and
/// its mask (manual, *Layouts*).
#[must_use]
pub(super) fn pack_pruned(
    weights: &Weights,
    oc: std::ops::Range<usize>,
    ic: std::ops::Range<usize>,
) -> (Vec<u8>, Vec<u8>) {
    let [_, channels, kh, kw] = weights.shape;
    let taps = kh * kw;
    let size = weights.dtype.bytes();
    let fill = weights.zero_point.to_le_bytes();
    let grid = BlockGrid::of([oc.len(), kh, kw, ic.len()].map(|n| n as u32));
    let count = grid.count().unwrap_or(0);
    let mut stream = Vec::new();
    let mut mask = vec![0_u8; count.div_ceil(64) as usize * 8];
    let mut block = vec![0_u8; BLOCK_ELEMENTS * size];
    for index in 0..count {
        let [outer, tap, inner] = grid.position(index).map(|n| n as usize);
        block.chunks_exact_mut(size).for_each(|e| e.copy_from_slice(&fill[..size]));
        let mut zero = true;
        for o in (oc.start + outer * BLOCK..oc.end).take(BLOCK) {
            for i in (ic.start + inner * BLOCK..ic.end).take(BLOCK) {
                let value = element(weights, (o * channels + i) * taps + tap);
                zero &= value == &fill[..size];
                block[in_block(o - oc.start, i - ic.start) * size..][..size].copy_from_slice(value);
            }
        }
        if !zero {
            stream.extend_from_slice(&block);
            mask[index as usize / 8] |= 1 << (index % 8);
        }
    }
    (stream, mask)
}

/// With less than one zero in this many weights, zero blocks are not searched for.
const RARE: u64 = 32;

/// Whether enough weights are zero for whole blocks of zeros to be likely.
pub(super) fn may_prune(weights: &Weights) -> bool {
    zeros(weights) * RARE >= weights.shape.iter().map(|d| *d as u64).product()
}

/// Blocks of the whole weights, tap by tap, that are not zero.
pub(super) fn kept_blocks(weights: &Weights) -> u64 {
    let [oc, ic, kh, kw] = weights.shape;
    let taps = kh * kw;
    let size = weights.dtype.bytes();
    let zero = weights.zero_point.to_le_bytes();
    let inner = ic.div_ceil(BLOCK);
    let mut kept = vec![false; oc.div_ceil(BLOCK) * inner * taps];
    for (channel, kernel) in weights.data.chunks_exact((taps * size).max(1)).enumerate() {
        let (o, i) = (channel / ic.max(1) / BLOCK, channel % ic.max(1) / BLOCK);
        let blocks = &mut kept[(o * inner + i) * taps..][..taps];
        for (block, weight) in blocks.iter_mut().zip(kernel.chunks_exact(size)) {
            *block |= weight != &zero[..size];
        }
    }
    kept.into_iter().filter(|k| *k).count() as u64
}

/// Number of weights that equal their zero point.
#[must_use]
pub(super) fn zeros(weights: &Weights) -> u64 {
    let [low, high, ..] = weights.zero_point.to_le_bytes();
    // Sums of bytes that do not overflow, so that a vector counts as many as it has bytes.
    if weights.dtype.bytes() == 1 {
        let some = |bytes: &[u8]| bytes.iter().map(|w| u8::from(*w == low)).sum::<u8>();
        return weights.data.chunks(255).map(|c| u64::from(some(c))).sum();
    }
    weights.data.chunks_exact(2).filter(|w| **w == [low, high]).count() as u64
}

/// Packs channels of depthwise weights `[C, 1, KH, KW]` as `[kh][kw][width]`; `width` is at least the number
/// of channels.
#[must_use]
pub(super) fn pack_depthwise(weights: &Weights, channels: std::ops::Range<usize>, width: usize) -> Vec<u8> {
    let [_, _, kh, kw] = weights.shape;
    let taps = kh * kw;
    let size = weights.dtype.bytes();
    let fill = weights.zero_point.to_le_bytes();
    let mut packed = Vec::with_capacity(taps * width * size);
    for tap in 0..taps {
        for c in channels.start..channels.start + width {
            let inside = c < channels.end;
            packed.extend_from_slice(if inside { element(weights, c * taps + tap) } else { &fill[..size] });
        }
    }
    packed
}

/// The bytes of one weight.
fn element(weights: &Weights, index: usize) -> &[u8] {
    let size = weights.dtype.bytes();
    &weights.data[index * size..(index + 1) * size]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::DType;

    #[test]
    fn dense_weights_follow_the_block_order() {
        let data: Vec<u8> = (0..70 * 5 * 2).map(|i| (i % 251) as u8).collect();
        let weights = Weights {
            name: "w".into(),
            shape: [70, 5, 1, 2],
            dtype: DType::U8,
            data: data.clone().into(),
            scale: vec![1.0],
            zero_point: 9,
        };
        let packed = pack_dense(&weights, 0..70, 0..5);
        assert_eq!(packed.len() as i64, packed_bytes(70, 2, 5));
        let at = |o: usize, tap: usize, i: usize| {
            let (block, width) = if o < 64 { (0, 64) } else { (64 * 2 * 8, 16) };
            packed[block + ((tap * 2 + i / 4) * width + o % 64) * 4 + i % 4]
        };
        for o in 0..70 {
            for tap in 0..2 {
                for i in 0..5 {
                    assert_eq!(at(o, tap, i), data[(o * 5 + i) * 2 + tap]);
                }
                assert_eq!(at(o, tap, 6), 9);
            }
        }
        assert_eq!(at(75, 1, 0), 9);
    }

    #[test]
    fn without_a_cache_equal_records_are_stored_once() {
        let mut c = Constants::default();
        c.append(&[1, 2, 3], 1);
        assert_eq!((c.record(b"abc"), c.record(b"xyz"), c.record(b"abc")), (8, 16, 8));
    }

    #[test]
    fn a_record_that_the_cache_has_lost_is_stored_again() {
        let mut c = Constants::default();
        let machine = crate::machine::Machine::named("rcn-m").unwrap();
        c.records_for(&Control { const_cache_bytes: 128, const_line_bytes: 64, ..machine.control });
        let mut at = |n: u8| c.record(&[n; 32]);
        // Two lines of two records each.
        assert_eq!(
            [1, 2, 3, 1, 4, 1, 5, 1, 2, 3, 1].map(&mut at),
            [0, 32, 64, 0, 96, 0, 128, 160, 192, 224, 160]
        );
    }
}
