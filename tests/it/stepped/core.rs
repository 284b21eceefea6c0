//! The control core: what it executes, in order. Written from the manual's text.

use rcar_iss::internals::isa::{
    Insn, QField, QReg, QuantDesc, TField, TReg, TensorDesc, WField, WReg, WindowDesc, XReg,
};
use rcar_iss::internals::machine::Machine;
use rcar_iss::internals::program::Program;

use super::work::{Work, work};

/// One executed instruction.
pub(super) enum Action {
    Control,
    /// At this address of the constants, so many bytes: a load, or a part of a mask.
    ConstantLoad(u64, u64),
    Issue(Op),
    Fence,
    Begin(u32),
    End,
    Halt,
}

/// An issued instruction.
pub(super) struct Op {
    /// 0 dmain, 1 dmaout, 2 mac, 3 vec.
    pub(super) queue: usize,
    /// Queue, and how many of its instructions must have ended.
    pub(super) tickets: [Option<(usize, u64)>; 2],
    /// The layer that the provenance names, or else the open one.
    pub(super) layer: Option<u32>,
    pub(super) work: Work,
}

/// Registers.
pub(super) struct Registers<'a> {
    pub(super) constants: &'a [u8],
    x: [i64; 32],
    t: [Option<TensorDesc>; TReg::COUNT],
    q: [Option<QuantDesc>; QReg::COUNT],
    w: [Option<WindowDesc>; WReg::COUNT],
}

impl Registers<'_> {
    pub(super) fn x(&self, r: XReg) -> i64 {
        self.x[r.index()]
    }

    pub(super) fn t(&self, r: TReg) -> TensorDesc {
        self.t[r.index()].unwrap()
    }

    pub(super) fn q(&self, r: QReg) -> QuantDesc {
        self.q[r.index()].unwrap()
    }

    pub(super) fn w(&self, r: WReg) -> WindowDesc {
        self.w[r.index()].unwrap()
    }

    fn set(&mut self, r: XReg, value: i64) {
        if r.index() > 0 {
            self.x[r.index()] = value;
        }
    }

    fn address(&self, base: XReg, imm: i32) -> u64 {
        (self.x(base) + i64::from(imm)) as u64
    }

    fn bytes<const N: usize>(&self, base: XReg, imm: i32) -> [u8; N] {
        let at = self.address(base, imm) as usize;
        self.constants[at..at + N].try_into().unwrap()
    }

    fn tensor_field(&mut self, td: TReg, field: TField, value: impl Fn(i64) -> i64) {
        let d = self.t[td.index()].as_mut().unwrap();
        match field {
            TField::Base => d.base = value(d.base),
            TField::D0 => d.dims[0] = value(d.dims[0].into()) as u32,
            TField::D1 => d.dims[1] = value(d.dims[1].into()) as u32,
            TField::D2 => d.dims[2] = value(d.dims[2].into()) as u32,
            TField::D3 => d.dims[3] = value(d.dims[3].into()) as u32,
            TField::S0 => d.strides[0] = value(d.strides[0]),
            TField::S1 => d.strides[1] = value(d.strides[1]),
            TField::S2 => d.strides[2] = value(d.strides[2]),
            TField::S3 => d.strides[3] = value(d.strides[3]),
            TField::Zp => d.zero_point = value(d.zero_point.into()) as i32,
        }
    }
}

