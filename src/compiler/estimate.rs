//! Cycles of a network, without all that cycles do not depend on: as `estimate MODEL` prints them.

use std::sync::Arc;

use super::constants::Constants;
use super::{CompileError, CompileOptions, plans};
use crate::graph::Graph;
use crate::machine::Machine;
use crate::program::Program;
use crate::sim::clock::ClockReport;
use crate::sim::{Decoded, Limits};

/// A network's cycles.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The program that [`compile`](super::compile) makes, with zeros for all constants that only DMA reads:
    /// its results are of no use.
    pub program: Program,
    /// Its clock, which is that of the whole program.
    pub clock: ClockReport,
}

/// Estimates a graph on a machine: several times faster than to compile it, since no weights are packed, and
/// nothing is checked that a compiled program keeps.
///
/// # Errors
/// [`CompileError`], as [`compile`](super::compile); [`CompileError::TooBig`] for more instructions than
/// [`Limits`] allow.
pub fn estimate(
    graph: &Graph,
    machine: &Machine,
    options: &CompileOptions,
) -> Result<Estimate, CompileError> {
    let best = plans::best(graph, machine, options, Constants::outline)?;
    let program = best.compiled.program;
    if let Some(clock) = best.clock {
        return Ok(Estimate { program, clock });
    }
    let program = Arc::new(program);
    let clock = Decoded::new(Arc::clone(&program), machine, Limits::default())
        .ok()
        .and_then(|decoded| decoded.clock().ok())
        .ok_or(CompileError::TooBig { what: "instructions" })?;
    Ok(Estimate { program: Arc::unwrap_or_clone(program), clock })
}
