//! The choice of a float library.

use std::path::Path;

use super::onnxruntime::{Runtime, RuntimeError};

/// A library that runs float networks and shows every tensor.
///
/// Each computes the same values in every run, whatever the number of threads. Values of different libraries
/// or versions differ in their last bits.
#[derive(Debug, Clone, Default)]
pub enum Engine {
    /// The `rten` library, which is part of this program.
    #[default]
    Rten,
    /// ONNX Runtime, from a shared library found at run time.
    OnnxRuntime(Runtime),
}

impl Engine {
    /// ONNX Runtime from a file: a `libonnxruntime` of version 1.17 or later. The library stays loaded until
    /// the program ends.
    ///
    /// # Errors
    /// It cannot be loaded, or this process has loaded another one.
    pub fn onnx_runtime(library: &Path) -> Result<Engine, RuntimeError> {
        Ok(Engine::OnnxRuntime(Runtime::load(library)?))
    }

    /// Its name, with the file if there is one.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Engine::Rten => "rten".into(),
            Engine::OnnxRuntime(runtime) => format!("ONNX Runtime ({})", runtime.library().display()),
        }
    }

    /// Its name without a path.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        match self {
            Engine::Rten => "rten",
            Engine::OnnxRuntime(_) => "ONNX Runtime",
        }
    }
}
