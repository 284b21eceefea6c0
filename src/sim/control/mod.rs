//! The control core: scalars, descriptors, branches, and the issue of queue instructions.
//!
//! Its state depends on code and constants only, so the stream of captured queue instructions is the same for
//! every input. A [`Sink`] receives it: the checks at load, the clock, the engines. `scalars` is the step
//! loop, `capture` the issue, `cache` which constants the core holds: these, too, depend on code alone.

mod cache;
mod capture;
mod scalars;

use self::cache::Cache;
use super::executed::Executed;
use super::fault::{Fault, FaultKind};
use super::masks::Masks;
use super::op::{QueueOp, Registers};
use super::written::{RegisterFile, Written};
use crate::isa::{
    Insn, QField, QReg, QuantDesc, TField, TReg, TensorDesc, WField, WReg, WindowDesc, XReg, disasm,
    queue_insn,
};
use crate::machine::Machine;
use crate::program::Program;

/// Receives what the control core does. Every hook is called in program order; a fault ends the run.
pub trait Sink {
    /// Whether [`Sink::retire`] is to be called; [`Sink::control`] is then called for each instruction.
    fn retires(&self) -> bool {
        false
    }
    /// An instruction was executed, after the hooks that belong to it. Not called for one that faulted.
    fn retire(&mut self, _pc: u32, _written: Option<Written>) {}
    /// Control instructions without a hook of their own were executed, or the mask of the next queue
    /// instruction was read. No other hook belongs between them.
    fn control(&mut self, executed: Executed);
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
    cache: Cache,
    /// Control instructions not yet reported to the sink.
    unreported: Executed,
    /// The register that the present instruction has written.
    written: Option<Written>,
    /// Index of the scalar instruction executed last, where they are executed one by one.
    at: usize,
}

/// What the main loop does after an instruction.
enum Next {
    Go,
    Halt,
}

/// The fault of an instruction, with the layer that is open, if any.
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

/// An instruction in a place where no program can execute it.
fn misplaced(reason: &str) -> FaultKind {
    FaultKind::IllegalOperand { reason: reason.into() }
}

