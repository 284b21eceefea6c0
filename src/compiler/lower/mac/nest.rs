//! The loop nest of a MAC layer: loads, tiles of the array, requantization, stores.

use super::super::{Nest, dram_view, load_constants, spm_view};
use super::{Mac, finishing};
use crate::compiler::CompileError;
use crate::compiler::constants::packed_bytes;
use crate::compiler::storage::{etype, next_multiple};
use crate::compiler::tile::{Buffer, Code, Expr, Quant, Stmt, TileOp, View};
use crate::isa::{EType, Space};

/// Output rows and columns of a tile: first and count.
pub(super) struct Area {
    pub(super) batch: Expr,
    pub(super) row: Expr,
    pub(super) rows: Expr,
    pub(super) col: Expr,
    pub(super) cols: Expr,
}

/// Channels of a tile: first and count; for grouped layers in units of groups.
struct Channels {
    first: Expr,
    count: Expr,
}

impl Mac<'_> {
    /// The loop nest of the layer, which follows the load of its table.
    pub(super) fn nest(&self) -> Result<Vec<Stmt>, CompileError> {
        let mut body: Vec<Stmt> = self.tail.iter().map(|(load, _)| Stmt::Op(load.clone())).collect();
        body.extend(self.loops()?);
        Ok(body)
    }

    fn loops(&self) -> Result<Vec<Stmt>, CompileError> {
        let mut nest = Nest::default();
        let total = if self.shape.groups > 1 { self.shape.groups } else { self.shape.oc };
        let channels = self.tile.channels;
        if self.tile.channels_outer {
            nest.tiles(0, total, channels, |nest, first, count| {
                let channels = Channels { first, count };
                let mut body = self.load_parameters(&channels);
                if !self.splits_reduction() {
                    body.push(self.load_weights(&channels, 0.into(), self.shape.ic.into()));
                }
                let slice = self.input_channels(&channels);
                body.extend(self.areas(nest, &slice, |nest, area| {
                    let mut tile = Vec::new();
                    if !self.splits_reduction() {
                        tile.extend(self.load_input(nest, area, slice.clone()));
                    }
                    tile.extend(self.compute(nest, area, &channels)?);
                    Ok(tile)
                })?);
                Ok(body)
            })
        } else {
            let shared = !self.splits_reduction() && !self.shape.depthwise && !self.grouped();
            let slice = (Expr::from(0), Expr::from(self.shape.ic));
            self.areas(&mut nest, &slice, |nest, area| {
                let mut body = Vec::new();
                if shared {
                    body.extend(self.load_input(nest, area, slice.clone()));
                }
                body.extend(nest.tiles(0, total, channels, |nest, first, count| {
                    let channels = Channels { first, count };
                    let mut tile = self.load_parameters(&channels);
                    if !self.splits_reduction() {
                        tile.push(self.load_weights(&channels, 0.into(), self.shape.ic.into()));
                        if !shared {
                            tile.extend(self.load_input(nest, area, self.input_channels(&channels)));
                        }
                    }
                    tile.extend(self.compute(nest, area, &channels)?);
                    Ok(tile)
                })?);
                Ok(body)
            })
        }
    }

    fn grouped(&self) -> bool {
        self.shape.groups > 1 && !self.shape.depthwise
    }

    fn splits_reduction(&self) -> bool {
        self.tile.reduce < self.shape.ic
    }

    /// The loops over the image; `slice` is the first input channel that they read, and the count.
    fn areas(
        &self,
        nest: &mut Nest,
        slice: &(Expr, Expr),
        body: impl FnOnce(&mut Nest, &Area) -> Result<Vec<Stmt>, CompileError>,
    ) -> Result<Vec<Stmt>, CompileError> {
        nest.tiles(0, self.shape.batch, 1, |nest, batch, _| {
            let mut list = self.carry_in(nest, &batch, slice);
            list.extend(nest.tiles(0, self.shape.out_height, self.tile.rows, |nest, row, rows| {
                nest.tiles(0, self.shape.out_width, self.tile.cols, |nest, col, cols| {
                    body(nest, &Area { batch, row, rows, col, cols })
                })
            })?);
            Ok(list)
        })
    }

    /// First input channel and count that a channel tile reads.
    fn input_channels(&self, channels: &Channels) -> (Expr, Expr) {
        if self.grouped() {
            (channels.first.clone() * self.shape.ic, channels.count.clone() * self.shape.ic)
        } else if self.shape.depthwise {
            (channels.first.clone(), channels.count.clone())
        } else {
            (0.into(), self.shape.ic.into())
        }
    }

    /// First output channel and count of a channel tile.
    fn output_channels(&self, channels: &Channels) -> (Expr, Expr) {
        if self.grouped() {
            (channels.first.clone() * self.shape.oc, channels.count.clone() * self.shape.oc)
        } else {
            (channels.first.clone(), channels.count.clone())
        }
    }

    /// First input row (axis 0) or column (axis 1) that a tile needs, and how many.
    pub(super) fn input_span(&self, nest: &Nest, axis: usize, first: &Expr, count: &Expr) -> (Expr, Expr) {
        let extent = [self.shape.height, self.shape.width][axis];
        let (stride, pad) = (self.shape.stride[axis], self.pads[axis]);
        let span = (self.shape.kernel[axis] - 1) * self.shape.dilation[axis] + 1;
        let start = first.clone() * stride - pad;
        let end = start.clone() + (count.clone() - 1) * stride + span;
        // A tile may lie in the padding altogether: it still loads one row, which the MAC array ignores.
        let start = nest.min(nest.max(start, 0), extent - 1);
        let end = nest.min(end, extent);
        let count = nest.max(end - start.clone(), 1);
        (start, count)
    }

    pub(super) fn row_stride(&self) -> i64 {
        self.shape.buffer_columns(&self.tile) * self.pixel_stride()
    }

    /// Bytes between the input's pixels in the scratchpad.
    pub(super) fn pixel_stride(&self) -> i64 {
        self.shape.in_channels(&self.tile) * self.shape.sizes[0]
    }

    /// Loads the part of the input that a tile reads; nothing if it is resident.
    fn load_input(&self, nest: &Nest, area: &Area, slice: (Expr, Expr)) -> Vec<Stmt> {
        if self.shape.resident[0] {
            return Vec::new();
        }
        if self.tile.carry {
            return self.load_carried(nest, area, slice);
        }
        let (y, rows) = self.input_span(nest, 0, &area.row, &area.rows);
        self.load_rows(nest, area, slice, (y, rows), self.buffers[0], 0.into())
    }

    /// Loads rows of the input to a row of the buffer, with the padding columns that folded kernels need.
    pub(super) fn load_rows(
        &self,
        nest: &Nest,
        area: &Area,
        (first, count): (Expr, Expr),
        (y, rows): (Expr, Expr),
        buffer: Buffer,
        to: Expr,
    ) -> Vec<Stmt> {
        let (x, cols) = match self.shape.fold {
            Some(fold) => (Expr::from(0), Expr::from(fold.columns)),
            None => self.input_span(nest, 1, &area.col, &area.cols),
        };
        let (count, lanes) = self.travelling(nest, first.clone(), count);
        let strides = [0, self.row_stride(), self.pixel_stride(), self.shape.sizes[0]];
        let row = Expr::from(buffer.start) + to * self.row_stride();
        let to = |column: i64, dims, lanes| {
            let base = row.clone() + column * self.pixel_stride();
            spm_view(buffer, self.src.etype, base, dims, strides, self.src_zero, lanes)
        };
        let mut list = Vec::new();
        let mut left = 0;
        if let Some(fold) = self.shape.fold {
            left = fold.left;
            for (column, columns) in [(0, fold.left), (fold.left + fold.columns, fold.right())] {
                if columns > 0 {
                    let dims = [Expr::from(1), rows.clone(), columns.into(), fold.pixel.into()];
                    list.push(Stmt::Op(TileOp::new(Code::DmaFill, vec![to(column, dims, 1)])));
                }
            }
        }
        let dims = [Expr::from(1), rows, cols, count];
        let from = dram_view(&self.src, [area.batch.clone(), y, x, first], dims.clone(), self.src_zero);
        list.push(Stmt::Op(TileOp::new(Code::DmaIn, vec![to(left, dims, lanes), from])));
        list
    }

    /// How many channels of a pixel are loaded, and the lane block that they are padded to.
    pub(super) fn travelling(&self, nest: &Nest, first: Expr, count: Expr) -> (Expr, i64) {
        let pixel = self.shape.in_channels(&self.tile);
        let count = self.shape.fold.map_or(count, |fold| fold.channels.into());
        // Whole lane blocks are moved as they lie; only tensors without padding lanes are padded by DMA.
        if self.src.lanes > 1 && !(self.grouped() && self.tile.channels < self.shape.groups) {
            let padded = self.src.padded_channels();
            let rounded = match count.constant() {
                Some(c) if first.constant() == Some(0) => Expr::from(next_multiple(c, self.src.lanes)),
                _ => nest.min(pixel, Expr::from(padded) - first),
            };
            (rounded, 1)
        } else if self.grouped() && self.tile.channels < self.shape.groups {
            (count, 1)
        } else {
            (count, self.shape.in_lanes)
        }
    }

    /// Bias and multipliers of a channel tile.
    fn load_parameters(&self, channels: &Channels) -> Vec<Stmt> {
        let (first, count) = self.output_channels(channels);
        let bytes = |size: i64| match count.constant() {
            Some(c) => Expr::from(next_multiple(c, 16) * size),
            // All but the last tile are multiples of 16, and the tables are padded to one.
            None => Expr::from(self.shape.tile_oc(&self.tile) * size)
                .min((Expr::from(next_multiple(self.oc_total(), 16)) - first.clone()) * size),
        };
        let mut loads = Vec::new();
        for (present, from, to, size) in [
            (self.epilogue.bias.is_some(), self.addresses.bias, self.buffers[2], self.shape.sizes[2]),
            (self.shape.per_channel, self.addresses.table, self.buffers[3], self.shape.entry),
        ] {
            if present {
                let from = Expr::from(from) + first.clone() * size;
                loads.push(Stmt::Op(load_constants(self.addresses.segment, from, to, bytes(size))));
            }
        }
        loads
    }

    fn oc_total(&self) -> i64 {
        if self.shape.depthwise { self.shape.groups } else { self.shape.oc * self.shape.groups }
    }

    /// Address of the constants of a channel tile and a reduction tile.
    fn tile_address(&self, base: i64, steps: [i64; 2], channels: &Channels, reduce: &Expr) -> Expr {
        let tile = |first: &Expr, size: i64, step: i64| match first.constant() {
            Some(c) => Expr::from(c / size * step),
            // Steps are multiples of the tile size, so the step per element is exact.
            None => first.clone() * (step / size),
        };
        Expr::from(base)
            + tile(&channels.first, self.tile.channels, steps[0])
            + tile(reduce, self.tile.reduce, steps[1])
    }

    /// Weights of a channel tile and a range of the reduction.
    fn load_weights(&self, channels: &Channels, reduce: Expr, reduce_count: Expr) -> Stmt {
        let from = self.tile_address(self.addresses.weights, self.addresses.weight_steps, channels, &reduce);
        let taps = self.shape.taps();
        let size = self.shape.sizes[1];
        let bytes = if let Some(masks) = &self.addresses.pruned {
            Expr::from(masks.slot)
        } else if self.shape.depthwise {
            Expr::from(self.addresses.weight_steps[0])
        } else if self.grouped() {
            channels.count.clone() * (packed_bytes(self.shape.oc, taps, self.shape.ic) * size)
        } else {
            rounded(&channels.count, 16, self.shape.oc, self.tile.channels, &channels.first)
                * rounded(&reduce_count, 4, self.shape.ic, self.tile.reduce, &reduce)
                * (taps * size)
        };
        Stmt::Op(load_constants(self.addresses.segment, from, self.buffers[1], bytes))
    }

    /// MAC instructions of a tile, its requantization and its store.
    fn compute(&self, nest: &mut Nest, area: &Area, channels: &Channels) -> Result<Vec<Stmt>, CompileError> {
        let mut body = Vec::new();
        if self.splits_reduction() {
            let ic = self.shape.ic;
            let step = self.tile.reduce;
            let part = |nest: &Nest, first: Expr, count: Expr, accumulate: bool| {
                let mut part = vec![self.load_weights(channels, first.clone(), count.clone())];
                part.extend(self.load_input(nest, area, (first.clone(), count.clone())));
                part.push(Stmt::Op(self.conv_op(nest, area, channels, first, count, accumulate)));
                part
            };
            body.extend(part(nest, 0.into(), step.into(), false));
            body.extend(nest.tiles(step, ic, step, |nest, first, count| Ok(part(nest, first, count, true)))?);
        } else if self.grouped() {
            let groups = channels.count.constant().unwrap_or(self.tile.channels);
            body.extend(nest.tiles(0, groups, 1, |nest, g, _| {
                Ok(vec![Stmt::Op(self.group_op(nest, area, channels, g))])
            })?);
        } else {
            let count = if self.shape.depthwise { channels.count.clone() } else { self.shape.ic.into() };
            body.push(Stmt::Op(self.conv_op(nest, area, channels, 0.into(), count, false)));
        }
        body.extend(self.finish(nest, area, channels));
        Ok(body)
    }

    /// The source view of the MAC array. It has the full extents, so that the array derives the padding; the
    /// base is where element (0, 0, 0) would lie. `first` is the first channel that the tile reads, `offset`
    /// the bytes from there.
    fn source(&self, nest: &Nest, area: &Area, first: Expr, offset: Expr, channels: Expr) -> View {
        if self.shape.resident[0] {
            let image = [Expr::from(1), self.shape.height.into(), self.shape.width.into(), channels];
            let origin = [area.batch.clone(), 0.into(), 0.into(), first];
            let mut view = dram_view(&self.src, origin, image, self.src_zero);
            view.base = view.base + offset;
            return view;
        }
        let y = if self.tile.carry {
            self.virtual_row(area)
        } else {
            self.input_span(nest, 0, &area.row, &area.rows).0
        };
        let (x, step) = match self.shape.fold {
            Some(fold) => (Expr::from(0), fold.stride),
            None => (self.input_span(nest, 1, &area.col, &area.cols).0, 1),
        };
        let pixel = step * self.pixel_stride();
        let buffer = self.buffers[0];
        let base = Expr::from(buffer.start) + offset - y * self.row_stride() - x * pixel;
        let dims = [Expr::from(1), self.shape.height.into(), self.shape.width.into(), channels];
        spm_view(
            buffer,
            self.src.etype,
            base,
            dims,
            [0, self.row_stride(), pixel, self.shape.sizes[0]],
            self.src_zero,
            1,
        )
    }

    /// The type of the accumulators and of the bias.
    fn sum_type(&self) -> EType {
        if self.shape.sizes[2] == 8 { EType::S64 } else { EType::S32 }
    }

    fn accumulator(&self, area: &Area, offset: Expr, channels: Expr) -> View {
        let size = self.shape.sizes[2];
        let pixel = next_multiple(self.shape.tile_oc(&self.tile), 16) * size;
        View {
            space: Space::Acc,
            etype: self.sum_type(),
            base: offset,
            dims: [Expr::from(1), area.rows.clone(), area.cols.clone(), channels],
            strides: [0, self.tile.cols * pixel, pixel, size],
            zero_point: 0,
            lanes: 1,
            buffer: Buffer::new(0, self.shape.accumulator_bytes(&self.tile)),
        }
    }

    fn bias_view(&self, offset: Expr, channels: Expr) -> View {
        let buffer = self.buffers[2];
        let dims = [Expr::from(1), Expr::from(1), Expr::from(1), channels];
        let strides = [0, 0, 0, self.shape.sizes[2]];
        spm_view(buffer, self.sum_type(), Expr::from(buffer.start) + offset, dims, strides, 0, 1)
    }

    fn conv_op(
        &self,
        nest: &Nest,
        area: &Area,
        channels: &Channels,
        reduce_first: Expr,
        reduce: Expr,
        accumulate: bool,
    ) -> TileOp {
        let [kh, kw] = self.shape.kernel;
        let buffer = self.buffers[1];
        let out = channels.count.clone();
        let (code, dims, strides) = if self.shape.depthwise {
            let size = self.shape.sizes[1];
            let width = next_multiple(self.tile.channels, 16) * size;
            (Code::Depthwise, [1.into(), kh.into(), kw.into(), out.clone()], [0, kw * width, width, size])
        } else {
            let code = if self.addresses.pruned.is_some() { Code::Pruned } else { Code::Conv };
            (code, [out.clone(), kh.into(), kw.into(), reduce.clone()], [0; 4])
        };
        let weights =
            spm_view(buffer, self.weight_type, buffer.start.into(), dims, strides, self.weight_zero, 1);
        let first = if self.shape.depthwise { channels.first.clone() } else { reduce_first.clone() };
        let mut views = vec![
            self.accumulator(area, 0.into(), out.clone()),
            self.source(nest, area, first, 0.into(), reduce),
            weights,
        ];
        let bias = !accumulate && self.epilogue.bias.is_some();
        if bias {
            views.push(self.bias_view(0.into(), out));
        }
        let mut op = TileOp::new(code, views).with_window(self.window, [area.row.clone(), area.col.clone()]);
        op.accumulate = accumulate;
        op.flag = bias;
        op.mask = self
            .addresses
            .pruned
            .as_ref()
            .map(|masks| self.tile_address(masks.first, masks.steps, channels, &reduce_first));
        op
    }

    /// One group of a grouped convolution; `g` counts from the tile's first group.
    fn group_op(&self, nest: &Nest, area: &Area, channels: &Channels, g: Expr) -> TileOp {
        let (first, _) = self.input_channels(channels);
        let [kh, kw] = self.shape.kernel;
        let (ic, oc) = (self.shape.ic, self.shape.oc);
        let buffer = self.buffers[1];
        let [input, weight, sums, _] = self.shape.sizes;
        let base = Expr::from(buffer.start) + g.clone() * (packed_bytes(oc, self.shape.taps(), ic) * weight);
        let dims = [oc.into(), kh.into(), kw.into(), ic.into()];
        let weights = spm_view(buffer, self.weight_type, base, dims, [0; 4], self.weight_zero, 1);
        let mut views = vec![
            self.accumulator(area, g.clone() * (oc * sums), oc.into()),
            self.source(nest, area, first, g.clone() * (ic * input), ic.into()),
            weights,
        ];
        if self.epilogue.bias.is_some() {
            views.push(self.bias_view(g * (oc * sums), oc.into()));
        }
        let mut op =
            TileOp::new(Code::Conv, views).with_window(self.window, [area.row.clone(), area.col.clone()]);
        op.flag = self.epilogue.bias.is_some();
        op
    }

    /// Requantize and store.
    fn finish(&self, nest: &Nest, area: &Area, channels: &Channels) -> Vec<Stmt> {
        let (first, count) = self.output_channels(channels);
        let lanes = self.shape.out_lanes;
        let pixel = next_multiple(self.shape.tile_oc(&self.tile), lanes);
        let buffer = self.buffers[4];
        let size = self.shape.sizes[3];
        let strides = [0, self.tile.cols * pixel * size, pixel * size, size];
        let area_dims = |c: Expr| [Expr::from(1), area.rows.clone(), area.cols.clone(), c];
        let view = |dims, lanes| {
            spm_view(buffer, self.dst.etype, buffer.start.into(), dims, strides, self.out_zero, lanes)
        };
        let (dtype, zero_point) = match &self.epilogue.tail {
            Some(tail) => (etype(tail.dtype), tail.zero_point),
            None => (self.dst.etype, self.out_zero),
        };
        let quant = Quant {
            zero_point,
            clamp: self.epilogue.clamp,
            m0: if self.shape.per_channel {
                0.0
            } else {
                self.epilogue.multiplier.first().copied().unwrap_or(0.0)
            },
            m1: 0.0,
            c: 0.0,
            profile: Quant::ONNX,
            table: self.shape.per_channel.then(|| (self.buffers[3].start.into(), self.buffers[3])),
        };
        let resident = self.dst.space == Space::Spm;
        let origin = [area.batch.clone(), area.row.clone(), area.col.clone(), first.clone()];
        let result = if resident {
            let place = dram_view(&self.dst, origin.clone(), area_dims(count.clone()), self.out_zero);
            View { lanes: lanes as u8, ..place }
        } else {
            view(area_dims(count.clone()), lanes)
        };
        let sums = self.accumulator(area, 0.into(), count.clone());
        let mut sum = View { etype: dtype, zero_point, ..result.clone() };
        if self.tail.is_some() && !resident {
            // In other banks than the buffer that DMA stores, so that the table's reads and DMA use different
            // ports.
            sum.buffer = self.buffers[5];
            sum.base = self.buffers[5].start.into();
        }
        let mut body = vec![Stmt::Op(finishing(dtype, vec![sum.clone(), sums], quant))];
        if let Some((_, table)) = &self.tail {
            body.push(Stmt::Op(TileOp::new(Code::Lut, vec![result, sum, table.clone()])));
        }
        if resident {
            return body;
        }
        let stored = if self.dst.lanes > 1 {
            match count.constant() {
                Some(c) => Expr::from(next_multiple(c, self.dst.lanes)),
                None => nest.min(pixel, Expr::from(self.dst.padded_channels()) - first.clone()),
            }
        } else {
            count
        };
        let dims = area_dims(stored);
        let store = TileOp::new(
            Code::DmaOut,
            vec![dram_view(&self.dst, origin, dims.clone(), self.out_zero), view(dims, 1)],
        );
        body.push(Stmt::Op(store));
        body
    }
}

/// A count of channels rounded up to `step`, for the tile that starts at `first`.
fn rounded(count: &Expr, step: i64, total: i64, tile: i64, first: &Expr) -> Expr {
    match count.constant() {
        Some(c) => Expr::from(next_multiple(c, step)),
        None => {
            Expr::from(next_multiple(tile, step)).min(Expr::from(next_multiple(total, step)) - first.clone())
        }
    }
}
