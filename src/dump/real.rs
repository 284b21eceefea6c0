//! Real values of dumped integers.

use crate::program::TensorEntry;
use crate::tensor_file::{Element, TensorData};

/// `scale · (q − zero_point)` in f32; `None` for what is not quantized.
#[must_use]
pub fn dequantize(data: &TensorData, tensor: &TensorEntry) -> Option<TensorData> {
    let (scale, zero_point) = (tensor.scale?, i64::from(tensor.zero_point?));
    let b = &data.bytes;
    let integers: Vec<i64> = match data.element {
        Element::U8 => b.iter().map(|v| i64::from(*v)).collect(),
        Element::S8 => b.iter().map(|v| i64::from(v.cast_signed())).collect(),
        Element::U16 => b.as_chunks().0.iter().map(|v| i64::from(u16::from_le_bytes(*v))).collect(),
        Element::S16 => b.as_chunks().0.iter().map(|v| i64::from(i16::from_le_bytes(*v))).collect(),
        Element::S32 => b.as_chunks().0.iter().map(|v| i64::from(i32::from_le_bytes(*v))).collect(),
        _ => return None,
    };
    let real = integers.into_iter().flat_map(|q| ((q - zero_point) as f32 * scale).to_le_bytes()).collect();
    Some(TensorData { element: Element::F32, shape: data.shape.clone(), bytes: real })
}
