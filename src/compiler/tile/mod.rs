//! The first level of lowering: loops of tiled operations.
//!
//! A [`TileLayer`] has the queue instructions of one layer, tile by tile, with every address and extent, but
//! without registers, conditions and encodings. `lower` makes it from the graph, `emit` turns it into
//! instruction words. [`print()`] and [`parse`] convert it to and from text, so that tiling can be read and
//! tested by itself.

pub mod expr;
mod reach;
mod text;

use crate::isa::{EType, Float1, Float2, Profile, Queue, Space, WindowDesc};
use crate::numeric::Rescale;
pub use expr::{Expr, Ranges, Var};
pub use reach::reach;
pub use text::{TileTextError, parse, print};

/// One layer, lowered to tiles.
#[derive(Debug, Clone, PartialEq)]
pub struct TileLayer {
    /// Layer name.
    pub name: String,
    /// Operator kind, for listings.
    pub kind: String,
    /// Statements, in program order.
    pub body: Vec<Stmt>,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Stmt {
    /// `for var in (start..end).step_by(step)`; at least one trip.
    Loop {
        /// Bound here, unique in the layer.
        var: Var,
        /// First value.
        start: i64,
        /// Past the last value.
        end: i64,
        /// At least 1.
        step: i64,
        /// Buffers that change sides at the beginning of every trip.
        slots: Vec<Slot>,
        /// Executed once for each value.
        body: Vec<Stmt>,
    },
    /// One queue instruction.
    Op(TileOp),
    /// Call of a host layer.
    Host(u32),
}

/// A double buffer's variable: 0 before the first trip of its loops, then `bytes` and 0 alternately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Unique in the layer.
    pub var: Var,
    /// Distance of the two sides in bytes.
    pub bytes: i64,
}

/// A range of bytes `[start, start + bytes)` of a memory, which all accesses of a view stay inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Buffer {
    /// First byte.
    pub start: i64,
    /// Size; of one side, if the buffer is double.
    pub bytes: i64,
    /// The variable of a double buffer; it is added to every address in it.
    pub slot: Option<Var>,
    /// The distance of the sides, for the side that the next trip uses; else 0. Until buffers are placed, any
    /// number but 0.
    pub ahead: i64,
}

impl Buffer {
    /// A single (not double) buffer.
    #[must_use]
    pub fn new(start: i64, bytes: i64) -> Buffer {
        Buffer { start, bytes, slot: None, ahead: 0 }
    }

    /// The same buffer, on the side that the next trip uses.
    #[must_use]
    pub fn next_side(self) -> Buffer {
        Buffer { ahead: 1, ..self }
    }

    /// An address inside it, on the side in use or on the next one.
    #[must_use]
    pub fn address(&self, base: &Expr) -> Expr {
        match self.slot {
            Some(slot) if self.ahead != 0 => base.clone() + self.ahead - slot,
            Some(slot) => base.clone() + slot,
            None => base.clone(),
        }
    }
}

/// A tensor operand: the fields of a tensor descriptor, as expressions where they change from tile to tile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// Which memory.
    pub space: Space,
    /// Element type.
    pub etype: EType,
    /// Address of element (0,0,0,0).
    pub base: Expr,
    /// Extents.
    pub dims: [Expr; 4],
    /// Byte strides; all zero for packed weights.
    pub strides: [i64; 4],
    /// Zero point.
    pub zero_point: i32,
    /// Lane block of the innermost extent.
    pub lanes: u8,
    /// The buffer that the accesses stay inside.
    pub buffer: Buffer,
}

/// Operation codes of tiled operations; each becomes one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// DRAM → SPM.
    DmaIn,
    /// Rows of a table in DRAM that ids in SPM choose → SPM.
    Gather,
    /// Zero point → SPM.
    DmaFill,
    /// SPM → SPM.
    DmaCopy,
    /// SPM → DRAM.
    DmaOut,
    /// Convolution tile.
    Conv,
    /// Convolution tile with weights whose zero blocks are absent.
    Pruned,
    /// Depthwise convolution tile.
    Depthwise,
    /// ACC → 8 or 16 bits.
    Requant,
    /// Quantized sum.
    Add,
    /// Quantized product.
    Mul,
    /// Table lookup.
    Lut,
    /// Maximum of windows.
    MaxPool,
    /// Average of windows.
    AvgPool,
    /// Sum over the image into ACC.
    Rsum,
    /// f32 → 8 bits.
    Quantize,
    /// Integers or accumulators → f32.
    Dequantize,
    /// Accumulators, stored unchanged.
    Sums,
    /// Product of two tensors.
    Matmul,
    /// A function of floats.
    F1(Float1),
    /// A function of two floats each.
    F2(Float2),
    /// Softmax of rows.
    Softmax,
    /// Linear interpolation.
    Resize,
}

impl Code {
    /// All codes.
    pub fn all() -> impl Iterator<Item = Code> {
        const PLAIN: [Code; 21] = [
            Code::DmaIn,
            Code::Gather,
            Code::DmaFill,
            Code::DmaCopy,
            Code::DmaOut,
            Code::Conv,
            Code::Pruned,
            Code::Depthwise,
            Code::Requant,
            Code::Add,
            Code::Mul,
            Code::Lut,
            Code::MaxPool,
            Code::AvgPool,
            Code::Rsum,
            Code::Quantize,
            Code::Dequantize,
            Code::Sums,
            Code::Matmul,
            Code::Softmax,
            Code::Resize,
        ];
        PLAIN.into_iter().chain(Float1::ALL.map(Code::F1)).chain(Float2::ALL.map(Code::F2))
    }

