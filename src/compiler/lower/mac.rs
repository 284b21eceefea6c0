//! Convolutions and matrix products with constant weights.
//!
//! All of them are one loop nest: channels, batch, rows, columns and, where the reduction does not fit, input
//! channels. A Gemm is a 1×1 convolution over rows or, behind a Flatten, a convolution whose kernel is the
//! whole image.

mod carry;
mod fold;
mod nest;
mod pruned;

use super::super::CompileError;
use super::super::constants::{pack_dense, pack_depthwise, packed_bytes};
use super::super::passes::rescale;
use super::super::storage::{Storage, canonical, etype, lane_block, next_multiple};
use super::super::tile::{Buffer, Code, Quant, Stmt, TileOp, View};
use super::tiling::{MacShape, MacTile};
use super::{Lowering, too_large};
use crate::graph::{MacEpilogue, Node, Weights, Window};
use crate::isa::{EType, Space, WindowDesc};
use fold::{folded, folded_weights, folded_window};

/// A MAC layer during lowering.
struct Mac<'a> {
    shape: MacShape,
    tile: MacTile,
    window: WindowDesc,
    pads: [i64; 2],
    src: Storage,
    dst: Storage,
    src_zero: i32,
    weight_zero: i32,
    weight_type: EType,
    epilogue: &'a MacEpilogue,
    out_zero: i32,
    addresses: Addresses,
    buffers: [Buffer; 6],
    /// The table that the requantized output passes through: its load, and the table in the scratchpad.
    tail: Option<(TileOp, View)>,
}

/// DRAM addresses of the layer's constants.
struct Addresses {
    segment: Buffer,
    weights: i64,
    /// Bytes between channel tiles of the weights, and between reduction tiles.
    weight_steps: [i64; 2],
    bias: i64,
    table: i64,
    pruned: Option<Masks>,
}

/// DRAM addresses of the masks of pruned weights.
struct Masks {
    first: i64,
    /// Bytes between channel tiles, and between reduction tiles.
    steps: [i64; 2],
    /// Bytes of the longest stream of a tile; all streams are stored and loaded with this length.
    slot: i64,
}

