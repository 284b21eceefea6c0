//! From `--input [NAME=]FILE` to the bytes that a program's inputs get: arrays, pictures and folders of either,
//! several of them stacked.

use std::path::{Path, PathBuf};

use super::failure::{Failure, INPUT};
use super::{format, given};
use crate::image;
use crate::program::{Meta, Preprocess, Role, TensorEntry};
use crate::tensor_file::{Element, TensorData};

/// Bytes of every input for every run.
#[derive(Debug)]
pub(super) struct Inputs {
    /// In the order of the tensor table.
    pub(super) bound: Vec<Bound>,
    /// How many times the program runs.
    pub(super) runs: usize,
}

/// One input of the program.
#[derive(Debug)]
pub(super) struct Bound {
    /// ONNX name.
    pub(super) name: String,
    /// Where the values come from, for the report.
    pub(super) from: String,
    /// One per run; a single one serves all runs.
    samples: Vec<Vec<u8>>,
    /// The file of each sample, with its number in a stack.
    labels: Vec<String>,
}

impl Bound {
    /// The bytes for one run, row-major little-endian.
    pub(super) fn sample(&self, run: usize) -> &[u8] {
        let at = if self.samples.len() == 1 { 0 } else { run };
        self.samples.get(at).map_or(&[], Vec::as_slice)
    }
}

impl Inputs {
    /// What one run's input is called: the file, with its number if it holds several.
    pub(super) fn label(&self, run: usize) -> String {
        let varying = self.bound.iter().find(|b| b.samples.len() > 1).or(self.bound.first());
        varying.and_then(|b| b.labels.get(run)).cloned().unwrap_or_else(|| run.to_string())
    }
}

impl Inputs {
    /// Whether an input has other values in each run.
    pub(super) fn varies(&self, name: &str) -> bool {
        self.bound.iter().any(|b| b.name == name && b.samples.len() > 1)
    }

    /// What one run's values of an input are called.
    pub(super) fn label_of(&self, name: &str, run: usize) -> String {
        let bound = self.bound.iter().find(|b| b.name == name);
        let label = bound.and_then(|b| b.labels.get(if b.samples.len() > 1 { run } else { 0 }));
        label.cloned().unwrap_or_else(|| run.to_string())
    }
}

impl crate::analysis::Inputs for Inputs {
    fn runs(&self) -> usize {
        self.runs
    }

    fn sample(&self, run: usize) -> Vec<(&str, &[u8])> {
        self.bound.iter().map(|b| (b.name.as_str(), b.sample(run))).collect()
    }
}

/// An input option split into name and file.
#[derive(Debug)]
struct Given<'a> {
    tensor: &'a TensorEntry,
    path: PathBuf,
}

/// Reads and checks all inputs of a program.
pub(super) fn read(meta: &Meta, options: &[String]) -> Result<Inputs, Failure> {
    let wanted: Vec<&TensorEntry> = meta.tensors.iter().filter(|t| t.role == Role::Input).collect();
    let given: Vec<Given<'_>> = options.iter().map(|o| split(&wanted, o)).collect::<Result<_, _>>()?;
    let mut bound = Vec::new();
    for tensor in &wanted {
        let files: Vec<&Path> =
            given.iter().filter(|g| g.tensor.name == tensor.name).map(|g| g.path.as_path()).collect();
        if files.is_empty() {
            let missing = format!("no value is given for input '{}'", tensor.name);
            return Err(Failure::usage(missing).help(format!(
                "add --input {}=FILE ({})",
                tensor.name,
                expects(tensor)
            )));
        }
        bound.push(bind(tensor, &files)?);
    }
    let runs = bound.iter().map(|b| b.samples.len()).max().unwrap_or(1);
    if let Some(odd) = bound.iter().find(|b| b.samples.len() != 1 && b.samples.len() != runs) {
        let why = format!("input '{}' has {} of them, another input {runs}", odd.name, odd.samples.len());
        return Err(Failure::new(INPUT, "stacked inputs differ in number").why(&why));
    }
    Ok(Inputs { bound, runs })
}

