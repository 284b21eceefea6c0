//! Reading of model files, with external data.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use prost::Message;
use prost::bytes::Bytes;

use super::functions::{self, FunctionError};
use super::proto::{GraphProto, ModelProto, TensorProto, tensor_proto::DataLocation};
use crate::files::{self, FileError};

/// Why a file is not a model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a protobuf message of the ONNX schema.
    #[error("not an ONNX model: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// Functions of the model that cannot stand in the place of their calls.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// A message without a graph.
    #[error("the model has no graph; is this an ONNX file?")]
    NoGraph,
    /// External data that cannot be read.
    #[error("initializer \"{tensor}\": external data {reason}")]
    External {
        /// Initializer.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
}

/// A model whose initializers are all in memory.
#[derive(Debug, Clone)]
pub struct LoadedModel {
    /// The message; external data has been brought in, and calls of the model's own functions are written
    /// out.
    pub model: ModelProto,
    /// The files of the external data.
    pub data: Vec<PathBuf>,
}

impl LoadedModel {
    /// Reads a model file and the external data beside it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_file(path: &Path) -> Result<LoadedModel, LoadError> {
        LoadedModel::at(path, files::read(path)?)
    }

    /// The model in `bytes`, which were read from `path`, with the external data beside that file.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn at(path: &Path, bytes: Vec<u8>) -> Result<LoadedModel, LoadError> {
        let mut loaded = LoadedModel::from_bytes(bytes)?;
        if let Some(graph) = &mut loaded.model.graph {
            let mut beside = Beside::of(path);
            bring_in_all(graph, &mut beside)?;
            loaded.data = beside.read.into_keys().collect();
        }
        Ok(loaded)
    }

    /// Reads a model from memory. External data is not read, and reported when it is needed.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<LoadedModel, LoadError> {
        let mut model = ModelProto::decode(Bytes::from(bytes))?;
        functions::inline(&mut model)?;
        if model.graph.is_none() {
            return Err(LoadError::NoGraph);
        }
        Ok(LoadedModel { model, data: Vec::new() })
    }

    /// The graph; [`LoadedModel::from_bytes`] refuses models without one.
    #[must_use]
    pub fn graph(&self) -> &GraphProto {
        static EMPTY: std::sync::LazyLock<GraphProto> = std::sync::LazyLock::new(GraphProto::default);
        self.model.graph.as_ref().unwrap_or(&EMPTY)
    }
}

/// Parts of a file: offset and length.
type Parts = BTreeMap<(u64, u64), Bytes>;
/// The external data of a model, and what has been read of it.
struct Beside {
    /// The folder that locations are relative to.
    folder: PathBuf,
    /// The real paths of that folder and, if the model is a symbolic link, of the folder that contains its
    /// target: external data may be there, as in caches of models.
    inside: Vec<PathBuf>,
    /// What was read from each file, by offset and length, and the total: tensors at the same offset share
    /// their bytes, so a model takes no more memory than its files.
    read: BTreeMap<PathBuf, (Parts, u64)>,
}

impl Beside {
    fn of(model: &Path) -> Beside {
        let parent = |path: &Path| match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let folder = parent(model);
        let real = std::fs::canonicalize(model).ok().map(|m| parent(&m));
        let inside = std::fs::canonicalize(&folder).ok().into_iter().chain(real).collect();
        Beside { folder, inside, read: BTreeMap::new() }
    }

    /// Bytes of a file in the folder. A symbolic link is followed if its target is inside too.
    fn bytes(&mut self, location: &str, offset: u64, length: Option<u64>) -> Result<Bytes, String> {
        let relative = Path::new(location);
        let plain = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !plain || location.contains('\0') {
            return Err(format!("lies at {location:?}, outside the model's folder"));
        }
        let real = std::fs::canonicalize(self.folder.join(relative))
            .map_err(|e| format!("lies in {location:?}, which cannot be read: {e}"))?;
        if !self.inside.iter().any(|folder| real.starts_with(folder)) {
            return Err(format!("lies in {location:?}, a link that leaves the model's folder"));
        }
        let unreadable = |e: std::io::Error| format!("lies in {location:?}, which cannot be read: {e}");
        let mut file = files::open_regular(&real).map_err(|e| unreadable(e.source))?;
        let size = file.metadata().map_err(unreadable)?.len();
        let length = length.unwrap_or(size.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(format!("is {length} bytes at {offset} of {location:?}, which has {size}"));
        }
        let (parts, sum) = self.read.entry(real).or_default();
        if let Some(bytes) = parts.get(&(offset, length)) {
            return Ok(bytes.clone());
        }
        // Both are at most the file's size, which is below 2^63.
        *sum += length;
        if *sum > size {
            return Err(format!("lies in {location:?}, where it overlaps another tensor's"));
        }
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))
            .map_err(|e| unreadable(e.into()))?;
        file.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
        let bytes = Bytes::from(bytes);
        parts.insert((offset, length), bytes.clone());
        Ok(bytes)
    }
}

/// Reads the external data of a graph and of the graphs inside its nodes.
fn bring_in_all(graph: &mut GraphProto, beside: &mut Beside) -> Result<(), LoadError> {
    for tensor in &mut graph.initializer {
        bring_in(tensor, beside)?;
    }
    for attribute in graph.node.iter_mut().flat_map(|n| &mut n.attribute) {
        if let Some(tensor) = &mut attribute.t {
            bring_in(tensor, beside)?;
        }
        for tensor in &mut attribute.tensors {
            bring_in(tensor, beside)?;
        }
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            bring_in_all(graph, beside)?;
        }
    }
    Ok(())
}

fn bring_in(tensor: &mut TensorProto, beside: &mut Beside) -> Result<(), LoadError> {
    if tensor.data_location != Some(DataLocation::External as i32) {
        return Ok(());
    }
    let name = tensor.name().to_string();
    let fail = |reason: String| LoadError::External { tensor: name.clone(), reason };
    let entry =
        |key: &str| tensor.external_data.iter().find(|e| e.key() == key).map(|e| e.value().to_string());
    let number = |key: &str| -> Result<Option<u64>, LoadError> {
        entry(key).map(|v| v.parse().map_err(|_| fail(format!("has the {key} {v:?}")))).transpose()
    };
    let location = entry("location").ok_or_else(|| fail("has no location".into()))?;
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?;
    tensor.raw_data = Some(beside.bytes(&location, offset, length).map_err(&fail)?);
    tensor.data_location = None;
    tensor.external_data.clear();
    Ok(())
}
