//! An ONNX model.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use prost::Message;

use super::error;
use super::{Graph, Import};
use crate::compiler::CompileOptions;
use crate::files::{self, Reader};
use crate::inputs::{Feed, InputError, NextSidecar, Pictures, Ports, Reading, Sidecar};
use crate::onnx::proto::ModelProto;
use crate::onnx::{self, LoadedModel};
use crate::program::Preprocess;

/// An ONNX model, float or quantized, with its external data and its sidecar (preprocessing of pictures,
/// class names).
#[derive(Debug, Clone)]
pub struct Model {
    loaded: LoadedModel,
    /// The file that it came from, for messages; its stem names a graph without a name.
    path: PathBuf,
    side: Sidecar,
}

impl Model {
    /// Opens a file, its external data, and its sidecar.
    ///
    /// # Errors
    /// A file cannot be read, is not an ONNX model, or its external data is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, error::OpenModel> {
        let path = path.as_ref();
        let loaded = LoadedModel::from_file(path)
            .map_err(|kind| error::OpenModel::Model { path: path.to_path_buf(), kind })?;
        let side = Sidecar::find(path, &Reader::new())?;
        Ok(Model { loaded, path: path.to_path_buf(), side })
    }

    /// A model in memory, with all its data inside.
    ///
    /// # Errors
    /// The bytes are not an ONNX model.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Model, error::OpenModel> {
        let path = PathBuf::from("model");
        match LoadedModel::from_bytes(bytes.into()) {
            Ok(loaded) => Ok(Model { loaded, path, side: Sidecar::default() }),
            Err(kind) => Err(error::OpenModel::Model { path, kind }),
        }
    }

    /// A model made from the one at `path`.
    pub(super) fn of(
        model: ModelProto,
        path: &Path,
        pictures: &BTreeMap<String, Preprocess>,
        classes: &[String],
    ) -> Model {
        let side = Sidecar { preprocess: pictures.clone(), classes: classes.to_vec(), path: None };
        Model { loaded: LoadedModel { model, data: Vec::new() }, path: path.to_path_buf(), side }
    }

    pub(super) fn loaded(&self) -> &LoadedModel {
        &self.loaded
    }

    pub(super) fn classes(&self) -> &[String] {
        &self.side.classes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The integer graph of a quantized model.
    ///
    /// # Errors
    /// Nodes that cannot be compiled, all of them, with the reasons; or the model violates ONNX's own rules.
    pub fn import(&self, options: &Import) -> Result<Graph, error::Import> {
        let options = &options.0;
        onnx::check_extents(self.loaded.graph(), options)?;
        let mut imported = onnx::import(&self.loaded, options).map_err(|kind| error::Import::Model {
            path: self.path.clone(),
            kind,
            graph: Box::new(self.loaded.graph().clone()),
        })?;
        let graph = &mut imported.graph;
        if graph.name.is_empty() {
            graph.name = files::stem(&self.path);
        }
        let names: Vec<&str> = graph.inputs.iter().map(|id| graph.tensor(*id).name.as_str()).collect();
        let (side, _) = self.side.clone().about(&names);
        let compile = CompileOptions {
            preprocess: side.preprocess,
            labels: side.classes,
            profile: options.profile,
            ..CompileOptions::default()
        };
        compile.check(graph).map_err(|kind| {
            let path = side.path.as_ref().unwrap_or(&self.path).clone();
            error::Import::Pictures { path, kind }
        })?;
        Ok(Graph { graph: imported.graph, path: self.path.clone(), options: compile })
    }

    /// Samples for a float network, for calibration: pictures, arrays and folders of either, each as
    /// `[NAME=]PATH`. They are read when they are needed.
    ///
    /// # Errors
    /// A file cannot be read or does not fit, or an input has no sample.
    pub fn samples(
        &self,
        paths: &[impl AsRef<OsStr>],
        pictures: &Pictures,
        options: &Import,
    ) -> Result<Feed, InputError> {
        let graph = self.loaded.model.graph.as_ref();
        let ports = Ports::of_network(graph, &self.path, &options.0, &self.side, pictures)?;
        let paths: Vec<String> =
            paths.iter().map(|path| path.as_ref().to_string_lossy().into_owned()).collect();
        Feed::open(ports, &paths, Reading::WhenNeeded, &Reader::new())
    }

    /// Writes the model with all its data inside, and beside it (`.toml`) its sidecar. A sidecar that a user
    /// wrote stays, if it agrees.
    ///
    /// # Errors
    /// A file cannot be written, or a user's sidecar has another preprocessing.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), InputError> {
        let path = path.as_ref();
        let side = NextSidecar::plan(&self.path, path, &self.side.preprocess, &Reader::new())?;
        let mut batch = files::Batch::new();
        side.before(&mut batch);
        batch.file(path, &self.to_bytes())?;
        side.after(&mut batch)?;
        Ok(batch.finish()?)
    }

    /// The bytes of a model file, with all data inside.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.loaded.model.encode_to_vec()
    }
}