impl Lowering<'_> {
    pub(super) fn conv(
        &mut self,
        node: &Node,
        window: &Window,
        groups: usize,
        weights: &Weights,
        epilogue: &MacEpilogue,
    ) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        self.mac(node, window, groups, weights, epilogue, src, dst)
    }

    pub(super) fn gemm(
        &mut self,
        node: &Node,
        weights: &Weights,
        epilogue: &MacEpilogue,
    ) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let shape = &self.graph.tensor(node.inputs[0]).shape;
        let one = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads: [0; 4] };
        let (dims, _) = canonical(shape);
        if src.dims != dims {
            // A flattened image in image layout: the kernel is the whole image.
            let [_, h, w, c] = src.dims;
            let image = Window { kernel: [h as usize, w as usize], ..one };
            let mut weights = weights.clone();
            weights.shape = [weights.shape[0], c as usize, h as usize, w as usize];
            return self.mac(node, &image, 1, &weights, epilogue, src, dst);
        }
        let rows = |s: &Storage| {
            rows_as_width(s).ok_or_else(|| CompileError::Unsupported {
                node: node.name.clone(),
                reason: "a matrix product over the last axis of a 4-D tensor needs another layout".into(),
            })
        };
        let (src, dst) = (rows(&src)?, rows(&dst)?);
        self.mac(node, &one, 1, weights, epilogue, src, dst)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a convolution")]
    fn mac(
        &mut self,
        node: &Node,
        window: &Window,
        groups: usize,
        weights: &Weights,
        epilogue: &MacEpilogue,
        src: Storage,
        dst: Storage,
    ) -> Result<Vec<Stmt>, CompileError> {
        let pads = [window.pads[0], window.pads[1]].map(|p| p as i64);
        self.mac_padded(node, window, pads, groups, weights, epilogue, src, dst, true)
    }

    /// [`Lowering::mac`] with explicit pads: a negative one skips rows or columns at the beginning of the
    /// input, fewer than there are. `alone`: the layer does nothing else.
    #[expect(clippy::too_many_arguments, reason = "the parts of a convolution")]
    pub(super) fn mac_padded(
        &mut self,
        node: &Node,
        window: &Window,
        pads: [i64; 2],
        groups: usize,
        weights: &Weights,
        epilogue: &MacEpilogue,
        mut src: Storage,
        dst: Storage,
        alone: bool,
    ) -> Result<Vec<Stmt>, CompileError> {
        for (axis, pad) in pads.iter().enumerate() {
            let skipped = (-pad).max(0);
            src.address += skipped * src.strides[axis + 1];
            src.dims[axis + 1] -= skipped;
        }
        let pads = pads.map(|p| p.max(0));
        let window = &Window {
            pads: [pads[0] as usize, pads[1] as usize, window.pads[2], window.pads[3]],
            ..window.clone()
        };
        let mut shape = mac_shape(window, groups, weights, epilogue, &src, &dst);
        shape.alone = alone;
        shape.entry = rescale::entry_bytes(self.profile, dst.etype);
        let multipliers = rescale::table(&node.name, self.profile, dst.etype, &epilogue.multiplier)?;
        let mut window = window_desc(node, window)?;
        let mut spm = self.spm();
        let full = |bytes| too_large(node, "scratchpad", bytes, self.machine.spm.bytes);
        let tail = match &epilogue.tail {
            Some(tail) => Some(self.load_table(&mut spm, &tail.lut, dst.etype).ok_or_else(|| full(256))?),
            None => None,
        };
        let mut best = shape.search(self.machine, spm.left());
        let lanes = i64::from(self.machine.mac.ic_lanes);
        let local = src.space == Space::Spm;
        let folded = folded(&shape, src.dims[3], lanes, pads[1], local);
        let mut folded_data = None;
        if let Some((shape_of_fold, cost, tile)) =
            folded.and_then(|f| f.search(self.machine, spm.left()).map(|(cost, tile)| (f, cost, tile)))
            && best.is_none_or(|(other, _)| cost < other)
        {
            best = Some((cost, tile));
            shape = shape_of_fold;
            window = folded_window(&window);
            folded_data = shape.fold.map(|fold| folded_weights(weights, fold.pixel as usize));
        }
        let weights = folded_data.as_ref().unwrap_or(weights);
        let (_, tile) = best.ok_or_else(|| {
            let least = MacTile {
                rows: 1,
                cols: 1,
                channels: 16,
                reduce: shape.ic.min(16),
                channels_outer: true,
                carry: false,
            };
            full(shape.buffers(&least).iter().sum())
        })?;
        let addresses = self.mac_constants(&shape, &tile, weights, epilogue, multipliers);
        let mut buffers = [Buffer::new(0, 0); 6];
        let mut sizes = shape.buffers(&tile);
        if let Some(masks) = &addresses.pruned {
            sizes[1] = masks.slot;
        }
        for (buffer, bytes) in buffers.iter_mut().zip(sizes) {
            *buffer = spm
                .take(bytes)
                .ok_or_else(|| too_large(node, "scratchpad", bytes, self.machine.spm.bytes))?;
        }
        let layer = Mac {
            pads: [i64::from(window.pads[0]), i64::from(window.pads[1])],
            src_zero: self.zero_point(node.inputs[0]),
            out_zero: self.zero_point(node.outputs[0]),
            weight_zero: weights.zero_point,
            weight_type: etype(weights.dtype),
            shape,
            tile,
            window,
            src,
            dst,
            epilogue,
            addresses,
            buffers,
            tail,
        };
        layer.nest()
    }

    /// Packs weights, bias and multipliers tile by tile.
    fn mac_constants(
        &mut self,
        shape: &MacShape,
        tile: &MacTile,
        weights: &Weights,
        epilogue: &MacEpilogue,
        multipliers: Vec<u8>,
    ) -> Addresses {
        let mut pruned = None;
        let [oc_total, ic_total] = [weights.shape[0], weights.shape[1]];
        let size = shape.sizes[1];
        let weight_steps;
        let at = if shape.depthwise {
            let slot = shape.taps() * next_multiple(tile.channels, 16) * size;
            weight_steps = [slot, 0];
            let tiles = oc_total.div_ceil(tile.channels as usize);
            self.constants.append_packed(tiles * slot as usize, || {
                let starts = (0..oc_total).step_by(tile.channels as usize);
                let pack = |c: usize| {
                    let channels = c..oc_total.min(c + tile.channels as usize);
                    pack_depthwise(weights, channels, (tile.channels as usize).next_multiple_of(16))
                };
                starts.flat_map(pack).collect()
            })
        } else if shape.groups > 1 {
            let oc = shape.oc as usize;
            let group = packed_bytes(shape.oc, shape.taps(), shape.ic) * size;
            weight_steps = [tile.channels * group, 0];
            self.constants.append_packed((shape.groups * group) as usize, || {
                let groups = 0..shape.groups as usize;
                groups.flat_map(|g| pack_dense(weights, g * oc..(g + 1) * oc, 0..ic_total)).collect()
            })
        } else if let Some(streams) = self.pruned(shape, tile, weights) {
            weight_steps = streams.steps;
            let first = self.constants.append(&streams.masks, 64);
            pruned = Some(Masks { first, steps: streams.mask_steps, slot: streams.slot });
            self.constants.append_loaded(&streams.weights)
        } else {
            // Every slot has the size of a full tile, so that its address is a product of loop variables.
            let slot = packed_bytes(tile.channels, shape.taps(), tile.reduce) * size;
            let [channel_tiles, reduce_tiles] =
                [(shape.oc, tile.channels), (shape.ic, tile.reduce)].map(|(n, tile)| (n + tile - 1) / tile);
            weight_steps = [slot * reduce_tiles, slot];
            let rest = |n: i64, tile: i64| n - (n - 1) / tile * tile;
            let [oc, ic] = [rest(shape.oc, tile.channels), rest(shape.ic, tile.reduce)];
            let last = packed_bytes(oc, shape.taps(), ic) * size;
            self.constants.append_packed((slot * (channel_tiles * reduce_tiles - 1) + last) as usize, || {
                let mut packed = Vec::new();
                for o in (0..oc_total).step_by(tile.channels as usize) {
                    for i in (0..ic_total).step_by(tile.reduce as usize) {
                        packed.resize(packed.len().next_multiple_of(slot as usize), 0);
                        let oc = o..oc_total.min(o + tile.channels as usize);
                        packed.extend(pack_dense(weights, oc, i..ic_total.min(i + tile.reduce as usize)));
                    }
                }
                packed
            })
        };
        let padded = oc_total.next_multiple_of(16);
        let bias = epilogue.bias.as_ref().map_or(0, |bias| {
            let size = shape.sizes[2] as usize;
            // The graph's verifier has checked that a bias with 8-bit operands fits 32 bits.
            let mut bytes: Vec<u8> =
                bias.iter().flat_map(|b| b.to_le_bytes().into_iter().take(size)).collect();
            bytes.resize(padded * size, 0);
            self.constants.append_loaded(&bytes)
        });
        let table = if shape.per_channel {
            let mut bytes = multipliers;
            bytes.resize(padded * shape.entry as usize, 0);
            self.constants.append_loaded(&bytes)
        } else {
            0
        };
        let segment = Buffer::new(0, self.constants.len() as i64);
        Addresses { segment, weights: at, weight_steps, bias, table, pruned }
    }
}

