//! Queue instructions with everything captured that they need: what the control core hands to the queues.

use crate::isa::{Float1, Float2, Fold, QuantDesc, Queue, TensorDesc, WindowDesc};

/// The instruction may start once `count` instructions of `queue` have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The queue waited for.
    pub queue: Queue,
    /// Instructions of that queue, counted from the program's start, that must have ended.
    pub count: u64,
}

/// A queue instruction at issue: descriptors, origins and tickets captured.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueOp {
    /// Number among all queue instructions of the run, from 0.
    pub seq: u64,
    /// Index of the instruction word.
    pub pc: u32,
    /// The queue that executes it.
    pub queue: Queue,
    /// What it does.
    pub kind: OpKind,
    /// Its conditions.
    pub tickets: [Option<Ticket>; 2],
    /// The layer that the provenance names, or else the open one. Loads of constants may run before their layer begins.
    pub layer: Option<u32>,
}

/// A convolution tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvOp {
    /// Accumulators.
    pub dst: TensorDesc,
    /// Activations.
    pub src: TensorDesc,
    /// Packed (dense) or strided (depthwise) weights.
    pub weights: TensorDesc,
    /// Start values; none: zero, or the present accumulators.
    pub bias: Option<TensorDesc>,
    /// Add to the present accumulators.
    pub accumulate: bool,
    /// Geometry.
    pub window: WindowDesc,
    /// Output row and column of the tile's first element.
    pub origin: [i64; 2],
    /// For weights whose zero blocks are absent.
    pub pruned: Option<Pruned>,
}

/// What the mask of pruned weights says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Address of the mask, in the constants.
    pub mask: i64,
    /// Its bytes.
    pub mask_bytes: usize,
    /// Blocks in the stream.
    pub blocks: u64,
    /// Steps of the array (its output lanes × its input lanes at one tap) that meet a block of the stream.
    pub steps: u64,
}

/// What a queue instruction does.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "operands are named as in the ISA table, which documents them")]
pub enum OpKind {
    /// `qnop`
    Nop,
    /// `dma.in`
    DmaIn { dst: TensorDesc, src: TensorDesc },
    /// `dma.pad`
    DmaPad { dst: TensorDesc, src: TensorDesc, window: WindowDesc },
    /// `dma.fill`
    DmaFill { dst: TensorDesc },
    /// `dma.copy`
    DmaCopy { dst: TensorDesc, src: TensorDesc },
    /// `dma.out`
    DmaOut { dst: TensorDesc, src: TensorDesc },
    /// `mac.conv`
    Conv(ConvOp),
    /// `mac.dw`
    Depthwise(ConvOp),
    /// `mac.matmul`
    Matmul { dst: TensorDesc, a: TensorDesc, b: TensorDesc, bias: Option<TensorDesc>, accumulate: bool },
    /// `vec.requant`
    Requant { dst: TensorDesc, src: TensorDesc, quant: QuantDesc },
    /// `vec.store`
    Store { dst: TensorDesc, src: TensorDesc },
    /// `vec.add`
    Add { dst: TensorDesc, a: TensorDesc, b: TensorDesc, quant: QuantDesc },
    /// `vec.mul`
    Mul { dst: TensorDesc, a: TensorDesc, b: TensorDesc, quant: QuantDesc },
    /// `vec.lut`
    Lut { dst: TensorDesc, src: TensorDesc, table: TensorDesc },
    /// `vec.maxpool`
    MaxPool { dst: TensorDesc, src: TensorDesc, window: WindowDesc, origin: [i64; 2] },
    /// `vec.avgpool`
    AvgPool {
        dst: TensorDesc,
        src: TensorDesc,
        quant: QuantDesc,
        window: WindowDesc,
        origin: [i64; 2],
        include_pad: bool,
    },
    /// `vec.rsum`
    Rsum { dst: TensorDesc, src: TensorDesc, accumulate: bool },
    /// `vec.quant`
    Quantize { dst: TensorDesc, src: TensorDesc, quant: QuantDesc },
    /// `vec.dequant`
    Dequantize { dst: TensorDesc, src: TensorDesc, quant: QuantDesc },
    /// `vec.f1`
    F1 { dst: TensorDesc, src: TensorDesc, op: Float1 },
    /// `vec.f2`
    F2 { dst: TensorDesc, a: TensorDesc, b: TensorDesc, op: Float2 },
    /// `vec.fold`
    Fold { dst: TensorDesc, src: TensorDesc, op: Fold },
    /// `vec.softmax`
    Softmax { dst: TensorDesc, src: TensorDesc, table: TensorDesc, quant: QuantDesc },
    /// `vec.resize`
    Resize { dst: TensorDesc, src: TensorDesc, rows: TensorDesc, cols: TensorDesc },
}

impl OpKind {
    /// How it brings its result to the output type.
    #[must_use]
    pub fn quant(&self) -> Option<&QuantDesc> {
        match self {
            OpKind::Requant { quant, .. }
            | OpKind::Add { quant, .. }
            | OpKind::Mul { quant, .. }
            | OpKind::AvgPool { quant, .. }
            | OpKind::Quantize { quant, .. }
            | OpKind::Dequantize { quant, .. }
            | OpKind::Softmax { quant, .. } => Some(quant),
            _ => None,
        }
    }

    /// The written tensor; none for `qnop`.
    #[must_use]
    pub fn dst(&self) -> Option<&TensorDesc> {
        match self {
            OpKind::Nop => None,
            OpKind::Conv(c) | OpKind::Depthwise(c) => Some(&c.dst),
            OpKind::DmaIn { dst, .. }
            | OpKind::DmaPad { dst, .. }
            | OpKind::DmaFill { dst }
            | OpKind::DmaCopy { dst, .. }
            | OpKind::DmaOut { dst, .. }
            | OpKind::Matmul { dst, .. }
            | OpKind::Requant { dst, .. }
            | OpKind::Store { dst, .. }
            | OpKind::Add { dst, .. }
            | OpKind::Mul { dst, .. }
            | OpKind::Lut { dst, .. }
            | OpKind::MaxPool { dst, .. }
            | OpKind::AvgPool { dst, .. }
            | OpKind::Rsum { dst, .. }
            | OpKind::Quantize { dst, .. }
            | OpKind::Dequantize { dst, .. }
            | OpKind::F1 { dst, .. }
            | OpKind::F2 { dst, .. }
            | OpKind::Fold { dst, .. }
            | OpKind::Softmax { dst, .. }
            | OpKind::Resize { dst, .. } => Some(dst),
        }
    }

    /// Whether the present accumulators are read.
    #[must_use]
    pub fn accumulates(&self) -> bool {
        match self {
            OpKind::Conv(c) | OpKind::Depthwise(c) => c.accumulate,
            OpKind::Matmul { accumulate, .. } | OpKind::Rsum { accumulate, .. } => *accumulate,
            _ => false,
        }
    }
}
