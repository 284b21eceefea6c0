//! Layers that only move data: concat, transpose, reshape, and the fence around a host layer.
//!
//! All of them are copies of boxes with two sets of strides, through the scratchpad. A reshape whose elements
//! already lie in place moves nothing.

use super::super::CompileError;
use super::super::storage::Storage;
use super::super::tile::{Buffer, Code, Expr, Stmt, TileOp, View};
use super::{Lowering, Nest, Spm, dram_view, exprs, packed_strides, spm_view, too_large};
use crate::graph::{Lut, MoveAxis, MoveBox, Node, TensorId};
use crate::isa::limits::MAX_EXTENT;
use crate::isa::{EType, Space};

/// A box of elements at its source and its destination.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    from: (Space, i64, Buffer),
    to: (Space, i64, Buffer),
    /// Extent, stride in the source, stride in the destination.
    axes: Vec<[i64; 3]>,
    /// Types in the source and in the destination, of one size.
    etypes: [EType; 2],
}

impl Copy {
    /// Whether the copy needs no buffer between source and destination.
    fn is_direct(&self) -> bool {
        self.from.0 == Space::Spm || self.to.0 == Space::Spm
    }
}

/// An operation on the elements of a copy in the scratchpad.
pub(super) struct Middle {
    /// Makes the operation from the destination and source views of a tile.
    pub(super) op: Box<dyn Fn(View, View) -> TileOp>,
    /// An axis, with its strides, that is innermost and not cut.
    pub(super) row: Option<[i64; 3]>,
}

