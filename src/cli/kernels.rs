//! `--kernels` and `--threads`: how the fast engine uses this CPU.

use super::args::KernelArgs;
use super::failure::Failure;
use crate::sim::engine::fast::{Fast, Level};

/// The level that was asked for, or the best one.
pub(super) fn level(args: &KernelArgs) -> Result<Level, Failure> {
    let Some(name) = &args.kernels else { return Ok(Level::detect()) };
    Level::named(name).map_err(|e| {
        let have: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
        Failure::usage(format!("--kernels {name}: {e}")).help(format!("this CPU has {}", have.join(", ")))
    })
}

/// Threads that were asked for, or all of the machine.
pub(super) fn threads(args: &KernelArgs) -> usize {
    let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    args.threads.map_or_else(all, std::num::NonZero::get)
}

/// An engine for one worker.
pub(super) fn engine(args: &KernelArgs) -> Result<Fast, Failure> {
    Ok(Fast::at(level(args)?))
}

/// Names of what was chosen, for reports.
pub(super) fn chosen(args: &KernelArgs) -> (&'static str, usize) {
    (level(args).map_or("?", Level::name), threads(args))
}
