//! Fusion: a smaller graph with the same results, bit for bit; every rounding that the model prescribes
//! stays.
//!
//! - `clamp`: a table that only clamps becomes the clamp of the operator before it.
//! - `pointwise`: what is a function of one 8-bit tensor, element by element, becomes one table, however many
//!   operators it was.
//! - `tail`: a table behind a convolution or matrix product is looked up before the tile leaves the
//!   scratchpad.
//!
//! A tensor that disappears is listed with the reason. Tensors that are to be kept do not disappear.

mod clamp;
mod pointwise;
mod tail;
mod work;

use std::collections::BTreeSet;

use super::{Graph, TensorId};
use work::Work;
pub use work::{FuseOptions, Fused};

/// Applies all fusions.
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
