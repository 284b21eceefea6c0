//! Elision of loads: products read weights in the constants instead of in the scratchpad, where the program
//! loads them.
//!
//! Constants never change. So where all weights of a product come from one load that copied them as they are,
//! the product may read the source; and a load whose bytes nothing else reads is not executed. This is
//! decided from the last writer of the scratchpad's bytes. Observers of layers still see every byte of a
//! layer's tensors. What the elided loads would have left in the scratchpad at the end of a run is loaded
//! when memory is inspected.

use std::convert::Infallible;
use std::sync::Arc;

use super::intervals::Intervals;
use super::record::{Record, Step};
use crate::isa::{EType, Space, TensorDesc};
use crate::program::{PlaceMemory, TensorEntry};
use crate::sim::access::{self, Region, Row, for_each_region, padded_dims};
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::place::{cover, span};
use crate::sim::validate::Memories;

/// Bytes of a cache line.
const LINE: i64 = 64;

/// A record after elision.
pub(super) struct Elided {
    /// The instructions to execute, in the record's order: without elided loads and instructions that do
    /// nothing.
    pub(super) ops: Vec<Arc<QueueOp>>,
    /// Elided loads whose bytes the scratchpad would hold at the end of a run.
    pub(super) left: Vec<QueueOp>,
}

/// Elides loads of a record whose layers leave `tensors`, in memories of these sizes.
pub(super) fn elide(record: &Record, tensors: &[TensorEntry], sizes: &Memories) -> Elided {
    let all = &record.ops;
    let mut loads = WeightLoads {
        last: Intervals::new(),
        loads: all.iter().map(|op| Load::of(op, sizes.writable as i64)).collect(),
        needed: vec![false; all.len()],
        whole: vec![true; all.len()],
    };
    let mut ops = Vec::with_capacity(all.len());
    let mut rest = all.iter();
    for step in &record.steps {
        match *step {
            Step::Issue(n) => {
                for op in rest.by_ref().take(n) {
                    let op = loads.lent(op).map_or_else(|| Arc::clone(op), Arc::new);
                    loads.pass(&op);
                    ops.push(op);
                }
            }
            Step::LayerEnd(id) => {
                for tensor in tensors.iter().filter(|t| t.layer == Some(id)) {
                    loads.seen(tensor);
                }
            }
            _ => {}
        }
    }
    ops.retain(|op| op.kind != OpKind::Nop && !loads.is_elided(op));
    Elided { ops, left: loads.left(all) }
}

/// A load that copies constants as they are, from the beginning of a cache line on.
#[derive(Debug, Clone, Copy)]
struct Load {
    from: i64,
    to: i64,
    len: i64,
}

impl Load {
    fn of(op: &QueueOp, writable: i64) -> Option<Load> {
        let OpKind::DmaIn { dst, src } = &op.kind else { return None };
        let (to, from) = (run(Region::Box(dst, padded_dims(dst)))?, run(Region::Box(src, src.dims))?);
        let constant = from.space == Space::Dram && from.start >= 0 && from.start + from.len <= writable;
        let same = to.len == from.len && dst.etype.bytes() == src.etype.bytes() && to.space == Space::Spm;
        // Source and destination begin at a cache line, so kernels are as fast on the source.
        let aligned = to.start % LINE == 0 && from.start % LINE == 0 && to.start >= 0;
        (constant && same && aligned).then_some(Load { from: from.start, to: to.start, len: to.len })
    }
}

/// The only row of a region.
fn run(region: Region<'_>) -> Option<Row> {
    let mut found = None;
    region.rows(&mut |row| if found.replace(row).is_none() { Ok(()) } else { Err(()) }).ok()?;
    found
}

/// Which load wrote bytes of the scratchpad last, and which loads must be executed.
struct WeightLoads {
    /// The number of the load, where a load was the last to write.
    last: Intervals<u32>,
    /// By number of the instruction.
    loads: Vec<Option<Load>>,
    needed: Vec<bool>,
    /// Whether the bytes of a load are not yet overwritten.
    whole: Vec<bool>,
}

