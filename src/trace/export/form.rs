//! The documents that a trace is exported to.

use serde::Serialize;

use crate::document::Kind;
use crate::sim::clock::Causes;
use crate::trace::{Executed, LayerName, Record};

/// The first line of a trace as JSON lines; each other line is a [`TraceRecord`] without an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct TraceHead {
    /// Program.
    pub program: String,
    /// Machine.
    pub machine: String,
    /// Its clock.
    pub clock_mhz: u32,
    /// Layers in program order.
    pub layers: Vec<LayerName>,
}

impl Kind for TraceHead {
    const KIND: &'static str = "trace";
}

/// One executed instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct TraceRecord<'a> {
    /// Number among all, from 0.
    pub seq: u64,
    /// Index of its word.
    pub pc: u32,
    /// `control`, `dmain`, `dmaout`, `mac` or `vec`.
    pub unit: &'static str,
    /// Its text.
    pub instruction: Option<&'a str>,
    /// The layer that it belongs to.
    pub layer: Option<&'a str>,
    /// Cycle in which the control core executed or issued it.
    pub issue: u64,
    /// One past its last cycle.
    pub end: u64,
    /// The register that it wrote, and the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// For queue instructions.
    #[serde(flatten)]
    pub executed: Option<ExecutedRecord>,
}

/// The part of a record that only queue instructions have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ExecutedRecord {
    /// First cycle.
    pub start: u64,
    /// Cycles of its unit that are charged to it: executing, or waiting for it.
    pub causes: Causes,
    /// Bytes that it touched.
    pub ranges: Vec<RangeRecord>,
    /// Bytes that it wrote; none if it wrote none.
    pub wrote: Option<WroteBytes>,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes over the DRAM channel.
    pub dram_bytes: u64,
}

/// The range from the lowest to the highest byte that an operand touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RangeRecord {
    /// `spm`, `acc` or `dram`.
    pub space: &'static str,
    /// First byte.
    pub start: i64,
    /// One past the last.
    pub end: i64,
    /// Whether the instruction writes them.
    pub writes: bool,
}

/// Bytes that an instruction wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WroteBytes {
    /// Number of bytes.
    pub bytes: u64,
    /// xxh3-64 of them in order of address, 16 hexadecimal digits.
    pub xxh3: String,
}

impl WroteBytes {
    /// What a queue instruction wrote, if it wrote anything.
    #[must_use]
    pub fn of(executed: &Executed) -> Option<WroteBytes> {
        executed.wrote.map(|(bytes, digest)| WroteBytes { bytes, xxh3: format!("{digest:016x}") })
    }
}

impl<'a> TraceRecord<'a> {
    /// The document of a record; `code` has the texts of all instruction words, `layers` the names of the
    /// layers.
    #[must_use]
    pub fn of(record: &Record, code: &'a [String], layers: &'a [LayerName]) -> TraceRecord<'a> {
        let executed = |e: &Executed| ExecutedRecord {
            start: e.start,
            causes: e.causes,
            ranges: e
                .ranges
                .iter()
                .map(|x| RangeRecord { space: x.space.name(), start: x.start, end: x.end, writes: x.writes })
                .collect(),
            wrote: WroteBytes::of(e),
            macs: e.macs,
            dram_bytes: e.dram_bytes,
        };
        TraceRecord {
            seq: record.seq,
            pc: record.pc,
            unit: record.unit(),
            instruction: code.get(record.pc as usize).map(String::as_str),
            layer: record.layer.and_then(|l| layers.get(l as usize)).map(|l| l.name.as_str()),
            issue: record.issue,
            end: record.end(),
            register: record.written.as_ref().map(ToString::to_string),
            executed: record.executed.as_ref().map(executed),
        }
    }
}

/// A trace in the trace event format, whose readers ignore unknown keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PerfettoTrace {
    /// Unit that viewers show.
    pub display_time_unit: &'static str,
    /// Events in the trace event format; a microsecond stands for a cycle.
    pub trace_events: Vec<serde_json::Value>,
}

impl Kind for PerfettoTrace {
    const KIND: &'static str = "trace-perfetto";
}
