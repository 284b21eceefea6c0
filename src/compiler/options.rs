//! What a user can say beside the graph.

use std::collections::BTreeMap;

use crate::graph::Graph;
use crate::isa::Profile;
use crate::program::Preprocess;

/// What a user can say beside the graph.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// How pictures become inputs, by input name.
    pub preprocess: BTreeMap<String, Preprocess>,
    /// Class names, for every output whose last extent has as many.
    pub labels: Vec<String>,
    /// Keep zero blocks of weights, even where leaving them out saves cycles or bytes.
    pub dense_weights: bool,
    /// How requantizations, sums and products round: one of the machine's profiles.
    pub profile: Profile,
}

/// How pictures become an input, with a number of values that the input has no channels for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} of input '{input}' has {values} values, the input {channels} channels")]
pub struct PreprocessError {
    /// Its name.
    pub input: String,
    /// `mean` or `std`.
    pub key: &'static str,
    /// How many values there are.
    pub values: usize,
    /// How many channels the input has.
    pub channels: usize,
}

impl CompileOptions {
    /// Checks that what is said of pictures fits the inputs of a graph: one value, or one for each channel.
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
