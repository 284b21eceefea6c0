//! Sessions.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::execution::{Execution, Way};
use super::host::HostRuntime;
use crate::isa::Space;
use crate::kernels::cpu::Level;
use crate::program::{PlaceMemory, Role, TensorEntry};
use crate::sim::clock::ClockReport;
use crate::sim::engine::fast::Fast;
use crate::sim::engine::reference::Reference;
use crate::sim::engine::{Engine, EngineKind, Probe, Probed};
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::load::{Checks, Decoded, Loaded};
use crate::sim::memory::Memory;
use crate::sim::observer::{Observer, Sees};
use crate::sim::parallel::pool::Pool;
use crate::sim::place::cover;
use crate::sim::plan::record::Replay;

/// The results of a run beside its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSummary {
    /// Accumulations that wrapped: pairs of an instruction and an element of its result.
    pub wraps: u64,
    /// Instructions retired.
    pub instructions: u64,
    /// The clock of this run.
    pub clock: ClockReport,
}

/// Why a run failed.
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

/// The least work of a part of an instruction, in multiply-accumulates of a convolution. What one worker
/// writes and another one reads moves between caches, which costs more than waiting: so small parts pay.
pub const GRAIN: u64 = 50_000;

/// A program with fewer multiply-accumulates takes less time than waking a second thread and waiting for it.
const WORTH_CUTTING: u64 = 50_000_000;

/// The number of threads, at most `threads`, that speed up one run of a program.
#[must_use]
pub fn worthwhile(loaded: &Loaded, threads: usize) -> usize {
    let macs: u64 = loaded.program().meta.layers.iter().map(|l| l.macs).sum();
    if macs < WORTH_CUTTING { threads.min(1) } else { threads }
}

/// Memories and an engine for one program; runs any number of inputs, one after the other. It shares
/// ownership of the program, and may be sent to another thread.
pub struct Session {
    decoded: Arc<Decoded>,
    /// The loaded program; `None`: every operation is checked when it is executed.
    loaded: Option<Loaded>,
    memory: Memory,
    engine: Box<dyn Engine + Send>,
    /// Workers, if there is more than one thread.
    pool: Option<Pool>,
    /// Whether the last run has [elided](crate::sim::plan::Plan::left) loads that must be executed before
    /// memory is inspected.
    left: bool,
}

impl Session {
    /// One thread with an engine of the given kind.
    #[must_use]
    pub fn new(loaded: &Loaded, engine: EngineKind) -> Session {
        Session::with_engine(loaded, engine.make(loaded.decoded()))
    }

    /// One thread with the given engine.
    #[must_use]
    pub fn with_engine(loaded: &Loaded, engine: Box<dyn Engine + Send>) -> Session {
        Session::for_one_thread(Arc::clone(&loaded.decoded), Some(loaded.clone()), engine)
    }

    /// A session for a program that has not been loaded, with the reference engine: each operation is checked
    /// before it is executed, and so is that what it reads has been written. This finds what a load finds,
    /// except races.
    #[must_use]
    pub fn of_decoded(decoded: impl Into<Arc<Decoded>>) -> Session {
        let decoded = decoded.into();
        let engine = Box::new(Reference::of(&decoded));
        Session::for_one_thread(decoded, None, engine)
    }

    /// A session with a choice of threads and kernels.
    #[must_use]
    pub fn builder(loaded: &Loaded) -> Builder {
        let (kind, level) = (EngineKind::Fast, Level::detect());
        Builder { loaded: loaded.clone(), kind, level, threads: 1, grain: GRAIN, probe: None }
    }

    fn for_one_thread(
        decoded: Arc<Decoded>,
        loaded: Option<Loaded>,
        engine: Box<dyn Engine + Send>,
    ) -> Session {
        let memory = Memory::new(decoded.program.constants.clone(), &decoded.sizes);
        Session { decoded, loaded, memory, engine, pool: None, left: false }
    }

    /// Runs the program once. `inputs` are the bytes of every input tensor, by name, row-major, little
    /// endian.
    ///
    /// # Errors
    /// A missing or wrong input, or a fault.
    pub fn run<O: Observer + ?Sized>(
        &mut self,
        inputs: &[(&str, &[u8])],
        host: &mut dyn HostRuntime,
        observer: &mut O,
    ) -> Result<RunSummary, RunError> {
        let watched = observer.sees() > Sees::Nothing;
        self.run_watched(inputs, host, observer, &mut |_, _| {}, watched)
    }

    /// As [`run`](Self::run), for experiments: `replace(layer, memory)` is called when a layer has ended and
    /// the observer has seen its tensors. It may [write](Memory::scatter) other values to them, which later
    /// layers then read.
    ///
    /// # Errors
    /// A missing or wrong input, or a fault.
    pub fn run_replacing<O: Observer + ?Sized>(
        &mut self,
        inputs: &[(&str, &[u8])],
        host: &mut dyn HostRuntime,
        observer: &mut O,
        replace: &mut dyn FnMut(u32, &mut Memory),
    ) -> Result<RunSummary, RunError> {
        self.run_watched(inputs, host, observer, replace, true)
    }

