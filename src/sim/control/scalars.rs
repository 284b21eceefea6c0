//! The step loop: runs of consecutive scalar instructions.

use super::{ControlCore, RegisterFile, constant};
use crate::isa::{Insn, XReg, queue_insn};
use crate::sim::executed::Executed;
use crate::sim::fault::FaultKind;

impl ControlCore<'_> {
    /// Executes scalar instructions up to the next other instruction, the limit, or the end of the code. With
    /// `ONE` it executes at most one, and notes the register that it has written.
    pub(super) fn scalars<const ONE: bool>(&mut self) -> Result<(), FaultKind> {
        let code = self.code;
        let mut pc = self.pc;
        let mut left = self.max_instructions - self.retired;
        let (mut loads, mut misses) = (0, 0);
        let mut failed = None;
        while let Some(insn) = code.get(pc)
            && left > 0
        {
            let x = &mut self.x;
            let mut next = pc + 1;
            let get = |r: XReg| x[r.slot()];
            let branch = |taken: bool, target: i32| {
                // A target below zero wraps to an index that no code has.
                if taken { pc.wrapping_add_signed(target as isize) } else { pc + 1 }
            };
            let (to, value) = match *insn {
                Insn::Nop | Insn::Mark { .. } => (XReg::ZERO, 0),
                Insn::Li { rd, imm } => (rd, imm),
                Insn::Add { rd, rs1, rs2 } => (rd, get(rs1).wrapping_add(get(rs2))),
                Insn::Sub { rd, rs1, rs2 } => (rd, get(rs1).wrapping_sub(get(rs2))),
                Insn::Mul { rd, rs1, rs2 } => (rd, get(rs1).wrapping_mul(get(rs2))),
                Insn::And { rd, rs1, rs2 } => (rd, get(rs1) & get(rs2)),
                Insn::Or { rd, rs1, rs2 } => (rd, get(rs1) | get(rs2)),
                Insn::Xor { rd, rs1, rs2 } => (rd, get(rs1) ^ get(rs2)),
                Insn::Sll { rd, rs1, rs2 } => (rd, get(rs1) << (get(rs2) & 63)),
                Insn::Srl { rd, rs1, rs2 } => (rd, (get(rs1) as u64 >> (get(rs2) & 63)) as i64),
                Insn::Sra { rd, rs1, rs2 } => (rd, get(rs1) >> (get(rs2) & 63)),
                Insn::Slt { rd, rs1, rs2 } => (rd, i64::from(get(rs1) < get(rs2))),
                Insn::Min { rd, rs1, rs2 } => (rd, get(rs1).min(get(rs2))),
                Insn::Max { rd, rs1, rs2 } => (rd, get(rs1).max(get(rs2))),
                Insn::Addi { rd, rs1, imm } => (rd, get(rs1).wrapping_add(imm.into())),
                Insn::Muli { rd, rs1, imm } => (rd, get(rs1).wrapping_mul(imm.into())),
                Insn::Andi { rd, rs1, imm } => (rd, get(rs1) & i64::from(imm)),
                Insn::Mini { rd, rs1, imm } => (rd, get(rs1).min(imm.into())),
                Insn::Maxi { rd, rs1, imm } => (rd, get(rs1).max(imm.into())),
                Insn::LdD { rd, rs1, imm } => {
                    let address = get(rs1).wrapping_add(imm.into());
                    match constant(self.program, address, 8) {
                        Ok(bytes) => {
                            loads += 1;
                            misses += self.cache.load(address, 8);
                            (rd, i64::from_le_bytes(bytes))
                        }
                        Err(kind) => {
                            failed = Some(kind);
                            break;
                        }
                    }
                }
                Insn::LdW { rd, rs1, imm } => {
                    let address = get(rs1).wrapping_add(imm.into());
                    match constant(self.program, address, 4) {
                        Ok(bytes) => {
                            loads += 1;
                            misses += self.cache.load(address, 4);
                            (rd, i32::from_le_bytes(bytes).into())
                        }
                        Err(kind) => {
                            failed = Some(kind);
                            break;
                        }
                    }
                }
                Insn::Beq { rs1, rs2, target } => {
                    next = branch(get(rs1) == get(rs2), target);
                    (XReg::ZERO, 0)
                }
                Insn::Bne { rs1, rs2, target } => {
                    next = branch(get(rs1) != get(rs2), target);
                    (XReg::ZERO, 0)
                }
                Insn::Blt { rs1, rs2, target } => {
                    next = branch(get(rs1) < get(rs2), target);
                    (XReg::ZERO, 0)
                }
                Insn::Bge { rs1, rs2, target } => {
                    next = branch(get(rs1) >= get(rs2), target);
                    (XReg::ZERO, 0)
                }
                Insn::Jal { rd, target } => {
                    next = branch(true, target);
                    (rd, pc as i64 + 1)
                }
                Insn::Jalr { rd, rs1, imm } => {
                    let target = get(rs1).wrapping_add(imm.into());
                    next = usize::try_from(target).unwrap_or(usize::MAX);
                    (rd, pc as i64 + 1)
                }
                Insn::TdescLoad { .. }
                | Insn::TdescSet { .. }
                | Insn::TdescAdd { .. }
                | Insn::TdescMov { .. }
                | Insn::QdescLoad { .. }
                | Insn::QdescSet { .. }
                | Insn::WdescLoad { .. }
                | Insn::WdescSet { .. }
                | Insn::LayerBegin { .. }
                | Insn::LayerEnd { .. }
                | Insn::Fence
                | Insn::Host { .. }
                | Insn::Halt
                | queue_insn!() => break,
            };
            x[to.slot()] = value;
            x[0] = 0;
            left -= 1;
            if ONE {
                self.note(to);
                self.at = pc;
                pc = next;
                break;
            }
            pc = next;
        }
        let executed = self.max_instructions - left - self.retired;
        self.retired += executed;
        self.unreported += Executed { plain: executed - loads, loads, misses, mask_loads: 0 };
        self.pc = pc;
        failed.map_or(Ok(()), |kind| {
            // It counts as retired, like every instruction that faults.
            self.retired += 1;
            Err(kind)
        })
    }

    /// Notes that a scalar register was written.
    fn note(&mut self, x: XReg) {
        if x.index() != 0 {
            self.wrote(RegisterFile::Scalar, x.index(), self.x[x.index()]);
        }
    }
}
