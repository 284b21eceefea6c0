//! Writing a dump.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Dump, DumpError, Manifest, ManifestEntry, Selection, dequantize};
use crate::document;
use crate::files::{FileError, Folder};
use crate::program::{Layer, Meta, TensorEntry};
use crate::tensor_file::{self, TensorData, unique_file_name};

/// Dumps of several inputs, a folder each, which appear together. Nothing is left behind if it is dropped
/// without [`finish`](DumpStack::finish).
#[derive(Debug)]
pub struct DumpStack {
    folder: Folder,
}

impl DumpStack {
    /// Starts the dumps in `dir`.
    ///
    /// # Errors
    /// The folder has other contents, or cannot be created.
    pub fn create(dir: &Path) -> Result<DumpStack, DumpError> {
        check_target(dir)?;
        Ok(DumpStack { folder: Folder::create(dir)? })
    }

    /// Starts the dump of one input, in a folder of this name.
    ///
    /// # Errors
    /// As [`DumpWriter::create`].
    pub fn dump(
        &self,
        name: &str,
        meta: &Meta,
        selection: &Selection,
        dequantize: bool,
    ) -> Result<DumpWriter, DumpError> {
        Ok(DumpWriter::in_folder(self.folder.inside(name)?, meta, plan(meta, selection)?, dequantize))
    }

    /// Renames the dumps into place, once all of them are finished.
    ///
    /// # Errors
    /// As [`DumpWriter::finish`].
    pub fn finish(self) -> Result<(), DumpError> {
        self.folder.finish(check_target)
    }
}

/// Writes one dump. Nothing is left behind if it is dropped without [`finish`](DumpWriter::finish).
#[derive(Debug)]
pub struct DumpWriter {
    folder: Folder,
    /// By tensor name: index in the table, file stem, layer. Only the selected ones.
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
    /// Starts a dump of a program's tensors into `dir`.
    ///
    /// # Errors
    /// The folder has other contents, cannot be created, or the selection has an unknown name.
    pub fn create(
        dir: &Path,
        meta: &Meta,
        selection: &Selection,
        dequantize: bool,
    ) -> Result<DumpWriter, DumpError> {
        let plan = plan(meta, selection)?;
        check_target(dir)?;
        Ok(DumpWriter::in_folder(Folder::create(dir)?, meta, plan, dequantize))
    }

    fn in_folder(
        folder: Folder,
        meta: &Meta,
        plan: BTreeMap<String, Planned>,
        dequantize: bool,
    ) -> DumpWriter {
        let manifest = Manifest {
            program: meta.name.clone(),
            machine: meta.machine.name.clone(),
            input: None,
            tensors: Vec::new(),
            removed: meta.removed.clone(),
        };
        DumpWriter { folder, plan, entries: BTreeMap::new(), manifest, dequantize }
    }

    /// Records the name of the input file in the manifest.
    pub fn name_input(&mut self, name: &str) {
        self.manifest.input = Some(name.into());
    }

    /// Whether the selection includes this tensor.
    #[must_use]
    pub fn wants(&self, tensor: &str) -> bool {
        self.plan.contains_key(tensor)
    }

    /// Writes one tensor: row-major little-endian elements in ONNX layout. Tensors that are not selected are
    /// skipped; if a tensor is written twice, the last one counts.
    ///
    /// # Errors
    /// The bytes do not fill the shape, or the file cannot be written.
    pub fn tensor(&mut self, tensor: &TensorEntry, bytes: &[u8]) -> Result<(), DumpError> {
        let Some(planned) = self.plan.get(&tensor.name) else { return Ok(()) };
        let failed = |source| DumpError::Tensor { tensor: tensor.name.clone(), source };
        let data = TensorData {
            element: tensor.dtype.into(),
            shape: tensor.shape.iter().map(|d| usize::try_from(*d).unwrap_or(usize::MAX)).collect(),
            bytes: bytes.to_vec(),
        };
        let file = format!("{}.npy", planned.stem);
        self.folder.file(&file, &tensor_file::to_npy(&data).map_err(failed)?)?;
        let mut dequantized = None;
        if let (true, Some(real)) = (self.dequantize, dequantize(&data, tensor)) {
            let name = format!("{}.f32.npy", planned.stem);
            self.folder.file(&name, &tensor_file::to_npy(&real).map_err(failed)?)?;
            dequantized = Some(name);
        }
        let layer = planned.layer.as_ref();
        let entry = ManifestEntry {
            tensor: tensor.name.clone(),
            layer: layer.map(|l| l.name.clone()),
            onnx_nodes: layer.map_or_else(Vec::new, |l| l.onnx_nodes.clone()),
            file,
            dequantized,
            dtype: tensor.dtype,
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

    /// Writes the manifest and renames the dump into place.
    ///
    /// # Errors
    /// A file cannot be written, or the place was taken in the meantime.
    pub fn finish(mut self) -> Result<Manifest, DumpError> {
        let mut manifest = std::mem::take(&mut self.manifest);
        manifest.tensors = std::mem::take(&mut self.entries).into_values().collect();
        self.folder.file("manifest.json", document::pretty(&manifest).as_bytes())?;
        self.folder.finish(check_target)?;
        Ok(manifest)
    }
}

/// Checks that dumps may replace a folder: it does not exist, is empty, or contains earlier dumps and nothing
/// else.
///
/// # Errors
/// It is not a folder, or other contents would be lost.
pub fn check_target(dir: &Path) -> Result<(), DumpError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(FileError::at("use as a folder", dir)(e).into()),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        names.insert(entry.map_err(FileError::at("read", dir))?.file_name());
    }
    if names.is_empty() {
        return Ok(());
    }
    if Dump::is_dump(dir) {
        for entry in Dump::open(dir)?.manifest.tensors {
            names.remove(entry.file.as_ref() as &std::ffi::OsStr);
            if let Some(real) = entry.dequantized {
                names.remove(real.as_ref() as &std::ffi::OsStr);
            }
        }
        names.remove("manifest.json".as_ref() as &std::ffi::OsStr);
        return match names.pop_first() {
            Some(name) => Err(DumpError::More { path: dir.join(name) }),
            None => Ok(()),
        };
    }
    for name in names {
        let inside = dir.join(name);
        if !Dump::is_dump(&inside) {
            return Err(DumpError::NotADump { path: dir.to_path_buf() });
        }
        check_target(&inside)?;
    }
    Ok(())
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

/// The names of the files of a program's tensors, without extension, in the order of the tensor table:
/// portable, and unique even where case is ignored. They do not depend on the selection, so a file name means
/// the same tensor in every dump.
#[must_use]
pub fn file_names(meta: &Meta) -> Vec<String> {
    let mut taken = BTreeSet::new();
    meta.tensors.iter().map(|t| unique_file_name(&t.name, &mut taken)).collect()
}
