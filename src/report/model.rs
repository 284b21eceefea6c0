//! The description of a model as text.

use std::cmp::Reverse;
use std::fmt::Write;

use crate::onnx::{Declared, Description, Form, OPSETS, Opset};
use crate::readable;

/// The words for a form.
fn form(form: Form) -> &'static str {
    match form {
        Form::Float => "float (`rcar-iss quantize` makes a quantized one)",
        Form::Qdq => "quantized, QDQ",
        Form::QOperator => "quantized, QOperator",
        Form::Mixed => "quantized, QDQ and QOperator mixed",
        Form::Dynamic => "quantized while it runs (dynamic)",
    }
}

/// A model, line by line.
#[must_use]
pub fn description(model: &Description) -> String {
    let producer = [model.producer.as_str(), &model.producer_version].join(" ");
    let nodes: usize = model.operators.values().sum();
    let mut operators: Vec<(&String, &usize)> = model.operators.iter().collect();
    operators.sort_by_key(|(_, n)| Reverse(**n));
    let listed: Vec<String> = operators.into_iter().map(|(op, n)| format!("{n} {op}")).collect();
    let types: Vec<String> = model
        .constants
        .iter()
        .map(|(t, c)| format!("{} {t} {}", c.tensors, readable::bytes(c.bytes)))
        .collect();
    let mut rows = vec![
        ("model", model.model.clone()),
        ("producer", producer.trim().to_string()),
        ("format", format!("IR version {}", model.ir_version)),
        ("opsets", list(&model.opsets)),
        ("form", form(model.form).to_string()),
    ];
    rows.extend(model.inputs.iter().map(|i| ("input", value(i))));
    rows.extend(model.outputs.iter().map(|o| ("output", value(o))));
    rows.push(("nodes", format!("{nodes}: {}", listed.join(", "))));
    rows.push(("constants", format!("{}: {}", readable::bytes(model.constant_bytes), types.join(", "))));
    let mut text = String::new();
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{}", readable::entry(label, value));
    }
    text.push_str("`rcar-iss check` says what of it is supported\n");
    text
}

/// `x: float32 1x3xheightxwidth`.
fn value(value: &Declared) -> String {
    let shape = value.shape.as_ref().map_or("of any shape".into(), |dims| {
        let numbers = dims.iter().all(|d| d.parse::<i64>().is_ok());
        if dims.is_empty() { "scalar".into() } else { dims.join(if numbers { "x" } else { " x " }) }
    });
    format!("{}: {} {shape}", value.name, value.element)
}

/// `ai.onnx 17, com.microsoft 1`: the domains that nodes use; exporters often declare more.
fn list(opsets: &[Opset]) -> String {
    let (own, others): (Vec<_>, Vec<_>) = opsets.iter().partition(|o| o.used);
    let named: Vec<String> = own.iter().map(|o| format!("{} {}", o.domain, o.version)).collect();
    match (named.is_empty(), others.len()) {
        (true, _) => "none".into(),
        (false, 0) => named.join(", "),
        (false, n) => format!("{}, and {n} that no node uses", named.join(", ")),
    }
}

/// A model's opsets, and the supported ones.
#[must_use]
pub fn opsets(opsets: &[Opset]) -> String {
    let own = opsets.iter().find(|o| o.domain == "ai.onnx").map(|o| o.version);
    let (first, last) = (OPSETS.start(), OPSETS.end());
    let mut text = format!("opsets: {} (of ai.onnx {first} to {last} are supported)\n", list(opsets));
    match own {
        Some(n) if n < *first => text.push_str(
            "  this one is older: operators are taken as it defines them, but were not compared with ONNX Runtime\n",
        ),
        Some(n) if n > *last => text.push_str(
            "  this one is newer: operators are taken as the newest known definition has them, but were not compared with ONNX Runtime\n",
        ),
        _ => {}
    }
    text
}