    /// Name in the text form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Code::DmaIn => "load",
            Code::Gather => "gather",
            Code::DmaFill => "fill",
            Code::DmaCopy => "copy",
            Code::DmaOut => "store",
            Code::Conv => "conv",
            Code::Pruned => "pruned",
            Code::Depthwise => "depthwise",
            Code::Requant => "requant",
            Code::Add => "qadd",
            Code::Mul => "qmul",
            Code::Lut => "lut",
            Code::MaxPool => "maxpool",
            Code::AvgPool => "avgpool",
            Code::Rsum => "rsum",
            Code::Quantize => "quantize",
            Code::Dequantize => "dequantize",
            Code::Sums => "sums",
            Code::Matmul => "matmul",
            Code::Softmax => "softmax",
            Code::Resize => "resize",
            // The functions of f32 have their own names, all different from those above.
            Code::F1(op) => op.name(),
            Code::F2(op) => op.name(),
        }
    }

    /// The queue that executes it.
    #[must_use]
    pub fn queue(self) -> Queue {
        match self {
            Code::DmaIn | Code::Gather | Code::DmaFill | Code::DmaCopy => Queue::Dmain,
            Code::DmaOut => Queue::Dmaout,
            Code::Conv | Code::Pruned | Code::Depthwise | Code::Matmul => Queue::Mac,
            _ => Queue::Vec,
        }
    }
}

/// Quantization operand: the fields of a quantization descriptor.
#[derive(Debug, Clone, PartialEq)]
pub struct Quant {
    /// Zero point of the result.
    pub zero_point: i32,
    /// Clamp.
    pub clamp: [i32; 2],
    /// First factor or scale.
    pub m0: f32,
    /// Second factor or scale.
    pub m1: f32,
    /// Addend.
    pub c: f32,
    /// Rounding profile, and in the q31 ones the multipliers that replace `m0`, `m1` and the factor of the
    /// sum.
    pub profile: (Profile, [Rescale; 3]),
    /// SPM address of per-channel multipliers, and the buffer that holds them; `None`: `m0` for all.
    pub table: Option<(Expr, Buffer)>,
}

impl Quant {
    /// The profile of f32 factors.
    pub const ONNX: (Profile, [Rescale; 3]) = (Profile::Onnx, [Rescale { multiplier: 0, shift: 31 }; 3]);
}

/// A tiled operation. The code determines which parts are present.
#[derive(Debug, Clone, PartialEq)]
pub struct TileOp {
    /// What it does.
    pub code: Code,
    /// Destination first, then sources in operand order; a bias comes last.
    pub views: Vec<View>,
    /// For requantizing operations.
    pub quant: Option<Quant>,
    /// For windowed operations.
    pub window: Option<WindowDesc>,
    /// Output row and column of the tile's first element, for windowed operations.
    pub origin: [Expr; 2],
    /// For pruned weights: address of the mask in the constants.
    pub mask: Option<Expr>,
    /// MAC and rsum: whether to add to the present accumulators.
    pub accumulate: bool,
    /// MAC: whether sums start from the bias operand. AvgPool: whether padding counts.
    pub flag: bool,
}

impl TileOp {
    /// An operation on views alone.
    #[must_use]
    pub fn new(code: Code, views: Vec<View>) -> TileOp {
        let origin = [Expr::Const(0), Expr::Const(0)];
        TileOp { code, views, quant: None, window: None, origin, mask: None, accumulate: false, flag: false }
    }

    /// With a quantization operand.
    #[must_use]
    pub fn with_quant(mut self, quant: Quant) -> TileOp {
        self.quant = Some(quant);
        self
    }

    /// With a window and the tile's origin.
    #[must_use]
    pub fn with_window(mut self, window: WindowDesc, origin: [Expr; 2]) -> TileOp {
        self.window = Some(window);
        self.origin = origin;
        self
    }

    /// Renames the variables of all its expressions.
    pub fn rename(&mut self, to: &impl Fn(Var) -> Var) {
        for view in &mut self.views {
            view.base = view.base.rename(to);
            view.dims = view.dims.each_ref().map(|e| e.rename(to));
        }
        self.origin = self.origin.each_ref().map(|e| e.rename(to));
        self.mask = self.mask.as_ref().map(|e| e.rename(to));
        if let Some((table, _)) = self.quant.as_mut().and_then(|q| q.table.as_mut()) {
            *table = table.rename(to);
        }
    }

    /// Memory and buffer of every operand, and whether it is written.
    pub fn touches(&self) -> impl Iterator<Item = (Space, Buffer, bool)> + '_ {
        let views = self.views.iter().enumerate().map(|(i, v)| (v.space, v.buffer, i == 0));
        let table = self.quant.as_ref().and_then(|q| q.table.as_ref()).map(|(_, b)| (Space::Spm, *b, false));
        views.chain(table)
    }

    /// As [`touches`](Self::touches), mutable, with the address in the buffer.
    pub fn touches_mut(&mut self) -> impl Iterator<Item = (Space, &mut Expr, &mut Buffer)> + '_ {
        let views = self.views.iter_mut().map(|v| (v.space, &mut v.base, &mut v.buffer));
        let table = self.quant.as_mut().and_then(|q| q.table.as_mut()).map(|(e, b)| (Space::Spm, e, b));
        views.chain(table)
    }
}
