//! Closed-form estimate of a network's cycles, as `estimate MODEL` prints it.
//!
//! Nothing is emitted and no clock runs. Every tiled operation is priced once for an inner tile and once for
//! the last one of each of its loops, times the trips, with the formulas that also choose tile shapes. A
//! layer takes as long as its busiest unit, plus what does not overlap. Constants may be loaded while the
//! layer before computes. The estimate does not model waits for ports and for the channel, so it is not a
//! bound; the clock of the compiled program is exact.

use std::collections::BTreeMap;

use super::constants::{Constants, packed_bytes};
use super::cost::{Runs, under_way};
use super::emit::Descriptors;
use super::pipeline::{PRICED_AFTER, up_to};
use super::storage::TENSOR_BASE;
use super::tables::layer_entry;
use super::tile::{Code, Stmt, TileLayer, TileOp, Var, View};
use super::tiled::tiled;
use super::{CompileError, CompileOptions};
use crate::graph::Graph;
use crate::isa::{Queue, Space};
use crate::machine::Machine;
use crate::machine::timing::{self, Product};
use crate::program::Layer;

/// What a layer is estimated to cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerEstimate {
    /// Name, kind, multiply-accumulates and least costs, as in a program's layer table.
    pub layer: Layer,
    /// Its share of the total, in cycles.
    pub cycles: u64,
    /// Cycles in which DMA-in, DMA-out, MAC and VEC work for it.
    pub busy: [u64; 4],
    /// Bytes read from and written to DRAM.
    pub bytes: [u64; 2],
}

/// What a network is estimated to cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Layers in order.
    pub layers: Vec<LayerEstimate>,
    /// All cycles.
    pub cycles: u64,
}

/// Estimates a graph on a machine.
///
/// # Errors
/// [`CompileError`], as [`compile`](super::compile).
pub fn estimate(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
) -> Result<Estimate, CompileError> {
    let passes = up_to(PRICED_AFTER).unwrap_or_default();
    let tiled = tiled(graph, machine, options, Constants::hollow, passes)?;
    let costs: Vec<Cost> = tiled.layers.iter().map(|l| Cost::of(l, machine)).collect();
    let mut layers = Vec::with_capacity(costs.len());
    // The first descriptor waits for a whole line.
    let mut before = Before { lead: -i64::from(machine.control.const_miss_cycles), ..Before::default() };
    for ((node, least), cost) in graph.nodes.iter().zip(tiled.least).zip(&costs) {
        let cycles = before.next(cost, machine);
        layers.push(LayerEstimate {
            layer: layer_entry(graph, node, least),
            cycles,
            busy: [cost.load + cost.copy, cost.store, cost.mac, cost.vec].map(|c| c as u64),
            bytes: cost.bytes.map(|b| b as u64),
        });
    }
    let cycles = layers.iter().map(|l| l.cycles).sum();
    Ok(Estimate { layers, cycles })
}

/// The work of a layer's units.
#[derive(Debug, Clone, Default)]
struct Cost {
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
}

/// Control instructions for a tiled operation: its fields, its conditions, its share of the loop.
const CONTROL: i64 = 5;

impl Cost {
    fn of(layer: &TileLayer, machine: &Machine) -> Cost {
        let mut walk = Counter { machine, vars: BTreeMap::new(), cost: Cost::default() };
        walk.list(&layer.body, 1, true);
        let mut descriptors = Descriptors::default();
        layer.body.iter().for_each(|s| descriptors.collect(s));
        walk.cost.descriptors = descriptors.cycles(&machine.control);
        walk.cost
    }

    /// Cycles of the busiest unit, if `done` cycles of the loads were done before.
    fn longest(&self, done: i64) -> i64 {
        let channel = self.load + self.store - done;
        let queue = self.queue + self.copy - done;
        [channel, queue, self.out_queue, self.mac, self.vec, self.control].into_iter().max().unwrap_or(0)
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
        let done = cost.early.min(self.idle);
        // One tile passes all units before they overlap.
        let [load, mac, vec, store] = cost.first;
        let waits = load + mac + vec + store;
        let longest = cost.longest(done);
        let pipeline = waits - [load, mac, vec, store].into_iter().max().unwrap_or(0);
        let cycles = longest + pipeline.min(longest);
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
    cost: Cost,
}

impl Counter<'_> {
    /// Adds statements that are executed `times` times; `entry`: this is the first trip of all enclosing
    /// loops.
    fn list(&mut self, body: &[Stmt], times: i64, entry: bool) {
        for s in body {
            match s {
                Stmt::Op(op) => self.operation(op, times, entry),
                Stmt::Host(_) => {}
                Stmt::Loop { var, start, end, step, body, .. } => {
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
                let constant = src.buffer.start < TENSOR_BASE;
                self.cost.load += channel * times;
                self.cost.queue += under_way(channel, m.dram.read_latency_cycles) * times;
                self.cost.bytes[0] += bytes * times;
                if constant && entry {
                    self.cost.early += channel;
                } else if !constant && self.cost.first[0] == 0 {
                    self.cost.first[0] = channel + i64::from(m.dram.read_latency_cycles);
                }
            }
            (_, Code::Gather) => {
                let [_, _, rows, columns] = self.dims(dst);
                let bytes = columns * dst.etype.bytes() as i64;
                let channel = rows * timing::chosen_row_cycles(&m.dram, bytes as u64) as i64;
                self.cost.load += channel * times;
                self.cost.queue += under_way(channel, m.dram.read_latency_cycles) * times;
                self.cost.bytes[0] += rows * bytes * times;
                self.cost.first[0] = channel + i64::from(m.dram.read_latency_cycles);
            }
            (_, Code::DmaOut) => {
                let (runs, bytes) = self.runs(dst);
                let channel = runs.cycles(&m.dram);
                self.cost.store += channel * times;
                self.cost.out_queue += under_way(channel, m.dram.write_latency_cycles) * times;
                self.cost.bytes[1] += bytes * times;
                self.cost.first[3] = channel + i64::from(m.dram.write_latency_cycles);
            }
            (Queue::Dmain, _) => {
                let elements: i64 = self.dims(dst).iter().product();
                let cycles = timing::copy(m, (elements * dst.etype.bytes() as i64) as u64) as i64;
                self.cost.copy += cycles * times;
            }
            (Queue::Mac, _) => {
                let cycles = self.array(op).unwrap_or(0);
                self.cost.mac += cycles * times;
                self.cost.first[1] = self.cost.first[1].max(cycles);
            }
            _ => {
                let cycles = self.vector(op);
                self.cost.vec += cycles * times;
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
        let walk = Counter { machine: &machine, vars: BTreeMap::new(), cost: Cost::default() };
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
