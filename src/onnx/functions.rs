//! Functions that a model defines itself, written out where nodes call them: exporters of modules write such models, and
//! nothing behind this knows of functions.
//!
//! The standard lets a function name other versions of operator sets than the model only if its operators mean the same in
//! both, so versions need no look.

use std::collections::BTreeMap;

use super::names::Names;
use super::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

/// The most nodes that calls become. What calls more keeps its calls, which the importer then names as unknown operators.
const MOST: usize = 1 << 17;
/// The deepest that calls stand in each other.
const DEEPEST: usize = 32;

/// Domain, name and overload.
type Key = (String, String, String);

/// Writes out all calls of a model's own functions.
pub(super) fn write_out(model: &mut ModelProto) {
    let Some(graph) = model.graph.as_mut().filter(|_| !model.functions.is_empty()) else { return };
    let key = |f: &FunctionProto| (f.domain().to_string(), f.name().to_string(), f.overload().to_string());
    let functions: BTreeMap<Key, FunctionProto> =
        model.functions.iter().map(|f| (key(f), f.clone())).collect();
    let mut calls = Calls { functions: &functions, names: Names::of(graph), left: MOST };
    let Some(nodes) = calls.written_out(&graph.node, 0) else { return };
    graph.node = nodes;
    for opset in functions.values().flat_map(|f| &f.opset_import) {
        if model.opset_import.iter().all(|o| o.domain() != opset.domain()) {
            model.opset_import.push(opset.clone());
        }
    }
    model.functions.clear();
}

struct Calls<'f> {
    functions: &'f BTreeMap<Key, FunctionProto>,
    names: Names,
    left: usize,
}

impl Calls<'_> {
    /// The nodes of a graph without calls. None if they would be too many, or call themselves.
    fn written_out(&mut self, nodes: &[NodeProto], depth: usize) -> Option<Vec<NodeProto>> {
        let mut written = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.left = self.left.checked_sub(1)?;
            let key = (node.domain().to_string(), node.op_type().to_string(), node.overload().to_string());
            match self.functions.get(&key) {
                Some(_) if depth == DEEPEST => return None,
                Some(function) => {
                    let body = self.body(function, node);
                    written.extend(self.written_out(&body, depth + 1)?);
                }
                None => {
                    let mut node = node.clone();
                    for graph in node.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs)) {
                        graph.node = self.written_out(&graph.node, depth)?;
                    }
                    written.push(node);
                }
            }
        }
        Some(written)
    }

    /// The nodes of a function as those of one call.
    fn body(&mut self, function: &FunctionProto, call: &NodeProto) -> Vec<NodeProto> {
        let at = if call.name().is_empty() { call.op_type() } else { call.name() }.to_string();
        let mut inside = Inside { at, call, function, known: BTreeMap::new(), names: &mut self.names };
        for (place, name) in function.input.iter().enumerate() {
            inside.known.insert(name.clone(), call.input.get(place).cloned().unwrap_or_default());
        }
        let mut last = Vec::new();
        for (name, given) in function.output.iter().zip(&call.output).filter(|(_, given)| !given.is_empty()) {
            // A result that is an operand, or is given out already, needs a node that hands it on.
            if inside.known.contains_key(name) {
                last.push((name.clone(), given.clone()));
            } else {
                inside.known.insert(name.clone(), given.clone());
            }
        }
        let mut nodes: Vec<NodeProto> = function.node.iter().map(|n| inside.node(n)).collect();
        for (name, given) in last {
            let handed = NodeProto {
                name: Some(inside.names.own(&format!("{}/{name}", inside.at))),
                op_type: Some("Identity".into()),
                input: vec![inside.read(&name)],
                output: vec![given],
                ..NodeProto::default()
            };
            nodes.push(handed);
        }
        nodes
    }
}

/// The inside of one call.
struct Inside<'c> {
    /// The name of the call.
    at: String,
    call: &'c NodeProto,
    function: &'c FunctionProto,
    /// Values of the function as they are called outside.
    known: BTreeMap<String, String>,
    names: &'c mut Names,
}

