//! A program on many inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dump::{DumpError, DumpStack, DumpWriter, Selection};
use crate::host::FloatHost;
use crate::inputs::{InputError, Samples, bytes_of};
use crate::kernels::cpu::Level;
use crate::program::{Meta, TensorEntry};
use crate::sim::{self, EngineKind, Loaded, Memory, Observer, RunError, RunSummary, Sees, Session};
use crate::trace::{TraceError, TraceWriter};

/// Why a batch failed.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An input cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A dump cannot be written.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The trace cannot be written.
    #[error("'{}': {source}", path.display())]
    Trace {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: TraceError,
    },
    /// A trace was asked for more than one input.
    #[error("a trace needs one input, there are {0}")]
    Traces(usize),
}

/// Layer dumps.
#[derive(Debug, Clone)]
pub struct Dumps {
    /// The folder of the dump; with several inputs it contains a folder for each.
    pub folder: PathBuf,
    /// The tensors to dump.
    pub selection: Selection,
    /// Whether to write real values too.
    pub dequantize: bool,
}

/// One finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Instructions, wraps, clock.
    pub summary: RunSummary,
    /// Bytes of every output, in the order of the tensor table.
    pub outputs: Vec<Vec<u8>>,
}

/// Runs of a program on a number of inputs.
pub struct Batch<'a> {
    loaded: &'a Loaded,
    inputs: &'a dyn Samples,
    engine: EngineKind,
    level: Level,
    threads: Option<usize>,
    dumps: Option<Dumps>,
    trace: Option<PathBuf>,
    layer_done: &'a (dyn Fn() + Sync),
}

impl<'a> Batch<'a> {
    /// Runs with the fast engine, on all threads of this computer.
    #[must_use]
    pub fn new(loaded: &'a Loaded, inputs: &'a dyn Samples) -> Batch<'a> {
        Batch {
            loaded,
            inputs,
            engine: EngineKind::Fast,
            level: Level::detect(),
            threads: None,
            dumps: None,
            trace: None,
            layer_done: &|| {},
        }
    }

    /// Sets the engine; `level` is the kernel level of the fast one.
    #[must_use]
    pub fn engine(self, engine: EngineKind, level: Level) -> Batch<'a> {
        Batch { engine, level, ..self }
    }

    /// Sets the number of threads: inputs are distributed over them; if there are fewer inputs than threads,
    /// each run uses several threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Batch<'a> {
        Batch { threads: Some(threads), ..self }
    }

    /// Dumps layers.
    #[must_use]
    pub fn dumping(self, dumps: Dumps) -> Batch<'a> {
        Batch { dumps: Some(dumps), ..self }
    }

    /// Writes a trace, which only one input may have.
    #[must_use]
    pub fn tracing(self, file: &Path) -> Batch<'a> {
        Batch { trace: Some(file.into()), ..self }
    }

    /// Calls `f` whenever a layer of a run has ended.
    #[must_use]
    pub fn layer_done(self, f: &'a (dyn Fn() + Sync)) -> Batch<'a> {
        Batch { layer_done: f, ..self }
    }

    /// Runs all inputs; the runs are in the order of the inputs, whatever the number of threads.
    ///
    /// # Errors
    /// The error of the first input that fails; later inputs are then not begun.
    pub fn run(&self) -> Result<Vec<Run>, BatchError> {
        let count = self.inputs.count();
        if self.trace.is_some() && count > 1 {
            return Err(BatchError::Traces(count));
        }
        let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let all = self.threads.unwrap_or(available);
        let threads = all.min(count);
        // Whole inputs first, since they need no synchronization. Preparing a run on several threads takes
        // longer than a run.
        let each = if self.threads.is_some() { (all / threads.max(1)).max(1) } else { 1 };
        let each = sim::worthwhile(self.loaded, each);
        let stack = match &self.dumps {
            Some(dumps) if count > 1 => Some(DumpStack::create(&dumps.folder)?),
            _ => None,
        };
        let next = AtomicUsize::new(0);
        let results: Mutex<BTreeMap<usize, Result<Run, BatchError>>> = Mutex::default();
        let worker = || {
            let session = Session::builder(self.loaded).engine(self.engine).kernels(self.level);
            let mut session = session.threads(each).build();
            let mut host = FloatHost::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return;
                }
                let result = self.one(&mut session, &mut host, at, stack.as_ref());
                let failed = result.is_err();
                // A poisoned lock means that another worker panicked; that panic is propagated to the caller.
                if let Ok(mut results) = results.lock() {
                    results.insert(at, result);
                }
                if failed {
                    next.store(count, Ordering::Relaxed);
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(worker);
            }
            worker();
        });
        let runs = results.into_inner().unwrap_or_default().into_values().collect::<Result<Vec<_>, _>>()?;
        if let Some(stack) = stack {
            stack.finish()?;
        }
        Ok(runs)
    }

    fn one(
        &self,
        session: &mut Session,
        host: &mut FloatHost,
        at: usize,
        stack: Option<&DumpStack>,
    ) -> Result<Run, BatchError> {
        let meta = &self.loaded.program().meta;
        let sample = self.inputs.read(at)?;
        let values = bytes_of(&sample);
        let mut watch = Watch { meta, dump: None, failed: None, layer_done: self.layer_done };
        if let Some(Dumps { folder, selection, dequantize }) = &self.dumps {
            let mut dump = match stack {
                Some(stack) => stack.dump(&format!("{at:06}"), meta, selection, *dequantize)?,
                None => DumpWriter::create(folder, meta, selection, *dequantize)?,
            };
            dump.name_input(&self.inputs.name(at));
            for tensor in meta.inputs() {
                if let Some((_, bytes)) = values.iter().find(|(name, _)| *name == tensor.name) {
                    dump.tensor(tensor, bytes)?;
                }
            }
            watch.dump = Some(dump);
        }
        let traced = |path: &Path, source| BatchError::Trace { path: path.into(), source };
        let mut tracer = match &self.trace {
            Some(path) => Some((TraceWriter::create(path, self.loaded).map_err(|e| traced(path, e))?, path)),
            None => None,
        };
        let summary = match &mut tracer {
            Some((tracer, _)) => session.run(&values, host, &mut (&mut watch, tracer))?,
            None => session.run(&values, host, &mut watch)?,
        };
        if let Some(failed) = watch.failed {
            return Err(failed.into());
        }
        if let Some(dump) = watch.dump {
            dump.finish()?;
        }
        if let Some((tracer, path)) = tracer {
            let (records, bytes) = tracer.finish().map_err(|e| traced(path, e))?;
            tracing::info!(records, bytes, "trace written");
        }
        Ok(Run { summary, outputs: meta.outputs().map(|t| session.tensor(t)).collect() })
    }
}

/// Dumps tensors at the end of their layer, and counts layers.
struct Watch<'a> {
    meta: &'a Meta,
    dump: Option<DumpWriter>,
    failed: Option<DumpError>,
    layer_done: &'a (dyn Fn() + Sync),
}

impl Observer for Watch<'_> {
    fn sees(&self) -> Sees {
        Sees::Layers
    }

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        (self.layer_done)();
        let Some(dump) = &mut self.dump else { return };
        let of_layer = |t: &&TensorEntry| t.layer == Some(layer);
        for tensor in self.meta.tensors.iter().filter(of_layer) {
            if self.failed.is_none()
                && dump.wants(&tensor.name)
                && let Err(e) = dump.tensor(tensor, &memory.gather(tensor))
            {
                self.failed = Some(e);
            }
        }
    }
}
