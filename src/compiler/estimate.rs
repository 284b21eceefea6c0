//! Closed-form estimate of a network's cycles, as `estimate MODEL` prints it: the prices of its layers.
//! Nothing is emitted and no clock runs; the clock of the compiled program is exact.

use super::constants::Constants;
use super::pipeline::{PRICED_AFTER, up_to};
use super::price::costs;
use super::tables::layer_entry;
use super::tiled::tiled;
use super::{CompileError, CompileOptions};
use crate::graph::Graph;
use crate::machine::Machine;
use crate::program::Layer;

/// What a layer is estimated to cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerEstimate {
    /// Name, kind, multiply-accumulates and least costs, as in a program's layer table.
    pub layer: Layer,
    /// Its share of the total, in cycles.
    pub cycles: u64,
    /// Cycles in which DMA-in, DMA-out, MAC and VEC work for it.
    pub busy: [u64; 4],
    /// Bytes read from and written to DRAM.
    pub bytes: [u64; 2],
}

/// What a network is estimated to cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Layers in order.
    pub layers: Vec<LayerEstimate>,
    /// All cycles.
    pub cycles: u64,
}

/// Estimates a graph on a machine.
///
/// # Errors
/// [`CompileError`], as [`compile`](super::compile).
pub fn estimate(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
) -> Result<Estimate, CompileError> {
    let passes = up_to(PRICED_AFTER).unwrap_or_default();
    let tiled = tiled(graph, machine, options, Constants::hollow, passes)?;
    let mut layers = Vec::with_capacity(tiled.layers.len());
    let costs = costs(&tiled.layers, machine);
    for ((node, least), (cycles, cost)) in graph.nodes.iter().zip(tiled.least).zip(costs) {
        layers.push(LayerEstimate {
            layer: layer_entry(graph, node, least),
            cycles,
            busy: cost.busy(),
            bytes: cost.bytes(),
        });
    }
    let cycles = layers.iter().map(|l| l.cycles).sum();
    Ok(Estimate { layers, cycles })
}
