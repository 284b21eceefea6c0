//! The control core: scalars, descriptors, branches, and the issue of queue instructions.
//!
//! Its state depends on code and constants only. So the stream of captured queue instructions is the same for every
//! input; a [`Sink`] takes it: the checks at load, the clock, the engines.

use super::fault::{Fault, FaultKind};
use super::masks::Masks;
use super::op::{ConvOp, OpKind, QueueOp, Ticket};
use super::written::{RegisterFile, Written};
use crate::isa::{
    AvgFlags, Insn, MacFlags, QField, QReg, QuantDesc, RedFlags, TField, TReg, TensorDesc, WField, WReg,
    Wait, WindowDesc, XReg, disasm,
};
use crate::machine::Machine;
use crate::program::Program;

/// Takes what the control core does. Every hook is called in program order; a fault ends the run.
pub trait Sink {
    /// Whether [`Sink::retire`] is to be called; [`Sink::control`] then comes for one instruction at a time.
    const RETIRES: bool = false;
    /// An instruction was executed, after the hooks that belong to it. Not called for one that faulted.
    fn retire(&mut self, _pc: u32, _written: Option<Written>) {}
    /// Control instructions other than the ones below were executed: `plain` ones, and `loads` that fetch from the
    /// constants. None of the other hooks lies between them.
    fn control(&mut self, plain: u64, loads: u64);
    /// A queue instruction was issued.
    ///
    /// # Errors
    /// The instruction does something illegal.
    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind>;
    /// `layer.begin`.
    fn layer_begin(&mut self, layer: u32);
    /// `layer.end`.
    ///
    /// # Errors
    /// The layer's tensor is not complete.
    fn layer_end(&mut self, layer: u32) -> Result<(), FaultKind>;
    /// `fence`.
    fn fence(&mut self);
    /// `host` at instruction `pc`, its implied fence included.
    ///
    /// # Errors
    /// The host layer reads what is not defined, or fails.
    fn host(&mut self, id: u32, pc: u32) -> Result<(), FaultKind>;
    /// `halt`, its implied fence included. The last call.
    fn halt(&mut self);
}

/// The core's state.
pub struct ControlCore<'a> {
    program: &'a Program,
    code: &'a [Insn],
    max_instructions: u64,
    x: [i64; XReg::COUNT],
    t: [Option<TensorDesc>; TReg::COUNT],
    q: [Option<QuantDesc>; QReg::COUNT],
    w: [Option<WindowDesc>; WReg::COUNT],
    issued: [u64; 4],
    seq: u64,
    pc: usize,
    layer: Option<u32>,
    retired: u64,
    masks: Masks,
    /// Control instructions that the sink has not been told of: plain ones, and loads from the constants.
    untold: [u64; 2],
    /// What the present instruction has written.
    written: Option<Written>,
    /// The scalar instruction executed last, where they are executed one by one.
    at: usize,
}

/// What the main loop does after an instruction.
enum Next {
    Go,
    Halt,
}

/// The fault of an instruction, while a layer is open or not.
pub(super) fn fault(
    program: &Program,
    code: &[Insn],
    pc: usize,
    layer: Option<u32>,
    kind: FaultKind,
) -> Fault {
    let open = layer.and_then(|l| program.meta.layers.get(l as usize));
    Fault {
        kind,
        pc: pc as u64,
        insn: code.get(pc).map(|i| disasm::disassemble(i).into()),
        layer: open.or_else(|| program.layer_of(pc)).map(|l| l.name.as_str().into()),
    }
}

/// Bytes of the constants.
fn constant<const N: usize>(program: &Program, address: i64, align: usize) -> Result<[u8; N], FaultKind> {
    let constants = &program.constants;
    let bytes = usize::try_from(address).ok().filter(|start| start.is_multiple_of(align));
    let bytes = bytes.and_then(|start| constants.get(start..start.checked_add(N)?));
    bytes.and_then(|b| <[u8; N]>::try_from(b).ok()).ok_or(FaultKind::BadConstantLoad {
        address,
        bytes: N,
        len: constants.len(),
        align,
    })
}

