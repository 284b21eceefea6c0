//! Models in forms that the float library reads as they are meant.
//!
//! `rten` knows ONNX well but not everywhere: it takes the length of attributes that are left out for another one, the sign
//! of zero for one, the axis of an old Softmax for that of a new one. [`portable`] writes such nodes in other words, with
//! the same inputs and outputs, and tells what has no other words and would be computed wrong. Only models on their way
//! into that library go through here; files that this tool writes keep the nodes that they had.

mod attributes;
mod cropped;
mod cubic;
mod grouped;
mod held;
mod known;
mod lengths;
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
use rewrite::Written;
use row::Asked;

/// Writes a model's nodes as the float library understands them. True if it changed one.
///
/// # Errors
/// What the library would compute wrong, or was not held to, with the node's name.
pub(crate) fn portable(model: &mut ModelProto) -> Result<bool, String> {
    let opset = version(&model.opset_import, "");
    let Some(graph) = &mut model.graph else { return Ok(false) };
    let types = check_types(graph, &model.opset_import).values;
    let mut pass = Pass::over(graph, opset, &model.opset_import, types);
    pass.graph(graph, &Known::default())?;
    Ok(pass.changed)
}

/// The lines of the table of what the float library is held to (`held`) that a model leans on; none if it is not held
/// to all of it.
#[must_use]
pub fn leans_on(model: &ModelProto) -> Option<BTreeSet<String>> {
    let mut graph = model.graph.clone()?;
    let types = check_types(&graph, &model.opset_import).values;
    let opset = version(&model.opset_import, "");
    let mut pass = Pass::over(&graph, opset, &model.opset_import, types);
    pass.graph(&mut graph, &Known::default()).ok()?;
    Some(pass.lines)
}

/// The version of an operator set that a model names; of ONNX's own, the newest if it names none.
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
    /// Lines of the table that the nodes so far lean on.
    lines: BTreeSet<String>,
    /// Values that a node reads or that leave a graph.
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
                self.changed |= flags(&mut node);
                if let Some(written) = lengths::rewritten(&node, self.opset, &self.read, &mut self.names)
                    .or_else(|| cubic::rewritten(&node, self.opset, &known, &mut self.names))
                    .or_else(|| cropped::rewritten(&node, self.opset, &mut self.names))
                    .or_else(|| grouped::rewritten(&node, self.opset, &mut self.names))
                    .or_else(|| turned::rewritten(&node, self.opset, &known, &mut self.names))
                {
                    graph.initializer.extend(written.initializers);
                    // What it is written as is held, too.
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
    /// Asks the table for a node.
    fn hold(&mut self, node: &NodeProto, known: &Known) -> Result<(), String> {
        let domain = if node.domain() == "ai.onnx" { "" } else { node.domain() };
        let opset = if domain.is_empty() { self.opset } else { version(self.opsets, domain) };
        let read = |name: &String| match self.types.get(name).copied() {
            // The library reads constants in half precision as f32, which loses nothing; only what it computes of them
            // would not be rounded. A Cast computes nothing.
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

/// Collects what the nodes of a graph read, those of the graphs inside them included, and what leaves them.
fn reads(graph: &GraphProto, read: &mut BTreeSet<String>) {
    read.extend(graph.output.iter().map(|o| o.name().to_string()));
    for node in &graph.node {
        read.extend(node.input.iter().filter(|i| !i.is_empty()).cloned());
        node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).for_each(|g| reads(g, read));
    }
}

/// Flags that ONNX Runtime takes for set if they are one, and the library if they are not zero.
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
