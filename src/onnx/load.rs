//! Reading a model file, external data included.

use std::path::{Component, Path, PathBuf};

use prost::Message;
use prost::bytes::Bytes;

use super::proto::{GraphProto, ModelProto, TensorProto, tensor_proto::DataLocation};

/// Why a file is not a model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// Not a protobuf message of the ONNX schema.
    #[error("not an ONNX model: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A message without a graph.
    #[error("the model has no graph; is this an ONNX file?")]
    NoGraph,
    /// External data that cannot be had.
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
    /// The message; external data has been brought in.
    pub model: ModelProto,
}

impl LoadedModel {
    /// Reads a model file and the external data beside it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_file(path: &Path) -> Result<LoadedModel, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Io { path: path.into(), source })?;
        let mut loaded = LoadedModel::from_bytes(bytes)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        if let Some(graph) = &mut loaded.model.graph {
            bring_in_all(graph, folder)?;
        }
        Ok(loaded)
    }

    /// Reads a model from memory. External data stays outside, and is reported when it is needed.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<LoadedModel, LoadError> {
        let model = ModelProto::decode(Bytes::from(bytes))?;
        if model.graph.is_none() {
            return Err(LoadError::NoGraph);
        }
        Ok(LoadedModel { model })
    }

    /// The graph; [`LoadedModel::from_bytes`] refuses models without one.
    #[must_use]
    pub fn graph(&self) -> &GraphProto {
        static EMPTY: std::sync::LazyLock<GraphProto> = std::sync::LazyLock::new(GraphProto::default);
        self.model.graph.as_ref().unwrap_or(&EMPTY)
    }
}

/// External data of a graph and of the branches in it.
fn bring_in_all(graph: &mut GraphProto, folder: &Path) -> Result<(), LoadError> {
    for tensor in &mut graph.initializer {
        if tensor.data_location == Some(DataLocation::External as i32) {
            bring_in(tensor, folder)?;
        }
    }
    let attributes = graph.node.iter_mut().flat_map(|n| &mut n.attribute);
    attributes.filter_map(|a| a.g.as_mut()).try_for_each(|g| bring_in_all(g, folder))
}

fn bring_in(tensor: &mut TensorProto, folder: &Path) -> Result<(), LoadError> {
    let name = tensor.name().to_string();
    let fail = |reason: String| LoadError::External { tensor: name.clone(), reason };
    let entry =
        |key: &str| tensor.external_data.iter().find(|e| e.key() == key).map(|e| e.value().to_string());
    let location = entry("location").ok_or_else(|| fail("has no location".into()))?;
    let relative = Path::new(&location);
    if !relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err(fail(format!("lies at \"{location}\", outside the model's folder")));
    }
    let number = |key: &str| -> Result<Option<u64>, LoadError> {
        entry(key).map(|v| v.parse().map_err(|_| fail(format!("has the {key} \"{v}\"")))).transpose()
    };
    let offset = number("offset")?.unwrap_or(0);
    let path = folder.join(relative);
    let io = |source| LoadError::Io { path: path.clone(), source };
    let mut file = std::fs::File::open(&path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let length = number("length")?.unwrap_or(size.saturating_sub(offset));
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(fail(format!("is {length} bytes at {offset} of \"{location}\", which has {size}")));
    }
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(io)?;
    tensor.raw_data = Some(bytes.into());
    tensor.data_location = None;
    tensor.external_data.clear();
    Ok(())
}
