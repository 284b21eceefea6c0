//! Lossless conversion of arrays to other element types.

use super::{Element, TensorData};

/// Why an array cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// Between integers, floats and booleans: the intended meaning is unknown.
    #[error("the array holds {}", found.numpy_name())]
    Kind {
        /// The array's type.
        found: Element,
    },
    /// An integer that does not fit.
    #[error("the array holds {}, and its value {value} (element {at}) is none of {}", found.numpy_name(), wanted.numpy_name())]
    Range {
        /// The array's type.
        found: Element,
        /// The other type.
        wanted: Element,
        /// The value.
        value: i128,
        /// Index of the element in row-major order, from 0.
        at: usize,
    },
}

impl Element {
    /// Whether its values are integers.
    #[must_use]
    pub fn is_integer(self) -> bool {
        !matches!(self, Element::Bool) && !self.is_float()
    }

    /// Whether its values are floats.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Element::F16 | Element::F32 | Element::F64)
    }
}

impl TensorData {
    /// The same values in another type: integers if all of them fit, floats to `f32`, rounded to nearest.
    ///
    /// # Errors
    /// An integer does not fit, or the types are of different kinds.
    pub fn to(self, wanted: Element) -> Result<TensorData, ConvertError> {
        let found = self.element;
        if found == wanted {
            return Ok(self);
        }
        if found.is_float() && wanted == Element::F32 {
            let floats = self.floats().unwrap_or_default();
            let bytes = floats.into_iter().flat_map(f32::to_le_bytes).collect();
            return Ok(TensorData { element: wanted, bytes, shape: self.shape });
        }
        if !found.is_integer() || !wanted.is_integer() {
            return Err(ConvertError::Kind { found });
        }
        let size = wanted.bytes();
        let mut bytes = Vec::with_capacity(self.elements() * size);
        for (at, value) in self.integers().into_iter().enumerate() {
            let little = value.to_le_bytes();
            // Converting the bytes back must give the same value.
            if widened(&little[..size], wanted) != value {
                return Err(ConvertError::Range { found, wanted, value, at });
            }
            bytes.extend_from_slice(&little[..size]);
        }
        Ok(TensorData { element: wanted, bytes, shape: self.shape })
    }

    /// The values of a float tensor; those of 64 bits rounded to nearest.
    #[must_use]
    pub fn floats(&self) -> Option<Vec<f32>> {
        let b = &self.bytes;
        Some(match self.element {
            Element::F16 => b.as_chunks().0.iter().map(|v| half::f16::from_le_bytes(*v).to_f32()).collect(),
            Element::F64 => b.as_chunks().0.iter().map(|v| f64::from_le_bytes(*v) as f32).collect(),
            Element::F32 => b.as_chunks().0.iter().map(|v| f32::from_le_bytes(*v)).collect(),
            _ => return None,
        })
    }

    fn integers(&self) -> Vec<i128> {
        self.bytes.chunks_exact(self.element.bytes()).map(|chunk| widened(chunk, self.element)).collect()
    }
}

/// The value of a little-endian integer.
fn widened(chunk: &[u8], element: Element) -> i128 {
    let signed = matches!(element, Element::S8 | Element::S16 | Element::S32 | Element::S64);
    let negative = signed && chunk.last().is_some_and(|top| *top > 127);
    let mut wide = [if negative { 0xFF } else { 0 }; 16];
    wide[..chunk.len()].copy_from_slice(chunk);
    i128::from_le_bytes(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(element: Element, bytes: &[u8]) -> TensorData {
        TensorData { element, shape: vec![bytes.len() / element.bytes()], bytes: bytes.to_vec() }
    }

    #[test]
    fn integers_keep_their_values_or_say_which_does_not_fit() {
        let words = array(Element::S32, &[-1_i32, 7].map(i32::to_le_bytes).concat());
        let wide = words.clone().to(Element::S64).unwrap();
        assert_eq!(wide.bytes, [-1_i64, 7].map(i64::to_le_bytes).concat());
        assert_eq!(wide.to(Element::S8).unwrap().bytes, [255, 7]);
        let error = words.to(Element::U8).unwrap_err().to_string();
        assert!(
            error.contains("int32") && error.contains("value -1 (element 0) is none of uint8"),
            "{error}"
        );
        let large = array(Element::U64, &u64::MAX.to_le_bytes());
        assert!(
            matches!(large.to(Element::S64), Err(ConvertError::Range { value, .. }) if value == i128::from(u64::MAX))
        );
    }

    #[test]
    fn floats_round_to_nearest_and_kinds_do_not_mix() {
        let double = array(Element::F64, &0.1_f64.to_le_bytes());
        assert_eq!(double.clone().to(Element::F32).unwrap().bytes, 0.1_f32.to_le_bytes());
        for (from, to) in [
            (double, Element::S64),
            (array(Element::U8, &[1]), Element::F32),
            (array(Element::Bool, &[1]), Element::U8),
        ] {
            let found = from.element;
            assert_eq!(from.to(to), Err(ConvertError::Kind { found }));
        }
    }
}
