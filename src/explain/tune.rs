//! Messages on the search of widths.

use std::path::Path;

use super::{Failure, INPUT, UNSUPPORTED};
use crate::tune::{MoreCyclesError, TuneError};

impl From<MoreCyclesError> for Failure {
    fn from(error: MoreCyclesError) -> Failure {
        Failure::usage(format!("--max-cycles {}", error.text))
            .help("write how many more are allowed, like +20%")
    }
}

impl Failure {
    /// The model at `path` cannot be tuned.
    pub fn tune(path: &Path, error: &TuneError) -> Failure {
        match error {
            TuneError::Quantize(e) => Failure::quantize(path, e),
            TuneError::Compile(_) => Failure::new(UNSUPPORTED, format!("'{}'", path.display())).why(error),
            TuneError::Label(_) => Failure::usage("--labels").why(error),
            TuneError::Run(_) => Failure::new(INPUT, format!("'{}'", path.display())).why(error),
            TuneError::Widths(what) => Failure::usage(format!("{what} in --config has no effect"))
                .why(&"tune chooses all widths itself")
                .help("leave it out; `rcar-iss quantize --config` takes it"),
            TuneError::BiasCorrection => {
                Failure::usage("bias_correction in --config: tune does not know it").help(
                    "the correction depends on the widths: add it to OUT.recipe.toml and run quantize with that",
                )
            }
        }
    }
}
