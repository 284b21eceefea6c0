//! Which worker executes which part of which instruction, and what it waits for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bands::{self, Bands};
use super::order::order;
use super::split;
use crate::isa::{Queue, Space};
use crate::sim::access::{Region, for_each_region, padded_dims};
use crate::sim::memory::Memory;
use crate::sim::op::{OpKind, QueueOp, dma_op, vec_op};
use crate::sim::plan::cells::Cells;
use crate::sim::plan::{Plan, Unit};

/// Work of the clock for each instruction, in multiply-accumulates: the thread that drives it gets less other
/// work.
const CLOCK_WORK: u64 = 50_000;

/// Bytes of a cell.
const CELL: i64 = 64;

/// Weights are loaded at most this many instructions before the product that needs them.
const NEAR: usize = 40;

/// Wait until a worker has executed this many of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) worker: u32,
    pub(super) tasks: u32,
}

/// What a worker executes at once: a unit, or a part of one.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) unit: Unit,
    /// Number of its first instruction in the record.
    pub(super) seq: usize,
    waits: Range<usize>,
}

/// The tasks of every worker, in the order in which it executes them.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) workers: Vec<Vec<Task>>,
    waits: Vec<Wait>,
    /// The range of the scratchpad that each instruction of the record writes when it is executed.
    writes: Vec<(i64, i64)>,
}

