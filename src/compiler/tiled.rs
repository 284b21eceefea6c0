//! A graph as tiled operations: lowered node by node, then passed through the pipeline.

use std::collections::BTreeSet;

use super::bounds;
use super::constants::Constants;
use super::error::CompileError;
use super::lower::Lowering;
use super::memory;
use super::options::CompileOptions;
use super::pipeline::{Checks, LOWERING, PASSES, PRICED_AFTER, Pass, Pipeline, Surroundings, up_to};
use super::price::price;
use super::storage::Storage;
use super::tile::TileLayer;
use crate::graph::verify::verify;
use crate::graph::{DType, Graph, Op, TensorId};
use crate::machine::Machine;
use crate::program::Least;

/// All nodes as tiled operations.
pub(super) struct Tiled {
    pub(super) plan: memory::Plan,
    pub(super) constants: Constants,
    pub(super) layers: Vec<TileLayer>,
    pub(super) least: Vec<Least>,
}

/// Lowers a graph and runs passes.
pub(super) fn tiled(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    constants: fn(u32) -> Constants,
    passes: &[Pass],
) -> Result<Tiled, CompileError> {
    if let Err(errors) = verify(graph) {
        // One error is enough: graphs of the importer have none.
        let first = errors.into_iter().next();
        let (node, reason) = first.map_or_else(Default::default, |e| (e.place, e.reason));
        return Err(CompileError::Malformed { node, reason });
    }
    let profile = options.profile.name();
    if !machine.profiles.iter().any(|p| p == profile) {
        return Err(CompileError::Profile {
            profile,
            machine: machine.name.clone(),
            known: machine.profiles.join(", "),
        });
    }
    let checks = if cfg!(debug_assertions) { Checks::Sure } else { Checks::None };
    let plan = |budget: i64| planned(graph, machine, options, budget, constants, passes, checks);
    let price = |budget: i64| {
        let hollow = Constants::hollow;
        planned(graph, machine, options, budget, hollow, PASSES, Checks::None).map(|(_, price)| price)
    };
    let whole = machine.spm.bytes as i64;
    let (all, known) = plan(whole)?;
    let Some(known) = known.map_or_else(|| price(whole), |known| Ok(Some(known)))? else { return Ok(all) };
    let alone = |l: &Least| l.mac_cycles.max(l.vec_cycles).max(machine.dram.least_cycles(l.dram_bytes));
    if known * 4 <= all.least.iter().map(alone).sum::<u64>() * 5 {
        return Ok(all);
    }
    let mut best = (whole, known);
    for budget in PARTS.map(|eighths| whole / 8 * eighths) {
        // What does not fit a part of the scratchpad fits all of it.
        let Ok(Some(price)) = price(budget) else { break };
        // A part must be better by more than what prices are good for.
        if price < best.1 - best.1 / 50 {
            best = (budget, price);
        }
    }
    if best.0 == whole { Ok(all) } else { Ok(plan(best.0)?.0) }
}

/// Parts of the scratchpad that plans are made for, in eighths, if a network takes more than a quarter longer
/// than the sum of its layers' bounds: keeping more tensors or larger tiles there is not always faster.
const PARTS: [i64; 4] = [6, 4, 2, 1];

/// A graph lowered for the first `budget` bytes of the scratchpad and passed through `passes`, and its price,
/// which needs some of them.
fn planned(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    budget: i64,
    constants: fn(u32) -> Constants,
    passes: &[Pass],
    checks: Checks,
) -> Result<(Tiled, Option<u64>), CompileError> {
    // A layer whose smallest tile does not fit beside resident tensors gets the budget for itself.
    let mut crowded = BTreeSet::new();
    let mut tiled = loop {
        let constants = constants(machine.dram.grant_bytes);
        match lower_all(graph, machine, options, budget, &crowded, constants) {
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
    let mut pipeline = Pipeline::new(tiled.layers, LOWERING, around, checks)?;
    let priced = up_to(PRICED_AFTER).unwrap_or_default().len();
    let (before, after) = passes.split_at(priced.min(passes.len()));
    pipeline.run(before)?;
    let price = (before.len() == priced).then(|| price(pipeline.layers(), machine));
    pipeline.run(after)?;
    tiled.layers = pipeline.into_layers();
    Ok((tiled, price))
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
    machine: &Machine,
    options: &CompileOptions,
    budget: i64,
    crowded: &BTreeSet<usize>,
    mut constants: Constants,
) -> Result<Tiled, (usize, CompileError)> {
    let mut plan = memory::plan(graph, machine, budget, crowded);
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
        lowering.room = plan.room[index];
        let before = lowering.constants.len();
        layers.push(lowering.layer(node, hosts).map_err(|e| (index, e))?);
        hosts += u32::from(matches!(node.op, Op::Host(_)));
        let constants = (lowering.constants.len() - before) as u64;
        least.push(bounds::least(graph, node, &plan, machine, constants));
    }
    let constants = lowering.constants;
    Ok(Tiled { plan, constants, layers, least })
}
