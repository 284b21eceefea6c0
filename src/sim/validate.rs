//! Whether a captured operation is legal on a machine, whatever its operands contain.
//!
//! Engines rely on this check: addresses, extents and types of a checked operation are in range.

use std::convert::Infallible;

use super::access::{self, Region, Row, Span, Spans, padded_dims, span};
use super::fault::FaultKind;
use super::op::{ConvOp, OpKind, QueueOp, mac_op};
use crate::isa::limits::{MAX_ELEMENTS, MAX_EXTENT, MAX_SUM, max_reduction};
use crate::isa::{EType, Profile, QuantDesc, QuantMode, Space, TensorDesc, WindowDesc};
use crate::machine::Machine;

/// Most multiply-accumulates of one instruction.
const MAX_MACS: u64 = 1 << 40;
/// Origins, bases and strides stay below this, so that no address computation can overflow.
const MAX_ADDRESS: u64 = 1 << 48;
const MAX_STRIDE: u64 = 1 << 36;

/// Sizes of the three memories and of the read-only part of DRAM.
#[derive(Debug, Clone, Copy)]
pub struct Memories {
    /// DRAM bytes that the program uses.
    pub dram: u64,
    /// First writable DRAM address.
    pub writable: u64,
    /// Scratchpad bytes.
    pub spm: u64,
    /// Accumulator bytes.
    pub acc: u64,
}

impl Memories {
    /// Bytes of a memory.
    #[must_use]
    pub fn size(&self, space: Space) -> u64 {
        match space {
            Space::Dram => self.dram,
            Space::Spm => self.spm,
            Space::Acc => self.acc,
        }
    }
}

/// Checks an operation; returns the spans of its operands.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(op: &QueueOp, machine: &Machine, memories: &Memories) -> Result<Spans, FaultKind> {
    let kind = &op.kind;
    operands(kind)?;
    if let Some(quant) = kind.quant() {
        let name = quant.profile.name();
        if !machine.profiles.iter().any(|p| p == name) {
            return Err(illegal(format!(
                "machine {} does not have the numeric profile {name}",
                machine.name
            )));
        }
        let knows = matches!(kind, OpKind::Requant { .. } | OpKind::Add { .. } | OpKind::Mul { .. });
        require(
            quant.profile == Profile::Onnx || knows,
            "only vec.requant, vec.add and vec.mul know the q31 profiles",
        )?;
        require(quant.rescales().iter().all(|r| r.shift < 64), "the shift of a multiplier is more than 63")?;
    }
    if let Some(dst) = kind.dst() {
        distinct(dst)?;
        if dst.space == Space::Acc {
            let (lo, hi) = span(dst, dst.dims);
            let limit = (machine.acc.bytes / 2) as i64;
            if hi - lo > limit {
                return Err(FaultKind::AccumulatorTooLarge { bytes: hi - lo, limit });
            }
        }
    }
    let spans = Spans::of(kind);
    in_range(kind, &spans, memories)?;
    // Only what meets the result can overlap it.
    if spans.iter().any(|result| result.writes && spans.iter().any(|s| !s.writes && s.meets(result))) {
        overlap(kind)?;
    }
    Ok(spans)
}

fn illegal(reason: impl Into<String>) -> FaultKind {
    FaultKind::IllegalOperand { reason: reason.into() }
}

fn require(holds: bool, reason: &str) -> Result<(), FaultKind> {
    if holds { Ok(()) } else { Err(illegal(reason)) }
}

