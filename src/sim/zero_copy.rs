//! Weights that products read in the constants, where they lie, instead of in the scratchpad, where a program loads them.
//!
//! Constants never change. So where all weights of a product come from one load that brought them as they are, the product may
//! read their source; and a load whose bytes nothing else reads need not be executed. Decided on the record, by who wrote each cell of
//! the scratchpad last; the clock knows nothing of it. Observers of instructions see all loads, observers of layers every
//! byte of a layer's tensors. What loads would have left in the scratchpad at the end of a run is brought there if somebody looks.

use std::convert::Infallible;

use super::access::{self, Region, Row, for_each_region, padded_dims};
use super::memory::cover;
use super::op::{OpKind, QueueOp};
use super::stream::{Issued, Step};
use crate::isa::{EType, Space, TensorDesc};
use crate::program::{PlaceMemory, TensorEntry};

/// Bytes that are looked at as one.
const CELL: i64 = 64;

/// No load of constants has written a cell last.
const NOBODY: u32 = u32::MAX;

/// What is executed instead of the instructions of a record.
#[derive(Debug, Clone, Default)]
pub(super) struct ZeroCopy {
    /// For each queue instruction the one that stands for it, if it is another one.
    pub(super) instead: Vec<Option<Box<QueueOp>>>,
    /// Loads of what the scratchpad holds at the end and nothing has brought there.
    pub(super) left: Vec<QueueOp>,
}

impl ZeroCopy {
    /// Looks at a record whose layers leave `tensors`, on a machine with so many bytes of scratchpad; DRAM can be written from
    /// `writable` on.
    pub(super) fn find(
        steps: &[Step],
        issued: &[Issued],
        tensors: &[TensorEntry],
        writable: u64,
        spm_bytes: u64,
    ) -> ZeroCopy {
        let mut cells = Cells {
            last: vec![NOBODY; spm_bytes.div_ceil(CELL as u64) as usize],
            loads: issued.iter().map(|i| Load::of(&i.op, writable as i64)).collect(),
            needed: vec![false; issued.len()],
            whole: vec![true; issued.len()],
        };
        let mut instead = vec![None; issued.len()];
        let mut at = 0;
        for step in steps {
            match *step {
                Step::Issue(n) => {
                    for seq in at..at + n {
                        let op = &issued[seq].op;
                        let lent = cells.lent(op).map(Box::new);
                        cells.pass(seq, lent.as_deref().unwrap_or(op));
                        instead[seq] = lent;
                    }
                    at += n;
                }
                Step::LayerEnd(id) => {
                    for tensor in tensors.iter().filter(|t| t.layer == Some(id)) {
                        cells.seen(tensor);
                    }
                }
                _ => {}
            }
        }
        for (seq, instead) in instead.iter_mut().enumerate() {
            if cells.loads[seq].is_some() && !cells.needed[seq] {
                *instead = Some(Box::new(QueueOp { kind: OpKind::Nop, ..issued[seq].op.clone() }));
            }
        }
        ZeroCopy { left: cells.left(issued), instead }
    }
}

/// A load of constants as they are, from the beginning of a cell on.
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
        // Rows that begin in a line of the constants as in one of the scratchpad: kernels are as fast there.
        let aligned = to.start % CELL == 0 && from.start % CELL == 0 && to.start >= 0;
        (constant && same && aligned).then_some(Load { from: from.start, to: to.start, len: to.len })
    }
}

/// The only row of a region.
fn run(region: Region<'_>) -> Option<Row> {
    let mut rows = (None, 0);
    let Ok(()) = region.rows::<Infallible>(&mut |row| {
        rows = (Some(row), rows.1 + 1);
        Ok(())
    });
    rows.0.filter(|_| rows.1 == 1)
}

/// Who has loaded each cell of the scratchpad, and which loads must be executed.
struct Cells {
    last: Vec<u32>,
    /// By number of the instruction.
    loads: Vec<Option<Load>>,
    needed: Vec<bool>,
    /// Whether nobody has written what a load has brought.
    whole: Vec<bool>,
}

