//! Functions that a model brings along: each call gives way to the nodes of the function.

use std::collections::BTreeMap;

use super::names::{Names, rename};
use super::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

/// So many nodes may come of functions, and so deep may calls stand in calls: a few functions that call each
/// other twice would make more than there is memory for.
const MOST_NODES: usize = 1 << 18;
const MOST_DEPTH: usize = 64;

/// Why a call has no nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// Functions call each other in a circle, or too deep.
    #[error("calls of functions stand in each other more than {MOST_DEPTH} deep, at function \"{0}\"")]
    Depth(String),
    /// They come to more nodes than are read.
    #[error("its functions come to more than {MOST_NODES} nodes")]
    Size,
    /// A call has more operands than the function takes, or asks for more results.
    #[error("node \"{node}\" gives function \"{function}\" more operands or results than it has")]
    Operands {
        /// The call.
        node: String,
        /// The function.
        function: String,
    },
    /// Its operators have another version than those of the model.
    #[error(
        "function \"{function}\" is written for version {own} of domain \"{domain}\", the model for {model}"
    )]
    Version {
        /// The function.
        function: String,
        /// Empty is ONNX's own.
        domain: String,
        /// The function's version.
        own: i64,
        /// The model's.
        model: i64,
    },
}

type Key = (String, String, String);

/// Puts the nodes of functions in the place of their calls, in the graph and in the graphs within.
///
/// # Errors
/// See [`FunctionError`].
pub(super) fn inline(model: &mut ModelProto) -> Result<(), FunctionError> {
    if model.functions.is_empty() {
        return Ok(());
    }
    let functions: BTreeMap<Key, FunctionProto> =
        std::mem::take(&mut model.functions).into_iter().map(|f| (key_of(&f), f)).collect();
    let Some(graph) = &mut model.graph else { return Ok(()) };
    let mut inliner = Inliner { functions: &functions, names: Names::of(graph), made: 0, used: Vec::new() };
    inliner.graph(graph, 0)?;
    let used = inliner.used;
    for function in used.iter().filter_map(|key| functions.get(key)) {
        for own in &function.opset_import {
            let (domain, version) = (plain(own.domain()), own.version());
            match model.opset_import.iter().find(|o| plain(o.domain()) == domain) {
                None => model.opset_import.push(own.clone()),
                Some(o) if o.version() == version || functions.keys().any(|(d, ..)| plain(d) == domain) => {}
                Some(o) => {
                    let function = function.name().to_string();
                    let (domain, model) = (domain.to_string(), o.version());
                    return Err(FunctionError::Version { function, domain, own: version, model });
                }
            }
        }
    }
    Ok(())
}

fn plain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn key_of(f: &FunctionProto) -> Key {
    (plain(f.domain()).into(), f.name().into(), f.overload().into())
}

struct Inliner<'f> {
    functions: &'f BTreeMap<Key, FunctionProto>,
    names: Names,
    /// Nodes that came of functions.
    made: usize,
    /// Functions that were called, each once.
    used: Vec<Key>,
}

impl Inliner<'_> {
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) -> Result<(), FunctionError> {
        let mut nodes = Vec::with_capacity(graph.node.len());
        for node in std::mem::take(&mut graph.node) {
            self.node(node, depth, &mut nodes)?;
        }
        graph.node = nodes;
        Ok(())
    }

    fn node(
        &mut self,
        mut node: NodeProto,
        depth: usize,
        into: &mut Vec<NodeProto>,
    ) -> Result<(), FunctionError> {
        for attribute in &mut node.attribute {
            for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                self.graph(inner, depth)?;
            }
        }
        let key = (plain(node.domain()).to_string(), node.op_type().to_string(), node.overload().to_string());
        let functions = self.functions;
        let Some(function) = functions.get(&key) else {
            into.push(node);
            return Ok(());
        };
        if depth == MOST_DEPTH {
            return Err(FunctionError::Depth(function.name().into()));
        }
        if !self.used.contains(&key) {
            self.used.push(key);
        }
        for inner in self.body(function, &node)? {
            self.node(inner, depth + 1, into)?;
        }
        Ok(())
    }

    /// The nodes of a function with the names and attributes of a call.
    fn body(&mut self, function: &FunctionProto, call: &NodeProto) -> Result<Vec<NodeProto>, FunctionError> {
        let label = if call.name().is_empty() { function.name() } else { call.name() };
        if call.input.len() > function.input.len() || call.output.len() > function.output.len() {
            let function = function.name().to_string();
            return Err(FunctionError::Operands { node: label.into(), function });
        }
        self.made += function.node.len();
        if self.made > MOST_NODES {
            return Err(FunctionError::Size);
        }
        let mut body = GraphProto { node: function.node.clone(), ..GraphProto::default() };
        for node in &mut body.node {
            attributes(node, function, call);
        }
        let mut to: BTreeMap<String, String> = BTreeMap::new();
        for (i, formal) in function.input.iter().enumerate() {
            to.insert(formal.clone(), call.input.get(i).cloned().unwrap_or_default());
        }
        let results: BTreeMap<&str, &str> = function
            .output
            .iter()
            .zip(&call.output)
            .filter(|(_, given)| !given.is_empty())
            .map(|(formal, given)| (formal.as_str(), given.as_str()))
            .collect();
        for made in function.node.iter().flat_map(|n| &n.output).filter(|o| !o.is_empty()) {
            let name = match results.get(made.as_str()) {
                Some(given) => (*given).to_string(),
                None => self.names.own(&format!("{label}.{made}")),
            };
            to.insert(made.clone(), name);
        }
        rename(&mut body, &to);
        for node in &mut body.node {
            node.name = Some(self.names.own(&format!("{label}.{}", part(node))));
        }
        // A result that is another name of an operand, or a second name of a result.
        for (formal, given) in function.output.iter().zip(&call.output).filter(|(_, g)| !g.is_empty()) {
            let inner = to.get(formal).cloned().unwrap_or_default();
            if inner != *given {
                body.node.push(NodeProto {
                    name: Some(self.names.own(&format!("{label}.{formal}"))),
                    op_type: Some("Identity".into()),
                    input: vec![inner],
                    output: vec![given.clone()],
                    ..NodeProto::default()
                });
            }
        }
        Ok(body.node)
    }
}

