//! What commands wrote: programs, real values.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::Kind;
use crate::program::{HostEntry, Layer, Program, RemovedEntry};

/// A program that was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CompileReport {
    /// Its file.
    pub program: String,
    /// The machine that it is for.
    pub machine: String,
    /// Hash of that machine, 16 hexadecimal digits.
    pub machine_hash: String,
    /// Instruction words.
    pub instructions: usize,
    /// Bytes of the constant segment.
    pub constant_bytes: usize,
    /// Bytes of DRAM that it uses, constants included.
    pub dram_bytes: u64,
    /// Layers in program order.
    pub layers: Vec<Layer>,
    /// Its host layers.
    pub hosts: Vec<HostEntry>,
    /// ONNX values that have no tensor, and why.
    pub removed: Vec<RemovedEntry>,
}

impl Kind for CompileReport {
    const KIND: &'static str = "compile";
}

impl CompileReport {
    /// Of a program that was written to a file.
    #[must_use]
    pub fn of(program: &Program, file: &Path) -> CompileReport {
        let meta = &program.meta;
        CompileReport {
            program: file.to_string_lossy().into_owned(),
            machine: meta.machine.name.clone(),
            machine_hash: meta.machine.hash.clone(),
            instructions: program.code.len(),
            constant_bytes: program.constants.len(),
            dram_bytes: meta.dram_bytes,
            layers: meta.layers.clone(),
            hosts: meta.hosts.clone(),
            removed: meta.removed.clone(),
        }
    }
}

/// Real values that were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DequantizeReport {
    /// Every tensor.
    pub written: Vec<WrittenTensor>,
}

/// A tensor and its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WrittenTensor {
    /// ONNX name.
    pub tensor: String,
    /// File; several tensors may be in one.
    pub file: String,
}

impl Kind for DequantizeReport {
    const KIND: &'static str = "dequantize";
}
