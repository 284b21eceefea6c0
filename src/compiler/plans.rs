//! How much of the scratchpad a network uses.
//!
//! Keeping more tensors or larger tiles in the scratchpad is not always faster: transfers of small tiles
//! overlap better, and buffers in banks of their own do not wait for each other. What pays depends on
//! everything that the clock counts, so plans are compared by the clock of their programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compiled::{Compiled, assemble};
use super::constants::Constants;
use super::error::CompileError;
use super::options::CompileOptions;
use super::pipeline::Checks;
use super::tile::Stmt;
use super::tiled::{Plan, Share};
use crate::graph::Graph;
use crate::graph::verify::verify;
use crate::isa::Space;
use crate::machine::Machine;
use crate::program::Program;
use crate::sim::clock::ClockReport;
use crate::sim::{Decoded, Limits};

/// Parts of the scratchpad that plans are made for, in eighths, if a network takes more than a quarter longer
/// than the sum of its layers' bounds.
const PARTS: [i64; 4] = [6, 4, 2, 1];

/// Layers of a network for which plans of all sizes are made, near its bounds or not: these take
/// milliseconds.
const FEW_LAYERS: usize = 16;

/// The smallest of these sizes, in bytes. Each is twice the one before; then those half way to the neighbours
/// of the best one are tried. They do not depend on the machine: a larger scratchpad has them, too.
const LEAST: i64 = 8192;

/// Instructions of a program whose plans are compared at most, so that compiling stays quick.
const COMPARED: u64 = 2_000_000;

/// What a network is compiled to, and with which share of the scratchpad.
pub(super) struct Best {
    pub(super) share: Share,
    pub(super) compiled: Compiled,
    /// Its clock; `None` for a program that is too long to be compared.
    pub(super) clock: Option<ClockReport>,
}

/// Compiles a graph with the plan that takes the fewest cycles.
pub(super) fn best(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    constants: fn(u32) -> Constants,
) -> Result<Best, CompileError> {
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
    let whole = machine.spm.bytes as i64;
    let everything = Share { plan: whole, tiles: whole };
    let plan = |share: Share, constants: fn(u32) -> Constants, bounds: bool| {
        let checks = if cfg!(debug_assertions) && share == everything { Checks::Sure } else { Checks::None };
        let compiled = assemble(graph, Plan { machine, options, share, constants, checks, bounds })?;
        Ok(timed(share, compiled, machine))
    };
    let all = plan(everything, constants, true)?;
    let Some(clock) = &all.clock else { return Ok(all) };
    let alone = all.compiled.program.meta.layers.iter().map(|l| {
        l.least.mac_cycles.max(l.least.vec_cycles).max(machine.dram.least_cycles(l.least.dram_bytes))
    });
    let few = graph.nodes.len() <= FEW_LAYERS;
    let shares: Vec<Share> = if few {
        // With much more than a layer of the first plan uses, a plan is the first one.
        let used = all.compiled.layers.iter().map(|l| used(&l.body, &mut BTreeMap::new())).max().unwrap_or(0);
        let sizes = (0..).map(|n| LEAST << n).take_while(|size| *size < whole.min(2 * used));
        sizes.flat_map(|size| [size, whole].map(|plan| Share { plan, tiles: size })).collect()
    } else if clock.total * 4 <= alone.sum::<u64>() * 5 {
        Vec::new()
    } else {
        PARTS.map(|eighths| Share { plan: whole / 8 * eighths, tiles: whole }).to_vec()
    };
    let (mut best, mut cycles) = (everything, clock.total);
    let mut compare = |shares: &[Share], best: &mut Share| {
        for share in shares {
            // What does not fit a part of the scratchpad fits all of it.
            if let Ok(Best { clock: Some(clock), .. }) = plan(*share, Constants::outline, false)
                && clock.total < cycles
            {
                (*best, cycles) = (*share, clock.total);
            }
        }
    };
    compare(&shares, &mut best);
    if few && best != everything {
        let Share { plan, tiles } = best;
        let beside = [tiles / 4 * 3, tiles / 2 * 3].into_iter().filter(|tiles| *tiles < whole);
        let beside = beside.map(|size| Share { plan: if plan == whole { whole } else { size }, tiles: size });
        compare(&beside.collect::<Vec<_>>(), &mut best);
    }
    if best == everything { Ok(all) } else { plan(best, constants, true) }
}

/// Runs the clock of a program.
fn timed(share: Share, compiled: Compiled, machine: &Machine) -> Best {
    let Compiled { program, layers, comments } = compiled;
    let program = Arc::new(program);
    let limits = Limits { instructions: COMPARED, ..Limits::default() };
    let clock = Decoded::new(Arc::clone(&program), machine, limits).ok().and_then(|d| d.clock().ok());
    let program: Program = Arc::unwrap_or_clone(program);
    Best { share, compiled: Compiled { program, layers, comments }, clock }
}

/// Bytes of the scratchpad's buffers that some statements use.
fn used(body: &[Stmt], known: &mut BTreeMap<i64, i64>) -> i64 {
    for s in body {
        match s {
            Stmt::Loop { body, .. } => {
                used(body, known);
            }
            Stmt::Op(op) => {
                for view in op.views.iter().filter(|v| v.space == Space::Spm) {
                    let sides = if view.buffer.slot.is_some() { 2 } else { 1 };
                    known.insert(view.buffer.start, sides * view.buffer.bytes);
                }
            }
            Stmt::Host(_) => {}
        }
    }
    known.values().sum()
}
