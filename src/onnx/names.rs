//! Unique names in a graph.

use std::collections::BTreeSet;

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
