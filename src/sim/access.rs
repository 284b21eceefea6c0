//! Which bytes an operation touches: the one definition that range checks, definedness, race checks and bank
//! ports share.
//!
//! Each operand is a [`Region`]. Its rows are exact, with contiguous inner extents merged: windowed
//! operations touch the union of their taps inside the image; writes include padding lanes, reads do not. Its
//! span is the interval from the lowest to one past the highest of these bytes. Checks ask the span first: it
//! costs the same for a tile of any size.

use super::op::{ConvOp, OpKind, dma_op, mac_op, vec_op};
use crate::isa::blocks::BLOCK_ELEMENTS;
use crate::isa::{Profile, QuantDesc, QuantMode, Space, TensorDesc, WindowDesc};

/// A contiguous run of bytes that an operation touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// First byte. May lie outside the memory; the range check reports that.
    pub space: Space,
    /// First byte. May lie outside the memory: the range check reports that.
    pub start: i64,
    /// Number of bytes, at least 1.
    pub len: i64,
}

/// What an operation touches of one operand.
#[derive(Debug, Clone, Copy)]
pub enum Region<'a> {
    /// A box: the descriptor's base and strides, with these extents (elements).
    Box(&'a TensorDesc, [u32; 4]),
    /// The taps of a tile that lie inside the image.
    Taps {
        /// The image.
        src: &'a TensorDesc,
        /// Geometry.
        window: &'a WindowDesc,
        /// Output row and column of the tile's first element.
        origin: [i64; 2],
        /// Output rows and columns of the tile.
        tile: [u32; 2],
    },
    /// One row.
    Run(Row),
}

impl Region<'_> {
    /// The memory.
    #[must_use]
    pub fn space(&self) -> Space {
        match self {
            Region::Box(d, _) | Region::Taps { src: d, .. } => d.space,
            Region::Run(row) => row.space,
        }
    }

    /// From its lowest byte to one past its highest; `None` for taps that all lie in the padding.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        match *self {
            Region::Box(d, dims) => Some(span(d, dims)),
            Region::Run(row) => Some((row.start, row.start + row.len)),
            Region::Taps { .. } => self.touched_box().map(|(corner, dims)| span(&corner, dims)),
        }
    }

    /// Calls `f` for every row, in the order of the elements. Stops at the first error.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn rows<E>(&self, f: &mut impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        match *self {
            Region::Box(d, dims) => boxed(d, dims, f),
            Region::Run(row) => f(row),
            Region::Taps { src, window, origin, tile } => windowed(src, window, origin, tile, f),
        }
    }
}

impl Region<'_> {
    /// Calls `f` for the same bytes in as few rows as their strides allow, in any order: where the innermost
    /// extent is not the one with the smallest stride, these are longer than [`rows`](Self::rows). Stops at
    /// the first error.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn runs<E>(&self, f: &mut impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        let Region::Box(d, dims) = *self else { return self.rows(f) };
        let mut axes = [0, 1, 2, 3];
        axes.sort_by_key(|axis| std::cmp::Reverse(d.strides[*axis].abs()));
        boxed(&TensorDesc { strides: axes.map(|axis| d.strides[axis]), ..*d }, axes.map(|axis| dims[axis]), f)
    }

    /// Calls `f` for every row of the smallest box that contains all touched bytes, padding lanes included:
    /// engines may read the whole box even where the taps skip elements of it. Stops at the first error.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn rows_of_box<E>(&self, f: &mut impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        let Region::Taps { src, .. } = *self else { return self.rows(f) };
        let Some((corner, dims)) = self.touched_box() else { return Ok(()) };
        boxed(&corner, [dims[0], dims[1], dims[2], padded_dims(src)[3]], f)
    }

    /// The part of the image between the first and the last row and column that taps touch; `None` if all
    /// taps lie in the padding.
    fn touched_box(&self) -> Option<(TensorDesc, [u32; 4])> {
        let Region::Taps { src, window, origin, tile } = *self else { return None };
        let first_last = |axis: usize| {
            let mut all = touched(window, axis, origin[axis], tile[axis], src.dims[axis + 1]);
            let first = all.next()?;
            Some((first, all.next_back().unwrap_or(first)))
        };
        let ((top, bottom), (left, right)) = (first_last(0)?, first_last(1)?);
        let [_, rows, columns, _] = src.strides;
        let corner = TensorDesc { base: src.base + top * rows + left * columns, ..*src };
        Some((corner, [1, (bottom - top + 1) as u32, (right - left + 1) as u32, src.dims[3]]))
    }
}

