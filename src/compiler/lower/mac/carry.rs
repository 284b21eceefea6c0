//! Input rows that two tiles share.
//!
//! Tiles of whole rows share the input rows at their border if the window is taller than its stride. These
//! rows are loaded once: each trip loads the new rows, and copies those that the next trip needs too to the
//! other side of the buffer, before the array takes the buffer's read port. Row 0 of the buffer is the first
//! row under the window, whether in the padding or not, so that copies are always between the same rows.
//! [`MacShape::carries`](super::super::tiling::MacShape::carries) says when this is possible.

use super::super::{Nest, spm_view};
use super::Mac;
use super::nest::Area;
use crate::compiler::tile::{Code, Expr, Stmt, TileOp};

impl Mac<'_> {
    /// Number of rows that a tile carries over to the next.
    fn carried_rows(&self) -> i64 {
        self.shape.window_rows() - self.shape.stride[0]
    }

    /// The input row at row 0 of the buffer; negative above the image.
    pub(super) fn virtual_row(&self, area: &Area) -> Expr {
        area.row.clone() * self.shape.stride[0] - self.pads[0]
    }

    /// Loads for the first trip what the others find carried over.
    pub(super) fn carry_in(&self, nest: &Nest, batch: &Expr, slice: &(Expr, Expr)) -> Vec<Stmt> {
        let rows = self.carried_rows() - self.pads[0];
        if !self.tile.carry || rows <= 0 {
            return Vec::new();
        }
        let area = Area {
            batch: batch.clone(),
            row: 0.into(),
            rows: self.tile.rows.into(),
            col: 0.into(),
            cols: self.shape.out_width.into(),
        };
        let buffer = self.buffers[0].next_side();
        self.load_rows(nest, &area, slice.clone(), (0.into(), rows.into()), buffer, self.pads[0].into())
    }

    /// Loads the new rows of a tile, and copies those that the next tile needs too.
    pub(super) fn load_carried(&self, nest: &Nest, area: &Area, slice: (Expr, Expr)) -> Vec<Stmt> {
        let height = self.shape.height;
        let first = self.virtual_row(area);
        let end = first.clone() + (area.rows.clone() - 1) * self.shape.stride[0] + self.shape.window_rows();
        let end = nest.min(end, height);
        // At the lower edge there may be no new row; then the last one is loaded again.
        let from = nest.min(nest.max(first.clone() + self.carried_rows(), 0), height - 1);
        let new = nest.max(end.clone() - from.clone(), 1);
        let to = from.clone() - first.clone();
        let mut list = self.load_rows(nest, area, slice.clone(), (from, new), self.buffers[0], to);

        // The last tile has no successor: a row is copied that is not read.
        let next = self.tile.rows * self.shape.stride[0];
        let kept = nest.max(nest.min(end.clone() - first.clone() - next, self.carried_rows()), 1);
        let from = nest.min(end - 1 - first, next);
        let cols = match self.shape.fold {
            Some(fold) => fold.width.into(),
            None => self.input_span(nest, 1, &area.col, &area.cols).1,
        };
        let (count, lanes) = self.travelling(nest, slice.0, slice.1);
        let count = if lanes > 1 { self.shape.in_channels(&self.tile).into() } else { count };
        let dims = [Expr::from(1), kept, cols, count];
        let strides = [0, self.row_stride(), self.pixel_stride(), self.shape.sizes[0]];
        let buffer = self.buffers[0];
        let view = |buffer: crate::compiler::tile::Buffer, row: Expr| {
            let base = Expr::from(buffer.start) + row * self.row_stride();
            spm_view(buffer, self.src.etype, base, dims.clone(), strides, self.src_zero, 1)
        };
        let views = vec![view(buffer.next_side(), 0.into()), view(buffer, from)];
        list.push(Stmt::Op(TileOp::new(Code::DmaCopy, views)));
        list
    }
}
