//! Inputs for a float network, read one by one when they are needed: pictures, arrays, folders of either.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::PictureArgs;
use super::content::{self, Content};
use super::effect::{self, Held};
use super::picture::Pictures;
use super::{input, sidecar};
use crate::dtype::DType;
use crate::explain::{Failure, INPUT};
use crate::onnx::proto::{ModelProto, ValueInfoProto};
use crate::onnx::{ImportOptions, given_inputs};
use crate::program::{Preprocess, Role, TensorEntry};
use crate::quantize::{Input, Inputs};
use crate::tensor_file::TensorData;

/// Where one sample comes from.
#[derive(Debug, Clone)]
enum Sample {
    /// A file that holds one.
    File(PathBuf),
    /// One of several in a file that is in memory.
    Part { file: PathBuf, samples: Arc<Vec<Vec<u8>>>, at: usize },
}

/// One input of the network.
#[derive(Debug)]
struct Port {
    /// As the network has it; pictures become this.
    tensor: TensorEntry,
    samples: Vec<Sample>,
    held: Held,
}

/// Inputs of a float network.
#[derive(Debug)]
pub(super) struct Feed {
    ports: Vec<Port>,
    count: usize,
    /// Samples before a limit.
    given: usize,
    /// What was typed about pictures.
    typed: PictureArgs,
    /// The network's file.
    model: PathBuf,
}

impl Feed {
    /// Finds the samples of `given` (`[NAME=]PATH`) for a model's inputs. Pictures are not read yet.
    pub(super) fn of(
        path: &Path,
        model: &ModelProto,
        given: &[String],
        pictures: &PictureArgs,
        options: &ImportOptions,
    ) -> Result<Feed, Failure> {
        let Some(graph) = &model.graph else { return Err(Failure::file(path, &"it has no graph")) };
        effect::extents(graph, options)?;
        let names = given_inputs(graph);
        let side = sidecar::find(path)?.about(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let settings = Pictures { typed: pictures, model: path };
        let mut tensors = Vec::new();
        for info in graph.input.iter().filter(|i| names.iter().any(|n| n == i.name())) {
            let shape = options.shape_of(info).map_err(|why| {
                Failure::usage(format!("input '{}' of '{}'", info.name(), path.display())).why(&why)
            })?;
            let preprocess = settings.preprocess(side.preprocess.get(info.name()));
            tensors.push(TensorEntry {
                name: info.name().into(),
                role: Role::Input,
                dtype: declared(info),
                shape: shape.iter().map(|d| *d as u64).collect(),
                preprocess,
                ..TensorEntry::default()
            });
        }
        let wanted: Vec<&TensorEntry> = tensors.iter().collect();
        let mut ports = Vec::new();
        for (tensor, sources) in tensors.iter().zip(input::sources(&wanted, given)?) {
            let (mut samples, mut held) = (Vec::new(), Held::default());
            for file in sources.iter().flat_map(|s| &s.files) {
                find(tensor, file, &settings, (&mut samples, &mut held))?;
            }
            if samples.is_empty() {
                return Err(Failure::usage(format!("no values are given for input '{}'", tensor.name)).help(
                    format!(
                        "add {}=PATH: a folder of pictures, .npy or .npz files, or a stacked array",
                        tensor.name
                    ),
                ));
            }
            ports.push(Port { tensor: tensor.clone(), samples, held });
        }
        let count = ports.iter().map(|p| p.samples.len()).max().unwrap_or(0);
        if let Some(odd) = ports.iter().find(|p| p.samples.len() != count) {
            let why =
                format!("input '{}' has {} of them, another {count}", odd.tensor.name, odd.samples.len());
            return Err(Failure::new(INPUT, "inputs differ in number").why(&why));
        }
        Ok(Feed { ports, count, given: count, typed: pictures.clone(), model: path.into() })
    }

    /// Takes only the first `limit` samples.
    pub(super) fn limited(mut self, limit: Option<usize>) -> Feed {
        self.count = self.count.min(limit.unwrap_or(self.count));
        self
    }

    /// How many samples were given, those beyond the limit too.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    /// The inputs of the network, and what their files hold.
    pub(super) fn held(&self) -> impl Iterator<Item = (&TensorEntry, Held)> {
        self.ports.iter().map(|p| (&p.tensor, p.held))
    }

    /// What the samples are called: file names, with a number where a file holds several.
    pub(super) fn names(&self) -> Vec<String> {
        let one = |at: usize| {
            self.ports.first().and_then(|p| p.samples.get(at)).map_or_else(String::new, |s| match s {
                Sample::File(path) => file_name(path),
                Sample::Part { file, at, .. } => format!("{}[{at}]", file_name(file)),
            })
        };
        (0..self.count).map(one).collect()
    }

    /// How pictures become inputs, by input.
    pub(super) fn preprocess(&self) -> impl Iterator<Item = (&str, &Preprocess)> {
        self.ports.iter().filter_map(|p| Some((p.tensor.name.as_str(), p.tensor.preprocess.as_ref()?)))
    }
}

/// The element type of a network's input; of one that the libraries do not have, or that is not told, f32.
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

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// Appends the samples of a file.
fn find(
    tensor: &TensorEntry,
    path: &Path,
    pictures: &Pictures<'_>,
    (samples, held): (&mut Vec<Sample>, &mut Held),
) -> Result<(), Failure> {
    let Content::Array(array) = content::of(path, tensor)? else {
        // What every picture would be refused for is told before the first is decoded.
        pictures.size(tensor, path)?;
        held.pictures = true;
        samples.push(Sample::File(path.into()));
        return Ok(());
    };
    held.pixels |= input::is_pixels(tensor, &array);
    let parts = input::array_samples(tensor, path, array, pictures)?;
    if parts.len() == 1 {
        samples.push(Sample::File(path.into()));
    } else {
        let parts = Arc::new(parts);
        let part = |at| Sample::Part { file: path.into(), samples: Arc::clone(&parts), at };
        samples.extend((0..parts.len()).map(part));
    }
    Ok(())
}

impl Port {
    fn read(&self, at: usize, pictures: &Pictures<'_>) -> Result<TensorData, Failure> {
        let bytes = match &self.samples[at] {
            Sample::Part { samples, at, .. } => samples[*at].clone(),
            Sample::File(path) => match content::of(path, &self.tensor)? {
                Content::Picture(bytes) => pictures.values(&self.tensor, path, &bytes)?,
                Content::Array(array) => {
                    input::array_samples(&self.tensor, path, array, pictures)?.swap_remove(0)
                }
            },
        };
        let shape = self.tensor.shape.iter().map(|d| *d as usize).collect();
        Ok(TensorData { element: self.tensor.dtype.into(), shape, bytes })
    }
}

impl Inputs for Feed {
    fn count(&self) -> usize {
        self.count
    }

    fn read(&self, at: usize) -> Result<Input, String> {
        let pictures = Pictures { typed: &self.typed, model: &self.model };
        let read = |p: &Port| Ok((p.tensor.name.clone(), p.read(at, &pictures).map_err(|f| f.text())?));
        self.ports.iter().map(read).collect()
    }
}
