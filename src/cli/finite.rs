//! Inputs that hold what is no number.

use super::input::Inputs;
use crate::analysis::Inputs as _;
use crate::dtype::DType;
use crate::explain::{Failure, INPUT};
use crate::program::Meta;
use crate::report::NotFinite;

/// The inputs with NaN or infinities, in the order of the runs.
pub(super) fn of(meta: &Meta, inputs: &Inputs) -> Vec<NotFinite> {
    let floats = |name: &str| meta.inputs().any(|t| t.name == name && t.dtype == DType::F32);
    let mut found: Vec<NotFinite> = Vec::new();
    for run in 0..inputs.runs {
        for (name, bytes) in inputs.sample(run) {
            // An input that serves all runs is told once.
            if floats(name) && (run == 0 || inputs.varies(name)) {
                found.extend(NotFinite::among(name, bytes, || inputs.label_of(name, run)));
            }
        }
    }
    found
}

/// Refuses inputs that are no numbers where nothing could be learned from a run on them.
pub(super) fn numbers(found: &[NotFinite]) -> Result<(), Failure> {
    match found.first() {
        Some(f) => Err(Failure::new(INPUT, format!("input \"{}\" from {}", f.input, f.label))
            .why(&f.reason())
            .help("leave it out, or write numbers in their place")),
        None => Ok(()),
    }
}
