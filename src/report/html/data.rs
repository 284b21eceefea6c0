//! The data for the page's script as JSON: figures as numbers, long columns of values as base64 of
//! little-endian bytes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::layout::layered;
use crate::analysis::{
    ChannelErrors, Comparison, Element, Format, LayerComparison, NAN_DB, NO_NOISE_DB, PERFECT_STEPS,
};
use crate::profile::Profile;
use crate::program::{Meta, Role};

/// Most channels of a tensor that are embedded.
const CHANNELS: usize = 2048;

/// All data of the page.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    /// The value for a ratio without noise (dB).
    exact_db: f64,
    /// The value for a ratio with NaN (dB).
    nan_db: f64,
    /// Error of a perfect quantizer in steps.
    perfect_steps: f64,
    cycles: u64,
    /// Names of the inputs.
    names: &'a [String],
    width: f64,
    height: usize,
    nodes: Vec<Node<'a>>,
    edges: Vec<Vec<[f64; 2]>>,
    entries: Vec<Entry<'a>>,
}

/// An input or a layer in the graph.
#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    kind: &'a str,
    /// Column and rank.
    at: [f64; 2],
    cycles: u64,
    /// The least cycles that it would take alone.
    alone: u64,
    bound: &'static str,
    /// Why it has no entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// A compared tensor.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    figures: &'a LayerComparison,
    /// Index of its node.
    node: usize,
    pairs: Pairs,
    worst: Vec<Worst>,
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<Histogram<'a>>,
    channels: Channels,
}

/// Elements 0, `stride`, 2·`stride` … of the first input.
#[derive(Serialize)]
struct Pairs {
    stride: usize,
    /// f32.
    reference: String,
    /// Codes minus the least code, as u8 or u16; f32 for tensors without a format.
    value: String,
    isolated: String,
}

#[derive(Serialize)]
struct Worst {
    input: usize,
    index: usize,
    reference: f32,
    value: f32,
    isolated: f32,
}

#[derive(Serialize)]
struct Histogram<'a> {
    bounds: [f32; 2],
    reference: &'a [u64],
    value: &'a [u64],
}

/// Columns of f32.
#[derive(Serialize)]
struct Channels {
    /// Channels of the tensor; may be more than are given.
    count: usize,
    /// Numbers of the given channels as u32: those with the greatest errors; none if all are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<String>,
    /// Root mean square errors.
    accumulated: String,
    isolated: String,
    /// Least and greatest reference value.
    least: String,
    greatest: String,
}

impl<'a> Data<'a> {
    pub(super) fn of(
        comparison: &'a Comparison,
        profile: &'a Profile,
        meta: &'a Meta,
        names: &'a [String],
    ) -> Data<'a> {
        let inputs: Vec<&str> =
            meta.tensors.iter().filter(|t| t.role == Role::Input).map(|t| t.name.as_str()).collect();
        let mut source: BTreeMap<&str, usize> = inputs.iter().enumerate().map(|(i, n)| (*n, i)).collect();
        for tensor in &meta.tensors {
            if let (Some(layer), false) = (tensor.layer, tensor.role == Role::Input) {
                source.insert(&tensor.name, inputs.len() + layer as usize);
            }
        }
        let mut edges = Vec::new();
        for (target, layer) in meta.layers.iter().enumerate() {
            let from = layer.reads.iter().filter_map(|name| source.get(name.as_str()));
            edges.extend(from.map(|from| (*from, inputs.len() + target)));
        }
        edges.sort_unstable();
        edges.dedup();
        let layout = layered(inputs.len() + meta.layers.len(), &edges);
        let input = |name: &&'a str| (*name, "input", 0, 0, "-");
        let layer = |l: &'a crate::profile::Row| {
            (l.name.as_str(), l.kind.as_str(), l.cycles, l.alone, l.bound.name())
        };
        let all = inputs.iter().map(input).chain(profile.layers.iter().map(layer));
        let reasons: BTreeMap<&str, &str> =
            comparison.unmatched.iter().map(|u| (u.layer.as_str(), u.reason.as_str())).collect();
        let node =
            |((name, kind, cycles, alone, bound), at): ((&'a str, &'a str, u64, u64, _), &[f64; 2])| Node {
                name,
                kind,
                at: *at,
                cycles,
                alone,
                bound,
                reason: reasons.get(name).copied(),
            };
        Data {
            exact_db: NO_NOISE_DB,
            nan_db: NAN_DB,
            perfect_steps: PERFECT_STEPS,
            cycles: comparison.cycles,
            names,
            width: layout.width,
            height: layout.height,
            nodes: all.zip(&layout.nodes).map(node).collect(),
            edges: layout.edges,
            entries: comparison.layers.iter().map(|l| entry(l, inputs.len())).collect(),
        }
    }
}