/// What every tensor operand must satisfy, whatever the instruction.
fn tensor(d: &TensorDesc, name: &str, space: Space, types: &[EType]) -> Result<(), FaultKind> {
    if d.space != space {
        return Err(illegal(format!("{name} lies in {}, not in {}", d.space.name(), space.name())));
    }
    if !types.contains(&d.etype) {
        let wanted: Vec<&str> = types.iter().map(|t| t.name()).collect();
        return Err(illegal(format!("{name} has type {}, not {}", d.etype.name(), wanted.join(" or "))));
    }
    if let Some(bad) = d.dims.iter().find(|n| **n == 0 || **n > MAX_EXTENT) {
        return Err(illegal(format!("{name} has an extent of {bad}; extents are 1 … 2^24")));
    }
    if d.dims.iter().map(|n| u128::from(*n)).product::<u128>() > MAX_ELEMENTS.into() {
        return Err(illegal(format!("{name} has more than 2^30 elements")));
    }
    if d.base.unsigned_abs() > MAX_ADDRESS || d.strides.iter().any(|s| s.unsigned_abs() > MAX_STRIDE) {
        return Err(illegal(format!("{name} has a base beyond 2^48 or a stride beyond 2^36")));
    }
    let size = d.etype.bytes() as i64;
    if d.base % size != 0 || d.strides.iter().any(|s| s % size != 0) {
        return Err(illegal(format!("{name}: base and strides must be multiples of {size} bytes")));
    }
    let zero_point = d.zero_point;
    let legal = match d.etype.int_range() {
        Some([lo, hi]) => (lo..=hi).contains(&zero_point),
        None => d.etype != EType::F32 || zero_point == 0,
    };
    if !legal {
        return Err(illegal(format!("{name}: zero point {zero_point} is outside {}", d.etype.name())));
    }
    Ok(())
}

const BYTES: &[EType] = &[EType::U8, EType::S8];
const SUMS: &[EType] = &[EType::S32, EType::S64];
const RESIZED: &[EType] = &[EType::U8, EType::S8, EType::F32];
const SMALL: &[EType] = &[EType::U8, EType::S8, EType::U16, EType::S16];
const ANY: &[EType] = &EType::ALL;
const INTEGERS: &[EType] = &[EType::U8, EType::S8, EType::U16, EType::S16, EType::S32, EType::S64];

fn same_dims(a: &TensorDesc, b: &TensorDesc) -> Result<(), FaultKind> {
    if a.dims == b.dims {
        return Ok(());
    }
    Err(illegal(format!("extents differ: {:?} and {:?}", a.dims, b.dims)))
}

fn same_size(a: &TensorDesc, b: &TensorDesc) -> Result<(), FaultKind> {
    require(a.etype.bytes() == b.etype.bytes(), "element types of source and destination differ in size")
}

