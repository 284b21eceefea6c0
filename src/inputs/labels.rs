//! Labels: the right class of each sample.

use std::path::Path;

use super::content;
use super::error::{FileFault, InputError};
use crate::files::Reader;
use crate::tensor_file::Element;

/// The labels of the first `count` samples: integers in a `.npy`, or as `y` or `labels` in an `.npz`. The
/// file has one for each of those, or of all samples that are `used`, or of all that were `given`.
///
/// # Errors
/// The file cannot be read, holds no list of classes, or one of another length.
pub fn read_labels(
    path: &Path,
    count: usize,
    (used, given): (usize, usize),
    reader: &Reader,
) -> Result<Vec<usize>, InputError> {
    let array = content::array(path, reader.read(path)?, &["y", "labels"])?;
    let size = array.element.bytes();
    let signed = matches!(array.element, Element::S8 | Element::S16 | Element::S32 | Element::S64);
    let value = |chunk: &[u8]| {
        let negative = signed && chunk.last().is_some_and(|top| *top > 127);
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(chunk);
        usize::try_from(u64::from_le_bytes(wide)).ok().filter(|_| !negative)
    };
    if !matches!(array.shape[..], [_] | [_, 1]) {
        let shape = array.shape.iter().map(|d| *d as u64).collect();
        return Err(InputError::LabelShape { path: path.into(), shape });
    }
    let all: Option<Vec<usize>> = array.bytes.chunks_exact(size).map(value).collect();
    match all.filter(|_| !array.element.is_float()) {
        Some(all) if [count, used, given].contains(&all.len()) && count <= all.len() => {
            Ok(all[..count].to_vec())
        }
        Some(all) => Err(InputError::LabelCount { path: path.into(), found: all.len(), given, used }),
        None => Err(InputError::of(path, FileFault::Labels)),
    }
}