fn entry(layer: &LayerComparison, inputs: usize) -> Entry<'_> {
    let picture = &layer.picture;
    let worst = |e: &Element| Worst {
        input: e.input,
        index: e.index,
        reference: e.reference,
        value: e.value,
        isolated: e.isolated,
    };
    Entry {
        figures: layer,
        node: inputs + layer.index,
        pairs: pairs(&picture.elements, layer.format.as_ref()),
        worst: picture.worst.iter().map(worst).collect(),
        histogram: picture.histogram.as_ref().map(|h| Histogram {
            bounds: h.bounds,
            reference: &h.reference,
            value: &h.value,
        }),
        channels: channels(&layer.channels),
    }
}

fn floats(values: impl Iterator<Item = f32>) -> String {
    STANDARD.encode(values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
}

fn pairs(elements: &[Element], format: Option<&Format>) -> Pairs {
    let codes = |value: fn(&Element) -> f32| match format {
        None => floats(elements.iter().map(value)),
        Some(f) => {
            let codes = elements.iter().map(|e| f.quantize(value(e)) - f.codes[0]);
            if f.codes[1] - f.codes[0] < 256 {
                STANDARD.encode(codes.map(|q| q as u8).collect::<Vec<u8>>())
            } else {
                STANDARD.encode(codes.flat_map(|q| (q as u16).to_le_bytes()).collect::<Vec<u8>>())
            }
        }
    };
    Pairs {
        stride: elements.get(1).map_or(1, |e| e.index),
        reference: floats(elements.iter().map(|e| e.reference)),
        value: codes(|e| e.value),
        isolated: codes(|e| e.isolated),
    }
}

/// Root mean square error of a channel, from its signal and its ratio; the whole signal where values are NaN.
fn noise(c: &ChannelErrors, db: f64) -> f64 {
    if db >= NO_NOISE_DB {
        0.0
    } else if db <= NAN_DB {
        c.rms
    } else {
        c.rms * 10.0_f64.powf(-db / 20.0)
    }
}

fn channels(all: &[ChannelErrors]) -> Channels {
    let mut kept: Vec<usize> = (0..all.len()).collect();
    if all.len() > CHANNELS {
        kept.sort_by(|a, b| {
            noise(&all[*b], all[*b].accumulated_db).total_cmp(&noise(&all[*a], all[*a].accumulated_db))
        });
        kept.truncate(CHANNELS);
        kept.sort_unstable();
    }
    let column = |value: &dyn Fn(&ChannelErrors) -> f32| floats(kept.iter().map(|i| value(&all[*i])));
    Channels {
        count: all.len(),
        numbers: (kept.len() < all.len()).then(|| {
            STANDARD.encode(kept.iter().flat_map(|i| (*i as u32).to_le_bytes()).collect::<Vec<u8>>())
        }),
        accumulated: column(&|c| noise(c, c.accumulated_db) as f32),
        isolated: column(&|c| noise(c, c.isolated_db) as f32),
        least: column(&|c| c.reference[0]),
        greatest: column(&|c| c.reference[1]),
    }
}