fn operands(kind: &OpKind) -> Result<(), FaultKind> {
    match kind {
        OpKind::Nop => Ok(()),
        OpKind::DmaIn { dst, src } => {
            tensor(dst, "destination", Space::Spm, ANY)?;
            tensor(src, "source", Space::Dram, ANY)?;
            same_size(dst, src)?;
            same_dims(dst, src)
        }
        OpKind::DmaPad { dst, src, window: w } => {
            tensor(dst, "destination", Space::Spm, ANY)?;
            tensor(src, "source", Space::Dram, ANY)?;
            window(w)?;
            same_size(dst, src)?;
            require(
                dst.dims[0] == src.dims[0] && dst.dims[3] == src.dims[3],
                "the outer and inner extents of source and destination differ",
            )?;
            let room = |axis: usize| {
                i64::from(w.pads[axis]) + i64::from(src.dims[axis + 1]) <= i64::from(dst.dims[axis + 1])
            };
            require(room(0) && room(1), "the padded source does not fit into the destination")
        }
        OpKind::Gather { dst, src, ids } => {
            tensor(dst, "destination", Space::Spm, ANY)?;
            tensor(src, "source", Space::Dram, ANY)?;
            tensor(ids, "ids", Space::Spm, INTEGERS)?;
            same_size(dst, src)?;
            let flat = |d: &TensorDesc| d.dims[0] == 1 && d.dims[1] == 1;
            require(
                flat(dst) && flat(src) && dst.dims[3] == src.dims[3] && ids.dims == [1, 1, 1, dst.dims[2]],
                "a gather turns [1, 1, N, C] and ids [1, 1, 1, R] into [1, 1, R, C]",
            )?;
            let gaps = src.dims[3] > 1 && src.strides[3] != src.etype.bytes() as i64;
            require(!gaps, "the rows of the source have gaps")
        }
        OpKind::DmaFill { dst } => tensor(dst, "destination", Space::Spm, ANY),
        OpKind::DmaCopy { dst, src } => {
            tensor(dst, "destination", Space::Spm, ANY)?;
            tensor(src, "source", Space::Spm, ANY)?;
            same_size(dst, src)?;
            same_dims(dst, src)
        }
        OpKind::DmaOut { dst, src } => {
            tensor(dst, "destination", Space::Dram, ANY)?;
            tensor(src, "source", Space::Spm, ANY)?;
            same_size(dst, src)?;
            same_dims(dst, src)
        }
        OpKind::Conv(c) => dense(c),
        OpKind::Depthwise(c) => depthwise(c),
        OpKind::Matmul { dst, a, b, bias, .. } => {
            tensor(a, "a", Space::Spm, SMALL)?;
            tensor(b, "b", Space::Spm, SMALL)?;
            accumulators(dst, a, Some(b))?;
            let flat = |d: &TensorDesc| d.dims[0] == 1 && d.dims[1] == 1;
            require(flat(dst) && flat(a) && flat(b), "matrices have extents [1, 1, rows, columns]")?;
            require(
                dst.dims[2] == a.dims[2] && dst.dims[3] == b.dims[3] && a.dims[3] == b.dims[2],
                "the extents of a matrix product do not agree",
            )?;
            reduction(u64::from(a.dims[3]), dst)?;
            start_values(bias.as_ref(), dst)
        }
        OpKind::Requant { dst, src, quant } => {
            tensor(dst, "destination", Space::Spm, SMALL)?;
            tensor(src, "source", Space::Acc, SUMS)?;
            same_dims(dst, src)?;
            quantization(quant, dst)?;
            multipliers(quant)
        }
        OpKind::Store { dst, src } => {
            tensor(dst, "destination", Space::Spm, SUMS)?;
            tensor(src, "source", Space::Acc, SUMS)?;
            if (dst.etype, src.etype) != (EType::S32, EType::S64) {
                same_size(dst, src)?;
            }
            same_dims(dst, src)
        }
        OpKind::Add { dst, a, b, quant } | OpKind::Mul { dst, a, b, quant } => {
            tensor(dst, "destination", Space::Spm, SMALL)?;
            tensor(a, "a", Space::Spm, SMALL)?;
            tensor(b, "b", Space::Spm, SMALL)?;
            same_dims(dst, a)?;
            same_dims(dst, b)?;
            scalar_quantization(quant, dst)
        }
        OpKind::Lut { dst, src, table } => {
            tensor(dst, "destination", Space::Spm, SMALL)?;
            tensor(src, "source", Space::Spm, BYTES)?;
            tensor(table, "table", Space::Spm, SMALL)?;
            same_size(dst, table)?;
            require(table.dims == [1, 1, 1, 256], "a table has extents [1, 1, 1, 256]")?;
            same_dims(dst, src)
        }
        OpKind::MaxPool { dst, src, window: w, origin } => pool(dst, src, w, *origin),
        OpKind::AvgPool { dst, src, quant, window: w, origin, .. } => {
            pool(dst, src, w, *origin)?;
            scalar_quantization(quant, dst)
        }
        OpKind::Rsum { dst, src, .. } => {
            tensor(src, "source", Space::Spm, SMALL)?;
            accumulators(dst, src, None)?;
            require(
                dst.dims[..3] == [1, 1, 1] && src.dims[0] == 1 && dst.dims[3] == src.dims[3],
                "a reduction turns [1, H, W, C] into [1, 1, 1, C]",
            )?;
            let length = u64::from(src.dims[1]) * u64::from(src.dims[2]);
            let limit = MAX_SUM;
            if length > limit { Err(FaultKind::ReductionTooLong { length, limit }) } else { Ok(()) }
        }
        OpKind::Quantize { dst, src, quant } => {
            tensor(dst, "destination", Space::Spm, SMALL)?;
            tensor(src, "source", Space::Spm, &[EType::F32])?;
            same_dims(dst, src)?;
            scalar_quantization(quant, dst)
        }
        OpKind::Dequantize { dst, src, quant } => {
            tensor(dst, "destination", Space::Spm, &[EType::F32])?;
            if src.space == Space::Acc {
                tensor(src, "source", Space::Acc, SUMS)?;
                require(src.zero_point == 0, "accumulators have no zero point")?;
            } else {
                tensor(src, "source", Space::Spm, SMALL)?;
            }
            multipliers(quant)?;
            same_dims(dst, src)
        }
        OpKind::F1 { dst, src, .. } => {
            floats(dst, "destination")?;
            floats(src, "source")?;
            same_dims(dst, src)
        }
        OpKind::F2 { dst, a, b, .. } => {
            floats(dst, "destination")?;
            floats(a, "a")?;
            floats(b, "b")?;
            same_dims(dst, a)?;
            same_dims(dst, b)
        }
        OpKind::Fold { dst, src, .. } => {
            floats(dst, "destination")?;
            floats(src, "source")?;
            require(
                dst.dims[..3] == src.dims[..3] && dst.dims[3] == 1,
                "a fold turns [A, B, C, N] into [A, B, C, 1]",
            )
        }
        OpKind::Softmax { dst, src, table, quant } => {
            tensor(dst, "destination", Space::Spm, BYTES)?;
            tensor(src, "source", Space::Spm, BYTES)?;
            floats(table, "table")?;
            require(table.dims == [1, 1, 1, 256], "a table has extents [1, 1, 1, 256]")?;
            same_dims(dst, src)?;
            scalar_quantization(quant, dst)
        }
        OpKind::Resize { dst, src, rows, cols } => {
            tensor(dst, "destination", Space::Spm, RESIZED)?;
            tensor(src, "source", Space::Spm, RESIZED)?;
            tensor(rows, "rows", Space::Spm, &[EType::S32])?;
            tensor(cols, "cols", Space::Spm, &[EType::S32])?;
            require(dst.etype == src.etype, "source and destination have different types")?;
            require(
                dst.dims[0] == 1 && src.dims[0] == 1 && dst.dims[3] == src.dims[3],
                "a resize turns [1, H, W, C] into [1, OH, OW, C]",
            )?;
            require(
                rows.dims == [1, 1, dst.dims[1], 4] && cols.dims == [1, 1, dst.dims[2], 4],
                "the tables of a resize have extents [1, 1, rows, 4] and [1, 1, columns, 4]",
            )
        }
    }
}

