//! Which library runs float networks.

use clap::Args;

/// The engine of float networks and host layers.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct EngineArgs {
    /// Library that runs float networks and host layers: auto, rten, onnxruntime, or the path of a libonnxruntime. auto: the
    /// one that ORT_DYLIB_PATH names, else rten; models are compiled for rten. onnxruntime: ORT_DYLIB_PATH, else that of an
    /// installed Python package, else the system's
    #[arg(long, value_name = "NAME|PATH", default_value = "auto")]
    pub(in crate::cli) float_engine: String,
}
