//! Float references: a float network that is executed, or files written by a framework.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layout::{Axes, RefLayout, arrange, axes};
use super::matching::{MapError, Matching, Offer};
use crate::dump;
use crate::float::{Collected, Engine, Stream, Threads};
use crate::onnx::{LoadedModel, float_network, given_inputs};
use crate::program::{Meta, Role, TensorEntry};
use crate::tensor_file::{self, Npz, TensorData};

/// Why a reference cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A folder or file cannot be read.
    #[error("'{}': {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The float network cannot be run.
    #[error("the float network: {0}")]
    Network(String),
    /// The map is wrong.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// Why an array of a reference does not fit a tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It has another number of inputs.
    #[error("the reference holds {held} input{}, {given} {} given", if *.held == 1 { "" } else { "s" }, if *.given == 1 { "is" } else { "are" })]
    Inputs {
        /// How many it holds.
        held: usize,
        /// How many there are.
        given: usize,
    },
    /// Its shape or type does not fit.
    #[error("{0}")]
    Array(String),
}

/// A reference whose tensor names are known, before values are read.
#[derive(Debug)]
pub enum Reference {
    /// A float network, and the library that runs it.
    Network {
        /// The model.
        model: Box<LoadedModel>,
        /// The library.
        engine: Engine,
    },
    /// Arrays by name.
    Files {
        /// Folder or archive.
        path: PathBuf,
        /// One folder for each input, or one for all.
        runs: Vec<BTreeMap<String, Place>>,
    },
}

/// Where an array is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A `.npy` file.
    Npy(PathBuf),
    /// A member of an `.npz` file.
    Npz(PathBuf, String),
}

impl Reference {
    /// Whether a reference at this path is arrays in files, and not a float network.
    #[must_use]
    pub fn is_files(path: &Path) -> bool {
        path.is_dir() || path.extension().is_some_and(|e| e == "npz")
    }

    /// The files that a reference at this path may be read from: the path itself; for a folder the arrays in
    /// it and in its subfolders, with the files beside them.
    #[must_use]
    pub fn reads(path: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        reads(path, 2, &mut found);
        found
    }

    /// Finds the `.npy` and `.npz` files in a folder, or the arrays of one archive. Folders inside it are one
    /// input each, in the order of their names.
    ///
    /// # Errors
    /// It cannot be read, or holds no array.
    pub fn files(path: &Path) -> Result<Reference, ReferenceError> {
        let failed = |reason: String| ReferenceError::File { path: path.to_path_buf(), reason };
        let mut runs = Vec::new();
        if path.is_file() {
            runs.push(archive(path)?);
        } else {
            let own = arrays(path)?;
            if own.is_empty() {
                for dir in listed(path)?.into_iter().filter(|p| p.is_dir()) {
                    runs.push(arrays(&dir)?);
                }
            } else {
                runs.push(own);
            }
        }
        if runs.iter().all(BTreeMap::is_empty) {
            return Err(failed("it holds no .npy or .npz file".into()));
        }
        Ok(Reference::Files { path: path.to_path_buf(), runs })
    }

    /// The tensor names that it has.
    #[must_use]
    pub fn offer(&self) -> Offer {
        match self {
            Reference::Network { model, .. } => Offer::of_network(model.graph()),
            Reference::Files { runs, .. } => Offer {
                names: runs.iter().flat_map(|r| r.keys().cloned()).collect(),
                clamped: BTreeMap::new(),
                nodes: BTreeMap::new(),
                files: true,
            },
        }
    }

    /// The library or tool that computed the values, in words.
    #[must_use]
    pub fn library(&self) -> String {
        match self {
            Reference::Network { engine, .. } => format!("{}, on one thread for each input", engine.name()),
            Reference::Files { .. } => "none: the values were read from files".into(),
        }
    }

    /// Matches it with a program, and prepares the computation or reading of values.
    ///
    /// # Errors
    /// The network does not load, or the map is wrong.
    pub fn bind(
        &self,
        meta: &Meta,
        map: &BTreeMap<String, String>,
        layout: RefLayout,
    ) -> Result<Bound<'_>, ReferenceError> {
        let matching = Matching::of(meta, &self.offer(), map)?;
        let mut remarks = Vec::new();
        let source = match self {
            Reference::Network { model, engine } => {
                let inputs = given_inputs(model.graph());
                let wanted: BTreeSet<String> = matching.pairs.values().cloned().collect();
                let stream = Stream::load(engine, float_network(&model.model), &wanted)
                    .map_err(ReferenceError::Network)?;
                Source::Network { stream: Box::new(stream), inputs: renamed(meta, &inputs)? }
            }
            Reference::Files { runs, .. } => {
                let (told, remark) = told(meta, &matching, runs, layout)?;
                remarks.extend(remark);
                Source::Files { runs, layout, told }
            }
        };
        Ok(Bound { matching, source, library: self.library(), remarks })
    }
}

