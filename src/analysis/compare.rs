//! The comparison of a program with its reference, over any number of inputs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::errors::{Errors, Sums};
use super::format::{Format, RangeSums, RangeUse};
use super::matching::{Matching, Unmatched};
use super::picture::Picture;
use super::reference::{Bound, Misfit, ReferenceError, Values};
use super::runs::each_run;
use super::trial::real;
use crate::dtype::DType;
use crate::host::FloatHost;
use crate::inputs::{InputError, Samples, bytes_of};
use crate::isa::{EType, Space, TensorDesc};
use crate::profile::{self, Profile};
use crate::program::{Bits, Meta, Role, TensorEntry};
use crate::sim::{EngineKind, Loaded, Memory, Observer, OpKind, QueueOp, RunError, Sees, Session};

/// Why a comparison has no result.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The reference failed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An input cannot be read.
    #[error(transparent)]
    Sample(#[from] InputError),
    /// The reference holds another number of inputs.
    #[error("the reference is of other inputs: {0}")]
    Inputs(Misfit),
    /// No tensor has a reference.
    #[error("no tensor of the program has a reference: {example}")]
    Nothing {
        /// The reason for the first tensor.
        example: String,
    },
}

/// The result, in the order of the program's layers. All figures are over all inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Name of the program.
    pub program: String,
    /// Name of the machine.
    pub machine: String,
    /// Library or tool that computed the reference.
    pub reference_library: String,
    /// Number of inputs.
    pub inputs: usize,
    /// Cycles of one run.
    pub cycles: u64,
    /// One entry for each tensor with a reference.
    pub layers: Vec<LayerComparison>,
    /// Tensors without a reference.
    pub unmatched: Vec<Unmatched>,
    /// Reference tensors without a counterpart: values inside fused layers, and values that the program does
    /// not compute.
    pub unused: Vec<String>,
    /// Remarks on the reference for the user, one sentence each.
    pub remarks: Vec<String>,
}

impl Comparison {
    /// Replaces the cycles by those of another program of the same network, mapped to the layers of this one:
    /// a program that keeps every tensor takes longer than the one that is deployed.
    pub fn charge(&mut self, profile: &Profile) {
        self.cycles = profile.cycles;
        for layer in &mut self.layers {
            layer.cycles = profile.layers.get(layer.index).map_or(0, |row| row.cycles);
        }
    }

    /// Whether a value of any tensor or reference is NaN, or infinite where the other is not.
    #[must_use]
    pub fn not_finite(&self) -> bool {
        self.layers.iter().any(|l| l.accumulated.not_finite() + l.isolated.not_finite() > 0)
    }
}

/// One tensor of the program and its reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LayerComparison {
    /// Index of the layer.
    pub index: usize,
    /// Its name.
    pub layer: String,
    /// Operator kind.
    pub kind: String,
    /// ONNX nodes that it came from.
    pub onnx_nodes: Vec<String>,
    /// Activations that it reads.
    pub reads: Vec<String>,
    /// Whether it runs on the host.
    pub host: bool,
    /// Whether it is an output of the network.
    pub output: bool,
    /// Its share of the cycles; 0 if it is fused into the layer after it when no tensor is kept.
    pub cycles: u64,
    /// The widths that its instructions used.
    pub bits: Option<Bits>,
    /// ONNX name of the tensor.
    pub tensor: String,
    /// Name of the reference tensor.
    pub reference: String,
    /// Element type.
    pub dtype: DType,
    /// ONNX shape.
    pub shape: Vec<u64>,
    /// Quantization; none for floats.
    pub format: Option<Format>,
    /// Errors of the full run, including those inherited from the layers before.
    pub accumulated: Errors,
    /// Errors of the layer when it reads the quantized reference: its own errors, and those of rounding its
    /// inputs.
    pub isolated: Errors,
    /// Errors of the reference rounded to the tensor's format: the least that any layer could show.
    pub rounding: Errors,
    /// Range, clipping, codes.
    pub range: RangeUse,
    /// Headroom in bits: range of the accumulator over the greatest accumulator that occurred; none without
    /// accumulators.
    pub headroom_bits: Option<f64>,
    /// By channel: axis 1, or the last axis of a tensor of three axes that no convolution computes. Empty for
    /// scalars.
    #[serde(skip)]
    pub channels: Vec<ChannelErrors>,
    /// Data for the report's plots.
    #[serde(skip)]
    pub picture: Picture,
}

/// One channel of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ChannelErrors {
    /// SQNR of the full run (dB).
    pub accumulated_db: f64,
    /// SQNR of the layer on the reference's inputs (dB).
    pub isolated_db: f64,
    /// Least and greatest value of the reference.
    pub reference: [f32; 2],
    /// Root mean square of the reference.
    pub rms: f64,
}