impl WeightLoads {
    /// The product with its weights read in the constants; `None` if they do not all come from one load.
    fn lent(&self, op: &QueueOp) -> Option<QueueOp> {
        let weights = access::weights(&op.kind).filter(|w| w.space() == Space::Spm)?;
        let (begin, end) = weights.span()?;
        let owner = self.last.at(begin)? as usize;
        let load = self.loads.get(owner)?.filter(|l| self.whole[owner] && end <= l.to + l.len)?;
        let mut op = op.clone();
        let (OpKind::Conv(c) | OpKind::Depthwise(c)) = &mut op.kind else { return None };
        c.weights.base += load.from - load.to;
        c.weights.space = Space::Dram;
        Some(op)
    }

    /// Records what an instruction reads and writes.
    fn pass(&mut self, op: &QueueOp) {
        let load = self.loads.get(op.seq as usize).is_some_and(Option::is_some).then_some(op.seq as u32);
        let Ok(()) = for_each_region::<Infallible>(&op.kind, &mut |region, writes| {
            let load = load.filter(|_| writes);
            let met = region.span().is_some_and(|(lo, hi)| load.is_some() || self.is_met(lo, hi));
            // Most instructions touch no bytes of a load.
            if region.space() != Space::Spm || !met {
                return Ok(());
            }
            region.runs(&mut |row| {
                let end = row.start + row.len;
                if writes {
                    self.write(row.start, end, load)
                } else {
                    self.read(row.start, end)
                }
                Ok(())
            })
        });
    }

    /// Whether a load was the last to write some of these bytes.
    fn is_met(&self, start: i64, end: i64) -> bool {
        self.last.meeting(start, end).next().is_some()
    }

    /// An observer may read a tensor, or replace its values.
    fn seen(&mut self, tensor: &TensorEntry) {
        let (lo, hi) = span(tensor);
        if tensor.place.memory != PlaceMemory::Spm || !self.is_met(lo, hi) {
            return;
        }
        let size = tensor.dtype.bytes() as i64;
        cover(tensor, &mut |start, run| {
            let end = start + run as i64 * size;
            self.read(start, end);
            self.write(start, end, None);
        });
    }

    fn read(&mut self, start: i64, end: i64) {
        for (_, _, owner) in self.last.meeting(start, end) {
            self.needed[owner as usize] = true;
        }
    }

    fn write(&mut self, start: i64, end: i64, load: Option<u32>) {
        for (_, _, owner) in self.last.meeting(start, end) {
            self.whole[owner as usize] = false;
        }
        match load {
            Some(load) => self.last.set(start, end, load),
            None => self.last.clear(start, end),
        }
    }

    /// Whether an instruction is an elided load.
    fn is_elided(&self, op: &QueueOp) -> bool {
        let seq = op.seq as usize;
        self.loads.get(seq).is_some_and(Option::is_some) && !self.needed[seq]
    }

