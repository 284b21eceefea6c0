//! What a queue instruction costs: one formula for each timing class of the ISA table.

use std::sync::Arc;

use super::ports::Ports;
use super::segments;
use crate::isa::{Queue, TensorDesc};
use crate::machine::{Machine, timing};
use crate::sim::access::{dram_bytes, padded_dims};
use crate::sim::op::{ConvOp, OpKind, QueueOp, Ticket, dma_op, mac_op, vec_op};

/// How an instruction occupies its unit.
#[derive(Debug, Clone)]
pub enum Work {
    /// For this many cycles, at least 1.
    Cycles(u64),
    /// Until its segments have passed the channel: the end of each, in channel cycles from the start of the
    /// first.
    Transfer(Arc<[u64]>),
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
        let work = match segments::ends(kind, &m.dram) {
            Some(ends) => Work::Transfer(ends),
            None => Work::Cycles(cycles(kind, m).max(1)),
        };
        let latency = match kind {
            OpKind::DmaIn { .. } | OpKind::DmaPad { .. } | OpKind::Gather { .. } => {
                [m.dram.read_latency_cycles, 0]
            }
            OpKind::DmaOut { .. } => [0, m.dram.write_latency_cycles],
            OpKind::Nop | OpKind::DmaFill { .. } | OpKind::DmaCopy { .. } | mac_op!() | vec_op!() => [0, 0],
        };
        Cost { ports: Ports::of(kind, m), work, latency, macs: macs(kind), dram_bytes: dram_bytes(kind) }
    }
}

/// Cycles of an operation that does not use the DRAM channel.
fn cycles(kind: &OpKind, m: &Machine) -> u64 {
    let vectors = |d: &TensorDesc| timing::vectors(m, d.dims.map(u64::from));
    match kind {
        OpKind::Nop
        | OpKind::DmaIn { .. }
        | OpKind::DmaPad { .. }
        | OpKind::Gather { .. }
        | OpKind::DmaOut { .. } => 1,
        OpKind::DmaFill { dst } | OpKind::DmaCopy { dst, .. } => {
            let elements: u64 = padded_dims(dst).iter().map(|n| u64::from(*n)).product();
            timing::copy(m, elements * dst.etype.bytes() as u64)
        }
        OpKind::Conv(c) => mac_conv(c, m),
        OpKind::Depthwise(c) => {
            let [_, kh, kw, _] = c.weights.dims.map(u64::from);
            timing::array(m, passes(c, m), kh * kw)
        }
        OpKind::Matmul { dst, a, b, .. } => {
            let [_, _, rows, columns] = dst.dims.map(u64::from);
            timing::array(m, timing::passes(m, rows, columns, slowdown(a, b)), u64::from(a.dims[3]))
        }
        OpKind::MaxPool { dst, window, .. } | OpKind::AvgPool { dst, window, .. } => {
            let taps = u64::from(window.kernel[0]) * u64::from(window.kernel[1]);
            timing::vector(m, vectors(dst), taps)
        }
        OpKind::Fold { dst, src, .. } => {
            let [a, b, c, _] = dst.dims.map(u64::from);
            timing::vector(m, timing::vectors(m, [a, b, c, src.dims[3].into()]), 1)
        }
        OpKind::Softmax { dst, .. } => timing::vector(m, vectors(dst), 3),
        OpKind::Resize { dst, .. } => timing::vector(m, vectors(dst), 4),
        OpKind::Rsum { src, .. } => timing::vector(m, vectors(src), 1),
        OpKind::Requant { dst, .. }
        | OpKind::Store { dst, .. }
        | OpKind::Add { dst, .. }
        | OpKind::Mul { dst, .. }
        | OpKind::Lut { dst, .. }
        | OpKind::Quantize { dst, .. }
        | OpKind::F1 { dst, .. }
        | OpKind::F2 { dst, .. }
        | OpKind::Dequantize { dst, .. } => timing::vector(m, vectors(dst), 1),
    }
}

fn passes(c: &ConvOp, m: &Machine) -> u64 {
    let [_, rows, columns, channels] = c.dst.dims.map(u64::from);
    timing::passes(m, rows * columns, channels, slowdown(&c.src, &c.weights))
}

fn slowdown(a: &TensorDesc, b: &TensorDesc) -> u64 {
    (a.etype.bytes() * b.etype.bytes()) as u64
}

fn mac_conv(c: &ConvOp, m: &Machine) -> u64 {
    let [_, kh, kw, ic] = c.weights.dims.map(u64::from);
    let Some(pruned) = &c.pruned else { return timing::array(m, passes(c, m) * kh * kw, ic) };
    let [_, rows, columns, _] = c.dst.dims.map(u64::from);
    // A step already is one block of output channels.
    let pixels = timing::passes(m, rows * columns, 1, slowdown(&c.src, &c.weights));
    timing::array(m, pruned.steps * pixels, m.mac.ic_lanes.into())
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
