//! Messages on runs, dumps of their layers, and traces.

use std::path::Path;

use super::{Failure, ILLEGAL, INPUT};
use crate::batch::BatchError;
use crate::sim::RunError;
use crate::trace::TraceError;

impl Failure {
    /// A batch of runs of the program in a file.
    pub fn batch(file: &Path, error: BatchError) -> Failure {
        match error {
            BatchError::Run(error) => Failure::run(file, error),
            BatchError::Input(error) => error.into(),
            BatchError::Dump(error) => error.into(),
            BatchError::Trace { path, source } => Failure::trace(&path, &source),
            BatchError::Traces(inputs) => {
                Failure::usage(format!("--trace needs one input, there are {inputs}"))
                    .help("give an array without the leading dimension, or one picture")
            }
        }
    }

    /// A run of the program in a file.
    pub fn run(file: &Path, error: RunError) -> Failure {
        match error {
            RunError::Input { .. } => Failure::new(INPUT, error.to_string()),
            RunError::Fault(fault) => {
                Failure::new(ILLEGAL, format!("'{}'", file.display())).why(&fault).fault(fault)
            }
        }
    }

    /// A trace that cannot be written or read.
    pub fn trace(path: &Path, error: &TraceError) -> Failure {
        let failure = Failure::new(INPUT, format!("'{}'", path.display())).why(error);
        match error {
            TraceError::Damaged { .. } => {
                failure.help("write it again with `rcar-iss run P.rcn --trace FILE`")
            }
            _ => failure,
        }
    }
}