impl Lowering<'_> {
    pub(super) fn concat(
        &mut self,
        node: &Node,
        axis: usize,
        tables: &[Option<Lut>],
    ) -> Result<Vec<Stmt>, CompileError> {
        let dst = self.output(node)?.clone();
        let graph = self.graph;
        let shape = |id: TensorId| graph.tensor(id).shape.clone();
        let out_shape = shape(node.outputs[0]);
        if let Some(extent) = extent_of(&dst, axis, out_shape.len())
            && let Some(body) = self.assembled(node, &dst, extent, tables)?
        {
            return Ok(body);
        }
        let mut body = self.fill_padding(node, &dst)?;
        let theirs = steps(&dst, &out_shape);
        let along = theirs[axis][1];
        let mut offset = dst.address;
        for (index, id) in node.inputs.iter().enumerate() {
            let src = self.input(node, index)?.clone();
            let mine = steps(&src, &shape(*id));
            let copy = Copy {
                from: (src.space, src.address, Buffer::new(src.address, src.bytes)),
                to: (dst.space, offset, Buffer::new(dst.address, dst.bytes)),
                axes: mine
                    .iter()
                    .zip(&theirs)
                    .map(|([extent, from], [_, to])| [*extent, *from, *to])
                    .collect(),
                etypes: [src.etype, dst.etype],
            };
            offset += mine[axis][0] * along;
            body.extend(self.copy(node, &copy, tables.get(index).and_then(Option::as_ref))?);
        }
        Ok(body)
    }

    pub(super) fn transpose(&mut self, node: &Node, perm: &[usize]) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let mine = steps(&src, &self.graph.tensor(node.inputs[0]).shape);
        let theirs = steps(&dst, &self.graph.tensor(node.outputs[0]).shape);
        let pairs = perm.iter().zip(&theirs).map(|(p, [extent, to])| [*extent, mine[*p][1], *to]);
        let copy = whole_copy(&src, &dst, pairs.collect());
        let mut body = self.fill_padding(node, &dst)?;
        body.extend(self.copy(node, &copy, None)?);
        Ok(body)
    }

    pub(super) fn move_boxes(
        &mut self,
        node: &Node,
        boxes: &[MoveBox],
        fill: Option<i32>,
    ) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        let mine = steps(&src, &self.graph.tensor(node.inputs[0]).shape);
        let theirs = steps(&dst, &self.graph.tensor(node.outputs[0]).shape);
        // Boxes of all channels include the padding lanes.
        let lanes = whole_lanes(&src, &dst);
        let all =
            |b: &MoveBox| b.axes.iter().any(|a| lanes.is_some() && is_channels(a, &mine, &theirs, &dst));
        let mut body = match fill {
            None if boxes.iter().all(all) => Vec::new(),
            _ => self.fill_padding(node, &dst)?,
        };
        if let Some(value) = fill {
            body.extend(self.fill_elements(node, &dst, value)?);
        }
        let along = |axes: &[[i64; 2]], start: &[i64]| -> i64 {
            axes.iter().zip(start).map(|([_, stride], at)| stride * at).sum()
        };
        for b in boxes {
            let axis = |a: &MoveAxis| {
                let whole = lanes.filter(|_| is_channels(a, &mine, &theirs, &dst));
                let extent = whole.unwrap_or(a.extent as i64);
                [extent, mine[a.from.0][1] * a.from.1, theirs[a.to.0][1] * a.to.1]
            };
            let copy = Copy {
                from: (src.space, src.address + along(&mine, &b.from), Buffer::new(src.address, src.bytes)),
                to: (dst.space, dst.address + along(&theirs, &b.to), Buffer::new(dst.address, dst.bytes)),
                axes: b.axes.iter().map(axis).collect(),
                etypes: [src.etype, dst.etype],
            };
            body.extend(self.copy(node, &copy, None)?);
        }
        Ok(body)
    }

    /// Writes one value to every element.
    fn fill_elements(&self, node: &Node, dst: &Storage, value: i32) -> Result<Vec<Stmt>, CompileError> {
        if dst.space == Space::Spm {
            let origin = [0, 0, 0, 0].map(Expr::from);
            let all = dram_view(dst, origin, exprs(dst.dims), value);
            return Ok(vec![Stmt::Op(TileOp::new(Code::DmaFill, vec![all]))]);
        }
        let n = dst.dims[3];
        let size = dst.etype.bytes() as i64;
        let room = (self.room / size).min(4096).min(n);
        let full = || too_large(node, "scratchpad", n * size, self.machine.spm.bytes);
        let buffer = self.spm().take(room * size).ok_or_else(full)?;
        let line = |n: Expr| [Expr::from(1), Expr::from(1), Expr::from(1), n];
        let local = |dims| spm_view(buffer, dst.etype, buffer.start.into(), dims, [0, 0, 0, size], value, 1);
        let mut body = vec![Stmt::Op(TileOp::new(Code::DmaFill, vec![local(line(room.into()))]))];
        let mut nest = Nest::default();
        body.extend(nest.tiles(0, dst.dims[0], MAX_EXTENT.into(), |nest, a, na| {
            nest.tiles(0, n, room, |_, c, nc| {
                let dims = [na, dst.dims[1].into(), dst.dims[2].into(), nc];
                let to = dram_view(dst, [a, 0.into(), 0.into(), c], dims.clone(), value);
                Ok(vec![Stmt::Op(TileOp::new(Code::DmaOut, vec![to, local(dims)]))])
            })
        })?);
        Ok(body)
    }

    pub(super) fn reshape(&mut self, node: &Node) -> Result<Vec<Stmt>, CompileError> {
        let (src, dst) = (self.input(node, 0)?.clone(), self.output(node)?.clone());
        if src.address == dst.address {
            // The output is another view of the input's memory.
            return Ok(Vec::new());
        }
        let row_major = |s: &Storage| -> Vec<(i64, i64)> {
            s.onnx_order.iter().map(|a| (s.dims[*a], s.strides[*a])).collect()
        };
        let Some(pairs) = refine(&row_major(&src), &row_major(&dst)) else {
            return self.reshape_whole(node, &src, &dst);
        };
        let copy = whole_copy(&src, &dst, pairs);
        let mut body = self.fill_padding(node, &dst)?;
        body.extend(self.copy(node, &copy, None)?);
        Ok(body)
    }

    /// A reshape between layouts without common axes, such as images of other extents: the whole tensor
    /// passes through the scratchpad, where it lies in ONNX order.
    fn reshape_whole(&self, node: &Node, src: &Storage, dst: &Storage) -> Result<Vec<Stmt>, CompileError> {
        let size = src.etype.bytes() as i64;
        let bytes = src.dims.iter().product::<i64>() * size;
        let have = self.machine.spm.bytes;
        let buffer = self.spm().take(bytes).ok_or_else(|| too_large(node, "scratchpad", bytes, have))?;
        let zero = self.zero_point(node.outputs[0]);
        let mut views = Vec::new();
        for s in [src, dst] {
            // The four extents in ONNX order, as stored in DRAM and contiguous in the scratchpad.
            let dims = s.onnx_order.map(|a| s.dims[a]);
            let ordered = Storage { dims, strides: s.onnx_order.map(|a| s.strides[a]), ..s.clone() };
            let origin = [0; 4].map(Expr::from);
            views.push(dram_view(&ordered, origin, exprs(dims), zero));
            let packed = packed_strides([dims[1], dims[2], dims[3]], size);
            views.push(spm_view(buffer, s.etype, buffer.start.into(), exprs(dims), packed, zero, 1));
        }
        let [from, dense_in, to, dense_out] = <[View; 4]>::try_from(views)
            .map_err(|_| CompileError::Internal { what: "a reshape has two sides" })?;
        let mut body = self.fill_padding(node, dst)?;
        body.push(Stmt::Op(TileOp::new(Code::DmaIn, vec![dense_in, from])));
        body.push(Stmt::Op(TileOp::new(Code::DmaOut, vec![to, dense_out])));
        Ok(body)
    }

    pub(super) fn host(&mut self, node: &Node, index: u32) -> Result<Vec<Stmt>, CompileError> {
        for id in node.inputs.iter().chain(&node.outputs) {
            if let Some(s) = self.storage.get(id).filter(|s| !s.is_row_major()) {
                let reason = format!("operand {:?} of a host layer does not lie row-major", s.dims);
                return Err(CompileError::Malformed { node: node.name.clone(), reason });
            }
        }
        Ok(vec![Stmt::Host(index)])
    }

    /// Writes the zero point into the padding lanes of a tensor, from a small buffer read with stride 0.
    pub(super) fn fill_padding(&self, node: &Node, dst: &Storage) -> Result<Vec<Stmt>, CompileError> {
        self.fill_padding_at(node, dst, &mut self.spm())
    }

    /// [`Lowering::fill_padding`] beside other buffers.
    pub(super) fn fill_padding_at(
        &self,
        node: &Node,
        dst: &Storage,
        spm: &mut Spm,
    ) -> Result<Vec<Stmt>, CompileError> {
        let size = dst.etype.bytes() as i64;
        let pad = dst.padded_channels() - dst.dims[3];
        if pad == 0 {
            return Ok(Vec::new());
        }
        let zero = self.zero_point(node.outputs[0]);
        let buffer =
            spm.take(pad * size).ok_or_else(|| too_large(node, "scratchpad", pad, self.machine.spm.bytes))?;
        let line = [Expr::from(1), Expr::from(1), Expr::from(1), pad.into()];
        let view = |dims, strides| spm_view(buffer, dst.etype, buffer.start.into(), dims, strides, zero, 1);
        let [a, b, c, _] = dst.dims;
        let mut nest = Nest::default();
        let stores = nest.tiles(0, a, MAX_EXTENT.into(), |_, first, count| {
            let dims = [count, b.into(), c.into(), pad.into()];
            let to = View {
                space: dst.space,
                etype: dst.etype,
                base: Expr::from(dst.address + dst.dims[3] * dst.strides[3]) + first * dst.strides[0],
                dims: dims.clone(),
                strides: dst.strides,
                zero_point: zero,
                lanes: 1,
                buffer: Buffer::new(dst.address, dst.bytes),
            };
            if dst.space == Space::Spm {
                return Ok(vec![Stmt::Op(TileOp::new(Code::DmaFill, vec![to]))]);
            }
            Ok(vec![Stmt::Op(TileOp::new(Code::DmaOut, vec![to, view(dims, [0, 0, 0, size])]))])
        })?;
        if dst.space == Space::Spm {
            return Ok(stores);
        }
        let mut body = vec![Stmt::Op(TileOp::new(Code::DmaFill, vec![view(line, [0, 0, 0, size])]))];
        body.extend(stores);
        Ok(body)
    }

    /// Copies a box through the scratchpad, with a table lookup in between if `lut` is given.
    fn copy(&mut self, node: &Node, copy: &Copy, lut: Option<&Lut>) -> Result<Vec<Stmt>, CompileError> {
        let mut spm = Spm { used: 64, bytes: self.room };
        let Some(lut) = lut else { return self.copy_through(node, copy, spm, None) };
        let full = || too_large(node, "scratchpad", 256, self.machine.spm.bytes);
        let (load, table) = self.load_table(&mut spm, lut, copy.etypes[1]).ok_or_else(full)?;
        let op = move |to, from| TileOp::new(Code::Lut, vec![to, from, table.clone()]);
        let mut body = vec![Stmt::Op(load)];
        body.extend(self.copy_through(node, copy, spm, Some(Middle { op: Box::new(op), row: None }))?);
        Ok(body)
    }

    /// Copies a box through the rest of the scratchpad.
    pub(super) fn copy_through(
        &self,
        node: &Node,
        copy: &Copy,
        mut spm: Spm,
        middle: Option<Middle>,
    ) -> Result<Vec<Stmt>, CompileError> {
        let size = copy.etypes[1].bytes() as i64;
        let mut axes = coalesce(&copy.axes);
        let row = middle.as_ref().and_then(|m| m.row);
        axes.extend(row);
        let full = |need| too_large(node, "scratchpad", need, self.machine.spm.bytes);
        let buffers = if middle.is_some() { 2 } else { 1 };
        // Whole inner axes as long as they fit; the others become loops.
        let room = spm.left() / buffers / 64 * 64;
        let mut tile = vec![1; axes.len()];
        let mut used = size;
        for (i, [extent, ..]) in axes.iter().enumerate().rev() {
            let mut take = (room / used).clamp(1, *extent).min(MAX_EXTENT.into());
            if row.is_some() && i + 1 == axes.len() {
                if take < *extent {
                    return Err(full(extent * size * buffers));
                }
                take = *extent;
            }
            // Only the four innermost axes can be wider than one element.
            tile[i] = if axes.len() - i <= 4 { take } else { 1 };
            used *= tile[i];
            if tile[i] < *extent {
                break;
            }
        }
        let first = spm.take(used).ok_or_else(|| full(used))?;
        let second = if middle.is_some() { Some(spm.take(used).ok_or_else(|| full(used))?) } else { None };
        let mut nest = Nest::default();
        let mut walk = CopyLoops {
            copy,
            axes: &axes,
            tile: &tile,
            buffers: (first, second),
            middle,
            from: 0.into(),
            to: 0.into(),
        };
        walk.axis(&mut nest, 0, Vec::new())
    }
}

