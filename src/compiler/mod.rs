//! Integer graph → program.
//!
//! There are two levels. `lower` turns each node into a [`TileLayer`]: loops of tiled operations with
//! addresses and extents, but without registers; the passes of [`pipeline`] transform those. Emission turns
//! them into instruction words with conditions between the queues. Before that, [`storage`] decides the
//! layout of every tensor and [`memory`] its address.
//!
//! All that lowering, passes and emission know of the machine is the machine file. Whole programs are
//! compared by the simulator's clock (`plans`), which [`estimate`] returns without packing weights.

mod bounds;
mod compiled;
mod constants;
mod cost;
mod emit;
mod error;
pub mod estimate;
mod lower;
pub mod memory;
mod options;
mod passes;
pub mod pipeline;
mod plans;
pub mod storage;
mod surroundings;
mod sync;
mod tables;
pub mod tile;
mod tiled;
mod verify;

use crate::graph::Graph;
use crate::machine::Machine;
pub use compiled::Compiled;
use constants::Constants;
pub use error::CompileError;
pub use options::{CompileOptions, PreprocessError};
use pipeline::{Checks, Pass};
use tile::TileLayer;
use tiled::{Plan, tiled};
pub use verify::{Broken, RULES, Rule};

/// Compiles a graph for a machine.
///
/// # Errors
/// [`CompileError`] names the layer and the reason.
pub fn compile(graph: &Graph, machine: &Machine, options: &CompileOptions) -> Result<Compiled, CompileError> {
    Ok(plans::best(graph, machine, options, Constants::new)?.compiled)
}

/// The tiled operations of a graph after some of the passes: [`pipeline::up_to`] names them.
///
/// # Errors
/// [`CompileError`], as [`compile`].
pub fn tiles(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
    passes: &[Pass],
) -> Result<Vec<TileLayer>, CompileError> {
    let share = plans::best(graph, machine, options, Constants::outline)?.share;
    let checks = if cfg!(debug_assertions) { Checks::Sure } else { Checks::None };
    let how = Plan { machine, options, share, constants: Constants::outline, checks, bounds: false };
    Ok(tiled(graph, how, passes)?.layers)
}