/// Calls `f(region, writes)` for every operand: reads first, then writes. Stops at the first error.
///
/// # Errors
/// Those of `f`.
pub fn for_each_region<E>(
    kind: &OpKind,
    f: &mut impl FnMut(Region<'_>, bool) -> Result<(), E>,
) -> Result<(), E> {
    let mut read = |region: Region<'_>| f(region, false);
    match kind {
        OpKind::Nop => return Ok(()),
        OpKind::DmaFill { .. } => {}
        OpKind::DmaIn { src, .. }
        | OpKind::DmaPad { src, .. }
        | OpKind::DmaCopy { src, .. }
        | OpKind::DmaOut { src, .. }
        | OpKind::Store { src, .. }
        | OpKind::Rsum { src, .. }
        | OpKind::Quantize { src, .. }
        | OpKind::F1 { src, .. }
        | OpKind::Fold { src, .. } => read(whole(src))?,
        OpKind::Requant { dst, src, quant } | OpKind::Dequantize { dst, src, quant } => {
            read(whole(src))?;
            if let Some(row) = multipliers(quant, dst) {
                read(Region::Run(row))?;
            }
        }
        OpKind::Conv(c) => {
            read(taps(&c.src, &c.window, c.origin, &c.dst))?;
            weights(kind).map_or(Ok(()), &mut read)?;
            c.bias.iter().try_for_each(|b| read(whole(b)))?;
        }
        OpKind::Depthwise(c) => {
            read(taps(&c.src, &c.window, c.origin, &c.dst))?;
            weights(kind).map_or(Ok(()), &mut read)?;
            c.bias.iter().try_for_each(|b| read(whole(b)))?;
        }
        OpKind::Matmul { a, b, bias, .. } => {
            read(whole(a))?;
            read(whole(b))?;
            bias.iter().try_for_each(|b| read(whole(b)))?;
        }
        OpKind::Add { a, b, .. } | OpKind::Mul { a, b, .. } | OpKind::F2 { a, b, .. } => {
            read(whole(a))?;
            read(whole(b))?;
        }
        OpKind::Lut { src, table, .. } | OpKind::Softmax { src, table, .. } => {
            read(whole(src))?;
            read(whole(table))?;
        }
        OpKind::Gather { src, ids, .. } => {
            // The rows read depend on the ids, so the whole table counts as read.
            read(whole(src))?;
            read(whole(ids))?;
        }
        OpKind::Resize { src, rows, cols, .. } => {
            // The neighbours read depend on the tables, so the whole source counts as read.
            read(whole(src))?;
            read(whole(rows))?;
            read(whole(cols))?;
        }
        OpKind::MaxPool { dst, src, window, origin } | OpKind::AvgPool { dst, src, window, origin, .. } => {
            read(taps(src, window, *origin, dst))?;
        }
    }
    let Some(dst) = kind.dst() else { return Ok(()) };
    if kind.accumulates() {
        read(whole(dst))?;
    }
    f(Region::Box(dst, padded_dims(dst)), true)
}

/// From the lowest to one past the highest byte of an operand.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The memory.
    pub space: Space,
    /// Lowest byte.
    pub lo: i64,
    /// One past the highest.
    pub hi: i64,
    /// Whether it is the result.
    pub writes: bool,
}

impl Span {
    /// Whether two operands may share bytes, one of them written.
    #[must_use]
    pub fn meets(&self, other: &Span) -> bool {
        self.space == other.space && (self.writes || other.writes) && self.lo < other.hi && other.lo < self.hi
    }
}

/// The spans of an operation's operands: reads first, then the result.
#[derive(Debug, Clone, Copy)]
pub struct Spans {
    /// The first `len` are operands.
    spans: [Span; OPERANDS],
    len: usize,
}

/// Most operands of an operation: a convolution that adds to its accumulators reads image, weights, bias and
/// sums, and writes sums.
const OPERANDS: usize = 5;

impl Spans {
    /// The spans of the operands that touch any bytes.
    #[must_use]
    pub fn of(kind: &OpKind) -> Spans {
        let none = Span { space: Space::Dram, lo: 0, hi: 0, writes: false };
        let mut all = Spans { spans: [none; OPERANDS], len: 0 };
        let Ok(()) = for_each_region::<std::convert::Infallible>(kind, &mut |region, writes| {
            if let Some((lo, hi)) = region.span() {
                all.spans[all.len] = Span { space: region.space(), lo, hi, writes };
                all.len += 1;
            }
            Ok(())
        });
        all
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().take(self.len)
    }

    /// Leaves out those for which `keep` is false.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&Span) -> bool) -> Spans {
        let mut left = Spans { len: 0, ..*self };
        for span in self.iter().filter(|span| keep(span)) {
            left.spans[left.len] = *span;
            left.len += 1;
        }
        left
    }
}

