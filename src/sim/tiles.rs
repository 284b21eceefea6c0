//! Tiles of one product that follow each other, executed as one larger tile.
//!
//! A program cuts a layer into tiles for its accumulators. An engine that makes bytes of sums at once needs none, and a
//! larger tile serves kernels better: weights are read once for all of its rows, and what they prepare they prepare once. Found
//! on the record, among [pairs](super::pairs): the same image and weights, rows below each other. Clock and observers know
//! nothing of it.

use std::convert::Infallible;

use super::access::{Region, for_each_region, padded_dims};
use super::op::{OpKind, QueueOp};
use super::stream::{Issued, Step};
use crate::isa::Space;

/// Pixels that are enough for a tile: kernels keep a list of them, and their results should stay in the second cache.
const ENOUGH: u32 = 1024;

/// A product and its requantization that stand for those of several tiles.
#[derive(Debug, Clone)]
pub(super) struct Tall {
    pub(super) pair: [QueueOp; 2],
    /// One past the last queue instruction that they stand for.
    pub(super) end: usize,
}

/// For each queue instruction of a record, the larger tile that begins with it; the last is not of more than one.
pub(super) fn find(steps: &[Step], issued: &[Issued], pairs: &[bool]) -> Vec<Option<Box<Tall>>> {
    let mut found = vec![None; issued.len()];
    // Where the present tile began, and the tile.
    let mut present: Option<(usize, Tall, bool)> = None;
    let mut close = |present: &mut Option<(usize, Tall, bool)>| {
        if let Some((first, tall, true)) = present.take() {
            found[first] = Some(Box::new(tall));
        }
    };
    let mut seq = 0;
    let mut end = 0;
    for step in steps {
        match step {
            Step::Issue(n) => end += n,
            Step::Control { .. } | Step::Fence => continue,
            // Somebody may look at memory.
            Step::LayerBegin(_) | Step::LayerEnd(_) | Step::Host { .. } | Step::Halt => close(&mut present),
        }
        while seq < end {
            let op = issued[seq].executed();
            if !pairs[seq] {
                if !matches!(op.kind, OpKind::Nop) {
                    close(&mut present);
                }
                seq += 1;
                continue;
            }
            let pair = [op, issued[seq + 1].executed()];
            let taller = present.as_ref().and_then(|(_, tall, _)| below(&tall.pair, pair));
            match (&mut present, taller) {
                (Some((_, tall, several)), Some(pair)) => {
                    *tall = Tall { pair, end: seq + 2 };
                    *several = true;
                }
                _ => {
                    close(&mut present);
                    let tall = Tall { pair: pair.map(QueueOp::clone), end: seq + 2 };
                    present = Some((seq, tall, false));
                }
            }
            seq += 2;
        }
    }
    found
}

/// The tile of both, if the second lies below the first; none if that is large enough.
fn below(first: &[QueueOp; 2], second: [&QueueOp; 2]) -> Option<[QueueOp; 2]> {
    let mut pair = first.clone();
    let [product, rounding] = &mut pair;
    let ((OpKind::Conv(a), OpKind::Conv(b)) | (OpKind::Depthwise(a), OpKind::Depthwise(b))) =
        (&mut product.kind, &second[0].kind)
    else {
        return None;
    };
    let (
        OpKind::Requant { dst, src, quant },
        OpKind::Requant { dst: dst_below, src: src_below, quant: same },
    ) = (&mut rounding.kind, &second[1].kind)
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

/// Whether what is written is nothing that is read: else the second tile may read what the first has written.
fn apart(pair: &[QueueOp; 2]) -> bool {
    let Some(dst) = pair[1].kind.dst().filter(|d| d.space == Space::Spm) else { return false };
    let Some((begin, end)) = Region::Box(dst, padded_dims(dst)).span() else { return false };
    let mut apart = true;
    for op in pair {
        let Ok(()) = for_each_region::<Infallible>(&op.kind, &mut |region, writes| {
            if !writes && region.space() == Space::Spm {
                apart &= region.span().is_none_or(|(from, to)| to <= begin || end <= from);
            }
            Ok(())
        });
    }
    apart
}
