//! Products of two tensors: both operands are loaded tile by tile, whatever their layout, as contiguous
//! matrices.

use super::super::CompileError;
use super::super::storage::{Storage, next_multiple};
use super::super::tile::{Buffer, Code, Expr, Quant, Stmt, TileOp, View};
use super::mac::finishing;
use super::movement::steps;
use super::{Lowering, Nest, spm_view, too_large};
use crate::graph::Node;
use crate::isa::limits::max_reduction;
use crate::isa::{EType, Space};

/// An operand as a stack of matrices in DRAM.
struct Matrix {
    storage: Storage,
    zero_point: i32,
    /// Byte strides of the result's batch axes (0 where the operand is broadcast), of rows and of columns.
    batch: Vec<i64>,
    row: i64,
    col: i64,
}

impl Matrix {
    fn new(storage: &Storage, shape: &[usize], zero_point: i32, batch_axes: usize) -> Option<Matrix> {
        let strides = steps(storage, shape);
        let (outer, [row, col]) = strides.split_last_chunk::<2>()?;
        let mut batch = vec![0; batch_axes];
        for (to, [extent, stride]) in batch.iter_mut().rev().zip(outer.iter().rev()) {
            *to = if *extent == 1 { 0 } else { *stride };
        }
        Some(Matrix { storage: storage.clone(), zero_point, batch, row: row[1], col: col[1] })
    }

    /// A box of rows and columns in DRAM.
    fn view(&self, batch: &[Expr], [row, col]: [&Expr; 2], dims: [Expr; 2]) -> View {
        let mut base = Expr::from(self.storage.address) + row.clone() * self.row + col.clone() * self.col;
        for (at, stride) in batch.iter().zip(&self.batch) {
            base = base + at.clone() * *stride;
        }
        let [rows, cols] = dims;
        View {
            space: self.storage.space,
            etype: self.storage.etype,
            base,
            dims: [1.into(), 1.into(), rows, cols],
            strides: [0, 0, self.row, self.col],
            zero_point: self.zero_point,
            lanes: 1,
            buffer: Buffer::new(self.storage.address, self.storage.bytes),
        }
    }
}

/// Extents of a tile: rows, columns, reduction.
#[derive(Clone, Copy)]
struct Extents {
    m: i64,
    n: i64,
    k: i64,
}

/// Operands of a product.
struct Product {
    a: Matrix,
    b: Matrix,
    y: Matrix,
    sums: EType,
    quant: Quant,
    extents: Extents,
    tile: Extents,
    /// Buffers of left operand, right operand and result.
    buffers: [Buffer; 3],
}

impl Lowering<'_> {
    pub(super) fn matmul(
        &mut self,
        node: &Node,
        multiplier: f32,
        clamp: [i32; 2],
    ) -> Result<Vec<Stmt>, CompileError> {
        let ids = [node.inputs[0], node.inputs[1], node.outputs[0]];
        let shapes = ids.map(|id| self.graph.tensor(id).shape.as_slice());
        let rank = shapes[2].len();
        let no_matrix =
            || CompileError::Malformed { node: node.name.clone(), reason: "an operand is no matrix".into() };
        let matrix = |storage: &Storage, i: usize| {
            Matrix::new(storage, shapes[i], self.zero_point(ids[i]), rank - 2).ok_or_else(no_matrix)
        };
        let a = matrix(self.input(node, 0)?, 0)?;
        let b = matrix(self.input(node, 1)?, 1)?;
        let y = matrix(self.output(node)?, 2)?;
        let extent = |i: usize, back: usize| shapes[i][shapes[i].len() - back] as i64;
        let extents = Extents { m: extent(0, 2), n: extent(1, 1), k: extent(0, 1) };
        let wide = a.storage.etype.bytes() > 1 || b.storage.etype.bytes() > 1;
        let sums = if wide { EType::S64 } else { EType::S32 };
        let sizes = [&a, &b, &y].map(|m| m.storage.etype.bytes() as i64);
        let bytes = |t: Extents| [t.m * t.k * sizes[0], t.k * t.n * sizes[1], t.m * t.n * sizes[2]];
        let fits = |t: Extents| {
            bytes(t).iter().map(|b| next_multiple(*b, 64)).sum::<i64>() <= self.room
                && t.m * t.n * sums.bytes() as i64 <= self.machine.acc.bytes as i64 / 2
                && t.k <= max_reduction(sums) as i64
        };
        let mut tile = extents;
        let half = |n: i64| (n + 1) / 2;
        while !fits(tile) {
            tile = match tile {
                Extents { m, n, .. } if m >= n && m > 16 => Extents { m: half(m), ..tile },
                Extents { n, .. } if n > 16 => Extents { n: half(n), ..tile },
                Extents { k, .. } if k > 64 => Extents { k: half(k), ..tile },
                Extents { m, .. } if m > 1 => Extents { m: half(m), ..tile },
                _ => {
                    let need = bytes(tile).iter().sum();
                    return Err(too_large(node, "scratchpad", need, self.machine.spm.bytes));
                }
            };
        }
        let mut spm = self.spm();
        let mut buffers = [Buffer::new(0, 0); 3];
        for (buffer, bytes) in buffers.iter_mut().zip(bytes(tile)) {
            *buffer = spm
                .take(bytes)
                .ok_or_else(|| too_large(node, "scratchpad", bytes, self.machine.spm.bytes))?;
        }
        let quant = Quant {
            zero_point: y.zero_point,
            clamp,
            m0: multiplier,
            m1: 0.0,
            c: 0.0,
            profile: Quant::ONNX,
            table: None,
        };
        let batch: Vec<i64> = shapes[2][..rank - 2].iter().map(|d| *d as i64).collect();
        let mut body = self.fill_padding(node, &y.storage)?;
        let product = Product { a, b, y, sums, quant, extents, tile, buffers };
        body.extend(product.batches(&mut Nest::default(), &batch, Vec::new())?);
        Ok(body)
    }
}

