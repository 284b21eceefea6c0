//! Real values of dumped integers.

use crate::program::TensorEntry;
use crate::tensor_file::{Element, TensorData};

/// `scale · (q − zero_point)` in f32; `None` for what is not quantized.
#[must_use]
pub fn dequantize(data: &TensorData, tensor: &TensorEntry) -> Option<TensorData> {
    let real = reals(data.element, &data.bytes, tensor)?;
    let bytes = real.iter().flat_map(|v| v.to_le_bytes()).collect();
    Some(TensorData { element: Element::F32, shape: data.shape.clone(), bytes })
}

/// The same for little-endian elements.
#[must_use]
pub fn reals(element: Element, bytes: &[u8], tensor: &TensorEntry) -> Option<Vec<f32>> {
    let (scale, zero_point) = (tensor.scale?, i64::from(tensor.zero_point?));
    let real = |q: i64| (q - zero_point) as f32 * scale;
    Some(match element {
        Element::U8 => bytes.iter().map(|v| real(i64::from(*v))).collect(),
        Element::S8 => bytes.iter().map(|v| real(i64::from(v.cast_signed()))).collect(),
        Element::U16 => bytes.as_chunks().0.iter().map(|v| real(i64::from(u16::from_le_bytes(*v)))).collect(),
        Element::S16 => bytes.as_chunks().0.iter().map(|v| real(i64::from(i16::from_le_bytes(*v)))).collect(),
        Element::S32 => bytes.as_chunks().0.iter().map(|v| real(i64::from(i32::from_le_bytes(*v)))).collect(),
        _ => return None,
    })
}
