//! Tensors from the numbers of Rust, and back.

use ndarray::{Array, ArrayD, Dimension, IxDyn};

use super::{Element, TensorData, TensorFileError};

/// A number that tensors are made of.
pub trait Number: Copy {
    /// Its type in a tensor.
    const ELEMENT: Element;

    /// Appends its little-endian bytes.
    fn put(self, bytes: &mut Vec<u8>);

    /// The number of [`Element::bytes`] little-endian bytes; none if there are more or fewer.
    fn get(bytes: &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty => $element:ident),*) => {
        $(impl Number for $number {
            const ELEMENT: Element = Element::$element;

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
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

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self));
    }

    fn get(bytes: &[u8]) -> Option<bool> {
        match bytes {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }
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
        let mut bytes = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|value| value.put(&mut bytes));
        Ok(TensorData { element: T::ELEMENT, shape: shape.to_vec(), bytes })
    }

    /// The numbers in row-major order; none if they are of another type.
    #[must_use]
    pub fn values<T: Number>(&self) -> Option<Vec<T>> {
        if T::ELEMENT != self.element {
            return None;
        }
        self.bytes.chunks_exact(self.element.bytes()).map(T::get).collect()
    }

    /// The numbers as an array; none if they are of another type.
    #[must_use]
    pub fn array<T: Number>(&self) -> Option<ArrayD<T>> {
        ArrayD::from_shape_vec(IxDyn(&self.shape), self.values()?).ok()
    }
}

impl<T: Number, D: Dimension> From<&Array<T, D>> for TensorData {
    fn from(array: &Array<T, D>) -> TensorData {
        let mut bytes = Vec::with_capacity(array.len() * size_of::<T>());
        array.iter().for_each(|value| value.put(&mut bytes));
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
