//! A graph as tiled operations: lowered node by node, then passed through the pipeline.

use std::collections::BTreeSet;

use super::bounds;
use super::constants::Constants;
use super::error::CompileError;
use super::lower::Lowering;
use super::memory;
use super::options::CompileOptions;
use super::pipeline::{Checks, LOWERING, Pass, Pipeline, Surroundings};
use super::storage::Storage;
use super::tile::TileLayer;
use crate::graph::{DType, Graph, Op, TensorId};
use crate::machine::{Acc, Machine};
use crate::program::Least;

/// All nodes as tiled operations.
pub(super) struct Tiled {
    pub(super) plan: memory::Plan,
    pub(super) constants: Constants,
    pub(super) layers: Vec<TileLayer>,
    pub(super) least: Vec<Least>,
}

/// How a graph is lowered.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) machine: &'a Machine,
    pub(super) options: &'a CompileOptions,
    pub(super) share: Share,
    /// The constant segment: [`Constants::new`] or [`Constants::outline`].
    pub(super) constants: fn(u32) -> Constants,
    pub(super) checks: Checks,
    /// Whether bounds of the layers are wanted: they do not depend on the plan.
    pub(super) bounds: bool,
}

/// How much of the memories on the chip a plan uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// For tensors and buffers: the first bytes.
    pub(super) plan: i64,
    /// For one side of a layer's buffers, of what tensors leave to it: at most so many bytes.
    pub(super) tiles: i64,
    /// Bytes of the accumulator memory: the first ones.
    pub(super) acc: u64,
}

/// Lowers a graph and runs passes.
pub(super) fn tiled(graph: &Graph, how: Plan<'_>, passes: &[Pass]) -> Result<Tiled, CompileError> {
    let Plan { options, share, .. } = how;
    let acc = Acc { bytes: share.acc, ..how.machine.acc.clone() };
    let machine = &Machine { acc, ..how.machine.clone() };
    let how = Plan { machine, ..how };
    // A layer whose smallest tile does not fit beside resident tensors gets the budget for itself.
    let mut crowded = BTreeSet::new();
    let mut tiled = loop {
        let constants = (how.constants)(machine.dram.grant_bytes);
        match lower_all(graph, how, &crowded, constants) {
            Err((node, CompileError::DoesNotFit { .. })) if crowded.insert(node) => {}
            Err((_, error)) => return Err(error),
            Ok(tiled) => break tiled,
        }
    };
    let around = Surroundings {
        machine,
        profile: options.profile,
        room: tiled.plan.room.clone(),
        constants: tiled.constants.len(),
        tensors: tiled.plan.bytes,
    };
    let mut pipeline = Pipeline::new(tiled.layers, LOWERING, around, how.checks)?;
    pipeline.run(passes)?;
    tiled.layers = pipeline.into_layers();
    Ok(tiled)
}

/// How a constant lies: beside tensors that are read element by element as they do, so that it comes in runs;
/// else as ONNX sees it.
fn constant_layout(graph: &Graph, id: TensorId, readers: &[usize]) -> Storage {
    let tensor = graph.tensor(id);
    let beside =
        |at: &usize| matches!(graph.nodes[*at].op, Op::Add { .. } | Op::Mul { .. } | Op::Lane { .. });
    let blocked = |at: &usize| graph.nodes[*at].outputs.iter().all(|y| graph.tensor(*y).dtype != DType::F32);
    let turned = !graph.outputs.contains(&id) && readers.iter().all(|at| beside(at) && blocked(at));
    match tensor.dtype.bytes() {
        1 | 2 if turned => Storage::blocked(tensor, 0),
        _ if turned => Storage::channels_last(tensor, 0),
        _ => Storage::row_major(tensor, 0),
    }
}

/// Lowers all nodes; an error comes with the node's index.
fn lower_all(
    graph: &Graph,
    how: Plan<'_>,
    crowded: &BTreeSet<usize>,
    mut constants: Constants,
) -> Result<Tiled, (usize, CompileError)> {
    let Plan { machine, options, share, .. } = how;
    let mut plan = memory::plan(graph, machine, share.plan, crowded);
    let links = graph.links();
    for (id, data) in &graph.constants {
        let mut storage = constant_layout(graph, *id, links.readers(*id));
        let zero = graph.tensor(*id).quant.map_or(0, |q| q.zero_point);
        let packed = || storage.packed_from_row_major(data, zero);
        storage.address = constants.append_packed(storage.bytes as usize, packed);
        plan.storage.insert(*id, storage);
    }
    let mut lowering = Lowering {
        graph,
        machine,
        storage: &plan.storage,
        constants,
        dense_weights: options.dense_weights,
        profile: options.profile,
        room: 0,
    };
    let (mut layers, mut least, mut hosts) = (Vec::new(), Vec::new(), 0);
    for (index, node) in graph.nodes.iter().enumerate() {
        lowering.room = plan.room[index].min(share.tiles);
        let before = lowering.constants.len();
        layers.push(lowering.layer(node, hosts).map_err(|e| (index, e))?);
        hosts += u32::from(matches!(node.op, Op::Host(_)));
        let constants = (lowering.constants.len() - before) as u64;
        least.push(match how.bounds {
            true => bounds::least(graph, node, &plan, machine, constants),
            false => Least::default(),
        });
    }
    let constants = lowering.constants;
    Ok(Tiled { plan, constants, layers, least })
}
