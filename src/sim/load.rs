//! Loading: everything that can be known about a program before it runs.

use std::sync::Arc;

use super::clock::cost::Cost;
use super::clock::{ClockReport, EventClock, OpTiming};
use super::control::{ControlCore, Sink};
use super::defined::Defined;
use super::fault::{Fault, FaultKind};
use super::memory::cover;
use super::op::{OpKind, QueueOp, dma_op, mac_op};
use super::race::RaceChecker;
use super::stream::{Step, Stream, Walk};
use super::validate::{self, Memories};
use super::widths::Widths;
use super::{access, clock};
use crate::isa::{ISA_VERSION, Insn, Space, disasm};
use crate::machine::Machine;
use crate::program::{PlaceMemory, Program, Role};

/// Bounds on what a program may do; they end endless work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Instructions retired.
    pub instructions: u64,
    /// Multiply-accumulates, and taps of pools.
    pub macs: u64,
    /// Bytes read and written by all operations.
    pub bytes: u64,
    /// Queue instructions beside which something issued later may still run.
    pub unordered: u64,
    /// Pairs of queue instructions that the race checker compares.
    pub comparisons: u64,
}

impl Default for Limits {
    /// 10^9 instructions, 10^13 multiply-accumulates, 10^13 bytes; 2^17 instructions without order, 10^10 comparisons.
    fn default() -> Limits {
        Limits {
            instructions: 1_000_000_000,
            macs: 10_000_000_000_000,
            bytes: 10_000_000_000_000,
            unordered: 1 << 17,
            comparisons: 10_000_000_000,
        }
    }
}

/// Why a program is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Its tables or its machine do not fit.
    #[error("the program is refused: {0}")]
    Refused(String),
    /// It does something illegal.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A program that passed every check: it can be run any number of times, by several threads.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub(super) program: Arc<Program>,
    pub(super) machine: Machine,
    pub(super) code: Vec<Insn>,
    pub(super) sizes: Memories,
    pub(super) limits: Limits,
    /// Every operation passed the control pass.
    pub(super) checked: bool,
    /// What it executes; none if it is unchecked, or too long.
    pub(super) stream: Option<Arc<Stream>>,
    report: ClockReport,
    widths: Vec<Widths>,
}

