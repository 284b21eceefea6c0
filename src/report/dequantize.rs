//! Tensors that were written as real values.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{self, Kind};
use crate::readable;

/// Tensors that were written as real values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DequantizeReport {
    /// Each, with its file; several may be in one.
    pub written: Vec<WrittenTensor>,
    /// The file or folder that was asked for.
    #[serde(skip)]
    pub output: PathBuf,
}

/// A tensor that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WrittenTensor {
    /// Its ONNX name.
    pub tensor: String,
    /// Where.
    #[serde(serialize_with = "document::lossy")]
    #[schemars(with = "String")]
    pub file: PathBuf,
}

impl Kind for DequantizeReport {
    const KIND: &'static str = "dequantize";
}

impl DequantizeReport {
    /// For readers.
    #[must_use]
    pub fn text(&self) -> String {
        let count = readable::grouped(self.written.len() as u64);
        format!("{count} tensors written to {}\n", self.output.display())
    }
}
