//! The control pass: executing a program without its data.

use super::decoded::{Checks, Decoded, complete, host_bytes};
use crate::isa::{Space, disasm};
use crate::sim::access::Spans;
use crate::sim::clock::cost::Cost;
use crate::sim::clock::{ClockReport, EventClock};
use crate::sim::control::Sink;
use crate::sim::defined::Defined;
use crate::sim::executed::Executed;
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::op::QueueOp;
use crate::sim::plan::record::{Record, Recorder, Step};
use crate::sim::race::RaceChecker;
use crate::sim::widths::Widths;

/// The results of a control pass.
pub(super) struct Found {
    pub(super) clock: ClockReport,
    /// One for each layer.
    pub(super) widths: Vec<Widths>,
    /// The record of the program, if it is short enough.
    pub(super) record: Option<Record>,
}

/// Checks every operation that a program executes, what it reads, and the order of the operations.
///
/// # Errors
/// The first fault.
pub(super) fn control_pass(decoded: &Decoded) -> Result<Found, Fault> {
    let mut defined = Defined::new(&decoded.sizes, decoded.program.constants.len());
    decoded.inputs(&mut |start, bytes| defined.define(Space::Dram, start, bytes));
    let mut pass = ControlPass {
        decoded,
        checks: Checks::new(decoded),
        defined,
        clock: decoded.new_clock(),
        races: RaceChecker::new(decoded.sizes.writable),
        recorder: Recorder::new(),
        widths: vec![Widths::default(); decoded.program.meta.layers.len()],
    };
    let instructions = decoded.core().run(&mut pass)?;
    let ControlPass { clock, widths, recorder, .. } = pass;
    let clock = clock.report();
    debug_assert!(clock.adds_up(), "causes must sum to the total");
    Ok(Found { clock, widths, record: recorder.finish(instructions) })
}

/// Executes scalars and descriptors only; checks every operation and what it reads, drives the clock, and
/// records the queue instructions.
struct ControlPass<'a> {
    decoded: &'a Decoded,
    checks: Checks<'a>,
    defined: Defined,
    clock: EventClock<'a>,
    races: RaceChecker,
    recorder: Recorder,
    widths: Vec<Widths>,
}

impl ControlPass<'_> {
    fn race(&mut self, op: &QueueOp, spans: &Spans) -> Result<(), FaultKind> {
        self.races.issue(op, spans).map_err(|mut kind| {
            if let FaultKind::Race { other, .. } = &mut kind {
                let insn = self.decoded.code.get(other.pc as usize);
                other.insn = insn.map(disasm::disassemble).unwrap_or_default();
            }
            kind
        })?;
        let limits = &self.decoded.limits;
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

impl Sink for ControlPass<'_> {
    fn control(&mut self, executed: Executed) {
        self.clock.control(executed);
        self.recorder.step(Step::Control(executed));
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        let spans = self.checks.check(op)?;
        self.defined.execute(&op.kind, &spans)?;
        self.race(op, &spans)?;
        let cost = Cost::with(&op.kind, &spans, &self.decoded.machine);
        self.clock.issue(op, &cost);
        self.recorder.issue(op, cost);
        if let Some(widths) = op.layer.and_then(|l| self.widths.get_mut(l as usize)) {
            widths.note(op);
        }
        Ok(())
    }

    fn layer_begin(&mut self, layer: u32) {
        self.clock.layer_begin(layer);
        self.recorder.step(Step::LayerBegin(layer));
    }

    fn layer_end(&mut self, layer: u32) -> Result<(), FaultKind> {
        self.clock.layer_end();
        self.recorder.step(Step::LayerEnd(layer));
        let defined = &self.defined;
        complete(&self.decoded.program, layer, |space, start, len| defined.first_undefined(space, start, len))
    }

    fn fence(&mut self) {
        self.races.fence();
        self.clock.fence();
        self.recorder.step(Step::Fence);
    }

    fn host(&mut self, id: u32, pc: u32) -> Result<(), FaultKind> {
        self.races.fence();
        self.clock.fence();
        self.recorder.step(Step::Host { id, pc });
        let Some(host) = self.decoded.program.meta.hosts.get(id as usize) else { return Ok(()) };
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
        self.recorder.step(Step::Halt);
    }
}
