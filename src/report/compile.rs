//! Report of `compile`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::import::host_layers;
use crate::document::{self, Kind};
use crate::graph::Graph;
use crate::program::{HostEntry, Layer, Program, RemovedEntry};
use crate::readable;

/// A program that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CompileReport {
    /// Its file.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub program: PathBuf,
    /// Its machine.
    pub machine: String,
    /// Hash of that machine, 16 hexadecimal digits.
    pub machine_hash: String,
    /// Number of instructions.
    pub instructions: usize,
    /// Bytes of weights, tables and descriptors.
    pub constant_bytes: usize,
    /// Bytes of DRAM that it uses.
    pub dram_bytes: u64,
    /// Its layers.
    pub layers: Vec<Layer>,
    /// Its host layers.
    pub hosts: Vec<HostEntry>,
    /// ONNX tensors that the program does not have.
    pub removed: Vec<RemovedEntry>,
    /// Its host layers in words.
    #[serde(skip)]
    pub host_lines: String,
}

impl Kind for CompileReport {
    const KIND: &'static str = "compile";
}

impl CompileReport {
    /// The report of a program made from `graph`, and written to `path`.
    #[must_use]
    pub fn new(path: &Path, graph: &Graph, program: &Program) -> CompileReport {
        let meta = &program.meta;
        CompileReport {
            program: path.into(),
            machine: meta.machine.name.clone(),
            machine_hash: meta.machine.hash.clone(),
            instructions: program.code.len(),
            constant_bytes: program.constants.len(),
            dram_bytes: meta.dram_bytes,
            layers: meta.layers.clone(),
            hosts: meta.hosts.clone(),
            removed: meta.removed.clone(),
            host_lines: host_layers(graph),
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let macs: u64 = self.layers.iter().map(|l| l.macs).sum();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}: {} layers, {} MACs, {} instructions, {} of constants, for {}",
            self.program.display(),
            self.layers.len(),
            readable::short(macs),
            readable::grouped(self.instructions as u64),
            readable::bytes(self.constant_bytes as u64),
            self.machine
        );
        text.push_str(&self.host_lines);
        if !self.removed.is_empty() {
            let _ = writeln!(
                text,
                "{} ONNX tensors have no tensor in the program (`rcar-iss info --tensors` says why)",
                self.removed.len()
            );
        }
        text
    }
}
