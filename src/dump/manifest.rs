//! The types of `manifest.json`.

use serde::{Deserialize, Serialize};

use crate::document::Kind;
use crate::dtype::DType;
use crate::program::RemovedEntry;

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Manifest {
    /// Name of the program.
    #[serde(default)]
    pub program: String,
    /// Machine that it was built for.
    #[serde(default)]
    pub machine: String,
    /// The file of the inputs, with an index if it holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// One per dumped tensor, in the order of the tensor table.
    pub tensors: Vec<ManifestEntry>,
    /// ONNX values without a tensor, and why.
    #[serde(default)]
    pub removed: Vec<RemovedEntry>,
}

impl Kind for Manifest {
    const KIND: &'static str = "dump";
}

/// A dumped tensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ManifestEntry {
    /// ONNX name.
    pub tensor: String,
    /// Layer that produced it; none for inputs.
    pub layer: Option<String>,
    /// ONNX nodes of that layer.
    pub onnx_nodes: Vec<String>,
    /// `.npy` beside the manifest.
    pub file: String,
    /// `.npy` of real values, with `--dequantize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dequantized: Option<String>,
    /// Element type.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
    /// Scale; none for floats.
    pub scale: Option<f32>,
    /// Zero point; none for floats.
    pub zero_point: Option<i32>,
    /// Axis of a per-channel scale; none for one scale.
    pub axis: Option<u32>,
    /// xxh3-64 of the array's bytes (row-major, little-endian), 16 hexadecimal digits.
    pub digest: String,
    /// Produced by a host layer, or from the results of one: not bit-exact on every machine.
    #[serde(default)]
    pub host: bool,
}
