//! Options for importing and compiling an ONNX model.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::EngineArgs;
use crate::isa::Profile;

/// Options for importing and compiling an ONNX model.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ModelArgs {
    /// Machine: rcn-s, rcn-m, rcn-l or a machine file [default: rcn-m, or the one that the program is for]
    #[arg(long, value_name = "NAME|FILE")]
    pub(in crate::cli) machine: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) graph: GraphArgs,
}

/// Options for importing and compiling, without the machine.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct GraphArgs {
    /// Keep this tensor where fusion would remove it; `all` keeps every one
    #[arg(long, value_name = "TENSOR")]
    pub(in crate::cli) observe: Vec<String>,
    /// Shape of an input that the model leaves open, like data=1x3x224x224
    #[arg(long, value_name = "NAME=SHAPE")]
    pub(in crate::cli) shape: Vec<String>,
    /// Extent that the model gives a name instead of a number, like height=320
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(in crate::cli) dim: Vec<String>,
    /// Refuse operators that the accelerator does not have, instead of running them on the host
    #[arg(long)]
    pub(in crate::cli) no_host: bool,
    /// Keep the zero blocks of pruned weights, which the MAC array otherwise skips where that pays
    #[arg(long)]
    pub(in crate::cli) dense_weights: bool,
    /// Rounding of requantizations, sums and products: `onnx` as ONNX Runtime, `q31` with integer multipliers
    /// as TOSA's RESCALE, `q31double` with its double rounding [default: onnx]
    #[arg(long, value_name = "PROFILE", value_parser = profiles())]
    pub(in crate::cli) numeric: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) engine: EngineArgs,
}

impl GraphArgs {
    /// The names of the options for models that were given.
    pub(in crate::cli) fn typed(&self) -> Vec<&'static str> {
        // Without `..`, so that a new option must be handled here. The engine is for programs too.
        let GraphArgs { observe, shape, dim, no_host, dense_weights, numeric, engine: _ } = self;
        let all = [
            (!observe.is_empty(), "--observe"),
            (!shape.is_empty(), "--shape"),
            (!dim.is_empty(), "--dim"),
            (*no_host, "--no-host"),
            (*dense_weights, "--dense-weights"),
            (numeric.is_some(), "--numeric"),
        ];
        all.into_iter().filter(|(typed, _)| *typed).map(|(_, name)| name).collect()
    }
}

/// The names of the numeric profiles.
fn profiles() -> PossibleValuesParser {
    PossibleValuesParser::new(Profile::ALL.map(Profile::name))
}
