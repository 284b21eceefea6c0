//! Fusion: a product and the requantization behind it become one unit if nothing else reads the sums. An
//! engine may then leave the accumulators alone.
//!
//! This is decided from the last writer of each cell of the accumulators. No program reads what is in the
//! accumulators when a run ends, so the last product at each place is fused too, unless they are [to be
//! kept](crate::sim::Loaded::keep_accumulators).

use std::convert::Infallible;
use std::sync::Arc;

use super::cells::Cells;
use super::record::{Gap, Gaps};
use super::unit::Unit;
use crate::isa::Space;
use crate::sim::access::for_each_region;
use crate::sim::op::{OpKind, QueueOp};

/// Bytes of a cell: accumulators of 32 bits for eight lanes.
const CELL: i64 = 32;

/// No instruction has written the cell yet.
const NOBODY: u32 = u32::MAX;

/// Fuses the instructions of a record, with `acc_bytes` of accumulators. With `sums`, the accumulators are
/// read at the end of a run.
pub(super) fn fuse(ops: Vec<Arc<QueueOp>>, gaps: &Gaps, acc_bytes: u64, sums: bool) -> Vec<Unit> {
    let fused = find(&ops, gaps, acc_bytes, sums);
    let mut units = Vec::with_capacity(ops.len());
    let mut ops = ops.into_iter().zip(fused);
    while let Some((op, fused)) = ops.next() {
        let second = if fused { ops.next() } else { None };
        units.push(match second {
            Some((requantization, _)) => Unit::Fused([op, requantization]),
            None => Unit::One(op),
        });
    }
    units
}

/// For each instruction, whether it is fused with the next one.
fn find(ops: &[Arc<QueueOp>], gaps: &Gaps, acc_bytes: u64, sums: bool) -> Vec<bool> {
    let mut fused = vec![false; ops.len()];
    for (fused, pair) in fused.iter_mut().zip(ops.windows(2)) {
        let [first, second] = [pair[0].seq as usize, pair[1].seq as usize];
        *fused = second == first + 1 && gaps.most(second, second) == Gap::None && fit(&pair[0], &pair[1]);
    }
    let mut writers: Cells<u32, CELL> = Cells::new(acc_bytes, NOBODY);
    for (index, op) in ops.iter().enumerate() {
        // The second of two reads what the first has just written.
        let second = index > 0 && fused[index - 1];
        let Ok(()) = for_each_region::<Infallible>(&op.kind, &mut |region, writes| {
            if region.space() != Space::Acc || (second && !writes) {
                return Ok(());
            }
            region.runs(&mut |row| {
                let bytes = (row.start, row.start + row.len);
                if writes {
                    write(&mut writers, bytes, index as u32, &mut fused);
                } else {
                    writers.of(bytes).iter().for_each(|writer| unfuse(*writer, &mut fused));
                }
                Ok(())
            })
        });
    }
    if sums {
        writers.runs().for_each(|(writer, _)| unfuse(*writer, &mut fused));
    }
    fused
}

/// Whether the second requantizes exactly what the first computes.
fn fit(first: &QueueOp, second: &QueueOp) -> bool {
    let (OpKind::Conv(c) | OpKind::Depthwise(c), OpKind::Requant { src, .. }) = (&first.kind, &second.kind)
    else {
        return false;
    };
    let same =
        (c.dst.base, c.dst.dims, c.dst.strides, c.dst.etype) == (src.base, src.dims, src.strides, src.etype);
    c.dst.space == Space::Acc && src.space == Space::Acc && same && !c.accumulate
}

/// The sums that an instruction has written are read: it cannot be fused.
fn unfuse(writer: u32, fused: &mut [bool]) {
    if let Some(fused) = fused.get_mut(writer as usize) {
        *fused = false;
    }
}

fn write(writers: &mut Cells<u32, CELL>, (start, end): (i64, i64), index: u32, fused: &mut [bool]) {
    // A cell that is written in part would have two writers, of which only one is recorded.
    for edge in [start, end] {
        if let Some((writer, (begin, _))) = writers.at(edge)
            && begin != edge
            && *writer != index
        {
            unfuse(*writer, fused);
            unfuse(index, fused);
        }
    }
    writers.of_mut((start, end)).fill(index);
}

#[cfg(test)]
mod tests {
    use super::super::examples::{ACC, Build, product, requantization};
    use super::super::record::Step;
    use super::*;

    /// Number of instructions of each unit.
    fn lengths(build: Build, sums: bool) -> Vec<usize> {
        let record = build.record();
        let gaps = record.gaps();
        fuse(record.ops, &gaps, ACC, sums).iter().map(|unit| unit.ops().len()).collect()
    }

    #[test]
    fn a_product_and_the_requantization_behind_it_are_one_if_nobody_else_reads_the_sums() {
        let pair = |at| [product(0, at), requantization(0, at)];
        assert_eq!(lengths(Build::new().ops(pair(0)).ops(pair(1)), false), [2, 2]);
        // The second product overwrites the sums of the first; its own must remain where they are to be kept.
        assert_eq!(lengths(Build::new().ops(pair(0)).ops(pair(0)), true), [2, 1, 1]);
    }

    #[test]
    fn sums_that_are_read_twice_are_stored() {
        let twice = [product(0, 0), requantization(0, 0), requantization(1, 0)];
        assert_eq!(lengths(Build::new().ops(twice), false), [1, 1, 1]);
        let mut more = product(0, 0);
        let OpKind::Conv(c) = &mut more else { panic!("a product") };
        c.accumulate = true;
        assert_eq!(lengths(Build::new().ops([product(0, 0), requantization(0, 0), more]), false), [1, 1, 1]);
    }

    #[test]
    fn other_sums_than_those_of_the_product_before_are_not_fused() {
        assert_eq!(lengths(Build::new().ops([product(0, 0), requantization(0, 1)]), false), [1, 1]);
        let mut part = requantization(0, 0);
        let OpKind::Requant { src, dst, .. } = &mut part else { panic!("a requantization") };
        (src.dims[1], dst.dims[1]) = (1, 1);
        assert_eq!(lengths(Build::new().ops([product(0, 0), part]), false), [1, 1]);
    }

    #[test]
    fn sums_that_share_a_cell_with_those_of_another_product_are_stored() {
        let moved = |bytes: i64| {
            let (mut p, mut r) = (product(0, 0), requantization(0, 0));
            let (OpKind::Conv(c), OpKind::Requant { src, .. }) = (&mut p, &mut r) else { panic!("a tile") };
            c.dst.base += bytes;
            src.base += bytes;
            [p, r]
        };
        let OpKind::Conv(c) = product(0, 0) else { panic!("a product") };
        let len = c.dst.strides[1] * i64::from(c.dst.dims[1]);
        let tiles = |apart: i64| Build::new().ops(moved(0)).ops(moved(len + apart));
        assert_eq!(lengths(tiles(0), false), [2, 2]);
        // The end of one and the beginning of the other share a cell.
        assert_eq!(lengths(Build::new().ops(moved(4)).ops(moved(len + 4)), false), [1, 1, 1, 1]);
    }

    #[test]
    fn a_product_and_a_requantization_with_something_between_stay_apart() {
        let between = |step| Build::new().ops([product(0, 0)]).step(step).ops([requantization(0, 0)]);
        assert_eq!(lengths(between(Step::LayerEnd(0)), false), [1, 1]);
        assert_eq!(
            lengths(Build::new().ops([product(0, 0), OpKind::Nop, requantization(0, 0)]), false),
            [1; 3]
        );
    }
}
