//! QuantizeLinear and DequantizeLinear.
//!
//! Float tensors are row-major in ONNX order, integer images channels-last. An image of several channels is
//! converted plane by plane, which fills the vector lanes, and transposed inside the scratchpad.

use super::super::CompileError;
use super::super::storage::{Storage, lane_block, next_multiple};
use super::super::tile::{Code, Expr, Quant, Stmt, TileOp};
use super::broadcast::Operands;
use super::{Lowering, Nest, dram_view, spm_view, too_large};
use crate::graph::Node;

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
        let pixel = next_multiple(channels, lanes);
        let bytes = |rows: i64, cols: i64| {
            [channels * rows * cols * 4, channels * rows * cols * size, rows * cols * pixel * size]
        };
        let (rows, cols) = self.image_tile(node, height, width, bytes)?;
        let mut spm = self.spm();
        let [float, planes, turned] = bytes(rows, cols);
        let full = || too_large(node, "scratchpad", float + planes + turned, self.machine.spm.bytes);
        let float = spm.take(float).ok_or_else(full)?;
        let planes = spm.take(planes).ok_or_else(full)?;
        let turned = spm.take(turned).ok_or_else(full)?;
        let mut nest = Nest::default();
        nest.tiles(0, batch, 1, |nest, n, _| {
            nest.tiles(0, height, rows, |nest, y, ny| {
                nest.tiles(0, width, cols, |_, x, nx| {
                    let image = [Expr::from(1), ny.clone(), nx.clone(), channels.into()];
                    let plane = rows * cols;
                    // The same elements as planes [C, rows, cols] and as one image.
                    let as_planes = |d: &[Expr; 4]| [d[0].clone(), d[3].clone(), d[1].clone(), d[2].clone()];
                    let plane_strides = |size: i64| [0, plane * size, cols * size, size];
                    let mut from =
                        dram_view(&src, [n.clone(), y.clone(), x.clone(), 0.into()], image.clone(), 0);
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
                    let strides = [0, cols * pixel, pixel, 1].map(|s| s * size);
                    let turned_to =
                        spm_view(turned, dst.etype, turned.start.into(), image.clone(), strides, zero, lanes);
                    let mut whole = turned_to.clone();
                    whole.lanes = 1;
                    whole.dims[3] = dst.padded_channels().into();
                    let to = dram_view(&dst, [n, y, x, 0.into()], whole.dims.clone(), zero);
                    Ok(vec![
                        Stmt::Op(TileOp::new(Code::DmaIn, vec![float_view.clone(), from])),
                        Stmt::Op(
                            TileOp::new(Code::Quantize, vec![plane_view, float_view])
                                .with_quant(quant.clone()),
                        ),
                        Stmt::Op(TileOp::new(Code::DmaCopy, vec![turned_to, turned_from])),
                        Stmt::Op(TileOp::new(Code::DmaOut, vec![to, whole])),
                    ])
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

    /// Rows and columns of the largest tile whose buffers fit.
    fn image_tile(
        &self,
        node: &Node,
        height: i64,
        width: i64,
        bytes: impl Fn(i64, i64) -> [i64; 3],
    ) -> Result<(i64, i64), CompileError> {
        let need = |r, c| bytes(r, c).iter().map(|b| next_multiple(*b, 64)).sum::<i64>();
        let (mut rows, mut cols) = (height, width);
        let room = self.room;
        while need(rows, cols) > room && rows > 1 {
            rows = (rows + 1) / 2;
        }
        while need(rows, cols) > room && cols > 1 {
            cols = (cols + 1) / 2;
        }
        if need(rows, cols) > room {
            return Err(too_large(node, "scratchpad", need(1, 1), self.machine.spm.bytes));
        }
        Ok((rows, cols))
    }
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
