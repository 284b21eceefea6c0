//! Programs.

use std::path::PathBuf;

use pyo3::prelude::*;
use rcar_iss::options::Limits;

use crate::errors::raised;
use crate::machine::Wanted;
use crate::session::Session;

/// A compiled program that passed every check. Its cycles are known: they do not depend on inputs.
#[pyclass(frozen, module = "rcar_iss")]
pub(crate) struct Program {
    program: rcar_iss::Program,
    pub(crate) loaded: rcar_iss::Loaded,
}

/// An input, an output, or a tensor between layers.
#[pyclass(frozen, get_all, module = "rcar_iss")]
#[derive(Clone)]
pub(crate) struct Port {
    /// Its ONNX name.
    name: String,
    /// numpy's name for the type of its elements.
    dtype: &'static str,
    /// Its extents.
    shape: Vec<usize>,
    /// Scale of a quantized value: real = scale · (value − zero_point).
    scale: Option<f32>,
    /// Zero point of a quantized value.
    zero_point: Option<i32>,
}

#[pymethods]
impl Port {
    fn __repr__(&self) -> String {
        format!("Port({:?}, {}, {:?})", self.name, self.dtype, self.shape)
    }
}

impl From<rcar_iss::data::Port> for Port {
    fn from(p: rcar_iss::data::Port) -> Port {
        let dtype = p.element.numpy_name();
        Port { name: p.name, dtype, shape: p.shape, scale: p.scale, zero_point: p.zero_point }
    }
}

/// A layer of a program.
#[pyclass(frozen, get_all, module = "rcar_iss")]
#[derive(Clone)]
pub(crate) struct Layer {
    /// Its name.
    name: String,
    /// The kind of operator.
    kind: String,
    /// The ONNX nodes that it came from.
    onnx_nodes: Vec<String>,
    /// Whether it runs on the host, outside the clock.
    host: bool,
    /// Multiply-accumulates, without padding.
    macs: u64,
    /// Its share of the cycles.
    cycles: u64,
    /// The tensors that it computes.
    tensors: Vec<String>,
}

#[pymethods]
impl Layer {
    fn __repr__(&self) -> String {
        format!("Layer({:?}, {}, {} cycles)", self.name, self.kind, self.cycles)
    }
}

impl From<rcar_iss::data::Layer> for Layer {
    fn from(l: rcar_iss::data::Layer) -> Layer {
        let rcar_iss::data::Layer { name, kind, onnx_nodes, host, macs, cycles, tensors } = l;
        Layer { name, kind, onnx_nodes, host, macs, cycles, tensors }
    }
}

impl Program {
    pub(crate) fn of(program: rcar_iss::Program, machine: Option<&rcar_iss::Machine>) -> PyResult<Program> {
        let limits = Limits::default();
        let loaded = match machine {
            Some(machine) => program.load_on(machine, limits),
            None => program.load(limits),
        };
        Ok(Program { program, loaded: loaded.map_err(raised)? })
    }
}

#[pymethods]
impl Program {
    /// Opens a program file; `machine` is needed if it was compiled for one from a machine file.
    #[staticmethod]
    #[pyo3(signature = (path, machine = None))]
    fn open(py: Python<'_>, path: PathBuf, machine: Option<Wanted<'_>>) -> PyResult<Program> {
        let machine = machine.map(|m| m.machine()).transpose()?;
        py.detach(|| Program::of(rcar_iss::Program::open(&path).map_err(raised)?, machine.as_ref()))
    }

    /// Writes a program file, for `rcar-iss run` and others.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.program.save(&path)).map_err(raised)
    }

    /// The bytes of a program file.
    fn to_bytes(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| self.program.to_bytes()).map_err(raised)
    }

    /// The program as text.
    fn disassemble(&self, py: Python<'_>) -> String {
        py.detach(|| self.program.disassemble())
    }

    /// The name of the network.
    #[getter]
    fn name(&self) -> &str {
        self.program.name()
    }

    /// The name of its machine.
    #[getter]
    fn machine(&self) -> &str {
        self.program.machine()
    }

    /// The cycles of one run.
    #[getter]
    fn cycles(&self) -> u64 {
        self.loaded.cycles()
    }

    /// The inputs, in the order of the model.
    #[getter]
    fn inputs(&self) -> Vec<Port> {
        self.loaded.inputs().into_iter().map(Port::from).collect()
    }

    /// The outputs, in the order of the model.
    #[getter]
    fn outputs(&self) -> Vec<Port> {
        self.loaded.outputs().into_iter().map(Port::from).collect()
    }

    /// All tensors that can be read: inputs, those at the ends of layers, outputs.
    #[getter]
    fn tensors(&self) -> Vec<Port> {
        self.loaded.tensors().into_iter().map(Port::from).collect()
    }

    /// The layers, in the order in which they run.
    #[getter]
    fn layers(&self) -> Vec<Layer> {
        self.loaded.layers().into_iter().map(Layer::from).collect()
    }

    /// Where the cycles went, by layer and unit, as a dictionary.
    fn profile<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json(py, &py.detach(|| self.loaded.profile()))
    }

    /// A session: `threads` share each run; `engine` is "fast" or "reference".
    #[pyo3(signature = (*, threads = 1, engine = "fast", kernels = None))]
    fn session(&self, threads: usize, engine: &str, kernels: Option<&str>) -> PyResult<Session> {
        Session::of(&self.loaded, threads, engine, kernels)
    }

    fn __repr__(&self) -> String {
        let (name, machine) = (self.program.name(), self.program.machine());
        format!("Program({name:?}, {machine}, {} cycles)", self.loaded.cycles())
    }
}

/// A report as Python dictionaries and lists.
pub(crate) fn json<'py>(py: Python<'py>, report: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text =
        serde_json::to_string(report).map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))?;
    py.import("json")?.call_method1("loads", (text,))
}
