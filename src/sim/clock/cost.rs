//! What a queue instruction costs: one function for each timing class of the ISA table.

use super::segments::Segments;
use crate::isa::TensorDesc;
use crate::machine::Machine;
use crate::sim::access::padded_dims;
use crate::sim::op::{ConvOp, OpKind};

/// How an instruction occupies its unit.
#[derive(Debug, Clone)]
pub enum Work {
    /// For so many cycles; at least 1.
    Cycles(u64),
    /// For as long as its segments take on the channel.
    Transfer(Segments),
}

fn up(n: u64, by: u32) -> u64 {
    n.div_ceil(by.into())
}

/// The work of an operation.
#[must_use]
pub fn work(kind: &OpKind, m: &Machine) -> Work {
    match Segments::of(kind, &m.dram) {
        Some(segments) => Work::Transfer(segments),
        None => Work::Cycles(cycles(kind, m).max(1)),
    }
}

/// Cycles of an operation that does not use the DRAM channel.
fn cycles(kind: &OpKind, m: &Machine) -> u64 {
    match kind {
        OpKind::Nop | OpKind::DmaIn { .. } | OpKind::DmaPad { .. } | OpKind::DmaOut { .. } => 1,
        OpKind::DmaFill { dst } | OpKind::DmaCopy { dst, .. } => {
            let elements: u64 = padded_dims(dst).iter().map(|n| u64::from(*n)).product();
            up(elements * dst.etype.bytes() as u64, m.spm.bytes_per_cycle)
        }
        OpKind::Conv(c) => mac_conv(c, m),
        OpKind::Depthwise(c) => mac_depthwise(c, m),
        OpKind::Matmul { dst, a, b, .. } => {
            let [_, _, rows, columns] = dst.dims.map(u64::from);
            let passes = up(columns, m.mac.oc_lanes) * up(rows, m.mac.pixel_lanes);
            array(m, passes * slowdown(a, b), u64::from(a.dims[3]))
        }
        OpKind::MaxPool { dst, window, .. } | OpKind::AvgPool { dst, window, .. } => {
            let taps = u64::from(window.kernel[0]) * u64::from(window.kernel[1]);
            u64::from(m.vec.latency_cycles) + vectors(dst, m) * taps
        }
        OpKind::Fold { dst, src, .. } => {
            let rows: u64 = dst.dims[..3].iter().map(|n| u64::from(*n)).product();
            u64::from(m.vec.latency_cycles) + rows * up(src.dims[3].into(), m.vec.lanes)
        }
        OpKind::Softmax { dst, .. } => u64::from(m.vec.latency_cycles) + 3 * vectors(dst, m),
        OpKind::Resize { dst, .. } => u64::from(m.vec.latency_cycles) + 4 * vectors(dst, m),
        OpKind::Rsum { src, .. } => u64::from(m.vec.latency_cycles) + vectors(src, m),
        OpKind::Requant { dst, .. }
        | OpKind::Store { dst, .. }
        | OpKind::Add { dst, .. }
        | OpKind::Mul { dst, .. }
        | OpKind::Lut { dst, .. }
        | OpKind::Quantize { dst, .. }
        | OpKind::F1 { dst, .. }
        | OpKind::F2 { dst, .. }
        | OpKind::Dequantize { dst, .. } => u64::from(m.vec.latency_cycles) + vectors(dst, m),
    }
}

/// `D0·D1·D2·⌈D3 / lanes⌉`.
fn vectors(d: &TensorDesc, m: &Machine) -> u64 {
    let [a, b, c, channels] = d.dims.map(u64::from);
    a * b * c * up(channels, m.vec.lanes)
}

/// Fill, `passes · ⌈reduction / ic_lanes⌉`, drain.
fn array(m: &Machine, passes: u64, reduction: u64) -> u64 {
    u64::from(m.mac.fill_cycles) + passes * up(reduction, m.mac.ic_lanes) + u64::from(m.mac.drain_cycles)
}

fn passes(c: &ConvOp, m: &Machine) -> u64 {
    let [_, rows, columns, channels] = c.dst.dims.map(u64::from);
    up(channels, m.mac.oc_lanes) * up(rows * columns, m.mac.pixel_lanes) * slowdown(&c.src, &c.weights)
}

/// Passes of the array for one product: 8×8 bits one, 16×8 two, 16×16 four.
fn slowdown(a: &TensorDesc, b: &TensorDesc) -> u64 {
    (a.etype.bytes() * b.etype.bytes()) as u64
}

fn mac_conv(c: &ConvOp, m: &Machine) -> u64 {
    let [_, kh, kw, ic] = c.weights.dims.map(u64::from);
    let Some(pruned) = &c.pruned else { return array(m, passes(c, m) * kh * kw, ic) };
    let [_, rows, columns, _] = c.dst.dims.map(u64::from);
    let pixels = up(rows * columns, m.mac.pixel_lanes) * slowdown(&c.src, &c.weights);
    array(m, pruned.steps * pixels, m.mac.ic_lanes.into())
}

fn mac_depthwise(c: &ConvOp, m: &Machine) -> u64 {
    let [_, kh, kw, _] = c.weights.dims.map(u64::from);
    array(m, passes(c, m), kh * kw)
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
        _ => 0,
    }
}
