//! Cutting an operation into parts that write different bytes and together compute its whole result.

use std::ops::Range;

use crate::isa::{QuantMode, TensorDesc};
use crate::sim::access::padded_dims;
use crate::sim::clock::cost::macs;
use crate::sim::op::{OpKind, QueueOp, dma_op};
use crate::sim::plan::Unit;

/// Approximate duration of an operation, in multiply-accumulates of a dense convolution.
pub(super) fn work(kind: &OpKind) -> u64 {
    let elements = |d: &TensorDesc| d.dims.iter().map(|n| u64::from(*n)).product::<u64>();
    match kind {
        // Writing the sums takes time too.
        OpKind::Conv(_) | OpKind::Matmul { .. } => macs(kind) + kind.dst().map_or(0, elements) * 64,
        // Slower kernels, as measured on EfficientNet-Lite0.
        OpKind::Depthwise(_) => macs(kind) * 12,
        OpKind::MaxPool { dst, window, .. } | OpKind::AvgPool { dst, window, .. } => {
            elements(dst) * 16 * u64::from(window.kernel[0]) * u64::from(window.kernel[1])
        }
        OpKind::Nop
        | dma_op!()
        | OpKind::Requant { .. }
        | OpKind::Store { .. }
        | OpKind::Add { .. }
        | OpKind::Mul { .. }
        | OpKind::Lut { .. }
        | OpKind::Rsum { .. }
        | OpKind::Quantize { .. }
        | OpKind::Dequantize { .. }
        | OpKind::F1 { .. }
        | OpKind::F2 { .. }
        | OpKind::Fold { .. }
        | OpKind::Softmax { .. }
        | OpKind::Resize { .. } => kind.dst().map_or(0, |d| elements(d) * d.etype.bytes() as u64 * 32),
    }
}

/// Parts of an unmerged unit whose instructions have results of equal extents: at most `parts`, or only the
/// unit itself if it cannot be cut.
pub(super) fn split(unit: &Unit, parts: usize) -> Vec<Unit> {
    let kind = &unit.first().kind;
    let axis = if parts > 1 { axis(kind, parts as u32) } else { None };
    let (Some(dst), Some(axis)) = (kind.dst(), axis) else { return vec![unit.clone()] };
    // Inside the innermost extent, parts begin at whole vectors.
    let grain = if axis == 3 { 64 } else { 1 };
    let extent = dst.dims[axis];
    let each = extent.div_ceil(parts as u32).next_multiple_of(grain);
    let firsts = (0..extent).step_by(each as usize);
    firsts.map(|from| cut(unit, axis, from, each.min(extent - from))).collect()
}

/// The part of a unit that computes the given rows of its result.
pub(super) fn rows(unit: &Unit, rows: Range<u32>) -> Unit {
    cut(unit, 1, rows.start, rows.end - rows.start)
}

fn cut(unit: &Unit, axis: usize, from: u32, n: u32) -> Unit {
    unit.map(|op| part(op, axis, from, n))
}

/// The axis of the result along which an operation is cut: the outermost one that gives parts of nearly equal
/// length, or else one that is long enough; `None` if there is none.
fn axis(kind: &OpKind, parts: u32) -> Option<usize> {
    let dst = kind.dst()?;
    let (axes, innermost) = match kind {
        // The outer extent of images is 1.
        OpKind::Conv(_) | OpKind::Depthwise(_) | OpKind::MaxPool { .. } | OpKind::AvgPool { .. } => {
            (1..3, false)
        }
        OpKind::Requant { quant, .. } | OpKind::Dequantize { quant, .. } => {
            (0..3, quant.mode == QuantMode::Tensor)
        }
        OpKind::DmaIn { .. }
        | OpKind::DmaOut { .. }
        | OpKind::DmaCopy { .. }
        | OpKind::DmaFill { .. }
        | OpKind::Store { .. }
        | OpKind::Add { .. }
        | OpKind::Mul { .. }
        | OpKind::Lut { .. }
        | OpKind::Quantize { .. } => (0..3, true),
        // These are not cut: `dma.pad` writes other rows than it reads; a fault says which of all ids is
        // illegal; sums and tables of positions concern all rows; functions of f32 are short.
        OpKind::Nop
        | OpKind::DmaPad { .. }
        | OpKind::Gather { .. }
        | OpKind::Matmul { .. }
        | OpKind::Rsum { .. }
        | OpKind::F1 { .. }
        | OpKind::F2 { .. }
        | OpKind::Fold { .. }
        | OpKind::Softmax { .. }
        | OpKind::Resize { .. } => return None,
    };
    let long = |axis: &usize| dst.dims[*axis] >= parts;
    let even =
        |axis: &usize| long(axis) && dst.dims[*axis].div_ceil(parts) * parts <= dst.dims[*axis] * 9 / 8;
    axes.clone().find(even).or_else(|| axes.clone().find(long)).or_else(|| {
        let bare = padded_dims(dst)[3] == dst.dims[3];
        (innermost && bare && dst.dims[3] >= parts * 64).then_some(3)
    })
}

/// The part of an operation that computes `n` elements of an axis of its result, starting at `from`.
fn part(op: &QueueOp, axis: usize, from: u32, n: u32) -> QueueOp {
    let mut op = op.clone();
    let cut = |d: &mut TensorDesc| {
        d.base += i64::from(from) * d.strides[axis];
        d.dims[axis] = n;
    };
    match &mut op.kind {
        OpKind::Conv(c) | OpKind::Depthwise(c) => {
            cut(&mut c.dst);
            c.origin[axis - 1] += i64::from(from);
        }
        OpKind::MaxPool { dst, origin, .. } | OpKind::AvgPool { dst, origin, .. } => {
            cut(dst);
            origin[axis - 1] += i64::from(from);
        }
        OpKind::DmaFill { dst } => cut(dst),
        OpKind::DmaIn { dst, src }
        | OpKind::DmaOut { dst, src }
        | OpKind::DmaCopy { dst, src }
        | OpKind::Store { dst, src }
        | OpKind::Requant { dst, src, .. }
        | OpKind::Quantize { dst, src, .. }
        | OpKind::Dequantize { dst, src, .. }
        | OpKind::Lut { dst, src, .. } => {
            cut(dst);
            cut(src);
        }
        OpKind::Add { dst, a, b, .. } | OpKind::Mul { dst, a, b, .. } => {
            cut(dst);
            cut(a);
            cut(b);
        }
        // These have no [`axis`].
        OpKind::Nop
        | OpKind::DmaPad { .. }
        | OpKind::Gather { .. }
        | OpKind::Matmul { .. }
        | OpKind::Rsum { .. }
        | OpKind::F1 { .. }
        | OpKind::F2 { .. }
        | OpKind::Fold { .. }
        | OpKind::Softmax { .. }
        | OpKind::Resize { .. } => {}
    }
    op
}
