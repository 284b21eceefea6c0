//! Rewriting of models so that the float library computes what ONNX defines.
//!
//! `rten` implements ONNX well but not completely: it has other defaults for some attributes, loses the sign
//! of zero, and takes the axis of an old Softmax for that of a new one. [`portable`] replaces such nodes by
//! equivalent ones with the same inputs and outputs, and reports nodes that cannot be replaced and would be
//! computed incorrectly. Only models for that library are rewritten; files that this tool writes keep their
//! nodes.

mod attributes;
mod cropped;
mod cubic;
mod grouped;
mod held;
mod known;
mod lengths;
mod omitted;
mod rewrite;
mod row;
mod table;
mod turned;
mod types;
mod windows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::names::Names;
use super::proto::tensor_proto::DataType;
use super::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, type_proto};
use super::schema::check_types;
pub use held::held;
use known::Known;
pub(crate) use omitted::{omit, trains};
use rewrite::Written;
use row::Asked;

/// Rewrites a model's nodes for the float library. True if one was changed.
///
/// # Errors
/// What the library would compute incorrectly, or was not tested for, with the node's name.
pub(crate) fn portable(model: &mut ModelProto) -> Result<bool, String> {
    let opset = version(&model.opset_import, "");
    let Some(graph) = &mut model.graph else { return Ok(false) };
    let types = check_types(graph, &model.opset_import).values;
    let mut pass = Pass::over(graph, opset, &model.opset_import, types);
    pass.graph(graph, &Known::default())?;
    Ok(pass.changed)
}

/// The lines of the table of tested operators (`held`) that a model needs; `None` if some of it was not
/// tested.
#[must_use]
pub fn leans_on(model: &ModelProto) -> Option<BTreeSet<String>> {
    let mut graph = model.graph.clone()?;
    let types = check_types(&graph, &model.opset_import).values;
    let opset = version(&model.opset_import, "");
    let mut pass = Pass::over(&graph, opset, &model.opset_import, types);
    pass.graph(&mut graph, &Known::default()).ok()?;
    Some(pass.lines)
}

/// The version of an operator set that a model imports; for ONNX's own, the newest if it imports none.
fn version(opsets: &[OperatorSetIdProto], domain: &str) -> i64 {
    let own = |d: &str| if d == "ai.onnx" { String::new() } else { d.to_string() };
    let found = opsets.iter().find(|o| own(o.domain()) == domain);
    found.map_or(if domain.is_empty() { row::NEWEST } else { 1 }, |o| o.version())
}

struct Pass<'a> {
    opset: i64,
    opsets: &'a [OperatorSetIdProto],
    /// Element types of values.
    types: BTreeMap<String, DataType>,
    /// Lines of the table needed by the nodes so far.
    lines: BTreeSet<String>,
    /// Values that a node reads, or that are outputs of a graph.
    read: BTreeSet<String>,
    names: Names,
    changed: bool,
}

