//! What this computer offers to the fast engine.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::Kind;
use crate::kernels::cpu::Level;

/// What this computer offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HostReport {
    /// Architecture of the CPU.
    pub arch: String,
    /// Threads.
    pub threads: usize,
    /// Levels of kernels that it has.
    pub kernels: Vec<String>,
    /// The one that is used if nobody chooses.
    pub chosen: String,
}

impl Kind for HostReport {
    const KIND: &'static str = "host";
}

impl HostReport {
    /// Of this computer.
    #[must_use]
    pub fn here() -> HostReport {
        HostReport {
            arch: std::env::consts::ARCH.into(),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernels: Level::available().into_iter().map(|l| l.name().to_string()).collect(),
            chosen: Level::detect().name().into(),
        }
    }

    /// As people read it.
    #[must_use]
    pub fn text(&self) -> String {
        let HostReport { arch, threads, kernels, chosen } = self;
        let listed = kernels.join(", ");
        format!("cpu      {arch}, {threads} threads\nkernels  {chosen} (--kernels takes {listed})\n")
    }
}