/// What an input takes, for messages.
fn expects(tensor: &TensorEntry) -> String {
    let numpy = Element::from_name(&tensor.dtype).map_or("?", Element::numpy_name);
    let picture = if tensor.preprocess.is_some() { ", or a PNG or JPEG picture" } else { "" };
    format!("a .npy of {numpy} {}{picture}", format::shape(&tensor.shape))
}

fn split<'a>(wanted: &[&'a TensorEntry], option: &str) -> Result<Given<'a>, Failure> {
    // Names may hold '=', too: the longest that fits is meant.
    let named =
        wanted.iter().filter_map(|t| Some((t, option.strip_prefix(t.name.as_str())?.strip_prefix('=')?)));
    if let Some((tensor, file)) = named.max_by_key(|(t, _)| t.name.len()) {
        return Ok(Given { tensor, path: file.into() });
    }
    let names = || wanted.iter().map(|t| format!("'{}'", t.name)).collect::<Vec<_>>().join(", ");
    let path = PathBuf::from(option);
    match (wanted, option.split_once('=')) {
        ([], _) => Err(Failure::usage(format!("--input {option}: the program has no inputs"))),
        (_, Some((name, _))) if !path.exists() => {
            Err(Failure::usage(format!("--input {option}: no input is named '{name}'"))
                .why(&format!("there are {}", names())))
        }
        ([only], _) => Ok(Given { tensor: only, path }),
        _ => Err(Failure::usage(format!("--input {option}: which input?"))
            .why(&format!("the program has {}", names()))
            .help("write --input NAME=FILE")),
    }
}

/// Name of the input that an option is for, and its file.
pub(super) fn place(wanted: &[&TensorEntry], option: &str) -> Result<(String, PathBuf), Failure> {
    split(wanted, option).map(|given| (given.tensor.name.clone(), given.path))
}

fn bind(tensor: &TensorEntry, files: &[&Path]) -> Result<Bound, Failure> {
    let mut samples = Vec::new();
    let mut labels = Vec::new();
    let mut from = Vec::new();
    for file in files {
        let before = samples.len();
        if file.is_dir() {
            for member in members(file)? {
                one(tensor, &member, &mut samples)?;
                label(&member, samples.len(), &mut labels);
            }
        } else {
            one(tensor, file, &mut samples)?;
            label(file, samples.len(), &mut labels);
        }
        let read = samples.len() - before;
        from.push(if read == 1 {
            file.display().to_string()
        } else {
            format!("{} ({read} inputs)", file.display())
        });
    }
    Ok(Bound { name: tensor.name.clone(), from: from.join(", "), samples, labels })
}

/// Names the samples up to `count` after the file that they came from.
fn label(file: &Path, count: usize, labels: &mut Vec<String>) {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let first = labels.len();
    if count == first + 1 {
        labels.push(name.into_owned());
    } else {
        labels.extend((0..count - first).map(|i| format!("{name}[{i}]")));
    }
}

/// Arrays and pictures of a folder, by name.
pub(super) fn members(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    super::places::reads(folder)?;
    let unreadable = |e: std::io::Error| Failure::file(folder, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        if ["npy", "npz", "png", "jpg", "jpeg"].contains(&extension.as_str()) {
            // A pipe would be waited for, and nobody named it.
            if !path.is_file() {
                return Err(Failure::file(&path, &"it is no regular file"));
            }
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Failure::file(folder, &"the folder holds no .npy, .png or .jpg file"));
    }
    Ok(found)
}

/// Appends what one file holds.
fn one(tensor: &TensorEntry, path: &Path, samples: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
    let bytes = given::read(path)?;
    if image::is_image(&bytes) {
        samples.push(picture(tensor, path, &bytes)?);
        return Ok(());
    }
    let array = super::feed::array(path, bytes, &[&tensor.name, "x"])
        .map_err(|f| f.help(format!("input '{}' takes {}", tensor.name, expects(tensor))))?;
    samples.extend(array_samples(tensor, path, array)?);
    Ok(())
}

