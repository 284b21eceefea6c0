//! `rcar-iss info MODEL.onnx`: what a model says about itself, without compiling it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::{model, opsets};
use crate::explain::Failure;
use crate::onnx::proto::tensor_proto::DataType;
use crate::onnx::proto::tensor_shape_proto::dimension::Value as Extent;
use crate::onnx::proto::{GraphProto, ModelProto, TensorProto, ValueInfoProto, type_proto};
use crate::onnx::{Role, given_inputs, role};
use crate::readable;

/// What is told of a model.
struct Description {
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// How often each operator stands in the graph and in the bodies of its nodes, most frequent first.
    operators: Vec<(String, usize)>,
    /// Constants by element type: how many, and their bytes.
    constants: BTreeMap<&'static str, (usize, u64)>,
    form: &'static str,
}

pub(super) fn run(path: &Path, as_json: bool) -> Result<String, Failure> {
    let loaded = model::load(path)?;
    let found = Description::of(loaded.graph());
    Ok(if as_json { found.json(&loaded.model) } else { found.text(&loaded.model) })
}

impl Description {
    fn of(graph: &GraphProto) -> Description {
        let given = given_inputs(graph);
        let mut counted = BTreeMap::new();
        let mut constants = BTreeMap::new();
        count(graph, &mut counted, &mut constants);
        let form = form(graph, &counted);
        let mut operators: Vec<(String, usize)> = counted.into_iter().collect();
        operators.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let inputs = graph.input.iter().filter(|i| given.iter().any(|g| g == i.name()));
        Description {
            inputs: inputs.map(value).collect(),
            outputs: graph.output.iter().map(value).collect(),
            operators,
            constants,
            form,
        }
    }

    fn text(&self, model: &ModelProto) -> String {
        let graph = model.graph.clone().unwrap_or_default();
        let producer = [model.producer_name(), model.producer_version()].join(" ");
        let nodes: usize = self.operators.iter().map(|(_, n)| n).sum();
        let listed: Vec<String> = self.operators.iter().map(|(op, n)| format!("{n} {op}")).collect();
        let bytes: u64 = self.constants.values().map(|(_, b)| b).sum();
        let types: Vec<String> =
            self.constants.iter().map(|(t, (n, b))| format!("{n} {t} {}", readable::bytes(*b))).collect();
        let mut rows = vec![
            ("model", graph.name().to_string()),
            ("producer", producer.trim().to_string()),
            ("format", format!("IR version {}", model.ir_version())),
            ("opsets", opsets::list(model)),
            ("form", self.form.to_string()),
        ];
        rows.extend(self.inputs.iter().map(|i| ("input", i.clone())));
        rows.extend(self.outputs.iter().map(|o| ("output", o.clone())));
        rows.push(("nodes", format!("{nodes}: {}", listed.join(", "))));
        rows.push(("constants", format!("{}: {}", readable::bytes(bytes), types.join(", "))));
        let mut text = String::new();
        for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "{}", readable::entry(label, value));
        }
        text.push_str("`rcar-iss check` says what of it is supported\n");
        text
    }

    fn json(&self, model: &ModelProto) -> String {
        let infos = |list: &[ValueInfoProto], wanted: &dyn Fn(&str) -> bool| -> Vec<Value> {
            let one =
                |i: &ValueInfoProto| json!({ "name": i.name(), "type": element(i), "shape": extents(i) });
            list.iter().filter(|i| wanted(i.name())).map(one).collect()
        };
        let graph = model.graph.clone().unwrap_or_default();
        let given = given_inputs(&graph);
        let constants: BTreeMap<&str, Value> =
            self.constants.iter().map(|(t, (n, b))| (*t, json!({ "tensors": n, "bytes": b }))).collect();
        let value = json!({
            "model": graph.name(),
            "producer": model.producer_name(),
            "producer_version": model.producer_version(),
            "ir_version": model.ir_version(),
            "opsets": opsets::as_json(model),
            "form": self.form,
            "inputs": infos(&graph.input, &|name| given.iter().any(|g| g == name)),
            "outputs": infos(&graph.output, &|_| true),
            "operators": self.operators.iter().cloned().collect::<BTreeMap<String, usize>>(),
            "constant_bytes": self.constants.values().map(|(_, b)| b).sum::<u64>(),
            "constants": constants,
        });
        format!("{value:#}\n")
    }
}

/// `x: float32 1x3xheightxwidth`.
fn value(info: &ValueInfoProto) -> String {
    let shape = extents(info).map_or("of any shape".into(), |dims| {
        let numbers = dims.iter().all(|d| d.parse::<i64>().is_ok());
        if dims.is_empty() { "scalar".into() } else { dims.join(if numbers { "x" } else { " x " }) }
    });
    format!("{}: {} {shape}", info.name(), element(info))
}

