//! Writing a dump.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{DumpError, Manifest, ManifestEntry, Selection};
use crate::files::{self, FileError};
use crate::program::{Layer, Meta, TensorEntry};
use crate::tensor_file::{self, Element, TensorData};

/// Longest stem of a file name.
const MAX_STEM: usize = 100;

/// Writes one dump. Dropped without [`finish`](DumpWriter::finish) it leaves nothing behind.
#[derive(Debug)]
pub struct DumpWriter {
    target: PathBuf,
    /// The folder that becomes the target; gone once renamed.
    beside: Option<PathBuf>,
    /// By tensor name: place in the table, file stem, layer. Only the selected ones.
    plan: BTreeMap<String, Planned>,
    entries: BTreeMap<usize, ManifestEntry>,
    manifest: Manifest,
    dequantize: bool,
}

#[derive(Debug)]
struct Planned {
    order: usize,
    stem: String,
    layer: Option<Layer>,
}

impl DumpWriter {
    /// Begins a dump of a program's tensors into `dir`.
    ///
    /// # Errors
    /// The folder holds something else, cannot be made, or the selection names something that is not there.
    pub fn create(
        dir: &Path,
        meta: &Meta,
        selection: &Selection,
        dequantize: bool,
    ) -> Result<DumpWriter, DumpError> {
        let plan = plan(meta, selection)?;
        check_target(dir)?;
        let target = absolute(dir)?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(FileError::at("create the folder", parent))?;
        }
        let beside = files::beside(&target).map_err(FileError::at("create the folder", dir))?;
        fs::create_dir(&beside).map_err(FileError::at("create the folder", &beside))?;
        let manifest = Manifest {
            program: meta.name.clone(),
            machine: meta.machine.name.clone(),
            input: None,
            tensors: Vec::new(),
            removed: meta.removed.clone(),
        };
        Ok(DumpWriter { target, beside: Some(beside), plan, entries: BTreeMap::new(), manifest, dequantize })
    }

    /// Says in the manifest which file the inputs came from.
    pub fn name_input(&mut self, name: &str) {
        self.manifest.input = Some(name.into());
    }

    /// Whether the selection holds this tensor.
    #[must_use]
    pub fn wants(&self, tensor: &str) -> bool {
        self.plan.contains_key(tensor)
    }

    /// Writes one tensor: row-major little-endian elements in ONNX layout. What the selection does not hold is passed
    /// over; of a tensor given twice the last counts.
    ///
    /// # Errors
    /// The bytes do not fill the shape, or the file cannot be written.
    pub fn tensor(&mut self, tensor: &TensorEntry, bytes: &[u8]) -> Result<(), DumpError> {
        let (Some(planned), Some(dir)) = (self.plan.get(&tensor.name), &self.beside) else { return Ok(()) };
        let failed = |source| DumpError::Tensor { tensor: tensor.name.clone(), source };
        let data = TensorData {
            element: Element::from_name(&tensor.dtype).unwrap_or(Element::U8),
            shape: tensor.shape.iter().map(|d| usize::try_from(*d).unwrap_or(usize::MAX)).collect(),
            bytes: bytes.to_vec(),
        };
        let file = format!("{}.npy", planned.stem);
        tensor_file::write(&dir.join(&file), &data).map_err(failed)?;
        let mut dequantized = None;
        if let (true, Some(real)) = (self.dequantize, dequantize(&data, tensor)) {
            let name = format!("{}.f32.npy", planned.stem);
            tensor_file::write(&dir.join(&name), &real).map_err(failed)?;
            dequantized = Some(name);
        }
        let layer = planned.layer.as_ref();
        let entry = ManifestEntry {
            tensor: tensor.name.clone(),
            layer: layer.map(|l| l.name.clone()),
            onnx_nodes: layer.map_or_else(Vec::new, |l| l.onnx_nodes.clone()),
            file,
            dequantized,
            dtype: tensor.dtype.clone(),
            shape: tensor.shape.clone(),
            scale: tensor.scale,
            zero_point: tensor.zero_point,
            axis: None,
            digest: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes)),
            host: layer.is_some_and(|l| l.host),
        };
        self.entries.insert(planned.order, entry);
        Ok(())
    }

    /// Writes the manifest and puts the dump in its place.
    ///
    /// # Errors
    /// A file cannot be written, or the place was taken in between.
    pub fn finish(mut self) -> Result<Manifest, DumpError> {
        let mut manifest = std::mem::take(&mut self.manifest);
        manifest.tensors = std::mem::take(&mut self.entries).into_values().collect();
        let Some(beside) = self.beside.clone() else { return Ok(manifest) };
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|e| FileError::at("write", &beside)(std::io::Error::other(e)))?;
        files::replace(&beside.join("manifest.json"), text.as_bytes())?;
        check_target(&self.target)?;
        let failed = |e| FileError::at("replace", &self.target)(e);
        if self.target.exists() {
            // Moved away first, so that there is no moment with half a dump under the name.
            let old = files::beside(&self.target).map_err(failed)?;
            fs::rename(&self.target, &old).map_err(failed)?;
            if let Err(error) = fs::rename(&beside, &self.target) {
                let _ = fs::rename(&old, &self.target);
                return Err(failed(error).into());
            }
            fs::remove_dir_all(&old).map_err(FileError::at("remove", &old))?;
        } else {
            fs::rename(&beside, &self.target).map_err(failed)?;
        }
        self.beside = None;
        Ok(manifest)
    }
}

impl Drop for DumpWriter {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take() {
            // Nothing can be done about a folder that cannot be removed.
            let _ = fs::remove_dir_all(beside);
        }
    }
}

