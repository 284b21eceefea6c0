//! Issue: descriptors, origins and tickets become part of the instruction.

use super::{ControlCore, Sink};
use crate::isa::{AvgFlags, Insn, MacFlags, RedFlags, TReg, Wait};
use crate::sim::fault::FaultKind;
use crate::sim::op::{ConvOp, OpKind, QueueOp, Ticket};

impl ControlCore<'_> {
    /// Captures a queue instruction and hands it over.
    pub(super) fn issue(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<(), FaultKind> {
        let Some(queue) = insn.queue() else {
            return Err(FaultKind::IllegalOperand {
                reason: "a control instruction cannot be issued".into(),
            });
        };
        let op = QueueOp {
            seq: self.seq,
            pc: self.pc as u32,
            queue,
            kind: self.capture(insn)?,
            tickets: self.tickets(insn.wait()),
            layer: self.program.layer_index(self.pc).or(self.layer),
        };
        sink.issue(&op)?;
        self.seq += 1;
        self.issued[queue.index()] += 1;
        Ok(())
    }

    /// Conditions become counts of ended instructions; the instruction itself is not counted.
    fn tickets(&self, wait: Wait) -> [Option<Ticket>; 2] {
        wait.0.map(|cond| {
            cond.map(|c| Ticket {
                queue: c.queue,
                count: self.issued[c.queue.index()].saturating_sub(c.back.into()),
            })
        })
    }

    fn capture(&mut self, insn: &Insn) -> Result<OpKind, FaultKind> {
        let pruned = match insn {
            Insn::MacPruned { weights, mask, .. } => {
                let dims = self.tensor(*weights)?.dims;
                Some(self.masks.read(&self.program.constants, dims, self.get(*mask))?)
            }
            _ => None,
        };
        let bias = |flags: MacFlags, t: TReg| {
            if flags.contains(MacFlags::BIAS) { self.tensor(t).map(Some) } else { Ok(None) }
        };
        Ok(match *insn {
            Insn::DmaIn { dst, src, .. } => OpKind::DmaIn { dst: self.tensor(dst)?, src: self.tensor(src)? },
            Insn::DmaPad { dst, src, window, .. } => OpKind::DmaPad {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                window: self.window(window)?,
            },
            Insn::DmaFill { dst, .. } => OpKind::DmaFill { dst: self.tensor(dst)? },
            Insn::DmaCopy { dst, src, .. } => {
                OpKind::DmaCopy { dst: self.tensor(dst)?, src: self.tensor(src)? }
            }
            Insn::DmaOut { dst, src, .. } => {
                OpKind::DmaOut { dst: self.tensor(dst)?, src: self.tensor(src)? }
            }
            Insn::MacConv { dst, src, weights, bias: b, window, oy, ox, flags, .. }
            | Insn::MacPruned { dst, src, weights, bias: b, window, oy, ox, flags, .. }
            | Insn::MacDw { dst, src, weights, bias: b, window, oy, ox, flags, .. } => {
                let conv = ConvOp {
                    dst: self.tensor(dst)?,
                    src: self.tensor(src)?,
                    weights: self.tensor(weights)?,
                    bias: bias(flags, b)?,
                    accumulate: flags.contains(MacFlags::ACC),
                    window: self.window(window)?,
                    origin: [self.get(oy), self.get(ox)],
                    pruned,
                };
                if matches!(insn, Insn::MacDw { .. }) { OpKind::Depthwise(conv) } else { OpKind::Conv(conv) }
            }
            Insn::MacMatmul { dst, a, b, bias: t, flags, .. } => OpKind::Matmul {
                dst: self.tensor(dst)?,
                a: self.tensor(a)?,
                b: self.tensor(b)?,
                bias: bias(flags, t)?,
                accumulate: flags.contains(MacFlags::ACC),
            },
            Insn::VecRequant { dst, src, quant, .. } => {
                OpKind::Requant { dst: self.tensor(dst)?, src: self.tensor(src)?, quant: self.quant(quant)? }
            }
            Insn::VecStore { dst, src, .. } => {
                OpKind::Store { dst: self.tensor(dst)?, src: self.tensor(src)? }
            }
            Insn::VecAdd { dst, a, b, quant, .. } => OpKind::Add {
                dst: self.tensor(dst)?,
                a: self.tensor(a)?,
                b: self.tensor(b)?,
                quant: self.quant(quant)?,
            },
            Insn::VecMul { dst, a, b, quant, .. } => OpKind::Mul {
                dst: self.tensor(dst)?,
                a: self.tensor(a)?,
                b: self.tensor(b)?,
                quant: self.quant(quant)?,
            },
            Insn::VecLut { dst, src, table, .. } => {
                OpKind::Lut { dst: self.tensor(dst)?, src: self.tensor(src)?, table: self.tensor(table)? }
            }
            Insn::VecMaxpool { dst, src, window, oy, ox, .. } => OpKind::MaxPool {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                window: self.window(window)?,
                origin: [self.get(oy), self.get(ox)],
            },
            Insn::VecAvgpool { dst, src, quant, window, oy, ox, flags, .. } => OpKind::AvgPool {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                quant: self.quant(quant)?,
                window: self.window(window)?,
                origin: [self.get(oy), self.get(ox)],
                include_pad: flags.contains(AvgFlags::INCLUDE_PAD),
            },
            Insn::VecRsum { dst, src, flags, .. } => OpKind::Rsum {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                accumulate: flags.contains(RedFlags::ACC),
            },
            Insn::VecQuant { dst, src, quant, .. } => {
                OpKind::Quantize { dst: self.tensor(dst)?, src: self.tensor(src)?, quant: self.quant(quant)? }
            }
            Insn::VecDequant { dst, src, quant, .. } => OpKind::Dequantize {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                quant: self.quant(quant)?,
            },
            Insn::VecF1 { dst, src, op, .. } => {
                OpKind::F1 { dst: self.tensor(dst)?, src: self.tensor(src)?, op }
            }
            Insn::VecF2 { dst, a, b, op, .. } => {
                OpKind::F2 { dst: self.tensor(dst)?, a: self.tensor(a)?, b: self.tensor(b)?, op }
            }
            Insn::VecFold { dst, src, op, .. } => {
                OpKind::Fold { dst: self.tensor(dst)?, src: self.tensor(src)?, op }
            }
            Insn::VecSoftmax { dst, src, table, quant, .. } => OpKind::Softmax {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                table: self.tensor(table)?,
                quant: self.quant(quant)?,
            },
            Insn::VecResize { dst, src, rows, cols, .. } => OpKind::Resize {
                dst: self.tensor(dst)?,
                src: self.tensor(src)?,
                rows: self.tensor(rows)?,
                cols: self.tensor(cols)?,
            },
            // `qnop`; control instructions never get here.
            _ => OpKind::Nop,
        })
    }
}
