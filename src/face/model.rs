//! An ONNX model.

use std::path::{Path, PathBuf};

use super::error;
use super::{Graph, Import};
use crate::compiler::CompileOptions;
use crate::onnx::{self, LoadedModel};

/// An ONNX model, float or quantized, with the external data that it needs.
#[derive(Debug, Clone)]
pub struct Model {
    loaded: LoadedModel,
    /// The file that it came from, for messages; its stem is the name of a graph without one.
    path: PathBuf,
}

impl Model {
    /// Opens a file, and the files with external data beside it.
    ///
    /// # Errors
    /// The file cannot be read, is no ONNX model, or its external data is not there.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, error::OpenModel> {
        let path = path.as_ref();
        let loaded = LoadedModel::from_file(path).map_err(error::OpenModel::of(path))?;
        Ok(Model { loaded, path: path.to_path_buf() })
    }

    /// A model in memory, with all its data inside.
    ///
    /// # Errors
    /// The bytes are no ONNX model.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Model, error::OpenModel> {
        let path = PathBuf::from("model");
        let loaded = LoadedModel::from_bytes(bytes.into()).map_err(error::OpenModel::of(&path))?;
        Ok(Model { loaded, path })
    }

    /// The integer graph of a quantized model.
    ///
    /// # Errors
    /// Nodes that cannot be compiled, all of them, with the reasons; or the model breaks ONNX's own rules.
    pub fn import(&self, options: &Import) -> Result<Graph, error::Import> {
        let mut imported = onnx::import(&self.loaded, &options.0).map_err(error::Import::of(&self.path))?;
        if imported.graph.name.is_empty() {
            let stem = self.path.file_stem().unwrap_or_default();
            imported.graph.name = stem.to_string_lossy().into_owned();
        }
        let compile = CompileOptions { profile: options.0.profile, ..CompileOptions::default() };
        Ok(Graph { graph: imported.graph, path: self.path.clone(), options: compile })
    }
}