impl<'a> ControlCore<'a> {
    /// A core at the first instruction. `code` is the program's code, decoded.
    #[must_use]
    pub fn new(program: &'a Program, code: &'a [Insn], machine: &Machine, max_instructions: u64) -> Self {
        ControlCore {
            program,
            code,
            max_instructions,
            x: [0; XReg::COUNT],
            t: [None; TReg::COUNT],
            q: [None; QReg::COUNT],
            w: [None; WReg::COUNT],
            issued: [0; 4],
            seq: 0,
            pc: 0,
            layer: None,
            retired: 0,
            masks: Masks::new(machine),
            untold: [0; 2],
            written: None,
            at: 0,
        }
    }

    /// Runs to `halt`; returns the number of instructions retired.
    ///
    /// # Errors
    /// The first fault, of the core or of the sink.
    pub fn run<S: Sink>(mut self, sink: &mut S) -> Result<u64, Fault> {
        match self.go(sink) {
            Ok(()) => Ok(self.retired),
            Err(kind) => Err(fault(self.program, self.code, self.pc, self.layer, kind)),
        }
    }

    fn go<S: Sink>(&mut self, sink: &mut S) -> Result<(), FaultKind> {
        let code = self.code;
        loop {
            if S::RETIRES {
                self.scalars::<true>()?;
            } else {
                self.scalars::<false>()?;
            }
            if S::RETIRES && self.untold != [0; 2] {
                self.tell(sink);
                sink.retire(self.at as u32, self.written.take());
                continue;
            }
            let Some(insn) = code.get(self.pc) else {
                self.pc = if self.pc > isize::MAX as usize { usize::MAX } else { self.pc };
                return Err(FaultKind::PcOutOfRange { words: code.len() as u64 });
            };
            if self.retired >= self.max_instructions {
                return Err(FaultKind::Watchdog {
                    what: "instructions",
                    limit: self.max_instructions,
                    option: "--max-instructions",
                });
            }
            self.retired += 1;
            let next = self.step(insn, sink)?;
            if S::RETIRES {
                self.tell(sink);
                sink.retire(self.pc as u32, self.written.take());
            }
            match next {
                Next::Go => self.pc += 1,
                Next::Halt => return Ok(()),
            }
        }
    }

    /// Tells the sink of the control instructions that it does not know of.
    fn tell(&mut self, sink: &mut impl Sink) {
        let [plain, loads] = std::mem::take(&mut self.untold);
        if plain + loads > 0 {
            sink.control(plain, loads);
        }
    }

