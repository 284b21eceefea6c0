//! Report of `check`: what can be known about a model or a program before it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::import::unsupported;
use super::model;
use crate::document::Kind;
use crate::isa::Unit;
use crate::onnx::{NodeRow, NodeStatus, OPSETS, Opset};
use crate::program::{HostEntry, Program};
use crate::readable;
use crate::sim::Loaded;
use crate::sim::clock::ClockReport;

/// A model that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ModelCheck {
    /// Whether it can be compiled and run.
    pub supported: bool,
    /// Its nodes, in the order of the graph.
    pub nodes: Vec<CheckedNode>,
    /// Its multiply-accumulates, if it can be compiled.
    pub macs: Option<MacSplit>,
    /// Why it cannot be compiled though all its nodes are supported.
    pub problem: Option<String>,
    /// Its opsets.
    pub opsets: Vec<Opset>,
    /// The first and the last opset that are supported.
    pub supported_opsets: OpsetRange,
    /// Its host layers in words.
    #[serde(skip)]
    pub about_hosts: String,
    #[serde(skip)]
    rows: Vec<NodeRow>,
}

/// The result for a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CheckedNode {
    /// Its name.
    pub node: String,
    /// Its operator.
    #[serde(rename = "type")]
    pub op_type: String,
    /// What it becomes.
    pub status: NodeStatus,
    /// The layer that it is in, or why it is not supported.
    pub detail: String,
    /// The instructions of that layer.
    pub instructions: Vec<String>,
}

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct OpsetRange {
    /// The oldest.
    pub first: i64,
    /// The newest.
    pub last: i64,
}

impl OpsetRange {
    /// The range that is compared with ONNX Runtime.
    #[must_use]
    pub fn supported() -> OpsetRange {
        OpsetRange { first: *OPSETS.start(), last: *OPSETS.end() }
    }
}

/// Where multiply-accumulates are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct MacSplit {
    /// By the accelerator.
    pub accelerator: u64,
    /// By the host.
    pub host: u64,
}

impl Kind for ModelCheck {
    const KIND: &'static str = "check-model";
}

impl ModelCheck {
    /// The report of a model with the rows of its import. `compiled` is its program, or the reason why there
    /// is none, if all nodes are supported.
    #[must_use]
    pub fn new(
        rows: Vec<NodeRow>,
        compiled: Option<Result<&Program, String>>,
        opsets: Vec<Opset>,
        about_hosts: String,
    ) -> ModelCheck {
        let program = compiled.as_ref().and_then(|c| c.as_ref().ok().copied());
        let families = program.map(families).unwrap_or_default();
        let instructions = |row: &NodeRow| -> Vec<String> {
            let own = matches!(row.status, NodeStatus::Layer | NodeStatus::Fused);
            let found = families.get(row.detail.as_str()).filter(|_| own);
            found.into_iter().flatten().map(|m| (*m).to_string()).collect()
        };
        let node = |row: &NodeRow| CheckedNode {
            node: row.name.clone(),
            op_type: row.op_type.clone(),
            status: row.status,
            detail: row.detail.clone(),
            instructions: instructions(row),
        };
        ModelCheck {
            supported: program.is_some(),
            nodes: rows.iter().map(node).collect(),
            macs: program.map(|p| {
                let of = |host: bool| p.meta.layers.iter().filter(|l| l.host == host).map(|l| l.macs).sum();
                MacSplit { accelerator: of(false), host: of(true) }
            }),
            problem: compiled.and_then(Result::err),
            opsets,
            supported_opsets: OpsetRange::supported(),
            about_hosts,
            rows,
        }
    }

    /// The report as text; with `all` every node, else only unsupported ones.
    #[must_use]
    pub fn text(&self, all: bool) -> String {
        let mut text = String::new();
        if all {
            let cells = self.nodes.iter().map(|n| {
                let CheckedNode { node, op_type, status, detail, instructions } = n;
                let (status, instructions) = (word(*status).to_string(), instructions.join(" "));
                vec![node.clone(), op_type.clone(), status, instructions, detail.clone()]
            });
            let heads = ["node", "type", "status", "instructions", "layer or reason"];
            text.push_str(&readable::table(&heads, &[], cells.collect()));
            text.push('\n');
        } else if self.rows.iter().any(|r| r.status == NodeStatus::Unsupported) {
            text.push_str(&unsupported(&self.rows));
            text.push('\n');
        }
        let lines = model::opsets(&self.opsets) + &totals(&self.rows) + &self.about_hosts;
        text.push_str(&readable::prose(&lines));
        if let Some(MacSplit { accelerator, host }) = self.macs.filter(|m| m.accelerator + m.host > 0) {
            let share = 100.0 * accelerator as f64 / (accelerator + host) as f64;
            let all = readable::short(accelerator + host);
            let _ = writeln!(text, "{all} MACs, {share:.1}% of them on the accelerator");
        }
        text.push_str(self.problem.as_deref().unwrap_or_default());
        text
    }
}

