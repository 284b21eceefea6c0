//! Bands: the rows of a layer's images that each worker computes.
//!
//! Where a layer reads and writes images that lie whole in the scratchpad, its tiles are independent: every
//! worker takes the tiles of a band of rows, the same share of the rows in every layer. Most of what it reads
//! is then in its own cache, and it waits for others only at the edges of its band.

use std::collections::BTreeMap;
use std::ops::Range;

use super::split;
use crate::isa::Space;
use crate::sim::op::{OpKind, QueueOp, dma_op};
use crate::sim::plan::Unit;

/// A band may be longer or shorter than the others by 1 / `SHIFT` of the rows, and at least one row: enough
/// that workers end at the same time, and little enough that they keep their rows from layer to layer.
const SHIFT: u32 = 12;

/// Properties of a layer over all its instructions.
#[derive(Debug, Default)]
struct Layer {
    /// Rows of its images.
    rows: u32,
    work: u64,
    /// Products, and those of them that are fused with their requantization.
    products: u32,
    fused: u32,
    /// Tiles are moved from or to DRAM, or pass through several instructions: they share buffers.
    travels: bool,
    /// First row of each band and the number of rows, once that is decided.
    bounds: Option<Vec<u32>>,
}

/// The layers that are cut into bands.
#[derive(Debug)]
pub(super) struct Bands(BTreeMap<u32, Layer>);

/// Rows of the whole image that a tile computes; `None` if that cannot be told from the instruction.
pub(super) fn rows(op: &QueueOp) -> Option<Range<u32>> {
    let (dst, origin) = match &op.kind {
        OpKind::Conv(c) | OpKind::Depthwise(c) => (&c.dst, c.origin),
        OpKind::MaxPool { dst, origin, .. } | OpKind::AvgPool { dst, origin, .. } => (dst, *origin),
        OpKind::Nop
        | dma_op!()
        | OpKind::Matmul { .. }
        | OpKind::Requant { .. }
        | OpKind::Store { .. }
        | OpKind::Add { .. }
        | OpKind::Mul { .. }
        | OpKind::Lut { .. }
        | OpKind::Rsum { .. }
        | OpKind::Quantize { .. }
        | OpKind::Dequantize { .. }
        | OpKind::F1 { .. }
        | OpKind::F2 { .. }
        | OpKind::Fold { .. }
        | OpKind::Softmax { .. }
        | OpKind::Resize { .. } => return None,
    };
    let first = u32::try_from(origin[0]).ok()?;
    Some(first..first.checked_add(dst.dims[1])?)
}

impl Bands {
    /// The layers of a plan; DRAM can be written from address `writable` on.
    pub(super) fn of(units: &[&Unit], writable: i64) -> Bands {
        let mut layers: BTreeMap<u32, Layer> = BTreeMap::new();
        for (unit, op) in units.iter().flat_map(|unit| unit.ops().iter().map(move |op| (unit, op))) {
            let Some(layer) = op.layer.map(|l| layers.entry(l).or_default()) else { continue };
            layer.work += split::work(&op.kind);
            layer.rows = layer.rows.max(rows(op).map_or(0, |r| r.end));
            match &op.kind {
                OpKind::Conv(_) | OpKind::Depthwise(_) => {
                    layer.products += 1;
                    layer.fused += u32::from(unit.is_fused());
                }
                OpKind::DmaIn { src, .. } => {
                    layer.travels |= src.space == Space::Dram && src.base >= writable
                }
                OpKind::Nop | OpKind::Requant { .. } | OpKind::MaxPool { .. } | OpKind::AvgPool { .. } => {}
                OpKind::DmaPad { .. }
                | OpKind::Gather { .. }
                | OpKind::DmaFill { .. }
                | OpKind::DmaCopy { .. }
                | OpKind::DmaOut { .. }
                | OpKind::Matmul { .. }
                | OpKind::Store { .. }
                | OpKind::Add { .. }
                | OpKind::Mul { .. }
                | OpKind::Lut { .. }
                | OpKind::Rsum { .. }
                | OpKind::Quantize { .. }
                | OpKind::Dequantize { .. }
                | OpKind::F1 { .. }
                | OpKind::F2 { .. }
                | OpKind::Fold { .. }
                | OpKind::Softmax { .. }
                | OpKind::Resize { .. } => layer.travels = true,
            }
        }
        Bands(layers)
    }

    /// First rows of a layer's bands, from 0, followed by the number of rows; `None` if its tiles cannot be
    /// cut into bands. `work` is what each worker has been given so far.
    pub(super) fn bounds(&mut self, layer: Option<u32>, work: &[u64]) -> Option<&[u32]> {
        let layer = self.0.get_mut(&layer?)?;
        // Where accumulators are kept, the last product at each place is not fused.
        let apart = !layer.travels && layer.fused + 4 >= layer.products;
        if !apart || (layer.rows as usize) < 2 * work.len() {
            return None;
        }
        let Layer { rows, work: whole, .. } = *layer;
        Some(layer.bounds.get_or_insert_with(|| cut(rows, whole, work)))
    }
}

/// Cuts `rows` rows, of work `whole` in all, so that workers end together while bands stay near equal length.
fn cut(rows: u32, whole: u64, work: &[u64]) -> Vec<u32> {
    let workers = work.len() as u64;
    let each = (work.iter().sum::<u64>() + whole) / workers.max(1);
    let missing: Vec<u64> = work.iter().map(|w| each.saturating_sub(*w)).collect();
    let all = missing.iter().sum::<u64>().max(1);
    let slack = (rows / SHIFT).max(1);
    let mut bounds = vec![0];
    let mut sum = 0;
    for (w, m) in missing.iter().enumerate() {
        sum += m;
        let even = (u64::from(rows) * (w as u64 + 1) / workers) as u32;
        let wanted = ((u128::from(rows) * u128::from(sum) + u128::from(all) / 2) / u128::from(all)) as u32;
        let least = bounds.last().copied().unwrap_or(0);
        bounds.push(wanted.clamp(even.saturating_sub(slack), even + slack).clamp(least, rows));
    }
    if let Some(last) = bounds.last_mut() {
        *last = rows;
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_hold_all_rows_and_stay_near_equal_ones() {
        assert_eq!(cut(112, 1000, &[0, 0]), [0, 56, 112]);
        // The second worker has other work.
        assert_eq!(cut(112, 1000, &[0, 100]), [0, 62, 112]);
        assert_eq!(cut(112, 1000, &[0, 900]), [0, 65, 112]);
        assert_eq!(cut(7, 1000, &[0, 0]), [0, 4, 7]);
        assert_eq!(cut(7, 1000, &[200, 0]), [0, 3, 7]);
        assert_eq!(cut(7, 0, &[0, 0, 0]).last(), Some(&7));
    }
}
