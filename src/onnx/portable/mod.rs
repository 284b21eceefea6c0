//! Models in forms that the float library reads as they are meant.
//!
//! `rten` knows ONNX well but not everywhere: it takes the length of attributes that are left out for another one, the sign
//! of zero for one, the axis of an old Softmax for that of a new one. [`portable`] writes such nodes in other words, with
//! the same inputs and outputs, and tells what has no other words and would be computed wrong. Only models on their way
//! into that library go through here; files that this tool writes keep the nodes that they had.

mod held;
mod lengths;
mod rewrite;
mod table;
mod windows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::names::Names;
use super::proto::tensor_proto::DataType;
use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, type_proto};
use super::schema::check_types;
use super::{Constant, Data};
use held::Asked;
pub use held::held;
use rewrite::Written;

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

/// The lines of the table of what the float library is held to ([`held`]) that a model leans on; none if it is not held
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
    found.map_or(if domain.is_empty() { held::NEWEST } else { 1 }, |o| o.version())
}

/// What is known of values.
#[derive(Clone, Default)]
struct Known {
    /// Extents of constants.
    constants: BTreeMap<String, Vec<i64>>,
    ranks: BTreeMap<String, usize>,
    /// The least and the greatest of constants that are scales: of floats, finite ones.
    scales: BTreeMap<String, [f32; 2]>,
    /// Sums of products, and sums of those: numbers where a network's inputs are.
    sums: BTreeSet<String>,
}

impl Known {
    fn rank(&self, name: Option<&String>) -> Option<usize> {
        let name = name?;
        self.constants.get(name).map(Vec::len).or_else(|| self.ranks.get(name).copied())
    }

    /// Notes the values of constants that quantizers of a graph have as scales.
    fn scales(&mut self, graph: &GraphProto) {
        let mut wanted = BTreeSet::new();
        quantizers(graph, &mut wanted);
        let constants = graph.node.iter().filter(|n| n.op_type() == "Constant");
        let values =
            constants.filter_map(|n| Some((n.output.first()?.as_str(), attribute(n, "value")?.t.as_ref()?)));
        let initializers = graph.initializer.iter().map(|t| (t.name(), t));
        for (name, tensor) in initializers.chain(values).filter(|(name, _)| wanted.contains(name)) {
            let Ok(Constant { data: Data::F32(scales), .. }) = Constant::read(tensor) else { continue };
            let least = scales.iter().copied().fold(f32::INFINITY, f32::min);
            let most = scales.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if scales.iter().all(|s| s.is_finite()) && !scales.is_empty() {
                self.scales.insert(name.into(), [least, most]);
            }
        }
    }

    fn see(&mut self, node: &NodeProto) {
        let Some(output) = node.output.first() else { return };
        if matches!(
            node.op_type(),
            "Conv" | "ConvTranspose" | "Gemm" | "MatMul" | "BatchNormalization" | "Add"
        ) {
            self.sums.insert(output.clone());
        }
        if node.op_type() == "Constant"
            && let Some(tensor) = attribute(node, "value").and_then(|a| a.t.as_ref())
        {
            self.constants.insert(output.clone(), tensor.dims.clone());
        } else if let Some(rank) = self.rank_of(node) {
            self.ranks.entry(output.clone()).or_insert(rank);
        }
    }

    /// The rank of what a node computes. It need not be known of every operator: this is for weights that are computed.
    fn rank_of(&self, node: &NodeProto) -> Option<usize> {
        let of = |at: usize| self.rank(node.input.get(at));
        match node.op_type() {
            "QuantizeLinear" | "DequantizeLinear" | "Cast" | "Identity" | "Transpose" | "Relu" | "Clip"
            | "Tanh" | "Sigmoid" | "Sqrt" | "Neg" | "Abs" | "Exp" | "Sign" | "BatchNormalization"
            | "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" | "Pad" | "Slice" | "Concat"
            | "Softmax" | "Tile" => of(0),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" => Some(of(0)?.max(of(1)?)),
            "Reshape" => match self.constants.get(node.input.get(1)?)?[..] {
                [rank] => usize::try_from(rank).ok(),
                _ => None,
            },
            "Unsqueeze" => {
                let listed = attribute(node, "axes").map(|a| a.ints.len());
                let axes = listed.or_else(|| match self.constants.get(node.input.get(1)?)?[..] {
                    [axes] => usize::try_from(axes).ok(),
                    _ => None,
                });
                Some(of(0)? + axes?)
            }
            _ => None,
        }
    }
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
            known.constants.insert(tensor.name().into(), tensor.dims.clone());
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
                if let Some(written) = lengths::rewritten(&node, self.opset, &self.read, &mut self.names) {
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

/// Collects the scales of a graph's quantizers, those of the graphs inside its nodes included.
fn quantizers<'g>(graph: &'g GraphProto, scales: &mut BTreeSet<&'g str>) {
    for node in &graph.node {
        if node.op_type() == "QuantizeLinear" {
            scales.extend(node.input.get(1).map(String::as_str));
        }
        node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).for_each(|g| quantizers(g, scales));
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

fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|a| a.name() == name)
}

fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).and_then(|a| a.i).unwrap_or(default)
}

fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(super::proto::attribute_proto::AttributeType::Ints as i32),
        ints: values,
        ..AttributeProto::default()
    }
}
