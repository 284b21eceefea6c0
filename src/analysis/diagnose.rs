//! Finds by experiment why layers lose accuracy.
//!
//! A [comparison](super::compare()) shows which layers have large errors when they read the reference. Each
//! of them is executed alone several times: with one of the tensors that it reads in its own format, in the
//! best 8-bit range for the given inputs, and in 16 bits, with all other activations in 16 bits; and with
//! other weights. The change that repairs the layer gives the cause, and the layer at fault is the one that
//! determines the tensor's range.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{CompareError, Comparison, LayerComparison};
use super::diagnosis::{CalibrationRange, Diagnosis, Evidence, Finding, Inherited, Price, WideChannel};
use super::errors::Sums;
use super::experiment::{Experiments, Kind};
use super::price;
use super::ranges::TensorRanges;
use super::reference::{Bound, Values};
use super::runs::each_run;
use super::verdict::{Cause, TensorTrial, Thresholds, WeightTrial, judge_tensor, judge_weights};
use super::weights::{FloatWeights, shared_scale};
use crate::graph::{Graph, Op, TensorId};
use crate::inputs::{Samples, bytes_of};
use crate::machine::Machine;
use crate::program::Meta;

/// Inputs of a diagnosis.
pub struct Case<'a> {
    /// The network with every tensor kept, as it was compared.
    pub graph: &'a Graph,
    /// The network as it is deployed, without kept tensors; the comparison has its cycles.
    pub plain: &'a Graph,
    /// Its machine.
    pub machine: &'a Machine,
    /// The comparison.
    pub comparison: &'a Comparison,
    /// The reference of the comparison.
    pub reference: &'a Bound<'a>,
    /// The tables of the compared program.
    pub meta: &'a Meta,
    /// The inputs of the comparison.
    pub inputs: &'a dyn Samples,
    /// The inputs that the model was calibrated with, if known.
    pub calibration: Option<&'a dyn Samples>,
    /// The float network's weights by name; empty if not known.
    pub weights: &'a FloatWeights,
    /// Number of threads.
    pub threads: usize,
}

impl Case<'_> {
    /// Calls `work` with the number and the reference's values of each input; results are in the order of the
    /// inputs.
    fn each_reference<T: Send>(
        &self,
        inputs: &dyn Samples,
        work: impl Fn(usize, &Values) -> T + Sync,
    ) -> Result<Vec<T>, CompareError> {
        let runs = inputs.count();
        let one = |(): &mut (), run: usize| {
            let sample = inputs.read(run)?;
            let values = self.reference.values(self.meta, (run, runs), &bytes_of(&sample))?;
            Ok(work(run, &values))
        };
        each_run(self.threads, 0..runs, || (), one)
    }
}

/// Diagnoses a comparison. `each` is called after each input's experiments.
///
/// # Errors
/// The reference cannot be computed again.
pub fn diagnose(
    case: &Case<'_>,
    thresholds: &Thresholds,
    each: &(dyn Fn() + Sync),
) -> Result<Diagnosis, CompareError> {
    let rows: BTreeMap<&str, &LayerComparison> =
        case.comparison.layers.iter().map(|l| (l.tensor.as_str(), l)).collect();
    let suspects = suspects(case, &rows, thresholds);
    let read: BTreeSet<&str> = suspects.iter().flat_map(|s| s.tensors.iter().map(String::as_str)).collect();
    let ranges = ranges(case, &rows, &read)?;
    let mut experiments = Experiments::new(case.graph, case.machine, &rows, &ranges, case.weights);
    for suspect in &suspects {
        experiments.plan(suspect.node, &suspect.tensors, &suspect.output);
    }
    let per_run = case.each_reference(case.inputs, |_, values| {
        let sums = experiments.run(values);
        each();
        sums
    })?;
    let sums = total(per_run);
    let mut found = Found::default();
    for suspect in &suspects {
        judge(case, suspect, &experiments, &sums, thresholds, &mut found);
    }
    finish(case, &rows, &ranges, thresholds, found)
}

/// Ratio to the reference's range from which on a range counts as too wide.
const WIDER: f32 = 1.25;

