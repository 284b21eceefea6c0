// Generated from isa/rcn.toml by `RCN_BLESS=1 cargo test --test it generated`. Do not edit.

use super::conv::ConvOp;
use super::registers::Registers;
use crate::isa::{
    AvgFlags, Float1, Float2, Fold, Insn, MacFlags, QuantDesc, RedFlags, TensorDesc, WindowDesc, control_insn,
};

/// What a queue instruction does, with everything captured that its operands name.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// `dma.gather`
    Gather { dst: TensorDesc, src: TensorDesc, ids: TensorDesc },
    /// `mac.conv`, `mac.pruned`
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

/// A pattern: everything that only moves.
macro_rules! dma_op {
    () => {
        $crate::sim::op::OpKind::DmaIn { .. }
            | $crate::sim::op::OpKind::DmaPad { .. }
            | $crate::sim::op::OpKind::DmaFill { .. }
            | $crate::sim::op::OpKind::DmaCopy { .. }
            | $crate::sim::op::OpKind::DmaOut { .. }
            | $crate::sim::op::OpKind::Gather { .. }
    };
}
pub(crate) use dma_op;

/// A pattern: everything that multiplies and accumulates.
macro_rules! mac_op {
    () => {
        $crate::sim::op::OpKind::Conv(_)
            | $crate::sim::op::OpKind::Depthwise(_)
            | $crate::sim::op::OpKind::Matmul { .. }
    };
}
pub(crate) use mac_op;

/// A pattern: everything that the vector unit executes.
macro_rules! vec_op {
    () => {
        $crate::sim::op::OpKind::Requant { .. }
            | $crate::sim::op::OpKind::Store { .. }
            | $crate::sim::op::OpKind::Add { .. }
            | $crate::sim::op::OpKind::Mul { .. }
            | $crate::sim::op::OpKind::Lut { .. }
            | $crate::sim::op::OpKind::MaxPool { .. }
            | $crate::sim::op::OpKind::AvgPool { .. }
            | $crate::sim::op::OpKind::Rsum { .. }
            | $crate::sim::op::OpKind::Quantize { .. }
            | $crate::sim::op::OpKind::Dequantize { .. }
            | $crate::sim::op::OpKind::F1 { .. }
            | $crate::sim::op::OpKind::F2 { .. }
            | $crate::sim::op::OpKind::Fold { .. }
            | $crate::sim::op::OpKind::Softmax { .. }
            | $crate::sim::op::OpKind::Resize { .. }
    };
}
pub(crate) use vec_op;