impl Product {
    /// The loops over the batch axes, then those over tiles.
    fn batches(&self, nest: &mut Nest, left: &[i64], at: Vec<Expr>) -> Result<Vec<Stmt>, CompileError> {
        if let Some((extent, rest)) = left.split_first() {
            return nest.tiles(0, *extent, 1, |nest, i, _| {
                let mut at = at;
                at.push(i);
                self.batches(nest, rest, at)
            });
        }
        let (whole, tile) = (self.extents, self.tile);
        nest.tiles(0, whole.n, tile.n, |nest, col, cols| {
            nest.tiles(0, whole.m, tile.m, |nest, row, rows| {
                let part = |k: Expr, depth: Expr, accumulate: bool| {
                    self.part(&at, [&row, &k, &col], [&rows, &depth, &cols], accumulate)
                };
                let first = tile.k.min(whole.k);
                let mut body = part(0.into(), first.into(), false);
                body.extend(nest.tiles(tile.k, whole.k, tile.k, |_, k, depth| Ok(part(k, depth, true)))?);
                body.extend(self.finish(&at, [&row, &col], [&rows, &cols]));
                Ok(body)
            })
        })
    }

    fn local(&self, index: usize, etype: EType, dims: [&Expr; 2], width: i64, zero_point: i32) -> View {
        let buffer = self.buffers[index];
        let size = etype.bytes() as i64;
        let dims = [1.into(), 1.into(), dims[0].clone(), dims[1].clone()];
        spm_view(buffer, etype, buffer.start.into(), dims, [0, 0, width * size, size], zero_point, 1)
    }

    fn accumulator(&self, dims: [&Expr; 2]) -> View {
        let size = self.sums.bytes() as i64;
        View {
            space: Space::Acc,
            etype: self.sums,
            base: 0.into(),
            dims: [1.into(), 1.into(), dims[0].clone(), dims[1].clone()],
            strides: [0, 0, self.tile.n * size, size],
            zero_point: 0,
            lanes: 1,
            buffer: Buffer::new(0, self.tile.m * self.tile.n * size),
        }
    }

    fn part(
        &self,
        batch: &[Expr],
        [row, k, col]: [&Expr; 3],
        [rows, depth, cols]: [&Expr; 3],
        accumulate: bool,
    ) -> Vec<Stmt> {
        let (a, b) = (&self.a, &self.b);
        let left = self.local(0, a.storage.etype, [rows, depth], self.tile.k, a.zero_point);
        let right = self.local(1, b.storage.etype, [depth, cols], self.tile.n, b.zero_point);
        let from_a = a.view(batch, [row, k], [rows.clone(), depth.clone()]);
        let from_b = b.view(batch, [k, col], [depth.clone(), cols.clone()]);
        let mut product =
            TileOp::new(Code::Matmul, vec![self.accumulator([rows, cols]), left.clone(), right.clone()]);
        product.accumulate = accumulate;
        vec![
            Stmt::Op(TileOp::new(Code::DmaIn, vec![left, from_a])),
            Stmt::Op(TileOp::new(Code::DmaIn, vec![right, from_b])),
            Stmt::Op(product),
        ]
    }

    fn finish(&self, batch: &[Expr], at: [&Expr; 2], [rows, cols]: [&Expr; 2]) -> Vec<Stmt> {
        let y = &self.y;
        let result = self.local(2, y.storage.etype, [rows, cols], self.tile.n, y.zero_point);
        let views = vec![result.clone(), self.accumulator([rows, cols])];
        let requant = finishing(y.storage.etype, views, self.quant.clone());
        let to = y.view(batch, at, [rows.clone(), cols.clone()]);
        vec![Stmt::Op(requant), Stmt::Op(TileOp::new(Code::DmaOut, vec![to, result]))]
    }
}
