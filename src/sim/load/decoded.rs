//! A program whose tables and instruction words have been checked, and nothing else.

use std::sync::Arc;

use super::limits::{Limits, Totals};
use crate::isa::{ISA_VERSION, Insn, Space};
use crate::machine::Machine;
use crate::program::{HostTensor, PlaceMemory, Program, Role};
use crate::sim::access::Spans;
use crate::sim::clock::cost::Cost;
use crate::sim::clock::{ClockReport, EventClock, OpTiming};
use crate::sim::control::{ControlCore, Sink};
use crate::sim::executed::Executed;
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::op::QueueOp;
use crate::sim::place::{cover, span};
use crate::sim::validate::{self, Memories};

/// Why a program is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Its tables do not fit the machine, or each other.
    #[error("the program is refused: {0}")]
    Refused(String),
    /// It does something illegal.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A program whose tables fit its machine and whose instruction words decode. Unlike
/// [`Loaded`](super::Loaded), what it does has not been checked. The reference engine, which tracks written
/// bytes itself, can [run](crate::sim::Session::of_decoded) it; tests compare its faults with those of a
/// load.
#[derive(Debug, Clone)]
pub struct Decoded {
    pub(in crate::sim) program: Arc<Program>,
    pub(in crate::sim) machine: Machine,
    pub(in crate::sim) code: Vec<Insn>,
    pub(in crate::sim) sizes: Memories,
    pub(in crate::sim) limits: Limits,
}

impl Decoded {
    /// Checks tables and instruction words for a machine.
    ///
    /// # Errors
    /// [`LoadError::Refused`] for tables, [`LoadError::Fault`] for a word that is no instruction.
    pub fn new(program: Arc<Program>, machine: &Machine, limits: Limits) -> Result<Decoded, LoadError> {
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
        // Try the allocation now, without touching it: runs allocate where errors can no longer be reported.
        let wanted = usize::try_from(sizes.dram).unwrap_or(usize::MAX);
        let mut probe = Vec::<u8>::new();
        let given = probe.try_reserve_exact(wanted);
        // Keeps the compiler from removing the unused allocation.
        std::hint::black_box(&probe);
        drop(probe);
        if given.is_err() {
            let text = format!("it uses {} bytes of DRAM, more than this computer gives", sizes.dram);
            return Err(LoadError::Refused(text));
        }
        for tensor in program.meta.tensors.iter().filter(|t| t.place.memory == PlaceMemory::Spm) {
            if span(tensor).1 > sizes.spm as i64 {
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
        Ok(Decoded { program, machine: machine.clone(), code, sizes, limits })
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

    /// Decoded instructions, one for each word.
    #[must_use]
    pub fn code(&self) -> &[Insn] {
        &self.code
    }

    /// Issue, start, end and causes of every queue instruction, in program order. Definedness and races are
    /// not checked.
    ///
    /// # Errors
    /// The first fault of the control core, or of an operand.
    pub fn timeline(&self) -> Result<Vec<OpTiming>, Fault> {
        let mut timings = self.time(self.new_clock().recording())?.ended();
        timings.sort_unstable_by_key(|t| t.seq);
        Ok(timings)
    }

    /// Calls `f` for every queue instruction, in program order. Definedness and races are not checked.
    ///
    /// # Errors
    /// The first fault of the control core, or of an operand.
    pub fn each(&self, f: &mut impl FnMut(&QueueOp)) -> Result<(), Fault> {
        self.core().run(&mut Each { checks: Checks::new(self), f }).map(|_| ())
    }

    /// The cycles of a run. Definedness and races are not checked.
    ///
    /// # Errors
    /// The first fault of the control core, or of an operand.
    pub fn clock(&self) -> Result<ClockReport, Fault> {
        self.time(self.new_clock()).map(EventClock::report)
    }

    /// A clock at cycle 0.
    pub(in crate::sim) fn new_clock(&self) -> EventClock<'_> {
        EventClock::new(&self.machine, self.program.meta.layers.len())
    }

    /// The control core at the first instruction.
    pub(in crate::sim) fn core(&self) -> ControlCore<'_> {
        ControlCore::new(&self.program, &self.code, &self.machine, self.limits.instructions)
    }

    /// Steps through the program with a clock.
    pub(super) fn time<'a>(&'a self, clock: EventClock<'a>) -> Result<EventClock<'a>, Fault> {
        let mut timing = Timing { clock, checks: Checks::new(self) };
        self.core().run(&mut timing)?;
        Ok(timing.clock)
    }

    /// Calls `f(start, bytes)` for the DRAM ranges of the inputs.
    pub(super) fn inputs(&self, f: &mut impl FnMut(i64, i64)) {
        for tensor in self.program.meta.tensors.iter().filter(|t| t.role == Role::Input) {
            let size = tensor.dtype.bytes() as i64;
            cover(tensor, &mut |start, run| f(start, run as i64 * size));
        }
    }
}

/// Checks of single operations: their operands, and the work so far.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Checks<'a> {
    decoded: &'a Decoded,
    work: Totals,
}

