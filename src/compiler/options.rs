//! Options of a compilation.

use std::collections::BTreeMap;

use crate::graph::Graph;
use crate::isa::Profile;
use crate::program::Preprocess;

/// Options of a compilation.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// How pictures become inputs, by input name.
    pub preprocess: BTreeMap<String, Preprocess>,
    /// Class names, for every output whose last extent equals their number.
    pub labels: Vec<String>,
    /// Whether to keep zero blocks of weights even where omitting them saves cycles or bytes.
    pub dense_weights: bool,
    /// The rounding profile of requantizations, sums and products; the machine must support it.
    pub profile: Profile,
}

/// Preprocessing of an input with another number of values than the input has channels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} of input '{input}' has {values} values, the input {channels} channels")]
pub struct PreprocessError {
    /// Name of the input.
    pub input: String,
    /// `mean` or `std`.
    pub key: &'static str,
    /// How many values were given.
    pub values: usize,
    /// How many channels the input has.
    pub channels: usize,
}

impl CompileOptions {
    /// Checks the preprocessing against the inputs of a graph: one value, or one for each channel.
    ///
    /// # Errors
    /// The first input that it does not fit.
    pub fn check(&self, graph: &Graph) -> Result<(), PreprocessError> {
        for (name, how) in &self.preprocess {
            let input = graph.inputs.iter().map(|id| graph.tensor(*id)).find(|t| t.name == *name);
            let Some([_, second, .., last]) = input.map(|t| t.shape.as_slice()) else { continue };
            for (key, values) in [("mean", how.mean.len()), ("std", how.std.len())] {
                if ![1, *second, *last].contains(&values) {
                    return Err(PreprocessError { input: name.clone(), key, values, channels: *second });
                }
            }
        }
        Ok(())
    }
}