    /// Executes scalar instructions until another one comes, or the limit, or the end of the code; with `ONE` at most
    /// one, of which it notes what it has written.
    fn scalars<const ONE: bool>(&mut self) -> Result<(), FaultKind> {
        let code = self.code;
        let mut pc = self.pc;
        let mut left = self.max_instructions - self.retired;
        let mut loads = 0;
        let mut failed = None;
        while let Some(insn) = code.get(pc)
            && left > 0
        {
            let x = &mut self.x;
            let mut next = pc + 1;
            // Register numbers are below 32: the mask only spares a check.
            let get = |r: XReg| x[r.index() % XReg::COUNT];
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
                    match constant(self.program, get(rs1).wrapping_add(imm.into()), 8) {
                        Ok(bytes) => {
                            loads += 1;
                            (rd, i64::from_le_bytes(bytes))
                        }
                        Err(kind) => {
                            failed = Some(kind);
                            break;
                        }
                    }
                }
                Insn::LdW { rd, rs1, imm } => {
                    match constant(self.program, get(rs1).wrapping_add(imm.into()), 4) {
                        Ok(bytes) => {
                            loads += 1;
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
                _ => break,
            };
            x[to.index() % XReg::COUNT] = value;
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
        self.untold[0] += executed - loads;
        self.untold[1] += loads;
        self.pc = pc;
        failed.map_or(Ok(()), |kind| {
            // It counts as tried, like every instruction that faults.
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

    /// An instruction that is not scalar.
    fn step(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        let mut load = false;
        match *insn {
            Insn::TdescLoad { td, rs1, imm } => {
                load = true;
                let address = self.get(rs1).wrapping_add(imm.into());
                let bytes = constant::<{ TensorDesc::BYTES }>(self.program, address, 8)?;
                let desc = TensorDesc::from_bytes(&bytes);
                self.t[td.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Tensor, td.index(), address);
            }
            Insn::TdescSet { td, rs1, field } => self.set_tensor_field(td, field, self.get(rs1), false)?,
            Insn::TdescAdd { td, rs1, field } => self.set_tensor_field(td, field, self.get(rs1), true)?,
            Insn::TdescMov { td, ts } => {
                self.t[td.index()] = Some(self.tensor(ts)?);
                self.wrote(RegisterFile::Tensor, td.index(), ts.index() as i64);
            }
            Insn::QdescLoad { qd, rs1, imm } => {
                load = true;
                let address = self.get(rs1).wrapping_add(imm.into());
                let bytes = constant::<{ QuantDesc::BYTES }>(self.program, address, 8)?;
                let desc = QuantDesc::from_bytes(&bytes);
                self.q[qd.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Quant, qd.index(), address);
            }
            Insn::QdescSet { qd, rs1, field } => self.set_quant_field(qd, field, self.get(rs1))?,
            Insn::WdescLoad { wd, rs1, imm } => {
                load = true;
                let address = self.get(rs1).wrapping_add(imm.into());
                let bytes = constant::<{ WindowDesc::BYTES }>(self.program, address, 8)?;
                let desc = WindowDesc::from_bytes(&bytes);
                self.w[wd.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Window, wd.index(), address);
            }
            Insn::WdescSet { wd, rs1, field } => self.set_window_field(wd, field, self.get(rs1))?,
            _ => return self.mark_or_issue(insn, sink),
        }
        self.untold[usize::from(load)] += 1;
        Ok(Next::Go)
    }

    /// What the sink must see at its place among the control instructions.
    fn mark_or_issue(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        self.tell(sink);
        match *insn {
            Insn::LayerBegin { id } => {
                self.begin_layer(id)?;
                sink.layer_begin(id);
            }
            Insn::LayerEnd { id } => {
                if self.layer != Some(id) {
                    let open = self.layer.map_or("none".into(), |l| l.to_string());
                    let reason = format!("layer.end {id}, but the open layer is {open}");
                    return Err(FaultKind::LayerMarker { reason });
                }
                sink.layer_end(id)?;
                self.layer = None;
            }
            Insn::Fence => sink.fence(),
            Insn::Host { id } => {
                let count = self.program.meta.hosts.len();
                if id as usize >= count {
                    return Err(FaultKind::UnknownHost { id, count });
                }
                sink.host(id, self.pc as u32)?;
            }
            Insn::Halt => {
                if let Some(open) = self.layer {
                    return Err(FaultKind::LayerMarker {
                        reason: format!("halt while layer {open} is open"),
                    });
                }
                sink.halt();
                return Ok(Next::Halt);
            }
            _ => self.issue(insn, sink)?,
        }
        Ok(Next::Go)
    }

    fn get(&self, x: XReg) -> i64 {
        self.x[x.index()]
    }

    fn wrote(&mut self, file: RegisterFile, number: usize, value: i64) {
        self.written = Some(Written { file, number: number as u8, value });
    }

    fn begin_layer(&mut self, id: u32) -> Result<(), FaultKind> {
        let reason = if id as usize >= self.program.meta.layers.len() {
            format!(
                "layer {id} is not in the layer table, which has {} entries",
                self.program.meta.layers.len()
            )
        } else if let Some(open) = self.layer {
            format!("layer.begin {id} while layer {open} is open")
        } else {
            self.layer = Some(id);
            return Ok(());
        };
        Err(FaultKind::LayerMarker { reason })
    }

    fn set_tensor_field(&mut self, td: TReg, field: TField, value: i64, add: bool) -> Result<(), FaultKind> {
        self.wrote(RegisterFile::Tensor, td.index(), value);
        let Some(desc) = &mut self.t[td.index()] else {
            return Err(FaultKind::UnsetDescriptor { register: td.to_string() });
        };
        let fit = |present: i64| -> Result<i64, FaultKind> {
            let sum = if add { present.checked_add(value) } else { Some(value) };
            sum.ok_or(FaultKind::DescriptorField { field: field.name(), value })
        };
        let dim = |present: u32| -> Result<u32, FaultKind> {
            let v = fit(present.into())?;
            u32::try_from(v).map_err(|_| FaultKind::DescriptorField { field: field.name(), value: v })
        };
        match field {
            TField::Base => desc.base = fit(desc.base)?,
            TField::D0 => desc.dims[0] = dim(desc.dims[0])?,
            TField::D1 => desc.dims[1] = dim(desc.dims[1])?,
            TField::D2 => desc.dims[2] = dim(desc.dims[2])?,
            TField::D3 => desc.dims[3] = dim(desc.dims[3])?,
            TField::S0 => desc.strides[0] = fit(desc.strides[0])?,
            TField::S1 => desc.strides[1] = fit(desc.strides[1])?,
            TField::S2 => desc.strides[2] = fit(desc.strides[2])?,
            TField::S3 => desc.strides[3] = fit(desc.strides[3])?,
            TField::Zp => {
                let v = fit(desc.zero_point.into())?;
                desc.zero_point = i32::try_from(v)
                    .map_err(|_| FaultKind::DescriptorField { field: field.name(), value: v })?;
            }
        }
        Ok(())
    }

    fn set_quant_field(&mut self, qd: QReg, field: QField, value: i64) -> Result<(), FaultKind> {
        self.wrote(RegisterFile::Quant, qd.index(), value);
        let Some(desc) = &mut self.q[qd.index()] else {
            return Err(FaultKind::UnsetDescriptor { register: qd.to_string() });
        };
        let narrow =
            || i32::try_from(value).map_err(|_| FaultKind::DescriptorField { field: field.name(), value });
        match field {
            QField::Zp => desc.zero_point = narrow()?,
            QField::Lo => desc.lo = narrow()?,
            QField::Hi => desc.hi = narrow()?,
            QField::Table => desc.table = value,
        }
        Ok(())
    }

    fn set_window_field(&mut self, wd: WReg, field: WField, value: i64) -> Result<(), FaultKind> {
        self.wrote(RegisterFile::Window, wd.index(), value);
        let Some(desc) = &mut self.w[wd.index()] else {
            return Err(FaultKind::UnsetDescriptor { register: wd.to_string() });
        };
        let bad = FaultKind::DescriptorField { field: field.name(), value };
        let extent = u16::try_from(value);
        let pad = i16::try_from(value);
        match field {
            WField::Kh => desc.kernel[0] = extent.map_err(|_| bad)?,
            WField::Kw => desc.kernel[1] = extent.map_err(|_| bad)?,
            WField::Sh => desc.stride[0] = extent.map_err(|_| bad)?,
            WField::Sw => desc.stride[1] = extent.map_err(|_| bad)?,
            WField::Dh => desc.dilation[0] = extent.map_err(|_| bad)?,
            WField::Dw => desc.dilation[1] = extent.map_err(|_| bad)?,
            WField::Pt => desc.pads[0] = pad.map_err(|_| bad)?,
            WField::Pl => desc.pads[1] = pad.map_err(|_| bad)?,
            WField::Pb => desc.pads[2] = pad.map_err(|_| bad)?,
            WField::Pr => desc.pads[3] = pad.map_err(|_| bad)?,
        }
        Ok(())
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

    /// Captures a queue instruction and hands it over.
    fn issue(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<(), FaultKind> {
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
