//! The Python module of `rcar-iss`: a thin layer over the library's face. Arrays are numpy's; long calls
//! release the interpreter lock; errors have the messages of the command line.

mod accuracy;
mod arrays;
mod errors;
mod machine;
mod model;
mod program;
mod session;

use pyo3::prelude::*;

/// The extension module; `rcar_iss/__init__.py` exports its names.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::errors::{IllegalProgram, InvalidInput, RcarIssError, UnsupportedModel, UsageError};
    #[pymodule_export]
    use super::machine::Machine;
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::program::{Layer, Port, Program};
    #[pymodule_export]
    use super::session::Session;
    #[pymodule_init]
    fn init(module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        use super::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
