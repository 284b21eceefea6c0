//! Element types through a whole graph.

use std::collections::BTreeMap;

use super::super::proto::{
    AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, ValueInfoProto, tensor_proto::DataType,
    type_proto,
};
use super::outputs::known;
use super::signature::short;
use super::{Given, Mismatch, check, check_outputs, output_types};

/// The operator set version of a model that imports none.
const DEFAULT_OPSET: i64 = 17;

/// The nodes whose types contradict their operators, and why: index in the graph's list, in that order. Types
/// come from inputs, initializers and the results of earlier nodes; where an operator leaves its output's
/// type open, from the model's declarations. A node is reported once, and consequences of its outputs are not
/// reported.
///
/// An initializer with another type than its graph input is reported at the first node that reads it.
pub(crate) fn check_types(graph: &GraphProto, opsets: &[OperatorSetIdProto]) -> Types {
    let walked = walk(graph, None, &[], opsets);
    Types { reports: walked.reports, values: walked.types }
}

/// What is known about the types in a graph.
pub(crate) struct Types {
    /// Nodes that contradict their operators, and why.
    pub(crate) reports: Vec<(usize, String)>,
    /// Element types of values, by name.
    pub(crate) values: BTreeMap<String, DataType>,
}

/// Types of values by name; `None` for existing values of unknown type.
struct Scope<'a> {
    types: BTreeMap<&'a str, Option<DataType>>,
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Option<DataType> {
        match (self.types.get(name), self.outer) {
            (Some(found), _) => *found,
            (None, Some(outer)) => outer.find(name),
            (None, None) => None,
        }
    }
}

/// The result for a graph.
struct Walked {
    reports: Vec<(usize, String)>,
    outputs: Vec<Option<DataType>>,
    /// Types of the values of the outermost graph.
    types: BTreeMap<String, DataType>,
}

/// Follows the types through a graph: the model's, or one inside a node, which is given values and sees those
/// around it.
fn walk(
    graph: &GraphProto,
    outer: Option<&Scope>,
    given: &[Option<DataType>],
    opsets: &[OperatorSetIdProto],
) -> Walked {
    let mut scope = Scope { types: BTreeMap::new(), outer };
    for (i, input) in graph.input.iter().enumerate() {
        let passed = given.get(i).copied().flatten();
        scope.types.insert(input.name(), declared(input).or(passed));
    }
    let mut contradicted: BTreeMap<&str, String> = BTreeMap::new();
    for t in &graph.initializer {
        let found = known(t.data_type());
        let before = scope.types.entry(t.name()).or_insert(found);
        if let (Some(found), Some(before)) = (found, *before)
            && found != before
        {
            let (found, before) = (short(found), short(before));
            let reason =
                format!("the initializer \"{}\" is {found}, but the graph input is {before}", t.name());
            contradicted.insert(t.name(), reason);
        }
        *before = before.or(found);
    }
    // Where both declare a type, ONNX Runtime uses that of the outputs.
    let declarations: BTreeMap<&str, DataType> =
        graph.value_info.iter().chain(&graph.output).filter_map(|v| Some((v.name(), declared(v)?))).collect();
    let mut reports = Vec::new();
    for i in order(graph) {
        let node = &graph.node[i];
        let (mut outputs, mut reason) = judge(node, &scope, opsets);
        if let Some(told) = node.input.iter().find_map(|name| contradicted.remove(name.as_str())) {
            reason = Some(told);
        }
        for (name, found) in node.output.iter().zip(&mut outputs) {
            match (*found, declarations.get(name.as_str())) {
                // ONNX Runtime treats a Constant as an initializer, whose own type counts.
                (Some(made), Some(declared)) if made != *declared && node.op_type() != "Constant" => {
                    let mismatch =
                        Mismatch::Declared { name: name.clone(), found: made, declared: *declared };
                    reason.get_or_insert_with(|| mismatch.to_string());
                }
                (None, Some(declared)) => *found = Some(*declared),
                _ => {}
            }
        }
        for (name, found) in node.output.iter().zip(outputs).filter(|(name, _)| !name.is_empty()) {
            scope.types.insert(name, if reason.is_none() { found } else { None });
        }
        reports.extend(reason.map(|r| (i, r)));
    }
    reports.sort_unstable();
    let outputs = graph.output.iter().map(|o| scope.find(o.name())).collect();
    let named = |(name, found): (&str, Option<DataType>)| Some((name.to_string(), found?));
    let types =
        if outer.is_none() { scope.types.into_iter().filter_map(named).collect() } else { BTreeMap::new() };
    Walked { reports, outputs, types }
}