/// A layer whose own error is large.
struct Suspect {
    node: usize,
    layer: String,
    isolated_db: f64,
    /// Its output, which has a reference.
    output: String,
    /// Quantized tensors whose formats may be the cause: those that it reads, and its result if nothing reads
    /// it or its range is too wide.
    tensors: Vec<String>,
}

fn suspects(case: &Case<'_>, rows: &BTreeMap<&str, &LayerComparison>, t: &Thresholds) -> Vec<Suspect> {
    let graph = case.graph;
    let links = graph.links();
    let mut suspects = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        let Some(output) = node.outputs.first() else { continue };
        let Some(row) = rows.get(graph.tensor(*output).name.as_str()) else { continue };
        if row.isolated.sqnr_db >= t.suspicious_db || row.isolated.not_finite() > 0 {
            continue;
        }
        let judged = |id: &TensorId| {
            let tensor = graph.tensor(*id);
            tensor.quant.is_some()
                && !graph.constants.contains_key(id)
                && rows.get(tensor.name.as_str()).is_some_and(|r| r.format.is_some())
        };
        let mut tensors: Vec<String> =
            node.inputs.iter().filter(|id| judged(id)).map(|id| graph.tensor(*id).name.clone()).collect();
        tensors.dedup();
        // A range wider than the float tensor's is examined where the tensor is computed: a Relu or Clip that
        // the ends of the range implemented is lost with it.
        let wider = row.format.is_some_and(|f| {
            let ([lo, hi], [least, greatest]) = (f.range(), row.range.reference);
            hi - lo > WIDER * (greatest.max(0.0) - least.min(0.0))
        });
        if judged(output) && (wider || links.readers(*output).is_empty()) {
            tensors.push(graph.tensor(*output).name.clone());
        }
        suspects.push(Suspect {
            node: at,
            layer: node.name.clone(),
            isolated_db: row.isolated.sqnr_db,
            output: row.tensor.clone(),
            tensors,
        });
    }
    suspects
}

/// Ranges of the given tensors over all inputs.
fn ranges(
    case: &Case<'_>,
    rows: &BTreeMap<&str, &LayerComparison>,
    read: &BTreeSet<&str>,
) -> Result<BTreeMap<String, TensorRanges>, CompareError> {
    let watched: Vec<&LayerComparison> = read.iter().filter_map(|t| rows.get(t).copied()).collect();
    if watched.is_empty() {
        return Ok(BTreeMap::new());
    }
    let per_run = case.each_reference(case.inputs, |run, values| {
        let one = |row: &&LayerComparison| {
            let Some(Ok(reference)) = values.get(&row.tensor) else { return None };
            let ranges = TensorRanges::of(run, reference, row.format.as_ref(), row.range.reference);
            Some((row.tensor.clone(), ranges))
        };
        watched.iter().filter_map(one).collect::<Vec<_>>()
    })?;
    let mut ranges: BTreeMap<String, TensorRanges> = BTreeMap::new();
    for (name, one) in per_run.into_iter().flatten() {
        match ranges.get_mut(&name) {
            Some(known) => known.merge(one),
            None => {
                ranges.insert(name, one);
            }
        }
    }
    Ok(ranges)
}

/// Sums of all experiments by number; failed ones keep their reason.
type Totals = BTreeMap<usize, Result<Sums, String>>;

fn total(per_run: Vec<Totals>) -> Totals {
    let mut sums = Totals::new();
    for (number, one) in per_run.into_iter().flatten() {
        match (sums.get_mut(&number), one) {
            (Some(Ok(known)), Ok(new)) => known.merge(&new),
            (Some(Err(_)), _) => {}
            (_, one) => {
                sums.insert(number, one);
            }
        }
    }
    sums
}

/// The results of the experiments so far.
#[derive(Default)]
struct Found {
    evidence: Vec<(Cause, Evidence)>,
    weights: Vec<(Cause, usize, WeightTrial)>,
    ordinary: Vec<String>,
    skipped: Vec<String>,
}