impl<'a> Pass<'a> {
    fn over(
        graph: &GraphProto,
        opset: i64,
        opsets: &'a [OperatorSetIdProto],
        types: BTreeMap<String, DataType>,
    ) -> Pass<'a> {
        let mut read = BTreeSet::new();
        reads(graph, &mut read);
        let names = Names::of(graph);
        Pass { opset, opsets, types, lines: BTreeSet::new(), read, names, changed: false }
    }

    fn graph(&mut self, graph: &mut GraphProto, outer: &Known) -> Result<(), String> {
        let mut known = outer.clone();
        for tensor in &graph.initializer {
            known.constant(tensor.name(), tensor);
        }
        known.scales(graph);
        for info in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
            use type_proto::Value::TensorType;
            if let Some(TensorType(t)) = info.r#type.as_ref().and_then(|t| t.value.as_ref())
                && let Some(shape) = t.shape.as_ref().filter(|s| !s.dim.is_empty())
            {
                known.ranks.insert(info.name().into(), shape.dim.len());
            }
        }
        let mut nodes: VecDeque<NodeProto> = std::mem::take(&mut graph.node).into();
        while let Some(mut node) = nodes.pop_front() {
            let mut inner = node.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs));
            inner.try_for_each(|g| self.graph(g, &known))?;
            known.see(&node);
            if matches!(node.domain(), "" | "ai.onnx") {
                self.changed |= flags(&mut node) | omit(&mut node, self.opset, &self.read);
                if let Some(written) = lengths::rewritten(&node, self.opset, &self.read, &mut self.names)
                    .or_else(|| cubic::rewritten(&node, self.opset, &known, &mut self.names))
                    .or_else(|| cropped::rewritten(&node, self.opset, &mut self.names))
                    .or_else(|| grouped::rewritten(&node, self.opset, &mut self.names))
                    .or_else(|| turned::rewritten(&node, self.opset, &known, &mut self.names))
                {
                    graph.initializer.extend(written.initializers);
                    self.read.extend(written.nodes.iter().flat_map(|n| n.input.iter().cloned()));
                    // The replacement must be accepted, too.
                    written.nodes.into_iter().rev().for_each(|n| nodes.push_front(n));
                    self.changed = true;
                    continue;
                }
            }
            let told = |why: String| format!("node \"{}\" ({}): {why}", node.name(), node.op_type());
            self.hold(&node, &known).map_err(told)?;
            if matches!(node.domain(), "" | "ai.onnx") {
                let wrong = |why: String| format!("node \"{}\" ({}): {why}", node.name(), node.op_type());
                if let Some(written) =
                    rewrite::rewritten(&node, self.opset, &known, &self.types, &mut self.names)
                        .map_err(wrong)?
                {
                    let Written { nodes, initializers } = written;
                    graph.initializer.extend(initializers);
                    graph.node.extend(nodes);
                    self.changed = true;
                    continue;
                }
                let filled = windows::fill(&mut node, &known);
                let wrong = |why: String| format!("node \"{}\" ({}): {why}", node.name(), node.op_type());
                self.changed |= filled.map_err(wrong)?;
            }
            graph.node.push(node);
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// Checks a node against the table.
    fn hold(&mut self, node: &NodeProto, known: &Known) -> Result<(), String> {
        let domain = if node.domain() == "ai.onnx" { "" } else { node.domain() };
        let opset = if domain.is_empty() { self.opset } else { version(self.opsets, domain) };
        let read = |name: &String| match self.types.get(name).copied() {
            // The library reads half precision constants as f32, which is exact; but results computed from
            // them would not be rounded. A Cast computes nothing.
            Some(DataType::Float16) if node.op_type() == "Cast" && known.constants.contains_key(name) => {
                Some(DataType::Float)
            }
            other => other,
        };
        let types = node.input.iter().map(read).collect();
        let made = node.output.iter().map(|o| self.types.get(o).copied()).collect();
        self.lines.extend(held::judged(&Asked { node, opset, types, made })?);
        Ok(())
    }
}

/// Collects the values that the nodes of a graph read, including the graphs inside them, and its outputs.
pub(crate) fn reads(graph: &GraphProto, read: &mut BTreeSet<String>) {
    read.extend(graph.output.iter().map(|o| o.name().to_string()));
    for node in &graph.node {
        read.extend(node.input.iter().filter(|i| !i.is_empty()).cloned());
        node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).for_each(|g| reads(g, read));
    }
}

/// Boolean attributes that ONNX Runtime takes as true only if they are 1, and the library if they are not 0.
fn flags(node: &mut NodeProto) -> bool {
    let mut changed = false;
    for a in &mut node.attribute {
        if matches!(a.name(), "keepdims" | "ceil_mode" | "noop_with_empty_axes") && !matches!(a.i(), 0 | 1) {
            a.i = Some(0);
            changed = true;
        }
    }
    changed
}
