//! What a run computed: the outputs as real values, best classes, files.

use std::path::Path;

use super::places;
use crate::dump::{self, Dump};
use crate::explain::Failure;
use crate::files::Batch;
use crate::program::{Meta, Role, TensorEntry};
use crate::tensor_file::{self, Element, TensorData};

/// A class and its value.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct Class {
    pub(super) class: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    pub(super) value: f32,
}

/// The output tensors of a program.
pub(super) fn of(meta: &Meta) -> impl Iterator<Item = &TensorEntry> {
    meta.tensors.iter().filter(|t| t.role == Role::Output)
}

/// Whether the output looks like a classifier's: one axis longer than 1.
pub(super) fn has_classes(tensor: &TensorEntry) -> bool {
    tensor.shape.iter().filter(|d| **d > 1).count() == 1
}

/// The five greatest elements of a classifier's output.
pub(super) fn best(tensor: &TensorEntry, bytes: &[u8]) -> Vec<Class> {
    if !has_classes(tensor) {
        return Vec::new();
    }
    let values = real(tensor, bytes);
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Equal values: the lower class first, as numpy's argmax has it.
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    let class = |i: usize| Class { class: i, label: tensor.labels.get(i).cloned(), value: values[i] };
    order.into_iter().take(5).map(class).collect()
}

/// Real values of a tensor.
fn real(tensor: &TensorEntry, bytes: &[u8]) -> Vec<f32> {
    let data = TensorData {
        element: tensor.dtype.into(),
        shape: tensor.shape.iter().map(|d| *d as usize).collect(),
        bytes: bytes.to_vec(),
    };
    let data = dump::dequantize(&data, tensor).unwrap_or(data);
    match data.element {
        Element::F32 => data.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Element::S32 => data.bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect(),
        Element::S64 => data.bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
        Element::Bool => data.bytes.iter().map(|b| f32::from(u8::from(*b != 0))).collect(),
        _ => Vec::new(),
    }
}

/// The outputs with their file names.
fn files(meta: &Meta) -> impl Iterator<Item = (&TensorEntry, String)> {
    let named = meta.tensors.iter().zip(dump::file_names(meta));
    named.filter(|(t, _)| t.role == Role::Output).map(|(t, stem)| (t, format!("{stem}.npy")))
}

/// Declares the files that [`write`] will write, and tries whether it can.
pub(super) fn declare(dir: &Path, meta: &Meta) -> Result<(), Failure> {
    places::is_folder("--output", dir)?;
    if Dump::is_dump(dir) {
        return Err(Failure::usage(format!("--output {}", dir.display()))
            .why(&"the folder holds a dump, whose files would not be what it says any more")
            .help("choose another folder"));
    }
    places::writes_in_folder("--output", dir)?;
    files(meta).try_for_each(|(_, file)| places::writes_in_folder("--output", &dir.join(file)))?;
    places::try_folder(dir)
}

/// Writes every output, those of all runs stacked along the first axis, as `DIR/NAME.npy`; returns the file names.
pub(super) fn write(dir: &Path, meta: &Meta, runs: &[Vec<Vec<u8>>]) -> Result<Vec<String>, Failure> {
    let mut written = Batch::new();
    written.folder(dir)?;
    let mut names = Vec::new();
    for (i, (tensor, file)) in files(meta).enumerate() {
        let mut shape: Vec<usize> = tensor.shape.iter().map(|d| *d as usize).collect();
        match shape.first_mut() {
            Some(batch) => *batch *= runs.len(),
            None if runs.len() > 1 => shape.push(runs.len()),
            None => {}
        }
        let bytes = runs.iter().flat_map(|outputs| outputs[i].iter().copied()).collect();
        let element = tensor.dtype.into();
        let path = dir.join(&file);
        let array = tensor_file::to_npy(&TensorData { element, shape, bytes });
        written.file(&path, &array.map_err(|e| Failure::tensor(&path, e))?)?;
        names.push(file);
    }
    written.finish()?;
    Ok(names)
}