fn floats(d: &TensorDesc, name: &str) -> Result<(), FaultKind> {
    tensor(d, name, Space::Spm, &[EType::F32])
}

/// Accumulators have 32 bits if every operand has 8, else 64.
fn accumulators(dst: &TensorDesc, a: &TensorDesc, b: Option<&TensorDesc>) -> Result<(), FaultKind> {
    let wide = a.etype.bytes() > 1 || b.is_some_and(|b| b.etype.bytes() > 1);
    tensor(dst, "destination", Space::Acc, if wide { &[EType::S64] } else { &[EType::S32] })
}

fn multipliers(quant: &QuantDesc) -> Result<(), FaultKind> {
    let legal = quant.table % 4 == 0 && quant.table.unsigned_abs() <= MAX_ADDRESS;
    require(legal, "the multipliers are not aligned to 4, or lie beyond 2^48")
}

fn window(w: &WindowDesc) -> Result<(), FaultKind> {
    let positive = w.kernel.iter().chain(&w.stride).chain(&w.dilation).all(|v| *v >= 1);
    require(positive, "kernel, stride and dilation are at least 1")?;
    require(w.pads.iter().all(|p| *p >= 0), "pads are at least 0")
}

fn placed(w: &WindowDesc, origin: [i64; 2]) -> Result<(), FaultKind> {
    window(w)?;
    let legal = origin.iter().all(|o| (0..=i64::from(MAX_EXTENT)).contains(o));
    require(legal, "the origin of a tile is 0 … 2^24")
}

fn pool(dst: &TensorDesc, src: &TensorDesc, w: &WindowDesc, origin: [i64; 2]) -> Result<(), FaultKind> {
    tensor(dst, "destination", Space::Spm, SMALL)?;
    tensor(src, "source", Space::Spm, SMALL)?;
    placed(w, origin)?;
    require(dst.etype == src.etype, "source and destination have different types")?;
    require(
        dst.dims[0] == 1 && src.dims[0] == 1 && dst.dims[3] == src.dims[3],
        "a pool turns [1, H, W, C] into [1, OH, OW, C]",
    )?;
    let taps = u64::from(w.kernel[0]) * u64::from(w.kernel[1]);
    let outputs = dst.dims.iter().map(|n| u64::from(*n)).product::<u64>();
    require(taps <= MAX_MACS / outputs, "the tile has more than 2^40 taps")
}