fn mac_shape(
    window: &Window,
    groups: usize,
    weights: &Weights,
    epilogue: &MacEpilogue,
    src: &Storage,
    dst: &Storage,
) -> MacShape {
    let pair = |p: [usize; 2]| [p[0] as i64, p[1] as i64];
    let groups = groups as i64;
    let oc = weights.shape[0] as i64 / groups;
    let ic = weights.shape[1] as i64;
    MacShape {
        batch: src.dims[0],
        pad_top: window.pads[0] as i64,
        alone: true,
        height: src.dims[1],
        width: src.dims[2],
        out_height: dst.dims[1],
        out_width: dst.dims[2],
        ic,
        oc,
        groups,
        depthwise: groups > 1 && ic == 1 && oc == 1,
        kernel: pair(window.kernel),
        stride: pair(window.stride),
        dilation: pair(window.dilation),
        in_lanes: lane_block(src.dims[3]),
        out_lanes: if dst.etype == EType::F32 { 1 } else { lane_block(dst.dims[3]) },
        sizes: [
            src.etype.bytes() as i64,
            weights.dtype.bytes() as i64,
            sum_bytes(src, weights),
            dst.etype.bytes() as i64,
        ],
        per_channel: epilogue.multiplier.len() > 1,
        entry: 4,
        bias: epilogue.bias.is_some(),
        passes: if epilogue.tail.is_some() { 2 } else { 1 },
        resident: [src.space == Space::Spm, dst.space == Space::Spm],
        fold: None,
    }
}