impl<'a> Checks<'a> {
    pub(in crate::sim) fn new(decoded: &'a Decoded) -> Checks<'a> {
        Checks { decoded, work: Totals::default() }
    }

    /// Checks the next operation; returns the spans of its operands.
    ///
    /// # Errors
    /// An operand is illegal, or a limit is reached.
    pub(in crate::sim) fn check(&mut self, op: &QueueOp) -> Result<Spans, FaultKind> {
        let spans = validate::check(op, &self.decoded.machine, &self.decoded.sizes)?;
        self.work.add(op, &self.decoded.limits)?;
        Ok(spans)
    }
}

fn check_machine(program: &Program, machine: &Machine) -> Result<(), LoadError> {
    let meta = &program.meta;
    if meta.isa_version != ISA_VERSION {
        let text = format!(
            "it is for ISA version {}, this build executes version {ISA_VERSION}: compile its model again",
            meta.isa_version
        );
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

/// Size of a host operand in bytes; `None` if its type is unknown or its size out of range.
pub(in crate::sim) fn host_bytes(t: &HostTensor) -> Option<u64> {
    let size = t.dtype.bytes() as u64;
    let bytes = t.shape.iter().try_fold(size, |n, d| n.checked_mul(*d))?;
    (bytes > 0).then_some(bytes)
}

/// Checks that all bytes of a layer's tensors are defined; `undefined` returns the lowest undefined byte of a
/// range.
pub(in crate::sim) fn complete(
    program: &Program,
    layer: u32,
    undefined: impl Fn(Space, i64, i64) -> Option<i64>,
) -> Result<(), FaultKind> {
    let meta = &program.meta;
    for t in meta.tensors.iter().filter(|t| t.layer == Some(layer)) {
        let size = t.dtype.bytes() as i64;
        let mut lowest: Option<i64> = None;
        let space = t.place.memory.space();
        let (lo, hi) = span(t);
        if undefined(space, lo, hi - lo).is_none() {
            continue;
        }
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

/// A sink that hands on the queue instructions.
struct Each<'a, F> {
    checks: Checks<'a>,
    f: F,
}

impl<F: FnMut(&QueueOp)> Sink for Each<'_, F> {
    fn control(&mut self, _: Executed) {}

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        self.checks.check(op)?;
        (self.f)(op);
        Ok(())
    }

    fn layer_begin(&mut self, _: u32) {}

    fn layer_end(&mut self, _: u32) -> Result<(), FaultKind> {
        Ok(())
    }

    fn fence(&mut self) {}

    fn host(&mut self, _: u32, _: u32) -> Result<(), FaultKind> {
        Ok(())
    }

    fn halt(&mut self) {}
}

/// A sink that only drives the clock.
struct Timing<'a> {
    clock: EventClock<'a>,
    checks: Checks<'a>,
}

impl Sink for Timing<'_> {
    fn control(&mut self, executed: Executed) {
        self.clock.control(executed);
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        let spans = self.checks.check(op)?;
        self.clock.issue(op, &Cost::with(&op.kind, &spans, self.clock.machine()));
        Ok(())
    }

    fn layer_begin(&mut self, layer: u32) {
        self.clock.layer_begin(layer);
    }

    fn layer_end(&mut self, _: u32) -> Result<(), FaultKind> {
        self.clock.layer_end();
        Ok(())
    }

    fn fence(&mut self) {
        self.clock.fence();
    }

    fn host(&mut self, _: u32, _: u32) -> Result<(), FaultKind> {
        self.clock.fence();
        Ok(())
    }

    fn halt(&mut self) {
        self.clock.halt();
    }
}
