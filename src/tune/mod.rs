//! Mixed precision: the least that must have 16 bits so that a network is accurate enough, in the fewest cycles.
//!
//! First every tensor and every layer's weights are put into 8 bits alone, the rest in float, once for each method of
//! calibration; then the clock says what 16 bits cost each. In the order of noise removed for each cycle, the shortest
//! beginning that reaches the target is found by running whole models on the simulator; at last what can be given back is
//! given back. All that was measured is kept in a [`State`], so that a run that was broken off goes on.

mod item;
mod measure;
mod search;
mod sensitivity;
mod state;

pub use item::Item;
pub use measure::Candidate;
pub use search::{Evaluation, Goal, Reporter, Task, Tuned, tune};
pub use state::{Point, State};

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
}
