//! Linear interpolation, in bands of output rows with tables of their own.

use super::super::CompileError;
use super::super::storage::{Storage, lane_block, next_multiple};
use super::super::tile::{Buffer, Code, Expr, Stmt, TileOp, View};
use super::{Lowering, Nest, dram_view, load_constants, spm_view, too_large};
use crate::graph::Node;
use crate::isa::EType;
use crate::numeric::Linear;

/// Output rows, and the input rows that they are interpolated from.
struct Band<'a> {
    rows: &'a [Linear],
    first: i64,
    from: i64,
    count: i64,
}

/// What all bands of a layer share.
struct Resizer<'a> {
    src: &'a Storage,
    dst: &'a Storage,
    zero: [i32; 2],
    channels: i64,
    lanes: i64,
    /// Input, output, row table, column table.
    buffers: [Buffer; 4],
}

impl Lowering<'_> {
    pub(super) fn resize(
        &mut self,
        node: &Node,
        rows: &[Linear],
        cols: &[Linear],
    ) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let lanes = if dst.etype == EType::F32 { 1 } else { lane_block(dst.dims[3]) };
        let size = dst.etype.bytes() as i64;
        let [batch, _, width, channels_total] = src.dims;
        let tables = |bands: &[Band]| bands.iter().map(|b| b.rows.len() as i64).max().unwrap_or(1) * 16;
        let bytes = |bands: &[Band], channels: i64| {
            let pixel = next_multiple(channels, lanes) * size;
            let input = bands.iter().map(|b| b.count).max().unwrap_or(1) * width * pixel;
            let output = bands.iter().map(|b| b.rows.len() as i64).max().unwrap_or(1) * dst.dims[2] * pixel;
            [input, output, tables(bands), cols.len() as i64 * 16]
        };
        let room = self.room;
        let fits = |b: [i64; 4]| b.iter().map(|b| next_multiple(*b, 64)).sum::<i64>() <= room;
        let (mut height, mut channels) = (rows.len(), channels_total);
        while !fits(bytes(&bands(rows, height), channels)) {
            if height > 1 {
                height = height.div_ceil(2);
            } else if channels > 16 {
                channels = next_multiple((channels + 1) / 2, 16);
            } else {
                let need = bytes(&bands(rows, 1), channels).iter().sum();
                return Err(too_large(node, "scratchpad", need, self.machine.spm.bytes));
            }
        }
        let bands = bands(rows, height);
        let mut spm = self.spm();
        let mut buffers = [Buffer::new(0, 0); 4];
        for (buffer, need) in buffers.iter_mut().zip(bytes(&bands, channels)) {
            *buffer =
                spm.take(need).ok_or_else(|| too_large(node, "scratchpad", need, self.machine.spm.bytes))?;
        }
        let zero = [self.zero_point(node.inputs[0]), self.zero_point(node.outputs[0])];
        let layer = Resizer { src: &src, dst: &dst, zero, channels, lanes, buffers };
        let mut body = vec![self.neighbours(cols, 0, buffers[3])];
        for band in &bands {
            body.push(self.neighbours(band.rows, band.from, buffers[2]));
            let mut nest = Nest::default();
            body.extend(nest.tiles(0, batch, 1, |nest, n, _| {
                nest.tiles(0, channels_total, channels, |nest, c, nc| {
                    Ok(layer.band(nest, band, [&n, &c], &nc))
                })
            })?);
        }
        Ok(body)
    }

    /// Loads the table of neighbours of some outputs; indices count from `origin`.
    fn neighbours(&mut self, entries: &[Linear], origin: i64, to: Buffer) -> Stmt {
        let words = entries.iter().flat_map(|l| {
            let index = l.at.map(|i| (i as i64 - origin) as i32 as u32);
            [index[0], index[1], l.weight[0].to_bits(), l.weight[1].to_bits()]
        });
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let from = self.constants.append_loaded(&bytes);
        let segment = Buffer::new(0, self.constants.len() as i64);
        Stmt::Op(load_constants(segment, from.into(), to, (bytes.len() as i64).into()))
    }
}

/// Splits the output rows.
fn bands(rows: &[Linear], height: usize) -> Vec<Band<'_>> {
    let mut first = 0;
    let band = |rows: &'_ [Linear]| {
        let all = rows.iter().flat_map(|l| l.at);
        let (low, high) = (all.clone().min().unwrap_or(0) as i64, all.max().unwrap_or(0) as i64);
        (low, high - low + 1)
    };
    rows.chunks(height)
        .map(|rows| {
            let (from, count) = band(rows);
            let b = Band { rows, first, from, count };
            first += rows.len() as i64;
            b
        })
        .collect()
}

impl Resizer<'_> {
    /// Channels to move: whole lane blocks where they are stored.
    fn moved(&self, nest: &Nest, s: &Storage, first: &Expr, count: &Expr) -> Expr {
        if s.lanes == 1 {
            return count.clone();
        }
        match count.constant() {
            Some(c) => Expr::from(next_multiple(c, s.lanes)),
            None => nest
                .min(next_multiple(self.channels, s.lanes), Expr::from(s.padded_channels()) - first.clone()),
        }
    }

    fn band(&self, nest: &Nest, band: &Band, [n, c]: [&Expr; 2], nc: &Expr) -> Vec<Stmt> {
        let [input, output, row_table, col_table] = self.buffers;
        let size = self.dst.etype.bytes() as i64;
        let pixel = next_multiple(self.channels, self.lanes) * size;
        let (width, cols) = (self.src.dims[2], self.dst.dims[2]);
        let rows = band.rows.len() as i64;
        let image = |h: i64, w: i64, c: Expr| [Expr::from(1), h.into(), w.into(), c];
        let strides = |w: i64| [0, w * pixel, pixel, size];
        let view = |b: Buffer, dims: [Expr; 4], w: i64, zero: i32, lanes: i64| -> View {
            spm_view(b, self.dst.etype, b.start.into(), dims, strides(w), zero, lanes)
        };
        let table = |b: Buffer, n: i64| {
            let dims = [Expr::from(1), 1.into(), n.into(), 4.into()];
            spm_view(b, EType::S32, b.start.into(), dims, [0, 0, 16, 4], 0, 1)
        };
        let loaded = image(band.count, width, self.moved(nest, self.src, c, nc));
        let origin = [n.clone(), band.from.into(), 0.into(), c.clone()];
        let pad = if self.src.lanes == 1 { self.lanes } else { 1 };
        let load = TileOp::new(
            Code::DmaIn,
            vec![
                view(input, loaded.clone(), width, self.zero[0], pad),
                dram_view(self.src, origin, loaded, self.zero[0]),
            ],
        );
        let resize = TileOp::new(
            Code::Resize,
            vec![
                view(output, image(rows, cols, nc.clone()), cols, self.zero[1], self.lanes),
                view(input, image(band.count, width, nc.clone()), width, self.zero[0], 1),
                table(row_table, rows),
                table(col_table, cols),
            ],
        );
        let stored = image(rows, cols, self.moved(nest, self.dst, c, nc));
        let origin = [n.clone(), band.first.into(), 0.into(), c.clone()];
        let store = TileOp::new(
            Code::DmaOut,
            vec![
                dram_view(self.dst, origin, stored.clone(), self.zero[1]),
                view(output, stored, cols, self.zero[1], 1),
            ],
        );
        vec![Stmt::Op(load), Stmt::Op(resize), Stmt::Op(store)]
    }
}
