//! How much of the memories on the chip a network uses.
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

/// Plans that are tried: none after so many instructions were compiled for them, so that compiling stays
/// quick.
const TRIED: u64 = 50_000;

/// How many plans are tried at least, if a network takes more than a quarter longer than the sum of its
/// layers' bounds.
const AT_LEAST: u64 = 4;

/// The smallest share of the scratchpad for tiles that is tried, in bytes. Sizes do not depend on the
/// machine: a larger memory has those of smaller ones, too.
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
    let everything = Share { plan: whole, tiles: whole, acc: machine.acc.bytes };
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
    let slow = clock.total * 4 > alone.sum::<u64>() * 5;
    let mut search = Search {
        left: if slow { TRIED.max(AT_LEAST * clock.instructions) } else { TRIED },
        tried: vec![everything],
        best: everything,
        cycles: clock.total,
        // What does not fit a part of the memories fits all of them.
        clock: |share| plan(share, Constants::outline, false).ok().and_then(|best| best.clock),
    };
    // With much more than tensors and the buffers of a layer take, a plan is the first one.
    let buffers = all.compiled.layers.iter().map(|l| used(&l.body, &mut BTreeMap::new())).max().unwrap_or(0);
    let tensors = graph
        .tensors
        .iter()
        .map(|t| (t.shape.iter().product::<usize>() * t.dtype.bytes()) as i64)
        .sum::<i64>();
    let powers = (0..).map(|n| LEAST << n).take_while(|size| *size < whole.min(2 * buffers + tensors));
    let next = sizes().take_while(|size| *size < whole).last();
    for size in next.into_iter().chain(powers.collect::<Vec<i64>>().into_iter().rev()) {
        search.attempt(Share { plan: size, tiles: size, ..everything });
        if size < 2 * buffers {
            search.attempt(Share { tiles: size, ..everything });
        }
    }
    search.descend();
    let best = search.best;
    if best == everything { Ok(all) } else { plan(best, constants, true) }
}

/// Sizes of a part of a memory: each power of two, and half way to the next.
fn sizes() -> impl Iterator<Item = i64> {
    (0..40).flat_map(|n| [LEAST << n, (LEAST << n) / 2 * 3])
}

/// The best plan so far.
struct Search<F> {
    /// Instructions that plans may still have in all.
    left: u64,
    tried: Vec<Share>,
    best: Share,
    cycles: u64,
    clock: F,
}

impl<F: Fn(Share) -> Option<ClockReport>> Search<F> {
    /// Tries a plan, if there is time for it; whether it is better than all before.
    fn attempt(&mut self, share: Share) -> bool {
        if self.left == 0 || self.tried.contains(&share) {
            return false;
        }
        self.tried.push(share);
        let Some(clock) = (self.clock)(share) else { return false };
        self.left = self.left.saturating_sub(clock.instructions);
        if clock.total >= self.cycles {
            return false;
        }
        (self.best, self.cycles) = (share, clock.total);
        true
    }

    /// Tries the neighbours of the best plan until none is better.
    fn descend(&mut self) {
        let everything = self.tried.first().copied().unwrap_or(self.best);
        loop {
            let Share { plan, tiles, acc } = self.best;
            let below = |size: i64| sizes().take_while(|s| *s < size).last();
            let above = |size: i64, most: i64| sizes().find(|s| *s > size).map(|s| s.min(most));
            let both = |plan, tiles| Share { plan, tiles, acc };
            let neighbours = [
                below(plan).zip(below(tiles)).map(|(plan, tiles)| both(plan, tiles)),
                below(plan).map(|plan| both(plan, tiles)),
                below(tiles).map(|tiles| both(plan, tiles)),
                above(tiles, everything.tiles).map(|tiles| both(plan, tiles)),
                above(plan, everything.plan).map(|plan| both(plan, tiles)),
                above(plan, everything.plan).zip(above(tiles, everything.tiles)).map(|(p, t)| both(p, t)),
                Some(Share { acc: acc / 2, ..self.best }).filter(|_| acc >= 2 * 4096),
            ];
            if !neighbours.into_iter().flatten().any(|share| self.attempt(share)) {
                return;
            }
        }
    }
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
