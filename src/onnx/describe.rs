//! The description of a model, without compiling it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::proto::tensor_proto::DataType;
use super::proto::tensor_shape_proto::dimension::Value as Extent;
use super::proto::{GraphProto, ModelProto, TensorProto, ValueInfoProto, type_proto};
use super::{Role, given_inputs, role};
use crate::document::Kind;

/// Description of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Description {
    /// Name of the graph.
    pub model: String,
    /// Program that wrote the file.
    pub producer: String,
    /// Its version.
    pub producer_version: String,
    /// Version of the file format.
    pub ir_version: i64,
    /// Operator sets that it imports.
    pub opsets: Vec<Opset>,
    /// Whether and how it is quantized.
    pub form: Form,
    /// Inputs of the network.
    pub inputs: Vec<Declared>,
    /// Outputs of the network.
    pub outputs: Vec<Declared>,
    /// Number of uses of each operator in the graph and in the bodies of its nodes.
    pub operators: BTreeMap<String, usize>,
    /// Bytes of all constants.
    pub constant_bytes: u64,
    /// Constants by element type.
    pub constants: BTreeMap<String, Constants>,
}

/// An operator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Opset {
    /// Domain; `ai.onnx` for ONNX's own.
    pub domain: String,
    /// Version.
    pub version: i64,
    /// Whether a node uses it; exporters often declare more.
    pub used: bool,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Declared {
    /// ONNX name.
    pub name: String,
    /// numpy's name of the element type.
    #[serde(rename = "type")]
    pub element: String,
    /// Extents as numbers or names, `?` where the model gives neither; none if it gives no shape.
    pub shape: Option<Vec<String>>,
}

/// Constants of an element type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Constants {
    /// Number of tensors.
    pub tensors: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Whether and how a model is quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Not at all.
    Float,
    /// Float operators between quantizers.
    Qdq,
    /// Quantized operators.
    #[serde(rename = "qoperator")]
    QOperator,
    /// Both of the above.
    Mixed,
    /// With ranges computed at run time.
    Dynamic,
}

impl Kind for Description {
    const KIND: &'static str = "model";
}

impl Description {
    /// The description of a model.
    #[must_use]
    pub fn of(model: &ModelProto) -> Description {
        let empty = GraphProto::default();
        let graph = model.graph.as_ref().unwrap_or(&empty);
        let given = given_inputs(graph);
        let mut operators = BTreeMap::new();
        let mut constants = BTreeMap::new();
        count(graph, &mut operators, &mut constants);
        Description {
            model: graph.name().into(),
            producer: model.producer_name().into(),
            producer_version: model.producer_version().into(),
            ir_version: model.ir_version(),
            opsets: Opset::of(model),
            form: form(graph, &operators),
            inputs: graph
                .input
                .iter()
                .filter(|i| given.iter().any(|g| g == i.name()))
                .map(declared)
                .collect(),
            outputs: graph.output.iter().map(declared).collect(),
            constant_bytes: constants.values().fold(0, |all: u64, c: &Constants| all.saturating_add(c.bytes)),
            operators,
            constants,
        }
    }
}

impl Opset {
    /// The operator sets that a model imports, in its order.
    #[must_use]
    pub fn of(model: &ModelProto) -> Vec<Opset> {
        let mut used = BTreeSet::new();
        model.graph.iter().for_each(|graph| domains(graph, &mut used));
        let one = |o: &super::proto::OperatorSetIdProto| Opset {
            domain: domain(o.domain()).into(),
            version: o.version(),
            used: used.contains(domain(o.domain())),
        };
        model.opset_import.iter().map(one).collect()
    }
}

/// The name of a domain; ONNX leaves out its own.
fn domain(name: &str) -> &str {
    if name.is_empty() { "ai.onnx" } else { name }
}

/// The domains that nodes use.
fn domains<'a>(graph: &'a GraphProto, found: &mut BTreeSet<&'a str>) {
    for node in &graph.node {
        found.insert(domain(node.domain()));
        for body in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            domains(body, found);
        }
    }
}

fn declared(info: &ValueInfoProto) -> Declared {
    Declared { name: info.name().into(), element: element(info).into(), shape: extents(info) }
}

fn element(info: &ValueInfoProto) -> &'static str {
    match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(t)) => type_name(t.elem_type()),
        Some(_) => "no tensor",
        None => "of any type",
    }
}

/// Extents as numbers or names, `?` where the model gives neither.
fn extents(info: &ValueInfoProto) -> Option<Vec<String>> {
    let Some(type_proto::Value::TensorType(t)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return None;
    };
    let one = |d: &super::proto::tensor_shape_proto::Dimension| match &d.value {
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

/// Bits of an element; 0 for types without a fixed size.
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
    constants: &mut BTreeMap<String, Constants>,
) {
    let mut constant = |tensor: &TensorProto| {
        let elements = tensor.dims.iter().fold(1_u64, |n, d| n.saturating_mul(d.unsigned_abs()));
        let entry = constants.entry(type_name(tensor.data_type()).into()).or_default();
        entry.tensors += 1;
        entry.bytes =
            entry.bytes.saturating_add(elements.saturating_mul(bits(tensor.data_type())).div_ceil(8));
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
fn form(graph: &GraphProto, operators: &BTreeMap<String, usize>) -> Form {
    let any = |of: &dyn Fn(&str) -> bool| operators.keys().any(|op| of(op));
    let dequantized: BTreeSet<&String> =
        graph.node.iter().filter(|n| n.op_type() == "DequantizeLinear").flat_map(|n| &n.output).collect();
    let fed = |n: &&super::proto::NodeProto| n.input.iter().any(|i| dequantized.contains(i));
    let qdq = graph.node.iter().filter(|n| role(n) == Some(Role::Product)).any(|n| fed(&n));
    let whole = any(&|op| op.starts_with("QLinear") || op == "QGemm" || op == "QAttention");
    let dynamic = any(&|op| op.starts_with("Dynamic") || op == "ConvInteger" || op == "MatMulInteger");
    match (whole, qdq, dynamic) {
        (true, true, _) => Form::Mixed,
        (true, false, _) => Form::QOperator,
        (false, true, _) => Form::Qdq,
        (false, false, true) => Form::Dynamic,
        (false, false, false) if any(&|op| op == "QuantizeLinear") => Form::Qdq,
        (false, false, false) => Form::Float,
    }
}
