//! Conversion of an array to samples of an input.

use std::path::Path;

use super::error::{FileFault, InputError};
use super::ports::Port;
use crate::dtype::DType;
use crate::tensor_file::{Element, TensorData};

impl Port {
    /// Whether an array holds pixels that must be normalized.
    pub(super) fn takes_pixels(&self, array: &TensorData) -> bool {
        array.element == Element::U8 && self.tensor.dtype == DType::F32 && self.tensor.preprocess.is_some()
    }

    /// Cuts an array into samples: it has the input's shape, or N times its first extent. Arrays of `uint8`
    /// are pixels for a float input with preprocessing. `path` is the file of the array, for messages.
    pub(super) fn cut(&self, path: &Path, array: TensorData) -> Result<Vec<Vec<u8>>, InputError> {
        let shape: Vec<u64> = array.shape.iter().map(|d| *d as u64).collect();
        let Some(count) = stacked(&self.tensor.shape, &shape) else {
            let (input, wanted) = (self.tensor.name.clone(), self.tensor.shape.clone());
            return Err(InputError::of(path, FileFault::Shape { input, wanted, found: shape }));
        };
        let pixels = self.takes_pixels(&array);
        let array = if pixels { array } else { self.typed(path, array)? };
        let size = array.bytes.len() / count.max(1);
        let cut = array.bytes.chunks_exact(size.max(1));
        match &self.tensor.preprocess {
            Some(how) if pixels => cut.map(|sample| self.normalize(sample, how)).collect(),
            _ => Ok(cut.map(<[u8]>::to_vec).collect()),
        }
    }

    /// Converts the array to the input's element type.
    fn typed(&self, path: &Path, array: TensorData) -> Result<TensorData, InputError> {
        let wanted = Element::from(self.tensor.dtype);
        let found = array.element;
        let made = array.to(wanted).map_err(|source| {
            let input = self.tensor.name.clone();
            InputError::of(path, FileFault::Type { input, wanted, found, source })
        })?;
        if found == Element::F64 {
            tracing::warn!("'{}': float64 rounded to float32", path.display());
        }
        Ok(made)
    }
}

/// How many samples an array holds; `None` if its shape does not fit. `[N, H, W]` is read as `[N, 1, H, W]`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Pictures;
    use crate::program::{Preprocess, TensorEntry};

    fn port(dtype: DType, shape: &[u64]) -> Port {
        let tensor = TensorEntry { name: "x".into(), dtype, shape: shape.to_vec(), ..TensorEntry::default() };
        Port { tensor, pictures: Pictures::default(), model: None }
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

    /// The samples of an array of zeros with some type and shape.
    fn zeros(port: &Port, element: Element, shape: &[usize]) -> Result<Vec<Vec<u8>>, InputError> {
        let bytes = vec![0; shape.iter().product::<usize>() * element.bytes()];
        port.cut(Path::new("a.npy"), TensorData { element, shape: shape.to_vec(), bytes })
    }

    #[test]
    fn a_wrong_type_or_shape_says_expected_and_found() {
        let error = zeros(&port(DType::S64, &[1, 3]), Element::F32, &[1, 3]).unwrap_err().to_string();
        assert!(error.contains("takes int64, the array holds float32"), "{error}");
        let error = zeros(&port(DType::F32, &[1, 3]), Element::U8, &[1, 3]).unwrap_err().to_string();
        assert!(error.contains("takes float32, the array holds uint8"), "{error}");
        let error = zeros(&port(DType::F32, &[1, 3]), Element::F32, &[3, 1]).unwrap_err().to_string();
        assert!(error.contains("has shape 1x3, the array 3x1"), "{error}");
    }

    #[test]
    fn integers_of_other_widths_and_other_floats_become_the_inputs_type() {
        for element in [Element::S32, Element::U8, Element::S64, Element::U32] {
            assert_eq!(zeros(&port(DType::S64, &[1, 3]), element, &[2, 3]).unwrap(), vec![vec![0; 24]; 2]);
        }
        for element in [Element::F16, Element::F64, Element::F32] {
            assert_eq!(zeros(&port(DType::F32, &[1, 3]), element, &[2, 3]).unwrap(), vec![vec![0; 12]; 2]);
        }
    }

    #[test]
    fn pixels_are_normalized_for_an_input_that_says_how() {
        let mut port = port(DType::F32, &[1, 2, 1, 1]);
        port.tensor.preprocess =
            Some(Preprocess { resize: None, mean: vec![1.0, 2.0], std: vec![2.0], bgr: false });
        let array = TensorData { element: Element::U8, shape: vec![2, 2, 1, 1], bytes: vec![3, 4, 5, 8] };
        let samples = port.cut(Path::new("a.npy"), array).unwrap();
        assert_eq!(samples[0], [1.0_f32, 1.0].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
        assert_eq!(samples[1], [2.0_f32, 3.0].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>());
    }
}
