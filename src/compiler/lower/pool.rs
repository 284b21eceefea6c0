//! Pooling layers.

use super::super::CompileError;
use super::super::storage::{Storage, lane_block, next_multiple};
use super::super::tile::{Buffer, Code, Expr, Quant, Stmt, TileOp, View};
use super::mac::window_desc;
use super::{Lowering, Nest, dram_view, spm_view, too_large};
use crate::graph::{Node, Window};
use crate::isa::{EType, Space, WindowDesc};
use crate::numeric::gap_multiplier;

/// A windowed layer without weights.
struct Pool {
    window: WindowDesc,
    src: Storage,
    dst: Storage,
    zero: [i32; 2],
    lanes: i64,
    /// Rows, columns and channels of an output tile.
    tile: [i64; 3],
}

impl Lowering<'_> {
    pub(super) fn max_pool(&mut self, node: &Node, window: &Window) -> Result<Vec<Stmt>, CompileError> {
        self.pool(node, window, |views, window, origin| {
            TileOp::new(Code::MaxPool, views).with_window(window, origin)
        })
    }

    pub(super) fn avg_pool(
        &mut self,
        node: &Node,
        window: &Window,
        include_pad: bool,
    ) -> Result<Vec<Stmt>, CompileError> {
        let scale = |id| self.graph.tensor(id).quant.map_or(1.0, |q| q.scale);
        let zero_point = self.zero_point(node.outputs[0]);
        let clamp = self.output(node)?.etype.int_range().unwrap_or([0, 0]);
        let (m0, m1) = (scale(node.inputs[0]), scale(node.outputs[0]));
        let quant = Quant { zero_point, clamp, m0, m1, c: 0.0, profile: Quant::ONNX, table: None };
        self.pool(node, window, |views, window, origin| {
            let mut op =
                TileOp::new(Code::AvgPool, views).with_quant(quant.clone()).with_window(window, origin);
            op.flag = include_pad;
            op
        })
    }

    fn pool(
        &mut self,
        node: &Node,
        window: &Window,
        op: impl Fn(Vec<View>, WindowDesc, [Expr; 2]) -> TileOp,
    ) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let mut pool = Pool {
            window: window_desc(node, window)?,
            zero: [self.zero_point(node.inputs[0]), self.zero_point(node.outputs[0])],
            lanes: lane_block(dst.dims[3]),
            tile: [dst.dims[1], dst.dims[2], dst.dims[3]],
            src,
            dst,
        };
        let room = self.room;
        pool.shrink(room);
        let [need_in, need_out] = pool.bytes();
        let mut spm = self.spm();
        let full = || too_large(node, "scratchpad", need_in + need_out, self.machine.spm.bytes);
        let input = spm.take(need_in).ok_or_else(full)?;
        let output = spm.take(need_out).ok_or_else(full)?;

        let d = pool.dst.dims;
        let mut nest = Nest::default();
        nest.tiles(0, d[0], 1, |nest, n, _| {
            nest.tiles(0, d[3], pool.tile[2], |nest, c, nc| {
                nest.tiles(0, d[1], pool.tile[0], |nest, y, ny| {
                    nest.tiles(0, d[2], pool.tile[1], |nest, x, nx| {
                        Ok(pool.step(nest, [input, output], [&n, &y, &x, &c], [&ny, &nx, &nc], &op))
                    })
                })
            })
        })
    }

    pub(super) fn global_avg_pool(&mut self, node: &Node) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let quant_of = |id| self.graph.tensor(id).quant.map_or((1.0, 0), |q| (q.scale, q.zero_point));
        let ((sx, zx), (sy, zy)) = (quant_of(node.inputs[0]), quant_of(node.outputs[0]));
        let [batch, height, width, channels] = src.dims;
        let quant = Quant {
            zero_point: zy,
            clamp: dst.etype.int_range().unwrap_or([0, 0]),
            m0: gap_multiplier(sx, sy, (height * width) as u64),
            m1: 0.0,
            c: 0.0,
            profile: Quant::ONNX,
            table: None,
        };
        let lanes = lane_block(channels);
        let (size, out_size) = (src.etype.bytes() as i64, dst.etype.bytes() as i64);
        let sum_type = if size > 1 { EType::S64 } else { EType::S32 };
        let sum_size = sum_type.bytes() as i64;
        let room = self.room;
        // As many channels as let one row fit, then as many rows as fit.
        let mut tile_c = channels;
        let mut tile_w = width;
        let bytes = |h: i64, w: i64, c: i64| {
            next_multiple(h * w * next_multiple(c, lanes) * size, 64) + next_multiple(c, 16) * out_size
        };
        let acc = |c: i64| next_multiple(c, 16) * sum_size > self.machine.acc.bytes as i64 / 2;
        while (bytes(1, tile_w, tile_c) > room || acc(tile_c)) && tile_c > 16 {
            tile_c = next_multiple((tile_c + 1) / 2, 16);
        }
        while bytes(1, tile_w, tile_c) > room && tile_w > 1 {
            tile_w = (tile_w + 1) / 2;
        }
        let tile_h = (1..=height).rev().find(|h| bytes(*h, tile_w, tile_c) <= room).unwrap_or(1);
        let mut spm = self.spm();
        let full = || too_large(node, "scratchpad", bytes(1, 1, 16), self.machine.spm.bytes);
        let pixel = next_multiple(tile_c, lanes);
        let input = spm.take(tile_h * tile_w * pixel * size).ok_or_else(full)?;
        let output = spm.take(pixel * out_size).ok_or_else(full)?;

        let line = |c: Expr| [Expr::from(1), Expr::from(1), Expr::from(1), c];
        let sums = |c: Expr| View {
            space: Space::Acc,
            etype: sum_type,
            base: 0.into(),
            dims: line(c),
            strides: [0, 0, 0, sum_size],
            zero_point: 0,
            lanes: 1,
            buffer: Buffer::new(0, next_multiple(tile_c, 16) * sum_size),
        };
        let moved = |nest: &Nest, s: &Storage, first: &Expr, count: &Expr| {
            if s.lanes == 1 {
                return count.clone();
            }
            match count.constant() {
                Some(c) => Expr::from(next_multiple(c, s.lanes)),
                None => nest.min(pixel, Expr::from(s.padded_channels()) - first.clone()),
            }
        };
        let mut nest = Nest::default();
        nest.tiles(0, batch, 1, |nest, n, _| {
            nest.tiles(0, channels, tile_c, |nest, c, nc| {
                let part = |nest: &Nest, [y, ny]: [Expr; 2], [x, nx]: [Expr; 2], accumulate: bool| {
                    let strides = [0, tile_w * pixel, pixel, 1].map(|s| s * size);
                    let pad = if src.lanes == 1 { lanes } else { 1 };
                    let dims = [Expr::from(1), ny, nx, moved(nest, &src, &c, &nc)];
                    let mut read = dims.clone();
                    read[3] = nc.clone();
                    let from = dram_view(&src, [n.clone(), y, x, c.clone()], dims.clone(), zx);
                    let base = Expr::from(input.start);
                    let to = spm_view(input, src.etype, base.clone(), dims, strides, zx, pad);
                    let view = spm_view(input, src.etype, base, read, strides, zx, 1);
                    let mut sum = TileOp::new(Code::Rsum, vec![sums(nc.clone()), view]);
                    sum.accumulate = accumulate;
                    vec![Stmt::Op(TileOp::new(Code::DmaIn, vec![to, from])), Stmt::Op(sum)]
                };
                // The first tile starts the sums, the others add to them.
                let one = Expr::from(0);
                let first_h = tile_h.min(height).into();
                let mut body =
                    part(nest, [one.clone(), first_h], [one.clone(), tile_w.min(width).into()], false);
                body.extend(nest.tiles(tile_w, width, tile_w, |nest, x, nx| {
                    Ok(part(nest, [0.into(), tile_h.min(height).into()], [x, nx], true))
                })?);
                body.extend(nest.tiles(tile_h, height, tile_h, |nest, y, ny| {
                    nest.tiles(0, width, tile_w, |nest, x, nx| Ok(part(nest, [y, ny], [x, nx], true)))
                })?);
                let out = |dims, lanes| {
                    spm_view(output, dst.etype, output.start.into(), dims, [0, 0, 0, out_size], zy, lanes)
                };
                let requant =
                    TileOp::new(Code::Requant, vec![out(line(nc.clone()), lanes), sums(nc.clone())])
                        .with_quant(quant.clone());
                let stored = line(moved(nest, &dst, &c, &nc));
                let to = dram_view(&dst, [n.clone(), 0.into(), 0.into(), c.clone()], stored.clone(), zy);
                body.push(Stmt::Op(requant));
                body.push(Stmt::Op(TileOp::new(Code::DmaOut, vec![to, out(stored, 1)])));
                Ok(body)
            })
        })
    }
}