/// Builds the loops of a copy, outermost axis first.
struct CopyLoops<'a> {
    copy: &'a Copy,
    axes: &'a [[i64; 3]],
    tile: &'a [i64],
    buffers: (Buffer, Option<Buffer>),
    middle: Option<Middle>,
    from: Expr,
    to: Expr,
}

impl CopyLoops<'_> {
    fn axis(&mut self, nest: &mut Nest, index: usize, extents: Vec<Expr>) -> Result<Vec<Stmt>, CompileError> {
        let Some([extent, from, to]) = self.axes.get(index).copied() else {
            return Ok(self.step(&extents));
        };
        nest.tiles(0, extent, self.tile[index], |nest, at, count| {
            let saved = (self.from.clone(), self.to.clone());
            self.from = self.from.clone() + at.clone() * from;
            self.to = self.to.clone() + at * to;
            let mut inner = extents;
            inner.push(count);
            let body = self.axis(nest, index + 1, inner);
            (self.from, self.to) = saved;
            body
        })
    }

    fn step(&self, extents: &[Expr]) -> Vec<Stmt> {
        let [read, written] = self.copy.etypes;
        let mut dims = [1; 4].map(Expr::from);
        let (mut from, mut to, mut packed) = ([0; 4], [0; 4], [0; 4]);
        let mut step = written.bytes() as i64;
        for (slot, i) in (0..4).rev().zip((0..extents.len()).rev()) {
            dims[slot] = extents[i].clone();
            from[slot] = self.axes[i][1];
            to[slot] = self.axes[i][2];
            packed[slot] = step;
            step *= self.tile[i];
        }
        let place = |(space, address, buffer): (Space, i64, Buffer), etype, offset: &Expr, strides| View {
            space,
            etype,
            base: Expr::from(address) + offset.clone(),
            dims: dims.clone(),
            strides,
            zero_point: 0,
            lanes: 1,
            buffer,
        };
        let local = |b: Buffer, etype| spm_view(b, etype, b.start.into(), dims.clone(), packed, 0, 1);
        if self.middle.is_none() && self.copy.is_direct() {
            let to = place(self.copy.to, written, &self.to, to);
            let from = place(self.copy.from, read, &self.from, from);
            let code = if to.space == Space::Spm { Code::DmaIn } else { Code::DmaOut };
            return vec![Stmt::Op(TileOp::new(code, vec![to, from]))];
        }
        let staged = local(self.buffers.0, read);
        let load = vec![staged.clone(), place(self.copy.from, read, &self.from, from)];
        let mut body = vec![Stmt::Op(TileOp::new(Code::DmaIn, load))];
        let mut result = staged.clone();
        if let (Some(middle), Some(second)) = (&self.middle, self.buffers.1) {
            result = local(second, written);
            body.push(Stmt::Op((middle.op)(result.clone(), staged)));
        }
        let out = vec![place(self.copy.to, written, &self.to, to), result];
        body.push(Stmt::Op(TileOp::new(Code::DmaOut, out)));
        body
    }
}

