//! Inputs for a float network, read one by one when they are needed: pictures, arrays, folders of either.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::PictureArgs;
use super::failure::{Failure, INPUT};
use super::{given, input, sidecar};
use crate::image;
use crate::onnx::proto::{ModelProto, ValueInfoProto};
use crate::onnx::{ImportOptions, given_inputs};
use crate::program::{Preprocess, Role, TensorEntry};
use crate::quantize::{Input, Inputs};
use crate::tensor_file::{self, Element, Npz, TensorData};

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
    nhwc: bool,
    samples: Vec<Sample>,
}

/// Inputs of a float network.
#[derive(Debug)]
pub(super) struct Feed {
    ports: Vec<Port>,
    count: usize,
    /// Samples before a limit.
    given: usize,
}

/// How pictures become inputs: what was typed, else what the sidecar says.
fn preprocess(args: &PictureArgs, known: Option<&Preprocess>) -> Option<Preprocess> {
    if args.mean.is_empty() && args.std.is_empty() {
        let mut how = known.cloned()?;
        how.resize = args.resize.map(NonZero::get).or(how.resize);
        how.bgr |= args.bgr;
        return Some(how);
    }
    let list = |given: &[f32], default: f32| if given.is_empty() { vec![default] } else { given.to_vec() };
    Some(Preprocess {
        resize: args.resize.map(NonZero::get).or(known.and_then(|k| k.resize)),
        mean: list(&args.mean, 0.0),
        std: list(&args.std, 1.0),
        bgr: args.bgr || known.is_some_and(|k| k.bgr),
    })
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
        let side = sidecar::find(path)?;
        let Some(graph) = &model.graph else { return Err(Failure::file(path, &"it has no graph")) };
        let names = given_inputs(graph);
        let mut tensors = Vec::new();
        for info in graph.input.iter().filter(|i| names.iter().any(|n| n == i.name())) {
            let shape = options.shape_of(info).map_err(|why| {
                Failure::usage(format!("input '{}' of '{}'", info.name(), path.display())).why(&why)
            })?;
            let preprocess = preprocess(pictures, side.preprocess.get(info.name()));
            tensors.push(TensorEntry {
                name: info.name().into(),
                role: Role::Input,
                dtype: element(info).name().into(),
                shape: shape.iter().map(|d| *d as u64).collect(),
                preprocess,
                ..TensorEntry::default()
            });
        }
        let wanted: Vec<&TensorEntry> = tensors.iter().collect();
        let mut ports = Vec::new();
        for tensor in &tensors {
            let mut samples = Vec::new();
            for option in given {
                let (name, file) = input::place(&wanted, option)?;
                if name == tensor.name {
                    find(tensor, &file, &mut samples)?;
                }
            }
            if samples.is_empty() {
                return Err(Failure::usage(format!("no values are given for input '{}'", tensor.name)).help(
                    format!(
                        "add {}=PATH: a folder of pictures, .npy or .npz files, or a stacked array",
                        tensor.name
                    ),
                ));
            }
            ports.push(Port { tensor: tensor.clone(), nhwc: pictures.nhwc, samples });
        }
        let count = ports.iter().map(|p| p.samples.len()).max().unwrap_or(0);
        if let Some(odd) = ports.iter().find(|p| p.samples.len() != count) {
            let why =
                format!("input '{}' has {} of them, another {count}", odd.tensor.name, odd.samples.len());
            return Err(Failure::new(INPUT, "inputs differ in number").why(&why));
        }
        Ok(Feed { ports, count, given: count })
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

    /// The inputs of the network.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &TensorEntry> {
        self.ports.iter().map(|p| &p.tensor)
    }

    /// The files that hold one sample.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.ports.iter().flat_map(|p| &p.samples).filter_map(|s| match s {
            Sample::File(path) => Some(path.as_path()),
            Sample::Part { .. } => None,
        })
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
fn element(info: &ValueInfoProto) -> Element {
    use crate::onnx::proto::tensor_proto::DataType;
    use crate::onnx::proto::type_proto::Value;
    let Some(Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Element::F32;
    };
    match DataType::try_from(tensor.elem_type()) {
        Ok(DataType::Int64) => Element::S64,
        Ok(DataType::Int32) => Element::S32,
        Ok(DataType::Int8) => Element::S8,
        Ok(DataType::Uint8) => Element::U8,
        Ok(DataType::Bool) => Element::Bool,
        _ => Element::F32,
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// Appends the samples of a file or folder.
fn find(tensor: &TensorEntry, path: &Path, samples: &mut Vec<Sample>) -> Result<(), Failure> {
    if path.is_dir() {
        return input::members(path)?.iter().try_for_each(|member| find(tensor, member, samples));
    }
    let bytes = given::read(path)?;
    if image::is_image(&bytes) {
        samples.push(Sample::File(path.into()));
        return Ok(());
    }
    let parts = input::array_samples(tensor, path, array(path, bytes, &[&tensor.name, "x"])?)?;
    if parts.len() == 1 {
        samples.push(Sample::File(path.into()));
    } else {
        let parts = Arc::new(parts);
        let part = |at| Sample::Part { file: path.into(), samples: Arc::clone(&parts), at };
        samples.extend((0..parts.len()).map(part));
    }
    Ok(())
}

/// The array of a `.npy` file; of an `.npz` the only one, or the first that has one of these names.
pub(super) fn array(path: &Path, bytes: Vec<u8>, names: &[&str]) -> Result<TensorData, Failure> {
    let refused = |e| Failure::tensor(path, e);
    if !Npz::is_npz(&bytes) {
        return tensor_file::parse(&bytes).map_err(refused);
    }
    let mut archive = Npz::open(bytes).map_err(refused)?;
    let held = archive.names();
    let found = match held.as_slice() {
        [only] => Some(only),
        _ => names.iter().find_map(|n| held.iter().find(|h| h == n)),
    };
    match found {
        Some(name) => archive.array(name).map_err(refused),
        None => Err(Failure::file(
            path,
            &format!("it holds {}, none of them named {}", held.join(", "), names.join(" or ")),
        )),
    }
}

impl Port {
    fn read(&self, at: usize) -> Result<TensorData, Failure> {
        let bytes = match &self.samples[at] {
            Sample::Part { samples, at, .. } => samples[*at].clone(),
            Sample::File(path) => {
                let bytes = given::read(path)?;
                if image::is_image(&bytes) {
                    self.picture(path, &bytes)?
                } else {
                    let array = array(path, bytes, &[&self.tensor.name, "x"])?;
                    input::array_samples(&self.tensor, path, array)?.swap_remove(0)
                }
            }
        };
        let shape = self.tensor.shape.iter().map(|d| *d as usize).collect();
        let element = Element::from_name(&self.tensor.dtype).unwrap_or(Element::F32);
        Ok(TensorData { element, shape, bytes })
    }

    fn picture(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        if !self.nhwc || self.tensor.dtype != "f32" {
            return input::picture(&self.tensor, path, bytes);
        }
        let [n, h, w, c] = self.tensor.shape[..] else {
            return Err(Failure::file(path, &"an input that is not [1, H, W, C] cannot take a picture"));
        };
        let planes = TensorEntry { shape: vec![n, c, h, w], ..self.tensor.clone() };
        let values = input::picture(&planes, path, bytes)?;
        let plane = (h * w) as usize;
        let channels = c as usize;
        let at = |i: usize| &values[(i % channels * plane + i / channels) * 4..][..4];
        Ok((0..plane * channels).flat_map(at).copied().collect())
    }
}

impl Inputs for Feed {
    fn count(&self) -> usize {
        self.count
    }

    fn read(&self, at: usize) -> Result<Input, String> {
        self.ports.iter().map(|p| Ok((p.tensor.name.clone(), p.read(at).map_err(|f| f.text())?))).collect()
    }
}
