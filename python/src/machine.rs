//! Machines.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::errors::raised;

/// A machine: one that ships with rcar-iss (`rcn-s`, `rcn-m`, `rcn-l`), or a machine file.
#[pyclass(frozen, module = "rcar_iss")]
#[derive(Clone)]
pub(crate) struct Machine(pub(crate) rcar_iss::Machine);

#[pymethods]
impl Machine {
    /// Opens a machine by name, or from a machine file.
    #[new]
    fn new(name_or_path: PathBuf) -> PyResult<Machine> {
        rcar_iss::Machine::open(&name_or_path).map(Machine).map_err(raised)
    }

    /// Names of the machines that ship with rcar-iss, the smallest first.
    #[staticmethod]
    fn names() -> Vec<&'static str> {
        rcar_iss::Machine::names()
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Its clock in MHz.
    #[getter]
    fn clock_mhz(&self) -> u32 {
        self.0.clock_mhz
    }

    /// Multiply-accumulates of 8×8 bits in a cycle at most.
    #[getter]
    fn macs_per_cycle(&self) -> u64 {
        self.0.macs_per_cycle()
    }

    fn __repr__(&self) -> String {
        format!(
            "Machine({:?}, {} MHz, {} MAC a cycle)",
            self.0.name,
            self.0.clock_mhz,
            self.0.macs_per_cycle()
        )
    }
}

/// A machine, or the name or path of one.
#[derive(FromPyObject)]
pub(crate) enum Wanted<'py> {
    /// An existing machine.
    Made(PyRef<'py, Machine>),
    /// Its name or path.
    Named(PathBuf),
}

impl Wanted<'_> {
    pub(crate) fn machine(&self) -> PyResult<rcar_iss::Machine> {
        match self {
            Wanted::Made(machine) => Ok(machine.0.clone()),
            Wanted::Named(name) => Ok(Machine::new(name.clone())?.0),
        }
    }
}
