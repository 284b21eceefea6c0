//! A graph during fusion.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, Links, Quant, Removed, TensorId};
use crate::isa::Profile;

/// Layers that were fused, each with the one that it is part of now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fused(BTreeMap<String, String>);

impl Fused {
    /// The layer that a layer has become part of.
    #[must_use]
    pub fn into_layer(&self, layer: &str) -> Option<&str> {
        let mut at = self.0.get(layer)?;
        while let Some(next) = self.0.get(at) {
            at = next;
        }
        Some(at)
    }

    pub(super) fn note(&mut self, layer: &str, into: &str) {
        self.0.insert(layer.to_string(), into.to_string());
    }
}

/// What may be fused.
#[derive(Clone, Copy)]
pub struct FuseOptions<'a> {
    /// Whether a tensor, by its name, must be kept.
    pub keep: &'a dyn Fn(&str) -> bool,
    /// The rounding profile: sums and products of tensors become tables for the profile `onnx` only.
    pub profile: Profile,
}

/// A graph during fusion: nodes and tensors keep their indices until the end, so that the cost of each step
/// depends only on what it changes.
pub(super) struct Work<'g, 'o> {
    pub(super) graph: &'g mut Graph,
    pub(super) links: Links,
    /// Inputs, outputs and constants.
    pub(super) wanted: BTreeSet<TensorId>,
    pub(super) options: &'g FuseOptions<'o>,
    /// Nodes not removed.
    pub(super) nodes: Vec<bool>,
    /// Tensors not removed.
    pub(super) tensors: Vec<bool>,
    pub(super) fused: Fused,
}

impl Work<'_, '_> {
    /// Whether a tensor may be removed: it need not be kept.
    pub(super) fn removable(&self, id: TensorId) -> bool {
        !self.wanted.contains(&id) && !(self.options.keep)(&self.graph.tensor(id).name)
    }

    /// Merges the layer at `at` into `into`, which writes its outputs from now on; the tensor between them is
    /// removed.
    pub(super) fn absorb(&mut self, at: usize, into: usize, gone: TensorId, reason: String) {
        let table = std::mem::take(&mut self.graph.nodes[at].onnx_nodes);
        let outputs = self.graph.nodes[at].outputs.clone();
        for id in &outputs {
            self.links.made_by(*id, into);
        }
        let node = &mut self.graph.nodes[into];
        node.outputs = outputs;
        node.onnx_nodes.extend(table);
        let (name, into) = (self.graph.nodes[at].name.clone(), self.graph.nodes[into].name.clone());
        self.fused.note(&name, &into);
        self.nodes[at] = false;
        self.remove(gone, reason);
    }

    /// Removes a tensor that nothing uses any more.
    pub(super) fn remove(&mut self, gone: TensorId, reason: String) {
        self.graph.removed.push(Removed { tensor: self.graph.tensor(gone).name.clone(), reason });
        self.tensors[gone.0 as usize] = false;
    }

    pub(super) fn finish(self) -> Fused {
        let mut at = 0;
        self.graph.nodes.retain(|_| {
            at += 1;
            self.nodes[at - 1]
        });
        self.graph.keep(&self.tensors);
        self.fused
    }
}

pub(super) fn same_quant(a: Quant, b: Quant) -> bool {
    a.scale.to_bits() == b.scale.to_bits() && a.zero_point == b.zero_point
}
