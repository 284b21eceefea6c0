//! Equalization: channels between consecutive convolutions are scaled so that the weights on both sides of
//! each have the same range, which makes one scale for all weights of a layer fit better.
//!
//! If channel `i` between two convolutions is divided by `s_i` behind the first and multiplied again in the
//! second, the network stays the same as long as what lies between is positively homogeneous,
//! `f(s·x) = s·f(x)` for `s > 0`: Relu, LeakyRelu, pools. `s_i = √(r1_i / r2_i)` gives both sides the range
//! `√(r1_i · r2_i)` (Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight
//! Equalization and Bias Correction", ICCV 2019, section 4.1). A Clip with an upper bound, like that of
//! ReLU6, is not: its bound would have to differ from channel to channel, which no operator of the
//! accelerator does without a pass of its own. Such pairs are left alone.

use std::collections::BTreeMap;

use super::network::{Floats, Network, int};
use crate::onnx::Names;
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto};

/// A pair of convolutions.
struct Pair {
    first: usize,
    second: usize,
}

/// Most passes over all pairs: each changes its neighbours.
const PASSES: usize = 50;
/// Factors closer to one than this are omitted.
const ENOUGH: f64 = 1e-3;
/// Largest factor; a channel with negligible weights would need an unlimited one.
const LARGEST: f64 = 1e4;

/// Equalizes a [cleaned](super::clean) network; returns the number of pairs of convolutions.
#[must_use]
pub fn equalize(model: &ModelProto) -> (ModelProto, usize) {
    let mut model = model.clone();
    let Some(graph) = &mut model.graph else { return (model, 0) };
    let pairs = pairs(graph);
    let network = Network::of(graph);
    // Weights and biases of the nodes involved, by node.
    let mut weights: BTreeMap<usize, Floats> = BTreeMap::new();
    let mut biases: BTreeMap<usize, Floats> = BTreeMap::new();
    for at in pairs.iter().flat_map(|p| [p.first, p.second]) {
        let node = &graph.node[at];
        if let Some(values) = network.floats(&node.input[1]) {
            weights.insert(at, values);
        }
        if let Some(values) = node.input.get(2).and_then(|b| network.floats(b)) {
            biases.insert(at, values);
        }
    }
    for _ in 0..PASSES {
        let mut largest: f64 = 0.0;
        for pair in &pairs {
            let groups = int(&graph.node[pair.second], "group", 1).max(1) as usize;
            let factors = factors(&weights[&pair.first], &weights[&pair.second], groups);
            largest = factors.iter().fold(largest, |m, f| m.max((f.ln()).abs()));
            if let Some(w) = weights.get_mut(&pair.first) {
                let inner = w.values.len() / factors.len().max(1);
                scale(&mut w.values, |at| 1.0 / factors[at / inner.max(1)]);
            }
            if let Some(b) = biases.get_mut(&pair.first) {
                scale(&mut b.values, |at| 1.0 / factors[at]);
            }
            if let Some(w) = weights.get_mut(&pair.second) {
                let input = inputs_of(w, groups);
                scale(&mut w.values, |at| factors[input(at)]);
            }
        }
        if largest < ENOUGH {
            break;
        }
    }
    let mut names = Names::of(graph);
    for (at, values) in weights {
        replace(graph, &mut names, at, 1, &values);
    }
    for (at, values) in biases {
        replace(graph, &mut names, at, 2, &values);
    }
    (model, pairs.len())
}

fn scale(values: &mut [f32], factor: impl Fn(usize) -> f64) {
    for (at, v) in values.iter_mut().enumerate() {
        *v = (f64::from(*v) * factor(at)) as f32;
    }
}

/// The input channel of each weight of a convolution (shape `[out, in / groups, …]`).
fn inputs_of(w: &Floats, groups: usize) -> impl Fn(usize) -> usize + use<> {
    let (out, part) = (w.shape[0], w.shape[1]);
    let taps: usize = w.shape[2..].iter().product::<usize>().max(1);
    let in_group = (out / groups).max(1);
    move |at| at / (part * taps) / in_group * part + at / taps % part
}