/// The weights that a convolution reads; `None` for other operations, and if all blocks are absent.
#[must_use]
pub fn weights(kind: &OpKind) -> Option<Region<'_>> {
    match kind {
        OpKind::Conv(c) => {
            let len = packed_weight_bytes(c);
            let row = Row { space: c.weights.space, start: c.weights.base, len };
            (len > 0).then_some(Region::Run(row))
        }
        OpKind::Depthwise(c) => Some(whole(&c.weights)),
        OpKind::Matmul { .. } | OpKind::Nop | dma_op!() | vec_op!() => None,
    }
}

fn taps<'a>(src: &'a TensorDesc, window: &'a WindowDesc, origin: [i64; 2], dst: &TensorDesc) -> Region<'a> {
    Region::Taps { src, window, origin, tile: [dst.dims[1], dst.dims[2]] }
}

/// Calls `f(row, writes)` for every row, in the order of the elements: reads first, then writes. Stops at the
/// first error.
///
/// # Errors
/// Those of `f`.
pub fn for_each_row<E>(kind: &OpKind, f: &mut impl FnMut(Row, bool) -> Result<(), E>) -> Result<(), E> {
    for_each_region(kind, &mut |region, writes| region.rows(&mut |row| f(row, writes)))
}

/// Extents, the innermost one rounded up to the descriptor's lanes.
#[must_use]
pub fn padded_dims(d: &TensorDesc) -> [u32; 4] {
    let lanes = u32::from(d.lanes).max(1);
    [d.dims[0], d.dims[1], d.dims[2], d.dims[3].div_ceil(lanes) * lanes]
}

/// Bytes of the packed weights of a dense convolution (see *Layouts* in the manual).
#[must_use]
pub fn packed_weight_bytes(c: &ConvOp) -> i64 {
    let [oc, kh, kw, ic] = c.weights.dims.map(i64::from);
    if let Some(pruned) = &c.pruned {
        return pruned.blocks as i64 * (BLOCK_ELEMENTS * c.weights.etype.bytes()) as i64;
    }
    (oc + 15) / 16 * 16 * kh * kw * ((ic + 3) / 4 * 4) * c.weights.etype.bytes() as i64
}

/// Input positions along one axis that the taps of a tile touch: ascending, without repetition.
pub(super) fn touched(
    window: &WindowDesc,
    axis: usize,
    origin: i64,
    tile: u32,
    extent: u32,
) -> impl DoubleEndedIterator<Item = i64> {
    let stride = i64::from(window.stride[axis]);
    let dilation = i64::from(window.dilation[axis]);
    let kernel = i64::from(window.kernel[axis]);
    let tile = i64::from(tile);
    let first = origin * stride - i64::from(window.pads[axis]);
    let last = first + (tile - 1) * stride + (kernel - 1) * dilation;
    // Input `i` is touched if `first + o·stride + k·dilation = i` for an output `o` and a tap `k`. The taps
    // for which `stride` divides the difference form one residue class, so the question is whether that class
    // has a member among the taps that can reach `i`.
    let shared = gcd(stride, dilation);
    let period = stride / shared;
    let inverse = (0..period).find(|n| (dilation / shared) % period * n % period == 1 % period).unwrap_or(0);
    let is_touched = move |i: i64| {
        let rest = i - first;
        if rest < 0 || rest % shared != 0 {
            return false;
        }
        let residue = (rest / shared) % period * inverse % period;
        let least = ((rest - (tile - 1) * stride).max(0) + dilation - 1) / dilation;
        let tap = residue + (least - residue + period - 1).max(0) / period * period;
        tap <= (rest / dilation).min(kernel - 1)
    };
    (first.max(0)..=last.min(i64::from(extent) - 1)).filter(move |i| is_touched(*i))
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn windowed<E>(
    src: &TensorDesc,
    window: &WindowDesc,
    origin: [i64; 2],
    tile: [u32; 2],
    f: &mut impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let columns: Vec<i64> = touched(window, 1, origin[1], tile[1], src.dims[2]).collect();
    for y in touched(window, 0, origin[0], tile[0], src.dims[1]) {
        let row = src.base + y * src.strides[1];
        // Columns without gaps are one box.
        for run in columns.chunk_by(|a, b| a + 1 == *b) {
            let line = TensorDesc { base: row + run[0] * src.strides[2], ..*src };
            boxed(&line, [1, 1, run.len() as u32, src.dims[3]], f)?;
        }
    }
    Ok(())
}

/// Where the per-channel multipliers lie; `None` if there is one for the tensor.
fn multipliers(quant: &QuantDesc, dst: &TensorDesc) -> Option<Row> {
    let entry = if quant.profile == Profile::Onnx { 4 } else { 8 };
    let len = entry * i64::from(dst.dims[3]);
    (quant.mode == QuantMode::Channel).then_some(Row { space: Space::Spm, start: quant.table, len })
}

fn whole(d: &TensorDesc) -> Region<'_> {
    Region::Box(d, d.dims)
}

