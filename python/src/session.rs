//! Sessions.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use rcar_iss::Tensor;
use rcar_iss::data::Outputs;
use rcar_iss::error::Run as RunError;
use rcar_iss::options::{Engine, Kernels};

use crate::arrays;
use crate::errors::{raised, usage};

/// Runs a program any number of times. Calls from several threads are serialized; several sessions run in
/// parallel.
#[pyclass(frozen, module = "rcar_iss")]
pub(crate) struct Session(Mutex<rcar_iss::Session>);

impl Session {
    pub(crate) fn of(
        loaded: &rcar_iss::Loaded,
        threads: usize,
        engine: &str,
        kernels: Option<&str>,
    ) -> PyResult<Session> {
        let engine = match engine {
            "fast" => Engine::Fast,
            "reference" => Engine::Reference,
            other => {
                return Err(usage(format!("engine={other:?}: there are \"fast\" and \"reference\"")));
            }
        };
        let mut builder = loaded.session_builder().engine(engine).threads(threads);
        if let Some(name) = kernels {
            let available = Kernels::available();
            let Some(level) = available.iter().find(|level| level.name() == name) else {
                let known: Vec<&str> = available.iter().map(|level| level.name()).collect();
                let text = format!("kernels={name:?}: this CPU has {}", known.join(", "));
                return Err(usage(text));
            };
            builder = builder.kernels(*level);
        }
        Ok(Session(Mutex::new(builder.build())))
    }

    fn execute(&self, given: &[(String, Tensor)], names: Option<&[String]>) -> Result<Outputs, RunError> {
        let given: Vec<(&str, &Tensor)> =
            given.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        // A session can be used again after a panic.
        let mut session = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match names {
            None => session.run(&given),
            Some(names) => session.run_for(&names.iter().map(String::as_str).collect::<Vec<_>>(), &given),
        }
    }
}

#[pymethods]
impl Session {
    /// Runs the program on arrays by name, and returns its outputs by name; with `layers`, the tensors of
    /// these names instead.
    #[pyo3(signature = (inputs, layers = None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyMapping>,
        layers: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let given = arrays::tensors(inputs)?;
        let outputs = py.detach(|| self.execute(&given, layers.as_deref())).map_err(raised)?;
        let result = PyDict::new(py);
        for (name, tensor) in outputs.iter() {
            result.set_item(name, arrays::array(py, tensor)?)?;
        }
        Ok(result)
    }
}