impl Schedule {
    /// The schedule of a plan for `workers` workers, the last of which also drives the clock. Units are cut
    /// into parts of at least `grain` work. With `layers`, runs stop at the ends of layers.
    pub(super) fn new(plan: &Plan, memory: &Memory, workers: usize, grain: u64, layers: bool) -> Schedule {
        // Merged tiles would leave too little to distribute.
        let units: Vec<&Unit> = plan.optimized.iter().flat_map(Unit::tiles).collect();
        let mut schedule = Schedule {
            workers: (0..workers).map(|_| Vec::new()).collect(),
            waits: Vec::new(),
            writes: writes(&units, plan.as_written.ops.len()),
        };
        let mut waits =
            Waits { touched: Touched::new(memory, workers), waited: vec![vec![0; workers]; workers] };
        let mut bands = Bands::of(&units, memory.writable() as i64);
        let mut loads = Loads::default();
        // Work given to each worker so far.
        let mut work = vec![0; workers];
        let mut tiles = Vec::new();
        for index in order(&units, &plan.as_written.gaps(), memory, layers) {
            let (unit, op) = (units[index], units[index].first());
            if let Some(last) = work.last_mut() {
                let before = index.checked_sub(1).map_or(0, |before| units[before].end());
                *last += CLOCK_WORK * (unit.end() - before) as u64;
            }
            let rows = bands::rows(op).filter(|_| unit.is_fused() || op.queue != Queue::Mac);
            let bounds = rows.and_then(|rows| Some((bands.bounds(op.layer, &work)?, rows)));
            let banded = unit.is_fused() && bounds.is_some();
            let parts = match bounds {
                Some((bounds, rows)) => in_bands(unit, bounds, &rows),
                None => {
                    let whole: u64 = unit.ops().iter().map(|op| split::work(&op.kind)).sum();
                    let wanted = usize::try_from(whole / grain.max(1)).unwrap_or(workers).min(workers);
                    let cut = split::split(unit, wanted);
                    // What is not cut goes to the worker with the least work, and its weights too; parts
                    // always go to the same workers.
                    let least = (0..workers).min_by_key(|w| work[*w]).unwrap_or(0);
                    match loads.alone(&units, index, cut.len(), least) {
                        Some(worker) => vec![(worker, unit.clone())],
                        None => cut.into_iter().enumerate().collect(),
                    }
                }
            };
            for (worker, part) in &parts {
                work[*worker] += part.ops().iter().map(|op| split::work(&op.kind)).sum::<u64>();
            }
            let tile = Dealt { unit, parts };
            if !banded || tiles.first().is_some_and(|first| !alike(first, &tile)) {
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

    /// Appends tiles of one product, or one unit. The last worker takes its tiles from below, so that the
    /// rows that neighbouring bands share are needed only at the end of a layer.
    fn push(&mut self, waits: &mut Waits, tiles: &[Dealt<'_>]) {
        let backwards = tiles.len() > 1;
        if backwards && !apart(tiles) {
            tiles.chunks(1).for_each(|tile| self.push(waits, tile));
            return;
        }
        let last = self.workers.len().saturating_sub(1);
        let all = tiles.iter().flat_map(|tile| &tile.parts);
        let parts: Vec<&(usize, Unit)> = if backwards {
            let (mine, others): (Vec<_>, Vec<_>) = all.partition(|(worker, _)| *worker == last);
            others.into_iter().chain(mine.into_iter().rev()).collect()
        } else {
            all.collect()
        };
        // Parts of one instruction touch no common bytes: the waits of all are computed before one is
        // recorded.
        let waiting: Vec<Range<usize>> = parts
            .iter()
            .map(|(worker, unit)| {
                let from = self.waits.len();
                waits.of(*worker, unit, from, &mut self.waits);
                from..self.waits.len()
            })
            .collect();
        for ((worker, unit), waiting) in parts.into_iter().zip(waiting) {
            let tasks = &mut self.workers[*worker];
            tasks.push(Task { unit: unit.clone(), seq: unit.seq(), waits: waiting });
            waits.touched.touch(*worker, tasks.len() as u32, unit);
        }
    }

    /// The waits of a task.
    pub(super) fn waits(&self, task: &Task) -> &[Wait] {
        self.waits.get(task.waits.clone()).unwrap_or_default()
    }

    /// How many tasks of a worker belong to the first `seq` instructions.
    pub(super) fn before(&self, worker: usize, seq: usize) -> u32 {
        self.workers[worker].partition_point(|task| task.seq < seq) as u32
    }

    /// The ranges of the scratchpad that some instructions write.
    pub(super) fn writes(&self, of: Range<usize>) -> &[(i64, i64)] {
        self.writes.get(of).unwrap_or_default()
    }
}

/// Whether engines cache something that an instruction reads.
pub(super) fn caches_weights(op: &QueueOp) -> bool {
    op.queue == Queue::Mac
}

/// The range of the scratchpad that each of `instructions` instructions writes.
fn writes(units: &[&Unit], instructions: usize) -> Vec<(i64, i64)> {
    let mut writes = vec![(0, 0); instructions];
    for op in units.iter().flat_map(|unit| unit.ops()) {
        let dst = op.kind.dst().filter(|d| d.space == Space::Spm);
        if let Some(span) = dst.and_then(|d| Region::Box(d, padded_dims(d)).span())
            && let Some(writes) = writes.get_mut(op.seq as usize)
        {
            *writes = span;
        }
    }
    writes
}

/// A unit and its parts, with the worker of each.
struct Dealt<'p> {
    unit: &'p Unit,
    parts: Vec<(usize, Unit)>,
}

/// The parts of a unit in each worker's band; `rows` are the unit's own rows.
fn in_bands(unit: &Unit, bounds: &[u32], rows: &Range<u32>) -> Vec<(usize, Unit)> {
    let inside = |bound: u32| bound.clamp(rows.start, rows.end) - rows.start;
    let bands = bounds.iter().zip(bounds.iter().skip(1)).map(|(from, to)| inside(*from)..inside(*to));
    bands.enumerate().filter(|(_, r)| !r.is_empty()).map(|(w, r)| (w, split::rows(unit, r))).collect()
}

/// Whether two units are products of the same image and weights.
fn alike(a: &Dealt<'_>, b: &Dealt<'_>) -> bool {
    let operands = |tile: &Dealt<'_>| match &tile.unit.first().kind {
        OpKind::Conv(c) | OpKind::Depthwise(c) => Some((c.src, c.weights)),
        OpKind::Matmul { .. } | OpKind::Nop | dma_op!() | vec_op!() => None,
    };
    operands(a) == operands(b)
}

/// Whether no tile writes what another one reads or writes, so that their order is free.
fn apart(tiles: &[Dealt<'_>]) -> bool {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    for op in tiles.iter().flat_map(|tile| tile.unit.ops()) {
        let _: Result<(), ()> = for_each_region(&op.kind, &mut |region, writes| {
            match region.span() {
                // Fused products have accumulators of their own.
                _ if region.space() == Space::Acc => {}
                Some(span) if writes => written.push((region.space() as u8, span.0, span.1)),
                Some(span) => read.push((region.space() as u8, span.0, span.1)),
                None => {}
            }
            Ok(())
        });
    }
    written.sort_unstable();
    let whole = |w: &[(u8, i64, i64)]| Some((w.first()?.0, w.first()?.1, w.iter().map(|w| w.2).max()?));
    let disjoint = written.windows(2).all(|w| w[0].0 == w[1].0 && w[0].2 <= w[1].1);
    disjoint && whole(&written).is_some_and(|w| !read.iter().any(|r| r.0 == w.0 && r.1 < w.2 && w.1 < r.2))
}

/// Loads of weights for products that are not cut: the worker that computes the product loads them.
#[derive(Debug, Default)]
struct Loads {
    /// By first byte in the scratchpad, the worker that loaded it.
    loaded: BTreeMap<i64, usize>,
}

impl Loads {
    /// The worker of a unit that is not cut although it could be cut into `parts` parts; `None` if it is cut.
    fn alone(&mut self, units: &[&Unit], index: usize, parts: usize, least: usize) -> Option<usize> {
        let kind = &units[index].first().kind;
        if let OpKind::DmaIn { dst, .. } = kind
            && (parts == 1 || for_a_pixel(units, index, dst.base))
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

/// Whether the next product with weights at this address computes one pixel: such a product is not cut.
fn for_a_pixel(units: &[&Unit], index: usize, weights: i64) -> bool {
    let last = units[index].seq() + NEAR;
    let near =
        units.iter().skip(index + 1).flat_map(|unit| unit.ops()).take_while(|op| op.seq as usize <= last);
    near.map(|op| &op.kind)
        .find_map(|kind| match kind {
            OpKind::Conv(c) => (c.weights.base == weights).then(|| c.dst.dims[1] * c.dst.dims[2] == 1),
            OpKind::Depthwise(_) | OpKind::Matmul { .. } | OpKind::Nop | dma_op!() | vec_op!() => None,
        })
        .unwrap_or(false)
}

/// The waits of tasks.
struct Waits {
    touched: Touched,
    /// For each worker, the tasks of every worker that it has already waited for.
    waited: Vec<Vec<u32>>,
}

impl Waits {
    /// Appends the waits of a worker's task to `waits`; those from `from` on are of the same task.
    fn of(&mut self, worker: usize, unit: &Unit, from: usize, waits: &mut Vec<Wait>) {
        let waited = &mut self.waited[worker];
        self.touched.before(worker, unit, &mut |other, tasks| {
            if waited[other] < tasks {
                waited[other] = tasks;
                let wait = Wait { worker: other as u32, tasks };
                match waits[from..].iter_mut().find(|w| w.worker == wait.worker) {
                    Some(known) => *known = wait,
                    None => waits.push(wait),
                }
            }
        });
    }
}

/// For each cell of the memories, the last task of every worker that read and that wrote it, counted from 1.
struct Touched {
    workers: usize,
    /// First DRAM byte that can be written.
    writable: i64,
    /// By memory; for each cell and worker the last task that wrote, and the last that read.
    cells: [Cells<[u32; 2], CELL>; 3],
}

impl Touched {
    fn new(memory: &Memory, workers: usize) -> Touched {
        let cells = |space| Cells::with(memory.size(space), workers, [0; 2]);
        Touched {
            workers,
            writable: memory.writable() as i64,
            cells: [cells(Space::Dram), cells(Space::Spm), cells(Space::Acc)],
        }
    }

    /// Calls `f` with the cells that a unit touches, all workers of each, and whether the unit writes them.
    /// Accumulators of fused products are left out.
    fn each(&mut self, unit: &Unit, f: &mut impl FnMut(&mut [[u32; 2]], bool)) {
        for op in unit.ops() {
            let _: Result<(), ()> = for_each_region(&op.kind, &mut |region, writes| {
                if unit.is_fused() && region.space() == Space::Acc {
                    return Ok(());
                }
                region.rows_of_box(&mut |row| {
                    let (cells, begin) = match row.space {
                        // Constants never change.
                        Space::Dram => (&mut self.cells[0], row.start - self.writable),
                        Space::Spm => (&mut self.cells[1], row.start),
                        Space::Acc => (&mut self.cells[2], row.start),
                    };
                    for cell in cells.of_mut((begin, begin + row.len)).chunks_exact_mut(self.workers) {
                        f(cell, writes);
                    }
                    Ok(())
                })
            });
        }
    }

    /// Calls `f(other, tasks)` for the tasks that must precede a worker's next task.
    fn before(&mut self, worker: usize, unit: &Unit, f: &mut impl FnMut(usize, u32)) {
        self.each(unit, &mut |cell, writes| {
            for (other, [wrote, read]) in cell.iter().enumerate().filter(|(other, _)| *other != worker) {
                let last = if writes { *wrote.max(read) } else { *wrote };
                if last > 0 {
                    f(other, last);
                }
            }
        });
    }

    /// Records a unit as the task of this number of a worker.
    fn touch(&mut self, worker: usize, task: u32, unit: &Unit) {
        self.each(unit, &mut |cell, writes| cell[worker][usize::from(!writes)] = task);
    }
}