/// Calls `f` for all rows of a box with the descriptor's base and strides.
fn boxed<E>(d: &TensorDesc, dims: [u32; 4], f: &mut impl FnMut(Row) -> Result<(), E>) -> Result<(), E> {
    let mut run = d.etype.bytes() as i64;
    let mut outer = 4;
    while outer > 0 {
        let axis = outer - 1;
        let extent = i64::from(dims[axis]);
        if extent != 1 {
            if d.strides[axis] == 0 {
                // Broadcast: the same bytes again.
            } else if d.strides[axis] == run {
                run *= extent;
            } else {
                break;
            }
        }
        outer = axis;
    }
    let count = |axis: usize| if axis < outer && d.strides[axis] != 0 { i64::from(dims[axis]) } else { 1 };
    for a in 0..count(0) {
        for b in 0..count(1) {
            for c in 0..count(2) {
                for e in 0..count(3) {
                    let [s0, s1, s2, s3] = d.strides;
                    f(Row { space: d.space, start: d.base + a * s0 + b * s1 + c * s2 + e * s3, len: run })?;
                }
            }
        }
    }
    Ok(())
}

/// Bytes transferred over the DRAM channel: read by `dma.in`, `dma.pad` and `dma.gather`, written by
/// `dma.out`.
#[must_use]
pub fn dram_bytes(kind: &OpKind) -> u64 {
    let bytes = |d: &TensorDesc, dims: [u32; 4]| {
        dims.iter().map(|x| u64::from(*x)).product::<u64>() * d.etype.bytes() as u64
    };
    match kind {
        OpKind::DmaIn { src, .. } => bytes(src, src.dims),
        OpKind::DmaPad { dst, src, window } => {
            let inside = |axis: usize| {
                let pad = i64::from(window.pads[axis]);
                let (d, s) = (i64::from(dst.dims[axis + 1]), i64::from(src.dims[axis + 1]));
                ((d - pad).min(s)).max(0) as u32
            };
            bytes(src, [src.dims[0], inside(0), inside(1), src.dims[3]])
        }
        OpKind::DmaOut { dst, .. } => bytes(dst, padded_dims(dst)),
        OpKind::Gather { dst, .. } => bytes(dst, dst.dims),
        OpKind::Nop | OpKind::DmaFill { .. } | OpKind::DmaCopy { .. } | mac_op!() | vec_op!() => 0,
    }
}

/// Lowest byte of a box, and one past the highest.
#[must_use]
pub fn span(d: &TensorDesc, dims: [u32; 4]) -> (i64, i64) {
    let (mut lo, mut hi) = (d.base, d.base + d.etype.bytes() as i64);
    for (n, s) in dims.iter().zip(d.strides) {
        let reach = (i64::from(*n) - 1) * s;
        lo += reach.min(0);
        hi += reach.max(0);
    }
    (lo, hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touched_positions_are_those_of_some_tap() {
        let mut checked = 0;
        for (stride, dilation, kernel) in
            (1..7).flat_map(|s| (1..6).flat_map(move |d| (1..6).map(move |k| (s, d, k))))
        {
            for (pad, origin, tile, extent) in
                [(0, 0, 1, 9), (2, 0, 3, 11), (1, 2, 4, 40), (5, 1, 2, 3), (0, 3, 5, 100)]
            {
                let window = WindowDesc {
                    kernel: [kernel; 2],
                    stride: [stride; 2],
                    dilation: [dilation; 2],
                    pads: [pad; 4],
                };
                let found: Vec<i64> = touched(&window, 0, origin, tile, extent).collect();
                let tap = |o: i64, k: i64| {
                    (origin + o) * i64::from(stride) - i64::from(pad) + k * i64::from(dilation)
                };
                let taps = (0..i64::from(tile)).flat_map(|o| (0..i64::from(kernel)).map(move |k| (o, k)));
                let mut wanted: Vec<i64> =
                    taps.map(|(o, k)| tap(o, k)).filter(|i| (0..i64::from(extent)).contains(i)).collect();
                wanted.sort_unstable();
                wanted.dedup();
                assert_eq!(found, wanted, "{window:?} origin {origin} tile {tile} extent {extent}");
                checked += 1;
            }
        }
        assert_eq!(checked, 6 * 5 * 5 * 5);
    }
}
