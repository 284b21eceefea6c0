//! QuantizeLinear and DequantizeLinear.
//!
//! Float tensors are row-major in ONNX order, integer images channels-last. An image of several channels is
//! converted plane by plane, which fills the vector lanes. Pixels without padding are written at once; others
//! are transposed inside the scratchpad by a copy, which writes the padding.

use super::super::CompileError;
use super::super::cost::{Runs, turning_cycles};
use super::super::storage::{Storage, lane_block, next_multiple};
use super::super::tile::{Code, Expr, Quant, Stmt, TileOp, View};
use super::broadcast::Operands;
use super::{Lowering, Nest, dram_view, spm_view, too_large};
use crate::graph::Node;
use crate::isa::Space;
use crate::machine::timing;

impl Lowering<'_> {
    pub(super) fn quantize(&mut self, node: &Node) -> Result<Vec<Stmt>, CompileError> {
        let dst = self.output(node)?.clone();
        let quant = self.float_quant(node, node.outputs[0])?;
        let src = self.input(node, 0)?.clone();
        if !turns(&src, &dst) {
            let source = self.operand(node, 0, &dst)?;
            return self.map(node, self.spm(), Operands::of(vec![source], dst), |views| {
                TileOp::new(Code::Quantize, views).with_quant(quant.clone())
            });
        }
        let zero = self.zero_point(node.outputs[0]);
        let [batch, height, width, channels] = src.dims;
        let lanes = lane_block(channels);
        let size = dst.etype.bytes() as i64;
        let [rows, cols, block] = self.turned_tile(node, &src, &dst)?;
        let pixel = next_multiple(block, lanes);
        let mut spm = self.spm();
        let [float, planes, turned] = turned_bytes([rows, cols, block], &dst);
        let full = || too_large(node, "scratchpad", float + planes + turned, self.machine.spm.bytes);
        let float = spm.take(float).ok_or_else(full)?;
        let planes = if planes > 0 { Some(spm.take(planes).ok_or_else(full)?) } else { None };
        let turned = spm.take(turned).ok_or_else(full)?;
        let mut nest = Nest::default();
        nest.tiles(0, batch, 1, |nest, n, _| {
            nest.tiles(0, height, rows, |nest, y, ny| {
                nest.tiles(0, width, cols, |nest, x, nx| {
                    nest.tiles(0, channels, block, |_, c, nc| {
                        let stored =
                            if block == channels { dst.padded_channels().into() } else { nc.clone() };
                        let image = [Expr::from(1), ny, nx, nc];
                        let plane = rows * cols;
                        // The same elements as planes [C, rows, cols] and as one image.
                        let as_planes =
                            |d: &[Expr; 4]| [d[0].clone(), d[3].clone(), d[1].clone(), d[2].clone()];
                        let plane_strides = |size: i64| [0, plane * size, cols * size, size];
                        let mut from =
                            dram_view(&src, [n.clone(), y.clone(), x.clone(), c.clone()], image.clone(), 0);
                        from.dims = as_planes(&image);
                        from.strides = [src.strides[0], src.strides[3], src.strides[1], src.strides[2]];
                        let float_view = spm_view(
                            float,
                            src.etype,
                            float.start.into(),
                            as_planes(&image),
                            plane_strides(4),
                            0,
                            1,
                        );
                        let strides = [0, cols * pixel, pixel, 1].map(|s| s * size);
                        let turned = |lanes| {
                            spm_view(
                                turned,
                                dst.etype,
                                turned.start.into(),
                                image.clone(),
                                strides,
                                zero,
                                lanes,
                            )
                        };
                        let mut whole = turned(1);
                        whole.dims[3] = stored;
                        let to = dram_view(&dst, [n, y, x, c], whole.dims.clone(), zero);
                        let convert = |to: View, from: View| {
                            Stmt::Op(TileOp::new(Code::Quantize, vec![to, from]).with_quant(quant.clone()))
                        };
                        let mut body =
                            vec![Stmt::Op(TileOp::new(Code::DmaIn, vec![float_view.clone(), from]))];
                        if let Some(planes) = planes {
                            let plane_view = spm_view(
                                planes,
                                dst.etype,
                                planes.start.into(),
                                as_planes(&image),
                                plane_strides(size),
                                zero,
                                1,
                            );
                            let mut turned_from = plane_view.clone();
                            turned_from.dims = image.clone();
                            turned_from.strides = [0, cols, 1, plane].map(|s| s * size);
                            body.push(convert(plane_view, float_view));
                            body.push(Stmt::Op(TileOp::new(Code::DmaCopy, vec![turned(lanes), turned_from])));
                        } else {
                            let mut pixels = float_view;
                            pixels.dims.clone_from(&image);
                            pixels.strides = [0, cols, 1, plane].map(|s| s * 4);
                            body.push(convert(turned(1), pixels));
                        }
                        body.push(Stmt::Op(TileOp::new(Code::DmaOut, vec![to, whole])));
                        Ok(body)
                    })
                })
            })
        })
    }

    pub(super) fn dequantize(&mut self, node: &Node) -> Result<Vec<Stmt>, CompileError> {
        let dst = self.output(node)?.clone();
        let quant = self.float_quant(node, node.inputs[0])?;
        let source = self.operand(node, 0, &dst)?;
        self.map(node, self.spm(), Operands::of(vec![source], dst), |views| {
            TileOp::new(Code::Dequantize, views).with_quant(quant.clone())
        })
    }

    /// The scale and clamp of the quantized side.
    pub(super) fn float_quant(&self, node: &Node, id: crate::graph::TensorId) -> Result<Quant, CompileError> {
        let tensor = self.graph.tensor(id);
        let malformed =
            |reason: &str| CompileError::Malformed { node: node.name.clone(), reason: reason.into() };
        let q = tensor.quant.ok_or_else(|| malformed("the integer side is not quantized"))?;
        let (lo, hi) = tensor.dtype.int_range().ok_or_else(|| malformed("the integer side is a float"))?;
        let clamp = [lo, hi].map(|v| v.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32);
        Ok(Quant {
            zero_point: q.zero_point,
            clamp,
            m0: q.scale,
            m1: 0.0,
            c: 0.0,
            profile: Quant::ONNX,
            table: None,
        })
    }

    /// Rows, columns and channels of the tiles that are converted and transposed the fastest.
    fn turned_tile(&self, node: &Node, src: &Storage, dst: &Storage) -> Result<[i64; 3], CompileError> {
        let [_, height, width, channels] = src.dims;
        let lanes = lane_block(channels);
        // Blocks of channels are whole lanes, so that only a tile of all channels writes padding.
        let blocks = halves(channels)
            .map(|n| next_multiple(n, lanes))
            .filter(|n| *n == channels || channels % lanes == 0 && *n < channels);
        let mut best: Option<(i64, [i64; 3])> = None;
        for block in blocks.chain([channels]) {
            for rows in halves(height) {
                // Columns are split last: their runs are the shortest.
                for cols in halves(width).take(if rows == 1 { usize::MAX } else { 1 }) {
                    let tile = [rows, cols, block];
                    let cost = self.turned_cost(tile, src, dst);
                    if let Some(cost) = cost.filter(|cost| best.is_none_or(|(least, _)| *cost < least)) {
                        best = Some((cost, tile));
                    }
                }
            }
        }
        let least = || turned_bytes([1, 1, lanes.min(channels)], dst).iter().sum();
        let tile = best.map(|(_, tile)| tile);
        tile.ok_or_else(|| too_large(node, "scratchpad", least(), self.machine.spm.bytes))
    }

    /// Cycles of a conversion by tiles, for their order; `None` for tiles that do not fit.
    fn turned_cost(&self, tile: [i64; 3], src: &Storage, dst: &Storage) -> Option<i64> {
        let m = self.machine;
        let [batch, height, width, channels] = src.dims;
        let [rows, cols, block] = tile;
        let up = |a: i64, b: i64| (a + b - 1) / b;
        let count = batch * up(height, rows) * up(width, cols) * up(channels, block);
        let bytes = turned_bytes(tile, dst);
        let need: i64 = bytes.iter().map(|b| next_multiple(*b, 64)).sum();
        if need > self.room {
            return None;
        }
        let planes = Runs::of([block, rows, cols * 4], [height * width * 4, width * 4]);
        let load = planes.cycles(&m.dram);
        let latency = i64::from(m.dram.read_latency_cycles);
        let size = dst.etype.bytes() as i64;
        let pixel = dst.padded_channels() * size;
        let pixels = Runs::of(
            [rows, cols, if block == channels { pixel } else { block * size }],
            [width * pixel, pixel],
        );
        let resident = dst.space == Space::Spm;
        let store = if resident { 0 } else { pixels.cycles(&m.dram) };
        let vector = [1, block, rows, cols].map(|n| n as u64);
        let result = (Space::Spm, vector.iter().product::<u64>() * size as u64);
        let convert = timing::vector(m, vector, 1, &[(Space::Spm, 4)], result) as i64;
        let turn = if bytes[1] > 0 { timing::copy(m, bytes[2] as u64) as i64 } else { 0 };
        // The next load is under way beside a store.
        let turned = turning_cycles(store, load, &m.dram);
        // A copy waits in the queue of the loads for what it copies.
        if 2 * need > self.room || turn > 0 {
            return Some(count * (latency + load + convert + turn + store) + (count - 1) * turned);
        }
        let transfers = count * (load + store + turned) + convert;
        let vectors = load + count * convert + store;
        let sides = count * (latency + load + convert) / 2 + store;
        Some(latency + transfers.max(vectors).max(sides))
    }
}

/// Bytes of the buffers of a tile of rows, columns and channels: floats, an image, and between them integer
/// planes if pixels have padding, which only a copy writes.
fn turned_bytes([rows, cols, channels]: [i64; 3], dst: &Storage) -> [i64; 3] {
    let size = dst.etype.bytes() as i64;
    let elements = channels * rows * cols;
    let lanes = lane_block(dst.dims[3]);
    let planes = if channels % lanes == 0 { 0 } else { elements * size };
    [elements * 4, planes, rows * cols * next_multiple(channels, lanes) * size]
}

/// `n`, its half, a quarter … 1.
fn halves(n: i64) -> impl Iterator<Item = i64> {
    std::iter::successors(Some(n), |n| (*n > 1).then_some((n + 1) / 2))
}

/// Whether the order of elements differs between the two tensors.
fn turns(src: &Storage, dst: &Storage) -> bool {
    let order = |s: &Storage| {
        let mut axes: Vec<usize> = (0..4).filter(|a| s.dims[*a] > 1).collect();
        axes.sort_by_key(|a| std::cmp::Reverse(s.strides[*a]));
        axes
    };
    order(src) != order(dst)
}
