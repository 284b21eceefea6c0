//! `--kernels`: how the fast engine uses this CPU. `info --host` shows what there is.

use serde_json::json;

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

/// Name of what was chosen, for reports.
pub(super) fn chosen(args: &KernelArgs) -> &'static str {
    level(args).map_or("?", Level::name)
}

/// What this computer offers, as a report.
pub(super) fn host(as_json: bool) -> String {
    let kernels: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
    let chosen = Level::detect().name();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arch = std::env::consts::ARCH;
    if as_json {
        let value = json!({ "arch": arch, "threads": threads, "kernels": kernels, "chosen": chosen });
        return format!("{value:#}\n");
    }
    let listed = kernels.join(", ");
    format!("cpu      {arch}, {threads} threads\nkernels  {chosen} (--kernels takes {listed})\n")
}
