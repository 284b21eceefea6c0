//! The JSON Schemas of all documents that this tool writes, as in `docs/schemas/`.

use schemars::JsonSchema;
use serde_json::Value;

use crate::document::{Kind, part, schema};
use crate::dump::Manifest;
use crate::explain::FailureReport;
use crate::onnx::Description;
use crate::quantize::Record;
use crate::report::{
    BenchReady, BenchReport, ComparisonReport, CompileReport, DequantizeReport, DiagnosisReport, Difference,
    EstimateReport, HostReport, ModelCheck, ProgramCheck, ProgramReport, QuantizeReport, RunReport,
    TuneReport,
};
use crate::trace::export::{PerfettoTrace, TraceHead, TraceRecord};
use crate::tune::State;

/// Every kind with its schema, in the order of the names. `trace-record` is not a kind: it is a line of a
/// trace behind the first, and has no envelope.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    fn one<T: Kind + JsonSchema>() -> (&'static str, Value) {
        (T::KIND, schema::<T>())
    }
    let mut all = vec![
        one::<BenchReady>(),
        one::<BenchReport>(),
        one::<CompileReport>(),
        one::<ComparisonReport>(),
        one::<DequantizeReport>(),
        one::<Description>(),
        one::<DiagnosisReport>(),
        one::<Difference>(),
        one::<EstimateReport>(),
        one::<FailureReport>(),
        one::<HostReport>(),
        one::<Manifest>(),
        one::<ModelCheck>(),
        one::<PerfettoTrace>(),
        one::<ProgramCheck>(),
        one::<ProgramReport>(),
        one::<QuantizeReport>(),
        one::<Record>(),
        one::<RunReport>(),
        one::<State>(),
        one::<TraceHead>(),
        one::<TuneReport>(),
        ("trace-record", part::<TraceRecord<'_>>()),
    ];
    all.sort_by_key(|(name, _)| *name);
    all
}