/// Sums of one channel.
#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    accumulated: Sums,
    isolated: Sums,
    range: [f32; 2],
}

/// Sums of one tensor over one or several inputs.
#[derive(Debug, Clone, Default)]
struct Measured {
    accumulated: Sums,
    isolated: Sums,
    rounding: Sums,
    range: RangeSums,
    channels: Vec<Channel>,
    picture: Picture,
}

impl Measured {
    fn merge(&mut self, other: Measured) {
        self.accumulated.merge(&other.accumulated);
        self.isolated.merge(&other.isolated);
        self.rounding.merge(&other.rounding);
        self.range.merge(&other.range);
        for (a, b) in self.channels.iter_mut().zip(&other.channels) {
            a.accumulated.merge(&b.accumulated);
            a.isolated.merge(&b.isolated);
            a.range = [a.range[0].min(b.range[0]), a.range[1].max(b.range[1])];
        }
        self.picture.merge(other.picture);
    }
}

/// The measurements of one input.
#[derive(Debug, Default)]
struct OneRun {
    tensors: BTreeMap<String, Measured>,
    refused: BTreeMap<String, Misfit>,
    /// Greatest accumulator of each layer, and the bits of its type.
    accumulators: BTreeMap<u32, (u64, u32)>,
}

/// Compares a loaded program with a reference on all inputs, on `threads` threads; calls `done` after each
/// input. The result does not depend on the number of threads.
///
/// # Errors
/// See [`CompareError`].
pub fn compare(
    loaded: &Loaded,
    reference: &Bound<'_>,
    inputs: &dyn Samples,
    threads: usize,
    done: &(dyn Fn() + Sync),
) -> Result<Comparison, CompareError> {
    let runs = inputs.count();
    let session = || Session::new(loaded, EngineKind::Fast);
    let one = |session: &mut Session, run: usize, bounds: &BTreeMap<String, [f32; 2]>| {
        let sample = inputs.read(run)?;
        let given = bytes_of(&sample);
        let values = reference.values(&loaded.program().meta, (run, runs), &given)?;
        let made = one_run(loaded, session, run, &given, &values, bounds);
        done();
        made
    };
    // The histogram bounds are those of the first input.
    let mut total = one(&mut session(), 0, &BTreeMap::new())?;
    let bounds =
        total.tensors.iter().filter_map(|(n, m)| Some((n.clone(), m.picture.histogram.as_ref()?.bounds)));
    let bounds: BTreeMap<String, [f32; 2]> = bounds.collect();
    let others = each_run(threads, 1..runs, session, |session, run| one(session, run, &bounds))?;
    // Floating-point sums depend on their order: that of the inputs.
    for run in others {
        for (name, measured) in run.tensors {
            match total.tensors.get_mut(&name) {
                Some(known) => known.merge(measured),
                None => {
                    total.tensors.insert(name, measured);
                }
            }
        }
        total.refused.extend(run.refused);
        for (layer, (greatest, bits)) in run.accumulators {
            let known = total.accumulators.entry(layer).or_insert((0, bits));
            known.0 = known.0.max(greatest);
        }
    }
    finish(loaded, reference, runs, total)
}

