//! What tiled operations are expected to take: a closed form, by which plans are compared and networks are
//! estimated.
//!
//! Every operation is priced once for an inner tile and once for the last one of each of its loops, times the
//! trips, with the formulas that also choose tile shapes. A layer takes as long as its busiest unit, plus
//! what does not overlap. Constants may be loaded while the layer before computes. Waits for ports and for
//! the channel are not modelled one by one, so a price is not a bound: ports count for as long as a layer's
//! operations hold them.

use std::collections::BTreeMap;

use super::constants::packed_bytes;
use super::cost::{Runs, under_way};
use super::emit::Descriptors;
use super::storage::TENSOR_BASE;
use super::tile::{Code, Stmt, TileLayer, TileOp, Var, View};
use crate::isa::{Queue, Space};
use crate::machine::Machine;
use crate::machine::timing::{self, Product};

/// Cycles of layers that buffers have been placed for, one after the other.
pub(super) fn price(layers: &[TileLayer], machine: &Machine) -> u64 {
    costs(layers, machine).map(|(cycles, _)| cycles).sum()
}

/// The same layer by layer, with the work.
pub(super) fn costs(layers: &[TileLayer], machine: &Machine) -> impl Iterator<Item = (u64, Cost)> {
    // The first descriptor waits for a whole line.
    let start = Before { lead: -i64::from(machine.control.const_miss_cycles), ..Before::default() };
    layers.iter().scan(start, |before, layer| {
        let cost = Cost::of(layer, machine);
        Some((before.next(&cost, machine), cost))
    })
}

/// The work of a layer's units.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    /// Channel cycles of loads.
    load: i64,
    store: i64,
    /// Cycles of the DMA-in queue for transfers, with the exposed part of their latency, and for copies.
    queue: i64,
    copy: i64,
    out_queue: i64,
    mac: i64,
    vec: i64,
    control: i64,
    bytes: [i64; 2],
    /// Channel cycles of constants that can be loaded before the layer begins.
    early: i64,
    /// Cycles in which the control core loads the layer's descriptors.
    descriptors: i64,
    /// Instructions of each queue.
    instructions: [i64; 4],
    /// One instruction each: the first load of an activation, MAC, VEC, and a store.
    first: [i64; 4],
    /// The longest time that a port of a bank is held.
    port: i64,
    /// For each buffer, the cycles in which its contents are made and used, and of those the ones of
    /// constants that can be loaded before the layer begins.
    buffers: Vec<[i64; 2]>,
}

/// Control instructions for a tiled operation: its fields, its conditions, its share of the loop.
const CONTROL: i64 = 5;

impl Cost {
    /// Cycles in which DMA-in, DMA-out, MAC and VEC work.
    pub(super) fn busy(&self) -> [u64; 4] {
        [self.load + self.copy, self.store, self.mac, self.vec].map(|c| c as u64)
    }

    /// Bytes read from and written to DRAM.
    pub(super) fn bytes(&self) -> [u64; 2] {
        self.bytes.map(|b| b as u64)
    }

    fn of(layer: &TileLayer, machine: &Machine) -> Cost {
        let mut walk = Counter::new(machine);
        walk.list(&layer.body, 1, true);
        let mut descriptors = Descriptors::default();
        layer.body.iter().for_each(|s| descriptors.collect(s));
        walk.cost.descriptors = descriptors.cycles(&machine.control);
        let buffers = walk.buffers.values().map(Contents::cycles).collect();
        Cost { port: walk.ports.longest(), buffers, ..walk.cost }
    }

    /// Cycles of the busiest unit, if `done` cycles of the loads were done before.
    fn longest(&self, done: i64) -> i64 {
        let channel = self.load + self.store - done;
        let queue = self.queue + self.copy - done;
        let units = [channel, queue, self.out_queue, self.mac, self.vec, self.control, self.port];
        units.into_iter().max().unwrap_or(0)
    }