/// A dump may take the place of nothing, of an empty folder and of an earlier dump.
fn check_target(dir: &Path) -> Result<(), DumpError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_none() || dir.join("manifest.json").is_file() {
                Ok(())
            } else {
                Err(DumpError::NotADump { path: dir.to_path_buf() })
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(FileError::at("use as a folder", dir)(e).into()),
    }
}

/// The folder's real path: links resolved as far as they exist, so that renaming replaces the folder, not the link.
fn absolute(dir: &Path) -> Result<PathBuf, DumpError> {
    match fs::canonicalize(dir) {
        Ok(path) => Ok(path),
        Err(_) => Ok(std::path::absolute(dir).map_err(FileError::at("use as a folder", dir))?),
    }
}

fn plan(meta: &Meta, selection: &Selection) -> Result<BTreeMap<String, Planned>, DumpError> {
    let mut chosen: Option<BTreeSet<&str>> = None;
    if let Selection::Named(names) = selection {
        let mut set = BTreeSet::new();
        for name in names {
            let found = named(meta, name);
            if found.is_empty() {
                return Err(unknown(meta, name));
            }
            set.extend(found);
        }
        chosen = Some(set);
    }
    let mut plan = BTreeMap::new();
    for (order, (tensor, stem)) in meta.tensors.iter().zip(file_names(meta)).enumerate() {
        if chosen.as_ref().is_none_or(|c| c.contains(tensor.name.as_str())) {
            let layer = tensor.layer.and_then(|l| meta.layers.get(l as usize)).cloned();
            plan.insert(tensor.name.clone(), Planned { order, stem, layer });
        }
    }
    Ok(plan)
}

/// Tensors with this name, or of the layer with this name.
fn named<'a>(meta: &'a Meta, name: &str) -> Vec<&'a str> {
    let of_layer =
        |t: &TensorEntry| t.layer.and_then(|l| meta.layers.get(l as usize)).is_some_and(|l| l.name == name);
    meta.tensors.iter().filter(|t| t.name == name || of_layer(t)).map(|t| t.name.as_str()).collect()
}

fn unknown(meta: &Meta, name: &str) -> DumpError {
    if let Some(removed) = meta.removed.iter().find(|r| r.tensor == name) {
        return DumpError::Removed { name: name.into(), reason: removed.reason.clone() };
    }
    let all = meta.layers.iter().map(|l| &l.name).chain(meta.tensors.iter().map(|t| &t.name));
    DumpError::UnknownName { name: name.into(), known: all.cloned().collect() }
}

/// The names of the files that hold a program's tensors, without extension, in the order of the tensor table: plain, and
/// unique even where case does not count. Every tensor has its own, whichever of them are written, so a file name means
/// the same tensor everywhere.
#[must_use]
pub fn file_names(meta: &Meta) -> Vec<String> {
    let mut taken = BTreeSet::new();
    meta.tensors.iter().map(|t| file_stem(&t.name, &mut taken)).collect()
}

/// A plain file name from a tensor name, without extension; other tensors are not known, so it may be one of theirs too.
#[must_use]
pub fn file_name(tensor: &str) -> String {
    file_stem(tensor, &mut BTreeSet::new())
}

/// A file name from a tensor name: letters, digits, `.`, `-` and `_`; unique even where case does not count. A long name
/// is cut, and keeps its digest.
fn file_stem(name: &str, taken: &mut BTreeSet<String>) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let mut stem: String = name.chars().map(keep).take(MAX_STEM + 1).collect();
    if stem.len() > MAX_STEM {
        stem.truncate(MAX_STEM - 17);
        stem.push_str(&format!("~{:016x}", xxhash_rust::xxh3::xxh3_64(name.as_bytes())));
    }
    if stem.is_empty() || stem.starts_with(['.', '-']) || stem.to_lowercase() == "manifest" {
        stem.insert(0, '_');
    }
    let mut unique = stem.clone();
    let mut number = 2;
    // The float twin's name counts as taken too: tensors `a` and `a.f32` may both exist.
    while taken.contains(&unique.to_lowercase()) || taken.contains(&format!("{}.f32", unique.to_lowercase()))
    {
        unique = format!("{stem}~{number}");
        number += 1;
    }
    taken.insert(unique.to_lowercase());
    taken.insert(format!("{}.f32", unique.to_lowercase()));
    unique
}

/// `scale · (q − zero_point)` in f32; `None` for what is not quantized.
#[must_use]
pub fn dequantize(data: &TensorData, tensor: &TensorEntry) -> Option<TensorData> {
    let (scale, zero_point) = (tensor.scale?, i64::from(tensor.zero_point?));
    let b = &data.bytes;
    let integers: Vec<i64> = match data.element {
        Element::U8 => b.iter().map(|v| i64::from(*v)).collect(),
        Element::S8 => b.iter().map(|v| i64::from(v.cast_signed())).collect(),
        Element::U16 => b.as_chunks().0.iter().map(|v| i64::from(u16::from_le_bytes(*v))).collect(),
        Element::S16 => b.as_chunks().0.iter().map(|v| i64::from(i16::from_le_bytes(*v))).collect(),
        Element::S32 => b.as_chunks().0.iter().map(|v| i64::from(i32::from_le_bytes(*v))).collect(),
        _ => return None,
    };
    let real = integers.into_iter().flat_map(|q| ((q - zero_point) as f32 * scale).to_le_bytes()).collect();
    Some(TensorData { element: Element::F32, shape: data.shape.clone(), bytes: real })
}
