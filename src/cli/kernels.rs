//! `--kernels`: the kernel level of the fast engine. `info --host` lists the available ones.

use super::args::KernelArgs;
use crate::explain::Failure;
use crate::kernels::cpu::Level;

/// The level that was asked for, or the best one.
pub(super) fn level(args: &KernelArgs) -> Result<Level, Failure> {
    let Some(name) = &args.kernels else { return Ok(Level::detect()) };
    Level::named(name).map_err(|e| {
        let have: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
        Failure::usage(format!("--kernels {name}: {e}")).help(format!("this CPU has {}", have.join(", ")))
    })
}
