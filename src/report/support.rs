//! Whether a model or a program can be executed, and what of it where.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::Kind;
use crate::onnx::{NodeRow, NodeStatus, OPSETS, Opset};
use crate::program::HostEntry;
use crate::sim::Loaded;
use crate::sim::clock::ClockReport;

/// What of a model is supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelCheck {
    /// Whether all of it is, and fits the machine.
    pub supported: bool,
    /// Every node of the network.
    pub nodes: Vec<CheckedNode>,
    /// Multiply-accumulates; none if it cannot be compiled.
    pub macs: Option<MacsByPlace>,
    /// Why it cannot be compiled, though its nodes are supported.
    pub problem: Option<String>,
    /// Versions of operators that it asks for.
    pub opsets: Vec<Opset>,
    /// Versions of ONNX's own operators that are compared with ONNX Runtime.
    pub supported_opsets: OpsetRange,
}

impl Kind for ModelCheck {
    const KIND: &'static str = "check-model";
}

/// What became of an ONNX node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckedNode {
    /// Name; made from type and position where the model gives none.
    pub node: String,
    /// Operator.
    #[serde(rename = "type")]
    pub op_type: String,
    /// What became of it.
    pub status: CheckedStatus,
    /// Layer, or reason.
    pub detail: String,
    /// Mnemonics of its layer's instructions.
    pub instructions: Vec<String>,
}

/// What became of an ONNX node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckedStatus {
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
    /// It may be fine, but an unsupported node feeds it.
    Unreached,
}

impl From<NodeStatus> for CheckedStatus {
    fn from(status: NodeStatus) -> CheckedStatus {
        match status {
            NodeStatus::Layer => CheckedStatus::Layer,
            NodeStatus::Fused => CheckedStatus::Fused,
            NodeStatus::Folded => CheckedStatus::Folded,
            NodeStatus::Host => CheckedStatus::Host,
            NodeStatus::Unsupported => CheckedStatus::Unsupported,
            NodeStatus::Unreached => CheckedStatus::Unreached,
        }
    }
}

impl CheckedNode {
    /// A node, with the mnemonics of its layer's instructions.
    #[must_use]
    pub fn new(row: &NodeRow, instructions: Vec<String>) -> CheckedNode {
        CheckedNode {
            node: row.name.clone(),
            op_type: row.op_type.clone(),
            status: row.status.into(),
            detail: row.detail.clone(),
            instructions,
        }
    }
}

/// Multiply-accumulates by who executes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MacsByPlace {
    /// The accelerator.
    pub accelerator: u64,
    /// The host.
    pub host: u64,
}

/// Versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpsetRange {
    /// The oldest.
    pub first: i64,
    /// The newest.
    pub last: i64,
}

impl OpsetRange {
    /// Those that are compared with ONNX Runtime.
    #[must_use]
    pub fn supported() -> OpsetRange {
        OpsetRange { first: *OPSETS.start(), last: *OPSETS.end() }
    }
}

/// A program that may be executed: what may not has no report but a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProgramCheck {
    /// `fine`.
    pub status: &'static str,
    /// Machine.
    pub machine: String,
    /// How long it takes.
    pub clock: ClockReport,
    /// Its host layers.
    pub hosts: Vec<HostEntry>,
}

impl Kind for ProgramCheck {
    const KIND: &'static str = "check-program";
}

impl ProgramCheck {
    /// Of a program that was loaded.
    #[must_use]
    pub fn of(loaded: &Loaded) -> ProgramCheck {
        ProgramCheck {
            status: "fine",
            machine: loaded.machine().name.clone(),
            clock: loaded.clock().clone(),
            hosts: loaded.program().meta.hosts.clone(),
        }
    }
}