impl OpKind {
    /// The operation that an instruction is with the present contents of the registers; none for an instruction of the
    /// control core.
    ///
    /// # Errors
    /// Those of the registers.
    pub fn capture<R: Registers>(insn: &Insn, r: &mut R) -> Result<Option<OpKind>, R::Error> {
        Ok(Some(match *insn {
            Insn::Qnop { .. } => OpKind::Nop,
            Insn::DmaIn { dst, src, .. } => OpKind::DmaIn { dst: r.tensor(dst)?, src: r.tensor(src)? },
            Insn::DmaPad { dst, src, window, .. } => {
                OpKind::DmaPad { dst: r.tensor(dst)?, src: r.tensor(src)?, window: r.window(window)? }
            }
            Insn::DmaFill { dst, .. } => OpKind::DmaFill { dst: r.tensor(dst)? },
            Insn::DmaCopy { dst, src, .. } => OpKind::DmaCopy { dst: r.tensor(dst)?, src: r.tensor(src)? },
            Insn::DmaOut { dst, src, .. } => OpKind::DmaOut { dst: r.tensor(dst)?, src: r.tensor(src)? },
            Insn::DmaGather { dst, src, ids, .. } => {
                OpKind::Gather { dst: r.tensor(dst)?, src: r.tensor(src)?, ids: r.tensor(ids)? }
            }
            Insn::MacConv { dst, src, weights, bias, window, oy, ox, flags, .. } => OpKind::Conv(ConvOp {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                weights: r.tensor(weights)?,
                bias: if flags.contains(MacFlags::BIAS) { Some(r.tensor(bias)?) } else { None },
                window: r.window(window)?,
                origin: [r.scalar(oy), r.scalar(ox)],
                accumulate: flags.contains(MacFlags::ACC),
                pruned: None,
            }),
            Insn::MacPruned { dst, src, weights, bias, window, oy, ox, mask, flags, .. } => {
                OpKind::Conv(ConvOp {
                    pruned: Some(r.pruned(weights, mask)?),
                    dst: r.tensor(dst)?,
                    src: r.tensor(src)?,
                    weights: r.tensor(weights)?,
                    bias: if flags.contains(MacFlags::BIAS) { Some(r.tensor(bias)?) } else { None },
                    window: r.window(window)?,
                    origin: [r.scalar(oy), r.scalar(ox)],
                    accumulate: flags.contains(MacFlags::ACC),
                })
            }
            Insn::MacDw { dst, src, weights, bias, window, oy, ox, flags, .. } => OpKind::Depthwise(ConvOp {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                weights: r.tensor(weights)?,
                bias: if flags.contains(MacFlags::BIAS) { Some(r.tensor(bias)?) } else { None },
                window: r.window(window)?,
                origin: [r.scalar(oy), r.scalar(ox)],
                accumulate: flags.contains(MacFlags::ACC),
                pruned: None,
            }),
            Insn::MacMatmul { dst, a, b, bias, flags, .. } => OpKind::Matmul {
                dst: r.tensor(dst)?,
                a: r.tensor(a)?,
                b: r.tensor(b)?,
                bias: if flags.contains(MacFlags::BIAS) { Some(r.tensor(bias)?) } else { None },
                accumulate: flags.contains(MacFlags::ACC),
            },
            Insn::VecRequant { dst, src, quant, .. } => {
                OpKind::Requant { dst: r.tensor(dst)?, src: r.tensor(src)?, quant: r.quant(quant)? }
            }
            Insn::VecStore { dst, src, .. } => OpKind::Store { dst: r.tensor(dst)?, src: r.tensor(src)? },
            Insn::VecAdd { dst, a, b, quant, .. } => {
                OpKind::Add { dst: r.tensor(dst)?, a: r.tensor(a)?, b: r.tensor(b)?, quant: r.quant(quant)? }
            }
            Insn::VecMul { dst, a, b, quant, .. } => {
                OpKind::Mul { dst: r.tensor(dst)?, a: r.tensor(a)?, b: r.tensor(b)?, quant: r.quant(quant)? }
            }
            Insn::VecLut { dst, src, table, .. } => {
                OpKind::Lut { dst: r.tensor(dst)?, src: r.tensor(src)?, table: r.tensor(table)? }
            }
            Insn::VecMaxpool { dst, src, window, oy, ox, .. } => OpKind::MaxPool {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                window: r.window(window)?,
                origin: [r.scalar(oy), r.scalar(ox)],
            },
            Insn::VecAvgpool { dst, src, quant, window, oy, ox, flags, .. } => OpKind::AvgPool {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                quant: r.quant(quant)?,
                window: r.window(window)?,
                origin: [r.scalar(oy), r.scalar(ox)],
                include_pad: flags.contains(AvgFlags::INCLUDE_PAD),
            },
            Insn::VecRsum { dst, src, flags, .. } => OpKind::Rsum {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                accumulate: flags.contains(RedFlags::ACC),
            },
            Insn::VecQuant { dst, src, quant, .. } => {
                OpKind::Quantize { dst: r.tensor(dst)?, src: r.tensor(src)?, quant: r.quant(quant)? }
            }
            Insn::VecDequant { dst, src, quant, .. } => {
                OpKind::Dequantize { dst: r.tensor(dst)?, src: r.tensor(src)?, quant: r.quant(quant)? }
            }
            Insn::VecF1 { dst, src, op, .. } => OpKind::F1 { dst: r.tensor(dst)?, src: r.tensor(src)?, op },
            Insn::VecF2 { dst, a, b, op, .. } => {
                OpKind::F2 { dst: r.tensor(dst)?, a: r.tensor(a)?, b: r.tensor(b)?, op }
            }
            Insn::VecFold { dst, src, op, .. } => {
                OpKind::Fold { dst: r.tensor(dst)?, src: r.tensor(src)?, op }
            }
            Insn::VecSoftmax { dst, src, table, quant, .. } => OpKind::Softmax {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                table: r.tensor(table)?,
                quant: r.quant(quant)?,
            },
            Insn::VecResize { dst, src, rows, cols, .. } => OpKind::Resize {
                dst: r.tensor(dst)?,
                src: r.tensor(src)?,
                rows: r.tensor(rows)?,
                cols: r.tensor(cols)?,
            },
            control_insn!() => return Ok(None),
        }))
    }

