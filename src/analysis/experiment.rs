//! The experiments of a diagnosis: planned once, executed on every input.

use std::collections::BTreeMap;

use super::compare::LayerComparison;
use super::diagnosis::How;
use super::errors::Sums;
use super::format::Format;
use super::price::SIXTEEN;
use super::ranges::TensorRanges;
use super::reference::Values;
use super::trial::{Curve, Trial};
use super::weights::FloatWeights;
use crate::graph::{Graph, Op};
use crate::machine::Machine;

/// What an experiment changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One tensor in its own format, all others in 16 bits.
    AsIs,
    /// One tensor in the best range of its width for the given inputs, all others in 16 bits.
    Ideal,
    /// All tensors in 16 bits.
    Sixteen,
    /// All tensors in 16 bits, the float network's weights rounded as the quantized ones are.
    RoundedWeights,
    /// All tensors and weights in 16 bits.
    SixteenWeights,
}

/// How an experiment is executed.
enum Runner {
    Executed(Box<Trial>),
    Interpolated(String, Format),
    Rounded(String, Format),
}

struct Planned {
    node: usize,
    kind: Kind,
    /// The tensor that is not in 16 bits.
    tensor: Option<String>,
    /// The tensor with the result.
    output: String,
    runner: Result<Runner, String>,
}

/// All experiments.
pub(super) struct Experiments<'a> {
    graph: &'a Graph,
    machine: &'a Machine,
    rows: &'a BTreeMap<&'a str, &'a LayerComparison>,
    ranges: &'a BTreeMap<String, TensorRanges>,
    weights: &'a FloatWeights,
    planned: Vec<Planned>,
}

