//! An ONNX model.

use std::path::Path;

use super::{Graph, Import};
use crate::compiler::CompileOptions;
use crate::onnx::{self, ImportError, LoadError, LoadedModel};

/// An ONNX model, float or quantized, with the external data that it needs.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) loaded: LoadedModel,
    /// For a graph without a name.
    name: String,
}

impl Model {
    /// Opens a file, and the files with external data beside it.
    ///
    /// # Errors
    /// The file cannot be read, is no ONNX model, or its external data is not there.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, LoadError> {
        let path = path.as_ref();
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Model { loaded: LoadedModel::from_file(path)?, name })
    }

    /// A model in memory, with all its data inside.
    ///
    /// # Errors
    /// The bytes are no ONNX model.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Model, LoadError> {
        Ok(Model { loaded: LoadedModel::from_bytes(bytes.into())?, name: "model".into() })
    }

    /// The integer graph of a quantized model.
    ///
    /// # Errors
    /// [`ImportError::Unsupported`] lists every node that cannot be compiled, with the reason.
    pub fn import(&self, options: &Import) -> Result<Graph, ImportError> {
        let mut imported = onnx::import(&self.loaded, &options.0)?;
        if imported.graph.name.is_empty() {
            imported.graph.name.clone_from(&self.name);
        }
        let compile = CompileOptions { profile: options.0.profile, ..CompileOptions::default() };
        Ok(Graph { graph: imported.graph, options: compile })
    }
}