pub(super) fn whole_copy(src: &Storage, dst: &Storage, axes: Vec<[i64; 3]>) -> Copy {
    Copy {
        from: (src.space, src.address, Buffer::new(src.address, src.bytes)),
        to: (dst.space, dst.address, Buffer::new(dst.address, dst.bytes)),
        axes,
        etypes: [src.etype, dst.etype],
    }
}

/// Channels including padding lanes, if both tensors have the same; else `None`.
fn whole_lanes(src: &Storage, dst: &Storage) -> Option<i64> {
    let same = src.lanes > 1 && src.lanes == dst.lanes && src.dims[3] == dst.dims[3];
    same.then(|| dst.padded_channels())
}

/// Whether an axis of a box is all channels, in steps of one.
fn is_channels(axis: &MoveAxis, mine: &[[i64; 2]], theirs: &[[i64; 2]], dst: &Storage) -> bool {
    let size = dst.etype.bytes() as i64;
    axis.extent as i64 == dst.dims[3]
        && (axis.from.1, axis.to.1) == (1, 1)
        && (mine[axis.from.0][1], theirs[axis.to.0][1]) == (size, size)
}

/// For each ONNX axis, its position among the four extents.
fn axes(s: &Storage, rank: usize) -> Option<Vec<usize>> {
    match rank {
        1 => Some(vec![3]),
        2 => Some(vec![0, 3]),
        3 => Some(vec![1, 2, 3]),
        4 => Some(s.onnx_order.to_vec()),
        _ => None,
    }
}

