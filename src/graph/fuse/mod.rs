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

use std::collections::BTreeMap;

use super::{Graph, Quant, Removed, TensorId};
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
    let mut fused = Fused::default();
    clamp::fuse(graph, options, &mut fused);
    pointwise::fuse(graph, options, &mut fused);
    tail::fuse(graph, options, &mut fused);
    fused
}

/// Whether a tensor may disappear: nobody wants to see it.
fn removable(graph: &Graph, id: TensorId, options: &FuseOptions<'_>) -> bool {
    !graph.outputs.contains(&id)
        && !graph.inputs.contains(&id)
        && !graph.constants.contains_key(&id)
        && !(options.keep)(&graph.tensor(id).name)
}

fn same_quant(a: Quant, b: Quant) -> bool {
    a.scale.to_bits() == b.scale.to_bits() && a.zero_point == b.zero_point
}

/// Takes a tensor that nothing names any more out of the graph.
fn remove(graph: &mut Graph, gone: TensorId, reason: String) {
    graph.removed.push(Removed { tensor: graph.tensor(gone).name.clone(), reason });
    graph.forget(gone);
}