/// What a node inside a function is called.
fn part(node: &NodeProto) -> String {
    if node.name().is_empty() { node.op_type().to_string() } else { node.name().to_string() }
}

/// Attributes that name those of the function become those of the call, or the function's own defaults.
fn attributes(node: &mut NodeProto, function: &FunctionProto, call: &NodeProto) {
    let given = |name: &str| -> Option<&AttributeProto> {
        let of_call = call.attribute.iter().find(|a| a.name() == name);
        of_call.or_else(|| function.attribute_proto.iter().find(|a| a.name() == name))
    };
    node.attribute.retain_mut(|attribute| {
        let referred = attribute.ref_attr_name().to_string();
        if referred.is_empty() {
            for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                inner.node.iter_mut().for_each(|n| attributes(n, function, call));
            }
            return true;
        }
        match given(&referred) {
            Some(value) => {
                let name = attribute.name.clone();
                *attribute = AttributeProto { name, ..value.clone() };
                true
            }
            None => false,
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op_type: &str, input: &[&str], output: &[&str]) -> NodeProto {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_string()).collect();
        NodeProto {
            op_type: Some(op_type.into()),
            input: names(input),
            output: names(output),
            ..NodeProto::default()
        }
    }

    fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
        FunctionProto {
            name: Some(name.into()),
            input: vec!["a".into()],
            output: vec!["b".into()],
            node: nodes,
            ..FunctionProto::default()
        }
    }

    fn model(functions: Vec<FunctionProto>) -> ModelProto {
        let graph = GraphProto { node: vec![node("F", &["x"], &["y"])], ..GraphProto::default() };
        ModelProto { graph: Some(graph), functions, ..ModelProto::default() }
    }

    #[test]
    fn a_call_becomes_the_nodes_of_its_function() {
        let mut leaky = node("LeakyRelu", &["a"], &["t"]);
        let refers = |name: &str, to: &str| AttributeProto {
            name: Some(name.into()),
            ref_attr_name: Some(to.into()),
            ..AttributeProto::default()
        };
        leaky.attribute = vec![refers("alpha", "slope"), refers("left_out", "missing")];
        let slope = AttributeProto { name: Some("slope".into()), f: Some(0.25), ..AttributeProto::default() };
        let mut f = function("F", vec![leaky, node("G", &["t"], &["b"])]);
        f.attribute_proto = vec![slope];
        let mut m = model(vec![f, function("G", vec![node("Abs", &["a"], &["b"])])]);
        inline(&mut m).unwrap();
        let nodes = m.graph.unwrap().node;
        let [leaky, abs] = &nodes[..] else { panic!("{} nodes", nodes.len()) };
        assert_eq!((&leaky.input[..], &leaky.output[..]), (&["x".into()][..], &["F.t".into()][..]));
        assert_eq!((&abs.input[..], &abs.output[..]), (&["F.t".into()][..], &["y".into()][..]));
        let alpha = &leaky.attribute[..];
        assert_eq!((alpha.len(), alpha[0].name(), alpha[0].f), (1, "alpha", Some(0.25)));
    }

    #[test]
    fn a_result_that_is_an_operand_is_copied() {
        let mut f = function("F", vec![]);
        f.output = vec!["a".into()];
        let mut m = model(vec![f]);
        inline(&mut m).unwrap();
        let nodes = m.graph.unwrap().node;
        assert_eq!((nodes[0].op_type(), &nodes[0].input[..]), ("Identity", &["x".into()][..]));
    }

    #[test]
    fn circles_and_floods_are_refused() {
        let circle = function("F", vec![node("F", &["a"], &["b"])]);
        assert_eq!(inline(&mut model(vec![circle])), Err(FunctionError::Depth("F".into())));
        let twice = |own: &str, next: &str| {
            function(own, vec![node(next, &["a"], &["t"]), node(next, &["t"], &["b"])])
        };
        let names: Vec<String> = (0..40).map(|i| if i == 0 { "F".into() } else { format!("F{i}") }).collect();
        let functions = names.windows(2).map(|w| twice(&w[0], &w[1])).collect();
        assert_eq!(inline(&mut model(functions)), Err(FunctionError::Size));
    }
}