/// Extent and byte stride of every ONNX axis. Beyond four axes the leading ones are merged into the first
/// extent.
pub(super) fn steps(s: &Storage, shape: &[usize]) -> Vec<[i64; 2]> {
    if let Some(axes) = axes(s, shape.len()) {
        return axes.into_iter().map(|a| [s.dims[a], s.strides[a]]).collect();
    }
    let mut out: Vec<[i64; 2]> = (1..4).map(|a| [s.dims[a], s.strides[a]]).collect();
    let mut stride = s.strides[0];
    for extent in shape.iter().rev().skip(3) {
        out.insert(0, [*extent as i64, stride]);
        stride *= *extent as i64;
    }
    out
}

/// Which of the four extents an ONNX axis is, if it is one of its own.
fn extent_of(dst: &Storage, axis: usize, rank: usize) -> Option<usize> {
    if let Some(axes) = axes(dst, rank) {
        return axes.get(axis).copied();
    }
    // Higher ranks keep their order; all but the last three axes are merged into the first extent.
    (rank > 4 && axis + 3 >= rank).then(|| axis + 4 - rank)
}

/// Drops axes of extent 1, orders the others by the destination's stride, and merges axes that are contiguous
/// on both sides.
fn coalesce(axes: &[[i64; 3]]) -> Vec<[i64; 3]> {
    let mut kept: Vec<[i64; 3]> = axes.iter().copied().filter(|a| a[0] != 1).collect();
    kept.sort_by_key(|a| std::cmp::Reverse(a[2]));
    let mut merged: Vec<[i64; 3]> = Vec::new();
    for axis in kept {
        match merged.last_mut() {
            Some(outer) if outer[1] == axis[0] * axis[1] && outer[2] == axis[0] * axis[2] => {
                *outer = [outer[0] * axis[0], axis[1], axis[2]];
            }
            _ => merged.push(axis),
        }
    }
    merged
}