/// A program that was loaded, and thereby checked.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ProgramCheck {
    /// Always `fine`.
    pub status: &'static str,
    /// Its machine.
    pub machine: String,
    /// The cycles of a run.
    pub clock: ClockReport,
    /// Its host layers.
    pub hosts: Vec<HostEntry>,
    #[serde(skip)]
    program: PathBuf,
    #[serde(skip)]
    clock_mhz: u32,
    /// Names of the host layers.
    #[serde(skip)]
    names: Vec<String>,
}

impl Kind for ProgramCheck {
    const KIND: &'static str = "check-program";
}

impl ProgramCheck {
    /// The report of a program in the file `program`, loaded for a machine with this clock (MHz).
    #[must_use]
    pub fn new(program: &Path, loaded: &Loaded, clock_mhz: u32) -> ProgramCheck {
        let meta = &loaded.program().meta;
        let name = |h: &HostEntry| meta.layers.get(h.layer as usize).map_or("?", |l| l.name.as_str()).into();
        ProgramCheck {
            status: "fine",
            machine: meta.machine.name.clone(),
            clock: loaded.clock().clone(),
            hosts: meta.hosts.clone(),
            program: program.into(),
            clock_mhz,
            names: meta.hosts.iter().map(name).collect(),
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "fine: {} executes {} instructions in {} cycles ({}) on {}, reads nothing undefined and stays inside its memories\n",
            self.program.display(),
            readable::grouped(self.clock.instructions),
            readable::grouped(self.clock.total),
            readable::time(self.clock.total, self.clock_mhz),
            self.machine
        );
        for (host, name) in self.hosts.iter().zip(&self.names) {
            let types = host.op_types.join(", ");
            let _ = writeln!(text, "host layer \"{name}\": {types} run on the host ({})", host.reason);
        }
        text
    }
}

/// The queue instructions of every layer, by its name; instructions that only move operands to and from the
/// scratchpad are listed for layers without others.
fn families(program: &Program) -> BTreeMap<&str, BTreeSet<&'static str>> {
    let mut found: BTreeMap<&str, BTreeSet<&'static str>> = BTreeMap::new();
    for (i, layer) in program.meta.layers.iter().enumerate() {
        let insns = program.layer_instructions(i).map(|i| i.opcode().info());
        let list = found.entry(&layer.name).or_default();
        list.extend(insns.filter(|i| matches!(i.unit, Unit::Queue(_))).map(|i| i.mnemonic));
    }
    for list in found.values_mut() {
        if list.iter().any(|m| !m.starts_with("dma.")) {
            list.retain(|m| !m.starts_with("dma."));
        }
        list.remove("qnop");
    }
    found
}

fn word(status: NodeStatus) -> &'static str {
    match status {
        NodeStatus::Layer => "layer",
        NodeStatus::Fused => "fused",
        NodeStatus::Folded => "folded",
        NodeStatus::Host => "host",
        NodeStatus::Unsupported => "UNSUPPORTED",
        NodeStatus::Unreached => "unreached",
    }
}

fn totals(rows: &[NodeRow]) -> String {
    let count = |status| rows.iter().filter(|r| r.status == status).count();
    let mut text = String::new();
    let _ = write!(
        text,
        "{} nodes: {} layers, {} fused into them, {} folded",
        rows.len(),
        count(NodeStatus::Layer),
        count(NodeStatus::Fused),
        count(NodeStatus::Folded)
    );
    for (status, what) in [
        (NodeStatus::Host, "on the host"),
        (NodeStatus::Unsupported, "not supported"),
        (NodeStatus::Unreached, "behind an unsupported one"),
    ] {
        if count(status) > 0 {
            let _ = write!(text, ", {} {what}", count(status));
        }
    }
    text.push('\n');
    if count(NodeStatus::Unsupported) == 0 {
        text.push_str("everything is supported\n");
    }
    text
}