    /// Cycles in which the contents of the busiest buffer are made and used.
    fn in_turn(&self, done: i64) -> i64 {
        self.buffers.iter().map(|[cycles, early]| cycles - done.min(*early)).max().unwrap_or(0)
    }
}

/// What a layer inherits from the one before.
#[derive(Debug, Default)]
struct Before {
    /// Cycles in which the channel was idle at its end.
    idle: i64,
    /// Cycles before its end in which the control core had issued all of it.
    lead: i64,
}

impl Before {
    fn next(&mut self, cost: &Cost, machine: &Machine) -> u64 {
        // Constants are loaded early where the channel is idle, and the core has come to them.
        let done = cost.early.min(self.idle).min(self.lead.max(0));
        // One tile passes all units before they overlap.
        let [load, mac, vec, store] = cost.first;
        let waits = load + mac + vec + store;
        let longest = cost.longest(done);
        let pipeline = waits - [load, mac, vec, store].into_iter().max().unwrap_or(0);
        let cycles = (longest + pipeline.min(longest)).max(cost.in_turn(done));
        self.idle = (cycles - (cost.load + cost.store - done)).max(0);
        let late = (cost.descriptors - self.lead).max(0);
        // All is issued once the rest fits the queues.
        let before = (self.lead - cost.descriptors).max(0);
        let depths = [
            machine.dma.in_queue_depth,
            machine.dma.out_queue_depth,
            machine.mac.queue_depth,
            machine.vec.queue_depth,
        ];
        let leads = cost
            .instructions
            .into_iter()
            .zip(depths.map(i64::from))
            .map(|(count, depth)| if count <= depth { before + cycles } else { cycles * depth / count });
        self.lead = leads.min().unwrap_or(0);
        (cycles + late) as u64
    }
}

struct Counter<'a> {
    machine: &'a Machine,
    vars: BTreeMap<Var, i64>,
    /// The distance of the sides of double buffers.
    sides: BTreeMap<Var, i64>,
    ports: Ports,
    /// By memory and first byte.
    buffers: BTreeMap<(Space, i64), Contents>,
    cost: Cost,
}

/// How long the contents of a buffer are made and used. Nothing of that overlaps on one side: what is in the
/// buffer must have been read before it is overwritten.
#[derive(Debug, Clone, Default)]
struct Contents {
    sides: i64,
    written: i64,
    /// By unit; units read side by side.
    read: [i64; 4],
    early: i64,
}

impl Contents {
    fn cycles(&self) -> [i64; 2] {
        let read = self.read.into_iter().max().unwrap_or(0);
        [(self.written + read) / self.sides.max(1), self.early]
    }
}

/// Cycles in which the read port and the write port of each bank are held (manual, *Time*: Ports).
struct Ports {
    /// Scratchpad, accumulator memory: bytes of a bank.
    bank: [i64; 2],
    held: [Vec<[i64; 2]>; 2],
}

impl Ports {
    fn new(m: &Machine) -> Ports {
        let banks = [m.spm.banks, m.acc.banks];
        let bytes = [m.spm.bytes, m.acc.bytes];
        Ports {
            bank: [0, 1].map(|i| (bytes[i] / u64::from(banks[i])).max(1) as i64),
            held: banks.map(|n| vec![[0; 2]; n as usize]),
        }
    }

    /// The banks of a range, as bits; `None` in DRAM.
    fn banks(&self, space: Space, [start, end]: [i64; 2]) -> Option<(usize, u64)> {
        let memory = match space {
            Space::Dram => return None,
            Space::Spm => 0,
            Space::Acc => 1,
        };
        let [first, last] = [start, end - 1].map(|at| (at / self.bank[memory]).clamp(0, 63));
        Some((memory, (u64::MAX >> (63 - (last - first).max(0))) << first))
    }

