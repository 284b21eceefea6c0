//! Who executes which part of which instruction, and after what.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::bands::{self, Bands};
use super::order::{Unit, order};
use super::split;
use crate::isa::{Queue, Space};
use crate::sim::access::{Region, for_each_region, for_each_row, padded_dims};
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp, dma_op, vec_op};
use crate::sim::stream::{Issued, Stream};

/// What the clock costs for each instruction, as work of a product: the thread that computes it gets less else.
const CLOCK_WORK: u64 = 50_000;

/// Bytes that are looked at as one, to find out who touched them.
const CELL: u64 = 64;

/// Weights are loaded at most so many instructions before the product that needs them.
const NEAR: usize = 40;

/// Wait until a worker has executed so many of its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) worker: u32,
    pub(super) pieces: u32,
}

/// A part of an instruction, or of a product and the requantization behind it; or all of them.
#[derive(Debug)]
pub(super) struct Piece {
    /// Number of the first instruction among all queue instructions.
    pub(super) seq: usize,
    /// Instructions: one or two.
    len: usize,
    /// The first among all parts; none if the instructions are not cut.
    part: Option<usize>,
    /// The two are [a pair](crate::sim::pairs).
    pub(super) paired: bool,
    waits: Range<usize>,
}

/// The pieces of every worker, in the order in which it executes them.
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
    /// into parts of at least `grain` work. `layers`: runs stop at the ends of layers.
    pub(super) fn new(
        stream: &Arc<Stream>,
        memory: &Memory,
        workers: usize,
        grain: u64,
        layers: bool,
    ) -> Schedule {
        let mut schedule = Schedule {
            stream: Arc::clone(stream),
            workers: (0..workers).map(|_| Vec::new()).collect(),
            parts: Vec::new(),
            waits: Vec::new(),
            writes: stream.issued.iter().map(|i| scratchpad(i.executed())).collect(),
        };
        let mut waits =
            Waits { touched: Touched::new(memory, workers), waited: vec![vec![0; workers]; workers] };
        let mut bands = Bands::of(stream, memory.writable() as i64);
        let mut loads = Loads::default();
        // Work so far.
        let mut work = vec![0; workers];
        let mut tiles = Vec::new();
        for unit in order(stream, memory, layers) {
            let ops: Vec<&QueueOp> =
                stream.issued[unit.seq..unit.seq + unit.len].iter().map(Issued::executed).collect();
            let Some(op) = ops.first() else { continue };
            if let Some(last) = work.last_mut() {
                *last += CLOCK_WORK * ops.len() as u64;
            }
            if matches!(op.kind, OpKind::Nop) {
                continue;
            }
            let paired = ops.len() == 2 && stream.pairs[unit.seq];
            let rows = bands::rows(op).filter(|_| paired || op.queue != Queue::Mac);
            let bounds = rows.and_then(|rows| Some((bands.bounds(op.layer, &work)?, rows)));
            let banded = paired && bounds.is_some();
            let parts = match bounds {
                Some((bounds, rows)) => in_bands(&ops, bounds, &rows),
                None => {
                    let whole: u64 = ops.iter().map(|op| split::work(&op.kind)).sum();
                    let wanted = usize::try_from(whole / grain.max(1)).unwrap_or(workers).min(workers);
                    let cut = split::split(&ops, wanted);
                    // What is not cut goes to whom has done least, its weights too; parts always to the same workers.
                    let least = (0..workers).min_by_key(|w| work[*w]).unwrap_or(0);
                    match loads.alone(stream, &unit, cut.len(), least) {
                        Some(worker) => vec![(worker, ops.iter().map(|op| (*op).clone()).collect())],
                        None => cut.into_iter().enumerate().collect(),
                    }
                }
            };
            for (worker, part) in &parts {
                work[*worker] += part.iter().map(|op| split::work(&op.kind)).sum::<u64>();
            }
            let tile = Tile { unit, paired, parts };
            if !banded || tiles.first().is_some_and(|first| !alike(stream, first, &tile)) {
                schedule.push(&mut waits, &std::mem::take(&mut tiles));
            }
            tiles.push(tile);
            if !banded {
                schedule.push(&mut waits, &std::mem::take(&mut tiles));
            }
        }
        schedule.push(&mut waits, &tiles);
        schedule
    }

    /// Appends tiles of one product, or one unit. The last worker takes its tiles from below, so that what neighbours need of each
    /// other's bands is not needed before the end of a layer.
    fn push(&mut self, waits: &mut Waits, tiles: &[Tile]) {
        let backwards = tiles.len() > 1;
        if backwards && !apart(&self.stream, tiles) {
            tiles.chunks(1).for_each(|tile| self.push(waits, tile));
            return;
        }
        let last = self.workers.len().saturating_sub(1);
        let mut pieces: Vec<(usize, usize, usize)> = Vec::new();
        for (t, tile) in tiles.iter().enumerate() {
            pieces.extend(tile.parts.iter().enumerate().map(|(p, (worker, _))| (*worker, t, p)));
        }
        if backwards {
            let (mine, others): (Vec<_>, Vec<_>) =
                pieces.into_iter().partition(|(worker, ..)| *worker == last);
            pieces = others.into_iter().chain(mine.into_iter().rev()).collect();
        }
        // Parts of one instruction touch nothing of each other: all of them wait before one is counted.
        let waiting: Vec<Range<usize>> = pieces
            .iter()
            .map(|(worker, t, p)| {
                let from = self.waits.len();
                waits.of(*worker, &tiles[*t].parts[*p].1, tiles[*t].paired, from, &mut self.waits);
                from..self.waits.len()
            })
            .collect();
        for ((worker, t, p), waiting) in pieces.into_iter().zip(waiting) {
            let Tile { unit, paired, parts } = &tiles[t];
            let part = (parts.len() > 1).then_some(self.parts.len());
            if parts.len() > 1 {
                self.parts.extend(parts[p].1.iter().cloned());
            }
            let (seq, len, paired) = (unit.seq, unit.len, *paired);
            self.workers[worker].push(Piece { seq, len, part, paired, waits: waiting });
            waits.touched.touch(worker, self.workers[worker].len() as u32, &parts[p].1, paired);
        }
    }

    /// What a piece does: one or two instructions.
    pub(super) fn ops(&self, piece: &Piece) -> [Option<&QueueOp>; 2] {
        [0, 1].map(|i| {
            if i >= piece.len {
                return None;
            }
            let whole = self.stream.issued.get(piece.seq + i).map(Issued::executed);
            piece.part.and_then(|part| self.parts.get(part + i)).or(whole)
        })
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

/// A unit and its parts, with whose they are.
struct Tile {
    unit: Unit,
    paired: bool,
    parts: Vec<(usize, Vec<QueueOp>)>,
}

/// The parts of instructions in each worker's band; `rows` are theirs.
fn in_bands(ops: &[&QueueOp], bounds: &[u32], rows: &Range<u32>) -> Vec<(usize, Vec<QueueOp>)> {
    let inside = |bound: u32| bound.clamp(rows.start, rows.end) - rows.start;
    let bands = bounds.iter().zip(bounds.iter().skip(1)).map(|(from, to)| inside(*from)..inside(*to));
    bands.enumerate().filter(|(_, r)| !r.is_empty()).map(|(w, r)| (w, split::rows(ops, r))).collect()
}

/// Whether two pairs are products of the same image and the same weights.
fn alike(stream: &Stream, a: &Tile, b: &Tile) -> bool {
    let operands = |tile: &Tile| match &stream.issued[tile.unit.seq].executed().kind {
        OpKind::Conv(c) | OpKind::Depthwise(c) => Some((c.src, c.weights)),
        OpKind::Matmul { .. } | OpKind::Nop | dma_op!() | vec_op!() => None,
    };
    operands(a) == operands(b)
}

/// Whether no tile writes what another one reads or writes: then their order is free.
fn apart(stream: &Stream, tiles: &[Tile]) -> bool {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    for tile in tiles {
        for issued in &stream.issued[tile.unit.seq..tile.unit.seq + tile.unit.len] {
            let _: Result<(), ()> = for_each_region(&issued.executed().kind, &mut |region, writes| {
                match region.span() {
                    // Pairs have accumulators of their own.
                    _ if region.space() == Space::Acc => {}
                    Some(span) if writes => written.push((region.space() as u8, span.0, span.1)),
                    Some(span) => read.push((region.space() as u8, span.0, span.1)),
                    None => {}
                }
                Ok(())
            });
        }
    }
    written.sort_unstable();
    let whole = |w: &[(u8, i64, i64)]| Some((w.first()?.0, w.first()?.1, w.iter().map(|w| w.2).max()?));
    let disjoint = written.windows(2).all(|w| w[0].0 == w[1].0 && w[0].2 <= w[1].1);
    disjoint && whole(&written).is_some_and(|w| !read.iter().any(|r| r.0 == w.0 && r.1 < w.2 && w.1 < r.2))
}

/// Loads of weights for products that one worker computes alone: it loads them itself.
#[derive(Debug, Default)]
struct Loads {
    /// By the first byte in the scratchpad, who loaded it.
    loaded: BTreeMap<i64, usize>,
}

impl Loads {
    /// Who gets a unit that is not cut, though it could be cut into so many parts; none if it is cut.
    fn alone(&mut self, stream: &Stream, unit: &Unit, parts: usize, least: usize) -> Option<usize> {
        let kind = &stream.issued[unit.seq].executed().kind;
        if let OpKind::DmaIn { dst, .. } = kind
            && (parts == 1 || for_a_pixel(stream, unit.seq, dst.base))
        {
            self.loaded.insert(dst.base, least);
            return Some(least);
        }
        let loader = match kind {
            OpKind::Conv(c) => self.loaded.get(&c.weights.base).copied(),
            OpKind::Depthwise(_) | OpKind::Matmul { .. } | OpKind::Nop | dma_op!() | vec_op!() => None,
        };
        (parts == 1).then(|| loader.unwrap_or(least))
    }
}

/// Whether the next product with weights at this address computes one pixel: such a product cannot be cut.
fn for_a_pixel(stream: &Stream, seq: usize, weights: i64) -> bool {
    let near = stream.issued.iter().skip(seq + 1).take(NEAR);
    near.map(|i| &i.executed().kind)
        .find_map(|kind| match kind {
            OpKind::Conv(c) => (c.weights.base == weights).then(|| c.dst.dims[1] * c.dst.dims[2] == 1),
            OpKind::Depthwise(_) | OpKind::Matmul { .. } | OpKind::Nop | dma_op!() | vec_op!() => None,
        })
        .unwrap_or(false)
}

fn scratchpad(op: &QueueOp) -> (i64, i64) {
    let dst = op.kind.dst().filter(|d| d.space == Space::Spm);
    dst.and_then(|d| Region::Box(d, padded_dims(d)).span()).unwrap_or((0, 0))
}

/// What pieces must wait for.
struct Waits {
    touched: Touched,
    /// For whom each worker has waited already.
    waited: Vec<Vec<u32>>,
}

impl Waits {
    /// Appends what a worker's piece must wait for to `waits`, those of the piece from `from` on.
    fn of(&mut self, worker: usize, ops: &[QueueOp], paired: bool, from: usize, waits: &mut Vec<Wait>) {
        let waited = &mut self.waited[worker];
        self.touched.before(worker, ops, paired, &mut |other, pieces| {
            if waited[other] < pieces {
                waited[other] = pieces;
                let wait = Wait { worker: other as u32, pieces };
                match waits[from..].iter_mut().find(|w| w.worker == wait.worker) {
                    Some(known) => *known = wait,
                    None => waits.push(wait),
                }
            }
        });
    }
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

    /// Calls `f` with the cells that an operation touches, all workers of each; and whether it writes them. Pairs have
    /// accumulators of their own.
    fn each(&mut self, op: &QueueOp, paired: bool, f: &mut impl FnMut(&mut [[u32; 2]], bool)) {
        let _: Result<(), ()> = for_each_row(&op.kind, &mut |row, writes| {
            if paired && row.space == Space::Acc {
                return Ok(());
            }
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

    /// Calls `f(other, pieces)` for what must precede a piece of a worker.
    fn before(&mut self, worker: usize, ops: &[QueueOp], paired: bool, f: &mut impl FnMut(usize, u32)) {
        for op in ops {
            self.each(op, paired, &mut |cell, writes| {
                for (other, [wrote, read]) in cell.iter().enumerate().filter(|(other, _)| *other != worker) {
                    let last = if writes { *wrote.max(read) } else { *wrote };
                    if last > 0 {
                        f(other, last);
                    }
                }
            });
        }
    }

    /// A worker's piece of this number is these operations.
    fn touch(&mut self, worker: usize, piece: u32, ops: &[QueueOp], paired: bool) {
        for op in ops {
            self.each(op, paired, &mut |cell, writes| cell[worker][usize::from(!writes)] = piece);
        }
    }
}
