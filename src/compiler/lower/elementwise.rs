//! Element-wise layers: add, multiply, table.
//!
//! If all operands lie contiguously in the same order, the tensor is one long row, which fills the vector
//! lanes; else tiles keep their four extents, and an operand that broadcasts has extent 1 and stride 0 there.

use super::super::CompileError;
use super::super::storage::{Storage, lane_block, next_multiple};
use super::super::tile::{Buffer, Code, Expr, Quant, Stmt, TileOp, View};
use super::broadcast::{Operand, Operands};
use super::{Lowering, Nest, dram_view, exprs, load_constants, packed_strides, spm_view, too_large};
use crate::graph::{Lut, Node, TensorId};
use crate::isa::limits::MAX_EXTENT;
use crate::isa::{EType, Space};
use crate::machine::Machine;
use crate::numeric::{AddCoefficients, MulCoefficients};

impl Lowering<'_> {
    pub(super) fn add(&mut self, node: &Node, clamp: [i32; 2]) -> Result<Vec<Stmt>, CompileError> {
        let [a, b, y] = self.three_scales(node)?;
        let k = AddCoefficients::new(a.0, a.1, b.0, b.1, y.0, y.1);
        let quant =
            Quant { zero_point: y.1, clamp, m0: k.ra, m1: k.rb, c: k.c, profile: Quant::ONNX, table: None };
        self.binary(node, Code::Add, quant)
    }

    pub(super) fn mul(&mut self, node: &Node, clamp: [i32; 2]) -> Result<Vec<Stmt>, CompileError> {
        let [a, b, y] = self.three_scales(node)?;
        let k = MulCoefficients::new(a.0, b.0, y.0);
        let quant =
            Quant { zero_point: y.1, clamp, m0: k.m, m1: 0.0, c: 0.0, profile: Quant::ONNX, table: None };
        self.binary(node, Code::Mul, quant)
    }

    pub(super) fn table(&mut self, node: &Node, lut: &Lut) -> Result<Vec<Stmt>, CompileError> {
        let dst = self.output(node)?.clone();
        let source = self.operand(node, 0, &dst)?;
        let mut spm = self.spm();
        let (load, table) = self
            .load_table(&mut spm, lut, dst.etype)
            .ok_or_else(|| too_large(node, "scratchpad", 256, self.machine.spm.bytes))?;
        let mut body = vec![Stmt::Op(load)];
        body.extend(self.map(node, spm, Operands::of(vec![source], dst.clone()), |mut views| {
            views.push(table.clone());
            TileOp::new(Code::Lut, views)
        })?);
        Ok(body)
    }

    /// Loads a table of 256 entries into the scratchpad.
    pub(super) fn load_table(
        &mut self,
        spm: &mut super::Spm,
        lut: &Lut,
        etype: EType,
    ) -> Option<(TileOp, View)> {
        let buffer = spm.take(256)?;
        let address = self.constants.append_loaded(lut.table.as_slice());
        let segment = Buffer::new(0, self.constants.len() as i64);
        let view = spm_view(buffer, etype, buffer.start.into(), exprs([1, 1, 1, 256]), [0, 0, 0, 1], 0, 1);
        Some((load_constants(segment, address.into(), buffer, 256.into()), view))
    }

    fn three_scales(&self, node: &Node) -> Result<[(f32, i32); 3], CompileError> {
        let scale = |id: Option<&TensorId>| {
            id.and_then(|id| self.graph.tensor(*id).quant).map(|q| (q.scale, q.zero_point)).ok_or_else(|| {
                CompileError::Malformed {
                    node: node.name.clone(),
                    reason: "an operand is not quantized".into(),
                }
            })
        };
        Ok([scale(node.inputs.first())?, scale(node.inputs.get(1))?, scale(node.outputs.first())?])
    }

    fn binary(&mut self, node: &Node, code: Code, quant: Quant) -> Result<Vec<Stmt>, CompileError> {
        let operands = self.operands(node)?;
        self.map(node, self.spm(), operands, |views| TileOp::new(code, views).with_quant(quant.clone()))
    }

    /// Loads tiles of the sources, applies `op` to `[destination, sources…]`, stores the result.
    pub(super) fn map(
        &self,
        node: &Node,
        spm: super::Spm,
        operands: Operands,
        op: impl Fn(Vec<View>) -> TileOp,
    ) -> Result<Vec<Stmt>, CompileError> {
        self.map_steps(node, spm, operands, 0, |views, _| vec![op(views)])
    }

    /// [`Lowering::map`] with several operations for each tile, and `scratch` float buffers of the tile's
    /// extents.
    pub(super) fn map_steps(
        &self,
        node: &Node,
        mut spm: super::Spm,
        operands: Operands,
        scratch: usize,
        ops: impl Fn(Vec<View>, &[View]) -> Vec<TileOp>,
    ) -> Result<Vec<Stmt>, CompileError> {
        let out_zero = self.zero_point(node.outputs[0]);
        let flat = if operands.outer.is_empty() { flatten(&operands.sources, &operands.dst) } else { None };
        let operands = flat.map_or(operands, |(sources, dst)| Operands::of(sources, dst));
        let (sources, dst) = (operands.sources.as_slice(), &operands.dst);
        let lanes = if dst.etype == EType::F32 { 1 } else { lane_block(dst.dims[3]) };
        let layout = MapLayout { lanes, scratch: scratch as i64 };
        let tile = layout.overlapping(sources, dst, spm.left(), self.machine).ok_or_else(|| {
            too_large(
                node,
                "scratchpad",
                layout.bytes(sources, dst, [1, 1, 1, 16], 1),
                self.machine.spm.bytes,
            )
        })?;
        let full =
            || too_large(node, "scratchpad", layout.bytes(sources, dst, tile, 1), self.machine.spm.bytes);
        let mut buffers = Vec::new();
        for s in sources {
            buffers.push(spm.take(layout.operand_bytes(&s.storage, tile)).ok_or_else(full)?);
        }
        let out = spm.take(layout.operand_bytes(dst, tile)).ok_or_else(full)?;
        let mut slots = Vec::new();
        for _ in 0..scratch {
            slots.push(spm.take(tile.iter().product::<i64>() * 4).ok_or_else(full)?);
        }

        let mut nest = Nest::default();
        let d = dst.dims;
        let shifted = |mut op: TileOp, view: usize, by: &Expr| {
            op.views[view].base = op.views[view].base.clone() + by.clone();
            Stmt::Op(op)
        };
        operands.around(&mut nest, &|nest, offsets| {
            nest.tiles(0, d[0], tile[0], |nest, a, na| {
                nest.tiles(0, d[1], tile[1], |nest, b, nb| {
                    nest.tiles(0, d[2], tile[2], |nest, c, nc| {
                        nest.tiles(0, d[3], tile[3], |nest, e, ne| {
                            let at = [a, b, c, e];
                            let dims = [na, nb, nc, ne];
                            let mut body = Vec::new();
                            let (out_view, store) = layout.store(nest, dst, out, out_zero, tile, &at, &dims);
                            let mut views = vec![out_view];
                            for ((s, buffer), offset) in sources.iter().zip(&buffers).zip(&offsets[1..]) {
                                let (load, view) = layout.load(nest, s, *buffer, tile, &at, &dims);
                                body.push(shifted(load, 1, offset));
                                views.push(view);
                            }
                            let packed = packed_strides([tile[1], tile[2], tile[3]], 4);
                            let float = |b: &Buffer| {
                                spm_view(*b, EType::F32, b.start.into(), dims.clone(), packed, 0, 1)
                            };
                            let slots: Vec<View> = slots.iter().map(float).collect();
                            body.extend(ops(views, &slots).into_iter().map(Stmt::Op));
                            body.push(shifted(store, 0, &offsets[0]));
                            Ok(body)
                        })
                    })
                })
            })
        })
    }
}

