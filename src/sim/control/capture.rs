//! Issue: descriptors, origins and tickets become part of the instruction.

use super::{ControlCore, Sink, misplaced};
use crate::isa::{Insn, QReg, QuantDesc, TReg, TensorDesc, WReg, Wait, WindowDesc, XReg};
use crate::sim::executed::Executed;
use crate::sim::fault::FaultKind;
use crate::sim::op::{OpKind, Pruned, QueueOp, Registers, Ticket};

impl ControlCore<'_> {
    /// Captures a queue instruction and hands it to the sink.
    pub(super) fn issue(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<(), FaultKind> {
        let (Some(queue), Some(kind)) = (insn.queue(), OpKind::capture(insn, self)?) else {
            return Err(misplaced("a control instruction cannot be issued"));
        };
        self.report_pending(sink);
        let op = QueueOp {
            seq: self.seq,
            pc: self.pc as u32,
            queue,
            kind,
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
}

impl Registers for ControlCore<'_> {
    type Error = FaultKind;

    fn scalar(&self, x: XReg) -> i64 {
        self.x[x.index()]
    }

    fn tensor(&self, t: TReg) -> Result<TensorDesc, FaultKind> {
        self.t[t.index()].ok_or_else(|| FaultKind::UnsetDescriptor { register: t.to_string() })
    }

    fn quant(&self, q: QReg) -> Result<QuantDesc, FaultKind> {
        self.q[q.index()].ok_or_else(|| FaultKind::UnsetDescriptor { register: q.to_string() })
    }

    fn window(&self, w: WReg) -> Result<WindowDesc, FaultKind> {
        self.w[w.index()].ok_or_else(|| FaultKind::UnsetDescriptor { register: w.to_string() })
    }

    fn pruned(&mut self, weights: TReg, mask: XReg) -> Result<Pruned, FaultKind> {
        let dims = self.tensor(weights)?.dims;
        let pruned = self.masks.read(&self.program.constants, dims, self.scalar(mask))?;
        let Pruned { mask: address, mask_bytes, .. } = pruned;
        for start in (0..mask_bytes).step_by(Executed::MASK_BYTES) {
            let bytes = Executed::MASK_BYTES.min(mask_bytes - start);
            self.unreported.mask_loads += 1;
            self.unreported.misses += self.cache.load(address + start as i64, bytes);
        }
        Ok(pruned)
    }
}