/// The types of a node's outputs, and what is wrong with the node.
fn judge(
    node: &NodeProto,
    scope: &Scope,
    opsets: &[OperatorSetIdProto],
) -> (Vec<Option<DataType>>, Option<String>) {
    let opset = opset_of(node, opsets);
    let inputs: Vec<Given> = node
        .input
        .iter()
        .map(|name| match name.as_str() {
            "" => Given::LeftOut,
            name => scope.find(name).map_or(Given::Unknown, Given::Tensor),
        })
        .collect();
    let checked = check(node.domain(), node.op_type(), opset, &inputs)
        .and_then(|()| check_outputs(node, opset, &inputs));
    let mut outputs = output_types(node, opset, &inputs);
    let mut reason = checked.err().map(|e| e.to_string());
    let bodies = bodies(node, opset, &inputs);
    for (first, body) in bodies.iter().enumerate() {
        let walked = walk(body.graph, Some(scope), &body.given, opsets);
        let inner = body.contradiction().or_else(|| {
            let (i, inner) = walked.reports.first()?;
            let n = &body.graph.node[*i];
            Some(format!("node \"{}\" ({}): {inner}", n.name(), n.op_type()))
        });
        if let Some(inner) = inner {
            reason.get_or_insert_with(|| format!("in its {}, {inner}", body.name));
        }
        for (i, found) in outputs.iter_mut().enumerate() {
            let here = walked.outputs.get(i + body.skipped).copied().flatten();
            // Branches that differ leave the type open.
            *found = if first == 0 { here } else { found.filter(|f| here.is_none_or(|h| h == *f)) };
        }
    }
    (outputs, reason)
}

/// A graph inside a node.
struct Body<'a> {
    name: &'a str,
    graph: &'a GraphProto,
    /// The types that the node passes to its inputs.
    given: Vec<Option<DataType>>,
    /// Number of its outputs before those that are the node's.
    skipped: usize,
}

impl Body<'_> {
    /// An input that the graph declares with another type than it is given.
    fn contradiction(&self) -> Option<String> {
        self.graph.input.iter().zip(&self.given).find_map(|(input, given)| {
            let (declared, given) = (declared(input)?, (*given)?);
            (declared != given).then(|| {
                let (name, declared, given) = (input.name(), short(declared), short(given));
                format!("the input \"{name}\" is declared as {declared}, but gets {given}")
            })
        })
    }
}

/// The graphs inside the three ONNX operators that have some.
fn bodies<'a>(node: &'a NodeProto, opset: i64, inputs: &[Given]) -> Vec<Body<'a>> {
    let types = |skip: usize| {
        inputs.iter().skip(skip).map(|given| match given {
            Given::Tensor(found) => Some(*found),
            Given::LeftOut | Given::Unknown => None,
        })
    };
    let (given, skipped) = match (node.domain(), node.op_type()) {
        ("" | "ai.onnx", "If") => (Vec::new(), 0),
        // The trip number and the condition come first, the latter in the results too. If the condition is
        // omitted, the body may declare its type freely.
        ("" | "ai.onnx", "Loop") => ([Some(DataType::Int64)].into_iter().chain(types(1)).collect(), 1),
        // The first version has the lengths of the sequences in front.
        ("" | "ai.onnx", "Scan") => (types(usize::from(opset < 9)).collect(), 0),
        _ => return Vec::new(),
    };
    let body = |a: &'a AttributeProto| {
        Some(Body { name: a.name(), graph: a.g.as_ref()?, given: given.clone(), skipped })
    };
    node.attribute.iter().filter_map(body).collect()
}

/// The version of the operator set of a node. ONNX Runtime's own has one version.
fn opset_of(node: &NodeProto, opsets: &[OperatorSetIdProto]) -> i64 {
    let own = |domain: &str| matches!(domain, "" | "ai.onnx");
    let same = |o: &&OperatorSetIdProto| o.domain() == node.domain() || own(o.domain()) && own(node.domain());
    let default = if own(node.domain()) { DEFAULT_OPSET } else { 1 };
    opsets.iter().find(same).map_or(default, OperatorSetIdProto::version)
}

/// The element type that a declaration gives.
fn declared(value: &ValueInfoProto) -> Option<DataType> {
    match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => known(tensor.elem_type()),
        _ => None,
    }
}

/// The nodes, producers first. Nodes on a cycle are in any order.
fn order<'a>(graph: &'a GraphProto) -> Vec<usize> {
    let outputs = |(i, n): (usize, &'a NodeProto)| n.output.iter().map(move |o| (o.as_str(), i));
    let producers: BTreeMap<&str, usize> =
        graph.node.iter().enumerate().flat_map(outputs).filter(|(o, _)| !o.is_empty()).collect();
    let mut seen = vec![false; graph.node.len()];
    let mut order = Vec::with_capacity(graph.node.len());
    for start in 0..graph.node.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        // The node and the input to go to next.
        let mut path = vec![(start, 0)];
        while let Some((i, next)) = path.last_mut() {
            let Some(name) = graph.node[*i].input.get(*next) else {
                order.push(*i);
                path.pop();
                continue;
            };
            *next += 1;
            if let Some(&p) = producers.get(name.as_str())
                && !std::mem::replace(&mut seen[p], true)
            {
                path.push((p, 0));
            }
        }
    }
    order
}