impl<'a> Experiments<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        machine: &'a Machine,
        rows: &'a BTreeMap<&'a str, &'a LayerComparison>,
        ranges: &'a BTreeMap<String, TensorRanges>,
        weights: &'a FloatWeights,
    ) -> Experiments<'a> {
        Experiments { graph, machine, rows, ranges, weights, planned: Vec::new() }
    }

    /// Plans all experiments with one layer.
    pub(super) fn plan(&mut self, node: usize, tensors: &[String], output: &str) {
        let wide = self.wide(node);
        let base = Trial::new(self.graph, node, &wide, None, self.machine);
        self.push(node, Kind::Sixteen, None, output, base.map(|t| Runner::Executed(Box::new(t))));
        for tensor in tensors {
            let Some(own) = self.rows.get(tensor.as_str()).and_then(|r| r.format) else { continue };
            let ideal = self.ranges.get(tensor).map(|r| r.candidates(own.codes));
            let mut variants = vec![(Kind::AsIs, own)];
            variants.extend(ideal.into_iter().flatten().map(|f| (Kind::Ideal, f)));
            let sixteen = wide.get(tensor).copied();
            for (kind, format) in variants.into_iter().chain(sixteen.map(|f| (Kind::Sixteen, f))) {
                let mut formats = wide.clone();
                formats.insert(tensor.clone(), format);
                let runner = self.runner(node, tensor, output, format, &formats);
                // When executed, it is the experiment without a tensor.
                if kind == Kind::Sixteen && matches!(runner, Ok(Runner::Executed(_))) {
                    continue;
                }
                self.push(node, kind, Some(tensor.clone()), output, runner);
            }
        }
        let op = &self.graph.nodes[node].op;
        for (kind, sixteen) in [(Kind::RoundedWeights, false), (Kind::SixteenWeights, true)] {
            if let Some(weights) = self.weights.requantized(op, sixteen) {
                let trial = Trial::new(self.graph, node, &wide, Some(&weights), self.machine);
                self.push(node, kind, None, output, trial.map(|t| Runner::Executed(Box::new(t))));
            }
        }
    }

    /// All tensors of a layer in 16 bits.
    fn wide(&self, node: usize) -> BTreeMap<String, Format> {
        let node = &self.graph.nodes[node];
        let ids = node.inputs.iter().chain(&node.outputs).filter(|id| !self.graph.constants.contains_key(id));
        let rows = ids.filter_map(|id| self.rows.get(self.graph.tensor(*id).name.as_str()));
        let wide = rows.filter(|r| r.format.is_some()).map(|r| {
            let [lo, hi] = r.range.reference;
            (r.tensor.clone(), Format::covering(lo, hi, SIXTEEN))
        });
        wide.collect()
    }

    fn runner(
        &self,
        node: usize,
        tensor: &str,
        output: &str,
        format: Format,
        formats: &BTreeMap<String, Format>,
    ) -> Result<Runner, String> {
        let refused = match Trial::new(self.graph, node, formats, None, self.machine) {
            Ok(trial) => return Ok(Runner::Executed(Box::new(trial))),
            Err(why) => why,
        };
        let tensor = tensor.to_string();
        match self.graph.nodes[node].op {
            Op::Table(_) if tensor != output => Ok(Runner::Interpolated(tensor, format)),
            Op::MaxPool { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Move { .. }
            | Op::Gather
            | Op::Concat { .. }
            | Op::Softmax { .. } => Ok(Runner::Rounded(tensor, format)),
            _ if tensor == output => Ok(Runner::Rounded(tensor, format)),
            _ => Err(refused),
        }
    }

    fn push(
        &mut self,
        node: usize,
        kind: Kind,
        tensor: Option<String>,
        output: &str,
        runner: Result<Runner, String>,
    ) {
        self.planned.push(Planned { node, kind, tensor, output: output.into(), runner });
    }

    /// Executes all experiments on the reference of one input: sums by number, or the reason why there are
    /// none.
    pub(super) fn run(&self, values: &Values) -> BTreeMap<usize, Result<Sums, String>> {
        let known: BTreeMap<&str, &[f32]> =
            values.iter().filter_map(|(n, v)| Some((n.as_str(), v.as_ref().ok()?.as_slice()))).collect();
        let mut curve = None;
        self.planned.iter().enumerate().map(|(number, p)| (number, one(p, &known, &mut curve))).collect()
    }

    /// The experiments of a kind at a layer.
    pub(super) fn numbers(&self, node: usize, kind: Kind, tensor: Option<&str>) -> Vec<usize> {
        let fits = |p: &Planned| p.node == node && p.kind == kind && p.tensor.as_deref() == tensor;
        self.planned.iter().enumerate().filter(|(_, p)| fits(p)).map(|(number, _)| number).collect()
    }

    /// How the experiments with a tensor at a layer are executed.
    pub(super) fn how(&self, node: usize, tensor: &str) -> How {
        let number = self.numbers(node, Kind::AsIs, Some(tensor)).into_iter().next();
        match number.map(|n| &self.planned[n].runner) {
            Some(Ok(Runner::Interpolated(..))) => How::Interpolated,
            Some(Ok(Runner::Rounded(..))) => How::Rounded,
            _ => How::Executed,
        }
    }

    /// Why a layer's experiments have no result.
    pub(super) fn reason(&self, node: usize, sums: &BTreeMap<usize, Result<Sums, String>>) -> String {
        let of_node = self.planned.iter().enumerate().filter(|(_, p)| p.node == node);
        let mut reasons = of_node.filter_map(|(number, _)| sums.get(&number)?.as_ref().err());
        reasons.next().cloned().unwrap_or_else(|| "it reads no quantized tensor with a reference".into())
    }
}

/// Executes one experiment. The curve of the last table is kept, since the next experiments use the same one.
fn one<'p>(
    planned: &'p Planned,
    known: &BTreeMap<&str, &[f32]>,
    kept: &mut Option<((&'p str, &'p str), Curve)>,
) -> Result<Sums, String> {
    let reference =
        |name: &str| known.get(name).copied().ok_or_else(|| format!("\"{name}\" has no reference"));
    match planned.runner.as_ref().map_err(Clone::clone)? {
        Runner::Executed(trial) => Ok(Sums::of(reference(&planned.output)?, &trial.run(known)?)),
        Runner::Interpolated(tensor, format) => {
            let (x, y) = (reference(tensor)?, reference(&planned.output)?);
            let of = (tensor.as_str(), planned.output.as_str());
            let kept = match kept.take() {
                Some((last, curve)) if last == of => kept.insert((last, curve)),
                _ => kept.insert((of, Curve::of(x, y))),
            };
            let table = kept.1.table(format);
            let least = format.codes[0];
            let values: Vec<f32> = x.iter().map(|x| table[(format.quantize(*x) - least) as usize]).collect();
            Ok(Sums::of(y, &values))
        }
        Runner::Rounded(tensor, format) => {
            let x = reference(tensor)?;
            let values: Vec<f32> = x.iter().map(|x| format.round(*x)).collect();
            Ok(Sums::of(x, &values))
        }
    }
}
