//! Running a program.

use std::collections::BTreeMap;

use super::{Loaded, Outputs};
use crate::explain::{Failure, ILLEGAL, INPUT};
use crate::host::FloatHost;
use crate::kernels::cpu::Level;
use crate::program::{Role, TensorEntry};
use crate::sim::{self, EngineKind, Fault, Memory, Observer, Sees};
use crate::tensor_file::{Element, TensorData};

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// An input is missing.
    #[error("no value is given for input '{name}'")]
    Missing {
        /// The input.
        name: String,
    },
    /// A value is given for a name that is not an input.
    #[error("the network has no input '{name}'; it has {}", listed(known))]
    NoSuchInput {
        /// What was given.
        name: String,
        /// The inputs.
        known: Vec<String>,
    },
    /// A tensor is requested that the program does not have.
    #[error("the program has no tensor '{name}'")]
    NoSuchTensor {
        /// What was asked for.
        name: String,
        /// The tensors.
        known: Vec<String>,
    },
    /// An input has another type or shape.
    #[error("input '{name}' takes {} {shape:?}, {} {found:?} is given", element.numpy_name(), given.numpy_name())]
    Type {
        /// The input.
        name: String,
        /// Its type.
        element: Element,
        /// Its shape.
        shape: Vec<usize>,
        /// The type of what was given.
        given: Element,
        /// The shape of what was given.
        found: Vec<usize>,
    },
    /// An input has more or fewer bytes than its shape needs.
    #[error("input '{name}' has {bytes} bytes, which do not fill {} {shape:?}", element.numpy_name())]
    Length {
        /// The input.
        name: String,
        /// Bytes given.
        bytes: usize,
        /// Its type.
        element: Element,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A host layer failed, or read undefined bytes.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn listed(names: &[String]) -> String {
    names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
}

/// Memories, an engine and host libraries for one program; runs any number of inputs, one after the other.
/// May be sent to another thread; sessions of one program can run in parallel.
pub struct Session {
    loaded: sim::Loaded,
    session: sim::Session,
    host: FloatHost,
}

/// Options of a [`Session`]. Values and cycles do not depend on them.
pub struct SessionBuilder {
    loaded: sim::Loaded,
    builder: sim::Builder,
}

impl Loaded {
    /// A session with the fast engine on one thread.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::builder(self).build()
    }

    /// A session with a choice of threads, kernels or engine.
    #[must_use]
    pub fn session_builder(&self) -> SessionBuilder {
        Session::builder(self)
    }
}

impl SessionBuilder {
    /// The engine; the fast one by default. The reference engine is plain loops on one thread.
    #[must_use]
    pub fn engine(mut self, kind: EngineKind) -> SessionBuilder {
        self.builder = self.builder.engine(kind);
        self
    }

    /// The kernel level of the fast engine; by default the best of this CPU.
    #[must_use]
    pub fn kernels(mut self, level: Level) -> SessionBuilder {
        self.builder = self.builder.kernels(level);
        self
    }

    /// Threads that share a run; one by default. A program too small to gain from more uses one.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> SessionBuilder {
        let threads = sim::worthwhile(&self.loaded, threads);
        self.builder = self.builder.threads(threads);
        self
    }

    /// The session.
    #[must_use]
    pub fn build(self) -> Session {
        Session { loaded: self.loaded, session: self.builder.build(), host: FloatHost::new() }
    }
}

impl Session {
    /// A builder of a session.
    #[must_use]
    pub fn builder(loaded: &Loaded) -> SessionBuilder {
        SessionBuilder { loaded: loaded.0.clone(), builder: sim::Session::builder(&loaded.0) }
    }

