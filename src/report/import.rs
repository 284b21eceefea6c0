//! Text on the import of a model.

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
            text.push_str(&host_layer(&node.name, &h.op_types, "run on the host", &h.reason));
        }
    }
    text
}

/// The line of a host layer: its operators, and how they run.
pub(super) fn host_layer(layer: &str, op_types: &[String], how: &str, reason: &str) -> String {
    format!("host layer \"{layer}\": {} {how}, outside bit-exactness ({reason})\n", op_types.join(", "))
}