pub(super) fn picture(tensor: &TensorEntry, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let refused = |e: image::ImageError| Failure::image(path, &e);
    let decoded = image::decode(bytes).map_err(refused)?;
    tracing::info!(file = %path.display(), width = decoded.width, height = decoded.height, "picture");
    match (&tensor.preprocess, tensor.dtype.as_str()) {
        (Some(how), "f32") => {
            let values = image::to_input(decoded, &tensor.shape, how).map_err(refused)?;
            Ok(values.into_iter().map(f32::to_le_bytes).collect::<Vec<_>>().into_flattened())
        }
        (None, "u8") => image::to_input_u8(decoded, &tensor.shape, &Preprocess::default()).map_err(refused),
        (None, "f32") => Err(Failure::file(
            path,
            &format!("a picture, but the model does not say how input '{}' is normalized", tensor.name),
        )
        .help("give --mean and --std when compiling, or write them into model.toml beside the model")),
        (_, dtype) => Err(Failure::file(
            path,
            &format!("a picture cannot become input '{}' of type {dtype}", tensor.name),
        )
        .help("give a .npy file")),
    }
}

/// Cuts an array into runs: the shape itself, or N times its first extent. Arrays of `uint8` are pixels for a float
/// input that says how pictures become values.
pub(super) fn array_samples(
    tensor: &TensorEntry,
    path: &Path,
    array: TensorData,
) -> Result<Vec<Vec<u8>>, Failure> {
    let shape: Vec<u64> = array.shape.iter().map(|d| *d as u64).collect();
    let Some(count) = stacked(&tensor.shape, &shape) else {
        let why = format!(
            "input '{}' has shape {}, the array {}",
            tensor.name,
            format::shape(&tensor.shape),
            format::shape(&shape)
        );
        return Err(Failure::file(path, &why).help(shape_help(&tensor.shape)));
    };
    let pixels = array.element == Element::U8 && tensor.dtype == "f32" && tensor.preprocess.is_some();
    if array.element.name() != tensor.dtype && !pixels {
        let wanted = Element::from_name(&tensor.dtype).map_or("?", Element::numpy_name);
        let found = array.element.numpy_name();
        let why = format!("input '{}' takes {wanted}, the array holds {found}", tensor.name);
        return Err(Failure::file(path, &why).help(format!("save it with array.astype(numpy.{wanted})")));
    }
    let size = array.bytes.len() / count.max(1);
    let cut = array.bytes.chunks_exact(size.max(1)).map(<[u8]>::to_vec);
    match &tensor.preprocess {
        Some(how) if pixels => Ok(cut.map(|sample| normalize(&sample, &tensor.shape, how)).collect()),
        _ => Ok(cut.collect()),
    }
}

/// How many runs an array holds; `None` if its shape does not fit. `[N, H, W]` stands for `[N, 1, H, W]`.
fn stacked(wanted: &[u64], found: &[u64]) -> Option<usize> {
    if wanted == found {
        return Some(1);
    }
    let (batch, rest) = wanted.split_first()?;
    let (stack, tail) = found.split_first()?;
    let fits = rest == tail || (rest.len() == 3 && rest.first() == Some(&1) && rest.get(1..) == Some(tail));
    if !fits || *batch == 0 || *stack == 0 || stack % batch != 0 {
        return None;
    }
    usize::try_from(stack / batch).ok()
}

fn shape_help(wanted: &[u64]) -> String {
    match wanted.split_first() {
        Some((1, rest)) if !rest.is_empty() => {
            format!("give {} for one run, or Nx{} for N runs", format::shape(wanted), format::shape(rest))
        }
        _ => format!("give {}", format::shape(wanted)),
    }
}