    /// Runs the program once, and returns its outputs.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run(&mut self, inputs: &[(&str, &TensorData)]) -> Result<Outputs, RunError> {
        self.run_observed(inputs, &mut ())
    }

    /// As [`run`](Self::run), with an observer.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run_observed<O: Observer + ?Sized>(
        &mut self,
        inputs: &[(&str, &TensorData)],
        observer: &mut O,
    ) -> Result<Outputs, RunError> {
        let wraps = self.execute(inputs, observer)?;
        let loaded = self.loaded.clone();
        let outputs = loaded.program().meta.tensors.iter().filter(|t| t.role == Role::Output);
        let tensors = outputs.map(|t| (t.name.clone(), tensor(t, self.session.tensor(t)))).collect();
        Ok(Outputs { tensors, wraps })
    }

    /// As [`run`](Self::run), but returns the named tensors, each as it was at the end of its layer: outputs,
    /// or [any](Loaded::tensors) between them.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run_for(&mut self, names: &[&str], inputs: &[(&str, &TensorData)]) -> Result<Outputs, RunError> {
        let loaded = self.loaded.clone();
        let tensors = &loaded.program().meta.tensors;
        for name in names {
            if tensors.iter().all(|t| t.name != *name) {
                let known = tensors.iter().map(|t| t.name.clone()).collect();
                return Err(RunError::NoSuchTensor { name: (*name).into(), known });
            }
        }
        let wanted = tensors.iter().filter(|t| names.contains(&t.name.as_str())).collect();
        let mut keeper = Keeper { wanted, kept: BTreeMap::new() };
        let wraps = self.execute(inputs, &mut keeper)?;
        let value = |name: &&str| {
            let kept = keeper.kept.get(*name).cloned();
            let given = || inputs.iter().find(|(n, _)| n == name).map(|(_, value)| (*value).clone());
            Some(((*name).to_string(), kept.or_else(given)?))
        };
        Ok(Outputs { tensors: names.iter().filter_map(value).collect(), wraps })
    }

    /// Returns the number of accumulations that wrapped.
    fn execute<O: Observer + ?Sized>(
        &mut self,
        inputs: &[(&str, &TensorData)],
        observer: &mut O,
    ) -> Result<u64, RunError> {
        let tensors = &self.loaded.program().meta.tensors;
        let ports = || tensors.iter().filter(|t| t.role == Role::Input);
        if let Some((name, _)) = inputs.iter().find(|(name, _)| ports().all(|t| t.name != *name)) {
            let known = ports().map(|t| t.name.clone()).collect();
            return Err(RunError::NoSuchInput { name: (*name).into(), known });
        }
        let mut values = Vec::new();
        for port in ports() {
            let given = inputs.iter().find(|(name, _)| *name == port.name).map(|(_, value)| *value);
            let given = given.ok_or_else(|| RunError::Missing { name: port.name.clone() })?;
            let (element, shape) = (Element::from(port.dtype), extents(port));
            if given.element != element || given.shape != shape {
                let (given, found) = (given.element, given.shape.clone());
                return Err(RunError::Type { name: port.name.clone(), element, shape, given, found });
            }
            let bytes = given.bytes.len();
            if bytes != shape.iter().product::<usize>() * element.bytes() {
                return Err(RunError::Length { name: port.name.clone(), bytes, element, shape });
            }
            values.push((port.name.as_str(), given.bytes.as_slice()));
        }
        let run = self.session.run(&values, &mut self.host, observer);
        run.map(|summary| summary.wraps).map_err(|e| match e {
            sim::RunError::Fault(fault) => RunError::Fault(fault),
            // Names and sizes were checked above.
            sim::RunError::Input { name, .. } => RunError::Missing { name },
        })
    }
}

fn extents(port: &TensorEntry) -> Vec<usize> {
    port.shape.iter().map(|n| *n as usize).collect()
}

fn tensor(entry: &TensorEntry, bytes: Vec<u8>) -> TensorData {
    TensorData { element: entry.dtype.into(), shape: extents(entry), bytes }
}

/// Keeps tensors at the ends of their layers.
struct Keeper<'a> {
    wanted: Vec<&'a TensorEntry>,
    kept: BTreeMap<&'a str, TensorData>,
}

impl Observer for Keeper<'_> {
    fn sees(&self) -> Sees {
        Sees::Layers
    }

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        for entry in self.wanted.iter().filter(|t| t.layer == Some(layer)) {
            self.kept.insert(&entry.name, tensor(entry, memory.gather(entry)));
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match &error {
            RunError::Fault(fault) => Failure::new(ILLEGAL, "the program").why(fault).fault(fault.clone()),
            RunError::NoSuchTensor { name, known } | RunError::NoSuchInput { name, known } => {
                Failure::usage(error.to_string()).nearest(name, known.iter().map(String::as_str))
            }
            RunError::Missing { .. } => Failure::usage(error.to_string()),
            RunError::Type { .. } | RunError::Length { .. } => Failure::new(INPUT, error.to_string()),
        }
    }
}