fn element(info: &ValueInfoProto) -> &'static str {
    match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(t)) => type_name(t.elem_type()),
        Some(_) => "no tensor",
        None => "of any type",
    }
}

/// Extents as numbers or names, `?` where the model tells neither.
fn extents(info: &ValueInfoProto) -> Option<Vec<String>> {
    let Some(type_proto::Value::TensorType(t)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return None;
    };
    let one = |d: &crate::onnx::proto::tensor_shape_proto::Dimension| match &d.value {
        Some(Extent::DimValue(n)) => n.to_string(),
        Some(Extent::DimParam(name)) if !name.is_empty() => name.clone(),
        _ => "?".into(),
    };
    Some(t.shape.as_ref()?.dim.iter().map(one).collect())
}

/// numpy's name of an element type.
fn type_name(element: i32) -> &'static str {
    match DataType::try_from(element) {
        Ok(DataType::Float) => "float32",
        Ok(DataType::Float16) => "float16",
        Ok(DataType::Bfloat16) => "bfloat16",
        Ok(DataType::Double) => "float64",
        Ok(DataType::Uint8) => "uint8",
        Ok(DataType::Int8) => "int8",
        Ok(DataType::Uint16) => "uint16",
        Ok(DataType::Int16) => "int16",
        Ok(DataType::Uint32) => "uint32",
        Ok(DataType::Int32) => "int32",
        Ok(DataType::Uint64) => "uint64",
        Ok(DataType::Int64) => "int64",
        Ok(DataType::Bool) => "bool",
        Ok(DataType::String) => "strings",
        Ok(DataType::Int4) => "int4",
        Ok(DataType::Uint4) => "uint4",
        Ok(other) => other.as_str_name(),
        Err(_) => "an unknown type",
    }
}

/// Bits of an element; 0 of what has no fixed size.
fn bits(element: i32) -> u64 {
    match DataType::try_from(element) {
        Ok(DataType::Double | DataType::Uint64 | DataType::Int64 | DataType::Complex64) => 64,
        Ok(DataType::Complex128) => 128,
        Ok(DataType::Float | DataType::Uint32 | DataType::Int32) => 32,
        Ok(DataType::Float16 | DataType::Bfloat16 | DataType::Uint16 | DataType::Int16) => 16,
        Ok(DataType::Int4 | DataType::Uint4 | DataType::Float4e2m1) => 4,
        Ok(DataType::String | DataType::Undefined) | Err(_) => 0,
        Ok(_) => 8,
    }
}

fn count(
    graph: &GraphProto,
    operators: &mut BTreeMap<String, usize>,
    constants: &mut BTreeMap<&'static str, (usize, u64)>,
) {
    let mut constant = |tensor: &TensorProto| {
        let elements = tensor.dims.iter().fold(1_u64, |n, d| n.saturating_mul(d.unsigned_abs()));
        let entry = constants.entry(type_name(tensor.data_type())).or_default();
        entry.0 += 1;
        entry.1 = entry.1.saturating_add(elements.saturating_mul(bits(tensor.data_type())).div_ceil(8));
    };
    graph.initializer.iter().for_each(&mut constant);
    for node in &graph.node {
        *operators.entry(node.op_type().to_string()).or_default() += 1;
        node.attribute.iter().flat_map(|a| a.t.iter().chain(&a.tensors)).for_each(&mut constant);
    }
    for node in &graph.node {
        for body in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            count(body, operators, constants);
        }
    }
}

/// How the graph is quantized.
fn form(graph: &GraphProto, operators: &BTreeMap<String, usize>) -> &'static str {
    let any = |of: &dyn Fn(&str) -> bool| operators.keys().any(|op| of(op));
    let dequantized: BTreeSet<&String> =
        graph.node.iter().filter(|n| n.op_type() == "DequantizeLinear").flat_map(|n| &n.output).collect();
    let fed = |n: &&crate::onnx::proto::NodeProto| n.input.iter().any(|i| dequantized.contains(i));
    let qdq = graph.node.iter().filter(|n| role(n) == Some(Role::Product)).any(|n| fed(&n));
    let whole = any(&|op| op.starts_with("QLinear") || op == "QGemm" || op == "QAttention");
    let dynamic = any(&|op| op.starts_with("Dynamic") || op == "ConvInteger" || op == "MatMulInteger");
    match (whole, qdq, dynamic) {
        (true, true, _) => "quantized, QDQ and QOperator mixed",
        (true, false, _) => "quantized, QOperator",
        (false, true, _) => "quantized, QDQ",
        (false, false, true) => "quantized while it runs (dynamic)",
        (false, false, false) if any(&|op| op == "QuantizeLinear") => "quantized, QDQ",
        (false, false, false) => "float (`rcar-iss quantize` makes a quantized one)",
    }
}
