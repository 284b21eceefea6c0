//! Conversion between tensors and Rust numbers.

use ndarray::{Array, ArrayD, Dimension, IxDyn};

use super::{Element, TensorData, TensorFileError};

/// A Rust number type of tensor elements.
pub trait Number: Copy {
    /// Its element type.
    const ELEMENT: Element;

    /// Writes its little-endian bytes, [`Element::bytes`] of them; does nothing if `bytes` has another
    /// length.
    fn put(self, bytes: &mut [u8]);

    /// The number from [`Element::bytes`] little-endian bytes; `None` if `bytes` has another length.
    fn get(bytes: &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty => $element:ident),*) => {
        $(impl Number for $number {
            const ELEMENT: Element = Element::$element;

            fn put(self, bytes: &mut [u8]) {
                if let Ok(bytes) = bytes.try_into() {
                    let bytes: &mut [u8; size_of::<$number>()] = bytes;
                    *bytes = self.to_le_bytes();
                }
            }

            fn get(bytes: &[u8]) -> Option<$number> {
                Some(<$number>::from_le_bytes(bytes.try_into().ok()?))
            }
        })*
    };
}

numbers!(u8 => U8, i8 => S8, u16 => U16, i16 => S16, i32 => S32, i64 => S64, u32 => U32, u64 => U64, f32 => F32, f64 => F64);

impl Number for bool {
    const ELEMENT: Element = Element::Bool;

    fn put(self, bytes: &mut [u8]) {
        bytes.fill(u8::from(self));
    }

    fn get(bytes: &[u8]) -> Option<bool> {
        match bytes {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }
}

/// The bytes of numbers, one after the other.
fn little_endian<'a, T: Number + 'a>(values: impl ExactSizeIterator<Item = &'a T>) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * T::ELEMENT.bytes()];
    bytes.chunks_exact_mut(T::ELEMENT.bytes()).zip(values).for_each(|(to, value)| value.put(to));
    bytes
}

impl TensorData {
    /// A tensor of numbers in row-major order.
    ///
    /// # Errors
    /// There are not as many numbers as the shape has elements.
    pub fn new<T: Number>(shape: &[usize], values: &[T]) -> Result<TensorData, TensorFileError> {
        let elements = shape.iter().try_fold(1_usize, |n, extent| n.checked_mul(*extent));
        if elements != Some(values.len()) {
            let (bytes, element) = (size_of_val(values), T::ELEMENT.name());
            return Err(TensorFileError::Length { bytes, shape: shape.to_vec(), element });
        }
        Ok(TensorData { element: T::ELEMENT, shape: shape.to_vec(), bytes: little_endian(values.iter()) })
    }

    /// The numbers in row-major order; `None` if they have another type.
    #[must_use]
    pub fn values<T: Number>(&self) -> Option<Vec<T>> {
        if T::ELEMENT != self.element {
            return None;
        }
        self.bytes.chunks_exact(self.element.bytes()).map(T::get).collect()
    }

    /// The numbers as an array; `None` if they have another type.
    #[must_use]
    pub fn array<T: Number>(&self) -> Option<ArrayD<T>> {
        ArrayD::from_shape_vec(IxDyn(&self.shape), self.values()?).ok()
    }
}

impl<T: Number, D: Dimension> From<&Array<T, D>> for TensorData {
    fn from(array: &Array<T, D>) -> TensorData {
        let bytes = match array.as_slice() {
            Some(values) => little_endian(values.iter()),
            None => little_endian(array.iter()),
        };
        TensorData { element: T::ELEMENT, shape: array.shape().to_vec(), bytes }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn numbers_come_back_as_they_went() {
        let tensor = TensorData::new(&[2, 2], &[-1_i32, 2, i32::MIN, 4]).unwrap();
        assert_eq!(tensor.values::<i32>(), Some(vec![-1, 2, i32::MIN, 4]));
        assert_eq!(tensor.values::<f32>(), None);
        assert!(TensorData::new(&[3], &[1_u8]).is_err());
        assert!(TensorData::new(&[usize::MAX, 3], &[1_u8]).is_err());
        let truth = TensorData::new(&[], &[true]).unwrap();
        assert_eq!(truth.values::<bool>(), Some(vec![true]));
    }

    #[test]
    fn arrays_are_taken_in_row_major_order_whatever_their_strides() {
        let array = array![[1.5_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let turned = TensorData::from(&array.clone().reversed_axes());
        assert_eq!(
            (turned.shape.clone(), turned.values()),
            (vec![3, 2], Some(vec![1.5_f32, 4.0, 2.0, 5.0, 3.0, 6.0]))
        );
        assert_eq!(TensorData::from(&array).array::<f32>(), Some(array.into_dyn()));
    }
}