/// Pixels in NCHW order → values, as for a picture.
fn normalize(pixels: &[u8], shape: &[u64], how: &Preprocess) -> Vec<u8> {
    let channels = shape.get(1).map_or(1, |c| usize::try_from(*c).unwrap_or(1)).max(1);
    let plane = shape.iter().skip(2).product::<u64>().max(1) as usize;
    let value = |(at, v): (usize, &u8)| {
        let channel = at / plane % channels;
        let mean = how.mean.get(channel).or(how.mean.first()).copied().unwrap_or(0.0);
        let std = how.std.get(channel).or(how.std.first()).copied().unwrap_or(1.0);
        ((f32::from(*v) - mean) / std).to_le_bytes()
    };
    pixels.iter().enumerate().flat_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(shape: &[u64]) -> TensorEntry {
        TensorEntry {
            name: "x".into(),
            role: Role::Input,
            dtype: "f32".into(),
            shape: shape.to_vec(),
            ..Default::default()
        }
    }

    #[test]
    fn a_stack_is_a_multiple_of_the_batch() {
        assert_eq!(stacked(&[1, 3, 2, 2], &[1, 3, 2, 2]), Some(1));
        assert_eq!(stacked(&[1, 3, 2, 2], &[7, 3, 2, 2]), Some(7));
        assert_eq!(stacked(&[2, 3, 2, 2], &[6, 3, 2, 2]), Some(3));
        assert_eq!(stacked(&[2, 3, 2, 2], &[7, 3, 2, 2]), None);
        assert_eq!(stacked(&[1, 1, 28, 28], &[10, 28, 28]), Some(10));
        assert_eq!(stacked(&[1, 3, 28, 28], &[10, 28, 28]), None);
        assert_eq!(stacked(&[1, 3], &[0, 3]), None);
        assert_eq!(stacked(&[], &[]), Some(1));
    }

    #[test]
    fn a_wrong_type_or_shape_says_expected_found_and_what_to_do() {
        let array = |element, shape: &[usize]| TensorData {
            element,
            shape: shape.to_vec(),
            bytes: vec![0; shape.iter().product::<usize>() * element.bytes()],
        };
        let path = Path::new("a.npy");
        let error = array_samples(&entry(&[1, 3]), path, array(Element::F64, &[1, 3])).unwrap_err().render();
        assert!(
            error.contains("takes float32, the array holds float64")
                && error.contains("astype(numpy.float32)"),
            "{error}"
        );
        let error = array_samples(&entry(&[1, 3]), path, array(Element::F32, &[3, 1])).unwrap_err().render();
        assert!(
            error.contains("has shape 1x3, the array 3x1") && error.contains("Nx3 for N runs"),
            "{error}"
        );
    }

    #[test]
    fn pixels_are_normalized_for_an_input_that_says_how() {
        let how = Preprocess { resize: None, mean: vec![1.0, 2.0], std: vec![2.0], bgr: false };
        let tensor = TensorEntry { preprocess: Some(how), ..entry(&[1, 2, 1, 1]) };
        let array = TensorData { element: Element::U8, shape: vec![2, 2, 1, 1], bytes: vec![3, 4, 5, 8] };
        let samples = array_samples(&tensor, Path::new("a.npy"), array).unwrap();
        assert_eq!(samples[0], [1.0_f32, 1.0].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
        assert_eq!(samples[1], [2.0_f32, 3.0].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn the_name_is_optional_with_one_input() {
        let (x, y) = (entry(&[1]), TensorEntry { name: "y".into(), ..entry(&[1]) });
        assert_eq!(split(&[&x], "a.npy").unwrap().path, Path::new("a.npy"));
        assert_eq!(split(&[&x], "x=a.npy").unwrap().path, Path::new("a.npy"));
        assert!(split(&[&x], "z=a.npy").unwrap_err().render().contains("no input is named 'z'"));
        assert!(split(&[&x, &y], "a.npy").unwrap_err().render().contains("which input?"));
        assert!(split(&[], "a.npy").is_err());
    }
}
