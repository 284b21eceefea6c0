//! The trace of a run: one record for every executed instruction, in a compact file that can be queried.
//!
//! A [`TraceWriter`] observes a run and writes the file; a [`TraceReader`] reads it record by record, and
//! uses the index at the end to skip chunks that a [`Filter`] excludes. [`export`] converts it to text, JSON,
//! CSV, Perfetto and Konata.
//!
//! The file: the magic `RCNTRACE`, the length of the header and the header as JSON (program, machine, layers,
//! code), chunks of records, the index as JSON, and in the last 16 bytes the index's offset and length.
//! Numbers are little endian. Inside a chunk, numbers are LEB128 and mostly differences from the record
//! before, so that a scalar instruction takes five to eight bytes.

mod encode;
pub mod export;
mod reader;
mod summary;
mod wanted;
mod writer;

pub use reader::{Filter, TraceReader};
pub use summary::{LayerSummary, first_difference, summarize};
pub use wanted::{Ranged, Wanted, WantedError};
pub use writer::TraceWriter;

use serde::{Deserialize, Serialize};

use crate::files::FileError;
use crate::isa::{Queue, Space};
use crate::sim::Written;
use crate::sim::clock::Causes;

/// The first bytes of a trace file.
pub const MAGIC: &[u8; 8] = b"RCNTRACE";

/// Why a trace cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file could not be renamed into place.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a trace, or a damaged one.
    #[error("no trace of rcar-iss, or a damaged one: {reason} (at byte {offset})")]
    Damaged {
        /// What is wrong.
        reason: String,
        /// Where.
        offset: u64,
    },
}

/// The program's part of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    pub version: u32,
    /// Program.
    pub program: String,
    /// Machine.
    pub machine: String,
    /// Its clock.
    pub clock_mhz: u32,
    /// Multiply-accumulates a cycle at full use.
    pub macs_per_cycle: u64,
    /// Bytes of the scratchpad.
    pub spm_bytes: u64,
    /// Bytes of the accumulators.
    pub acc_bytes: u64,
    /// Bytes of DRAM that the program uses.
    pub dram_bytes: u64,
    /// Layers in program order.
    pub layers: Vec<LayerName>,
    /// Instruction words, as hexadecimal numbers.
    pub code: Vec<String>,
}

/// A layer's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerName {
    /// Name.
    pub name: String,
    /// ONNX nodes that it came from.
    pub onnx_nodes: Vec<String>,
}

/// The range `[start, end)` from the lowest to one past the highest byte that an operand touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Memory.
    pub space: Space,
    /// First byte.
    pub start: i64,
    /// One past the last.
    pub end: i64,
    /// Whether the instruction writes them.
    pub writes: bool,
}

/// The part of a record that only queue instructions have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its queue.
    pub queue: Queue,
    /// Number in its queue, from 1.
    pub number: u64,
    /// First cycle.
    pub start: u64,
    /// One past the last cycle.
    pub end: u64,
    /// Cycles of its unit that are charged to it: executing, or waiting for it.
    pub causes: Causes,
    /// Its conditions: how many instructions of a queue had to end.
    pub tickets: [Option<(Queue, u64)>; 2],
    /// Bytes that it touched.
    pub ranges: Vec<Range>,
    /// Bytes written, and xxh3-64 of them in order of address.
    pub wrote: Option<(u64, u64)>,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes over the DRAM channel.
    pub dram_bytes: u64,
}

/// One executed instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Number among all, from 0.
    pub seq: u64,
    /// Index of its word.
    pub pc: u32,
    /// The layer that it belongs to.
    pub layer: Option<u32>,
    /// Cycle in which the control core executed or issued it.
    pub issue: u64,
    /// The register that it wrote.
    pub written: Option<Written>,
    /// For queue instructions.
    pub executed: Option<Executed>,
}

impl Record {
    /// `control`, `dmain`, `dmaout`, `mac` or `vec`.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        self.executed.as_ref().map_or("control", |e| e.queue.name())
    }

    /// One past its last cycle.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.executed.as_ref().map_or(self.issue + 1, |e| e.end)
    }
}