fn start_values(bias: Option<&TensorDesc>, dst: &TensorDesc) -> Result<(), FaultKind> {
    let Some(bias) = bias else { return Ok(()) };
    tensor(bias, "bias", Space::Spm, &[dst.etype])?;
    require(bias.dims == [1, 1, 1, dst.dims[3]], "a bias has extents [1, 1, 1, channels]")
}

fn reduction(length: u64, dst: &TensorDesc) -> Result<(), FaultKind> {
    let limit = max_reduction(dst.etype);
    if length > limit {
        return Err(FaultKind::ReductionTooLong { length, limit });
    }
    let outputs = dst.dims.iter().map(|n| u64::from(*n)).product::<u64>();
    require(length <= MAX_MACS / outputs, "the tile has more than 2^40 multiply-accumulates")
}

fn convolution(c: &ConvOp) -> Result<(), FaultKind> {
    tensor(&c.src, "source", Space::Spm, SMALL)?;
    tensor(&c.weights, "weights", Space::Spm, SMALL)?;
    accumulators(&c.dst, &c.src, Some(&c.weights))?;
    placed(&c.window, c.origin)?;
    start_values(c.bias.as_ref(), &c.dst)?;
    require(c.dst.dims[0] == 1 && c.src.dims[0] == 1, "a convolution tile has one image")?;
    let [kh, kw] = c.window.kernel.map(u32::from);
    require(c.weights.dims[1] == kh && c.weights.dims[2] == kw, "kernel extents of window and weights differ")
}

fn dense(c: &ConvOp) -> Result<(), FaultKind> {
    convolution(c)?;
    require(c.weights.strides == [0; 4], "packed weights have strides of zero")?;
    require(
        c.weights.dims[0] == c.dst.dims[3] && c.weights.dims[3] == c.src.dims[3],
        "the channels of source, weights and destination do not agree",
    )?;
    let [_, kh, kw, ic] = c.weights.dims.map(u64::from);
    reduction(kh * kw * ic, &c.dst)
}

fn depthwise(c: &ConvOp) -> Result<(), FaultKind> {
    convolution(c)?;
    require(
        c.weights.dims[0] == 1 && c.weights.dims[3] == c.dst.dims[3] && c.weights.dims[3] == c.src.dims[3],
        "the channels of source, weights and destination do not agree",
    )?;
    let [_, kh, kw, _] = c.weights.dims.map(u64::from);
    reduction(kh * kw, &c.dst)
}

fn quantization(q: &QuantDesc, dst: &TensorDesc) -> Result<(), FaultKind> {
    let Some([least, most]) = dst.etype.int_range() else {
        return Err(illegal("the destination of a quantization is no small integer"));
    };
    let inside = |v: i32| (least..=most).contains(&v);
    require(q.lo <= q.hi, "the clamp's lower bound lies above its upper bound")?;
    require(inside(q.lo) && inside(q.hi), "the clamp leaves the destination's type")?;
    require(inside(q.zero_point), "the output zero point leaves the destination's type")
}

fn scalar_quantization(q: &QuantDesc, dst: &TensorDesc) -> Result<(), FaultKind> {
    require(q.mode == QuantMode::Tensor, "per-channel multipliers belong to vec.requant")?;
    quantization(q, dst)
}

/// Every element of a destination has its own bytes: extents nest, with the smallest stride innermost.
fn distinct(d: &TensorDesc) -> Result<(), FaultKind> {
    let mut axes: Vec<(i64, i64)> = d
        .strides
        .iter()
        .zip(padded_dims(d))
        .filter(|(_, n)| *n > 1)
        .map(|(s, n)| (s.abs(), n.into()))
        .collect();
    axes.sort_unstable();
    let mut reach = d.etype.bytes() as i64;
    for (stride, extent) in axes {
        if stride < reach {
            return Err(illegal("elements of the destination overlap each other"));
        }
        reach += stride * (extent - 1);
    }
    Ok(())
}

fn in_range(kind: &OpKind, spans: &Spans, m: &Memories) -> Result<(), FaultKind> {
    let fits = |s: &Span| {
        let least = if s.writes && s.space == Space::Dram { m.writable } else { 0 };
        s.lo >= least as i64 && s.hi <= m.size(s.space) as i64
    };
    // Only an error needs the row.
    if spans.iter().all(fits) { Ok(()) } else { first_outside(kind, m) }
}