impl Cells {
    /// The product that reads its weights in the constants; none if they do not all come from one load.
    fn lent(&self, op: &QueueOp) -> Option<QueueOp> {
        let weights = access::weights(&op.kind).filter(|w| w.space() == Space::Spm)?;
        let (begin, end) = weights.span()?;
        let owner = *self.last.get(usize::try_from(begin / CELL).ok()?)? as usize;
        let load = self.loads.get(owner)?.filter(|l| self.whole[owner] && end <= l.to + l.len)?;
        let mut op = op.clone();
        let (OpKind::Conv(c) | OpKind::Depthwise(c)) = &mut op.kind else { return None };
        c.weights.base += load.from - load.to;
        c.weights.space = Space::Dram;
        Some(op)
    }

    /// Notes what an instruction reads and writes.
    fn pass(&mut self, seq: usize, op: &QueueOp) {
        let Ok(()) = for_each_region::<Infallible>(&op.kind, &mut |region, writes| {
            if region.space() != Space::Spm {
                return Ok(());
            }
            region.rows(&mut |row| {
                if writes {
                    self.write(row.start, row.len, seq);
                } else {
                    self.read(row.start, row.len);
                }
                Ok(())
            })
        });
    }

    /// Somebody may look at a tensor, or give it other values.
    fn seen(&mut self, tensor: &TensorEntry) {
        if tensor.place.memory != PlaceMemory::Spm {
            return;
        }
        let size = tensor.dtype.bytes() as i64;
        cover(tensor, &mut |start, run| {
            let len = run as i64 * size;
            self.read(start, len);
            self.write(start, len, NOBODY as usize);
        });
    }

    fn read(&mut self, start: i64, len: i64) {
        let range = (start / CELL) as usize..((start + len + CELL - 1) / CELL) as usize;
        for owner in self.last.get(range).unwrap_or_default() {
            if let Some(needed) = self.needed.get_mut(*owner as usize) {
                *needed = true;
            }
        }
    }

    fn write(&mut self, start: i64, len: i64, seq: usize) {
        // Who has loaded more of a cell than is written has left something there.
        for cell in [start / CELL, (start + len - 1) / CELL] {
            let owner = self.last.get(cell as usize).map_or(NOBODY, |owner| *owner);
            let Some(Some(load)) = self.loads.get(owner as usize) else { continue };
            let loaded = (cell * CELL, (load.to + load.len).min((cell + 1) * CELL));
            if start > loaded.0 || start + len < loaded.1 {
                self.needed[owner as usize] = true;
            }
        }
        let owner = if self.loads.get(seq).is_some_and(Option::is_some) { seq as u32 } else { NOBODY };
        let range = (start / CELL) as usize..((start + len + CELL - 1) / CELL) as usize;
        for cell in self.last.get_mut(range).unwrap_or_default() {
            if let Some(whole) = self.whole.get_mut(*cell as usize) {
                *whole = false;
            }
            *cell = owner;
        }
    }

    /// Loads of the cells whose last owners were not executed.
    fn left(&self, issued: &[Issued]) -> Vec<QueueOp> {
        let mut left = Vec::new();
        let mut cell = 0;
        for run in self.last.chunk_by(|a, b| a == b) {
            let start = cell * CELL;
            cell += run.len() as i64;
            let owner = run[0] as usize;
            let (Some(Some(load)), Some(Issued { op, .. })) = (self.loads.get(owner), issued.get(owner))
            else {
                continue;
            };
            let OpKind::DmaIn { dst, src } = &op.kind else { continue };
            if self.needed[owner] {
                continue;
            }
            let n = (run.len() as i64 * CELL).min(load.to + load.len - start);
            let bytes = |d: &TensorDesc, base| TensorDesc {
                base,
                dims: [1, 1, 1, n as u32],
                strides: [0, 0, 0, 1],
                etype: EType::U8,
                lanes: 1,
                ..*d
            };
            let kind = OpKind::DmaIn { dst: bytes(dst, start), src: bytes(src, start - load.to + load.from) };
            left.push(QueueOp { kind, ..op.clone() });
        }
        left
    }
}
