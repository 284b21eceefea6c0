//! Running a loaded program.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::clock::cost::Cost;
use super::clock::{ClockReport, EventClock};
use super::control::{self, Sink};
use super::engine::reference::Reference;
use super::engine::{Engine, EngineKind};
use super::fault::{Fault, FaultKind};
use super::load::{Checks, Decoded, Loaded, complete, host_bytes};
use super::memory::{Memory, cover};
use super::observer::{Observer, Sees};
use super::op::QueueOp;
use super::parallel::pool::Pool;
use super::plan::Unit;
use super::plan::record::{Record, Replay, Step};
use super::written::Written;
use crate::dtype::DType;
use crate::isa::Space;
use crate::program::{HostEntry, PlaceMemory, Role, TensorEntry};

/// A tensor given to or taken from a host layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostValue {
    /// ONNX name.
    pub name: String,
    /// Element type, as in the tensor table.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
    /// Row-major, little endian.
    pub bytes: Vec<u8>,
}

/// Executes host layers. Implementations live outside the simulator and are deterministic.
pub trait HostRuntime {
    /// Runs one host layer: the embedded ONNX model on its inputs.
    ///
    /// # Errors
    /// Why it could not be run, in one sentence.
    fn call(
        &mut self,
        host: &HostEntry,
        model: &[u8],
        inputs: &[HostValue],
    ) -> Result<Vec<HostValue>, String>;
}

/// Refuses host layers: for programs that have none.
impl HostRuntime for () {
    fn call(&mut self, host: &HostEntry, _: &[u8], _: &[HostValue]) -> Result<Vec<HostValue>, String> {
        Err(format!("no host runtime was given for {}", host.op_types.join(", ")))
    }
}

/// What a run gives back beside its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSummary {
    /// (instruction, output) pairs whose accumulation wrapped.
    pub wraps: u64,
    /// Instructions retired.
    pub instructions: u64,
    /// The clock of this run.
    pub clock: ClockReport,
}

/// Why a run does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// An input is missing or has the wrong size.
    #[error("input \"{name}\": {reason}")]
    Input {
        /// ONNX name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The program did something illegal.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The least work, in multiply-accumulates of a convolution, that is worth being a part of an instruction. Small parts pay:
/// what one worker has written and another one reads goes from cache to cache, which costs more than waiting.
pub const GRAIN: u64 = 50_000;

/// A program with fewer multiply-accumulates takes less time than calling a second thread and waiting for it.
const WORTH_CUTTING: u64 = 50_000_000;

/// Threads that gain something in one run of a program, `threads` at most.
#[must_use]
pub fn worthwhile(loaded: &Loaded, threads: usize) -> usize {
    let macs: u64 = loaded.program().meta.layers.iter().map(|l| l.macs).sum();
    if macs < WORTH_CUTTING { threads.min(1) } else { threads }
}

/// Memories and an engine for one program; runs any number of inputs, one after the other.
pub struct Session<'a> {
    decoded: &'a Decoded,
    /// What the load knows of it; none: every operation is checked when it is executed.
    loaded: Option<&'a Loaded>,
    memory: Memory,
    engine: Box<dyn Engine + Send>,
    /// Workers, if there is more than one thread.
    pool: Option<Pool>,
    /// The last run has [left](super::plan::Plan::left) loads to be executed.
    left: bool,
}

