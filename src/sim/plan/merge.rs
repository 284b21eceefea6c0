//! Merging: consecutive tiles of one product are executed as one larger tile.
//!
//! A program cuts a layer into tiles that fit the accumulators. An engine that makes bytes of the sums at
//! once needs no accumulators, and kernels work better on larger tiles: they read the weights once for all
//! rows, and prepare their operands once. Merged tiles are fused with their requantizations, read the same
//! image and weights, and lie below each other.

use std::convert::Infallible;
use std::sync::Arc;

use super::record::{Gap, Gaps};
use super::unit::{Merged, Unit};
use crate::isa::Space;
use crate::sim::access::{Region, for_each_region, padded_dims};
use crate::sim::op::{OpKind, QueueOp};

/// Pixels from which on a tile is not merged further: kernels keep a list of pixels, and results should stay
/// in the second-level cache.
const ENOUGH: u32 = 1024;

/// Merges consecutive units.
pub(super) fn merge(units: Vec<Unit>, gaps: &Gaps) -> Vec<Unit> {
    let mut merged: Vec<Unit> = Vec::with_capacity(units.len());
    let mut end = 0;
    for unit in units {
        let seen = gaps.most(end, unit.seq()) >= Gap::Layer;
        end = unit.end();
        if seen || !merged.last_mut().is_some_and(|above| append(above, &unit)) {
            merged.push(unit);
        }
    }
    merged.shrink_to_fit();
    merged
}

/// Appends a unit to the one above, if they are tiles of one product; returns whether it has.
fn append(above: &mut Unit, unit: &Unit) -> bool {
    let Some([product, requantization]) = below(above.ops(), unit.ops()) else { return false };
    if let Unit::Merged(merged) = above {
        let [first, second] = &mut merged.whole;
        Arc::make_mut(first).kind = product;
        Arc::make_mut(second).kind = requantization;
        merged.tiles.extend_from_slice(unit.tiles());
    } else if let Unit::Fused([first, second]) = above {
        let with = |op: &QueueOp, kind| Arc::new(QueueOp { kind, ..op.clone() });
        let whole = [with(first, product), with(second, requantization)];
        let tiles = above.tiles().iter().chain(unit.tiles()).cloned().collect();
        *above = Unit::Merged(Box::new(Merged { whole, tiles }));
    }
    true
}

/// The product and the requantization of both tiles together; `None` if the second's rows do not lie below
/// the first's, or the first is large enough.
fn below(first: &[Arc<QueueOp>], second: &[Arc<QueueOp>]) -> Option<[OpKind; 2]> {
    let ([product, requantization], [product_below, requantization_below]) = (first, second) else {
        return None;
    };
    let mut pair = [product.kind, requantization.kind];
    let [product, requantization] = &mut pair;
    let ((OpKind::Conv(a), OpKind::Conv(b)) | (OpKind::Depthwise(a), OpKind::Depthwise(b))) =
        (product, &product_below.kind)
    else {
        return None;
    };
    let (
        OpKind::Requant { dst, src, quant },
        OpKind::Requant { dst: dst_below, src: src_below, quant: same },
    ) = (requantization, &requantization_below.kind)
    else {
        return None;
    };
    let rows = i64::from(dst.dims[1]);
    let moved = [a.origin[0] + rows, a.origin[1]];
    let mut expected = *dst_below;
    (expected.base, expected.dims[1]) = (dst.base, dst.dims[1]);
    let alike = (a.src, a.weights, a.bias, a.window, a.pruned)
        == (b.src, b.weights, b.bias, b.window, b.pruned)
        && *quant == *same
        && *dst == expected
        && (a.dst.etype, a.dst.dims) == (src.etype, src.dims)
        && (b.dst.etype, b.dst.dims) == (src_below.etype, src_below.dims);
    let follows = b.origin == moved && dst_below.base == dst.base + rows * dst.strides[1];
    if !alike || !follows || dst.dims[1].saturating_mul(dst.dims[2]) >= ENOUGH || dst.dims[0] != 1 {
        return None;
    }
    let more = dst_below.dims[1];
    for d in [&mut a.dst, src, dst] {
        d.dims[1] += more;
    }
    apart(&pair).then_some(pair)
}