fn first_outside(kind: &OpKind, m: &Memories) -> Result<(), FaultKind> {
    access::for_each_row(kind, &mut |row: Row, writes| {
        let size = m.size(row.space);
        if row.start < 0 || row.start + row.len > size as i64 {
            let address = if row.start < 0 { row.start } else { row.start.max(size as i64) };
            return Err(FaultKind::OutOfRange { space: row.space, address, size });
        }
        if writes && row.space == Space::Dram && (row.start as u64) < m.writable {
            return Err(FaultKind::WriteToConstants { address: row.start, limit: m.writable });
        }
        Ok(())
    })
}

/// Source and destination share bytes only element by element in place.
fn overlap(kind: &OpKind) -> Result<(), FaultKind> {
    let Some(dst) = kind.dst() else { return Ok(()) };
    let in_place = |s: &TensorDesc| {
        s.base == dst.base
            && s.dims == dst.dims
            && (0..4).all(|axis| s.dims[axis] == 1 || s.strides[axis] == dst.strides[axis])
            && s.etype.bytes() == dst.etype.bytes()
    };
    let elementwise: Vec<&TensorDesc> = match kind {
        OpKind::DmaCopy { src, .. } | OpKind::Lut { src, .. } => vec![src],
        OpKind::Quantize { src, .. } | OpKind::Dequantize { src, .. } | OpKind::F1 { src, .. } => vec![src],
        OpKind::Add { a, b, .. } | OpKind::Mul { a, b, .. } | OpKind::F2 { a, b, .. } => vec![a, b],
        // Source and destination are in different memories, or several elements make one of the result.
        OpKind::Nop
        | mac_op!()
        | OpKind::DmaIn { .. }
        | OpKind::DmaPad { .. }
        | OpKind::Gather { .. }
        | OpKind::DmaFill { .. }
        | OpKind::DmaOut { .. }
        | OpKind::Requant { .. }
        | OpKind::Store { .. }
        | OpKind::MaxPool { .. }
        | OpKind::AvgPool { .. }
        | OpKind::Rsum { .. }
        | OpKind::Fold { .. }
        | OpKind::Softmax { .. }
        | OpKind::Resize { .. } => vec![],
    };
    let (lo, hi) = span(dst, padded_dims(dst));
    let mut reads = Vec::new();
    let mut collect = |region: &Region<'_>| {
        let meets = |(first, end): (i64, i64)| region.space() == dst.space && first < hi && lo < end;
        if region.span().is_some_and(meets) {
            let Ok(()) = region.rows::<Infallible>(&mut |row| {
                if row.start < hi && lo < row.start + row.len {
                    reads.push(row);
                }
                Ok(())
            });
        }
    };
    if kind.accumulates() || elementwise.iter().any(|s| in_place(s)) {
        // Accumulators and in-place operands are read where they are written, element by element. All other
        // operands must be disjoint from the destination; their rows are checked below.
        let table = if let OpKind::Lut { table, .. } = kind { Some(table) } else { None };
        for s in elementwise.into_iter().filter(|s| !in_place(s)).chain(table) {
            collect(&Region::Box(s, s.dims));
        }
    } else {
        let Ok(()) = access::for_each_region::<Infallible>(kind, &mut |region, writes| {
            if !writes {
                collect(&region);
            }
            Ok(())
        });
    }
    let mut written: Option<Vec<(i64, i64)>> = None;
    for read in reads {
        let rows = written.get_or_insert_with(|| {
            let mut rows = Vec::new();
            let Ok(()) = Region::Box(dst, padded_dims(dst)).runs::<Infallible>(&mut |row| {
                rows.push((row.start, row.start + row.len));
                Ok(())
            });
            rows.sort_unstable();
            rows
        });
        // Written rows are disjoint, so the first one that ends behind the read's start decides.
        let at = rows.partition_point(|(_, end)| *end <= read.start);
        if let Some((start, _)) = rows.get(at).filter(|(start, _)| *start < read.start + read.len) {
            return Err(FaultKind::Overlap { space: read.space, address: read.start.max(*start) });
        }
    }
    Ok(())
}
