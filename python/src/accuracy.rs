//! Quantization of a float network, and its accuracy.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use rcar_iss::accuracy::{self, Settings};
use rcar_iss::data::{Pictures, Sample, Samples};
use rcar_iss::options::Import;

use crate::arrays;
use crate::errors::{raised, usage};
use crate::machine::Wanted;
use crate::model::Model;
use crate::program::{Program, json};

/// Samples as a caller gives them: files and folders, or arrays by name.
#[derive(FromPyObject)]
pub(crate) enum Given<'py> {
    /// A file or folder of pictures or arrays.
    Path(PathBuf),
    /// Several, each as `[NAME=]PATH`.
    Paths(Vec<PathBuf>),
    /// Arrays by the names of the inputs, one dictionary for each sample.
    Arrays(Vec<Bound<'py, PyMapping>>),
}

/// Samples that no longer need the interpreter.
enum Owned {
    Paths(Vec<PathBuf>),
    Arrays(Vec<Sample>),
}

impl Given<'_> {
    fn owned(self) -> PyResult<Owned> {
        Ok(match self {
            Given::Path(path) => Owned::Paths(vec![path]),
            Given::Paths(paths) => Owned::Paths(paths),
            Given::Arrays(samples) => {
                Owned::Arrays(samples.iter().map(arrays::tensors).collect::<PyResult<_>>()?)
            }
        })
    }
}

/// Settings of quantization: the keys of `rcar-iss quantize --config`.
fn settings(py: Python<'_>, given: Option<&Bound<'_, PyDict>>) -> PyResult<Settings> {
    let Some(given) = given else { return Ok(Settings::default()) };
    let text: String = py.import("json")?.call_method1("dumps", (given,))?.extract()?;
    serde_json::from_str(&text).map_err(|e| usage(format!("settings: {e}")))
}

#[pymethods]
impl Model {
    /// The quantized model of a float network. `samples` are a folder of pictures or arrays, a list of
    /// `[NAME=]PATH`, or a list of dictionaries of arrays; other arguments are the keys of
    /// `rcar-iss quantize --config`: `method="mse"`, `bits=16` ...
    #[pyo3(signature = (samples, *, threads = 1, **settings))]
    fn quantize(
        &self,
        py: Python<'_>,
        samples: Given<'_>,
        threads: usize,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Model> {
        let (samples, settings) = (samples.owned()?, self::settings(py, settings)?);
        py.detach(|| {
            let quantizer = self.0.quantizer(settings).map_err(raised)?.threads(threads);
            let calibrated = match samples {
                Owned::Arrays(samples) => quantizer.calibrate(&samples).map_err(raised)?,
                Owned::Paths(paths) => {
                    let feed = self.0.samples(&paths, &Pictures::default(), &Import::new());
                    quantizer.calibrate_on(&feed.map_err(raised)?).map_err(raised)?
                }
            };
            Ok(Model(calibrated.quantized().map_err(raised)?.model))
        })
    }

    /// Finds which layers of this quantized model lose accuracy against the float network, and why: a
    /// dictionary with `comparison` and `diagnosis`, as `rcar-iss compare` and `diagnose` report them.
    #[pyo3(signature = (float, samples, machine = None, *, threads = 1))]
    fn diagnose<'py>(
        &self,
        py: Python<'py>,
        float: &Model,
        samples: Given<'_>,
        machine: Option<Wanted<'_>>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let machine = machine.unwrap_or(Wanted::Named("rcn-m".into())).machine()?;
        let samples = samples.owned()?;
        let (comparison, diagnosis) = py.detach(|| {
            let run = |samples: &dyn Samples| {
                accuracy::diagnose(&self.0, &float.0, &machine, samples, threads).map_err(raised)
            };
            match &samples {
                Owned::Arrays(samples) => run(samples),
                Owned::Paths(paths) => {
                    // The inputs of a quantized model are those of its program.
                    let program = self.program(&machine)?;
                    run(&program.samples(paths, &Pictures::default()).map_err(raised)?)
                }
            }
        })?;
        let result = PyDict::new(py);
        result.set_item("comparison", json(py, &comparison)?)?;
        result.set_item("diagnosis", json(py, &diagnosis)?)?;
        Ok(result)
    }
}

#[pymethods]
impl Program {
    /// Compares the program with its float network, tensor by tensor, as `rcar-iss compare` reports it.
    /// Tensors inside fused layers are compared if they were kept: `compile(..., keep="all")`.
    #[pyo3(signature = (float, samples, *, threads = 1))]
    fn compare<'py>(
        &self,
        py: Python<'py>,
        float: &Model,
        samples: Given<'_>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let samples = samples.owned()?;
        let comparison = py.detach(|| match &samples {
            Owned::Arrays(samples) => {
                accuracy::compare(&self.loaded, &float.0, samples, threads).map_err(raised)
            }
            Owned::Paths(paths) => {
                let feed = self.loaded.samples(paths, &Pictures::default()).map_err(raised)?;
                accuracy::compare(&self.loaded, &float.0, &feed, threads).map_err(raised)
            }
        })?;
        json(py, &comparison)
    }
}
