//! Report of `info --host`: the capabilities of this computer for the fast engine.

use serde::Serialize;

use crate::document::Kind;
use crate::kernels::cpu::Level;

/// Capabilities of this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct HostReport {
    /// Architecture of the CPU.
    pub arch: String,
    /// Number of threads.
    pub threads: usize,
    /// Available kernel levels.
    pub kernels: Vec<String>,
    /// The default level.
    pub chosen: String,
}

impl Kind for HostReport {
    const KIND: &'static str = "host";
}

impl HostReport {
    /// The report of this computer.
    #[must_use]
    pub fn here() -> HostReport {
        HostReport {
            arch: std::env::consts::ARCH.into(),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernels: Level::available().into_iter().map(|l| l.name().to_string()).collect(),
            chosen: Level::detect().name().into(),
        }
    }

    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let HostReport { arch, threads, kernels, chosen } = self;
        let listed = kernels.join(", ");
        format!("cpu      {arch}, {threads} threads\nkernels  {chosen} (--kernels takes {listed})\n")
    }
}
