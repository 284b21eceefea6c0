//! Checks that shapes and extents are given only where a model leaves them open.

use std::collections::{BTreeMap, BTreeSet};

use super::import::ImportOptions;
use super::named_extents;
use super::proto::GraphProto;
use super::steps::given_inputs;

/// A shape or an extent that has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtentError {
    /// The model has no such input.
    #[error("the model has no input '{name}'")]
    NoInput {
        /// As given.
        name: String,
        /// Inputs of the model.
        known: BTreeSet<String>,
    },
    /// No input has an extent of this name.
    #[error("no input of the model has an extent named '{name}'")]
    NoExtent {
        /// As given.
        name: String,
        /// The existing names of extents.
        known: BTreeSet<String>,
    },
    /// Every input with this extent is given its whole shape.
    #[error("all inputs that have the extent '{name}' are given their shapes")]
    Given {
        /// Name of the extent.
        name: String,
    },
}

/// Checks that the options give shapes and extents only where the graph leaves them open.
///
/// # Errors
/// See [`ExtentError`].
pub fn check_extents(graph: &GraphProto, options: &ImportOptions) -> Result<(), ExtentError> {
    let inputs: BTreeSet<String> = given_inputs(graph).into_iter().collect();
    if let Some(name) = options.shapes.keys().find(|name| !inputs.contains(*name)) {
        return Err(ExtentError::NoInput { name: name.clone(), known: inputs });
    }
    // Whether an input with this extent has no shape given.
    let mut open: BTreeMap<&str, bool> = BTreeMap::new();
    for info in graph.input.iter().filter(|i| inputs.contains(i.name())) {
        let shaped = options.shapes.contains_key(info.name());
        for extent in named_extents(info) {
            *open.entry(extent).or_default() |= !shaped;
        }
    }
    for name in options.symbols.keys() {
        match open.get(name.as_str()) {
            Some(true) => {}
            Some(false) => return Err(ExtentError::Given { name: name.clone() }),
            None => {
                let known = open.keys().map(ToString::to_string).collect();
                return Err(ExtentError::NoExtent { name: name.clone(), known });
            }
        }
    }
    Ok(())
}
