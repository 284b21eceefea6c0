//! Weights without their zero blocks, where that saves cycles or bytes.

use super::super::Lowering;
use super::super::tiling::{MacShape, MacTile};
use crate::compiler::constants::{may_prune, pack_pruned, packed_bytes};
use crate::compiler::storage::next_multiple;
use crate::graph::Weights;
use crate::isa::BlockGrid;

/// Pruned weights of a layer, tile by tile.
pub(super) struct Streams {
    /// Streams, at multiples of their step.
    pub(super) weights: Vec<u8>,
    /// Masks, at multiples of their step.
    pub(super) masks: Vec<u8>,
    /// Bytes between the streams of channel tiles, and of reduction tiles.
    pub(super) steps: [i64; 2],
    /// Bytes between the masks of channel tiles, and of reduction tiles.
    pub(super) mask_steps: [i64; 2],
    /// Bytes of the longest stream; all are loaded with this length, so that no tile needs its own.
    pub(super) slot: i64,
}

impl Lowering<'_> {
    /// The weights of a convolution without zero blocks; `None` if that saves neither steps of the array nor
    /// a relevant part of the bytes to load.
    pub(super) fn pruned(&self, shape: &MacShape, tile: &MacTile, weights: &Weights) -> Option<Streams> {
        if self.dense_weights || !may_prune(weights) {
            return None;
        }
        let lanes = [self.machine.mac.oc_lanes, self.machine.mac.ic_lanes];
        let [oc, ic, kh, kw] = weights.shape;
        let [channels, reduce] = [tile.channels as usize, tile.reduce as usize];
        let mut tiles = Vec::new();
        let (mut steps, mut dense_steps) = (0, 0);
        for o in (0..oc).step_by(channels) {
            for i in (0..ic).step_by(reduce) {
                let (outer, inner) = (o..oc.min(o + channels), i..ic.min(i + reduce));
                let dims = [outer.len(), kh, kw, inner.len()].map(|n| n as u32);
                let (stream, mask) = pack_pruned(weights, outer, inner);
                steps += BlockGrid::of(dims).kept(&mask, dims, lanes).steps;
                dense_steps +=
                    u64::from(dims[0].div_ceil(lanes[0]) * dims[3].div_ceil(lanes[1])) * (kh * kw) as u64;
                tiles.push((stream, mask));
            }
        }
        let (streams, masks): (Vec<_>, Vec<_>) = tiles.into_iter().unzip();
        let longest = |parts: &[Vec<u8>]| parts.iter().map(Vec::len).max().unwrap_or(0) as i64;
        // A transfer moves at least something, even where every block is zero.
        let slot = longest(&streams).max(64);
        let dense_slot = packed_bytes(tile.channels, shape.taps(), tile.reduce) * shape.sizes[1];
        let pays = steps < dense_steps || slot * 10 <= dense_slot * 9;
        if slot > dense_slot || !pays {
            return None;
        }
        // Addresses are products of loop variables, so the steps are multiples of what the variables step by.
        let reduce_tiles = ic.div_ceil(reduce) as i64;
        let place = |bytes: i64, align: i64| {
            let inner = next_multiple(bytes, align * tile.reduce);
            [next_multiple(inner * reduce_tiles, align * tile.channels), inner]
        };
        let layout = |[outer, inner]: [i64; 2], parts: &[Vec<u8>]| {
            let mut bytes = Vec::new();
            for (n, part) in parts.iter().enumerate() {
                let (o, i) = (n as i64 / reduce_tiles, n as i64 % reduce_tiles);
                bytes.resize((o * outer + i * inner) as usize, 0);
                bytes.extend_from_slice(part);
            }
            bytes
        };
        let steps = place(slot, 16);
        let mask_steps = place(longest(&masks), 8);
        let mut weights = layout(steps, &streams);
        // The last transfer has the same length as the others.
        let last = streams.last().map_or(0, Vec::len);
        weights.resize(weights.len() + slot as usize - last, 0);
        Some(Streams { weights, masks: layout(mask_steps, &masks), steps, mask_steps, slot })
    }
}
