//! The outputs of many runs as files.

use std::path::Path;

use super::{DumpError, file_names};
use crate::files::Batch;
use crate::program::{Meta, Role, TensorEntry};
use crate::tensor_file::{self, TensorData};

/// The outputs of a program, with the names of their files.
pub fn output_files(meta: &Meta) -> impl Iterator<Item = (&TensorEntry, String)> {
    let named = meta.tensors.iter().zip(file_names(meta));
    named.filter(|(t, _)| t.role == Role::Output).map(|(t, stem)| (t, format!("{stem}.npy")))
}

/// Writes every output, those of all runs stacked along the first axis, as `FOLDER/NAME.npy`; returns the
/// file names. `runs` are the outputs' bytes of each run, in the order of the tensor table.
///
/// # Errors
/// A file cannot be written.
pub fn write_outputs(folder: &Path, meta: &Meta, runs: &[&[Vec<u8>]]) -> Result<Vec<String>, DumpError> {
    let mut written = Batch::new();
    written.folder(folder)?;
    let mut names = Vec::new();
    for (i, (tensor, file)) in output_files(meta).enumerate() {
        let mut shape: Vec<usize> = tensor.shape.iter().map(|d| *d as usize).collect();
        match shape.first_mut() {
            Some(batch) => *batch *= runs.len(),
            None if runs.len() > 1 => shape.push(runs.len()),
            None => {}
        }
        let bytes = runs.iter().flat_map(|outputs| outputs.get(i).into_iter().flatten().copied()).collect();
        let data = TensorData { element: tensor.dtype.into(), shape, bytes };
        let array = tensor_file::to_npy(&data)
            .map_err(|source| DumpError::Tensor { tensor: tensor.name.clone(), source })?;
        written.file(&folder.join(&file), &array)?;
        names.push(file);
    }
    written.finish()?;
    Ok(names)
}
