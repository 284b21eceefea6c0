//! The inputs of a program or of a float network, for which samples are made.

use std::path::{Path, PathBuf};

use super::error::{FileFault, InputError};
use super::pictures::Pictures;
use super::sidecar::Sidecar;
use crate::dtype::DType;
use crate::onnx::proto::{GraphProto, ValueInfoProto};
use crate::onnx::{ImportOptions, given_inputs};
use crate::program::{Meta, Role, TensorEntry};
use crate::readable;
use crate::tensor_file::Element;

/// All inputs of a network.
#[derive(Debug, Clone, Default)]
pub struct Ports(pub(super) Vec<Port>);

/// One input of a network.
#[derive(Debug, Clone)]
pub struct Port {
    /// Type, shape and preprocessing.
    pub tensor: TensorEntry,
    /// Preprocessing given by the caller.
    pub pictures: Pictures,
    /// The network's file, beside which a sidecar may be.
    pub model: Option<PathBuf>,
}

/// The kinds of an input's samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Whether there are pictures.
    pub pictures: bool,
    /// Whether there are arrays of pixels to be normalized.
    pub pixels: bool,
}

impl Ports {
    /// The inputs of a program, in its own element types.
    #[must_use]
    pub fn of_program(meta: &Meta, pictures: &Pictures, file: Option<&Path>) -> Ports {
        let port = |tensor: &TensorEntry| Port {
            tensor: TensorEntry {
                preprocess: pictures.preprocess(tensor.preprocess.as_ref()),
                ..tensor.clone()
            },
            pictures: pictures.clone(),
            model: file.map(Path::to_path_buf),
        };
        Ports(meta.tensors.iter().filter(|t| t.role == Role::Input).map(port).collect())
    }

    /// The inputs of a float network; `options` define open extents.
    ///
    /// # Errors
    /// An extent is open and not given, or there is no graph.
    pub fn of_network(
        graph: Option<&GraphProto>,
        file: &Path,
        options: &ImportOptions,
        sidecar: &Sidecar,
        pictures: &Pictures,
    ) -> Result<Ports, InputError> {
        let graph = graph.ok_or_else(|| InputError::of(file, FileFault::NoGraph))?;
        let names = given_inputs(graph);
        let port = |info: &ValueInfoProto| {
            let shape = options.shape_of(info).map_err(|why| InputError::Extents {
                input: info.name().into(),
                model: file.into(),
                why,
            })?;
            let tensor = TensorEntry {
                name: info.name().into(),
                role: Role::Input,
                dtype: declared(info),
                shape: shape.iter().map(|d| *d as u64).collect(),
                preprocess: pictures.preprocess(sidecar.preprocess.get(info.name())),
                ..TensorEntry::default()
            };
            Ok(Port { tensor, pictures: pictures.clone(), model: Some(file.into()) })
        };
        let given = graph.input.iter().filter(|i| names.iter().any(|n| n == i.name()));
        given.map(port).collect::<Result<_, InputError>>().map(Ports)
    }

    /// The inputs.
    #[must_use]
    pub fn as_slice(&self) -> &[Port] {
        &self.0
    }
}

impl Port {
    /// What it accepts, in words.
    pub(super) fn takes(&self) -> String {
        let numpy = Element::from(self.tensor.dtype).numpy_name();
        let picture = if self.tensor.preprocess.is_some() { ", or a picture" } else { "" };
        format!("a .npy of {numpy} {}{picture}", readable::shape(&self.tensor.shape))
    }
}

/// The element type of a network's input; f32 if it is unsupported or missing.
fn declared(info: &ValueInfoProto) -> DType {
    use crate::onnx::proto::tensor_proto::DataType;
    use crate::onnx::proto::type_proto::Value;
    let Some(Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return DType::F32;
    };
    match DataType::try_from(tensor.elem_type()) {
        Ok(DataType::Int64) => DType::S64,
        Ok(DataType::Int32) => DType::S32,
        Ok(DataType::Int8) => DType::S8,
        Ok(DataType::Uint8) => DType::U8,
        Ok(DataType::Bool) => DType::Bool,
        _ => DType::F32,
    }
}
