//! Mixed precision: the fewest tensors and weights in 16 bits with which a network is accurate enough, in the
//! fewest cycles.
//!
//! First, every tensor and every layer's weights are put into 8 bits alone, with the rest in float, for each
//! calibration method; then the clock gives the cycles that 16 bits cost for each. Items are ordered by noise
//! removed per cycle, and the shortest prefix that reaches the goal is found by running whole models on the
//! simulator; finally items are returned to 8 bits where possible. All measurements are kept in a [`State`],
//! so that an interrupted run can be continued ([`Kept`]).
//!
//! [`Search`] is the entry point.

mod costs;
mod item;
mod kept;
mod measure;
mod more;
mod run;
mod search;
mod sensitivity;
mod state;
mod tuned;

pub use costs::Costs;
pub use item::Item;
pub use kept::{Kept, Reporter};
pub use measure::Candidate;
pub use more::{MoreCyclesError, more_cycles};
pub use search::{Goal, Product, Search, admits};
pub use state::{Point, State};
pub use tuned::{Evaluation, Metric, Tuned};

use crate::quantize::QuantizeError;

/// Why a network cannot be tuned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TuneError {
    /// It cannot be quantized.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A quantized model cannot be compiled.
    #[error("a quantized form of it cannot be compiled: {0}")]
    Compile(String),
    /// A model cannot be run.
    #[error("{0}")]
    Run(String),
    /// A label is not a class of the network.
    #[error("{0}")]
    Label(String),
    /// The settings contain widths, which are the result of the search.
    #[error("the settings say {0}, and all widths are what is searched")]
    Widths(&'static str),
    /// The settings ask for a correction that depends on the widths.
    #[error("the settings ask for the correction of biases, which depends on the widths")]
    BiasCorrection,
}
