//! The classes that a classifier's output is about.

use schemars::JsonSchema;
use serde::Serialize;

use crate::dump;
use crate::program::TensorEntry;
use crate::tensor_file::{Element, TensorData};

/// Classes that are listed.
const LISTED: usize = 5;

/// A class and its value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Class {
    /// Number.
    pub class: usize,
    /// Name, if names were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The output's real value; null where it is no number.
    #[schemars(with = "Option<f32>")]
    pub value: f32,
}

/// Whether the output looks like a classifier's: one axis longer than 1.
#[must_use]
pub fn has_classes(tensor: &TensorEntry) -> bool {
    tensor.shape.iter().filter(|d| **d > 1).count() == 1
}

/// The five greatest elements of a classifier's output, from its bytes; nothing of other outputs.
#[must_use]
pub fn best(tensor: &TensorEntry, bytes: &[u8]) -> Vec<Class> {
    if !has_classes(tensor) {
        return Vec::new();
    }
    let values = real(tensor, bytes);
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Equal values: the lower class first, as numpy's argmax has it.
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    let class = |i: usize| Class { class: i, label: tensor.labels.get(i).cloned(), value: values[i] };
    order.into_iter().take(LISTED).map(class).collect()
}

/// Real values of a tensor.
fn real(tensor: &TensorEntry, bytes: &[u8]) -> Vec<f32> {
    let data = TensorData {
        element: tensor.dtype.into(),
        shape: tensor.shape.iter().map(|d| *d as usize).collect(),
        bytes: bytes.to_vec(),
    };
    let data = dump::dequantize(&data, tensor).unwrap_or(data);
    match data.element {
        Element::F32 => data.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Element::S32 => data.bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect(),
        Element::S64 => data.bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
        Element::Bool => data.bytes.iter().map(|b| f32::from(u8::from(*b != 0))).collect(),
        _ => Vec::new(),
    }
}