impl Pool {
    /// Input rows and columns that a tile needs at most.
    fn input_extent(&self) -> [i64; 2] {
        let w = &self.window;
        [0, 1].map(|axis| {
            let span = i64::from(w.kernel[axis] - 1) * i64::from(w.dilation[axis]) + 1;
            ((self.tile[axis] - 1) * i64::from(w.stride[axis]) + span).min(self.src.dims[axis + 1])
        })
    }

    /// Bytes of an element.
    fn size(&self) -> i64 {
        self.dst.etype.bytes() as i64
    }

    fn bytes(&self) -> [i64; 2] {
        let [rows, cols] = self.input_extent();
        let pixel = next_multiple(self.tile[2], self.lanes);
        let input = if self.src.space == Space::Spm { 0 } else { rows * cols * pixel };
        let output = if self.dst.space == Space::Spm { 0 } else { self.tile[0] * self.tile[1] * pixel };
        [input, output].map(|n| n * self.size())
    }

    /// Shrinks the tile until it fits `room`: rows first, then channels, then columns.
    fn shrink(&mut self, room: i64) {
        let fits = |p: &Pool| p.bytes().iter().map(|b| next_multiple(*b, 64)).sum::<i64>() <= room;
        let least = [1, 1, 16];
        for axis in [0, 2, 1] {
            while !fits(self) && self.tile[axis] > least[axis] {
                let half = (self.tile[axis] + 1) / 2;
                self.tile[axis] = if axis == 2 { next_multiple(half, 16) } else { half };
            }
        }
    }