impl Loaded {
    /// Checks a program for a machine: tables, every instruction word, and in one control pass every operation that it
    /// will execute, what they read, and the clock.
    ///
    /// # Errors
    /// [`LoadError::Refused`] for tables, [`LoadError::Fault`] for what the program does.
    pub fn new(program: Arc<Program>, machine: &Machine, limits: Limits) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded::without_definedness(program, machine, limits)?;
        let mut pass = ControlPass {
            loaded: &loaded,
            defined: loaded.initial(),
            clock: EventClock::new(&loaded.machine, loaded.program.meta.layers.len()),
            races: RaceChecker::new(loaded.sizes.writable),
            macs: 0,
            bytes: 0,
            stream: Some(Stream::default()),
            widths: vec![Widths::default(); loaded.program.meta.layers.len()],
        };
        let instructions =
            ControlCore::new(&loaded.program, &loaded.code, &loaded.machine, limits.instructions)
                .run(&mut pass)?;
        let widths = std::mem::take(&mut pass.widths);
        let stream = pass
            .stream
            .take()
            .map(|s| Arc::new(s.finish(instructions, &loaded.program.meta.tensors, &loaded.sizes)));
        loaded.report = pass.clock.report();
        loaded.widths = widths;
        loaded.stream = stream;
        loaded.checked = true;
        debug_assert!(loaded.report.adds_up(), "causes must sum to the total");
        Ok(loaded)
    }

    /// Checks tables and instruction words only. The reference engine, which tracks written bytes itself, may run such
    /// a program; tests hold its faults against those of [`Loaded::new`].
    ///
    /// # Errors
    /// As [`Loaded::new`].
    pub fn without_definedness(
        program: Arc<Program>,
        machine: &Machine,
        limits: Limits,
    ) -> Result<Loaded, LoadError> {
        check_machine(&program, machine)?;
        let sizes = Memories {
            dram: program.meta.dram_bytes,
            writable: program.writable_base(),
            spm: machine.spm.bytes,
            acc: machine.acc.bytes,
        };
        program.validate().map_err(|e| LoadError::Refused(e.to_string()))?;
        if sizes.dram > machine.dram.bytes {
            let text =
                format!("it uses {} bytes of DRAM, the machine has {}", sizes.dram, machine.dram.bytes);
            return Err(LoadError::Refused(text));
        }
        // Asked for, not touched: memories of runs are allocated where nothing can be refused any more.
        let wanted = usize::try_from(sizes.dram).unwrap_or(usize::MAX);
        let mut probe = Vec::<u8>::new();
        let given = probe.try_reserve_exact(wanted);
        // Seen by something, else the compiler takes what nobody uses for given.
        std::hint::black_box(&probe);
        drop(probe);
        if given.is_err() {
            let text = format!("it uses {} bytes of DRAM, more than this computer gives", sizes.dram);
            return Err(LoadError::Refused(text));
        }
        for tensor in program.meta.tensors.iter().filter(|t| t.place.memory == PlaceMemory::Spm) {
            let size = tensor.dtype.bytes();
            let mut end = 0;
            cover(tensor, &mut |start, run| end = end.max(start + (run * size) as i64));
            if end > sizes.spm as i64 {
                let text =
                    format!("tensor \"{}\" lies beyond the scratchpad of {} bytes", tensor.name, sizes.spm);
                return Err(LoadError::Refused(text));
            }
        }
        let mut code = Vec::with_capacity(program.code.len());
        for (pc, word) in program.code.iter().enumerate() {
            code.push(Insn::decode(*word).map_err(|e| Fault {
                kind: FaultKind::IllegalInstruction(e),
                pc: pc as u64,
                insn: Some(format!(".word {word:#x}").into()),
                layer: program.layer_of(pc).map(|l| l.name.as_str().into()),
            })?);
        }
        Ok(Loaded {
            program,
            machine: machine.clone(),
            code,
            sizes,
            limits,
            checked: false,
            stream: None,
            report: ClockReport::default(),
            widths: Vec::new(),
        })
    }

    /// The same, but runs leave in the accumulators what the program leaves there, for those who look. Else sums that nothing
    /// but the requantization behind their product reads may never be stored.
    #[must_use]
    pub fn keep_accumulators(mut self) -> Loaded {
        if let Some(stream) = &mut self.stream {
            Arc::make_mut(stream).keep_accumulators(&self.sizes);
        }
        self
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The cycles of a run. They do not depend on inputs.
    #[must_use]
    pub fn clock(&self) -> &ClockReport {
        &self.report
    }

    /// The widths that the instructions of each layer were executed with, by layer. They do not depend on inputs.
    #[must_use]
    pub fn widths(&self) -> &[Widths] {
        &self.widths
    }

    /// The clock of a run, computed once more, as every run does.
    ///
    /// # Errors
    /// None for a program that [`Loaded::new`] accepted.
    pub fn clock_anew(&self) -> Result<ClockReport, Fault> {
        let mut clock = EventClock::new(&self.machine, self.program.meta.layers.len());
        if let Some(stream) = &self.stream {
            Walk::new(stream).go(&mut clock, usize::MAX);
            return Ok(clock.report());
        }
        self.timing(clock).map(|clock| clock.report())
    }

    /// Issue, start, end and causes of every queue instruction, in program order. Runs the control pass once more.
    ///
    /// # Errors
    /// None for a program that [`Loaded::new`] accepted.
    pub fn timeline(&self) -> Result<Vec<OpTiming>, Fault> {
        let clock = EventClock::new(&self.machine, self.program.meta.layers.len());
        let mut timings = self.timing(clock.recording())?.ended();
        timings.sort_unstable_by_key(|t| t.seq);
        Ok(timings)
    }

    /// Steps through the program with a clock.
    fn timing<'a>(&'a self, clock: EventClock<'a>) -> Result<EventClock<'a>, Fault> {
        let mut pass = Timing(clock);
        ControlCore::new(&self.program, &self.code, &self.machine, self.limits.instructions)
            .run(&mut pass)?;
        Ok(pass.0)
    }

    /// Decoded instructions.
    #[must_use]
    pub fn code(&self) -> &[Insn] {
        &self.code
    }

    fn initial(&self) -> Defined {
        let mut defined = Defined::new(&self.sizes, self.program.constants.len());
        for tensor in self.program.meta.tensors.iter().filter(|t| t.role == Role::Input) {
            let size = tensor.dtype.bytes() as i64;
            cover(tensor, &mut |start, run| defined.define(Space::Dram, start, run as i64 * size));
        }
        defined
    }
}