/// Splits two row-major enumerations of the same elements into common axes `[extent, stride, stride]`; `None`
/// if an axis boundary of one falls inside an axis of the other and does not divide it.
fn refine(a: &[(i64, i64)], b: &[(i64, i64)]) -> Option<Vec<[i64; 3]>> {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    let mut out = Vec::new();
    loop {
        while a.last().is_some_and(|x| x.0 == 1) {
            a.pop();
        }
        while b.last().is_some_and(|x| x.0 == 1) {
            b.pop();
        }
        let (Some(x), Some(y)) = (a.last_mut(), b.last_mut()) else {
            break;
        };
        let n = x.0.min(y.0);
        if x.0 % n != 0 || y.0 % n != 0 {
            return None;
        }
        out.push([n, x.1, y.1]);
        *x = (x.0 / n, x.1 * n);
        *y = (y.0 / n, y.1 * n);
    }
    (a.is_empty() && b.is_empty()).then(|| {
        out.reverse();
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_axes_of_an_image_and_its_flattening() {
        // [2, 3, 4] channels-last (strides 1, 8, 2 of C, H, W with C = 2) against 24 in a row.
        let image = [(2, 1), (3, 8), (4, 2)];
        assert_eq!(refine(&image, &[(24, 1)]), Some(vec![[2, 1, 12], [3, 8, 4], [4, 2, 1]]));
        assert_eq!(refine(&[(2, 3), (3, 1)], &[(3, 2), (2, 1)]), None);
    }

    #[test]
    fn axes_that_continue_each_other_merge() {
        assert_eq!(coalesce(&[[2, 12, 12], [3, 4, 4], [4, 1, 1]]), [[24, 1, 1]]);
        assert_eq!(coalesce(&[[2, 1, 12], [12, 2, 1]]), [[2, 1, 12], [12, 2, 1]]);
    }
}