fn judge(
    case: &Case<'_>,
    suspect: &Suspect,
    experiments: &Experiments<'_>,
    sums: &Totals,
    t: &Thresholds,
    found: &mut Found,
) {
    let db = |kind: Kind, tensor: Option<&str>| -> Option<f64> {
        let numbers = experiments.numbers(suspect.node, kind, tensor);
        let all = numbers.iter().filter_map(|n| sums.get(n)?.as_ref().ok()).map(Sums::sqnr_db);
        all.reduce(f64::max)
    };
    let mut blamed = false;
    let mut tried = false;
    for tensor in &suspect.tensors {
        let of = |kind| db(kind, Some(tensor));
        let (Some(as_is_db), Some(ideal_db), Some(sixteen_db)) =
            (of(Kind::AsIs), of(Kind::Ideal), of(Kind::Sixteen).or_else(|| db(Kind::Sixteen, None)))
        else {
            continue;
        };
        tried = true;
        let trial = TensorTrial { as_is_db, ideal_db, sixteen_db };
        if let Some(cause) = judge_tensor(&trial, t) {
            blamed = true;
            found.evidence.push((
                cause,
                Evidence {
                    layer: suspect.layer.clone(),
                    tensor: tensor.clone(),
                    how: experiments.how(suspect.node, tensor),
                    isolated_db: suspect.isolated_db,
                    trial,
                },
            ));
        }
    }
    let weighted = matches!(
        case.graph.nodes[suspect.node].op,
        Op::Conv { .. } | Op::Gemm { .. } | Op::ConvTranspose { .. }
    );
    if let Some(as_is_db) = db(Kind::Sixteen, None).filter(|_| weighted) {
        tried = true;
        let trial = WeightTrial {
            as_is_db,
            rounded_db: db(Kind::RoundedWeights, None),
            sixteen_db: db(Kind::SixteenWeights, None),
        };
        if let Some(cause) = judge_weights(&trial, t) {
            blamed = true;
            found.weights.push((cause, suspect.node, trial));
        }
    }
    if !tried {
        let why = experiments.reason(suspect.node, sums);
        found.skipped.push(format!("{}: {why}", suspect.layer));
    } else if !blamed {
        found.ordinary.push(suspect.layer.clone());
    }
}

/// The node whose arithmetic determined a tensor's range; layers that only pass values on are skipped.
fn origin(graph: &Graph, tensor: TensorId) -> (TensorId, Option<usize>) {
    let links = graph.links();
    let mut at = tensor;
    loop {
        let producer = links.maker(at);
        let passes = producer.map(|p| &graph.nodes[p]).filter(|n| {
            matches!(n.op, Op::MaxPool { .. } | Op::Reshape | Op::Transpose { .. } | Op::Move { .. })
                && n.inputs.first().is_some_and(|x| graph.tensor(*x).quant == graph.tensor(at).quant)
        });
        match passes.and_then(|n| n.inputs.first()) {
            Some(before) => at = *before,
            None => return (at, producer),
        }
    }
}

fn finish(
    case: &Case<'_>,
    rows: &BTreeMap<&str, &LayerComparison>,
    ranges: &BTreeMap<String, TensorRanges>,
    t: &Thresholds,
    found: Found,
) -> Result<Diagnosis, CompareError> {
    let graph = case.graph;
    // All tensors with one origin share one range, and one verdict: that of the worst experiment.
    let mut by_origin: BTreeMap<usize, Vec<(Cause, Evidence)>> = BTreeMap::new();
    for (cause, evidence) in found.evidence {
        let id = (0..graph.tensors.len() as u32)
            .map(TensorId)
            .find(|id| graph.tensor(*id).name == evidence.tensor);
        if let Some(node) = id.and_then(|id| origin(graph, id).1) {
            by_origin.entry(node).or_default().push((cause, evidence));
        }
    }
    let mut findings = Vec::new();
    for (node, mut evidence) in by_origin {
        evidence.sort_by(|a, b| a.1.trial.as_is_db.total_cmp(&b.1.trial.as_is_db));
        findings.push(range_finding(case, rows, ranges, t, node, evidence));
    }
    for (cause, node, trial) in found.weights {
        findings.push(Finding {
            weights: Some(trial),
            pruned: case.weights.pruned(&graph.nodes[node].op),
            // Where each channel has its own scale, no channel widens the range of the others.
            channels: shared_scale(&graph.nodes[node].op).map_or(vec![], |r| widest(&r, t.wide_channel)),
            ..empty(cause, graph, node)
        });
    }
    findings.sort_by_key(|f| (f.index, f.cause));
    calibration(case, &mut findings)?;
    let inherited = inherited(case.comparison, &findings, t);
    // A layer whose own range is at fault may also be suspected as a reader, where it is not at fault.
    let at_fault = |layer: &String| findings.iter().any(|f| f.layer == *layer);
    let ordinary = found.ordinary.into_iter().filter(|l| !at_fault(l)).collect();
    Ok(Diagnosis {
        thresholds: *t,
        inputs: case.inputs.count(),
        ordinary,
        findings,
        inherited,
        skipped: not_numbers(case.comparison).chain(found.skipped).collect(),
    })
}

