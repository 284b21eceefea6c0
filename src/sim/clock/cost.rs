//! What a queue instruction costs: one formula for each timing class of the ISA table.

use std::sync::Arc;

use super::ports::Ports;
use super::segments::Transfer;
use crate::isa::{Queue, Space, TensorDesc};
use crate::machine::Machine;
use crate::machine::timing::{self, Demand, Product};
use crate::sim::access::{Spans, dram_bytes, padded_dims};
use crate::sim::op::{ConvOp, OpKind, QueueOp, Ticket, dma_op, mac_op, vec_op};

/// How an instruction occupies its unit.
#[derive(Debug, Clone)]
pub enum Work {
    /// For this many cycles, at least 1.
    Cycles(u64),
    /// Until its segments have passed the channel.
    Transfer(Arc<Transfer>),
}

/// All that the clock must know of an operation. It depends on descriptors and the machine only, so it is
/// computed once for all runs.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Ports of memory banks.
    pub ports: Ports,
    /// Occupation of the unit.
    pub work: Work,
    /// Cycles before and after the data of a DMA transfer move.
    pub latency: [u32; 2],
    /// Multiply-accumulates, taps in the padding included.
    pub macs: u64,
    /// Bytes transferred over the DRAM channel.
    pub dram_bytes: u64,
}

/// What the clock must know of a queue instruction, and no more: a record has many of them.
#[derive(Debug, Clone)]
pub struct Timed {
    pub(super) seq: u64,
    pub(super) queue: Queue,
    pub(super) layer: Option<u32>,
    /// Queues waited for, and how many of their instructions must have ended; a count of 0 is no condition.
    pub(super) tickets: [(Queue, u64); 2],
    /// What it costs.
    pub cost: Cost,
}

impl Timed {
    /// A queue instruction and its cost.
    #[must_use]
    pub fn new(op: &QueueOp, cost: Cost) -> Timed {
        let ticket = |t: Option<Ticket>| t.map_or((op.queue, 0), |t| (t.queue, t.count));
        Timed { seq: op.seq, queue: op.queue, layer: op.layer, tickets: op.tickets.map(ticket), cost }
    }
}

impl Cost {
    /// The cost of an operation.
    #[must_use]
    pub fn of(kind: &OpKind, m: &Machine) -> Cost {
        Cost::with(kind, &Spans::of(kind), m)
    }

    /// The cost of an operation with these spans.
    #[must_use]
    pub fn with(kind: &OpKind, spans: &Spans, m: &Machine) -> Cost {
        let work = match Transfer::of(kind, &m.dram) {
            Some(transfer) => Work::Transfer(Arc::new(transfer)),
            None => Work::Cycles(cycles(kind, m).max(1)),
        };
        let latency = match kind {
            OpKind::DmaIn { .. } | OpKind::DmaPad { .. } | OpKind::Gather { .. } => {
                [m.dram.read_latency_cycles, 0]
            }
            OpKind::DmaOut { .. } => [0, m.dram.write_latency_cycles],
            OpKind::Nop | OpKind::DmaFill { .. } | OpKind::DmaCopy { .. } | mac_op!() | vec_op!() => [0, 0],
        };
        Cost { ports: Ports::of(spans, m), work, latency, macs: macs(kind), dram_bytes: dram_bytes(kind) }
    }
}

/// Cycles of an operation that does not use the DRAM channel.
fn cycles(kind: &OpKind, m: &Machine) -> u64 {
    match kind {
        OpKind::Nop
        | OpKind::DmaIn { .. }
        | OpKind::DmaPad { .. }
        | OpKind::Gather { .. }
        | OpKind::DmaOut { .. } => 1,
        OpKind::DmaFill { dst } | OpKind::DmaCopy { dst, .. } => timing::copy(m, padded_bytes(dst)),
        mac_op!() => demand(kind, m).map_or(1, |d| d.cycles(m)),
        vec_op!() => pass(kind).map_or(1, |p| p.cycles(m)),
    }
}

/// Bytes of a box with its padding lanes.
pub(super) fn padded_bytes(d: &TensorDesc) -> u64 {
    padded_dims(d).iter().map(|n| u64::from(*n)).product::<u64>() * d.etype.bytes() as u64
}

/// What an operation of the array demands; `None` for others.
pub(super) fn demand(kind: &OpKind, m: &Machine) -> Option<Demand> {
    match kind {
        OpKind::Conv(c) => Some(convolution(c, m)),
        OpKind::Depthwise(c) => {
            let span = |axis: usize| {
                let [outputs, kernel] = [c.dst.dims[axis + 1], c.weights.dims[axis + 1]].map(u64::from);
                timing::window(outputs, kernel, c.window.stride[axis].into(), c.window.dilation[axis].into())
            };
            let [_, kh, kw, _] = c.weights.dims.map(u64::from);
            Some(product(c, kh * kw, 1).depthwise(m, span(0) * span(1)))
        }
        OpKind::Matmul { dst, a, b, .. } => {
            let [_, _, pixels, channels] = dst.dims.map(u64::from);
            let bytes = [a, b, dst].map(|d| d.etype.bytes() as u64);
            let product = Product { pixels, channels, taps: 1, reduction: a.dims[3].into(), bytes };
            Some(product.dense(m))
        }
        OpKind::Nop | dma_op!() | vec_op!() => None,
    }
}