    /// The written tensor; none for `qnop`.
    #[must_use]
    pub fn dst(&self) -> Option<&TensorDesc> {
        match self {
            OpKind::Nop => None,
            OpKind::DmaIn { dst, .. }
            | OpKind::DmaPad { dst, .. }
            | OpKind::DmaFill { dst, .. }
            | OpKind::DmaCopy { dst, .. }
            | OpKind::DmaOut { dst, .. }
            | OpKind::Gather { dst, .. }
            | OpKind::Conv(ConvOp { dst, .. })
            | OpKind::Depthwise(ConvOp { dst, .. })
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

    /// How it brings its result to the output type.
    #[must_use]
    pub fn quant(&self) -> Option<&QuantDesc> {
        match self {
            OpKind::Nop
            | OpKind::DmaIn { .. }
            | OpKind::DmaPad { .. }
            | OpKind::DmaFill { .. }
            | OpKind::DmaCopy { .. }
            | OpKind::DmaOut { .. }
            | OpKind::Gather { .. }
            | OpKind::Conv(_)
            | OpKind::Depthwise(_)
            | OpKind::Matmul { .. }
            | OpKind::Store { .. }
            | OpKind::Lut { .. }
            | OpKind::MaxPool { .. }
            | OpKind::Rsum { .. }
            | OpKind::F1 { .. }
            | OpKind::F2 { .. }
            | OpKind::Fold { .. }
            | OpKind::Resize { .. } => None,
            OpKind::Requant { quant, .. }
            | OpKind::Add { quant, .. }
            | OpKind::Mul { quant, .. }
            | OpKind::AvgPool { quant, .. }
            | OpKind::Quantize { quant, .. }
            | OpKind::Dequantize { quant, .. }
            | OpKind::Softmax { quant, .. } => Some(quant),
        }
    }

    /// Whether the present accumulators are read.
    #[must_use]
    pub fn accumulates(&self) -> bool {
        match self {
            OpKind::Conv(ConvOp { accumulate, .. })
            | OpKind::Depthwise(ConvOp { accumulate, .. })
            | OpKind::Matmul { accumulate, .. }
            | OpKind::Rsum { accumulate, .. } => *accumulate,
            OpKind::Nop
            | OpKind::DmaIn { .. }
            | OpKind::DmaPad { .. }
            | OpKind::DmaFill { .. }
            | OpKind::DmaCopy { .. }
            | OpKind::DmaOut { .. }
            | OpKind::Gather { .. }
            | OpKind::Requant { .. }
            | OpKind::Store { .. }
            | OpKind::Add { .. }
            | OpKind::Mul { .. }
            | OpKind::Lut { .. }
            | OpKind::MaxPool { .. }
            | OpKind::AvgPool { .. }
            | OpKind::Quantize { .. }
            | OpKind::Dequantize { .. }
            | OpKind::F1 { .. }
            | OpKind::F2 { .. }
            | OpKind::Fold { .. }
            | OpKind::Softmax { .. }
            | OpKind::Resize { .. } => false,
        }
    }

    /// The tensors that are read, in the table's order; present accumulators and multipliers are none of them.
    pub fn reads(&self) -> impl Iterator<Item = &TensorDesc> {
        let list: [Option<&TensorDesc>; 3] = match self {
            OpKind::Nop | OpKind::DmaFill { .. } => [None, None, None],
            OpKind::Add { a, b, .. } | OpKind::Mul { a, b, .. } | OpKind::F2 { a, b, .. } => {
                [Some(a), Some(b), None]
            }
            OpKind::Matmul { a, b, bias, .. } => [Some(a), Some(b), bias.as_ref()],
            OpKind::DmaIn { src, .. }
            | OpKind::DmaPad { src, .. }
            | OpKind::DmaCopy { src, .. }
            | OpKind::DmaOut { src, .. }
            | OpKind::Requant { src, .. }
            | OpKind::Store { src, .. }
            | OpKind::MaxPool { src, .. }
            | OpKind::AvgPool { src, .. }
            | OpKind::Rsum { src, .. }
            | OpKind::Quantize { src, .. }
            | OpKind::Dequantize { src, .. }
            | OpKind::F1 { src, .. }
            | OpKind::Fold { src, .. } => [Some(src), None, None],
            OpKind::Gather { src, ids, .. } => [Some(src), Some(ids), None],
            OpKind::Resize { src, rows, cols, .. } => [Some(src), Some(rows), Some(cols)],
            OpKind::Lut { src, table, .. } | OpKind::Softmax { src, table, .. } => {
                [Some(src), Some(table), None]
            }
            OpKind::Conv(ConvOp { src, weights, bias, .. })
            | OpKind::Depthwise(ConvOp { src, weights, bias, .. }) => {
                [Some(src), Some(weights), bias.as_ref()]
            }
        };
        list.into_iter().flatten()
    }
}
