//! Pruning: blocks of weights with the least magnitude are set to zero, in the shape in which the MAC array
//! skips zeros.

use std::collections::BTreeMap;

use super::network::{Floats, Network};
use super::places::Places;
use crate::isa::blocks::BLOCK;
use crate::onnx::proto::ModelProto;

/// Settings of pruning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pruning {
    /// Share of the blocks that are set to zero, 0 to 1.
    pub share: f64,
    /// Whether each layer gets the same share; otherwise it applies to all blocks of the network together,
    /// each relative to its layer's mean magnitude.
    pub per_layer: bool,
    /// Output and input channels of a block at one tap of the kernel: multiples of the machine's 16.
    pub block: [usize; 2],
}

impl Default for Pruning {
    fn default() -> Pruning {
        Pruning { share: 0.0, per_layer: false, block: [BLOCK, BLOCK] }
    }
}

/// What pruning did to a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunedLayer {
    /// Name of the node.
    pub node: String,
    /// Number of blocks that were set to zero, and of all blocks.
    pub blocks: [usize; 2],
}

/// A block: the indices of its weights, and their mean magnitude.
struct Block {
    layer: usize,
    at: Vec<usize>,
    magnitude: f64,
}

/// Sets the least blocks of a [cleaned](super::clean) float network's weights to zero. Depthwise layers,
/// whose blocks have one channel, are not changed.
#[must_use]
pub fn prune(model: &ModelProto, places: &Places, pruning: &Pruning) -> (ModelProto, Vec<PrunedLayer>) {
    let Some(graph) = model.graph.as_ref() else { return (model.clone(), Vec::new()) };
    let network = Network::of(graph);
    let mut weights: BTreeMap<String, Floats> = BTreeMap::new();
    let mut layers: Vec<PrunedLayer> = Vec::new();
    let mut owners: Vec<String> = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    for place in &places.weights {
        let Some(values) = network.floats(&place.weights).filter(|_| !weights.contains_key(&place.weights))
        else {
            continue;
        };
        let Some(axis) = place.axis.filter(|_| values.shape.len() >= 2) else { continue };
        // Of the first two axes, the other one is for input channels.
        let other = 1 - axis.min(1);
        if axis > 1 || values.shape[other] == 1 {
            continue;
        }
        let own = blocks_of(&values, axis, other, pruning.block, layers.len());
        let mean = own.iter().map(|b| b.magnitude).sum::<f64>() / own.len().max(1) as f64;
        layers.push(PrunedLayer { node: place.node.clone(), blocks: [0, own.len()] });
        owners.push(place.weights.clone());
        blocks.extend(own.into_iter().map(|b| Block { magnitude: b.magnitude / mean.max(1e-30), ..b }));
        weights.insert(place.weights.clone(), values);
    }
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by(|a, b| blocks[*a].magnitude.total_cmp(&blocks[*b].magnitude).then(a.cmp(b)));
    let quota = |n: usize| (n as f64 * pruning.share.clamp(0.0, 1.0)) as usize;
    let mut left = quota(blocks.len());
    for at in order {
        let block = &blocks[at];
        let layer = &mut layers[block.layer];
        let full = if pruning.per_layer { layer.blocks[0] >= quota(layer.blocks[1]) } else { left == 0 };
        if full {
            continue;
        }
        left = left.saturating_sub(1);
        layer.blocks[0] += 1;
        if let Some(values) = weights.get_mut(&owners[block.layer]) {
            block.at.iter().for_each(|i| values.values[*i] = 0.0);
        }
    }
    let mut pruned = model.clone();
    if let Some(graph) = &mut pruned.graph {
        for tensor in &mut graph.initializer {
            if let Some(values) = weights.get(tensor.name()) {
                *tensor = values.to_proto(tensor.name());
            }
        }
    }
    (pruned, layers)
}

fn blocks_of(values: &Floats, outer: usize, inner: usize, size: [usize; 2], layer: usize) -> Vec<Block> {
    let shape = &values.shape;
    let taps: usize = shape[2..].iter().product();
    let place = |o: usize, i: usize, t: usize| {
        let (a, b) = if outer == 0 { (o, i) } else { (i, o) };
        (a * shape[1] + b) * taps + t
    };
    let mut blocks = Vec::new();
    for o in (0..shape[outer]).step_by(size[0]) {
        for i in (0..shape[inner]).step_by(size[1]) {
            for t in 0..taps {
                let rows = o..(o + size[0]).min(shape[outer]);
                let at: Vec<usize> = rows
                    .flat_map(|o| (i..(i + size[1]).min(shape[inner])).map(move |i| (o, i)))
                    .map(|(o, i)| place(o, i, t))
                    .collect();
                let sum: f64 = at.iter().map(|p| f64::from(values.values[*p].abs())).sum();
                blocks.push(Block { layer, magnitude: sum / at.len().max(1) as f64, at });
            }
        }
    }
    blocks
}
