//! Models.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::prelude::*;
use rcar_iss::options::{Compile, Import, Limits, Rounding};

use crate::errors::{raised, usage};
use crate::machine::Wanted;
use crate::program::{Program, json};

/// An ONNX model, float or quantized.
#[pyclass(frozen, module = "rcar_iss")]
pub(crate) struct Model(pub(crate) rcar_iss::Model);

/// A file, or its contents.
#[derive(FromPyObject)]
enum Source {
    Bytes(Vec<u8>),
    Path(PathBuf),
}

/// Tensors to keep.
#[derive(FromPyObject)]
enum Keep {
    /// `"all"`, or one.
    One(String),
    Some(Vec<String>),
}

#[pymethods]
impl Model {
    /// Opens a file, or takes its bytes. External data is read beside the file.
    #[new]
    fn new(py: Python<'_>, source: Source) -> PyResult<Model> {
        let model = py.detach(|| match source {
            Source::Bytes(bytes) => rcar_iss::Model::from_bytes(bytes).map_err(Box::new),
            Source::Path(path) => rcar_iss::Model::open(path).map_err(Box::new),
        });
        model.map(Model).map_err(|error| raised(*error))
    }

    /// Compiles a quantized model for a machine, and counts its cycles.
    ///
    /// `shapes` gives the shapes of inputs that the model leaves open, `dims` the extents that it names;
    /// `keep` names tensors that fusion must not remove (`"all"`: every one); `host=False` refuses layers
    /// that would run on the host.
    #[pyo3(signature = (machine = None, *, shapes = None, dims = None, keep = None, host = true, dense_weights = false, rounding = "onnx"))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn compile(
        &self,
        py: Python<'_>,
        machine: Option<Wanted<'_>>,
        shapes: Option<BTreeMap<String, Vec<usize>>>,
        dims: Option<BTreeMap<String, usize>>,
        keep: Option<Keep>,
        host: bool,
        dense_weights: bool,
        rounding: &str,
    ) -> PyResult<Program> {
        let machine = wanted(machine)?;
        let import = import(shapes, dims, keep, host, rounding)?;
        py.detach(|| {
            let graph = self.0.import(&import).map_err(raised)?;
            let options = Compile::new().dense_weights(dense_weights);
            Program::of(graph.compile(&machine, &options).map_err(raised)?, Some(&machine))
        })
    }

    /// The cycles of the compiled program, without its constants, as a dictionary: fast, to compare machines.
    #[pyo3(signature = (machine = None, *, shapes = None, dims = None, host = true))]
    fn estimate<'py>(
        &self,
        py: Python<'py>,
        machine: Option<Wanted<'_>>,
        shapes: Option<BTreeMap<String, Vec<usize>>>,
        dims: Option<BTreeMap<String, usize>>,
        host: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let machine = wanted(machine)?;
        let import = import(shapes, dims, None, host, "onnx")?;
        let profile = py.detach(|| {
            let graph = self.0.import(&import).map_err(raised)?;
            graph.estimate(&machine).map_err(raised)
        })?;
        json(py, &profile)
    }

    /// Writes the model, all its data inside.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&path)).map_err(raised)
    }

    /// The bytes of a model file, with all data inside.
    fn to_bytes(&self, py: Python<'_>) -> Vec<u8> {
        py.detach(|| self.0.to_bytes())
    }

    /// The integer graph as text: operators, scales, zero points.
    fn graph(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.0.import(&Import::new()).map(|graph| graph.to_string())).map_err(raised)
    }
}

impl Model {
    /// The model, imported with default options, compiled and loaded.
    pub(crate) fn program(&self, machine: &rcar_iss::Machine) -> PyResult<rcar_iss::Loaded> {
        let graph = self.0.import(&Import::new()).map_err(raised)?;
        let program = graph.compile(machine, &Compile::new()).map_err(raised)?;
        program.load_on(machine, Limits::default()).map_err(raised)
    }
}

fn wanted(machine: Option<Wanted<'_>>) -> PyResult<rcar_iss::Machine> {
    machine.unwrap_or(Wanted::Named("rcn-m".into())).machine()
}

fn import(
    shapes: Option<BTreeMap<String, Vec<usize>>>,
    dims: Option<BTreeMap<String, usize>>,
    keep: Option<Keep>,
    host: bool,
    rounding: &str,
) -> PyResult<Import> {
    let Some(rounding) = Rounding::ALL.into_iter().find(|r| r.name() == rounding) else {
        let known = Rounding::ALL.map(Rounding::name).join(", ");
        return Err(usage(format!("rounding={rounding:?}: there are {known}")));
    };
    let mut import = Import::new().host(host).rounding(rounding);
    for (name, shape) in shapes.unwrap_or_default() {
        import = import.shape(name, &shape);
    }
    for (name, extent) in dims.unwrap_or_default() {
        import = import.extent(name, extent);
    }
    Ok(match keep {
        None => import,
        Some(Keep::One(name)) if name == "all" => import.keep_all(),
        Some(Keep::One(name)) => import.keep(name),
        Some(Keep::Some(names)) => names.into_iter().fold(import, Import::keep),
    })
}