/// Tiles that a layer which moves so many bytes is cut into at least, but no more than `most`: the first load
/// and the last store overlap with nothing, but a transfer should take twice as long as the answer of DRAM.
fn pieces(bytes: i64, most: i64, machine: &Machine) -> i64 {
    let latency = i64::from(machine.dram.read_latency_cycles) * machine.dram.rate() as i64 / 1000;
    (bytes / (2 * latency).max(machine.dram.grant_bytes.into())).clamp(1, most)
}

/// Whether the innermost extent is one element that is broadcast to every channel.
fn repeats(s: &Storage) -> bool {
    s.dims[3] == 1 && s.strides[3] == 0
}

/// Layout of the tiles of an element-wise layer in the scratchpad.
struct MapLayout {
    lanes: i64,
    /// Number of float buffers beside the operands.
    scratch: i64,
}

impl MapLayout {
    /// Extents of an operand's tile: 1 where it broadcasts.
    fn extents(&self, s: &Storage, tile: [i64; 4]) -> [i64; 4] {
        std::array::from_fn(|axis| if s.dims[axis] == 1 { 1 } else { tile[axis] })
    }

    fn inner(&self, s: &Storage, extent: i64) -> i64 {
        if s.etype == EType::F32 || repeats(s) {
            extent
        } else {
            // Lane blocks in memory are moved whole, so the buffer holds them whole.
            next_multiple(extent, self.lanes.max(s.lanes))
        }
    }

