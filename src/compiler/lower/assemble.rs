//! Concatenation of channels, row by row.
//!
//! A tensor in DRAM that gets its channels from several sources would be written in short runs, each of which
//! costs at least a burst. So its rows are assembled in the scratchpad and stored whole.

use super::super::CompileError;
use super::super::storage::Storage;
use super::super::tile::{Buffer, Code, Expr, Stmt, TileOp, View};
use super::{Lowering, Nest, dram_view, spm_view};
use crate::graph::{Lut, Node};
use crate::isa::Space;

/// One operand of a concatenation.
struct Part {
    storage: Storage,
    zero_point: i32,
    /// First channel in the result.
    first: i64,
    /// Staging buffer for its rows, if they cannot be loaded to their place directly.
    staged: Option<Buffer>,
    table: Option<View>,
}

impl Lowering<'_> {
    /// Lowers a concatenation along the innermost extent; `None` if it is along another one, or if no row
    /// fits.
    pub(super) fn assembled(
        &mut self,
        node: &Node,
        dst: &Storage,
        axis: usize,
        tables: &[Option<Lut>],
    ) -> Result<Option<Vec<Stmt>>, CompileError> {
        let channels_last = |s: &Storage| s.lanes > 1 && s.strides[3] == s.etype.bytes() as i64;
        if axis != 3 || dst.space != Space::Dram || !channels_last(dst) {
            return Ok(None);
        }
        let mut parts = Vec::new();
        let mut first = 0;
        for index in 0..node.inputs.len() {
            let storage = self.input(node, index)?.clone();
            if !channels_last(&storage) || storage.etype.bytes() != dst.etype.bytes() {
                return Ok(None);
            }
            let count = storage.dims[3];
            let zero_point = self.zero_point(node.inputs[index]);
            parts.push(Part { storage, zero_point, first, staged: None, table: None });
            first += count;
        }
        let size = dst.etype.bytes() as i64;
        let row = |s: &Storage| s.dims[2] * s.padded_channels() * size;
        // Sources in DRAM without padding lanes are loaded directly, unless they pass through a table.
        let waits = |part: &Part, index: usize| {
            let s = &part.storage;
            tables.get(index).is_some_and(Option::is_some)
                || (s.space == Space::Dram && s.dims[3] != s.padded_channels())
        };
        let mut spm = self.spm();
        let mut body = Vec::new();
        for (index, part) in parts.iter_mut().enumerate() {
            if let Some(lut) = tables.get(index).and_then(Option::as_ref) {
                let Some((load, table)) = self.load_table(&mut spm, lut, dst.etype) else { return Ok(None) };
                part.table = Some(table);
                part.staged = Some(Buffer::new(0, 0));
                body.push(Stmt::Op(load));
            } else if waits(part, index) {
                part.staged = Some(Buffer::new(0, 0));
            }
        }
        let staged: i64 = parts.iter().filter(|p| p.staged.is_some()).map(|p| row(&p.storage)).sum();
        let each = staged + row(dst);
        let slack = 64 * (parts.len() as i64 + 1);
        let rows = ((spm.left() - slack) / 2 / each).min(dst.dims[1]);
        if rows < 1 {
            return Ok(None);
        }
        for part in parts.iter_mut().filter(|p| p.staged.is_some()) {
            part.staged = spm.take(rows * row(&part.storage));
        }
        let Some(whole) = spm.take(rows * row(dst)) else { return Ok(None) };
        let zero = self.zero_point(node.outputs[0]);
        let mut nest = Nest::default();
        body.extend(nest.tiles(0, dst.dims[0], 1, |nest, image, _| {
            nest.tiles(0, dst.dims[1], rows, |_, y, count| {
                let at = |channel: i64| [image.clone(), y.clone(), 0.into(), Expr::from(channel)];
                let extents = |channels: i64| [1.into(), count.clone(), dst.dims[2].into(), channels.into()];
                let pixel = dst.padded_channels() * size;
                let local = |first: i64, channels: i64| {
                    let base = Expr::from(whole.start + first * size);
                    let strides = [0, dst.dims[2] * pixel, pixel, size];
                    spm_view(whole, dst.etype, base, extents(channels), strides, zero, 1)
                };
                let mut list = Vec::new();
                for part in &parts {
                    let s = &part.storage;
                    let place = local(part.first, s.dims[3]);
                    let Some(buffer) = part.staged else {
                        let from = dram_view(s, at(0), extents(s.dims[3]), part.zero_point);
                        list.push(Stmt::Op(TileOp::new(Code::DmaIn, vec![place, from])));
                        continue;
                    };
                    let lanes = s.padded_channels();
                    let strides = [0, s.dims[2] * lanes * size, lanes * size, size];
                    let wait = |channels: i64| {
                        let base = Expr::from(buffer.start);
                        spm_view(buffer, s.etype, base, extents(channels), strides, part.zero_point, 1)
                    };
                    let load = vec![wait(lanes), dram_view(s, at(0), extents(lanes), part.zero_point)];
                    list.push(Stmt::Op(TileOp::new(Code::DmaIn, load)));
                    list.push(Stmt::Op(match &part.table {
                        Some(table) => TileOp::new(Code::Lut, vec![place, wait(s.dims[3]), table.clone()]),
                        None => TileOp::new(Code::DmaCopy, vec![place, wait(s.dims[3])]),
                    }));
                }
                let padding = dst.padded_channels() - dst.dims[3];
                if padding > 0 {
                    list.push(Stmt::Op(TileOp::new(Code::DmaFill, vec![local(dst.dims[3], padding)])));
                }
                let to = dram_view(dst, at(0), extents(dst.padded_channels()), zero);
                list.push(Stmt::Op(TileOp::new(Code::DmaOut, vec![to, local(0, dst.padded_channels())])));
                Ok(list)
            })
        })?);
        Ok(Some(body))
    }
}