impl Inside<'_> {
    fn read(&self, name: &str) -> String {
        self.known.get(name).cloned().unwrap_or_else(|| name.to_string())
    }

    /// A name for what is made inside.
    fn made(&mut self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let own = self.names.own(&format!("{}/{name}", self.at));
        self.known.insert(name.to_string(), own.clone());
        own
    }

    fn node(&mut self, node: &NodeProto) -> NodeProto {
        let mut written = node.clone();
        let name = if node.name().is_empty() { node.op_type() } else { node.name() };
        written.name = Some(self.names.own(&format!("{}/{name}", self.at)));
        written.input = node.input.iter().map(|i| self.read(i)).collect();
        written.output = node.output.iter().map(|o| self.made(o)).collect();
        written.attribute = node.attribute.iter().filter_map(|a| self.attribute(a)).collect();
        written
    }

    /// An attribute, or the one of the call that it refers to. None if that is left out and has no default.
    fn attribute(&mut self, attribute: &AttributeProto) -> Option<AttributeProto> {
        let mut written = match attribute.ref_attr_name() {
            "" => attribute.clone(),
            of => {
                let given = self.call.attribute.iter().chain(&self.function.attribute_proto);
                let given = given.into_iter().find(|a| a.name() == of)?;
                // What the call gives has names of the graph around it.
                return Some(AttributeProto { name: attribute.name.clone(), ..given.clone() });
            }
        };
        for graph in written.g.iter_mut().chain(&mut written.graphs) {
            self.graph(graph);
        }
        Some(written)
    }

    fn graph(&mut self, graph: &mut GraphProto) {
        for info in &mut graph.input {
            info.name = Some(self.made(info.name.as_deref().unwrap_or_default()));
        }
        for tensor in &mut graph.initializer {
            tensor.name = Some(self.made(tensor.name.as_deref().unwrap_or_default()));
        }
        graph.node = std::mem::take(&mut graph.node).iter().map(|n| self.node(n)).collect();
        for info in &mut graph.output {
            info.name = Some(self.read(info.name.as_deref().unwrap_or_default()));
        }
        graph.value_info.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_string()).collect();
        NodeProto {
            op_type: Some(op.into()),
            input: own(inputs),
            output: own(outputs),
            ..NodeProto::default()
        }
    }

    fn function(name: &str, inputs: &[&str], outputs: &[&str], node: Vec<NodeProto>) -> FunctionProto {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_string()).collect();
        FunctionProto {
            name: Some(name.into()),
            input: own(inputs),
            output: own(outputs),
            node,
            ..FunctionProto::default()
        }
    }

    fn written(nodes: Vec<NodeProto>, functions: Vec<FunctionProto>) -> ModelProto {
        let graph = GraphProto { node: nodes, ..GraphProto::default() };
        let mut model = ModelProto { graph: Some(graph), functions, ..ModelProto::default() };
        write_out(&mut model);
        model
    }

    fn lines(model: &ModelProto) -> Vec<String> {
        let line = |n: &NodeProto| {
            let of = n.attribute.iter().map(|a| format!(" {}={}", a.name(), a.f())).collect::<String>();
            format!("{}({}) -> {}{of}", n.op_type(), n.input.join(","), n.output.join(","))
        };
        model.graph.iter().flat_map(|g| &g.node).map(line).collect()
    }

    #[test]
    fn calls_are_written_out_with_names_and_attributes_of_their_own() {
        let mut leaky = node("LeakyRelu", &["t"], &["b"]);
        let of = |name: &str, f: f32| AttributeProto {
            name: Some(name.into()),
            f: Some(f),
            ..AttributeProto::default()
        };
        let slope = AttributeProto { ref_attr_name: Some("slope".into()), f: None, ..of("alpha", 0.0) };
        leaky.attribute = vec![slope];
        let mut inner = function("Inner", &["a", "w"], &["b"], vec![node("Mul", &["a", "w"], &["t"]), leaky]);
        inner.attribute_proto = vec![of("slope", 0.5)];
        let outer = function("Outer", &["x"], &["y"], vec![node("Inner", &["x", ""], &["y"])]);
        let mut call = node("Inner", &["p", "q"], &["r"]);
        call.attribute = vec![of("slope", 0.25)];
        let model = written(vec![call, node("Outer", &["r"], &["s"])], vec![inner, outer]);
        assert!(model.functions.is_empty());
        assert_eq!(
            lines(&model),
            [
                "Mul(p,q) -> Inner/t",
                "LeakyRelu(Inner/t) -> r alpha=0.25",
                "Mul(r,) -> Outer/Inner/t",
                "LeakyRelu(Outer/Inner/t) -> s alpha=0.5",
            ]
        );
    }

    #[test]
    fn a_function_that_calls_itself_is_left() {
        let model = written(
            vec![node("F", &["x"], &["y"])],
            vec![function("F", &["a"], &["b"], vec![node("F", &["a"], &["b"])])],
        );
        assert_eq!((lines(&model).len(), model.functions.len()), (1, 1));
    }

    #[test]
    fn an_operand_that_is_the_result_is_handed_on() {
        let model = written(vec![node("F", &["x"], &["y"])], vec![function("F", &["a"], &["a"], vec![])]);
        assert_eq!(lines(&model), ["Identity(x) -> y"]);
    }
}
