//! Tensors of dumps, and single arrays of integers, as real values.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{Dump, DumpError, ManifestEntry, dequantize, file_names};
use crate::files::FileError;
use crate::program::{Meta, TensorEntry};
use crate::tensor_file::{Element, TensorData, TensorFileError, to_npy};

/// One tensor before and after conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its ONNX name.
    pub tensor: String,
    /// Name of its file, without extension.
    pub stem: String,
    /// The dumped integers.
    pub integers: TensorData,
    /// `scale · (q − zero_point)` in f32.
    pub real: TensorData,
}

/// An array without real values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its elements are {element}, which have no scale")]
pub struct NoValues {
    /// numpy's name of the element type.
    pub element: &'static str,
}

impl Values {
    /// The real values of an array, with scale and zero point of a tensor; floats are unchanged.
    ///
    /// # Errors
    /// Elements without a scale.
    pub fn of(stem: &str, integers: TensorData, like: &TensorEntry) -> Result<Values, NoValues> {
        let real = dequantize(&integers, like).unwrap_or_else(|| integers.clone());
        if real.element != Element::F32 {
            return Err(NoValues { element: integers.element.numpy_name() });
        }
        Ok(Values { tensor: like.name.clone(), stem: stem.into(), integers, real })
    }

    /// The real values as a `.npy` file.
    ///
    /// # Errors
    /// As [`to_npy`].
    pub fn npy(&self) -> Result<Vec<u8>, TensorFileError> {
        to_npy(&self.real)
    }

    /// One line for each element: indices, integer, real value. Floats have no integer.
    #[must_use]
    pub fn csv(&self) -> String {
        let shape = &self.integers.shape;
        let mut text = String::new();
        for axis in 0..shape.len() {
            let _ = write!(text, "i{axis},");
        }
        text.push_str("integer,value\n");
        // 16 bits and less are exact in f32.
        let ones = TensorEntry { scale: Some(1.0), zero_point: Some(0), ..TensorEntry::default() };
        let floats = |t: &TensorData| -> Vec<f32> {
            t.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        };
        let integers = dequantize(&self.integers, &ones).as_ref().map(floats);
        let mut index = vec![0_usize; shape.len()];
        for (at, value) in floats(&self.real).into_iter().enumerate() {
            for i in &index {
                let _ = write!(text, "{i},");
            }
            let integer = integers.as_ref().and_then(|v| v.get(at)).map_or_else(String::new, f32::to_string);
            let _ = writeln!(text, "{integer},{value}");
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        text
    }
}

impl Dump {
    /// The dumps in a folder, by name: one for each stacked input.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn below(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(FileError::at("read", folder))? {
            let path = entry.map_err(FileError::at("read", folder))?.path();
            if Dump::is_dump(&path) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// The tensors with one of these names, of a layer or their own; all tensors if there are no names.
    ///
    /// # Errors
    /// A name that no layer and no tensor has.
    pub fn named(&self, names: &[String]) -> Result<Vec<&ManifestEntry>, DumpError> {
        let entries = &self.manifest.tensors;
        let has = |e: &ManifestEntry, name: &String| e.tensor == *name || e.layer.as_ref() == Some(name);
        if let Some(name) = names.iter().find(|name| !entries.iter().any(|e| has(e, name))) {
            let known = entries.iter().flat_map(|e| e.layer.iter().chain([&e.tensor])).cloned().collect();
            return Err(DumpError::UnknownName { name: name.clone(), known });
        }
        let wanted = |e: &&ManifestEntry| names.is_empty() || names.iter().any(|name| has(e, name));
        Ok(entries.iter().filter(wanted).collect())
    }

    /// A tensor with its real values.
    ///
    /// # Errors
    /// As [`Dump::integers`].
    pub fn values(&self, entry: &ManifestEntry) -> Result<Values, DumpError> {
        let (integers, like) = (self.integers(entry)?, entry.like());
        let real = dequantize(&integers, &like).unwrap_or_else(|| integers.clone());
        Ok(Values { tensor: like.name, stem: stem(Path::new(&entry.file)), integers, real })
    }

    /// The tensor that a file of this dump holds.
    #[must_use]
    pub fn tensor_of(&self, file: &str) -> Option<TensorEntry> {
        self.manifest.tensors.iter().find(|e| e.file == file).map(ManifestEntry::like)
    }
}

impl ManifestEntry {
    /// Name, scale and zero point of the tensor.
    #[must_use]
    pub fn like(&self) -> TensorEntry {
        TensorEntry {
            name: self.tensor.clone(),
            scale: self.scale,
            zero_point: self.zero_point,
            ..TensorEntry::default()
        }
    }
}

/// The tensor of a program whose dump file has this name, without extension.
#[must_use]
pub fn tensor_of_stem(meta: &Meta, stem: &str) -> Option<TensorEntry> {
    meta.tensors.iter().zip(file_names(meta)).find(|(_, name)| name == stem).map(|(t, _)| t.clone())
}

/// The name of a file without extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_beside_their_integers_line_by_line() {
        let like = TensorEntry {
            name: "t".into(),
            scale: Some(0.5),
            zero_point: Some(10),
            ..TensorEntry::default()
        };
        let array = |element, bytes: &[u8]| TensorData { element, shape: vec![1, 2], bytes: bytes.to_vec() };
        let values = Values::of("t_0", array(Element::U8, &[10, 13]), &like).unwrap();
        assert_eq!(values.csv(), "i0,i1,integer,value\n0,0,10,0\n0,1,13,1.5\n");
        let floats = [2.5_f32.to_le_bytes(), 0_f32.to_le_bytes()].concat();
        let values = Values::of("t_0", array(Element::F32, &floats), &like).unwrap();
        assert_eq!(values.csv(), "i0,i1,integer,value\n0,0,,2.5\n0,1,,0\n");
        let none = Values::of("t_0", array(Element::S64, &[0; 16]), &like).unwrap_err();
        assert_eq!(none.to_string(), "its elements are int64, which have no scale");
    }
}