/// What passes the vector unit: `times` the elements of the box `read`, of which each source has one.
pub(super) struct Pass<'a> {
    read: [u32; 4],
    times: u64,
    /// Sources in the scratchpad or the accumulators, one after the other.
    pub(super) sources: [Option<&'a TensorDesc>; 2],
    pub(super) dst: &'a TensorDesc,
}

impl Pass<'_> {
    /// Elements that are read of each source.
    pub(super) fn elements(&self) -> u64 {
        self.times * self.read.iter().map(|n| u64::from(*n)).product::<u64>()
    }

    /// Bytes of the result, without padding lanes.
    pub(super) fn results(&self) -> u64 {
        self.dst.dims.iter().map(|n| u64::from(*n)).product::<u64>() * self.dst.etype.bytes() as u64
    }

    fn cycles(&self, m: &Machine) -> u64 {
        // A missing source streams nothing.
        let list = self.sources.map(|d| d.map_or((Space::Spm, 0), |d| (d.space, d.etype.bytes() as u64)));
        timing::vector(m, self.read.map(u64::from), self.times, &list, (self.dst.space, self.results()))
    }
}

/// What an operation of the vector unit passes; `None` for others.
pub(super) fn pass(kind: &OpKind) -> Option<Pass<'_>> {
    let of = |read, times, src, dst| Some(Pass { read, times, sources: [Some(src), None], dst });
    match kind {
        OpKind::MaxPool { dst, src, window, .. } | OpKind::AvgPool { dst, src, window, .. } => {
            of(dst.dims, u64::from(window.kernel[0]) * u64::from(window.kernel[1]), src, dst)
        }
        OpKind::Fold { dst, src, .. } => {
            let [a, b, c, _] = dst.dims;
            of([a, b, c, src.dims[3]], 1, src, dst)
        }
        OpKind::Softmax { dst, src, .. } => of(dst.dims, 3, src, dst),
        OpKind::Resize { dst, src, .. } => of(dst.dims, 4, src, dst),
        OpKind::Rsum { dst, src, .. } => of(src.dims, 1, src, dst),
        OpKind::Add { dst, a, b, .. } | OpKind::Mul { dst, a, b, .. } | OpKind::F2 { dst, a, b, .. } => {
            Some(Pass { read: dst.dims, times: 1, sources: [Some(a), Some(b)], dst })
        }
        OpKind::Requant { dst, src, .. }
        | OpKind::Store { dst, src, .. }
        | OpKind::Lut { dst, src, .. }
        | OpKind::Quantize { dst, src, .. }
        | OpKind::F1 { dst, src, .. }
        | OpKind::Dequantize { dst, src, .. } => of(dst.dims, 1, src, dst),
        OpKind::Nop | dma_op!() | mac_op!() => None,
    }
}

fn product(c: &ConvOp, taps: u64, reduction: u64) -> Product {
    let [_, rows, columns, channels] = c.dst.dims.map(u64::from);
    let bytes = [&c.src, &c.weights, &c.dst].map(|d| d.etype.bytes() as u64);
    Product { pixels: rows * columns, channels, taps, reduction, bytes }
}

fn convolution(c: &ConvOp, m: &Machine) -> Demand {
    let [_, kh, kw, ic] = c.weights.dims.map(u64::from);
    let product = product(c, kh * kw, ic);
    c.pruned.map_or(product.dense(m), |p| product.pruned(m, p.steps, p.blocks * 256 * product.bytes[1]))
}

/// Multiply-accumulates of an operation, taps in the padding included.
#[must_use]
pub fn macs(kind: &OpKind) -> u64 {
    let outputs = |d: &TensorDesc| d.dims.iter().map(|n| u64::from(*n)).product::<u64>();
    match kind {
        OpKind::Conv(c) => {
            outputs(&c.dst) * c.weights.dims[1..].iter().map(|n| u64::from(*n)).product::<u64>()
        }
        OpKind::Depthwise(c) => outputs(&c.dst) * u64::from(c.weights.dims[1]) * u64::from(c.weights.dims[2]),
        OpKind::Matmul { dst, a, .. } => outputs(dst) * u64::from(a.dims[3]),
        OpKind::Nop | dma_op!() | vec_op!() => 0,
    }
}
