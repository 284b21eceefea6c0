//! Export of a trace to other formats.

mod each;
mod form;
mod konata;
mod perfetto;
mod table;

use std::io::Write;

pub use form::{ExecutedRecord, PerfettoTrace, RangeRecord, TraceHead, TraceRecord, WroteBytes};

use super::{Filter, TraceError, TraceReader};

/// A form of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns with disassembly and the register written.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
    /// Trace event format, for Perfetto and `chrome://tracing`; a cycle is shown as a microsecond.
    Perfetto,
    /// Kanata 0004, for the Konata pipeline viewer.
    Konata,
}

/// Writes the selected records in a format.
///
/// # Errors
/// The trace is damaged, or `out` cannot be written.
pub fn export(
    trace: &mut TraceReader,
    filter: &Filter,
    format: Format,
    out: &mut impl Write,
) -> Result<(), TraceError> {
    match format {
        Format::Text => table::text(trace, filter, out),
        Format::Json => table::json(trace, filter, out),
        Format::Csv => table::csv(trace, filter, out),
        Format::Perfetto => perfetto::write(trace, filter, out),
        Format::Konata => konata::write(trace, filter, out),
    }
}