fn check_machine(program: &Program, machine: &Machine) -> Result<(), LoadError> {
    let meta = &program.meta;
    if meta.isa_version != ISA_VERSION {
        let text =
            format!("it is for ISA version {}, this build executes version {ISA_VERSION}", meta.isa_version);
        return Err(LoadError::Refused(text));
    }
    let hash = format!("{:016x}", machine.hash());
    if meta.machine.name != machine.name || meta.machine.hash != hash {
        return Err(LoadError::Refused(format!(
            "it is for machine {} ({}), not for {} ({hash}); compile it again with --machine, or run it with its machine file",
            meta.machine.name, meta.machine.hash, machine.name
        )));
    }
    Ok(())
}

/// Size of a host operand; none if it is absurd.
pub(super) fn host_bytes(t: &crate::program::HostTensor) -> Option<u64> {
    let size = t.dtype.bytes() as u64;
    let bytes = t.shape.iter().try_fold(size, |n, d| n.checked_mul(*d))?;
    (bytes > 0).then_some(bytes)
}

/// Checks that a layer's tensors lie complete; `undefined` gives the lowest undefined byte of a range.
pub(super) fn complete(
    program: &Program,
    layer: u32,
    undefined: impl Fn(Space, i64, i64) -> Option<i64>,
) -> Result<(), FaultKind> {
    let meta = &program.meta;
    for t in meta.tensors.iter().filter(|t| t.layer == Some(layer)) {
        let size = t.dtype.bytes() as i64;
        let mut lowest: Option<i64> = None;
        let space = t.place.memory.space();
        cover(t, &mut |start, run| {
            if let Some(a) = undefined(space, start, run as i64 * size) {
                lowest = Some(lowest.map_or(a, |l| l.min(a)));
            }
        });
        if let Some(address) = lowest {
            let layer = meta.layers.get(layer as usize).map_or(String::new(), |l| l.name.clone());
            return Err(FaultKind::IncompleteTensor { layer, tensor: t.name.clone(), address });
        }
    }
    Ok(())
}

/// Scalars and descriptors only: checks every operation, and what it reads, and runs the clock.
struct ControlPass<'a> {
    loaded: &'a Loaded,
    defined: Defined,
    clock: EventClock<'a>,
    races: RaceChecker,
    macs: u64,
    bytes: u64,
    /// The record, as long as it is not too long.
    stream: Option<Stream>,
    widths: Vec<Widths>,
}

impl ControlPass<'_> {
    fn record(&mut self, step: Step) {
        if self.stream.as_mut().is_some_and(|s| !s.push(step)) {
            self.stream = None;
        }
    }

    fn race(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        self.races.issue(op).map_err(|mut kind| {
            if let FaultKind::Race { other, .. } = &mut kind {
                let insn = self.loaded.code.get(other.pc as usize);
                other.insn = insn.map(disasm::disassemble).unwrap_or_default();
            }
            kind
        })?;
        let limits = &self.loaded.limits;
        for (what, count, limit, option) in [
            (
                "queue instructions that nothing waits for",
                self.races.unordered(),
                limits.unordered,
                "--max-unordered",
            ),
            ("comparisons for races", self.races.compared(), limits.comparisons, "--max-comparisons"),
        ] {
            if count > limit {
                return Err(FaultKind::Watchdog { what, limit, option });
            }
        }
        Ok(())
    }
}

/// The clock alone.
struct Timing<'a>(EventClock<'a>);

impl Sink for Timing<'_> {
    fn control(&mut self, plain: u64, loads: u64) {
        self.0.control(plain, loads);
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        self.0.issue(op, &Cost::of(&op.kind, self.0.machine()));
        Ok(())
    }

    fn layer_begin(&mut self, layer: u32) {
        self.0.layer_begin(layer);
    }

    fn layer_end(&mut self, _: u32) -> Result<(), FaultKind> {
        self.0.layer_end();
        Ok(())
    }

    fn fence(&mut self) {
        self.0.fence();
    }

    fn host(&mut self, _: u32, _: u32) -> Result<(), FaultKind> {
        self.0.fence();
        Ok(())
    }

    fn halt(&mut self) {
        self.0.halt();
    }
}