/// The order of axes for arrays whose shape fits both orders: that of all other arrays. A remark names those
/// whose order is not known.
fn told(
    meta: &Meta,
    matching: &Matching,
    runs: &[BTreeMap<String, Place>],
    layout: RefLayout,
) -> Result<(RefLayout, Option<String>), ReferenceError> {
    let (RefLayout::Auto, Some(places)) = (layout, runs.first()) else { return Ok((layout, None)) };
    let (mut second, mut last, mut either) = (0, 0, Vec::new());
    let mut archives = BTreeMap::new();
    for tensor in &meta.tensors {
        let Some(place) = matching.pairs.get(&tensor.name).and_then(|name| places.get(name)) else {
            continue;
        };
        match axes(&read(place, &mut archives)?.shape, &shape(tensor)) {
            Axes::Second => second += 1,
            Axes::Last => last += 1,
            Axes::Either => either.push(tensor.name.as_str()),
            Axes::Unsaid => {}
        }
    }
    if either.is_empty() || (second > 0) != (last > 0) {
        return Ok((if last > 0 { RefLayout::Nhwc } else { RefLayout::Nchw }, None));
    }
    let others = if last > 0 { "the others have both orders" } else { "no other tensor says it" };
    let remark = format!(
        "the order of axes of {} cannot be told from the shape, and {others}: taken as channels second; \
         --reference-layout nchw or nhwc says it",
        either.join(", ")
    );
    Ok((RefLayout::Nchw, Some(remark)))
}

/// The network's name for each input of the program.
fn renamed(meta: &Meta, inputs: &[String]) -> Result<BTreeMap<String, String>, ReferenceError> {
    let ours: Vec<&String> = meta.tensors.iter().filter(|t| t.role == Role::Input).map(|t| &t.name).collect();
    if let ([our], [their]) = (&ours[..], inputs) {
        return Ok([((*our).clone(), their.clone())].into());
    }
    for name in inputs {
        if !ours.contains(&name) {
            return Err(ReferenceError::Network(format!(
                "its input \"{name}\" is no input of the quantized network"
            )));
        }
    }
    Ok(inputs.iter().map(|n| (n.clone(), n.clone())).collect())
}

fn reads(path: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        found.push(path.into());
        return;
    }
    // Folders that cannot be listed are reported where they are read.
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let inside = entry.path();
        let array = inside.extension().is_some_and(|e| e == "npy" || e == "npz" || e == "json");
        if depth > 1 && inside.is_dir() {
            reads(&inside, depth - 1, found);
        } else if array {
            found.push(inside);
        }
    }
}

fn listed(dir: &Path) -> Result<Vec<PathBuf>, ReferenceError> {
    let failed = |e: std::io::Error| ReferenceError::File { path: dir.to_path_buf(), reason: e.to_string() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Hidden files are made by the operating system (`._x.npy`), not by a framework.
        if !path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The arrays of a folder by name: file names without extension, members of archives by their own.
fn arrays(dir: &Path) -> Result<BTreeMap<String, Place>, ReferenceError> {
    let mut found = BTreeMap::new();
    for path in listed(dir)? {
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found.insert(stem, Place::Npy(path));
            }
            Some("npz") => found.extend(archive(&path)?),
            _ => {}
        }
    }
    Ok(found)
}

fn archive(path: &Path) -> Result<BTreeMap<String, Place>, ReferenceError> {
    let failed = |reason: String| ReferenceError::File { path: path.to_path_buf(), reason };
    let bytes = crate::files::read_regular(path).map_err(|e| failed(e.to_string()))?;
    let npz = Npz::open(bytes).map_err(|e| failed(e.to_string()))?;
    Ok(npz.names().into_iter().map(|n| (n.clone(), Place::Npz(path.to_path_buf(), n))).collect())
}

