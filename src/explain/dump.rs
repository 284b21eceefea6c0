//! The words of what goes wrong with dumps.

use std::path::Path;

use super::Failure;
use crate::dump::DumpError;

impl Failure {
    /// The dump in a folder does not have what was asked for.
    pub fn in_dump(folder: &Path, error: DumpError) -> Failure {
        match error {
            DumpError::UnknownName { name, known } => {
                Failure::usage(format!("no layer or tensor of '{}' is named '{name}'", folder.display()))
                    .nearest(&name, known.iter().map(String::as_str))
            }
            other => other.into(),
        }
    }

    /// No dump lies in a folder.
    pub fn no_dump(folder: &Path) -> Failure {
        Failure::file(folder, &"it holds no manifest.json, and no folder in it does")
            .help("give a folder that `rcar-iss run --dump-layers` wrote")
    }

    /// A program has no tensor whose file is called like this.
    pub fn no_tensor_for(program: &Path, stem: &str) -> Failure {
        Failure::usage(format!("'{}' has no tensor for the file name '{stem}'", program.display()))
            .help("`rcar-iss info --tensors` lists them; or give --scale and --zero-point")
    }

    /// Nothing says what the integers of a file stand for.
    pub fn no_scale(path: &Path) -> Failure {
        Failure::usage(format!("no manifest.json beside '{}' says its scale and zero point", path.display()))
            .help("give --program P.rcn, or --scale and --zero-point")
    }
}
