//! The result of a search.

use std::collections::BTreeMap;

use super::item::Item;
use super::state::Point;
use crate::quantize::{Choice, Method, Settings, TensorSettings};

/// The figure that models are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Signal-to-noise ratio at the outputs, in dB.
    Sqnr,
    /// Share of labelled inputs that are classified correctly.
    Top1,
}

impl Metric {
    /// The figure of a model.
    #[must_use]
    pub fn value(self, point: &Point) -> f64 {
        match (self, point.top1) {
            (Metric::Top1, Some(share)) => share,
            (Metric::Top1, None) | (Metric::Sqnr, _) => point.sqnr,
        }
    }
}

/// A model that was measured, with the figure for the goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The model.
    pub point: Point,
    /// The figure: in dB, or a share.
    pub value: f64,
}

/// The result of tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// Everything in 8 bits, with the plain method everywhere.
    pub plain: Evaluation,
    /// Everything in 16 bits.
    pub wide: Evaluation,
    /// The chosen model.
    pub best: Evaluation,
    /// The choice of widths and methods.
    pub choice: Choice,
    /// The figure that models were judged by.
    pub metric: Metric,
    /// The goal.
    pub target: f64,
    /// Whether the goal was reached.
    pub reached: bool,
    /// Tensors in 8 bits with another calibration method than the default one.
    pub methods: BTreeMap<String, Method>,
    /// All models that were measured, in the order of cycles.
    pub tried: Vec<Point>,
    /// Items in the order in which they would be raised, with noise in 8 bits, and cycles that 16 bits cost.
    pub order: Vec<(Item, f64, u64)>,
}

impl Tuned {
    /// The models that no other one beats in both value and cycles, in the order of cycles.
    #[must_use]
    pub fn pareto(&self) -> Vec<&Point> {
        let value = |p: &Point| self.metric.value(p);
        let mut all: Vec<&Point> = self.tried.iter().collect();
        all.sort_by(|a, b| a.cycles.cmp(&b.cycles).then(value(b).total_cmp(&value(a))));
        let mut front: Vec<&Point> = Vec::new();
        for point in all {
            if front.last().is_none_or(|last| value(point) > value(last)) {
                front.push(point);
            }
        }
        front
    }

    /// Settings with which [`Pipeline`](crate::quantize::Pipeline) writes the chosen model; `base` are those
    /// of the search.
    #[must_use]
    pub fn recipe(&self, base: &Settings) -> Settings {
        let mut settings = base.clone();
        (settings.bits, settings.weight_bits) = (8, 8);
        settings.layers =
            self.choice.layers.iter().map(|(node, w)| (node.clone(), w.name().to_string())).collect();
        settings.tensors.clear();
        for (tensor, bits) in &self.choice.bits {
            settings.tensors.entry(tensor.clone()).or_default().bits = Some(*bits);
        }
        for (tensor, method) in &self.choice.methods {
            let entry: &mut TensorSettings = settings.tensors.entry(tensor.clone()).or_default();
            entry.method = Some(method.name());
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_models_with_the_same_cycles_only_the_best_is_in_front() {
        let point =
            |cycles, sqnr| Point { what: String::new(), raised: Vec::new(), sqnr, top1: None, cycles };
        let one = |cycles, sqnr| Evaluation { point: point(cycles, sqnr), value: sqnr };
        let tuned = Tuned {
            plain: one(10, 5.0),
            wide: one(30, 40.0),
            best: one(20, 30.0),
            choice: Choice::default(),
            metric: Metric::Sqnr,
            target: 30.0,
            reached: true,
            methods: BTreeMap::new(),
            tried: vec![point(10, 5.0), point(10, 7.0), point(15, 6.0), point(20, 30.0), point(30, 40.0)],
            order: Vec::new(),
        };
        let front: Vec<_> = tuned.pareto().iter().map(|p| (p.cycles, p.sqnr)).collect();
        assert_eq!(front, [(10, 7.0), (20, 30.0), (30, 40.0)]);
    }
}