    fn hold(&mut self, sets: [[u64; 2]; 2], cycles: i64) {
        for (held, sets) in self.held.iter_mut().zip(sets) {
            for (bank, ports) in held.iter_mut().enumerate() {
                for (port, set) in ports.iter_mut().zip(sets) {
                    *port += if set >> bank & 1 == 1 { cycles } else { 0 };
                }
            }
        }
    }

    fn longest(&self) -> i64 {
        self.held.iter().flatten().flatten().copied().max().unwrap_or(0)
    }
}

impl Counter<'_> {
    fn new(machine: &Machine) -> Counter<'_> {
        Counter {
            machine,
            vars: BTreeMap::new(),
            sides: BTreeMap::new(),
            ports: Ports::new(machine),
            buffers: BTreeMap::new(),
            cost: Cost::default(),
        }
    }

    /// Adds statements that are executed `times` times; `entry`: this is the first trip of all enclosing
    /// loops.
    fn list(&mut self, body: &[Stmt], times: i64, entry: bool) {
        for s in body {
            match s {
                Stmt::Op(op) => self.operation(op, times, entry),
                Stmt::Host(_) => {}
                Stmt::Loop { var, start, end, step, slots, body } => {
                    self.sides.extend(slots.iter().map(|s| (s.var, s.bytes)));
                    let trips = (end - start + step - 1) / step;
                    // All trips but the last are alike, except that padding saves the first some work.
                    if trips > 1 {
                        self.vars.insert(*var, *start + if trips > 2 { *step } else { 0 });
                        self.list(body, times * (trips - 1), entry);
                    }
                    self.vars.insert(*var, start + (trips - 1) * step);
                    self.list(body, times, entry && trips == 1);
                    self.vars.remove(var);
                }
            }
        }
    }

    /// Holds the ports of an operation's operands for `cycles`, `times` times, and their buffers for
    /// `latency` more.
    fn hold(&mut self, op: &TileOp, cycles: i64, latency: u32, times: i64) {
        let whole = (cycles + i64::from(latency)) * times;
        for (index, view) in op.views.iter().enumerate().filter(|(_, v)| v.space != Space::Dram) {
            let contents = self.buffers.entry((view.space, view.buffer.start)).or_default();
            contents.sides = contents.sides.max(if view.buffer.slot.is_some() { 2 } else { 1 });
            if index == 0 {
                contents.written += whole;
            } else {
                contents.read[op.code.queue().index()] += whole;
            }
        }
        // The sides of double buffers take turns, all of them at once.
        for (other, times) in [(false, times / 2), (true, times - times / 2)] {
            let mut sets = [[0; 2]; 2];
            for (index, view) in op.views.iter().enumerate() {
                let side = view.buffer.slot.filter(|_| other).and_then(|slot| self.sides.get(&slot));
                let range = self.span(view).map(|at| at + side.copied().unwrap_or(0));
                if let Some((memory, banks)) = self.ports.banks(view.space, range) {
                    sets[memory][usize::from(index == 0)] |= banks;
                }
            }
            self.ports.hold(sets, cycles * times);
        }
    }

    /// The bytes that a view can touch.
    fn span(&self, view: &View) -> [i64; 2] {
        let buffer = [view.buffer.start, view.buffer.start + view.buffer.bytes];
        let value = |v: Var| self.vars.get(&v).copied().unwrap_or(0);
        let dims = self.dims(view);
        if view.strides == [0; 4] {
            return buffer;
        }
        let (mut low, mut high) = (view.base.value(&value), view.base.value(&value));
        for (n, stride) in dims.iter().zip(view.strides) {
            let reach = (n - 1) * stride;
            (low, high) = (low + reach.min(0), high + reach.max(0));
        }
        let [start, end] = [low.max(buffer[0]), (high + view.etype.bytes() as i64).min(buffer[1])];
        if start < end { [start, end] } else { buffer }
    }

    fn dims(&self, view: &View) -> [i64; 4] {
        view.dims.each_ref().map(|d| d.value(&|v| self.vars.get(&v).copied().unwrap_or(0)).max(1))
    }

    fn operation(&mut self, op: &TileOp, times: i64, entry: bool) {
        let m = self.machine;
        let [Some(dst), src] = [op.views.first(), op.views.get(1)] else { return };
        self.cost.control += CONTROL * times;
        self.cost.instructions[op.code.queue().index()] += times;
        match (op.code.queue(), op.code) {
            (_, Code::DmaIn) => {
                let Some(src) = src else { return };
                let (runs, bytes) = self.runs(src);
                let channel = runs.cycles(&m.dram);
                self.hold(op, channel, m.dram.read_latency_cycles, times);
                let constant = src.buffer.start < TENSOR_BASE;
                self.cost.load += channel * times;
                self.cost.queue += under_way(channel, m.dram.read_latency_cycles) * times;
                self.cost.bytes[0] += bytes * times;
                if constant && entry {
                    self.cost.early += channel;
                    if let Some(contents) = self.buffers.get_mut(&(dst.space, dst.buffer.start)) {
                        contents.early += channel + i64::from(m.dram.read_latency_cycles);
                    }
                } else if !constant && self.cost.first[0] == 0 {
                    self.cost.first[0] = channel + i64::from(m.dram.read_latency_cycles);
                }
            }
            (_, Code::Gather) => {
                let [_, _, rows, columns] = self.dims(dst);
                let bytes = columns * dst.etype.bytes() as i64;
                let channel = rows * timing::chosen_row_cycles(&m.dram, bytes as u64) as i64;
                self.hold(op, channel, m.dram.read_latency_cycles, times);
                self.cost.load += channel * times;
                self.cost.queue += under_way(channel, m.dram.read_latency_cycles) * times;
                self.cost.bytes[0] += rows * bytes * times;
                self.cost.first[0] = channel + i64::from(m.dram.read_latency_cycles);
            }
            (_, Code::DmaOut) => {
                let (runs, bytes) = self.runs(dst);
                let channel = runs.cycles(&m.dram);
                self.hold(op, channel, m.dram.write_latency_cycles, times);
                self.cost.store += channel * times;
                self.cost.out_queue += under_way(channel, m.dram.write_latency_cycles) * times;
                self.cost.bytes[1] += bytes * times;
                self.cost.first[3] = channel + i64::from(m.dram.write_latency_cycles);
            }
            (Queue::Dmain, _) => {
                let elements: i64 = self.dims(dst).iter().product();
                let cycles = timing::copy(m, (elements * dst.etype.bytes() as i64) as u64) as i64;
                self.cost.copy += cycles * times;
                self.hold(op, cycles, 0, times);
            }
            (Queue::Mac, _) => {
                let cycles = self.array(op).unwrap_or(0);
                self.cost.mac += cycles * times;
                self.hold(op, cycles, 0, times);
                self.cost.first[1] = self.cost.first[1].max(cycles);
            }
            _ => {
                let cycles = self.vector(op);
                self.cost.vec += cycles * times;
                self.hold(op, cycles, 0, times);
                self.cost.first[2] = self.cost.first[2].max(cycles);
            }
        }
    }

    /// A box in DRAM as runs, and its bytes.
    fn runs(&self, view: &View) -> (Runs, i64) {
        let mut dims = self.dims(view);
        let lanes = i64::from(view.lanes).max(1);
        dims[3] = (dims[3] + lanes - 1) / lanes * lanes;
        let size = view.etype.bytes() as i64;
        let mut run = size;
        let mut axis = 4;
        while axis > 0 && (dims[axis - 1] == 1 || view.strides[axis - 1] == run) {
            run *= dims[axis - 1];
            axis -= 1;
        }
        let count: i64 = dims[..axis].iter().product();
        let stride = if axis > 0 { view.strides[axis - 1].abs() } else { run };
        // With a stride below the length of a run, bytes repeat, each time in a run of their own.
        let runs = Runs { count, bytes: run, stride: stride.max(run) };
        (runs, dims.iter().product::<i64>() * size)
    }

    fn array(&self, op: &TileOp) -> Option<i64> {
        let m = self.machine;
        let [dst, a, b] = [op.views.first()?, op.views.get(1)?, op.views.get(2)?];
        let d = self.dims(dst).map(|n| n as u64);
        let w = self.dims(b).map(|n| n as u64);
        let bytes = [a, b, dst].map(|v| v.etype.bytes() as u64);
        let [taps, depth] = [w[1] * w[2], w[3]];
        let product =
            |taps, reduction| Product { pixels: d[1] * d[2], channels: d[3], taps, reduction, bytes };
        let demand = match op.code {
            Code::Depthwise => {
                let window = op.window.as_ref()?;
                let span = |axis: usize| {
                    let [stride, dilation] = [window.stride, window.dilation].map(|n| u64::from(n[axis]));
                    timing::window(d[axis + 1], w[axis + 1], stride, dilation)
                };
                product(taps, 1).depthwise(m, span(0) * span(1))
            }
            Code::Matmul => product(1, self.dims(a)[3] as u64).dense(m),
            Code::Pruned => {
                // As if the remaining blocks were spread evenly.
                let dense = packed_bytes(w[0] as i64, taps as i64, depth as i64).max(1) as u64;
                let stored = b.buffer.bytes as u64;
                let all = d[3].div_ceil(m.mac.oc_lanes.into()) * taps * depth.div_ceil(m.mac.ic_lanes.into());
                product(taps, depth).pruned(m, all * stored.min(dense) / dense, stored)
            }
            _ => product(taps, depth).dense(m),
        };
        Some(demand.cycles(m) as i64)
    }

    fn vector(&self, op: &TileOp) -> i64 {
        let m = self.machine;
        let of = |i: usize| op.views.get(i).map_or([1; 4], |v| self.dims(v).map(|n| n as u64));
        let size = |i: usize| op.views.get(i).map_or((Space::Spm, 0), |v| (v.space, v.etype.bytes() as u64));
        let dst = of(0);
        let (read, times) = match op.code {
            Code::MaxPool | Code::AvgPool => {
                (dst, op.window.map_or(1, |w| u64::from(w.kernel[0]) * u64::from(w.kernel[1])))
            }
            Code::Softmax => (dst, 3),
            Code::Resize => (dst, 4),
            Code::Rsum => (of(1), 1),
            // Folding rows reads more than it writes.
            _ if dst[3] == 1 && of(1)[3] > 1 => ([dst[0], dst[1], dst[2], of(1)[3]], 1),
            _ => (dst, 1),
        };
        let second =
            if matches!(op.code, Code::Add | Code::Mul | Code::F2(_)) { size(2) } else { (Space::Spm, 0) };
        let (space, bytes) = size(0);
        let result = dst.iter().product::<u64>() * bytes;
        timing::vector(m, read, times, &[size(1), second], (space, result)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_without_gaps_is_one_run() {
        let machine = Machine::named("rcn-m").unwrap();
        let walk = Counter::new(&machine);
        let buffer = super::super::tile::Buffer::new(0, 0);
        let mut view = View {
            space: Space::Dram,
            etype: crate::isa::EType::U8,
            base: 0.into(),
            dims: [1.into(), 4.into(), 8.into(), 16.into()],
            strides: [512, 128, 16, 1],
            zero_point: 0,
            lanes: 1,
            buffer,
        };
        assert_eq!(walk.runs(&view).0, Runs { count: 1, bytes: 512, stride: 512 });
        view.strides = [2048, 512, 32, 1];
        assert_eq!(walk.runs(&view).0, Runs { count: 32, bytes: 16, stride: 32 });
    }
}