/// A reference matched with a program.
#[derive(Debug)]
pub struct Bound<'a> {
    /// The matching.
    pub matching: Matching,
    /// The library or tool that computed the values.
    pub library: String,
    /// Remarks for the user, one sentence each.
    pub remarks: Vec<String>,
    source: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    Network {
        stream: Box<Stream>,
        inputs: BTreeMap<String, String>,
    },
    /// `told` is the order of axes where the shape does not determine it.
    Files {
        runs: &'a [BTreeMap<String, Place>],
        layout: RefLayout,
        told: RefLayout,
    },
}

/// Reference values of one input, by the program's tensor, in the tensor's shape; or why there are none.
pub type Values = BTreeMap<String, Result<Vec<f32>, Misfit>>;

impl Bound<'_> {
    /// The reference values of one input. `run` counts the inputs; files may hold all of `runs` stacked.
    ///
    /// # Errors
    /// The network fails on this input, or a file cannot be read.
    pub fn values(
        &self,
        meta: &Meta,
        (run, runs): (usize, usize),
        inputs: &[(&str, &[u8])],
    ) -> Result<Values, ReferenceError> {
        let mut by_reference: BTreeMap<&str, Vec<&TensorEntry>> = BTreeMap::new();
        for tensor in &meta.tensors {
            if let Some(name) = self.matching.pairs.get(&tensor.name) {
                by_reference.entry(name).or_default().push(tensor);
            }
        }
        let mut values = Values::new();
        match &self.source {
            Source::Network { stream, inputs: renamed } => {
                let given = floats(meta, renamed, inputs)?;
                let given: Vec<(&str, &TensorData)> = given.iter().map(|(n, t)| (*n, t)).collect();
                let seen = stream
                    .run(&Threads::new(1), &given, Collected::default())
                    .map_err(ReferenceError::Network)?;
                for found in seen.tensors {
                    for tensor in by_reference.get(found.name.as_str()).into_iter().flatten() {
                        let made = arrange(&found.values, &found.shape, &shape(tensor), RefLayout::Nchw);
                        values.insert(tensor.name.clone(), made.map_err(Misfit::Array));
                    }
                }
            }
            Source::Files { runs: folders, layout, told } => {
                if folders.len() != 1 && folders.len() != runs {
                    let misfit = Misfit::Inputs { held: folders.len(), given: runs };
                    let all = by_reference.values().flatten().map(|t| t.name.clone());
                    return Ok(all.map(|name| (name, Err(misfit.clone()))).collect());
                }
                let folder = if folders.len() == 1 { 0 } else { run };
                let Some(places) = folders.get(folder) else { return Ok(values) };
                let mut archives = BTreeMap::new();
                for (name, tensors) in by_reference {
                    let Some(place) = places.get(name) else { continue };
                    let array = read(place, &mut archives)?;
                    let part = if folders.len() == 1 { (run, runs) } else { (0, 1) };
                    for tensor in tensors {
                        values.insert(tensor.name.clone(), cut(&array, tensor, part, (*layout, *told)));
                    }
                }
            }
        }
        Ok(values)
    }
}

fn shape(tensor: &TensorEntry) -> Vec<usize> {
    tensor.shape.iter().map(|d| *d as usize).collect()
}

/// The program's inputs as floats under the network's names.
fn floats<'n>(
    meta: &Meta,
    renamed: &'n BTreeMap<String, String>,
    inputs: &[(&str, &[u8])],
) -> Result<Vec<(&'n str, TensorData)>, ReferenceError> {
    let mut given = Vec::new();
    for (name, bytes) in inputs {
        let entry = meta.tensors.iter().find(|t| t.name == *name && t.role == Role::Input);
        let (Some(theirs), Some(entry)) = (renamed.get(*name), entry) else { continue };
        let data = TensorData { element: entry.dtype.into(), shape: shape(entry), bytes: bytes.to_vec() };
        given.push((theirs.as_str(), dump::dequantize(&data, entry).unwrap_or(data)));
    }
    Ok(given)
}

fn read(place: &Place, archives: &mut BTreeMap<PathBuf, Npz>) -> Result<TensorData, ReferenceError> {
    let failed = |path: &Path, reason: String| ReferenceError::File { path: path.to_path_buf(), reason };
    match place {
        Place::Npy(path) => tensor_file::read(path).map_err(|e| failed(path, e.to_string())),
        Place::Npz(path, name) => {
            if !archives.contains_key(path) {
                let bytes = crate::files::read_regular(path).map_err(|e| failed(path, e.to_string()))?;
                let npz = Npz::open(bytes).map_err(|e| failed(path, e.to_string()))?;
                archives.insert(path.clone(), npz);
            }
            let Some(npz) = archives.get_mut(path) else {
                return Err(failed(path, "it cannot be opened".into()));
            };
            npz.array(name).map_err(|e| failed(path, format!("array \"{name}\": {e}")))
        }
    }
}

