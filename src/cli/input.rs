//! From `--input [NAME=]FILE` to the bytes that a program's inputs get: arrays, pictures and folders of either,
//! several of them stacked.

use std::path::{Path, PathBuf};

use super::content::{self, Content};
use super::effect::{self, Held};
use super::picture::Pictures;
use super::{folder, given};
use crate::dtype::DType;
use crate::dump::file_name;
use crate::explain::{Failure, INPUT, USAGE};
use crate::program::{Meta, Role, TensorEntry};
use crate::readable;
use crate::tensor_file::{Element, Npz, TensorData};

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
    /// As the program has it; pictures become this.
    tensor: TensorEntry,
    held: Held,
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

    /// The inputs, and what their files hold.
    fn held(&self) -> impl Iterator<Item = (&TensorEntry, Held)> {
        self.bound.iter().map(|b| (&b.tensor, b.held))
    }

    /// What all runs' inputs are called.
    pub(super) fn labels(&self) -> Vec<String> {
        (0..self.runs).map(|run| self.label(run)).collect()
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

/// What one option gives an input: the path that was typed, and the files of it that are this input's.
#[derive(Debug)]
pub(super) struct Source {
    given: PathBuf,
    pub(super) files: Vec<PathBuf>,
}

/// Reads and checks all inputs of a program.
pub(super) fn read(meta: &Meta, options: &[String], pictures: &Pictures<'_>) -> Result<Inputs, Failure> {
    let inputs = one_set(meta, options, pictures)?;
    effect::pictures(pictures.typed, inputs.held())?;
    Ok(inputs)
}

/// The same for two sets of inputs, of which the second may be left out: options for pictures are for either.
pub(super) fn read_both(
    meta: &Meta,
    [options, others]: [&[String]; 2],
    pictures: &Pictures<'_>,
) -> Result<(Inputs, Option<Inputs>), Failure> {
    let inputs = one_set(meta, options, pictures)?;
    let others = if others.is_empty() { None } else { Some(one_set(meta, others, pictures)?) };
    let held = inputs.held().chain(others.iter().flat_map(Inputs::held));
    effect::pictures(pictures.typed, held)?;
    Ok((inputs, others))
}

fn one_set(meta: &Meta, options: &[String], pictures: &Pictures<'_>) -> Result<Inputs, Failure> {
    effect::normalization(pictures.typed)?;
    let own =
        |t: &TensorEntry| TensorEntry { preprocess: pictures.preprocess(t.preprocess.as_ref()), ..t.clone() };
    let tensors: Vec<TensorEntry> = meta.tensors.iter().filter(|t| t.role == Role::Input).map(own).collect();
    let wanted: Vec<&TensorEntry> = tensors.iter().collect();
    let mut bound = Vec::new();
    for (tensor, sources) in wanted.iter().zip(sources(&wanted, options)?) {
        if sources.is_empty() {
            let missing = format!("no value is given for input '{}'", tensor.name);
            return Err(Failure::usage(missing).help(format!(
                "add --input {}=FILE ({})",
                tensor.name,
                content::expects(tensor)
            )));
        }
        bound.push(bind(tensor, &sources, pictures)?);
    }
    let runs = bound.iter().map(|b| b.samples.len()).max().unwrap_or(1);
    if let Some(odd) = bound.iter().find(|b| b.samples.len() != 1 && b.samples.len() != runs) {
        let why = format!("input '{}' has {} of them, another input {runs}", odd.name, odd.samples.len());
        return Err(Failure::new(INPUT, "stacked inputs differ in number").why(&why));
    }
    Ok(Inputs { bound, runs })
}

/// What every input is given, in the order of `wanted`. Folders are taken apart. Without a name before it, a file is for the
/// only input, or for that whose name it, or an array in it, has.
pub(super) fn sources(wanted: &[&TensorEntry], options: &[String]) -> Result<Vec<Vec<Source>>, Failure> {
    let mut found: Vec<Vec<Source>> = wanted.iter().map(|_| Vec::new()).collect();
    for option in options {
        let (only, path) = split(wanted, option)?;
        let files = if path.is_dir() { folder::members(&path)? } else { vec![path.clone()] };
        if let Some(only) = only {
            found[only].push(Source { given: path, files });
            continue;
        }
        let mut of_each: Vec<Vec<PathBuf>> = wanted.iter().map(|_| Vec::new()).collect();
        let folder = path.is_dir();
        let mut nobody = None;
        for file in files {
            match owners(wanted, &file, option) {
                Ok(owners) => owners.into_iter().for_each(|at| of_each[at].push(file.clone())),
                // A folder may hold more than the inputs: what a network gave for them, for one.
                Err(failure) if folder && failure.status == USAGE => {
                    tracing::info!(file = %file.display(), "called like no input, passed over");
                    nobody = nobody.or(Some(failure));
                }
                Err(failure) => return Err(failure),
            }
        }
        if let Some(failure) = nobody.filter(|_| of_each.iter().all(Vec::is_empty)) {
            return Err(failure);
        }
        for (sources, files) in found.iter_mut().zip(of_each).filter(|(_, files)| !files.is_empty()) {
            sources.push(Source { given: path.clone(), files });
        }
    }
    Ok(found)
}

fn names(wanted: &[&TensorEntry]) -> String {
    wanted.iter().map(|t| format!("'{}'", t.name)).collect::<Vec<_>>().join(", ")
}

/// The input that an option is for, by its place; none if the file must say it.
fn split(wanted: &[&TensorEntry], option: &str) -> Result<(Option<usize>, PathBuf), Failure> {
    // Names may hold '=', too: the longest that fits is meant.
    let named = wanted
        .iter()
        .enumerate()
        .filter_map(|(at, t)| Some((at, t, option.strip_prefix(t.name.as_str())?.strip_prefix('=')?)));
    let path = PathBuf::from(option);
    match named.max_by_key(|(_, t, _)| t.name.len()) {
        Some((_, _, "")) => {
            return Err(Failure::usage(format!("'{option}': a file name is missing")));
        }
        Some((at, _, file)) => return Ok((Some(at), file.into())),
        None => {}
    }
    match (wanted, option.split_once('=')) {
        ([], _) => Err(Failure::usage(format!("'{option}': the network has no inputs"))),
        (_, Some((name, _))) if !path.exists() => {
            Err(Failure::usage(format!("'{option}': no input is named '{name}'"))
                .why(&format!("there are {}", names(wanted)))
                .nearest(name, wanted.iter().map(|t| t.name.as_str())))
        }
        ([_], _) => Ok((Some(0), path)),
        _ => Ok((None, path)),
    }
}

/// The inputs that a file without a name before it is for: of an archive those whose arrays it holds, of an array that whose
/// name the file has.
fn owners(wanted: &[&TensorEntry], file: &Path, option: &str) -> Result<Vec<usize>, Failure> {
    let named = |name: &str| {
        wanted.iter().position(|t| t.name == name).or(wanted.iter().position(|t| file_name(&t.name) == name))
    };
    let found: Vec<usize> = if Npz::is_npz(&given::head(file, 4)?) {
        let archive = Npz::open(given::read(file)?).map_err(|e| Failure::tensor(file, e))?;
        let held = archive.names();
        let found: Vec<usize> = held.iter().filter_map(|name| named(name)).collect();
        if found.is_empty() {
            let why = format!("it holds {}; the inputs are {}", held.join(", "), names(wanted));
            return Err(Failure::file(file, &why).help("name the arrays like the inputs, or write NAME=FILE"));
        }
        found
    } else {
        file.file_stem().and_then(|stem| named(&stem.to_string_lossy())).into_iter().collect()
    };
    if found.is_empty() {
        let why = format!("there are {}, and '{}' is called like none", names(wanted), file.display());
        return Err(Failure::usage(format!("'{option}' does not say which input it is for")).why(&why).help(
            "write NAME=FILE, or give an .npz with arrays, or a folder with .npy files, that are called like the inputs",
        ));
    }
    Ok(found)
}

fn bind(tensor: &TensorEntry, sources: &[Source], pictures: &Pictures<'_>) -> Result<Bound, Failure> {
    let mut held = Held::default();
    let mut samples = Vec::new();
    let mut labels = Vec::new();
    let mut from = Vec::new();
    for source in sources {
        let before = samples.len();
        for file in &source.files {
            match content::of(file, tensor)? {
                Content::Picture(bytes) => {
                    held.pictures = true;
                    samples.push(pictures.values(tensor, file, &bytes)?);
                }
                Content::Array(array) => {
                    held.pixels |= is_pixels(tensor, &array);
                    samples.extend(array_samples(tensor, file, array, pictures)?);
                }
            }
            label(file, samples.len(), &mut labels);
        }
        let read = samples.len() - before;
        from.push(if read == 1 {
            source.given.display().to_string()
        } else {
            format!("{} ({read} inputs)", source.given.display())
        });
    }
    let (name, tensor) = (tensor.name.clone(), tensor.clone());
    Ok(Bound { name, from: from.join(", "), samples, labels, tensor, held })
}

/// Names the samples up to `count` after the file that they came from.
fn label(file: &Path, count: usize, labels: &mut Vec<String>) {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let name = if given::is_stdin(file) { "stdin".into() } else { name };
    let first = labels.len();
    if count == first + 1 {
        labels.push(name.into_owned());
    } else {
        labels.extend((0..count - first).map(|i| format!("{name}[{i}]")));
    }
}

/// Whether an array holds pixels that are still to be normalized.
pub(super) fn is_pixels(tensor: &TensorEntry, array: &TensorData) -> bool {
    array.element == Element::U8 && tensor.dtype == DType::F32 && tensor.preprocess.is_some()
}

/// Cuts an array into runs: the shape itself, or N times its first extent. Arrays of `uint8` are pixels for a float
/// input that says how pictures become values.
pub(super) fn array_samples(
    tensor: &TensorEntry,
    path: &Path,
    array: TensorData,
    pictures: &Pictures<'_>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let shape: Vec<u64> = array.shape.iter().map(|d| *d as u64).collect();
    let Some(count) = stacked(&tensor.shape, &shape) else {
        let why = format!(
            "input '{}' has shape {}, the array {}",
            tensor.name,
            readable::shape(&tensor.shape),
            readable::shape(&shape)
        );
        return Err(Failure::file(path, &why).help(shape_help(&tensor.shape, &shape)));
    };
    let pixels = is_pixels(tensor, &array);
    let array = if pixels { array } else { typed(tensor, path, array)? };
    let size = array.bytes.len() / count.max(1);
    let cut = array.bytes.chunks_exact(size.max(1));
    match &tensor.preprocess {
        Some(how) if pixels => cut.map(|sample| pictures.normalize(tensor, sample, how)).collect(),
        _ => Ok(cut.map(<[u8]>::to_vec).collect()),
    }
}

/// The array in the input's element type.
fn typed(tensor: &TensorEntry, path: &Path, array: TensorData) -> Result<TensorData, Failure> {
    let wanted = Element::from(tensor.dtype);
    let found = array.element;
    let made = array.to(wanted).map_err(|e| {
        let why = format!("input '{}' takes {}, {e}", tensor.name, wanted.numpy_name());
        let help = if found == Element::U8 && wanted == Element::F32 {
            "save values as float32; if they are pixels, say with --mean and --std how they become values"
                .into()
        } else {
            format!("save it with array.astype(numpy.{})", wanted.numpy_name())
        };
        Failure::file(path, &why).help(help)
    })?;
    if found == Element::F64 {
        tracing::warn!("'{}': float64 rounded to float32", path.display());
    }
    Ok(made)
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

/// What to do with an array whose shape does not fit.
fn shape_help(wanted: &[u64], found: &[u64]) -> String {
    if let ([batch, c, h, w], [n, a, b, d]) = (wanted, found)
        && [a, b, d] == [h, w, c]
        && n % batch.max(&1) == 0
    {
        return "its channels are last: save it with array.transpose(0, 3, 1, 2)".into();
    }
    if let ([_, h, w, c], [n, a, b, d]) = (wanted, found)
        && [a, b, d] == [c, h, w]
        && *n > 0
    {
        return "its channels are second, the input's are last: save it with array.transpose(0, 2, 3, 1)"
            .into();
    }
    match wanted.split_first() {
        Some((1, rest)) if !rest.is_empty() && rest == found => {
            "the leading axis of extent 1 is missing: save it with array[numpy.newaxis]".into()
        }
        Some((1, rest)) if !rest.is_empty() => {
            format!("give {} for one run, or Nx{} for N runs", readable::shape(wanted), readable::shape(rest))
        }
        _ => format!("give {}", readable::shape(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::PictureArgs;
    use crate::program::Preprocess;

    fn entry(shape: &[u64]) -> TensorEntry {
        TensorEntry {
            name: "x".into(),
            role: Role::Input,
            dtype: DType::F32,
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

    fn no_pictures() -> PictureArgs {
        PictureArgs { mean: Vec::new(), std: Vec::new(), resize: None, bgr: false, nhwc: false }
    }

    /// What an array of zeros of some type and shape becomes.
    fn zeros(tensor: &TensorEntry, element: Element, shape: &[usize]) -> Result<Vec<Vec<u8>>, String> {
        let bytes = vec![0; shape.iter().product::<usize>() * element.bytes()];
        let array = TensorData { element, shape: shape.to_vec(), bytes };
        let typed = no_pictures();
        let pictures = Pictures { typed: &typed, model: Path::new("m.onnx") };
        array_samples(tensor, Path::new("a.npy"), array, &pictures).map_err(|e| e.render())
    }

    #[test]
    fn a_wrong_type_or_shape_says_expected_found_and_what_to_do() {
        let ids = TensorEntry { dtype: DType::S64, ..entry(&[1, 3]) };
        let error = zeros(&ids, Element::F32, &[1, 3]).unwrap_err();
        assert!(
            error.contains("takes int64, the array holds float32") && error.contains("astype(numpy.int64)"),
            "{error}"
        );
        let error = zeros(&entry(&[1, 3]), Element::U8, &[1, 3]).unwrap_err();
        assert!(
            error.contains("takes float32, the array holds uint8") && error.contains("--mean"),
            "{error}"
        );
        for (wanted, found, says) in [
            (&[1, 3][..], &[3, 1][..], "Nx3 for N runs"),
            (&[1, 3, 4, 5], &[2, 4, 5, 3], "transpose(0, 3, 1, 2)"),
            (&[1, 4, 5, 3], &[1, 3, 4, 5], "transpose(0, 2, 3, 1)"),
            (&[1, 3, 4, 5], &[3, 4, 5], "array[numpy.newaxis]"),
        ] {
            let error =
                zeros(&entry(wanted), Element::F32, &found.iter().map(|d| *d as usize).collect::<Vec<_>>())
                    .unwrap_err();
            assert!(error.contains("has shape") && error.contains(says), "{error}");
        }
    }

    #[test]
    fn integers_of_other_widths_and_other_floats_become_the_inputs_type() {
        let ids = TensorEntry { dtype: DType::S64, ..entry(&[1, 3]) };
        for element in [Element::S32, Element::U8, Element::S64, Element::U32] {
            assert_eq!(zeros(&ids, element, &[2, 3]).unwrap(), vec![vec![0; 24]; 2]);
        }
        for element in [Element::F16, Element::F64, Element::F32] {
            assert_eq!(zeros(&entry(&[1, 3]), element, &[2, 3]).unwrap(), vec![vec![0; 12]; 2]);
        }
    }

    #[test]
    fn pixels_are_normalized_for_an_input_that_says_how() {
        let how = Preprocess { resize: None, mean: vec![1.0, 2.0], std: vec![2.0], bgr: false };
        let tensor = TensorEntry { preprocess: Some(how), ..entry(&[1, 2, 1, 1]) };
        let array = TensorData { element: Element::U8, shape: vec![2, 2, 1, 1], bytes: vec![3, 4, 5, 8] };
        let typed = no_pictures();
        let pictures = Pictures { typed: &typed, model: Path::new("m.onnx") };
        let samples = array_samples(&tensor, Path::new("a.npy"), array, &pictures).unwrap();
        assert_eq!(samples[0], [1.0_f32, 1.0].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
        assert_eq!(samples[1], [2.0_f32, 3.0].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn the_name_is_optional_with_one_input() {
        let (x, y) = (entry(&[1]), TensorEntry { name: "left".into(), ..entry(&[1]) });
        assert_eq!(split(&[&x], "a.npy").unwrap(), (Some(0), "a.npy".into()));
        assert_eq!(split(&[&x], "x=a.npy").unwrap(), (Some(0), "a.npy".into()));
        assert_eq!(split(&[&x, &y], "a.npy").unwrap(), (None, "a.npy".into()));
        assert!(split(&[&x], "z=a.npy").unwrap_err().render().contains("no input is named 'z'"));
        assert!(split(&[&x, &y], "lefft=a.npy").unwrap_err().render().contains("did you mean 'left'?"));
        assert!(split(&[&x], "x=").unwrap_err().render().contains("missing"));
        assert!(split(&[], "a.npy").is_err());
    }
}
