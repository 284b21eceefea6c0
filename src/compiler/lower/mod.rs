//! Graph → tiled operations: one [`TileLayer`] for each node.
//!
//! [`Lowering`] holds what all operators share: the places of tensors, the constant segment, the machine.
//! Each operator family has its file. A layer may use its room of the scratchpad freely; inside it, [`Spm`]
//! allocates buffers and [`Nest`] builds loops whose partial tiles have the right extents.

mod assemble;
mod broadcast;
mod elementwise;
mod gather;
mod lane;
mod mac;
mod matmul;
mod movement;
mod pool;
mod quantize;
mod resize;
mod softmax;
mod tiling;
mod transposed;

use std::collections::BTreeMap;

use super::CompileError;
use super::constants::Constants;
use super::storage::{Storage, WORK_BASE, next_multiple};
use super::tile::{Buffer, Code, Expr, Ranges, Stmt, TileLayer, TileOp, Var, View};
use crate::graph::{Graph, Node, Op, TensorId};
use crate::isa::{EType, Profile, Space};
use crate::machine::Machine;

/// State that lowering an operator needs.
pub(super) struct Lowering<'a> {
    pub(super) graph: &'a Graph,
    pub(super) machine: &'a Machine,
    pub(super) storage: &'a BTreeMap<TensorId, Storage>,
    pub(super) constants: Constants,
    pub(super) dense_weights: bool,
    pub(super) profile: Profile,
    /// Scratchpad bytes available for the layer's buffers.
    pub(super) room: i64,
}

impl Lowering<'_> {
    /// Lowers one node. `host` is the index of the node in the host table, for host nodes.
    pub(super) fn layer(&mut self, node: &Node, host: u32) -> Result<TileLayer, CompileError> {
        let body = match &node.op {
            Op::Conv { window, groups, weights, epilogue } => {
                self.conv(node, window, *groups, weights, epilogue)?
            }
            Op::Gemm { weights, epilogue } => self.gemm(node, weights, epilogue)?,
            Op::Add { clamp } => self.add(node, *clamp)?,
            Op::Mul { clamp } => self.mul(node, *clamp)?,
            Op::Table(lut) => self.table(node, lut)?,
            Op::MaxPool { window } => self.max_pool(node, window)?,
            Op::AvgPool { window, count_include_pad } => self.avg_pool(node, window, *count_include_pad)?,
            Op::GlobalAvgPool => self.global_avg_pool(node)?,
            Op::Quantize => self.quantize(node)?,
            Op::Dequantize => self.dequantize(node)?,
            Op::Concat { axis, tables } => self.concat(node, *axis, tables)?,
            Op::Reshape => self.reshape(node)?,
            Op::Transpose { perm } => self.transpose(node, perm)?,
            Op::Lane { steps } => self.lane(node, steps)?,
            Op::Move { boxes, fill, .. } => self.move_boxes(node, boxes, *fill)?,
            Op::Gather => self.gather(node)?,
            Op::Softmax { axis } => self.softmax(node, *axis)?,
            Op::Resize { rows, cols } => self.resize(node, rows, cols)?,
            Op::MatMul { multiplier, clamp } => self.matmul(node, *multiplier, *clamp)?,
            Op::ConvTranspose { window, groups, weights, epilogue } => {
                self.conv_transpose(node, window, *groups, weights, epilogue)?
            }
            Op::Host(_) => self.host(node, host)?,
        };
        let mut body = unique_variables(body, &mut BTreeMap::new(), &mut 0);
        local_copies(&mut body);
        Ok(TileLayer { name: node.name.clone(), kind: node.op.kind().into(), body })
    }

    fn input(&self, node: &Node, index: usize) -> Result<&Storage, CompileError> {
        node.inputs.get(index).and_then(|id| self.storage.get(id)).ok_or_else(|| CompileError::Malformed {
            node: node.name.clone(),
            reason: format!("operand {index} is missing"),
        })
    }

    fn output(&self, node: &Node) -> Result<&Storage, CompileError> {
        node.outputs.first().and_then(|id| self.storage.get(id)).ok_or_else(|| CompileError::Malformed {
            node: node.name.clone(),
            reason: "it has no output".into(),
        })
    }

    /// Zero point of an activation (0 for floats).
    fn zero_point(&self, id: TensorId) -> i32 {
        self.graph.tensor(id).quant.map_or(0, |q| q.zero_point)
    }

    fn spm(&self) -> Spm {
        Spm { used: 0, bytes: self.room }
    }
}

/// Turns loads from and stores to tensors in the scratchpad into local copies.
fn local_copies(body: &mut [Stmt]) {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => local_copies(body),
            Stmt::Op(op)
                if matches!(op.code, Code::DmaIn | Code::DmaOut)
                    && op.views.iter().all(|v| v.space == Space::Spm) =>
            {
                op.code = Code::DmaCopy;
            }
            _ => {}
        }
    }
}

/// Gives every loop of a layer a unique variable: lowerings build their nests independently, each from zero.
fn unique_variables(body: Vec<Stmt>, names: &mut BTreeMap<Var, Var>, next: &mut u16) -> Vec<Stmt> {
    let mut out = Vec::with_capacity(body.len());
    for s in body {
        out.push(match s {
            Stmt::Loop { var, start, end, step, slots, body } => {
                let fresh = Var(*next);
                *next += 1;
                let before = names.insert(var, fresh);
                let body = unique_variables(body, names, next);
                match before {
                    Some(name) => names.insert(var, name),
                    None => names.remove(&var),
                };
                Stmt::Loop { var: fresh, start, end, step, slots, body }
            }
            Stmt::Op(mut op) => {
                op.rename(&|v| names.get(&v).copied().unwrap_or(v));
                Stmt::Op(op)
            }
            other => other,
        });
    }
    out
}

