//! Text on the import of a model.

use std::fmt::Write;

use crate::graph::{Graph, Op};
use crate::onnx::{NodeRow, NodeStatus};
use crate::readable;

/// The unsupported nodes as a table.
#[must_use]
pub fn unsupported(rows: &[NodeRow]) -> String {
    let cells = rows
        .iter()
        .filter(|r| r.status == NodeStatus::Unsupported)
        .map(|r| vec![r.name.clone(), r.op_type.clone(), r.detail.clone()]);
    readable::table(&["unsupported node", "type", "reason"], &[], cells.collect())
}

/// One line for each host layer.
#[must_use]
pub fn host_layers(graph: &Graph) -> String {
    let mut text = String::new();
    for node in &graph.nodes {
        if let Op::Host(h) = &node.op {
            let _ = writeln!(
                text,
                "host layer \"{}\": {} run on the host, outside bit-exactness ({})",
                node.name,
                h.op_types.join(", "),
                h.reason
            );
        }
    }
    text
}
