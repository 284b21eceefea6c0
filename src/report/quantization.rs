//! What `quantize` and `tune` found and wrote, for programs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::Kind;
use crate::quantize::Settings;
use crate::tune::{Item, Point, Tuned};

/// A float network that was quantized.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QuantizeReport {
    /// The quantized model.
    pub model: String,
    /// What calibration saw, beside it.
    pub calibration: String,
    /// Calibration inputs.
    pub inputs: usize,
    /// The library that ran the float network.
    pub float_engine: String,
    /// Tensors in 8 bits.
    pub tensors_8: usize,
    /// Tensors in 16 bits.
    pub tensors_16: usize,
    /// Nodes whose weights were quantized.
    pub weights: usize,
    /// What it was quantized with.
    pub settings: Settings,
    /// Nodes of the float network that were folded into others or left out.
    pub removed: Vec<RemovedNode>,
    /// Pairs of convolutions whose channels were scaled alike.
    pub equalized_pairs: usize,
    /// Nodes whose biases were corrected.
    pub corrected_biases: usize,
    /// What pruning did; none without.
    pub pruned: Option<PruneReport>,
}

impl Kind for QuantizeReport {
    const KIND: &'static str = "quantize";
}

/// A node that is not in the quantized model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemovedNode {
    /// Its name.
    pub node: String,
    /// What became of it.
    pub reason: String,
}

impl From<&(String, String)> for RemovedNode {
    fn from((node, reason): &(String, String)) -> RemovedNode {
        RemovedNode { node: node.clone(), reason: reason.clone() }
    }
}

/// What pruning did, and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PruneReport {
    /// The pruned float network against the whole one, signal to noise at the outputs (dB); none if not measured.
    pub sqnr_db: Option<f64>,
    /// The quantized network against the pruned float one (dB).
    pub quantization_sqnr_db: Option<f64>,
    /// The quantized network against the whole float one (dB).
    pub both_sqnr_db: Option<f64>,
    /// Inputs on which that was measured.
    pub measured_on: Option<usize>,
    /// Layers that were pruned.
    pub layers: Vec<PrunedWeights>,
}

/// A layer that was pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PrunedWeights {
    /// Its node.
    pub node: String,
    /// Blocks of its weights that are zero.
    pub zero_blocks: usize,
    /// All blocks.
    pub blocks: usize,
}

/// The least that must have 16 bits.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TuneReport {
    /// Files that were written.
    #[serde(flatten)]
    pub files: TuneFiles,
    /// The value that had to be reached: dB, or a share where labels are given.
    pub target: f64,
    /// Whether it was.
    pub reached: bool,
    /// Everything in 8 bits, with the plain method everywhere.
    pub plain: Point,
    /// Everything in 16 bits.
    pub wide: Point,
    /// What was chosen.
    pub best: Point,
    /// Tensors in 8 bits whose method is another than the plain one.
    pub methods: BTreeMap<String, String>,
    /// Items in the order in which they would be raised to 16 bits.
    pub order: Vec<RaisedItem>,
    /// All models that were measured, in the order of cycles.
    pub tried: Vec<Point>,
}

impl Kind for TuneReport {
    const KIND: &'static str = "tune";
}

/// Files of a model whose widths were chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TuneFiles {
    /// The quantized model.
    pub model: String,
    /// Its program.
    pub program: String,
    /// Accuracy against cycles of all that was tried.
    pub plot: String,
    /// Settings with which `quantize --config` writes the same model.
    pub recipe: String,
    /// What calibration saw.
    pub calibration: String,
}

/// An item and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RaisedItem {
    /// A tensor, or the weights of a node.
    pub item: Item,
    /// Noise at the outputs if it alone has 8 bits, as a share of the signal.
    pub noise: f64,
    /// Cycles that 16 bits cost.
    pub cycles: u64,
}

impl TuneReport {
    /// Of a search.
    #[must_use]
    pub fn new(tuned: &Tuned, files: TuneFiles) -> TuneReport {
        let order = tuned.order.iter().map(|(item, noise, cycles)| RaisedItem {
            item: item.clone(),
            noise: *noise,
            cycles: *cycles,
        });
        TuneReport {
            files,
            target: tuned.target,
            reached: tuned.reached,
            plain: tuned.plain.point.clone(),
            wide: tuned.wide.point.clone(),
            best: tuned.best.point.clone(),
            methods: tuned.methods.iter().map(|(tensor, m)| (tensor.clone(), m.name())).collect(),
            order: order.collect(),
            tried: tuned.tried.clone(),
        }
    }
}