/// Allocates scratchpad buffers in order, aligned to 64 bytes.
pub(super) struct Spm {
    used: i64,
    bytes: i64,
}

impl Spm {
    /// A buffer of `bytes`; `None` if the scratchpad is full.
    pub(super) fn take(&mut self, bytes: i64) -> Option<Buffer> {
        let start = next_multiple(self.used, 64);
        if bytes > self.bytes - start {
            return None;
        }
        self.used = start + bytes;
        Some(Buffer::new(WORK_BASE + start, bytes))
    }

    /// Bytes left.
    pub(super) fn left(&self) -> i64 {
        self.bytes - next_multiple(self.used, 64)
    }
}

/// The error for a layer whose smallest tile does not fit.
pub(super) fn too_large(node: &Node, what: &str, need: i64, have: u64) -> CompileError {
    CompileError::DoesNotFit { node: node.name.clone(), what: what.into(), need: need.max(0) as u64, have }
}

/// Builds loops. A loop with one trip is not emitted: its variable is a constant.
#[derive(Debug, Default)]
pub(super) struct Nest {
    ranges: Ranges,
    next: u16,
}

impl Nest {
    /// Walks `[start, total)` in tiles: calls `body` with each tile's start and extent.
    pub(super) fn tiles(
        &mut self,
        start: i64,
        total: i64,
        tile: i64,
        body: impl FnOnce(&mut Nest, Expr, Expr) -> Result<Vec<Stmt>, CompileError>,
    ) -> Result<Vec<Stmt>, CompileError> {
        if start >= total {
            return Ok(Vec::new());
        }
        if tile >= total - start {
            return body(self, start.into(), (total - start).into());
        }
        let var = Var(self.next);
        self.next += 1;
        let last = start + (total - 1 - start) / tile * tile;
        self.ranges.push(var, start, last);
        let extent = if (total - start) % tile == 0 {
            Expr::from(tile)
        } else {
            Expr::from(tile).min(Expr::from(total) - var)
        };
        let body = body(self, var.into(), extent)?;
        Ok(vec![Stmt::Loop { var, start, end: total, step: tile, slots: Vec::new(), body }])
    }

    /// The smaller of two expressions, decided by the bounds of the loops where possible.
    pub(super) fn min(&self, a: impl Into<Expr>, b: impl Into<Expr>) -> Expr {
        self.ranges.fold(a.into().min(b))
    }

    /// The larger of two expressions, likewise.
    pub(super) fn max(&self, a: impl Into<Expr>, b: impl Into<Expr>) -> Expr {
        self.ranges.fold(a.into().max(b))
    }
}

/// Byte strides of a box packed row-major, innermost extent `lane_extent` wide in memory.
pub(super) fn packed_strides(dims: [i64; 3], size: i64) -> [i64; 4] {
    // dims: extents of axes 1, 2 and the padded innermost one.
    [dims[0] * dims[1] * dims[2] * size, dims[1] * dims[2] * size, dims[2] * size, size]
}

/// A view of a box of a tensor: origin and extents per axis. With `whole_lanes`, the innermost extent
/// includes the padding lanes as plain elements (the caller counts them in the extents).
pub(super) fn dram_view(s: &Storage, origin: [Expr; 4], dims: [Expr; 4], zero_point: i32) -> View {
    let mut base = Expr::from(s.address);
    for (o, stride) in origin.into_iter().zip(s.strides) {
        base = base + o * stride;
    }
    View {
        space: s.space,
        etype: s.etype,
        base,
        dims,
        strides: s.strides,
        zero_point,
        lanes: 1,
        buffer: Buffer::new(s.address, s.bytes),
    }
}

/// A view of a scratchpad buffer.
pub(super) fn spm_view(
    buffer: Buffer,
    etype: EType,
    base: Expr,
    dims: [Expr; 4],
    strides: [i64; 4],
    zero_point: i32,
    lanes: i64,
) -> View {
    View { space: Space::Spm, etype, base, dims, strides, zero_point, lanes: lanes as u8, buffer }
}

/// Loads `n` bytes of constants at DRAM address `from` into a scratchpad buffer.
pub(super) fn load_constants(segment: Buffer, from: Expr, to: Buffer, n: Expr) -> TileOp {
    let line = |n: Expr| [Expr::from(1), Expr::from(1), Expr::from(1), n];
    let src = View {
        space: Space::Dram,
        etype: EType::U8,
        base: from,
        dims: line(n.clone()),
        strides: [0, 0, 0, 1],
        zero_point: 0,
        lanes: 1,
        buffer: segment,
    };
    let dst = spm_view(to, EType::U8, to.start.into(), line(n), [0, 0, 0, 1], 0, 1);
    TileOp::new(Code::DmaIn, vec![dst, src])
}

/// Four constant extents as expressions.
pub(super) fn exprs(dims: [i64; 4]) -> [Expr; 4] {
    dims.map(Expr::from)
}
