//! Graph → smaller graph with the same results, bit for bit: every rounding that the model prescribes stays.
//!
//! - `clamp`: a table that only clamps becomes the clamp of the operator before it.
//! - `pointwise`: what is a function of one 8-bit tensor, element by element, becomes one table, however many operators it was.
//! - `tail`: a table behind a convolution or matrix product is looked up before the tile leaves the scratchpad.
//!
//! A tensor that disappears is listed with the reason. Tensors that are to be kept do not disappear.

mod clamp;
mod pointwise;
mod tail;

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Links, Quant, Removed, TensorId};
use crate::isa::Profile;

/// What may be fused.
#[derive(Clone, Copy)]
pub struct FuseOptions<'a> {
    /// Whether a tensor, by its name, must stay.
    pub keep: &'a dyn Fn(&str) -> bool,
    /// How the machine rounds: sums and products of tensors become tables for the profile `onnx` only.
    pub profile: Profile,
}

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

    fn note(&mut self, layer: &str, into: &str) {
        self.0.insert(layer.to_string(), into.to_string());
    }
}

/// Fuses whatever can be fused.
pub fn fuse(graph: &mut Graph, options: &FuseOptions<'_>) -> Fused {
    let wanted: BTreeSet<TensorId> =
        graph.inputs.iter().chain(&graph.outputs).chain(graph.constants.keys()).copied().collect();
    let mut work = Work {
        links: graph.links(),
        wanted,
        options,
        nodes: vec![true; graph.nodes.len()],
        tensors: vec![true; graph.tensors.len()],
        fused: Fused::default(),
        graph,
    };
    clamp::fuse(&mut work);
    pointwise::fuse(&mut work);
    tail::fuse(&mut work);
    work.finish()
}

/// A graph while it is fused: nodes and tensors keep their indices until the end, so that each step costs what it touches.
struct Work<'g, 'o> {
    graph: &'g mut Graph,
    links: Links,
    /// Inputs, outputs and constants.
    wanted: BTreeSet<TensorId>,
    options: &'g FuseOptions<'o>,
    /// Nodes that are still there.
    nodes: Vec<bool>,
    /// Tensors that are still there.
    tensors: Vec<bool>,
    fused: Fused,
}

impl Work<'_, '_> {
    /// Whether a tensor may disappear: nobody wants to see it.
    fn removable(&self, id: TensorId) -> bool {
        !self.wanted.contains(&id) && !(self.options.keep)(&self.graph.tensor(id).name)
    }

    /// Takes the layer at `at` into `into`, which makes its outputs from now on; the tensor between them goes.
    fn absorb(&mut self, at: usize, into: usize, gone: TensorId, reason: String) {
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

    /// Takes a tensor that nothing names any more out of the graph.
    fn remove(&mut self, gone: TensorId, reason: String) {
        self.graph.removed.push(Removed { tensor: self.graph.tensor(gone).name.clone(), reason });
        self.tensors[gone.0 as usize] = false;
    }

    fn finish(self) -> Fused {
        let mut at = 0;
        self.graph.nodes.retain(|_| {
            at += 1;
            self.nodes[at - 1]
        });
        self.graph.keep(&self.tensors);
        self.fused
    }
}

fn same_quant(a: Quant, b: Quant) -> bool {
    a.scale.to_bits() == b.scale.to_bits() && a.zero_point == b.zero_point
}