/// One input's part of an array that may hold several, as floats in the tensor's shape.
fn cut(
    array: &TensorData,
    tensor: &TensorEntry,
    (run, runs): (usize, usize),
    (layout, told): (RefLayout, RefLayout),
) -> Result<Vec<f32>, Misfit> {
    let found = array.element.numpy_name();
    let all = array
        .floats()
        .ok_or_else(|| Misfit::Array(format!("the reference holds {found}, floats are expected")))?;
    let wanted = shape(tensor);
    let size: usize = wanted.iter().product();
    let held = if size > 0 && all.len().is_multiple_of(size) { all.len() / size } else { 0 };
    let mut part = array.shape.clone();
    match part.first_mut() {
        _ if held == 1 => {}
        Some(first) if held > 1 && first.is_multiple_of(held) => *first /= held,
        _ => {
            let why = format!("the reference has shape {:?}, the tensor {wanted:?}", array.shape);
            return Err(Misfit::Array(why));
        }
    }
    let order = if layout == RefLayout::Auto && axes(&part, &wanted) == Axes::Either { told } else { layout };
    let at = if held == runs { run * size } else { 0 };
    let values = arrange(&all[at..at + size], &part, &wanted, order).map_err(Misfit::Array)?;
    // Only an array that fits otherwise can be of another number of inputs.
    if held == runs { Ok(values) } else { Err(Misfit::Inputs { held, given: runs }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_file::Element;

    fn tensor(name: &str, shape: [u64; 4]) -> TensorEntry {
        TensorEntry { name: name.into(), shape: shape.to_vec(), layer: Some(0), ..TensorEntry::default() }
    }

    /// A folder with tensors of numbers that count up, by name and shape.
    fn folder(name: &str, tensors: &[(&str, [usize; 4])]) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("rcar-iss-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, shape) in tensors {
            let bytes = (0..shape.iter().product()).flat_map(|i: usize| (i as f32).to_le_bytes()).collect();
            let data = TensorData { element: Element::F32, shape: shape.to_vec(), bytes };
            tensor_file::write(&dir.join(format!("{name}.npy")), &data).unwrap();
        }
        dir
    }

    /// The first values of "cube", whose channels are as many as its rows and columns, and what is remarked.
    fn cube(name: &str, others: &[(&str, [usize; 4])], layout: RefLayout) -> (Vec<f32>, Vec<String>) {
        let dir = folder(name, &[&[("cube", [1, 4, 4, 4])], others].concat());
        let reference = Reference::files(&dir).unwrap();
        let tensors =
            vec![tensor("cube", [1, 4, 4, 4]), tensor("b", [1, 3, 4, 4]), tensor("c", [1, 5, 2, 2])];
        let meta = Meta { tensors, ..Meta::default() };
        let bound = reference.bind(&meta, &BTreeMap::new(), layout).unwrap();
        let values = bound.values(&meta, (0, 1), &[]).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        (values["cube"].as_ref().unwrap()[..3].to_vec(), bound.remarks)
    }

    #[test]
    fn a_shape_that_fits_both_ways_has_the_order_of_the_others() {
        let (second, last) = (vec![0.0, 1.0, 2.0], vec![0.0, 4.0, 8.0]);
        let none = Vec::<String>::new();
        assert_eq!(cube("last", &[("b", [1, 4, 4, 3])], RefLayout::Auto), (last.clone(), none.clone()));
        assert_eq!(cube("second", &[("b", [1, 3, 4, 4])], RefLayout::Auto), (second.clone(), none.clone()));
        assert_eq!(cube("told", &[], RefLayout::Nhwc), (last, none));
        let (values, remarks) = cube("alone", &[], RefLayout::Auto);
        assert_eq!((values, remarks.len()), (second.clone(), 1));
        assert!(remarks[0].contains("cube") && remarks[0].contains("--reference-layout"), "{remarks:?}");
        let both = [("b", [1, 4, 4, 3]), ("c", [1, 5, 2, 2])];
        let (values, remarks) = cube("both", &both, RefLayout::Auto);
        assert_eq!((values, remarks.len()), (second, 1));
        assert!(remarks[0].contains("both orders"), "{remarks:?}");
    }
}
