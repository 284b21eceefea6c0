//! Conditions between the queues.
//!
//! The tiled operations of the whole program are walked in issue order, trip by trip, with the bytes that
//! each touches. An operation must wait for the last one of every other queue that touches a common byte, one
//! of the two writing, unless this is implied by another wait or by an operation that precedes it in its
//! queue. What it waits for is counted back from the waiting instruction, and a condition is the same in all
//! trips: it uses the least of the counts.
//!
//! An operation inside a loop that must wait for something from before the loop would make later trips wait
//! for too much. A `qnop` in front of the loop waits instead, unless the operation's own condition suffices.

use std::collections::{BTreeMap, VecDeque};

use super::tile::{Buffer, Stmt, TileOp, Var, reach};
use crate::isa::{Cond, Queue, Space};

/// Conditions of a program. Operations and loops are numbered in text order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Conditions {
    /// Conditions of each operation.
    pub(super) ops: Vec<Vec<Cond>>,
    /// Conditions in front of each loop, by queue.
    pub(super) entries: Vec<Vec<(Queue, Vec<Cond>)>>,
}

/// Computes the conditions of consecutive layers, each in the blocks in which it is emitted.
pub(super) fn conditions(layers: &[Vec<&[Stmt]>]) -> Conditions {
    let mut assumed = Extra::default();
    loop {
        let mut walk = Unrolled::new(&assumed);
        for block in layers.iter().flatten() {
            walk.block(block);
        }
        let found = walk.found.conditions();
        let needed = Extra::of(&found);
        // Counts depend on the assumed `qnop`s; if more are needed, they are computed again.
        if assumed.covers(&needed) {
            return assumed.complete(found);
        }
        assumed.grow(&needed);
    }
}

/// Numbers of `qnop`s: in front of operations with more than two conditions, and of loops.
#[derive(Debug, Clone, Default)]
struct Extra {
    ops: BTreeMap<usize, u64>,
    entries: BTreeMap<(usize, Queue), u64>,
}

impl Extra {
    fn of(conditions: &Conditions) -> Extra {
        let ops = conditions.ops.iter().enumerate().filter(|(_, c)| c.len() > 2);
        let entries = conditions.entries.iter().enumerate();
        Extra {
            ops: ops.map(|(op, c)| (op, (c.len() as u64 - 1) / 2)).collect(),
            entries: entries
                .flat_map(|(l, e)| e.iter().map(move |(q, c)| ((l, *q), (c.len() as u64).div_ceil(2))))
                .collect(),
        }
    }

    fn covers(&self, needed: &Extra) -> bool {
        needed.ops.iter().all(|(k, n)| self.ops.get(k).is_some_and(|have| have >= n))
            && needed.entries.iter().all(|(k, n)| self.entries.get(k).is_some_and(|have| have >= n))
    }

    fn grow(&mut self, needed: &Extra) {
        for (k, n) in &needed.ops {
            let have = self.ops.entry(*k).or_default();
            *have = (*have).max(*n);
        }
        for (k, n) in &needed.entries {
            let have = self.entries.entry(*k).or_default();
            *have = (*have).max(*n);
        }
    }

    /// Adds conditions that wait for nothing where more `qnop`s were counted than are needed: all that were
    /// counted must be emitted.
    fn complete(&self, mut found: Conditions) -> Conditions {
        for (op, n) in &self.ops {
            let conds = &mut found.ops[*op];
            while conds.len() as u64 <= 2 * n {
                conds.push(Cond { queue: Queue::Dmain, back: u8::MAX });
            }
        }
        for ((number, queue), n) in &self.entries {
            let entries = &mut found.entries[*number];
            let at = entries.iter().position(|(q, _)| q == queue).unwrap_or_else(|| {
                entries.push((*queue, Vec::new()));
                entries.len() - 1
            });
            let conds = &mut entries[at].1;
            while (conds.len() as u64) < 2 * n - 1 {
                conds.push(Cond { queue: Queue::Dmain, back: u8::MAX });
            }
            entries.sort_by_key(|(q, _)| q.index());
        }
        found
    }
}

/// How many instructions of each queue precede.
type Clock = [u64; 4];

/// Bytes that an operation touches.
#[derive(Debug, Clone, Copy)]
struct Touch {
    space: Space,
    lo: i64,
    hi: i64,
    writes: bool,
}

impl Touch {
    fn conflicts(&self, other: &Touch) -> bool {
        self.space == other.space && (self.writes || other.writes) && self.lo < other.hi && other.lo < self.hi
    }
}

/// An operation that others may have to wait for.
struct Issued {
    number: u64,
    clock: Clock,
    touches: Vec<Touch>,
}

