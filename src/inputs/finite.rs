//! Detection of NaN and infinities in inputs, for every command that judges a network on them.

use serde::Serialize;

use crate::readable;
use crate::tensor_file::{Element, TensorData};

/// An input of a sample with NaN or infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[error("input \"{input}\" from {label}: of {values} values {}; no integer stands for that", self.words())]
pub struct NotFinite {
    /// The input.
    pub input: String,
    /// File, with its index in a stack.
    pub label: String,
    /// Number of NaN values.
    pub nan: u64,
    /// Number of infinite values.
    pub infinite: u64,
    /// Number of all values.
    pub values: u64,
}

impl NotFinite {
    /// Checks an input; `None` if all values are finite, or it has no floats.
    pub fn among(name: &str, tensor: &TensorData, label: impl FnOnce() -> String) -> Option<NotFinite> {
        if tensor.element == Element::F32 { NotFinite::within(name, &tensor.bytes, label) } else { None }
    }

    /// As [`among`](Self::among), for the bytes of floats.
    pub(super) fn within(name: &str, bytes: &[u8], label: impl FnOnce() -> String) -> Option<NotFinite> {
        let (mut nan, mut infinite) = (0, 0);
        for v in bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)) {
            nan += u64::from(v.is_nan());
            infinite += u64::from(v.is_infinite());
        }
        let values = bytes.len() as u64 / 4;
        (nan + infinite > 0).then(|| NotFinite { input: name.into(), label: label(), nan, infinite, values })
    }

    /// `3 are NaN and 1 is infinite`.
    #[must_use]
    pub fn words(&self) -> String {
        readable::not_finite(self.nan, self.infinite)
    }
}
