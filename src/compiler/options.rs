//! What a user can say beside the graph.

use std::collections::BTreeMap;

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