#[derive(Default)]
struct QueueOrder {
    issued: u64,
    clock: Clock,
    entries: VecDeque<Issued>,
}

/// An execution of a loop that is under way.
struct Open {
    number: usize,
    /// Instructions issued when it began, without the `qnop`s in front of it.
    before: Clock,
}

/// What an operation inside a loop must wait for that was issued before the loop.
#[derive(Debug, Clone, Copy)]
struct Hoisted {
    /// Counted back from the loop's beginning.
    entry: u64,
    /// Counted back from the operation.
    own: u64,
    /// In how many executions of the operation this occurs.
    times: u64,
}

#[derive(Default)]
struct Found {
    queues: Vec<Queue>,
    /// Least counts of each operation, by queue.
    direct: Vec<[Option<u64>; 4]>,
    /// How often each operation is executed.
    executions: Vec<u64>,
    /// By operation, loop and queue waited for.
    hoisted: BTreeMap<(usize, usize, usize), Hoisted>,
    loops: usize,
}

impl Found {
    fn conditions(&self) -> Conditions {
        let mut direct = self.direct.clone();
        // If most trips must wait for it, the operation itself waits, in all trips.
        for ((op, _, other), back) in
            self.hoisted.iter().filter(|((op, ..), b)| 2 * b.times > self.executions[*op])
        {
            let slot = &mut direct[*op][*other];
            *slot = Some(slot.map_or(back.own, |own| own.min(back.own)));
        }
        let mut entries: Vec<BTreeMap<Queue, [Option<u64>; 4]>> = vec![BTreeMap::new(); self.loops];
        for ((op, number, other), back) in &self.hoisted {
            if direct[*op][*other].is_none_or(|own| own > back.own) {
                let slot = &mut entries[*number].entry(self.queues[*op]).or_default()[*other];
                *slot = Some(slot.map_or(back.entry, |b| b.min(back.entry)));
            }
        }
        let conds = |backs: &[Option<u64>; 4]| -> Vec<Cond> {
            let all = Queue::ALL.into_iter().zip(backs);
            all.filter_map(|(queue, b)| Some(Cond { queue, back: (*b)?.min(u8::MAX.into()) as u8 })).collect()
        };
        Conditions {
            ops: direct.iter().map(conds).collect(),
            entries: entries.iter().map(|e| e.iter().map(|(q, b)| (*q, conds(b))).collect()).collect(),
        }
    }
}

struct Unrolled<'a> {
    extra: &'a Extra,
    lanes: [QueueOrder; 4],
    vars: BTreeMap<Var, i64>,
    open: Vec<Open>,
    /// Numbers of the next operation and loop in text order.
    op: usize,
    number: usize,
    found: Found,
}