    fn operand_bytes(&self, s: &Storage, tile: [i64; 4]) -> i64 {
        let [a, b, c, d] = self.extents(s, tile);
        a * b * c * self.inner(s, d) * s.etype.bytes() as i64
    }

    /// Bytes of all buffers, with `sides` sides for those that DMA fills or empties.
    fn bytes(&self, sources: &[Operand], dst: &Storage, tile: [i64; 4], sides: i64) -> i64 {
        let all = sources.iter().map(|s| &s.storage).chain([dst]);
        let copies = |s: &Storage| if s.space == Space::Dram { sides } else { 1 };
        let operands: i64 = all.map(|s| copies(s) * next_multiple(self.operand_bytes(s, tile), 64)).sum();
        operands + self.scratch * next_multiple(tile.iter().product::<i64>() * 4, 64)
    }

    /// A tile that leaves room for double buffers where possible, and small enough that loads, operations and
    /// stores overlap; a long row is cut into pieces of whole segments.
    fn overlapping(
        &self,
        sources: &[Operand],
        dst: &Storage,
        room: i64,
        machine: &Machine,
    ) -> Option<[i64; 4]> {
        let mut most = dst.dims.map(|d| d.min(MAX_EXTENT.into()));
        let row = most[..3] == [1; 3];
        let in_dram = sources.iter().map(|s| &s.storage).chain([dst]).filter(|s| s.space == Space::Dram);
        let streamed: i64 = in_dram.map(|s| self.operand_bytes(s, most)).sum();
        let segment = i64::from(machine.dram.grant_bytes);
        let pieces = pieces(streamed, 4, machine);
        let mut room = room;
        if row {
            most[3] = most[3].min(next_multiple((most[3] + pieces - 1) / pieces, segment));
        } else {
            let pixel = self.bytes(sources, dst, [1, 1, 1, most[3]], 2);
            room = room.min(pixel.max(self.bytes(sources, dst, most, 2) / pieces));
        }
        let step = if row { segment } else { 16 };
        self.tile(sources, dst, most, room, step, 2).or_else(|| self.tile(sources, dst, most, room, 16, 1))
    }

    /// The largest tile that fits, at most `most`: whole inner extents first.
    fn tile(
        &self,
        sources: &[Operand],
        dst: &Storage,
        most: [i64; 4],
        room: i64,
        step: i64,
        sides: i64,
    ) -> Option<[i64; 4]> {
        let mut tile = most;
        for axis in 0..4 {
            let step = if axis == 3 { step } else { 1 };
            let whole = tile[axis];
            let mut parts = 1;
            while self.bytes(sources, dst, tile, sides) > room && tile[axis] > step {
                parts += 1;
                tile[axis] = next_multiple((whole + parts - 1) / parts, step).min(tile[axis]);
                if parts > 64 {
                    tile[axis] = next_multiple(tile[axis] / 2, step).max(step);
                }
            }
        }
        (self.bytes(sources, dst, tile, sides) <= room).then_some(tile)
    }

    fn strides(&self, s: &Storage, tile: [i64; 4]) -> [i64; 4] {
        let [_, b, c, d] = self.extents(s, tile);
        packed_strides([b, c, self.inner(s, d)], s.etype.bytes() as i64)
    }

