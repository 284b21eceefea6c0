//! Report of `quantize`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::document::{self, Kind};
use crate::quantize::{Calibrated, Parameters, Pruned, PrunedLayer, Settings};
use crate::readable;
use crate::tune::Costs;

/// A quantized model that was written, and how it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QuantizeReport {
    /// Its file.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub model: PathBuf,
    /// The file of its calibration record.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub calibration: PathBuf,
    /// Number of inputs that its ranges come from.
    pub inputs: usize,
    /// Library that ran the float network.
    pub float_engine: String,
    /// Tensors in 8 bits.
    pub tensors_8: usize,
    /// Tensors in 16 bits.
    pub tensors_16: usize,
    /// Nodes with integer weights.
    pub weights: usize,
    /// Its settings.
    pub settings: Settings,
    /// Nodes that were removed, each with the reason.
    pub removed: Vec<RemovedNode>,
    /// Pairs of convolutions that were equalized.
    pub equalized_pairs: usize,
    /// Nodes whose biases were corrected.
    pub corrected_biases: usize,
    /// What pruning did, if requested.
    pub pruned: Option<PrunedReport>,
    /// The sidecar with the preprocessing of pictures, if one was written.
    #[serde(skip)]
    pub sidecar: Option<PathBuf>,
    /// Whether the statistics are those of an earlier run.
    #[serde(skip)]
    pub reused: bool,
}

/// A node that is not in the quantized model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RemovedNode {
    /// Its name.
    pub node: String,
    /// Why it is not there.
    pub reason: String,
}

impl From<&(String, String)> for RemovedNode {
    fn from((node, reason): &(String, String)) -> RemovedNode {
        RemovedNode { node: node.clone(), reason: reason.clone() }
    }
}

impl Kind for QuantizeReport {
    const KIND: &'static str = "quantize";
}

/// What pruning did, and its error.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PrunedReport {
    /// The pruned float network against the original one.
    pub sqnr_db: Option<f64>,
    /// The quantized network against the pruned float one; none if it cannot be executed.
    pub quantization_sqnr_db: Option<f64>,
    /// The quantized network against the original float one; none if it cannot be executed.
    pub both_sqnr_db: Option<f64>,
    /// Number of inputs they were measured on.
    pub measured_on: Option<usize>,
    /// By layer.
    pub layers: Vec<PrunedLayerReport>,
}

/// What pruning did to a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PrunedLayerReport {
    /// Name of its node.
    pub node: String,
    /// Blocks that were made zero.
    pub zero_blocks: usize,
    /// All blocks.
    pub blocks: usize,
}

impl PrunedReport {
    fn of(pruned: &Pruned, costs: Option<Costs>) -> PrunedReport {
        let quantization = costs.and_then(|c| c.quantization);
        let layer = |l: &PrunedLayer| PrunedLayerReport {
            node: l.node.clone(),
            zero_blocks: l.blocks[0],
            blocks: l.blocks[1],
        };
        PrunedReport {
            sqnr_db: costs.map(|c| c.pruning),
            quantization_sqnr_db: quantization.map(|q| q[0]),
            both_sqnr_db: quantization.map(|q| q[1]),
            measured_on: costs.map(|c| c.inputs),
            layers: pruned.layers.iter().map(layer).collect(),
        }
    }
}

/// How many tensors have this many bytes an element.
fn with_bytes(parameters: &Parameters, bytes: usize) -> usize {
    parameters.activations.values().filter(|a| a.dtype.bytes() == bytes).count()
}

impl QuantizeReport {
    /// The report of a model that was written with these parameters, beside its calibration record.
    #[must_use]
    pub fn new(
        (model, calibration): (&Path, &Path),
        calibrated: &Calibrated,
        parameters: &Parameters,
        costs: Option<Costs>,
    ) -> QuantizeReport {
        let done = &calibrated.done;
        QuantizeReport {
            model: model.into(),
            calibration: calibration.into(),
            inputs: done.inputs.len(),
            float_engine: calibrated.engine.name(),
            tensors_8: with_bytes(parameters, 1),
            tensors_16: with_bytes(parameters, 2),
            weights: parameters.weights.len(),
            settings: calibrated.settings.clone(),
            removed: calibrated.clean.removed.iter().map(RemovedNode::from).collect(),
            equalized_pairs: done.equalized,
            corrected_biases: done.corrected,
            pruned: done.pruned.as_ref().map(|pruned| PrunedReport::of(pruned, costs)),
            sidecar: None,
            reused: done.reused,
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.removed.is_empty() {
            let _ = writeln!(text, "{} nodes folded into others or removed", self.removed.len());
        }
        if self.settings.equalize {
            let _ = writeln!(text, "{} pairs of convolutions equalized", self.equalized_pairs);
        }
        if self.settings.bias_correction {
            let _ = writeln!(text, "biases of {} nodes corrected", self.corrected_biases);
        }
        if let Some(pruned) = &self.pruned {
            text.push_str(&pruned.text());
        }
        let _ = writeln!(
            text,
            "{}: {} tensors in 8 bits, {} in 16, weights of {} nodes {}, {} ranges from {} inputs",
            self.model.display(),
            self.tensors_8,
            self.tensors_16,
            self.weights,
            if self.settings.per_channel { "per channel" } else { "per tensor" },
            self.settings.method,
            self.inputs
        );
        if !self.reused {
            let _ = writeln!(text, "float network run by {}", self.float_engine);
        }
        let _ = writeln!(text, "statistics written to {}", self.calibration.display());
        if let Some(path) = &self.sidecar {
            let _ = writeln!(text, "preprocessing of pictures written to {}", path.display());
        }
        readable::prose(&text)
    }
}

impl PrunedReport {
    fn text(&self) -> String {
        let zero: usize = self.layers.iter().map(|l| l.zero_blocks).sum();
        let all: usize = self.layers.iter().map(|l| l.blocks).sum();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "pruning: {} of {} blocks are zero, in {} layers",
            readable::grouped(zero as u64),
            readable::grouped(all as u64),
            self.layers.len(),
        );
        let (Some(pruning), Some(inputs)) = (self.sqnr_db, self.measured_on) else { return text };
        let _ = writeln!(text, "signal to noise at the outputs, on {inputs} inputs:");
        let _ = writeln!(
            text,
            "  pruning alone       {pruning:6.2} dB  pruned float network against the whole one"
        );
        if let (Some(own), Some(both)) = (self.quantization_sqnr_db, self.both_sqnr_db) {
            let _ = writeln!(
                text,
                "  quantization alone  {own:6.2} dB  quantized network against the pruned float one"
            );
            let _ = writeln!(
                text,
                "  both                {both:6.2} dB  quantized network against the whole one"
            );
        } else {
            text.push_str(
                "  quantization: not measured, this tool cannot execute the network (see rcar-iss check)\n",
            );
        }
        text
    }
}