impl<'a> Session<'a> {
    /// Allocates the memories.
    #[must_use]
    pub fn new(loaded: &'a Loaded, engine: EngineKind) -> Session<'a> {
        Session::with_engine(loaded, engine.make(loaded.decoded()))
    }

    /// The same with an engine of one's own.
    #[must_use]
    pub fn with_engine(loaded: &'a Loaded, engine: Box<dyn Engine + Send>) -> Session<'a> {
        Session::for_one_thread(loaded.decoded(), Some(loaded), engine)
    }

    /// A program that nobody has checked, with the reference engine, which then finds what a load would find, but for
    /// races: each operation is checked before it is executed, and what it reads must have been written.
    #[must_use]
    pub fn of_decoded(decoded: &'a Decoded) -> Session<'a> {
        Session::for_one_thread(decoded, None, Box::new(Reference::of(decoded)))
    }

    fn for_one_thread(
        decoded: &'a Decoded,
        loaded: Option<&'a Loaded>,
        engine: Box<dyn Engine + Send>,
    ) -> Session<'a> {
        let memory = Memory::new(decoded.program.constants.clone(), &decoded.sizes);
        Session { decoded, loaded, memory, engine, pool: None, left: false }
    }

    /// The same on several threads, each with an engine that `engine` makes; those must keep no account of written bytes.
    /// Tiles of whole images go to the threads by rows; other instructions of at least twice `grain` work (as [`GRAIN`])
    /// are cut into parts. A part waits for those of others that touch its bytes. Bytes and cycles are the same for any number
    /// of threads. An observer that sees operations, and a program of more than 65,536 queue instructions, get
    /// one thread.
    #[must_use]
    pub fn with_threads(
        loaded: &'a Loaded,
        threads: usize,
        grain: u64,
        engine: &dyn Fn() -> Box<dyn Engine + Send>,
    ) -> Session<'a> {
        let mut session = Session::with_engine(loaded, engine());
        if let Some(plan) = loaded.plan.as_ref().filter(|_| threads > 1) {
            session.pool = Pool::new(plan, &session.memory, threads, grain, engine);
        }
        session
    }

    /// Runs the program once. `inputs` are the bytes of every input tensor, by name, row-major.
    ///
    /// # Errors
    /// A missing or wrong input, or a fault.
    pub fn run<O: Observer>(
        &mut self,
        inputs: &[(&str, &[u8])],
        host: &mut dyn HostRuntime,
        observer: &mut O,
    ) -> Result<RunSummary, RunError> {
        self.run_watched(inputs, host, observer, &mut |_, _| {}, O::SEES > Sees::Nothing)
    }

    /// The same for experiments: `replace(layer, memory)` is called when a layer has ended and the observer has seen its
    /// tensors. It may [scatter](Memory::scatter) other values into them, which later layers then read.
    ///
    /// # Errors
    /// A missing or wrong input, or a fault.
    pub fn run_replacing<O: Observer>(
        &mut self,
        inputs: &[(&str, &[u8])],
        host: &mut dyn HostRuntime,
        observer: &mut O,
        replace: &mut dyn FnMut(u32, &mut Memory),
    ) -> Result<RunSummary, RunError> {
        self.run_watched(inputs, host, observer, replace, true)
    }

    /// `watched`: somebody looks at memory when a layer ends.
    fn run_watched<O: Observer>(
        &mut self,
        inputs: &[(&str, &[u8])],
        host: &mut dyn HostRuntime,
        observer: &mut O,
        replace: &mut dyn FnMut(u32, &mut Memory),
        watched: bool,
    ) -> Result<RunSummary, RunError> {
        self.engine.reset();
        let workers = self.pool.as_mut().filter(|_| O::SEES < Sees::Operations);
        // Workers take a while to wake up: they are called before inputs are copied.
        if let Some(pool) = workers {
            pool.begin(&self.memory, watched);
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.place(inputs).and_then(|()| self.execute(host, observer, replace, watched))
        }));
        let wraps = self.pool.as_mut().map_or(0, Pool::end);
        let result = result.unwrap_or_else(|panic| {
            // An engine, a host or an observer gave up. Whoever catches it may use the session again: workers have
            // ended, and loads that were left out are not made up for on half a run.
            self.left = false;
            resume_unwind(panic)
        });
        result.map(|summary| RunSummary { wraps: summary.wraps + wraps, ..summary })
    }

    /// Writes the inputs to their places.
    fn place(&mut self, inputs: &[(&str, &[u8])]) -> Result<(), RunError> {
        let meta = &self.decoded.program.meta;
        for tensor in meta.tensors.iter().filter(|t| t.role == Role::Input) {
            let given = inputs.iter().find(|(name, _)| *name == tensor.name).map(|(_, bytes)| *bytes);
            let wrong = |reason| RunError::Input { name: tensor.name.clone(), reason };
            let bytes = given.ok_or_else(|| wrong("it was not given".into()))?;
            let size = tensor.shape.iter().product::<u64>() as usize * tensor.dtype.bytes();
            if bytes.len() != size {
                return Err(wrong(format!("{} bytes instead of {size}", bytes.len())));
            }
            self.memory.scatter(tensor, bytes);
            let element = tensor.dtype.bytes();
            let engine = &mut self.engine;
            cover(tensor, &mut |start, run| engine.defined(Space::Dram, start, run * element));
        }
        Ok(())
    }

    /// Executes the program on the inputs that memory holds.
    fn execute<O: Observer>(
        &mut self,
        host: &mut dyn HostRuntime,
        observer: &mut O,
        replace: &mut dyn FnMut(u32, &mut Memory),
        watched: bool,
    ) -> Result<RunSummary, RunError> {
        self.left = false;
        let mut execution = Execution {
            decoded: self.decoded,
            checks: self.loaded.is_none().then(|| Checks::new(self.decoded)),
            memory: &mut self.memory,
            engine: &mut *self.engine,
            host,
            observer,
            replace,
            clock: self.decoded.new_clock(),
            at: 0,
            wraps: 0,
        };
        if O::SEES < Sees::Everything
            && let Some(plan) = self.loaded.and_then(|l| l.plan.as_deref())
        {
            let workers = self.pool.as_mut().filter(|_| O::SEES < Sees::Operations);
            let way = match workers {
                Some(pool) => Way::Threads(pool),
                None if O::SEES < Sees::Operations && execution.engine.optimizes() => {
                    Way::Optimized(&plan.optimized)
                }
                None => Way::AsWritten,
            };
            self.left = !matches!(way, Way::AsWritten);
            let mut time = Replay::new(&plan.as_written);
            execution.follow(&plan.as_written, way, &mut time, watched)?;
            time.go(&mut execution.clock, usize::MAX);
            let instructions = plan.as_written.instructions;
            return Ok(RunSummary { wraps: execution.wraps, instructions, clock: execution.clock.report() });
        }
        let instructions = self.decoded.core().run(&mut execution)?;
        Ok(RunSummary { wraps: execution.wraps, instructions, clock: execution.clock.report() })
    }

    /// The elements of a tensor, row-major, as memory holds them now.
    #[must_use]
    pub fn tensor(&mut self, tensor: &TensorEntry) -> Vec<u8> {
        let memory = match tensor.place.memory {
            PlaceMemory::Spm => self.memory(),
            PlaceMemory::Dram => &self.memory,
        };
        memory.gather(tensor)
    }

    /// The memories, as the last run left them; of the accumulators what [was kept](Loaded::keep_accumulators).
    #[must_use]
    pub fn memory(&mut self) -> &Memory {
        if std::mem::take(&mut self.left) {
            for op in self.loaded.and_then(|l| l.plan.as_deref()).iter().flat_map(|plan| &plan.left) {
                // Loads have no faults left: their addresses were checked.
                let _: Result<u64, FaultKind> = self.engine.execute(op, &mut self.memory);
            }
        }
        &self.memory
    }
}