    /// The load of a source tile, and the view that the vector unit reads.
    fn load(
        &self,
        nest: &Nest,
        s: &Operand,
        buffer: Buffer,
        tile: [i64; 4],
        at: &[Expr; 4],
        dims: &[Expr; 4],
    ) -> (TileOp, View) {
        let st = &s.storage;
        let mut origin = at.clone();
        let mut extents = dims.clone();
        let strides = self.strides(st, tile);
        let mut read = strides;
        for axis in 0..4 {
            if st.dims[axis] == 1 {
                origin[axis] = 0.into();
                extents[axis] = 1.into();
                read[axis] = 0;
            }
        }
        let lanes = if st.etype == EType::F32 || repeats(st) { 1 } else { self.lanes };
        let (moved, pad) = self.moved(nest, st, &origin[3], &extents[3], tile[3], lanes);
        extents[3] = moved;
        let src = dram_view(st, origin, extents.clone(), s.zero_point);
        let base = Expr::from(buffer.start);
        let dst = spm_view(buffer, st.etype, base.clone(), extents, strides, s.zero_point, pad);
        let view = spm_view(buffer, st.etype, base, dims.clone(), read, s.zero_point, 1);
        (TileOp::new(Code::DmaIn, vec![dst, src]), view)
    }

    /// How many channels are moved, and the lane block that DMA pads to: lane blocks in memory are moved
    /// whole.
    fn moved(
        &self,
        nest: &Nest,
        st: &Storage,
        first: &Expr,
        count: &Expr,
        tile: i64,
        lanes: i64,
    ) -> (Expr, i64) {
        if st.lanes == 1 || repeats(st) {
            return (count.clone(), lanes);
        }
        let rounded = match count.constant() {
            Some(c) => Expr::from(next_multiple(c, st.lanes)),
            None => nest.min(next_multiple(tile, st.lanes), Expr::from(st.padded_channels()) - first.clone()),
        };
        (rounded, 1)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a tile")]
    fn store(
        &self,
        nest: &Nest,
        dst: &Storage,
        buffer: Buffer,
        zero_point: i32,
        tile: [i64; 4],
        at: &[Expr; 4],
        dims: &[Expr; 4],
    ) -> (View, TileOp) {
        let strides = self.strides(dst, tile);
        let base = Expr::from(buffer.start);
        let lanes = if dst.etype == EType::F32 { 1 } else { self.lanes };
        let written = spm_view(buffer, dst.etype, base.clone(), dims.clone(), strides, zero_point, lanes);
        let mut extents = dims.clone();
        extents[3] = self.moved(nest, dst, &at[3], &dims[3], tile[3], 1).0;
        let from = spm_view(buffer, dst.etype, base, extents.clone(), strides, zero_point, 1);
        let to = dram_view(dst, at.clone(), extents, zero_point);
        (written, TileOp::new(Code::DmaOut, vec![to, from]))
    }
}

/// Sources and destination as one row each, if all of them lie in the same order without gaps. Padding lanes
/// are part of the row: nothing depends on what they hold.
fn flatten(sources: &[Operand], dst: &Storage) -> Option<(Vec<Operand>, Storage)> {
    let n = dst.bytes / dst.etype.bytes() as i64;
    if n > MAX_EXTENT.into() && n != dst.dims.iter().product::<i64>() {
        return None;
    }
    let line = |s: &Storage| {
        let size = s.etype.bytes() as i64;
        let same = s.dims == dst.dims
            && s.bytes == n * size
            && s.padded_channels() == dst.padded_channels()
            && s.strides.iter().all(|stride| stride % size == 0)
            && (0..4).all(|i| {
                dst.dims[i] == 1 || s.strides[i] / size == dst.strides[i] / dst.etype.bytes() as i64
            });
        let strides = [n * size, n * size, n * size, size];
        same.then(|| Storage { dims: [1, 1, 1, n], strides, lanes: 1, ..s.clone() })
    };
    let flat = line(dst)?;
    let sources: Option<Vec<Operand>> =
        sources.iter().map(|s| Some(Operand { storage: line(&s.storage)?, ..s.clone() })).collect();
    Some((sources?, flat))
}
