//! Unique names in a graph.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::GraphProto;

/// The names of a graph's values and nodes, including those of the graphs inside its nodes: in ONNX, each may
/// have one meaning only.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    pub(crate) fn of(graph: &GraphProto) -> Names {
        let mut names = Names::default();
        names.collect(graph);
        names
    }

    fn collect(&mut self, graph: &GraphProto) {
        self.0.extend(graph.initializer.iter().map(|t| t.name().to_string()));
        let sparse = graph.sparse_initializer.iter().filter_map(|t| t.values.as_ref());
        self.0.extend(sparse.map(|t| t.name().to_string()));
        let infos = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
        self.0.extend(infos.map(|i| i.name().to_string()));
        for node in &graph.node {
            self.0.insert(node.name().to_string());
            self.0.extend(node.input.iter().chain(&node.output).cloned());
            for inner in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
                self.collect(inner);
            }
        }
    }

    /// The name `wish`, with a number appended if it is taken. The result is taken from now on.
    pub(crate) fn own(&mut self, wish: &str) -> String {
        let mut name = wish.to_string();
        let mut number = 0;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{wish}_{number}");
        }
        name
    }
}

/// Values that a graph makes: initializers and results of nodes.
pub(super) fn made(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let computed = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
    graph.initializer.iter().map(|t| t.name()).chain(computed).filter(|name| !name.is_empty())
}

/// Renames values in a graph and in the graphs within, where those do not make values of the same name.
pub(super) fn rename(graph: &mut GraphProto, to: &BTreeMap<String, String>) {
    let change = |name: &mut String| {
        if let Some(new) = to.get(name) {
            name.clone_from(new);
        }
    };
    graph.initializer.iter_mut().filter_map(|t| t.name.as_mut()).for_each(change);
    graph.output.iter_mut().chain(&mut graph.value_info).filter_map(|v| v.name.as_mut()).for_each(change);
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(change);
        let inner = node.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs));
        for inner in inner {
            let mut visible = to.clone();
            let hidden: Vec<String> =
                made(inner).chain(inner.input.iter().map(|i| i.name())).map(str::to_string).collect();
            visible.retain(|name, _| !hidden.contains(name));
            rename(inner, &visible);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::NodeProto;

    #[test]
    fn a_name_is_given_once() {
        let node = NodeProto {
            name: Some("n".into()),
            output: vec!["y".into(), "y_1".into()],
            ..Default::default()
        };
        let mut names = Names::of(&GraphProto { node: vec![node], ..GraphProto::default() });
        assert_eq!(["n", "y", "y", "z"].map(|w| names.own(w)), ["n_1", "y_2", "y_3", "z"]);
    }
}
