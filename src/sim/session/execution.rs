//! One run: values by an engine or by workers, the clock, and calls of the observer.

use super::host::{HostRuntime, HostValue};
use crate::isa::Space;
use crate::sim::clock::cost::Cost;
use crate::sim::clock::{ClockReport, EventClock};
use crate::sim::control::{self, Sink};
use crate::sim::engine::Engine;
use crate::sim::executed::Executed;
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::load::{Checks, Decoded, complete, host_bytes};
use crate::sim::memory::Memory;
use crate::sim::observer::{Observer, Sees};
use crate::sim::op::QueueOp;
use crate::sim::parallel::pool::Pool;
use crate::sim::plan::Unit;
use crate::sim::plan::record::{Record, Replay, Step};
use crate::sim::written::Written;

/// Queue instructions that the clock processes at a time while the thread has nothing else to do.
const CLOCK_AT_ONCE: usize = 4;

/// How a run executes a plan.
pub(super) enum Way<'p> {
    /// Instruction by instruction.
    AsWritten,
    /// The units that remain.
    Optimized(&'p [Unit]),
    /// Workers, which share the units.
    Threads(&'p mut Pool),
}

pub(super) struct Execution<'a, O: Observer + ?Sized> {
    decoded: &'a Decoded,
    /// For a program that was not loaded.
    checks: Option<Checks<'a>>,
    memory: &'a mut Memory,
    engine: &'a mut dyn Engine,
    host: &'a mut dyn HostRuntime,
    observer: &'a mut O,
    replace: &'a mut dyn FnMut(u32, &mut Memory),
    pub(super) clock: EventClock<'a>,
    /// The cycle of the present instruction.
    at: u64,
    wraps: u64,
}

impl<'a, O: Observer + ?Sized> Execution<'a, O> {
    /// A run at its beginning.
    pub(super) fn new(
        (decoded, checks): (&'a Decoded, Option<Checks<'a>>),
        (memory, engine): (&'a mut Memory, &'a mut dyn Engine),
        host: &'a mut dyn HostRuntime,
        observer: &'a mut O,
        replace: &'a mut dyn FnMut(u32, &mut Memory),
    ) -> Self {
        let clock = decoded.new_clock();
        Execution { decoded, checks, memory, engine, host, observer, replace, clock, at: 0, wraps: 0 }
    }

    /// Whether the engine executes optimized units.
    pub(super) fn optimizes(&self) -> bool {
        self.engine.optimizes()
    }

    /// Accumulations that wrapped, and the clock, at the end.
    pub(super) fn ended(self) -> (u64, ClockReport) {
        (self.wraps, self.clock.report())
    }

    /// Computes the values of the recorded program. The clock, which needs no values, follows afterwards or,
    /// with several threads, whenever this thread would have to wait. `watched`: an observer inspects memory
    /// at the ends of layers.
    pub(super) fn follow(
        &mut self,
        record: &Record,
        mut way: Way<'_>,
        time: &mut Replay<'_>,
        watched: bool,
    ) -> Result<(), Fault> {
        let decoded = self.decoded;
        let fault =
            |pc: u32, layer, kind| control::fault(&decoded.program, &decoded.code, pc as usize, layer, kind);
        let sees = self.observer.sees();
        let (mut issued, mut layer) = (0, None);
        for step in &record.steps {
            let meets = match step {
                Step::Host { .. } | Step::Halt => true,
                Step::LayerBegin(_) | Step::LayerEnd(_) => watched,
                Step::Control(_) | Step::Issue(_) | Step::Fence => false,
            };
            if let Way::Threads(pool) = &mut way
                && meets
            {
                let clock = &mut self.clock;
                pool.run_to(issued, &mut || time.go(clock, CLOCK_AT_ONCE)).map_err(|(seq, kind)| {
                    let pc = record.ops.get(seq as usize).map_or(0, |op| op.pc);
                    fault(pc, record.open_layer(seq), kind)
                })?;
            }
            match *step {
                Step::Issue(n) => {
                    let from = issued;
                    issued += n;
                    match &mut way {
                        Way::Threads(_) => {}
                        Way::Optimized(rest) => {
                            while let Some((unit, later)) = rest.split_first()
                                && unit.seq() < issued
                            {
                                let wraps = self.engine.execute_unit(unit, self.memory);
                                self.wraps += wraps.map_err(|kind| fault(unit.first().pc, layer, kind))?;
                                *rest = later;
                            }
                        }
                        Way::AsWritten => {
                            for op in &record.ops[from..issued] {
                                let wraps = self.engine.execute(op, self.memory);
                                self.wraps += wraps.map_err(|kind| fault(op.pc, layer, kind))?;
                                if sees >= Sees::Operations {
                                    self.observer.op(op, self.memory);
                                }
                            }
                        }
                    }
                }
                Step::LayerBegin(id) => {
                    layer = Some(id);
                    self.observer.layer_begin(id);
                }
                Step::LayerEnd(id) => {
                    layer = None;
                    self.seen(id);
                }
                Step::Host { id, pc } => self.call(id).map_err(|kind| fault(pc, layer, kind))?,
                Step::Control(_) | Step::Fence | Step::Halt => {}
            }
        }
        Ok(())
    }