fn finish(
    loaded: &Loaded,
    reference: &Bound<'_>,
    runs: usize,
    mut total: OneRun,
) -> Result<Comparison, CompareError> {
    let meta = &loaded.program().meta;
    let mut matching: Matching = reference.matching.clone();
    let refused = std::mem::take(&mut total.refused);
    let other_inputs = refused.values().find(|m| matches!(m, Misfit::Inputs { .. })).cloned();
    for (tensor, misfit) in refused {
        total.tensors.remove(&tensor);
        matching.refuse(meta, &tensor, misfit.to_string());
    }
    let widths = profile::widths(loaded);
    let clock = loaded.clock();
    let mut layers = Vec::new();
    for tensor in in_order(meta) {
        let (Some(measured), Some(index)) = (total.tensors.remove(&tensor.name), tensor.layer) else {
            continue;
        };
        let Some(layer) = meta.layers.get(index as usize) else { continue };
        let format = Format::of(tensor);
        let scale = format.map(|f| f.scale);
        layers.push(LayerComparison {
            index: index as usize,
            layer: layer.name.clone(),
            kind: layer.kind.clone(),
            onnx_nodes: layer.onnx_nodes.clone(),
            reads: layer.reads.clone(),
            host: layer.host,
            output: tensor.role == Role::Output,
            cycles: clock.layers.get(index as usize).map_or(0, |l| l.cycles),
            bits: widths.get(index as usize).and_then(|w| w.executed.clone()),
            tensor: tensor.name.clone(),
            reference: matching.pairs.get(&tensor.name).cloned().unwrap_or_default(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            format,
            accumulated: measured.accumulated.errors(scale),
            isolated: measured.isolated.errors(scale),
            rounding: measured.rounding.errors(scale),
            range: measured.range.figures(format.as_ref()),
            headroom_bits: total
                .accumulators
                .get(&index)
                .map(|(greatest, bits)| f64::from(bits - 1) - ((greatest + 1) as f64).log2()),
            channels: measured.channels.iter().map(channel_errors).collect(),
            picture: measured.picture,
        });
    }
    if let (Some(misfit), true) = (other_inputs, layers.is_empty()) {
        return Err(CompareError::Inputs(misfit));
    }
    if layers.is_empty() {
        let example =
            matching.unmatched.first().map_or_else(|| "it has no layers".into(), |u| u.reason.clone());
        return Err(CompareError::Nothing { example });
    }
    Ok(Comparison {
        program: meta.name.clone(),
        machine: loaded.machine().name.clone(),
        reference_library: reference.library.clone(),
        inputs: runs,
        cycles: clock.total,
        layers,
        unmatched: matching.unmatched,
        unused: matching.unused,
        remarks: reference.remarks.clone(),
    })
}

fn channel_errors(c: &Channel) -> ChannelErrors {
    ChannelErrors {
        accumulated_db: c.accumulated.sqnr_db(),
        isolated_db: c.isolated.sqnr_db(),
        reference: c.range,
        rms: (c.accumulated.signal / c.accumulated.count.max(1) as f64).sqrt(),
    }
}

/// The tensors that layers compute, in the order of the layers.
fn in_order(meta: &Meta) -> Vec<&TensorEntry> {
    let mut tensors: Vec<&TensorEntry> = meta.tensors.iter().filter(|t| t.role != Role::Input).collect();
    tensors.sort_by_key(|t| t.layer);
    tensors
}

/// Both executions on one input.
fn one_run(
    loaded: &Loaded,
    session: &mut Session,
    run: usize,
    inputs: &[(&str, &[u8])],
    values: &Values,
    bounds: &BTreeMap<String, [f32; 2]>,
) -> Result<OneRun, CompareError> {
    let meta = &loaded.program().meta;
    let mut host = FloatHost::new();
    let mut watch =
        Recorder { meta, values, seen: BTreeMap::new(), accumulators: BTreeMap::new(), isolated: false };
    session.run(inputs, &mut host, &mut watch)?;
    let accumulated = std::mem::take(&mut watch.seen);
    watch.isolated = true;
    session.run_replacing(inputs, &mut host, &mut watch, &mut |layer, memory| {
        for tensor in meta.tensors.iter().filter(|t| t.layer == Some(layer)) {
            if let Some(Ok(reference)) = values.get(&tensor.name) {
                memory.scatter(tensor, &quantized(tensor, reference));
            }
        }
    })?;
    let mut result = OneRun { accumulators: watch.accumulators, ..OneRun::default() };
    for (name, value) in values {
        let reference = match value {
            Ok(reference) => reference,
            Err(reason) => {
                result.refused.insert(name.clone(), reason.clone());
                continue;
            }
        };
        let (Some(accumulated), Some(isolated)) = (accumulated.get(name), watch.seen.get(name)) else {
            continue;
        };
        let Some(tensor) = meta.tensors.iter().find(|t| t.name == *name) else { continue };
        let bounds = bounds.get(name).copied();
        result
            .tensors
            .insert(name.clone(), measure(meta, tensor, run, reference, accumulated, isolated, bounds));
    }
    Ok(result)
}

/// The reference in a tensor's format, as bytes.
fn quantized(tensor: &TensorEntry, reference: &[f32]) -> Vec<u8> {
    match Format::of(tensor) {
        Some(format) => format.bytes(reference),
        None => reference.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

fn measure(
    meta: &Meta,
    tensor: &TensorEntry,
    run: usize,
    reference: &[f32],
    accumulated: &[f32],
    isolated: &[f32],
    bounds: Option<[f32; 2]>,
) -> Measured {
    let format = Format::of(tensor);
    let mut range = RangeSums::default();
    range.add(format.as_ref(), reference, accumulated);
    let bounds = bounds.unwrap_or_else(|| {
        let seen = range.figures(format.as_ref());
        let [lo, hi] = seen.range.unwrap_or(seen.reference);
        [lo.min(seen.reference[0]), hi.max(seen.reference[1])]
    });
    Measured {
        accumulated: Sums::of(reference, accumulated),
        isolated: Sums::of(reference, isolated),
        rounding: match format {
            Some(format) => Sums::of(reference, &format.rounded(reference)),
            None => Sums::of(reference, reference),
        },
        range,
        channels: channels(channel_axis(meta, tensor), reference, accumulated, isolated),
        picture: Picture::of(run, reference, accumulated, isolated, bounds),
    }
}

/// The sums of each of `count` channels, which alternate after `inner` elements.
fn channels(
    (count, inner): (usize, usize),
    reference: &[f32],
    accumulated: &[f32],
    isolated: &[f32],
) -> Vec<Channel> {
    let mut channels =
        vec![Channel { range: [f32::INFINITY, f32::NEG_INFINITY], ..Channel::default() }; count];
    let inner = inner.max(1);
    let parts = reference.chunks(inner).zip(accumulated.chunks(inner)).zip(isolated.chunks(inner));
    for (at, ((r, a), i)) in parts.enumerate() {
        let Some(c) = channels.get_mut(at % count.max(1)) else { break };
        if let ([r], [a], [i]) = (r, a, i) {
            c.accumulated.add(*r, *a);
            c.isolated.add(*r, *i);
        } else {
            c.accumulated.merge(&Sums::of(r, a));
            c.isolated.merge(&Sums::of(r, i));
        }
        c.range = r.iter().fold(c.range, |[lo, hi], r| [lo.min(*r), hi.max(*r)]);
    }
    channels
}

/// Number of channels, and elements from one to the next.
fn channel_axis(meta: &Meta, tensor: &TensorEntry) -> (usize, usize) {
    let shape: Vec<usize> = tensor.shape.iter().map(|d| *d as usize).collect();
    let kind = tensor.layer.and_then(|l| meta.layers.get(l as usize)).map_or("", |l| l.kind.as_str());
    match shape[..] {
        [] | [_] => (0, 1),
        [_, _, last] if !kind.starts_with("conv") => (last, 1),
        [_, channels, ref inner @ ..] => (channels, inner.iter().product()),
    }
}

/// Collects the real values of matched tensors, and the greatest accumulators.
struct Recorder<'a> {
    meta: &'a Meta,
    values: &'a Values,
    seen: BTreeMap<String, Vec<f32>>,
    accumulators: BTreeMap<u32, (u64, u32)>,
    /// Whether this is the isolated run; accumulators are measured in the other one only.
    isolated: bool,
}

impl Observer for Recorder<'_> {
    fn sees(&self) -> Sees {
        Sees::Operations
    }

    fn layer_end(&mut self, layer: u32, memory: &Memory) {
        for tensor in self.meta.tensors.iter().filter(|t| t.layer == Some(layer)) {
            if matches!(self.values.get(&tensor.name), Some(Ok(_)))
                && let Some(real) = real(tensor, &memory.gather(tensor))
            {
                self.seen.insert(tensor.name.clone(), real);
            }
        }
    }

    fn op(&mut self, op: &QueueOp, memory: &Memory) {
        let (OpKind::Requant { src, .. } | OpKind::Store { src, .. }, Some(layer)) = (&op.kind, op.layer)
        else {
            return;
        };
        let mac = self.meta.layers.get(layer as usize).is_some_and(|l| l.macs > 0);
        if self.isolated || !mac || src.space != Space::Acc {
            return;
        }
        let known = self.accumulators.entry(layer).or_insert((0, src.etype.bytes() as u32 * 8));
        known.0 = known.0.max(greatest(src, memory));
    }
}

/// The greatest absolute value of a tensor of accumulators.
fn greatest(src: &TensorDesc, memory: &Memory) -> u64 {
    let size = src.etype.bytes();
    let mut greatest = 0;
    let [a, b, c, lanes] = src.dims.map(i64::from);
    for (i, j, k) in (0..a).flat_map(|i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k)))) {
        let row = src.base + i * src.strides[0] + j * src.strides[1] + k * src.strides[2];
        for lane in 0..lanes {
            let bytes = memory.read(Space::Acc, row + lane * src.strides[3], size);
            let value = match (src.etype, bytes) {
                (EType::S32, [a, b, c, d]) => u64::from(i32::from_le_bytes([*a, *b, *c, *d]).unsigned_abs()),
                (EType::S64, bytes) => bytes.try_into().map_or(0, |b| i64::from_le_bytes(b).unsigned_abs()),
                _ => 0,
            };
            greatest = greatest.max(value);
        }
    }
    greatest
}