/// Queue instructions that the clock follows at a time while the thread has nothing else to do.
const CLOCK_AT_ONCE: usize = 4;

/// Who executes a plan, and what of it.
enum Way<'p> {
    /// Instruction by instruction.
    AsWritten,
    /// The units that are left.
    Optimized(&'p [Unit]),
    /// Workers, who share the units among them.
    Threads(&'p mut Pool),
}

struct Execution<'a, O: Observer> {
    decoded: &'a Decoded,
    /// For a program that was not loaded.
    checks: Option<Checks<'a>>,
    memory: &'a mut Memory,
    engine: &'a mut dyn Engine,
    host: &'a mut dyn HostRuntime,
    observer: &'a mut O,
    replace: &'a mut dyn FnMut(u32, &mut Memory),
    clock: EventClock<'a>,
    /// The cycle of the present instruction.
    at: u64,
    wraps: u64,
}

impl<O: Observer> Execution<'_, O> {
    /// Computes the values of what the control pass recorded. The clock, which needs none, follows later, or, with
    /// several threads, whenever this one would have to wait. `watched`: somebody looks at memory when a layer ends.
    fn follow(
        &mut self,
        record: &Record,
        mut way: Way<'_>,
        time: &mut Replay<'_>,
        watched: bool,
    ) -> Result<(), Fault> {
        let decoded = self.decoded;
        let fault =
            |pc: u32, layer, kind| control::fault(&decoded.program, &decoded.code, pc as usize, layer, kind);
        let (mut issued, mut layer) = (0, None);
        for step in &record.steps {
            let meets = match step {
                Step::Host { .. } | Step::Halt => true,
                Step::LayerBegin(_) | Step::LayerEnd(_) => watched,
                Step::Control { .. } | Step::Issue(_) | Step::Fence => false,
            };
            if let Way::Threads(pool) = &mut way
                && meets
            {
                let clock = &mut self.clock;
                pool.run_to(issued, &mut || time.go(clock, CLOCK_AT_ONCE))
                    .map_err(|(pc, kind)| fault(pc, layer, kind))?;
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
                                if O::SEES >= Sees::Operations {
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
                Step::Control { .. } | Step::Fence | Step::Halt => {}
            }
        }
        Ok(())
    }

    /// Shows a layer's tensors, which lie complete.
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

impl<O: Observer> Sink for Execution<'_, O> {
    const RETIRES: bool = matches!(O::SEES, Sees::Everything);

    fn retire(&mut self, pc: u32, written: Option<Written>) {
        self.observer.retire(pc, self.at, written);
    }

    fn control(&mut self, plain: u64, loads: u64) {
        self.at = self.clock.now();
        self.clock.control(plain, loads);
    }

    fn issue(&mut self, op: &QueueOp) -> Result<(), FaultKind> {
        // What was checked at load is the same stream; checking it again would only cost time.
        self.checks.as_mut().map_or(Ok(()), |checks| checks.check(op))?;
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
