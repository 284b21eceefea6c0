//! Who executes which part of which instruction, and after what.

use std::ops::Range;
use std::sync::Arc;

use super::split;
use crate::isa::{Queue, Space};
use crate::sim::access::{Region, for_each_row, padded_dims};
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp};
use crate::sim::stream::Stream;

/// What the clock costs for each instruction, as work of a product: the thread that computes it gets less else.
const CLOCK_WORK: u64 = 50_000;

/// Bytes that are looked at as one, to find out who touched them.
const CELL: u64 = 64;

/// Wait until a worker has executed so many of its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) worker: u32,
    pub(super) pieces: u32,
}

/// A part of an instruction, or all of it.
#[derive(Debug)]
pub(super) struct Piece {
    /// Number of the instruction among all queue instructions.
    pub(super) seq: usize,
    /// Among all parts; none if the instruction is not cut.
    part: Option<usize>,
    waits: Range<usize>,
}

/// The pieces of every worker, in program order.
#[derive(Debug)]
pub(super) struct Schedule {
    stream: Arc<Stream>,
    pub(super) workers: Vec<Vec<Piece>>,
    parts: Vec<QueueOp>,
    waits: Vec<Wait>,
    /// Bytes of the scratchpad that each instruction writes.
    writes: Vec<(i64, i64)>,
}

impl Schedule {
    /// The schedule of a record for so many workers, the last of which also computes the clock. An instruction is cut
    /// into parts of at least `grain` work.
    pub(super) fn new(stream: &Arc<Stream>, memory: &Memory, workers: usize, grain: u64) -> Schedule {
        let mut schedule = Schedule {
            stream: Arc::clone(stream),
            workers: (0..workers).map(|_| Vec::new()).collect(),
            parts: Vec::new(),
            waits: Vec::new(),
            writes: stream.issued.iter().map(|i| scratchpad(&i.op)).collect(),
        };
        let mut touched = Touched::new(memory, workers);
        // Work so far, and for whom each worker has waited already.
        let mut work = vec![0; workers];
        let mut waited = vec![vec![0; workers]; workers];
        for (seq, op) in stream.issued.iter().map(|i| &i.op).enumerate() {
            if let Some(last) = work.last_mut() {
                *last += CLOCK_WORK;
            }
            if matches!(op.kind, OpKind::Nop) {
                continue;
            }
            let whole = split::work(&op.kind);
            let wanted = usize::try_from(whole / grain.max(1)).unwrap_or(workers).min(workers);
            let cut = split::split(op, wanted);
            // What is not cut goes to whom has done least; parts always to the same workers.
            let least = (0..workers).min_by_key(|w| work[*w]).unwrap_or(0);
            let worker = |part: usize| if cut.len() == 1 { least } else { part };
            for (i, part) in cut.iter().enumerate() {
                let worker = worker(i);
                let from = schedule.waits.len();
                touched.before(worker, &part.kind, &mut |other, pieces| {
                    if waited[worker][other] < pieces {
                        waited[worker][other] = pieces;
                        let wait = Wait { worker: other as u32, pieces };
                        match schedule.waits[from..].iter_mut().find(|w| w.worker == wait.worker) {
                            Some(known) => *known = wait,
                            None => schedule.waits.push(wait),
                        }
                    }
                });
                work[worker] += whole / cut.len() as u64;
                let part = (cut.len() > 1).then_some(schedule.parts.len() + i);
                schedule.workers[worker].push(Piece { seq, part, waits: from..schedule.waits.len() });
            }
            // Parts of one instruction touch nothing of each other.
            for (i, part) in cut.iter().enumerate() {
                let worker = worker(i);
                touched.touch(worker, schedule.workers[worker].len() as u32, &part.kind);
            }
            if cut.len() > 1 {
                schedule.parts.extend(cut);
            }
        }
        schedule
    }

    /// What a piece does.
    pub(super) fn op(&self, piece: &Piece) -> &QueueOp {
        let whole = &self.stream.issued[piece.seq].op;
        piece.part.and_then(|part| self.parts.get(part)).unwrap_or(whole)
    }

    /// What it must wait for.
    pub(super) fn waits(&self, piece: &Piece) -> &[Wait] {
        self.waits.get(piece.waits.clone()).unwrap_or_default()
    }

    /// How many pieces of a worker belong to the first `seq` instructions.
    pub(super) fn before(&self, worker: usize, seq: usize) -> u32 {
        self.workers[worker].partition_point(|p| p.seq < seq) as u32
    }

    /// The bytes of the scratchpad that some instructions write.
    pub(super) fn writes(&self, of: Range<usize>) -> &[(i64, i64)] {
        self.writes.get(of).unwrap_or_default()
    }
}

/// Whether the engines keep something of what an instruction reads.
pub(super) fn keeps(op: &QueueOp) -> bool {
    op.queue == Queue::Mac
}

fn scratchpad(op: &QueueOp) -> (i64, i64) {
    let dst = op.kind.dst().filter(|d| d.space == Space::Spm);
    dst.and_then(|d| Region::Box(d, padded_dims(d)).span()).unwrap_or((0, 0))
}

/// The last pieces of every worker that read and wrote each cell of the memories, counted from 1.
struct Touched {
    workers: usize,
    /// First DRAM byte that can be written.
    writable: i64,
    /// By memory; for each cell and worker the last that wrote, and the last that read.
    cells: [Vec<[u32; 2]>; 3],
}

impl Touched {
    fn new(memory: &Memory, workers: usize) -> Touched {
        let cells = |space| vec![[0; 2]; memory.size(space).div_ceil(CELL) as usize * workers];
        Touched {
            workers,
            writable: memory.writable() as i64,
            cells: [cells(Space::Dram), cells(Space::Spm), cells(Space::Acc)],
        }
    }

    /// Calls `f` with the cells that an operation touches, all workers of each; and whether it writes them.
    fn each(&mut self, kind: &OpKind, f: &mut impl FnMut(&mut [[u32; 2]], bool)) {
        let _: Result<(), ()> = for_each_row(kind, &mut |row, writes| {
            let (cells, begin) = match row.space {
                Space::Dram => (&mut self.cells[0], row.start - self.writable),
                Space::Spm => (&mut self.cells[1], row.start),
                Space::Acc => (&mut self.cells[2], row.start),
            };
            // Constants never change.
            let end = (begin + row.len).max(0) as u64;
            let (first, last) = (begin.max(0) as u64 / CELL, end.div_ceil(CELL));
            let range = first as usize * self.workers..last as usize * self.workers;
            for cell in cells.get_mut(range).unwrap_or_default().chunks_exact_mut(self.workers) {
                f(cell, writes);
            }
            Ok(())
        });
    }

    /// Calls `f(other, pieces)` for what must precede an operation of a worker.
    fn before(&mut self, worker: usize, kind: &OpKind, f: &mut impl FnMut(usize, u32)) {
        self.each(kind, &mut |cell, writes| {
            for (other, [wrote, read]) in cell.iter().enumerate().filter(|(other, _)| *other != worker) {
                let last = if writes { *wrote.max(read) } else { *wrote };
                if last > 0 {
                    f(other, last);
                }
            }
        });
    }

    /// A worker's piece of this number is the operation.
    fn touch(&mut self, worker: usize, piece: u32, kind: &OpKind) {
        self.each(kind, &mut |cell, writes| cell[worker][usize::from(!writes)] = piece);
    }
}
