//! Report of `dequantize`.

use std::path::PathBuf;

use serde::Serialize;

use crate::document::{self, Kind};
use crate::readable;

/// Tensors that were written as real values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DequantizeReport {
    /// The tensors, each with its file; several may be in one file.
    pub written: Vec<WrittenTensor>,
    /// The file or folder that was asked for.
    #[serde(skip)]
    pub output: PathBuf,
}

/// A tensor that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WrittenTensor {
    /// Its ONNX name.
    pub tensor: String,
    /// Its file.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub file: PathBuf,
}

impl Kind for DequantizeReport {
    const KIND: &'static str = "dequantize";
}

impl DequantizeReport {
    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let count = readable::grouped(self.written.len() as u64);
        format!("{count} tensors written to {}\n", self.output.display())
    }
}