/// Layers with NaN or infinities, on which no experiment is conclusive.
fn not_numbers(comparison: &Comparison) -> impl Iterator<Item = String> {
    let odd = comparison.layers.iter().filter(|l| l.isolated.not_finite() > 0);
    let sentence = |l: &LayerComparison| {
        let count = l.isolated.not_finite();
        format!("{}: {count} values of the reference or the result are NaN or infinite", l.layer)
    };
    odd.map(sentence)
}

fn empty(cause: Cause, graph: &Graph, node: usize) -> Finding {
    Finding {
        cause,
        layer: graph.nodes[node].name.clone(),
        index: node,
        tensors: Vec::new(),
        evidence: Vec::new(),
        weights: None,
        range: None,
        ideal: None,
        reached: None,
        beyond: Vec::new(),
        mend: Vec::new(),
        calibration: None,
        channels: Vec::new(),
        price: None,
        pruned: None,
    }
}

fn range_finding(
    case: &Case<'_>,
    rows: &BTreeMap<&str, &LayerComparison>,
    ranges: &BTreeMap<String, TensorRanges>,
    t: &Thresholds,
    node: usize,
    evidence: Vec<(Cause, Evidence)>,
) -> Finding {
    let cause = evidence[0].0;
    let own = case.graph.nodes[node].outputs.first().map(|id| case.graph.tensor(*id).name.clone());
    let mut tensors: Vec<String> = own.into_iter().collect();
    for (_, e) in &evidence {
        if !tensors.contains(&e.tensor) {
            tensors.push(e.tensor.clone());
        }
    }
    // The figures are those of the tensor in the worst experiment; all have one range.
    let worst = evidence[0].1.tensor.clone();
    let mut finding = Finding {
        evidence: evidence.into_iter().map(|(_, e)| e).collect(),
        tensors,
        ..empty(cause, case.graph, node)
    };
    if let (Some(row), Some(seen)) = (rows.get(worst.as_str()), ranges.get(&worst)) {
        let format = row.format;
        finding.range = row.range.range;
        finding.reached = Some(seen.reached());
        finding.ideal = format.map(|f| seen.ideal(f.codes).range());
        if let Some(format) = &format {
            finding.beyond = seen.beyond(format);
            finding.mend = seen.mend(format);
        }
        if cause == Cause::Range {
            finding.channels = wide_channels(row, t.wide_channel);
        }
    }
    if cause == Cause::Range {
        // A tensor that fusion removes costs something only if it is kept.
        let kept = case.plain.tensors.iter().any(|t| finding.tensors.contains(&t.name));
        let graph = if kept { case.plain } else { case.graph };
        let now = if kept { Some(case.comparison.cycles) } else { price::cycles(graph, case.machine) };
        let sixteen = price::with_sixteen_bits(graph, case.machine, &finding.tensors, ranges);
        finding.price = now.zip(sixteen).map(|(now, sixteen)| Price { now, sixteen });
    }
    finding
}

fn wide_channels(row: &LayerComparison, factor: f64) -> Vec<WideChannel> {
    let ranges: Vec<[f32; 2]> = row.channels.iter().map(|c| c.reference).collect();
    widest(&ranges, factor)
}

/// The channels whose range exceeds the median channel's by `factor`, widest first, at most eight.
fn widest(ranges: &[[f32; 2]], factor: f64) -> Vec<WideChannel> {
    let magnitude = |r: &[f32; 2]| f64::from(r[0].abs().max(r[1].abs()));
    let mut sorted: Vec<f64> = ranges.iter().map(magnitude).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2).copied().filter(|m| *m > 0.0) else { return Vec::new() };
    let wide = ranges.iter().enumerate().map(|(channel, range)| WideChannel {
        channel,
        range: *range,
        ratio: magnitude(range) / median,
    });
    let mut wide: Vec<WideChannel> = wide.filter(|w| w.ratio >= factor).collect();
    wide.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    wide.truncate(8);
    wide
}

