//! Measuring a quantized model on the machine: outputs and cycles.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::TuneError;
use crate::compiler::{self, CompileOptions};
use crate::dtype::DType;
use crate::host::FloatHost;
use crate::inputs::Sample;
use crate::machine::Machine;
use crate::onnx::proto::ModelProto;
use crate::onnx::{self, ImportOptions, LoadedModel};
use crate::program::{Program, Role};
use crate::quantize::Outputs;
use crate::sim::{EngineKind, Limits, Loaded, Session};

/// A compiled model, ready to run.
#[derive(Debug)]
pub struct Candidate {
    /// The program, loaded.
    pub loaded: Loaded,
    /// Number of layers that run on the host: they take no cycles, so models with different ones cannot be
    /// compared.
    pub hosts: usize,
}

impl Candidate {
    /// Compiles a QDQ model for a machine.
    ///
    /// # Errors
    /// The model cannot be imported or compiled.
    pub fn compile(
        model: &ModelProto,
        machine: &Machine,
        import: &ImportOptions,
        compile: &CompileOptions,
    ) -> Result<Candidate, TuneError> {
        let loaded = LoadedModel { model: model.clone(), data: Vec::new() };
        let graph = onnx::import(&loaded, import).map_err(|e| TuneError::Compile(e.to_string()))?.graph;
        let program = compiler::compile(&graph, machine, compile)
            .map_err(|e| TuneError::Compile(e.to_string()))?
            .program;
        let hosts = program.meta.hosts.len();
        let loaded = Loaded::new(Arc::new(program), machine, Limits::default())
            .map_err(|e| TuneError::Compile(e.to_string()))?;
        Ok(Candidate { loaded, hosts })
    }

    /// Cycles of one run; the same for every input.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.loaded.clock().total
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.loaded.program()
    }

    /// Runs all inputs, `threads` in parallel, and returns the float outputs of each.
    ///
    /// # Errors
    /// An input does not fit the program, or the program fails.
    pub fn run(&self, inputs: &[Sample], threads: usize) -> Result<Outputs, TuneError> {
        let next = AtomicUsize::new(0);
        let results: Mutex<BTreeMap<usize, Result<_, TuneError>>> = Mutex::default();
        let worker = || {
            let mut session = Session::new(&self.loaded, EngineKind::Fast);
            let mut host = FloatHost::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(input) = inputs.get(at) else { return };
                let result = self.one(&mut session, &mut host, input);
                // A poisoned lock means that another worker panicked; that panic is propagated to the caller.
                if let Ok(mut results) = results.lock() {
                    results.insert(at, result);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.clamp(1, inputs.len().max(1)) {
                scope.spawn(worker);
            }
            worker();
        });
        results.into_inner().unwrap_or_default().into_values().collect()
    }

    fn one(
        &self,
        session: &mut Session,
        host: &mut FloatHost,
        input: &Sample,
    ) -> Result<BTreeMap<String, Vec<f32>>, TuneError> {
        let given: Vec<(&str, &[u8])> = input.iter().map(|(n, t)| (n.as_str(), t.bytes.as_slice())).collect();
        session.run(&given, host, &mut ()).map_err(|e| TuneError::Run(e.to_string()))?;
        let outputs =
            self.program().meta.tensors.iter().filter(|t| t.role == Role::Output && t.dtype == DType::F32);
        Ok(outputs
            .map(|t| {
                let values =
                    session.tensor(t).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                (t.name.clone(), values)
            })
            .collect())
    }
}
