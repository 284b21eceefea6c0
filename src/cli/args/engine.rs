//! The choice of the library that runs float networks.

use clap::Args;

/// The engine of float networks and host layers.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct EngineArgs {
    /// Library that runs float networks and host layers: auto, rten, onnxruntime, or the path of a
    /// libonnxruntime. auto: the one that ORT_DYLIB_PATH names, else rten; models are compiled for rten.
    /// onnxruntime: ORT_DYLIB_PATH, else that of an installed Python package, else the system's [default:
    /// auto]
    #[arg(long, value_name = "NAME|PATH")]
    pub(in crate::cli) float_engine: Option<String>,
}

impl EngineArgs {
    /// The library that was asked for.
    pub(in crate::cli) fn wanted(&self) -> &str {
        self.float_engine.as_deref().unwrap_or("auto")
    }
}