/// Bytes of the constants, or the fault of a load from there.
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
            cache: Cache::new(machine),
            unreported: Executed::default(),
            written: None,
            at: 0,
        }
    }

    /// Runs to `halt`; returns the number of instructions retired.
    ///
    /// # Errors
    /// The first fault, of the core or of the sink.
    pub fn run<S: Sink>(mut self, sink: &mut S) -> Result<u64, Fault> {
        let end = if sink.retires() { self.go::<S, true>(sink) } else { self.go::<S, false>(sink) };
        match end {
            Ok(()) => Ok(self.retired),
            Err(kind) => Err(fault(self.program, self.code, self.pc, self.layer, kind)),
        }
    }

    fn go<S: Sink, const RETIRES: bool>(&mut self, sink: &mut S) -> Result<(), FaultKind> {
        let code = self.code;
        loop {
            self.scalars::<RETIRES>()?;
            if RETIRES && self.unreported != Executed::default() {
                self.report_pending(sink);
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
            if RETIRES {
                self.report_pending(sink);
                sink.retire(self.pc as u32, self.written.take());
            }
            match next {
                Next::Go => self.pc += 1,
                Next::Halt => return Ok(()),
            }
        }
    }

    /// Reports the pending control instructions to the sink.
    fn report_pending(&mut self, sink: &mut impl Sink) {
        let executed = std::mem::take(&mut self.unreported);
        if executed != Executed::default() {
            sink.control(executed);
        }
    }

    /// Executes an instruction that is not scalar.
    fn step(&mut self, insn: &Insn, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        let load = match *insn {
            Insn::TdescLoad { td, rs1, imm } => {
                let address = self.scalar(rs1).wrapping_add(imm.into());
                let bytes = constant::<{ TensorDesc::BYTES }>(self.program, address, 8)?;
                let desc = TensorDesc::from_bytes(&bytes);
                self.t[td.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Tensor, td.index(), address);
                Some((address, TensorDesc::BYTES))
            }
            Insn::TdescSet { td, rs1, field } => {
                self.set_tensor_field(td, field, self.scalar(rs1), false)?;
                None
            }
            Insn::TdescAdd { td, rs1, field } => {
                self.set_tensor_field(td, field, self.scalar(rs1), true)?;
                None
            }
            Insn::TdescMov { td, ts } => {
                self.t[td.index()] = Some(self.tensor(ts)?);
                self.wrote(RegisterFile::Tensor, td.index(), ts.index() as i64);
                None
            }
            Insn::QdescLoad { qd, rs1, imm } => {
                let address = self.scalar(rs1).wrapping_add(imm.into());
                let bytes = constant::<{ QuantDesc::BYTES }>(self.program, address, 8)?;
                let desc = QuantDesc::from_bytes(&bytes);
                self.q[qd.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Quant, qd.index(), address);
                Some((address, QuantDesc::BYTES))
            }
            Insn::QdescSet { qd, rs1, field } => {
                self.set_quant_field(qd, field, self.scalar(rs1))?;
                None
            }
            Insn::WdescLoad { wd, rs1, imm } => {
                let address = self.scalar(rs1).wrapping_add(imm.into());
                let bytes = constant::<{ WindowDesc::BYTES }>(self.program, address, 8)?;
                let desc = WindowDesc::from_bytes(&bytes);
                self.w[wd.index()] = Some(desc.map_err(|error| FaultKind::BadDescriptor { address, error })?);
                self.wrote(RegisterFile::Window, wd.index(), address);
                Some((address, WindowDesc::BYTES))
            }
            Insn::WdescSet { wd, rs1, field } => {
                self.set_window_field(wd, field, self.scalar(rs1))?;
                None
            }
            Insn::LayerBegin { id } => return self.begin_layer(id, sink),
            Insn::LayerEnd { id } => return self.end_layer(id, sink),
            Insn::Fence => {
                self.report_pending(sink);
                sink.fence();
                return Ok(Next::Go);
            }
            Insn::Host { id } => return self.host(id, sink),
            Insn::Halt => return self.halt(sink),
            queue_insn!() => {
                self.report_pending(sink);
                self.issue(insn, sink)?;
                return Ok(Next::Go);
            }
            Insn::Nop
            | Insn::Mark { .. }
            | Insn::Li { .. }
            | Insn::Add { .. }
            | Insn::Sub { .. }
            | Insn::Mul { .. }
            | Insn::And { .. }
            | Insn::Or { .. }
            | Insn::Xor { .. }
            | Insn::Sll { .. }
            | Insn::Srl { .. }
            | Insn::Sra { .. }
            | Insn::Slt { .. }
            | Insn::Min { .. }
            | Insn::Max { .. }
            | Insn::Addi { .. }
            | Insn::Muli { .. }
            | Insn::Andi { .. }
            | Insn::Mini { .. }
            | Insn::Maxi { .. }
            | Insn::Beq { .. }
            | Insn::Bne { .. }
            | Insn::Blt { .. }
            | Insn::Bge { .. }
            | Insn::Jal { .. }
            | Insn::Jalr { .. }
            | Insn::LdD { .. }
            | Insn::LdW { .. } => return Err(misplaced("the step loop left out a scalar instruction")),
        };
        match load {
            None => self.unreported.plain += 1,
            Some((address, bytes)) => {
                self.unreported.loads += 1;
                self.unreported.misses += self.cache.load(address, bytes);
            }
        }
        Ok(Next::Go)
    }

    fn end_layer(&mut self, id: u32, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        self.report_pending(sink);
        if self.layer != Some(id) {
            let open = self.layer.map_or("none".into(), |l| l.to_string());
            let reason = format!("layer.end {id}, but the open layer is {open}");
            return Err(FaultKind::LayerMarker { reason });
        }
        sink.layer_end(id)?;
        self.layer = None;
        Ok(Next::Go)
    }

    fn host(&mut self, id: u32, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        self.report_pending(sink);
        let count = self.program.meta.hosts.len();
        if id as usize >= count {
            return Err(FaultKind::UnknownHost { id, count });
        }
        sink.host(id, self.pc as u32)?;
        Ok(Next::Go)
    }

    fn halt(&mut self, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        self.report_pending(sink);
        if let Some(open) = self.layer {
            return Err(FaultKind::LayerMarker { reason: format!("halt while layer {open} is open") });
        }
        sink.halt();
        Ok(Next::Halt)
    }

    fn wrote(&mut self, file: RegisterFile, number: usize, value: i64) {
        self.written = Some(Written { file, number: number as u8, value });
    }

    fn begin_layer(&mut self, id: u32, sink: &mut impl Sink) -> Result<Next, FaultKind> {
        self.report_pending(sink);
        let count = self.program.meta.layers.len();
        let reason = if id as usize >= count {
            format!("layer {id} is not in the layer table, which has {count} entries")
        } else if let Some(open) = self.layer {
            format!("layer.begin {id} while layer {open} is open")
        } else {
            self.layer = Some(id);
            sink.layer_begin(id);
            return Ok(Next::Go);
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
}
