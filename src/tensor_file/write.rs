//! Writing `.npy`.

use std::path::Path;

use ndarray::ArrayD;
use ndarray_npy::{WritableElement, WriteNpyExt};

use super::{Element, TensorData, TensorFileError};
use crate::files;

/// Writes a tensor as `.npy`, to a temporary file that is then renamed.
///
/// # Errors
/// The file cannot be written, or the bytes do not fill the shape.
pub fn write(path: &Path, tensor: &TensorData) -> Result<(), TensorFileError> {
    Ok(files::replace(path, &to_npy(tensor)?)?)
}

/// A tensor as the bytes of a `.npy` file.
///
/// # Errors
/// The bytes do not fill the shape.
pub fn to_npy(tensor: &TensorData) -> Result<Vec<u8>, TensorFileError> {
    let b = &tensor.bytes;
    match tensor.element {
        Element::U8 => npy(tensor, b.clone()),
        Element::S8 => npy(tensor, values(b, i8::from_le_bytes)),
        Element::U16 => npy(tensor, values(b, u16::from_le_bytes)),
        Element::S16 => npy(tensor, values(b, i16::from_le_bytes)),
        Element::S32 => npy(tensor, values(b, i32::from_le_bytes)),
        Element::S64 => npy(tensor, values(b, i64::from_le_bytes)),
        Element::U32 => npy(tensor, values(b, u32::from_le_bytes)),
        Element::U64 => npy(tensor, values(b, u64::from_le_bytes)),
        Element::F16 => {
            let mut file = npy(tensor, values(b, u16::from_le_bytes))?;
            super::read::rename_words(&mut file, b'u', b'f');
            Ok(file)
        }
        Element::F32 => npy(tensor, values(b, f32::from_le_bytes)),
        Element::F64 => npy(tensor, values(b, f64::from_le_bytes)),
        Element::Bool => npy(tensor, values(b, |[byte]| byte != 0)),
    }
}

fn values<T, const N: usize>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| from(*chunk)).collect()
}

fn npy<T: WritableElement>(tensor: &TensorData, values: Vec<T>) -> Result<Vec<u8>, TensorFileError> {
    let array =
        ArrayD::from_shape_vec(tensor.shape.clone(), values).map_err(|_| TensorFileError::Length {
            bytes: tensor.bytes.len(),
            shape: tensor.shape.clone(),
            element: tensor.element.name(),
        })?;
    let mut out = Vec::with_capacity(tensor.bytes.len() + 128);
    array.write_npy(&mut out).map_err(|e| TensorFileError::Npy { reason: e.to_string() })?;
    Ok(out)
}