/// Executes a program that the simulator accepts; at most `limit` instructions.
pub(super) fn actions(program: &Program, machine: &Machine, limit: usize) -> Vec<Action> {
    let mut r = Registers {
        constants: &program.constants,
        x: [0; 32],
        t: [None; TReg::COUNT],
        q: [None; QReg::COUNT],
        w: [None; WReg::COUNT],
    };
    let mut issued = [0_u64; 4];
    let mut open = None;
    let mut pc = 0_usize;
    let mut list = Vec::new();
    while list.len() < limit {
        let insn = Insn::decode(program.code[pc]).unwrap();
        let here = pc;
        pc += 1;
        let jump = |target: i32| (here as i64 + i64::from(target)) as usize;
        if let Some(queue) = insn.queue() {
            let tickets = insn
                .wait()
                .0
                .map(|c| c.map(|c| (c.queue.index(), issued[c.queue.index()].saturating_sub(c.back.into()))));
            if let Insn::MacPruned { weights, mask, .. } = insn {
                let [oc, kh, kw, ic] = r.t(weights).dims.map(u64::from);
                let bits = oc.div_ceil(16) * kh * kw * ic.div_ceil(16);
                let (start, end) = (r.address(mask, 0), r.address(mask, 0) + bits.div_ceil(64) * 8);
                list.extend((start..end).step_by(64).map(|at| Action::ConstantLoad(at, (end - at).min(64))));
            }
            let named = program.meta.provenance.iter().find(|p| (p.start..p.end).contains(&(here as u32)));
            let layer = named.map(|p| p.layer).or(open);
            list.push(Action::Issue(Op {
                queue: queue.index(),
                tickets,
                layer,
                work: work(&insn, &r, machine),
            }));
            issued[queue.index()] += 1;
            continue;
        }
        let mut action = Action::Control;
        match insn {
            Insn::Nop | Insn::Mark { .. } => {}
            Insn::Li { rd, imm } => r.set(rd, imm),
            Insn::Add { rd, rs1, rs2 } => r.set(rd, r.x(rs1).wrapping_add(r.x(rs2))),
            Insn::Sub { rd, rs1, rs2 } => r.set(rd, r.x(rs1).wrapping_sub(r.x(rs2))),
            Insn::Mul { rd, rs1, rs2 } => r.set(rd, r.x(rs1).wrapping_mul(r.x(rs2))),
            Insn::And { rd, rs1, rs2 } => r.set(rd, r.x(rs1) & r.x(rs2)),
            Insn::Or { rd, rs1, rs2 } => r.set(rd, r.x(rs1) | r.x(rs2)),
            Insn::Xor { rd, rs1, rs2 } => r.set(rd, r.x(rs1) ^ r.x(rs2)),
            Insn::Sll { rd, rs1, rs2 } => r.set(rd, r.x(rs1).wrapping_shl(r.x(rs2) as u32)),
            Insn::Srl { rd, rs1, rs2 } => r.set(rd, (r.x(rs1) as u64).wrapping_shr(r.x(rs2) as u32) as i64),
            Insn::Sra { rd, rs1, rs2 } => r.set(rd, r.x(rs1).wrapping_shr(r.x(rs2) as u32)),
            Insn::Slt { rd, rs1, rs2 } => r.set(rd, (r.x(rs1) < r.x(rs2)).into()),
            Insn::Min { rd, rs1, rs2 } => r.set(rd, r.x(rs1).min(r.x(rs2))),
            Insn::Max { rd, rs1, rs2 } => r.set(rd, r.x(rs1).max(r.x(rs2))),
            Insn::Addi { rd, rs1, imm } => r.set(rd, r.x(rs1).wrapping_add(imm.into())),
            Insn::Muli { rd, rs1, imm } => r.set(rd, r.x(rs1).wrapping_mul(imm.into())),
            Insn::Andi { rd, rs1, imm } => r.set(rd, r.x(rs1) & i64::from(imm)),
            Insn::Mini { rd, rs1, imm } => r.set(rd, r.x(rs1).min(imm.into())),
            Insn::Maxi { rd, rs1, imm } => r.set(rd, r.x(rs1).max(imm.into())),
            Insn::Beq { rs1, rs2, target } if r.x(rs1) == r.x(rs2) => pc = jump(target),
            Insn::Bne { rs1, rs2, target } if r.x(rs1) != r.x(rs2) => pc = jump(target),
            Insn::Blt { rs1, rs2, target } if r.x(rs1) < r.x(rs2) => pc = jump(target),
            Insn::Bge { rs1, rs2, target } if r.x(rs1) >= r.x(rs2) => pc = jump(target),
            Insn::Beq { .. } | Insn::Bne { .. } | Insn::Blt { .. } | Insn::Bge { .. } => {}
            Insn::Jal { rd, target } => {
                r.set(rd, pc as i64);
                pc = jump(target);
            }
            Insn::Jalr { rd, rs1, imm } => {
                let target = r.x(rs1) + i64::from(imm);
                r.set(rd, pc as i64);
                pc = target as usize;
            }
            Insn::LdD { rd, rs1, imm } => {
                action = Action::ConstantLoad(r.address(rs1, imm), 8);
                r.set(rd, i64::from_le_bytes(r.bytes(rs1, imm)));
            }
            Insn::LdW { rd, rs1, imm } => {
                action = Action::ConstantLoad(r.address(rs1, imm), 4);
                r.set(rd, i32::from_le_bytes(r.bytes(rs1, imm)).into());
            }
            Insn::TdescLoad { td, rs1, imm } => {
                r.t[td.index()] = TensorDesc::from_bytes(&r.bytes::<{ TensorDesc::BYTES }>(rs1, imm)).ok();
                action = Action::ConstantLoad(r.address(rs1, imm), TensorDesc::BYTES as u64);
            }
            Insn::QdescLoad { qd, rs1, imm } => {
                r.q[qd.index()] = QuantDesc::from_bytes(&r.bytes::<{ QuantDesc::BYTES }>(rs1, imm)).ok();
                action = Action::ConstantLoad(r.address(rs1, imm), QuantDesc::BYTES as u64);
            }
            Insn::WdescLoad { wd, rs1, imm } => {
                r.w[wd.index()] = WindowDesc::from_bytes(&r.bytes::<{ WindowDesc::BYTES }>(rs1, imm)).ok();
                action = Action::ConstantLoad(r.address(rs1, imm), WindowDesc::BYTES as u64);
            }
            Insn::TdescMov { td, ts } => r.t[td.index()] = r.t[ts.index()],
            Insn::TdescSet { td, rs1, field } => {
                let value = r.x(rs1);
                r.tensor_field(td, field, |_| value);
            }
            Insn::TdescAdd { td, rs1, field } => {
                let value = r.x(rs1);
                r.tensor_field(td, field, |old| old + value);
            }
            Insn::QdescSet { qd, rs1, field } => {
                let value = r.x(rs1);
                let d = r.q[qd.index()].as_mut().unwrap();
                match field {
                    QField::Zp => d.zero_point = value as i32,
                    QField::Lo => d.lo = value as i32,
                    QField::Hi => d.hi = value as i32,
                    QField::Table => d.table = value,
                }
            }
            Insn::WdescSet { wd, rs1, field } => {
                let value = r.x(rs1);
                let d = r.w[wd.index()].as_mut().unwrap();
                match field {
                    WField::Kh => d.kernel[0] = value as u16,
                    WField::Kw => d.kernel[1] = value as u16,
                    WField::Sh => d.stride[0] = value as u16,
                    WField::Sw => d.stride[1] = value as u16,
                    WField::Dh => d.dilation[0] = value as u16,
                    WField::Dw => d.dilation[1] = value as u16,
                    WField::Pt => d.pads[0] = value as i16,
                    WField::Pl => d.pads[1] = value as i16,
                    WField::Pb => d.pads[2] = value as i16,
                    WField::Pr => d.pads[3] = value as i16,
                }
            }
            Insn::LayerBegin { id } => {
                open = Some(id);
                action = Action::Begin(id);
            }
            Insn::LayerEnd { .. } => {
                open = None;
                action = Action::End;
            }
            Insn::Fence | Insn::Host { .. } => action = Action::Fence,
            Insn::Halt => {
                list.push(Action::Halt);
                return list;
            }
            other => panic!("{other:?} belongs to no queue and is no control instruction"),
        }
        list.push(action);
    }
    panic!("more than {limit} instructions");
}
