//! Results of an import.

use serde::Serialize;

use crate::graph::Graph;

/// What an ONNX node became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    /// It is a layer.
    Layer,
    /// It is part of a layer.
    Fused,
    /// It was computed at import: it depends on constants only, or changes nothing.
    Folded,
    /// It runs on the host.
    Host,
    /// It cannot be compiled.
    Unsupported,
    /// It is not examined, because an unsupported node feeds it.
    Unreached,
}

/// An ONNX node and what it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Name; made from type and position where the model gives none.
    pub name: String,
    /// Operator type, with its domain if that is not ONNX's own.
    pub op_type: String,
    /// What it became.
    pub status: NodeStatus,
    /// Layer, or reason.
    pub detail: String,
}

/// An imported model.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The integer graph.
    pub graph: Graph,
    /// One per node, in the model's order.
    pub rows: Vec<NodeRow>,
}

/// Why a model is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file violates ONNX's own rules.
    #[error("{place}: {reason}")]
    Malformed {
        /// Node, initializer or input.
        place: String,
        /// Which rule.
        reason: String,
    },
    /// Nodes, inputs or outputs that cannot be compiled; all of them.
    #[error("{} of {} nodes cannot be compiled", .rows.iter().filter(|r| r.status == NodeStatus::Unsupported).count(), .rows.len())]
    Unsupported {
        /// One per node, in the model's order; inputs and outputs that cannot be compiled at the end.
        rows: Vec<NodeRow>,
    },
    /// An unknown tensor to observe.
    #[error("the model has no tensor \"{name}\" to observe")]
    NoSuchTensor {
        /// As asked for.
        name: String,
    },
}