/// The operation that converts accumulators to the output type.
pub(super) fn finishing(to: EType, views: Vec<View>, quant: Quant) -> TileOp {
    match to {
        EType::F32 => TileOp::new(Code::Dequantize, views).with_quant(quant),
        EType::S32 | EType::S64 => TileOp::new(Code::Sums, views),
        _ => TileOp::new(Code::Requant, views).with_quant(quant),
    }
}

/// Bytes of an accumulator.
fn sum_bytes(src: &Storage, weights: &Weights) -> i64 {
    if src.etype.bytes() > 1 || weights.dtype.bytes() > 1 { 8 } else { 4 }
}

/// The window as a descriptor.
pub(super) fn window_desc(node: &Node, window: &Window) -> Result<WindowDesc, CompileError> {
    let small = |v: usize| u16::try_from(v).ok().filter(|v| *v <= i16::MAX as u16);
    let pair = |p: [usize; 2]| Some([small(p[0])?, small(p[1])?]);
    let desc = || {
        let pads = [0, 1, 2, 3].map(|i| small(window.pads[i]).map(|p| p as i16));
        Some(WindowDesc {
            kernel: pair(window.kernel)?,
            stride: pair(window.stride)?,
            dilation: pair(window.dilation)?,
            pads: [pads[0]?, pads[1]?, pads[2]?, pads[3]?],
        })
    };
    desc().ok_or_else(|| CompileError::Unsupported {
        node: node.name.clone(),
        reason: "a kernel, stride, dilation or pad above 32767".into(),
    })
}

/// A matrix `[M, K]` as an image of one row, `[1, 1, M, K]`; `None` if the rows have no single stride.
fn rows_as_width(s: &Storage) -> Option<Storage> {
    // Axes of extent 1 may be anywhere in the ONNX order.
    if !s.onnx_order.iter().filter(|a| s.dims[**a] != 1).is_sorted() {
        return None;
    }
    let mut rows = 1;
    let mut step = 0;
    for axis in (0..3).rev() {
        if s.dims[axis] == 1 {
            continue;
        }
        if rows == 1 {
            step = s.strides[axis];
        } else if s.strides[axis] != step * rows {
            return None;
        }
        rows *= s.dims[axis];
    }
    if rows == 1 {
        step = s.strides[2];
    }
    let whole = step * rows;
    Some(Storage { dims: [1, 1, rows, s.dims[3]], strides: [whole, whole, step, s.strides[3]], ..s.clone() })
}
