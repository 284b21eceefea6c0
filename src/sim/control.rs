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
    /// An instruction was executed, after the hooks that belong to it. Not called for one that faulted.
    fn retire(&mut self, _pc: u32, _written: Option<Written>) {}
    /// A control instruction other than the ones below (`load`: it fetches from the constants) was executed.
    fn control(&mut self, load: bool);
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
    /// `host`, its implied fence included.
    ///
    /// # Errors
    /// The host layer reads what is not defined, or fails.
    fn host(&mut self, id: u32) -> Result<(), FaultKind>;
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
    /// What the present instruction has written.
    written: Option<Written>,
}

/// What the main loop does after an instruction.
enum Next {
    Go(usize),
    Halt,
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
            written: None,
        }
    }

    /// Runs to `halt`; returns the number of instructions retired.
    ///
    /// # Errors
    /// The first fault, of the core or of the sink.
    pub fn run(mut self, sink: &mut impl Sink) -> Result<u64, Fault> {
        loop {
            let Some(insn) = self.code.get(self.pc) else {
                return Err(self.fault(FaultKind::PcOutOfRange { words: self.code.len() as u64 }));
            };
            if self.retired >= self.max_instructions {
                return Err(self.fault(FaultKind::Watchdog {
                    what: "instructions",
                    limit: self.max_instructions,
                    option: "--max-instructions",
                }));
            }
            self.retired += 1;
            match self.step(insn, sink) {
                Ok(next) => {
                    sink.retire(self.pc as u32, self.written.take());
                    match next {
                        Next::Go(pc) => self.pc = pc,
                        Next::Halt => return Ok(self.retired),
                    }
                }
                Err(kind) => return Err(self.fault(kind)),
            }
        }
    }

    fn fault(&self, kind: FaultKind) -> Fault {
        let layers = &self.program.meta.layers;
        let open = self.layer.and_then(|l| layers.get(l as usize));
        Fault {
            kind,
            pc: self.pc as u64,
            insn: self.code.get(self.pc).map(|i| disasm::disassemble(i).into()),
            layer: open.or_else(|| self.program.layer_of(self.pc)).map(|l| l.name.as_str().into()),
        }
    }

    fn step(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        let mut next = self.pc + 1;
        let mut load = false;
        match *insn {
            Insn::Nop | Insn::Mark { .. } => {}
            Insn::Li { rd, imm } => self.set(rd, imm),
            Insn::Add { rd, rs1, rs2 } => self.set(rd, self.get(rs1).wrapping_add(self.get(rs2))),
            Insn::Sub { rd, rs1, rs2 } => self.set(rd, self.get(rs1).wrapping_sub(self.get(rs2))),
            Insn::Mul { rd, rs1, rs2 } => self.set(rd, self.get(rs1).wrapping_mul(self.get(rs2))),
            Insn::And { rd, rs1, rs2 } => self.set(rd, self.get(rs1) & self.get(rs2)),
            Insn::Or { rd, rs1, rs2 } => self.set(rd, self.get(rs1) | self.get(rs2)),
            Insn::Xor { rd, rs1, rs2 } => self.set(rd, self.get(rs1) ^ self.get(rs2)),
            Insn::Sll { rd, rs1, rs2 } => self.set(rd, self.get(rs1) << (self.get(rs2) & 63)),
            Insn::Srl { rd, rs1, rs2 } => self.set(rd, (self.get(rs1) as u64 >> (self.get(rs2) & 63)) as i64),
            Insn::Sra { rd, rs1, rs2 } => self.set(rd, self.get(rs1) >> (self.get(rs2) & 63)),
            Insn::Slt { rd, rs1, rs2 } => self.set(rd, i64::from(self.get(rs1) < self.get(rs2))),
            Insn::Min { rd, rs1, rs2 } => self.set(rd, self.get(rs1).min(self.get(rs2))),
            Insn::Max { rd, rs1, rs2 } => self.set(rd, self.get(rs1).max(self.get(rs2))),
            Insn::Addi { rd, rs1, imm } => self.set(rd, self.get(rs1).wrapping_add(imm.into())),
            Insn::Muli { rd, rs1, imm } => self.set(rd, self.get(rs1).wrapping_mul(imm.into())),
            Insn::Andi { rd, rs1, imm } => self.set(rd, self.get(rs1) & i64::from(imm)),
            Insn::Mini { rd, rs1, imm } => self.set(rd, self.get(rs1).min(imm.into())),
            Insn::Maxi { rd, rs1, imm } => self.set(rd, self.get(rs1).max(imm.into())),
            Insn::Beq { rs1, rs2, target } => next = self.branch(self.get(rs1) == self.get(rs2), target),
            Insn::Bne { rs1, rs2, target } => next = self.branch(self.get(rs1) != self.get(rs2), target),
            Insn::Blt { rs1, rs2, target } => next = self.branch(self.get(rs1) < self.get(rs2), target),
            Insn::Bge { rs1, rs2, target } => next = self.branch(self.get(rs1) >= self.get(rs2), target),
            Insn::Jal { rd, target } => {
                self.set(rd, next as i64);
                next = self.branch(true, target);
            }
            Insn::Jalr { rd, rs1, imm } => {
                let target = self.get(rs1).wrapping_add(imm.into());
                self.set(rd, next as i64);
                next = usize::try_from(target).unwrap_or(usize::MAX);
            }
            Insn::LdD { rd, rs1, imm } => {
                load = true;
                let bytes = self.constant::<8>(self.get(rs1).wrapping_add(imm.into()), 8)?;
                self.set(rd, i64::from_le_bytes(bytes));
            }
            Insn::LdW { rd, rs1, imm } => {
                load = true;
                let bytes = self.constant::<4>(self.get(rs1).wrapping_add(imm.into()), 4)?;
                self.set(rd, i32::from_le_bytes(bytes).into());
            }
            Insn::TdescLoad { td, rs1, imm } => {
                load = true;
                let address = self.get(rs1).wrapping_add(imm.into());
                let bytes = self.constant::<{ TensorDesc::BYTES }>(address, 8)?;
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
                let bytes = self.constant::<{ QuantDesc::BYTES }>(address, 8)?;
                let desc = QuantDesc::from_bytes(&bytes);
                self.q[qd.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Quant, qd.index(), address);
            }
            Insn::QdescSet { qd, rs1, field } => self.set_quant_field(qd, field, self.get(rs1))?,
            Insn::WdescLoad { wd, rs1, imm } => {
                load = true;
                let address = self.get(rs1).wrapping_add(imm.into());
                let bytes = self.constant::<{ WindowDesc::BYTES }>(address, 8)?;
                let desc = WindowDesc::from_bytes(&bytes);
                self.w[wd.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Window, wd.index(), address);
            }
            Insn::WdescSet { wd, rs1, field } => self.set_window_field(wd, field, self.get(rs1))?,
            Insn::LayerBegin { id } => {
                self.begin_layer(id)?;
                sink.layer_begin(id);
                return Ok(Next::Go(next));
            }
            Insn::LayerEnd { id } => {
                if self.layer != Some(id) {
                    let open = self.layer.map_or("none".into(), |l| l.to_string());
                    let reason = format!("layer.end {id}, but the open layer is {open}");
                    return Err(FaultKind::LayerMarker { reason });
                }
                sink.layer_end(id)?;
                self.layer = None;
                return Ok(Next::Go(next));
            }
            Insn::Fence => {
                sink.fence();
                return Ok(Next::Go(next));
            }
            Insn::Host { id } => {
                let count = self.program.meta.hosts.len();
                if id as usize >= count {
                    return Err(FaultKind::UnknownHost { id, count });
                }
                sink.host(id)?;
                return Ok(Next::Go(next));
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
            _ => {
                self.issue(insn, sink)?;
                return Ok(Next::Go(next));
            }
        }
        sink.control(load);
        Ok(Next::Go(next))
    }

    fn get(&self, x: XReg) -> i64 {
        self.x[x.index()]
    }

    fn set(&mut self, x: XReg, value: i64) {
        if x.index() != 0 {
            self.x[x.index()] = value;
            self.wrote(RegisterFile::Scalar, x.index(), value);
        }
    }

    fn wrote(&mut self, file: RegisterFile, number: usize, value: i64) {
        self.written = Some(Written { file, number: number as u8, value });
    }

    fn branch(&self, taken: bool, target: i32) -> usize {
        if !taken {
            return self.pc + 1;
        }
        // A target below zero becomes an index that no code has.
        usize::try_from(self.pc as i64 + i64::from(target)).unwrap_or(usize::MAX)
    }

    fn constant<const N: usize>(&self, address: i64, align: usize) -> Result<[u8; N], FaultKind> {
        let constants = &self.program.constants;
        let bad = FaultKind::BadConstantLoad { address, bytes: N, len: constants.len(), align };
        let Ok(start) = usize::try_from(address) else { return Err(bad) };
        let slice = start.checked_add(N).and_then(|end| constants.get(start..end));
        match slice.and_then(|s| <[u8; N]>::try_from(s).ok()) {
            Some(bytes) if start.is_multiple_of(align) => Ok(bytes),
            _ => Err(bad),
        }
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