/// Measures the calibration inputs for every tensor whose range does not fit.
fn calibration(case: &Case<'_>, findings: &mut [Finding]) -> Result<(), CompareError> {
    let Some(images) = case.calibration else { return Ok(()) };
    let wanted: BTreeSet<String> = findings
        .iter()
        .filter(|f| f.cause == Cause::Calibration)
        .filter_map(|f| f.evidence.first().map(|e| e.tensor.clone()))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let per_run = case.each_reference(images, |_, values| {
        let extremes = wanted.iter().filter_map(|name| {
            let Some(Ok(v)) = values.get(name) else { return None };
            let (lo, hi) =
                v.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
            Some((name.clone(), [lo, hi]))
        });
        extremes.collect::<Vec<_>>()
    })?;
    let mut reached: BTreeMap<String, [f32; 2]> = BTreeMap::new();
    for (name, [lo, hi]) in per_run.into_iter().flatten() {
        let known = reached.entry(name).or_insert([lo, hi]);
        *known = [known[0].min(lo), known[1].max(hi)];
    }
    for finding in findings.iter_mut().filter(|f| f.cause == Cause::Calibration) {
        let (Some(needed), Some(tensor)) = (finding.ideal, finding.evidence.first().map(|e| &e.tensor))
        else {
            continue;
        };
        finding.calibration = reached.get(tensor).map(|r| {
            let slack = (needed[1] - needed[0]) * 0.1;
            let enough = r[0] <= needed[0] + slack && r[1] >= needed[1] - slack;
            // Calibration inputs that reach much further than needed are as wrong as those that do not reach
            // far enough.
            let close =
                r[0] >= needed[0] - (needed[1] - needed[0]) && r[1] <= needed[1] + (needed[1] - needed[0]);
            CalibrationRange { reached: *r, sufficient: enough && close }
        });
    }
    Ok(())
}

/// Layers that are accurate alone but not in the full run, each with the earlier layer that causes it.
fn inherited(comparison: &Comparison, findings: &[Finding], t: &Thresholds) -> Vec<Inherited> {
    let by_tensor: BTreeMap<&str, &LayerComparison> =
        comparison.layers.iter().map(|l| (l.tensor.as_str(), l)).collect();
    let worst = |f: &Finding| {
        let tensors = f.evidence.iter().map(|e| e.trial.as_is_db);
        tensors.chain(f.weights.map(|w| w.as_is_db)).fold(f64::INFINITY, f64::min)
    };
    let faulty: BTreeMap<&str, f64> = findings.iter().map(|f| (f.layer.as_str(), worst(f))).collect();
    let mut list = Vec::new();
    for row in &comparison.layers {
        let low = row.accumulated.sqnr_db < t.inherited_db && row.accumulated.not_finite() == 0;
        if !low || faulty.contains_key(row.layer.as_str()) || row.isolated.sqnr_db < t.suspicious_db {
            continue;
        }
        let (mut seen, mut next) = (BTreeSet::new(), row.reads.clone());
        let mut blamed: Option<(f64, &str)> = None;
        let mut lowest: Option<(f64, &str)> = None;
        while let Some(tensor) = next.pop() {
            let Some(before) = by_tensor.get(tensor.as_str()).filter(|b| seen.insert(b.index)) else {
                continue;
            };
            let lower = |known: Option<(f64, &str)>, db: f64| known.is_none_or(|(k, _)| db < k);
            if let Some(db) = faulty.get(before.layer.as_str()).filter(|db| lower(blamed, **db)) {
                blamed = Some((*db, &before.layer));
            }
            if lower(lowest, before.isolated.sqnr_db) {
                lowest = Some((before.isolated.sqnr_db, &before.layer));
            }
            next.extend(before.reads.iter().cloned());
        }
        if let Some((_, from)) = blamed.or(lowest) {
            list.push(Inherited {
                layer: row.layer.clone(),
                accumulated_db: row.accumulated.sqnr_db,
                isolated_db: row.isolated.sqnr_db,
                from: from.into(),
                faulty: blamed.is_some(),
            });
        }
    }
    list
}