    /// `watched`: memory is inspected at the ends of layers.
    fn run_watched<O: Observer + ?Sized>(
        &mut self,
        inputs: &[(&str, &[u8])],
        host: &mut dyn HostRuntime,
        observer: &mut O,
        replace: &mut dyn FnMut(u32, &mut Memory),
        watched: bool,
    ) -> Result<RunSummary, RunError> {
        self.engine.reset();
        let workers = self.pool.as_mut().filter(|_| observer.sees() < Sees::Operations);
        // Workers take a while to wake up, so they are woken before inputs are copied.
        if let Some(pool) = workers {
            pool.begin(&self.memory, watched);
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.place(inputs).and_then(|()| self.execute(host, observer, replace, watched))
        }));
        let wraps = self.pool.as_mut().map_or(0, Pool::end);
        let result = result.unwrap_or_else(|panic| {
            // An engine, a host layer or an observer panicked. A caller that catches the panic may use the
            // session again: workers have ended, and elided loads are not executed for an incomplete run.
            self.left = false;
            resume_unwind(panic)
        });
        result.map(|summary| RunSummary { wraps: summary.wraps + wraps, ..summary })
    }

    /// Writes the inputs to memory.
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

    /// Executes the program on the inputs in memory.
    fn execute<O: Observer + ?Sized>(
        &mut self,
        host: &mut dyn HostRuntime,
        observer: &mut O,
        replace: &mut dyn FnMut(u32, &mut Memory),
        watched: bool,
    ) -> Result<RunSummary, RunError> {
        self.left = false;
        let decoded = &*self.decoded;
        let sees = observer.sees();
        let checks = self.loaded.is_none().then(|| Checks::new(decoded));
        let (memory, engine) = (&mut self.memory, &mut *self.engine);
        let mut execution = Execution::new((decoded, checks), (memory, engine), host, observer, replace);
        if sees < Sees::Everything
            && let Some(plan) = self.loaded.as_ref().and_then(|l| l.plan.as_deref())
        {
            let workers = self.pool.as_mut().filter(|_| sees < Sees::Operations);
            let way = match workers {
                Some(pool) => Way::Threads(pool),
                None if sees < Sees::Operations && execution.optimizes() => Way::Optimized(&plan.optimized),
                None => Way::AsWritten,
            };
            self.left = !matches!(way, Way::AsWritten);
            let mut time = Replay::new(&plan.as_written);
            execution.follow(&plan.as_written, way, &mut time, watched)?;
            time.go(&mut execution.clock, usize::MAX);
            let (wraps, clock) = execution.ended();
            return Ok(RunSummary { wraps, instructions: plan.as_written.instructions, clock });
        }
        let instructions = decoded.core().run(&mut execution)?;
        let (wraps, clock) = execution.ended();
        Ok(RunSummary { wraps, instructions, clock })
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

    /// The memories, as the last run left them. Accumulators are only complete if they [were
    /// kept](Loaded::keep_accumulators).
    #[must_use]
    pub fn memory(&mut self) -> &Memory {
        if std::mem::take(&mut self.left) {
            for op in self.loaded.iter().filter_map(|l| l.plan.as_deref()).flat_map(|plan| &plan.left) {
                // These loads cannot fault: their addresses were checked.
                let _: Result<u64, FaultKind> = self.engine.execute(op, &mut self.memory);
            }
        }
        &self.memory
    }
}

/// Most threads of one session: more find no work.
pub const MOST_THREADS: usize = 256;

/// How a [`Session`] executes: by default with the fast engine on one thread and the best kernels of this
/// CPU. Results and cycles do not depend on these choices.
pub struct Builder {
    loaded: Loaded,
    kind: EngineKind,
    level: Level,
    threads: usize,
    grain: u64,
    probe: Option<Box<dyn Fn() -> Box<dyn Probe> + Send>>,
}

impl Builder {
    /// The engine. The reference engine uses one thread and no kernels.
    #[must_use]
    pub fn engine(mut self, kind: EngineKind) -> Builder {
        self.kind = kind;
        self
    }

    /// The kernel level of the fast engine.
    #[must_use]
    pub fn kernels(mut self, level: Level) -> Builder {
        self.level = level;
        self
    }

    /// Number of threads that share a run; 0 counts as 1, and more than [`MOST_THREADS`] as that. Tiles of
    /// whole images are distributed by rows; other instructions of at least twice the [grain](Builder::grain)
    /// are cut into parts. A part waits for those of others that touch its bytes. An observer that sees
    /// operations, and a program of more than 65,536 queue instructions, use one thread.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Builder {
        self.threads = threads.min(MOST_THREADS);
        self
    }

    /// The least work of a part of an instruction, in multiply-accumulates of a convolution; [`GRAIN`] by
    /// default.
    #[must_use]
    pub fn grain(mut self, work: u64) -> Builder {
        self.grain = work;
        self
    }

    /// A probe that is called for each piece of work of the fast engine; `probe` makes one for each thread.
    #[must_use]
    pub fn probe(mut self, probe: impl Fn() -> Box<dyn Probe> + Send + 'static) -> Builder {
        self.probe = Some(Box::new(probe));
        self
    }

    /// The session.
    #[must_use]
    pub fn build(self) -> Session {
        let loaded = &self.loaded;
        if self.kind == EngineKind::Reference {
            return Session::new(loaded, self.kind);
        }
        let engine = || -> Box<dyn Engine + Send> {
            let fast = Fast::at(self.level);
            match &self.probe {
                Some(probe) => Box::new(Probed::new(fast, probe())),
                None => Box::new(fast),
            }
        };
        let mut session = Session::with_engine(loaded, engine());
        if let Some(plan) = loaded.plan.as_ref().filter(|_| self.threads > 1) {
            session.pool = Pool::new(plan, &session.memory, self.threads, self.grain, &engine);
        }
        session
    }
}
