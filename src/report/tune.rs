//! Report of `tune`: the result of a search of widths.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::document::{self, Kind};
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::quantize::Calibrated;
use crate::readable;
use crate::tune::{Item, Metric, Point, Tuned};

/// Files of a result that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct TuneFiles {
    /// The quantized model.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub model: PathBuf,
    /// Its program.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub program: PathBuf,
    /// Accuracy against cycles.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub plot: PathBuf,
    /// Settings that reproduce the model.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub recipe: PathBuf,
    /// Its calibration record.
    #[serde(serialize_with = "document::lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub calibration: PathBuf,
}

impl TuneFiles {
    /// The files beside a model.
    #[must_use]
    pub fn beside(model: &Path) -> TuneFiles {
        TuneFiles {
            model: model.into(),
            program: model.with_extension("rcn"),
            plot: model.with_extension("svg"),
            recipe: model.with_extension("recipe.toml"),
            calibration: model.with_extension("calibration.json"),
        }
    }
}

/// The result of a search, with its files.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct TuneReport {
    /// The files.
    #[serde(flatten)]
    pub files: TuneFiles,
    /// The goal.
    pub target: f64,
    /// Whether the goal was reached.
    pub reached: bool,
    /// Everything in 8 bits, with the plain method everywhere.
    pub plain: Point,
    /// Everything in 16 bits.
    pub wide: Point,
    /// The chosen model.
    pub best: Point,
    /// Tensors in 8 bits with another calibration method than the default one: the method's name.
    pub methods: BTreeMap<String, String>,
    /// What could be raised to 16 bits, in the order in which it would be.
    pub order: Vec<Raisable>,
    /// All models that were measured, in the order of cycles.
    pub tried: Vec<Point>,
    /// The figure that models were judged by.
    #[serde(skip)]
    pub metric: Metric,
}

/// An item that could be raised to 16 bits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Raisable {
    /// The item.
    pub item: Item,
    /// Noise over signal at the outputs with only this item in 8 bits.
    pub noise: f64,
    /// Additional cycles for 16 bits.
    pub cycles: u64,
    /// The nodes that a tensor connects.
    #[serde(skip)]
    pub layers: String,
}

impl Kind for TuneReport {
    const KIND: &'static str = "tune";
}

impl TuneReport {
    /// The report of a result for this network.
    #[must_use]
    pub fn new(files: TuneFiles, calibrated: &Calibrated, tuned: &Tuned) -> TuneReport {
        let graph = calibrated.clean.model.graph.as_ref();
        let raisable = |(item, noise, cycles): &(Item, f64, u64)| Raisable {
            item: item.clone(),
            noise: *noise,
            cycles: *cycles,
            layers: graph.map_or_else(String::new, |g| layers(g, item)),
        };
        TuneReport {
            files,
            target: tuned.target,
            reached: tuned.reached,
            plain: tuned.plain.point.clone(),
            wide: tuned.wide.point.clone(),
            best: tuned.best.point.clone(),
            methods: tuned.methods.iter().map(|(t, m)| (t.clone(), m.name())).collect(),
            order: tuned.order.iter().map(raisable).collect(),
            tried: tuned.tried.clone(),
            metric: tuned.metric,
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.raised();
        for (tensor, method) in &self.methods {
            let _ = writeln!(text, "tensor {tensor}: range by {method}");
        }
        text.push_str(&self.models());
        text + &readable::prose(&self.verdict())
    }

    /// Additional cycles of a model over another one, in percent.
    fn more(point: &Point, than: &Point) -> String {
        format!("{:+.1}%", 100.0 * (point.cycles as f64 / than.cycles as f64 - 1.0))
    }

    /// The items in 16 bits.
    fn raised(&self) -> String {
        if self.best.raised.is_empty() {
            return String::new();
        }
        let rows = self.order.iter().filter(|o| self.best.raised.contains(&o.item)).map(|o| {
            vec![
                o.item.text(),
                o.layers.clone(),
                format!("{:.2}", -10.0 * o.noise.log10()),
                readable::grouped(o.cycles),
            ]
        });
        readable::table(&["in 16 bits", "layers", "alone in 8, dB", "cycles"], &[2, 3], rows.collect())
    }

    /// All models that were measured.
    fn models(&self) -> String {
        let line = |p: &Point| {
            let name = if *p == self.best {
                "→ chosen"
            } else if p.what == "first 0" {
                "8 bits, best ranges"
            } else {
                &p.what
            };
            vec![
                name.into(),
                p.raised.len().to_string(),
                format!("{:.2}", p.sqnr),
                p.top1.map_or_else(String::new, |t| format!("{:.2}%", 100.0 * t)),
                readable::grouped(p.cycles),
                TuneReport::more(p, &self.plain),
            ]
        };
        let heads = ["tried", "in 16 bits", "SQNR dB", "top-1", "cycles", "more"];
        readable::table(&heads, &[1, 2, 3, 4, 5], self.tried.iter().map(line).collect())
    }

    fn verdict(&self) -> String {
        let shown = |v: f64| match self.metric {
            Metric::Top1 => format!("{:.2}%", 100.0 * v),
            Metric::Sqnr => format!("{v:.2} dB"),
        };
        let mut text = String::new();
        let _ = writeln!(
            text,
            "target {} {}: {} with {} of {} tensors and weights in 16 bits, {} cycles ({} against plain 8 bits, {} against all in 16)",
            shown(self.target),
            if self.reached { "reached" } else { "NOT reached" },
            shown(self.metric.value(&self.best)),
            self.best.raised.len(),
            self.order.len(),
            readable::grouped(self.best.cycles),
            TuneReport::more(&self.best, &self.plain),
            TuneReport::more(&self.best, &self.wide),
        );
        let TuneFiles { model, program, plot, recipe, .. } = &self.files;
        let written = [model, program, plot, recipe].map(|path| path.display().to_string());
        let _ = writeln!(text, "written: {}", written.join(", "));
        text
    }
}

/// The nodes that a tensor connects.
fn layers(graph: &GraphProto, item: &Item) -> String {
    let Item::Tensor(name) = item else { return String::new() };
    let named = |n: &NodeProto| n.name().to_string();
    let from = graph.node.iter().find(|n| n.output.contains(name)).map_or_else(|| "input".into(), named);
    let to: Vec<String> = graph.node.iter().filter(|n| n.input.contains(name)).map(named).collect();
    format!("{from} → {}", if to.is_empty() { "output".into() } else { to.join(", ") })
}