/// Counts work against the limits.
pub(super) fn watchdog(
    op: &QueueOp,
    macs: &mut u64,
    bytes: &mut u64,
    limits: &Limits,
) -> Result<(), FaultKind> {
    let elements = |dims: [u32; 4]| dims.iter().map(|n| u64::from(*n)).product::<u64>();
    *macs += clock::cost::macs(&op.kind);
    if let Some(dst) = op.kind.dst() {
        *bytes += elements(access::padded_dims(dst)) * dst.etype.bytes() as u64;
    }
    match &op.kind {
        OpKind::MaxPool { dst, window, .. } | OpKind::AvgPool { dst, window, .. } => {
            *macs += elements(dst.dims) * u64::from(window.kernel[0]) * u64::from(window.kernel[1]);
        }
        OpKind::Rsum { src, .. } => *bytes += elements(src.dims),
        // The products, or what is written, tell how long these take.
        OpKind::Nop
        | dma_op!()
        | mac_op!()
        | OpKind::Requant { .. }
        | OpKind::Store { .. }
        | OpKind::Add { .. }
        | OpKind::Mul { .. }
        | OpKind::Lut { .. }
        | OpKind::Quantize { .. }
        | OpKind::Dequantize { .. }
        | OpKind::F1 { .. }
        | OpKind::F2 { .. }
        | OpKind::Fold { .. }
        | OpKind::Softmax { .. }
        | OpKind::Resize { .. } => {}
    }
    if *macs > limits.macs {
        return Err(FaultKind::Watchdog {
            what: "multiply-accumulates",
            limit: limits.macs,
            option: "--max-macs",
        });
    }
    if *bytes > limits.bytes {
        return Err(FaultKind::Watchdog { what: "bytes moved", limit: limits.bytes, option: "--max-bytes" });
    }
    Ok(())
}

impl Sink for ControlPass<'_> {
    fn control(&mut self, plain: u64, loads: u64) {
        self.clock.control(plain, loads);
        self.record(Step::Control { plain, loads });
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        validate::check(op, &self.loaded.machine, &self.loaded.sizes)?;
        watchdog(op, &mut self.macs, &mut self.bytes, &self.loaded.limits)?;
        self.defined.execute(&op.kind)?;
        self.race(op)?;
        let cost = Cost::of(&op.kind, &self.loaded.machine);
        self.clock.issue(op, &cost);
        if self.stream.as_mut().is_some_and(|s| !s.issue(op, cost)) {
            self.stream = None;
        }
        if let Some(widths) = op.layer.and_then(|l| self.widths.get_mut(l as usize)) {
            widths.note(op);
        }
        Ok(())
    }

    fn layer_begin(&mut self, layer: u32) {
        self.clock.layer_begin(layer);
        self.record(Step::LayerBegin(layer));
    }

    fn layer_end(&mut self, layer: u32) -> Result<(), FaultKind> {
        self.clock.layer_end();
        self.record(Step::LayerEnd(layer));
        let defined = &self.defined;
        complete(&self.loaded.program, layer, |space, start, len| defined.first_undefined(space, start, len))
    }

    fn fence(&mut self) {
        self.races.fence();
        self.clock.fence();
        self.record(Step::Fence);
    }

    fn host(&mut self, id: u32, pc: u32) -> Result<(), FaultKind> {
        self.races.fence();
        self.clock.fence();
        self.record(Step::Host { id, pc });
        let Some(host) = self.loaded.program.meta.hosts.get(id as usize) else { return Ok(()) };
        for t in &host.inputs {
            let bytes = host_bytes(t).unwrap_or(0) as i64;
            if let Some(address) = self.defined.first_undefined(Space::Dram, t.address as i64, bytes) {
                return Err(FaultKind::UndefinedRead { space: Space::Dram, address });
            }
        }
        for t in &host.outputs {
            self.defined.define(Space::Dram, t.address as i64, host_bytes(t).unwrap_or(0) as i64);
        }
        Ok(())
    }

    fn halt(&mut self) {
        self.clock.halt();
        self.record(Step::Halt);
    }
}