    /// The elided loads that were the last to write some bytes.
    fn left(&self, all: &[Arc<QueueOp>]) -> Vec<QueueOp> {
        let mut left = Vec::new();
        for (start, end, owner) in self.last.all() {
            let owner = owner as usize;
            let (Some(Some(load)), Some(op)) = (self.loads.get(owner), all.get(owner)) else { continue };
            let OpKind::DmaIn { dst, src } = &op.kind else { continue };
            if self.needed[owner] {
                continue;
            }
            let n = end - start;
            let bytes = |d: &TensorDesc, base| TensorDesc {
                base,
                dims: [1, 1, 1, n as u32],
                strides: [0, 0, 0, 1],
                etype: EType::U8,
                lanes: 1,
                ..*d
            };
            let kind = OpKind::DmaIn { dst: bytes(dst, start), src: bytes(src, start - load.to + load.from) };
            left.push(QueueOp { kind, ..QueueOp::clone(op) });
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{BYTES, Build, RESULTS, SIZES, WEIGHTS, bytes, load, product};
    use super::*;

    /// What is executed of a record, and the elided loads that are left.
    fn elided(build: Build) -> (Vec<OpKind>, Vec<OpKind>) {
        elided_with(build, &[])
    }

    fn elided_with(build: Build, tensors: &[TensorEntry]) -> (Vec<OpKind>, Vec<OpKind>) {
        let Elided { ops, left } = elide(&build.record(), tensors, &SIZES);
        (ops.iter().map(|op| op.kind).collect(), left.into_iter().map(|op| op.kind).collect())
    }

    /// The product with weights at an address of the constants.
    fn in_constants(base: i64) -> OpKind {
        let mut lent = product(0, 0);
        if let OpKind::Conv(c) = &mut lent {
            (c.weights.base, c.weights.space) = (base, Space::Dram);
        }
        lent
    }

    #[test]
    fn weights_are_read_in_the_constants_and_the_load_is_left_for_the_end() {
        let all = load(WEIGHTS, 128, BYTES);
        let (ops, left) = elided(Build::new().ops([OpKind::Nop, all, product(0, 0), product(0, 1)]));
        let OpKind::Conv(mut second) = product(0, 1) else { panic!("a product") };
        (second.weights.base, second.weights.space) = (128, Space::Dram);
        assert_eq!(ops, [in_constants(128), OpKind::Conv(second)]);
        let [OpKind::DmaIn { dst, src }] = left[..] else { panic!("{left:?}") };
        assert_eq!((dst.base, src.base, dst.dims), (WEIGHTS, 128, [1, 1, 1, BYTES as u32]));
    }

    #[test]
    fn a_load_that_somebody_else_reads_is_executed() {
        let (all, from) = (load(WEIGHTS, 128, BYTES), bytes(Space::Spm, WEIGHTS + 70, 1));
        let copy = OpKind::DmaCopy { dst: bytes(Space::Spm, RESULTS, 1), src: from };
        let (ops, left) = elided(Build::new().ops([all, product(0, 0), copy]));
        assert_eq!((ops, left), (vec![all, in_constants(128), copy], vec![]));
    }

    #[test]
    fn what_was_overwritten_is_neither_read_in_the_constants_nor_left() {
        let all = load(WEIGHTS, 128, BYTES);
        // One byte of the weights is overwritten: the others must have been loaded.
        let fill = OpKind::DmaFill { dst: bytes(Space::Spm, WEIGHTS + 70, 1) };
        let (ops, left) = elided(Build::new().ops([all, fill, product(0, 0)]));
        assert_eq!((ops, left), (vec![all, fill, product(0, 0)], vec![]));
        // All of them, after they were read.
        let fill = OpKind::DmaFill { dst: bytes(Space::Spm, WEIGHTS, BYTES) };
        let (ops, left) = elided(Build::new().ops([all, product(0, 0), fill]));
        assert_eq!((ops, left), (vec![in_constants(128), fill], vec![]));
    }

    #[test]
    fn only_one_aligned_load_from_the_constants_lends_weights() {
        let half = BYTES / 2;
        let cases: [&[OpKind]; 4] = [
            &[load(WEIGHTS, 0, half), load(WEIGHTS + half, half, half)],
            &[load(WEIGHTS, 96, BYTES)],
            &[load(WEIGHTS - 32, 0, BYTES + 32)],
            &[load(WEIGHTS, SIZES.writable as i64, BYTES)],
        ];
        for loads in cases {
            let all = [loads, &[product(0, 0)]].concat();
            assert_eq!(elided(Build::new().ops(all.clone())), (all, vec![]));
        }
    }

    #[test]
    fn weights_that_are_a_tensor_of_a_layer_are_brought_where_it_ends() {
        let tensor: TensorEntry = serde_json::from_value(serde_json::json!({
            "name": "w", "layer": 3, "dtype": "u8", "shape": [64],
            "place": {"memory": "spm", "address": WEIGHTS + 64, "dims": [64], "strides": [1]},
        }))
        .unwrap();
        let all = load(WEIGHTS, 128, BYTES);
        let after = |layer| Build::new().ops([all]).step(Step::LayerEnd(layer)).ops([product(0, 0)]);
        // An observer may have replaced the values.
        let tensors = [tensor];
        assert_eq!(elided_with(after(3), &tensors), (vec![all, product(0, 0)], vec![]));
        assert_eq!(elided_with(after(2), &tensors).0, [in_constants(128)]);
    }
}
