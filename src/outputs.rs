//! Outputs of a network: real values and best classes.

use serde::Serialize;

use crate::dump;
use crate::program::{Meta, Role, TensorEntry};
use crate::tensor_file::{Element, TensorData};

/// A class and its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Class {
    /// Its number.
    pub class: usize,
    /// Its name, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Real value of the output for it; null if it is not finite.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<f32>"))]
    pub value: f32,
}

/// The output tensors of a program.
pub fn of(meta: &Meta) -> impl Iterator<Item = &TensorEntry> {
    meta.tensors.iter().filter(|t| t.role == Role::Output)
}

/// The number of classes if the output looks like a classifier's: only one axis is longer than 1.
#[must_use]
pub fn classes(tensor: &TensorEntry) -> Option<u64> {
    (tensor.shape.iter().filter(|d| **d > 1).count() == 1).then(|| tensor.shape.iter().product())
}

/// Sets class names in every output that has as many classes; returns the numbers of classes of the outputs.
pub fn name_classes(meta: &mut Meta, names: &[String]) -> Vec<u64> {
    let mut found = Vec::new();
    for tensor in meta.tensors.iter_mut().filter(|t| t.role == Role::Output) {
        let Some(count) = classes(tensor) else { continue };
        found.push(count);
        if count == names.len() as u64 {
            tensor.labels = names.to_vec();
        }
    }
    found
}

/// The `most` greatest elements of a classifier's output, greatest first; empty for other outputs.
#[must_use]
pub fn best(tensor: &TensorEntry, bytes: &[u8], most: usize) -> Vec<Class> {
    if classes(tensor).is_none() {
        return Vec::new();
    }
    let values = real(tensor, bytes);
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Equal values: the lower class first, as numpy's argmax.
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    let class = |i: usize| Class { class: i, label: tensor.labels.get(i).cloned(), value: values[i] };
    order.into_iter().take(most).map(class).collect()
}

/// Real values of a tensor.
#[must_use]
pub fn real(tensor: &TensorEntry, bytes: &[u8]) -> Vec<f32> {
    let shape = tensor.shape.iter().map(|d| *d as usize).collect();
    let data = TensorData { element: tensor.dtype.into(), shape, bytes: bytes.to_vec() };
    let data = dump::dequantize(&data, tensor).unwrap_or(data);
    match data.element {
        Element::F32 => data.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Element::S32 => data.bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect(),
        Element::S64 => data.bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
        Element::Bool => data.bytes.iter().map(|b| f32::from(u8::from(*b != 0))).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    fn entry(shape: &[u64]) -> TensorEntry {
        TensorEntry {
            name: "y".into(),
            role: Role::Output,
            dtype: DType::U8,
            shape: shape.to_vec(),
            scale: Some(0.5),
            zero_point: Some(2),
            ..TensorEntry::default()
        }
    }

    #[test]
    fn the_best_classes_have_real_values_and_names_where_they_fit() {
        let mut meta =
            Meta { tensors: vec![entry(&[1, 3]), entry(&[2, 3]), entry(&[1, 4])], ..Meta::default() };
        assert_eq!(name_classes(&mut meta, &["a".into(), "b".into(), "c".into()]), [3, 4]);
        let found = best(&meta.tensors[0], &[4, 8, 8], 2);
        let class = |class, label: &str| Class { class, label: Some(label.into()), value: 3.0 };
        assert_eq!(found, [class(1, "b"), class(2, "c")]);
        assert!(best(&meta.tensors[1], &[1; 6], 2).is_empty());
        assert_eq!(best(&meta.tensors[2], &[1, 2, 3, 4], 1)[0].label, None);
    }
}
