//! Rows of a table that ids choose when the program runs.
//!
//! The table stays in DRAM: DMA fetches a row for each id. So its size matters neither to the scratchpad nor
//! to time.

use super::super::CompileError;
use super::super::storage::{Storage, next_multiple};
use super::super::tile::{Code, Expr, Stmt, TileOp};
use super::{Lowering, Nest, dram_view, packed_strides, spm_view, too_large};
use crate::graph::Node;

impl Lowering<'_> {
    pub(super) fn gather(&mut self, node: &Node) -> Result<Vec<Stmt>, CompileError> {
        let (table, ids) = (self.input(node, 0)?.clone(), self.input(node, 1)?.clone());
        let dst = self.output(node)?.clone();
        // Ids, and the rows that they choose, in one order.
        let ordered = |s: &Storage| s.is_row_major() || s.onnx_order == [0, 1, 2, 3];
        if !table.is_row_major() || !ids.is_row_major() || !ordered(&dst) {
            let reason = "its table, its ids or its result do not lie row by row".into();
            return Err(CompileError::Malformed { node: node.name.clone(), reason });
        }
        let zero = self.zero_point(node.outputs[0]);
        let [count, columns] = [ids.dims.iter().product::<i64>(), dst.dims[3]];
        let [size, id_size] = [dst.etype.bytes() as i64, ids.etype.bytes() as i64];
        let lanes = dst.padded_channels();
        // Half of the room, so that two tiles are under way.
        let each = lanes * size + id_size;
        let tile = ((self.room / 2 - 128) / each).clamp(1, count);
        let have = self.machine.spm.bytes;
        let mut spm = self.spm();
        let mut take = |bytes| spm.take(bytes).ok_or_else(|| too_large(node, "scratchpad", bytes, have));
        let (list, rows) = (take(tile * id_size)?, take(tile * lanes * size)?);
        let line = |n: &Expr| [Expr::from(1), 1.into(), 1.into(), n.clone()];
        let matrix = |n: &Expr, columns: i64| [Expr::from(1), 1.into(), n.clone(), columns.into()];
        let flat = |s: &Storage, dims: [i64; 2], size: i64, row: i64| Storage {
            dims: [1, 1, dims[0], dims[1]],
            strides: [dims[0] * row, dims[0] * row, row, size],
            ..s.clone()
        };
        let all = table.dims.iter().product::<i64>() / columns;
        let table = flat(&table, [all, columns], size, columns * size);
        let result = flat(&dst, [count, columns], size, lanes * size);
        let ids = flat(&ids, [1, count], id_size, count * id_size);
        let mut nest = Nest::default();
        nest.tiles(0, count, tile, |_, first, n| {
            let origin = |row: Expr, column: Expr| [Expr::from(0), 0.into(), row, column];
            let packed = packed_strides([1, tile, lanes], size);
            let local = |columns: i64, pad: i64| {
                let dims = matrix(&n, columns);
                spm_view(rows, dst.etype, rows.start.into(), dims, packed, zero, pad)
            };
            let chosen = || {
                let strides = packed_strides([1, 1, tile], id_size);
                spm_view(list, ids.etype, list.start.into(), line(&n), strides, 0, 1)
            };
            let whole = dram_view(&table, origin(0.into(), 0.into()), matrix(&all.into(), columns), zero);
            let from = dram_view(&ids, origin(0.into(), first.clone()), line(&n), 0);
            let to = dram_view(&result, origin(first, 0.into()), matrix(&n, lanes), zero);
            let pad = if next_multiple(columns, dst.lanes) == columns { 1 } else { dst.lanes };
            Ok(vec![
                Stmt::Op(TileOp::new(Code::DmaIn, vec![chosen(), from])),
                Stmt::Op(TileOp::new(Code::Gather, vec![local(columns, pad), whole, chosen()])),
                Stmt::Op(TileOp::new(Code::DmaOut, vec![to, local(lanes, 1)])),
            ])
        })
    }
}