/// Whether a pair writes nothing that it reads: otherwise the second tile might read what the first has
/// written.
fn apart(pair: &[OpKind; 2]) -> bool {
    let Some(dst) = pair[1].dst().filter(|d| d.space == Space::Spm) else { return false };
    let Some((begin, end)) = Region::Box(dst, padded_dims(dst)).span() else { return false };
    let mut apart = true;
    for kind in pair {
        let Ok(()) = for_each_region::<Infallible>(kind, &mut |region, writes| {
            if !writes && region.space() == Space::Spm {
                apart &= region.span().is_none_or(|(from, to)| to <= begin || end <= from);
            }
            Ok(())
        });
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::super::examples::{ACC, Build, RESULTS, product, requantization};
    use super::super::fuse::fuse;
    use super::super::record::Step;
    use super::*;
    use crate::isa::{QuantDesc, TensorDesc};
    use crate::sim::executed::Executed;
    use crate::sim::op::ConvOp;

    /// Tile `number`; its sums lie in one of two places.
    fn tile(number: i64) -> [OpKind; 2] {
        [product(number, number % 2), requantization(number, number % 2)]
    }

    fn merged(build: Build) -> Vec<Unit> {
        let record = build.record();
        let gaps = record.gaps();
        merge(fuse(record.ops, &gaps, ACC, false), &gaps)
    }

    /// Number of tiles of each unit.
    fn lengths(build: Build) -> Vec<usize> {
        merged(build).iter().map(|unit| unit.tiles().len()).collect()
    }

    /// Two tiles, the second one changed by `change`.
    fn changed(change: impl Fn(&mut [OpKind; 2])) -> Vec<usize> {
        let mut second = tile(1);
        change(&mut second);
        lengths(Build::new().ops(tile(0)).ops(second))
    }

    #[test]
    fn tiles_below_each_other_are_one_with_the_rows_of_all() {
        let scalars = Step::Control(Executed { plain: 3, ..Executed::default() });
        let build = Build::new().ops(tile(0)).step(scalars).ops(tile(1)).ops([OpKind::Nop]);
        // Instructions that do nothing were elided before.
        let record = build.ops(tile(2)).record();
        let gaps = record.gaps();
        let ops: Vec<_> = record.ops.into_iter().filter(|op| op.kind != OpKind::Nop).collect();
        let units = merge(fuse(ops.clone(), &gaps, ACC, false), &gaps);
        assert_eq!(units.len(), 1);
        let (OpKind::Conv(whole), OpKind::Conv(one)) = (&units[0].ops()[0].kind, &ops[0].kind) else {
            panic!("products")
        };
        assert_eq!((whole.dst.dims[1], whole.origin), (3 * one.dst.dims[1], one.origin));
        assert_eq!(units[0].ops()[1].kind.dst().map(|d| d.dims[1]), Some(3 * one.dst.dims[1]));
        // The tiles are unchanged.
        let tiles: Vec<_> = units[0].tiles().iter().flat_map(|tile| tile.ops().to_vec()).collect();
        assert_eq!(tiles, ops);
        assert_eq!((units[0].seq(), units[0].end()), (0, 7));
    }

    #[test]
    fn tiles_of_another_product_are_not_merged() {
        let product = |[product, _]: &mut [OpKind; 2], change: fn(&mut ConvOp)| {
            let OpKind::Conv(c) = product else { panic!("{product:?} instead of a product") };
            change(c);
        };
        assert_eq!(changed(|_| {}), [2]);
        assert_eq!(changed(|tile| product(tile, |c| c.weights.base += 64)), [1, 1]);
        assert_eq!(changed(|tile| product(tile, |c| c.src.base += 64)), [1, 1]);
        assert_eq!(changed(|tile| product(tile, |c| c.window.stride = [2, 2])), [1, 1]);
        assert_eq!(changed(|tile| product(tile, |c| c.origin[0] += 1)), [1, 1]);
        assert_eq!(changed(|tile| product(tile, |c| c.origin[1] += 1)), [1, 1]);
    }

    #[test]
    fn results_must_lie_below_each_other_and_be_rounded_alike() {
        let rounding = |[_, rounding]: &mut [OpKind; 2], change: fn(&mut TensorDesc, &mut QuantDesc)| {
            let OpKind::Requant { dst, quant, .. } = rounding else {
                panic!("{rounding:?} instead of a requantization")
            };
            change(dst, quant);
        };
        assert_eq!(changed(|tile| rounding(tile, |dst, _| dst.base += dst.strides[1])), [1, 1]);
        assert_eq!(changed(|tile| rounding(tile, |dst, _| dst.zero_point += 1)), [1, 1]);
        assert_eq!(changed(|tile| rounding(tile, |_, quant| quant.zero_point += 1)), [1, 1]);
    }

    #[test]
    fn a_tile_that_may_read_what_the_one_above_has_written_waits_for_it() {
        let on_the_image = |[_, mut rounding]: [OpKind; 2]| {
            if let OpKind::Requant { dst, .. } = &mut rounding {
                dst.base -= RESULTS;
            }
            rounding
        };
        let tiles = [0, 1].map(|n| [tile(n)[0], on_the_image(tile(n))]);
        assert_eq!(lengths(Build::new().ops(tiles[0]).ops(tiles[1])), [1, 1]);
    }

    #[test]
    fn nothing_is_merged_over_what_somebody_may_see() {
        let with = |step| lengths(Build::new().ops(tile(0)).step(step).ops(tile(1)));
        assert_eq!(with(Step::Fence), [2]);
        assert_eq!(with(Step::LayerBegin(1)), [1, 1]);
        assert_eq!(with(Step::LayerEnd(0)), [1, 1]);
        assert_eq!(with(Step::Host { id: 0, pc: 0 }), [1, 1]);
        // Another instruction between the two.
        let copy = OpKind::DmaFill { dst: *requantization(9, 0).dst().unwrap() };
        assert_eq!(lengths(Build::new().ops(tile(0)).ops([copy]).ops(tile(1))), [1, 1, 1]);
    }

    #[test]
    fn a_tile_that_is_large_enough_grows_no_more() {
        let many = (0..100).fold(Build::new(), |build, n| build.ops(tile(n)));
        let lengths = lengths(many);
        let pixels = requantization(0, 0).dst().map_or(0, |d| d.dims[1] * d.dims[2]);
        let enough = ENOUGH.div_ceil(pixels) as usize;
        assert!(lengths.len() > 1 && lengths[0] == enough, "{lengths:?}, {enough} would be enough");
    }
}