/// The divisor of each channel behind the first convolution.
fn factors(first: &Floats, second: &Floats, groups: usize) -> Vec<f64> {
    let channels = first.shape[0];
    let inner = (first.values.len() / channels.max(1)).max(1);
    let mut before = vec![0.0_f64; channels];
    for (at, w) in first.values.iter().enumerate() {
        before[at / inner] = before[at / inner].max(f64::from(w.abs()));
    }
    let input = inputs_of(second, groups);
    let mut behind = vec![0.0_f64; channels];
    for (at, w) in second.values.iter().enumerate() {
        let b = &mut behind[input(at)];
        *b = b.max(f64::from(w.abs()));
    }
    let one = |(b, a): (&f64, &f64)| {
        let factor = (b / a).sqrt();
        if *b > 0.0 && *a > 0.0 { factor.clamp(1.0 / LARGEST, LARGEST) } else { 1.0 }
    };
    before.iter().zip(&behind).map(one).collect()
}

/// Replaces an input of a node by changed values; other nodes may read the old ones.
fn replace(graph: &mut GraphProto, names: &mut Names, at: usize, input: usize, values: &Floats) {
    let node = &mut graph.node[at];
    let what = if input == 1 { "weight" } else { "bias" };
    let name = names.own(&format!("{}.equalized_{what}", node.name()));
    node.input[input].clone_from(&name);
    graph.initializer.push(values.to_proto(&name));
}

/// Convolutions with only homogeneous operators between them, and one reader of each value there.
fn pairs(graph: &GraphProto) -> Vec<Pair> {
    let network = Network::of(graph);
    let is_conv = |node: &NodeProto| {
        let constant =
            |i: usize| node.input.get(i).is_none_or(|n| n.is_empty() || network.floats(n).is_some());
        node.op_type() == "Conv"
            && constant(2)
            && node.input.get(1).is_some_and(|w| network.floats(w).is_some())
    };
    let mut pairs = Vec::new();
    for (first, node) in graph.node.iter().enumerate().filter(|(_, n)| is_conv(n)) {
        let mut value = &node.output[0];
        let second = loop {
            let [reader] = network.readers(value) else { break None };
            let next = &graph.node[*reader];
            if network.is_output(value) || next.input.first() != Some(value) {
                break None;
            }
            if is_conv(next) {
                break Some(*reader);
            }
            if !is_homogeneous(&network, next) {
                break None;
            }
            value = &next.output[0];
        };
        pairs.extend(second.map(|second| Pair { first, second }));
    }
    // Channels must agree: otherwise no library runs the model.
    let shape = |at: usize| network.floats(&graph.node[at].input[1]).map(|f| f.shape).unwrap_or_default();
    pairs.retain(|p| {
        let (a, b) = (shape(p.first), shape(p.second));
        let groups = int(&graph.node[p.second], "group", 1).max(1) as usize;
        let bias = graph.node[p.first].input.get(2).and_then(|b| network.floats(b));
        a.len() >= 2
            && b.len() >= 2
            && a[0] == b[1] * groups
            && b[0] % groups == 0
            && bias.is_none_or(|bias| bias.values.len() == a[0])
    });
    pairs
}

fn is_homogeneous(network: &Network, node: &NodeProto) -> bool {
    let number = |i: usize| node.input.get(i).filter(|n| !n.is_empty()).map(|n| network.floats(n));
    match node.op_type() {
        "Relu" | "LeakyRelu" | "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" => true,
        // Without an upper bound it is a Relu.
        "Clip" => {
            let zero = number(1).flatten().is_some_and(|f| f.values == [0.0]);
            let open = match number(2) {
                None => true,
                Some(bound) => bound.is_some_and(|f| f.values == [f32::INFINITY] || f.values == [f32::MAX]),
            };
            zero && open && node.attribute.is_empty()
        }
        _ => false,
    }
}