    fn span(&self, nest: &Nest, axis: usize, first: &Expr, count: &Expr) -> (Expr, Expr) {
        let w = &self.window;
        let extent = self.src.dims[axis + 1];
        let span = i64::from(w.kernel[axis] - 1) * i64::from(w.dilation[axis]) + 1;
        let stride = i64::from(w.stride[axis]);
        let start = first.clone() * stride - i64::from(w.pads[axis]);
        let end = start.clone() + (count.clone() - 1) * stride + span;
        let start = nest.min(nest.max(start, 0), extent - 1);
        let count = nest.max(nest.min(end, extent) - start.clone(), 1);
        (start, count)
    }

    fn step(
        &self,
        nest: &Nest,
        [input, output]: [Buffer; 2],
        [n, y, x, c]: [&Expr; 4],
        [ny, nx, nc]: [&Expr; 3],
        op: &impl Fn(Vec<View>, WindowDesc, [Expr; 2]) -> TileOp,
    ) -> Vec<Stmt> {
        let (iy, rows) = self.span(nest, 0, y, ny);
        let (ix, cols) = self.span(nest, 1, x, nx);
        let [_, max_cols] = self.input_extent();
        let size = self.size();
        let elements = next_multiple(self.tile[2], self.lanes);
        let pixel = elements * size;
        let row = max_cols * pixel;
        let moved = |s: &Storage| {
            if s.lanes == 1 {
                return nc.clone();
            }
            match nc.constant() {
                Some(c) => Expr::from(next_multiple(c, s.lanes)),
                None => nest.min(elements, Expr::from(s.padded_channels()) - c.clone()),
            }
        };
        let [zx, zy] = self.zero;
        let dims = [Expr::from(1), rows, cols, moved(&self.src)];
        let pad = if self.src.lanes == 1 { self.lanes } else { 1 };
        let strides = [0, row, pixel, size];
        let from = dram_view(&self.src, [n.clone(), iy.clone(), ix.clone(), c.clone()], dims.clone(), zx);
        let to = spm_view(input, self.src.etype, input.start.into(), dims, strides, zx, pad);
        let full = [Expr::from(1), self.src.dims[1].into(), self.src.dims[2].into(), nc.clone()];
        let resident = self.src.space == Space::Spm;
        let read = if resident {
            dram_view(&self.src, [n.clone(), 0.into(), 0.into(), c.clone()], full, zx)
        } else {
            let base = Expr::from(input.start) - iy * row - ix * pixel;
            spm_view(input, self.src.etype, base, full, strides, zx, 1)
        };

        let strides = [0, self.tile[1] * pixel, pixel, size];
        let out = |c: Expr, lanes| {
            let dims = [Expr::from(1), ny.clone(), nx.clone(), c];
            spm_view(output, self.dst.etype, output.start.into(), dims, strides, zy, lanes)
        };
        let stored = out(moved(&self.dst), 1);
        let place =
            dram_view(&self.dst, [n.clone(), y.clone(), x.clone(), c.clone()], stored.dims.clone(), zy);
        let mut body = Vec::new();
        if !resident {
            body.push(Stmt::Op(TileOp::new(Code::DmaIn, vec![to, from])));
        }
        let mut result = out(nc.clone(), self.lanes);
        let at = [y.clone(), x.clone()];
        if self.dst.space == Space::Spm {
            // The tensor itself, with its padding lanes.
            result = View { dims: result.dims, lanes: result.lanes, ..place };
            body.push(Stmt::Op(op(vec![result, read], self.window, at)));
            return body;
        }
        body.push(Stmt::Op(op(vec![result, read], self.window, at)));
        body.push(Stmt::Op(TileOp::new(Code::DmaOut, vec![place, stored])));
        body
    }
}
