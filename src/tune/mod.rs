//! Mixed precision: the least that must have 16 bits so that a network is accurate enough, in the fewest
//! cycles.
//!
//! First every tensor and every layer's weights are put into 8 bits alone, the rest in float, once for each
//! method of calibration; then the clock says what 16 bits cost each. In the order of noise removed for each
//! cycle, the shortest beginning that reaches the target is found by running whole models on the simulator;
//! at last what can be given back is given back. All that was measured is kept in a [`State`], so that a run
//! that was broken off goes on ([`Kept`]).
//!
//! [`Search`] is where to begin.

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
    /// A model does not run.
    #[error("{0}")]
    Run(String),
    /// A label is no class of the network.
    #[error("{0}")]
    Label(String),
    /// Settings say widths, which are what is searched.
    #[error("the settings say {0}, and all widths are what is searched")]
    Widths(&'static str),
    /// Settings ask for a correction that depends on the widths.
    #[error("the settings ask for the correction of biases, which depends on the widths")]
    BiasCorrection,
}
