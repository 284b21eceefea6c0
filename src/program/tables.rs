//! The tables of a program. They are a file format (JSON inside the ELF, one record a line in assembly text),
//! so their types are separate from the compiler's.

use serde::{Deserialize, Serialize};

use crate::dtype::DType;
use crate::isa::Space;

/// All tables.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Name of the network or program.
    #[serde(default)]
    pub name: String,
    /// Version of the instruction set.
    pub isa_version: u32,
    /// Machine that the program is for.
    pub machine: MachineId,
    /// Bytes of DRAM that the program uses, constants included.
    pub dram_bytes: u64,
    /// Layers in program order; the index is the id of `layer.begin`.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// Which layer each instruction belongs to: disjoint, ascending; gaps are prologue and epilogue.
    #[serde(default)]
    pub provenance: Vec<CodeRange>,
    /// Inputs, outputs and every tensor that can be dumped.
    #[serde(default)]
    pub tensors: Vec<TensorEntry>,
    /// Host layers; the index is the id of `host`.
    #[serde(default)]
    pub hosts: Vec<HostEntry>,
    /// ONNX values without a tensor, and why.
    #[serde(default)]
    pub removed: Vec<RemovedEntry>,
}

impl Meta {
    /// The network's inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &TensorEntry> {
        self.tensors.iter().filter(|t| t.role == Role::Input)
    }

    /// The network's outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &TensorEntry> {
        self.tensors.iter().filter(|t| t.role == Role::Output)
    }
}

/// Name and hash of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MachineId {
    /// `rcn-m`.
    pub name: String,
    /// [`Machine::hash`](crate::machine::Machine::hash) as 16 hexadecimal digits.
    pub hash: String,
}

/// One layer: an accelerator operator after fusion, or a host layer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Unique name.
    pub name: String,
    /// Operator kind: `conv`, `add` …
    pub kind: String,
    /// ONNX nodes that it came from.
    #[serde(default)]
    pub onnx_nodes: Vec<String>,
    /// Multiply-accumulates of the operator itself, without padding.
    #[serde(default)]
    pub macs: u64,
    /// Whether it runs on the host.
    #[serde(default)]
    pub host: bool,
    /// Number of constant weights.
    #[serde(default)]
    pub weights: u64,
    /// Number of weights that equal their zero point.
    #[serde(default)]
    pub zero_weights: u64,
    /// The least work, whatever its tiles.
    #[serde(default)]
    pub least: Least,
    /// Activations that it reads, by ONNX name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The widths that the model asks for; none for host layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Bits>,
}

/// Widths of a layer's arithmetic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bits {
    /// `16x8` for activations of 16 bits times weights of 8; else the bits of the operands, `8` or `8+16`, or
    /// `f32`.
    pub operands: String,
    /// Bits of the result, or `f32`.
    pub result: String,
}

impl Bits {
    /// The name of float widths.
    pub const FLOAT: &str = "f32";
}

impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.operands, self.result)
    }
}

/// The least work of a layer on the program's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Least {
    /// Steps of the MAC array.
    #[serde(default)]
    pub mac_cycles: u64,
    /// Vectors of the vector unit.
    #[serde(default)]
    pub vec_cycles: u64,
    /// Bytes of DRAM: constants, network inputs and outputs, and what exceeds the scratchpad.
    #[serde(default)]
    pub dram_bytes: u64,
}

impl Layer {
    /// Share of the weights that are not zero, between 0 and 1; none for a layer without weights.
    #[must_use]
    pub fn density(&self) -> Option<f64> {
        (self.weights > 0).then(|| 1.0 - self.zero_weights as f64 / self.weights as f64)
    }
}

/// Instructions `[start, end)` belong to `layer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CodeRange {
    /// First instruction.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Index of the layer.
    pub layer: u32,
}

/// The role of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Written before the program starts.
    Input,
    /// Read after it has ended.
    Output,
    /// Complete at its layer's end.
    #[default]
    Layer,
}

/// A tensor: its ONNX properties, and its place in memory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TensorEntry {
    /// ONNX name.
    pub name: String,
    /// Input, output or layer. An output is also complete at its layer's end.
    #[serde(default)]
    pub role: Role,
    /// The layer at whose end it is complete; none for inputs.
    #[serde(default)]
    pub layer: Option<u32>,
    /// Element type.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
    /// Scale; none for floats.
    #[serde(default)]
    pub scale: Option<f32>,
    /// Zero point; none for floats.
    #[serde(default)]
    pub zero_point: Option<i32>,
    /// Its place in memory.
    pub place: Place,
    /// How a picture becomes this input.
    #[serde(default)]
    pub preprocess: Option<Preprocess>,
    /// Names of the classes along the last axis of an output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// A place in memory. Element `i` of the tensor in row-major order is element `i` in row-major order of
/// `dims`, at `address + Σ index·stride`. `dims` has as many elements as the tensor's shape, but may differ
/// from it (a Flatten that moved nothing).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The memory. Inputs and outputs are in DRAM.
    #[serde(default, skip_serializing_if = "PlaceMemory::is_dram")]
    pub memory: PlaceMemory,
    /// Address of element 0.
    pub address: u64,
    /// Extents, slowest first.
    pub dims: Vec<u64>,
    /// Byte strides, one per extent.
    pub strides: Vec<i64>,
}

/// A memory that holds a tensor at its layer's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PlaceMemory {
    /// Main memory.
    #[default]
    Dram,
    /// The scratchpad: the tensor is not in DRAM.
    Spm,
}

impl PlaceMemory {
    fn is_dram(&self) -> bool {
        *self == PlaceMemory::Dram
    }

    /// The memory's space.
    #[must_use]
    pub fn space(self) -> Space {
        match self {
            PlaceMemory::Dram => Space::Dram,
            PlaceMemory::Spm => Space::Spm,
        }
    }
}

/// How a picture becomes an input tensor: resize so that the short side is `resize`, crop the centre to the
/// tensor's H and W, then `(value − mean) / std` per channel on values 0…255.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Length of the short side after resizing, in pixels; none: directly to H × W.
    #[serde(default)]
    pub resize: Option<u32>,
    /// One per channel, or one for all.
    pub mean: Vec<f32>,
    /// One per channel, or one for all.
    pub std: Vec<f32>,
    /// Whether channels are in the order blue, green, red.
    #[serde(default)]
    pub bgr: bool,
}

/// A host layer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Its layer.
    pub layer: u32,
    /// Operator types inside.
    pub op_types: Vec<String>,
    /// Why it runs on the host.
    pub reason: String,
    /// Whether it was compiled for ONNX Runtime, because `rten` lacks one of its operators or computes it
    /// differently.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub onnxruntime: bool,
    /// Tensors read, by ONNX name, with their places.
    pub inputs: Vec<HostTensor>,
    /// Tensors written.
    pub outputs: Vec<HostTensor>,
}

/// An operand of a host layer: contiguous row-major in DRAM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HostTensor {
    /// ONNX name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
    /// Address of its first byte; row-major without gaps.
    pub address: u64,
}

/// An ONNX value without a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemovedEntry {
    /// ONNX name.
    pub tensor: String,
    /// Why.
    pub reason: String,
}
