//! The versions of operators that a model asks for, against those that are checked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::onnx::OPSETS;
use crate::onnx::proto::{GraphProto, ModelProto, OperatorSetIdProto};

/// The name of a domain; ONNX leaves out its own.
fn domain(name: &str) -> &str {
    if name.is_empty() { "ai.onnx" } else { name }
}

/// The domains that nodes are of.
fn used<'a>(graph: &'a GraphProto, found: &mut BTreeSet<&'a str>) {
    for node in &graph.node {
        found.insert(domain(node.domain()));
        for body in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
            used(body, found);
        }
    }
}

/// `ai.onnx 17, com.microsoft 1`: the domains that nodes are of; exporters write down many more.
pub(super) fn list(model: &ModelProto) -> String {
    let mut found = BTreeSet::new();
    model.graph.iter().for_each(|graph| used(graph, &mut found));
    let (own, others): (Vec<_>, Vec<_>) =
        model.opset_import.iter().partition(|o| found.contains(domain(o.domain())));
    let named: Vec<String> = own.iter().map(|o| format!("{} {}", domain(o.domain()), o.version())).collect();
    match (named.is_empty(), others.len()) {
        (true, _) => "none".into(),
        (false, 0) => named.join(", "),
        (false, n) => format!("{}, and {n} that no node uses", named.join(", ")),
    }
}

/// The model's opsets, and those that are supported.
pub(super) fn line(model: &ModelProto) -> String {
    let own = model.opset_import.iter().find(|o| domain(o.domain()) == "ai.onnx").map(|o| o.version());
    let (first, last) = (OPSETS.start(), OPSETS.end());
    let mut text = format!("opsets: {} (of ai.onnx {first} to {last} are supported)\n", list(model));
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

pub(super) fn as_json(model: &ModelProto) -> Value {
    let one = |o: &OperatorSetIdProto| json!({ "domain": domain(o.domain()), "version": o.version() });
    model.opset_import.iter().map(one).collect()
}
