//! The JSON Schemas of all documents that this tool writes, as in `docs/schemas/`.
//!
//! They are made from the Rust types, by tests alone: the feature `schemas` is off in what users build.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::document::{Kind, TOOL, name};
use crate::dtype::DType;
use crate::dump::Manifest;
use crate::explain::FailureReport;
use crate::isa::Queue;
use crate::onnx::Description;
use crate::quantize::Record;
use crate::report::{
    BenchReady, BenchReport, ComparisonReport, CompileReport, DequantizeReport, DiagnosisReport, Difference,
    EstimateReport, HostReport, MachineReport, ModelCheck, ProgramCheck, ProgramReport, QuantizeReport,
    RunReport, SweepReport, TuneReport,
};
use crate::sim::clock::{Cause, Causes, Units, Waits};
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
        one::<MachineReport>(),
        one::<Manifest>(),
        one::<ModelCheck>(),
        one::<PerfettoTrace>(),
        one::<ProgramCheck>(),
        one::<ProgramReport>(),
        one::<QuantizeReport>(),
        one::<Record>(),
        one::<RunReport>(),
        one::<SweepReport>(),
        one::<State>(),
        one::<TraceHead>(),
        one::<TuneReport>(),
        ("trace-record", part::<TraceRecord<'_>>()),
    ];
    all.sort_by_key(|(name, _)| *name);
    all
}

fn root<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// The JSON Schema of a part of a document: it has no envelope.
fn part<T: JsonSchema>() -> Value {
    root::<T>().to_value()
}

/// The JSON Schema of a kind, with the envelope.
fn schema<T: Kind + JsonSchema>() -> Value {
    let mut schema = root::<T>();
    let envelope = json!({
        "schema": { "const": name::<T>(), "description": "Kind and version of this document." },
        "tool": {
            "description": "The program that wrote it.",
            "type": "object",
            "properties": { "name": { "const": TOOL.name }, "version": { "type": "string" } },
            "required": ["name", "version"],
        },
    });
    schema.insert("title".into(), name::<T>().into());
    let own = schema.ensure_object();
    own.insert("$id".into(), name::<T>().into());
    if let (Some(properties), Value::Object(envelope)) =
        (own.entry("properties").or_insert_with(|| json!({})).as_object_mut(), envelope)
    {
        properties.extend(envelope);
    }
    if let Some(required) = own.entry("required").or_insert_with(|| json!([])).as_array_mut() {
        required.splice(0..0, ["schema".into(), "tool".into()]);
    }
    schema.to_value()
}

impl JsonSchema for DType {
    fn schema_name() -> Cow<'static, str> {
        "DType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "description": "An element type.", "enum": DType::ALL.map(DType::name) })
    }
}

/// The schema of an object with these keys, whose values all have one schema.
fn named(description: &str, names: &[&str], value: &Schema) -> Schema {
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.to_string(), value.clone().to_value())).collect();
    schemars::json_schema!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": names,
    })
}

impl<T: JsonSchema> JsonSchema for Units<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("UnitsOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        named("One value for each unit.", &Queue::ALL.map(Queue::name), &value)
    }
}

impl JsonSchema for Waits {
    fn schema_name() -> Cow<'static, str> {
        "Waits".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let what = "Cycles in which a unit's next instruction waited for instructions of each unit.";
        named(what, &Queue::ALL.map(Queue::name), &generator.subschema_for::<u64>())
    }
}

impl JsonSchema for Causes {
    fn schema_name() -> Cow<'static, str> {
        "Causes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let what = "Cycles by what a unit did, or the first thing that kept it from working.";
        named(what, &Cause::ALL.map(Cause::name), &generator.subschema_for::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_holds_the_envelope() {
        let schema = schema::<FailureReport>();
        let own = root::<FailureReport>().to_value();
        let all =
            [json!("schema"), json!("tool")].into_iter().chain(own["required"].as_array().unwrap().clone());
        assert_eq!(schema["required"], Value::Array(all.collect()));
        assert_eq!(schema["properties"]["schema"]["const"], "rcar-iss/failure/1");
    }
}