impl<'a> Unrolled<'a> {
    fn new(extra: &'a Extra) -> Unrolled<'a> {
        Unrolled {
            extra,
            lanes: Default::default(),
            vars: BTreeMap::new(),
            open: Vec::new(),
            op: 0,
            number: 0,
            found: Found::default(),
        }
    }

    /// Every double buffer begins a block with its first side.
    fn block(&mut self, body: &[Stmt]) {
        self.vars.clear();
        self.statements(body);
    }

    fn statements(&mut self, body: &[Stmt]) {
        for s in body {
            match s {
                Stmt::Op(op) => self.operation(op),
                Stmt::Host(_) => self.fence(),
                Stmt::Loop { var, start, end, step, slots, body } => {
                    let number = self.number;
                    self.number += 1;
                    self.found.loops = self.found.loops.max(self.number);
                    self.open.push(Open { number, before: self.issued() });
                    for queue in Queue::ALL {
                        self.lanes[queue.index()].issued += self.entries(number, queue);
                    }
                    let first = (self.op, self.number);
                    let mut value = *start;
                    while value < *end {
                        (self.op, self.number) = first;
                        self.vars.insert(*var, value);
                        for slot in slots {
                            let side = self.vars.entry(slot.var).or_insert(0);
                            *side = slot.bytes - *side;
                        }
                        self.statements(body);
                        value += step;
                    }
                    self.open.pop();
                }
            }
        }
    }

    /// `qnop`s of a queue in front of a loop.
    fn entries(&self, number: usize, queue: Queue) -> u64 {
        self.extra.entries.get(&(number, queue)).copied().unwrap_or(0)
    }

    fn issued(&self) -> Clock {
        self.lanes.each_ref().map(|l| l.issued)
    }

    fn fence(&mut self) {
        let issued = self.issued();
        for lane in &mut self.lanes {
            lane.clock = issued;
            lane.entries.clear();
        }
    }

    fn operation(&mut self, op: &TileOp) {
        let number = self.op;
        self.op += 1;
        let queue = op.code.queue();
        if self.found.direct.len() <= number {
            self.found.direct.push([None; 4]);
            self.found.queues.push(queue);
            self.found.executions.push(0);
        }
        self.found.executions[number] += 1;
        let own = queue.index();
        self.lanes[own].issued += self.extra.ops.get(&number).copied().unwrap_or(0);
        let touches = self.touches(op);
        let mut clock = self.lanes[own].clock;
        let mut waits: Vec<(usize, u64, Clock)> = Vec::new();
        for other in (0..4).filter(|o| *o != own) {
            let entries = self.lanes[other].entries.iter().rev();
            let conflict = entries
                .take_while(|e| e.number > clock[other])
                .find(|e| touches.iter().any(|a| e.touches.iter().any(|b| a.conflicts(b))));
            if let Some(e) = conflict {
                let mut theirs = e.clock;
                theirs[other] = e.number;
                clock = join(clock, theirs);
                waits.push((other, e.number, theirs));
            }
        }
        for (i, (other, awaited, _)) in waits.iter().enumerate() {
            let implied = waits.iter().enumerate().any(|(j, (_, _, c))| j != i && c[*other] >= *awaited);
            if !implied {
                self.wait(number, *other, *awaited);
            }
        }
        let lane = &mut self.lanes[own];
        lane.issued += 1;
        clock[own] = lane.issued;
        lane.clock = clock;
        lane.entries.push_back(Issued { number: lane.issued, clock, touches });
        self.forget(own);
    }

    /// Operation `number`, about to be issued, waits for instruction `awaited` of queue `other`.
    fn wait(&mut self, number: usize, other: usize, awaited: u64) {
        let own = self.lanes[other].issued - awaited;
        match self.open.iter().find(|l| awaited <= l.before[other]) {
            None => {
                let slot = &mut self.found.direct[number][other];
                *slot = Some(slot.map_or(own, |b| b.min(own)));
            }
            Some(open) => {
                // The `qnop`s are in the order of the queues: those of earlier queues have been issued.
                let own_queue = self.found.queues[number].index();
                let issued = if other < own_queue { self.entries(open.number, Queue::ALL[other]) } else { 0 };
                let entry = open.before[other] + issued - awaited;
                let least = self.found.hoisted.entry((number, open.number, other));
                let least = least.or_insert(Hoisted { entry, own, times: 0 });
                *least = Hoisted {
                    entry: entry.min(least.entry),
                    own: own.min(least.own),
                    times: least.times + 1,
                };
            }
        }
    }

    /// Drops operations that precede everything that can still be issued.
    fn forget(&mut self, queue: usize) {
        for other in (0..4).filter(|o| *o != queue) {
            let clocks = self.lanes.iter().enumerate().filter(|(q, _)| *q != other);
            let covered = clocks.map(|(_, l)| l.clock[other]).min().unwrap_or(0);
            let entries = &mut self.lanes[other].entries;
            while entries.front().is_some_and(|e| e.number <= covered) {
                entries.pop_front();
            }
        }
    }

    fn value(&self, e: &super::tile::Expr) -> i64 {
        e.value(&|v| self.vars.get(&v).copied().unwrap_or(0))
    }

    fn touches(&self, op: &TileOp) -> Vec<Touch> {
        let mut touches = Vec::with_capacity(op.views.len() + 1);
        for (i, view) in op.views.iter().enumerate() {
            let lanes = i64::from(view.lanes).max(1);
            let span = reach(op, i, lanes, &|e| self.value(e));
            let (lo, hi) = match span {
                Some((lo, hi)) => {
                    let base = self.value(&view.buffer.address(&view.base));
                    (base + lo, base + hi)
                }
                // Packed weights: their bytes are not those of a box.
                None => self.side(&view.buffer),
            };
            touches.push(Touch { space: view.space, lo, hi, writes: i == 0 });
        }
        if let Some((_, buffer)) = op.quant.as_ref().and_then(|q| q.table.as_ref()) {
            let (lo, hi) = self.side(buffer);
            touches.push(Touch { space: Space::Spm, lo, hi, writes: false });
        }
        touches
    }

    /// The bytes of a buffer, on the side in use.
    fn side(&self, buffer: &Buffer) -> (i64, i64) {
        let lo = buffer.start + buffer.slot.map_or(0, |v| self.vars.get(&v).copied().unwrap_or(0));
        (lo, lo + buffer.bytes)
    }
}

fn join(a: Clock, b: Clock) -> Clock {
    std::array::from_fn(|i| a[i].max(b[i]))
}