    /// Shows a layer's tensors, which are complete, to the observer.
    fn seen(&mut self, layer: u32) {
        self.observer.layer_end(layer, self.memory);
        (self.replace)(layer, self.memory);
    }

    fn execute(&mut self, op: &QueueOp, cost: &Cost) -> Result<(), FaultKind> {
        self.wraps += self.engine.execute(op, self.memory)?;
        self.at = self.clock.issue(op, cost);
        self.observer.op(op, self.memory);
        Ok(())
    }

    /// Calls a host layer.
    fn call(&mut self, id: u32) -> Result<(), FaultKind> {
        let program = &self.decoded.program;
        let (Some(entry), Some(model)) =
            (program.meta.hosts.get(id as usize), program.host_models.get(id as usize))
        else {
            return Err(FaultKind::UnknownHost { id, count: program.meta.hosts.len() });
        };
        let failed = |reason: String| FaultKind::HostFailed { reason };
        for t in &entry.inputs {
            let len = host_bytes(t).unwrap_or(0) as usize;
            if let Some(address) = self.engine.undefined(Space::Dram, t.address as i64, len) {
                return Err(FaultKind::UndefinedRead { space: Space::Dram, address });
            }
        }
        let inputs: Vec<HostValue> = entry
            .inputs
            .iter()
            .map(|t| {
                let len = host_bytes(t).unwrap_or(0) as usize;
                let bytes = self.memory.read(Space::Dram, t.address as i64, len).to_vec();
                HostValue { name: t.name.clone(), dtype: t.dtype, shape: t.shape.clone(), bytes }
            })
            .collect();
        let outputs = self.host.call(entry, model, &inputs).map_err(failed)?;
        for t in &entry.outputs {
            let value = outputs.iter().find(|v| v.name == t.name);
            let value = value.ok_or_else(|| failed(format!("it gave no output \"{}\"", t.name)))?;
            let len = host_bytes(t).unwrap_or(0) as usize;
            if value.dtype != t.dtype || value.bytes.len() != len {
                return Err(failed(format!(
                    "output \"{}\" is {} of {} bytes instead of {} of {len}",
                    t.name,
                    value.dtype,
                    value.bytes.len(),
                    t.dtype
                )));
            }
            self.memory.write(Space::Dram, t.address as i64, len).copy_from_slice(&value.bytes);
            self.engine.defined(Space::Dram, t.address as i64, len);
        }
        Ok(())
    }
}

impl<O: Observer + ?Sized> Sink for Execution<'_, O> {
    fn retires(&self) -> bool {
        self.observer.sees() == Sees::Everything
    }

    fn retire(&mut self, pc: u32, written: Option<Written>) {
        self.observer.retire(pc, self.at, written);
    }

    fn control(&mut self, executed: Executed) {
        self.at = self.clock.now();
        self.clock.control(executed);
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        // The load has checked the same stream.
        self.checks.as_mut().map_or(Ok(()), |checks| checks.check(op).map(drop))?;
        self.execute(op, &Cost::of(&op.kind, &self.decoded.machine))
    }

    fn layer_begin(&mut self, layer: u32) {
        self.at = self.clock.now();
        self.clock.layer_begin(layer);
        self.observer.layer_begin(layer);
    }

    fn layer_end(&mut self, layer: u32) -> Result<(), FaultKind> {
        self.at = self.clock.now();
        self.clock.layer_end();
        if self.checks.is_some() {
            let engine = &*self.engine;
            complete(&self.decoded.program, layer, |space, start, len| {
                engine.undefined(space, start, len as usize)
            })?;
        }
        self.seen(layer);
        Ok(())
    }

    fn fence(&mut self) {
        self.clock.fence();
        self.at = self.clock.now() - 1;
    }

    fn host(&mut self, id: u32, _: u32) -> Result<(), FaultKind> {
        self.fence();
        self.call(id)
    }

    fn halt(&mut self) {
        self.clock.halt();
        self.at = self.clock.now() - 1;
    }
}
