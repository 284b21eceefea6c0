//! Messages on dumps.

use super::Failure;
use crate::dump::{DequantizeError, DumpError};

impl From<DequantizeError> for Failure {
    fn from(error: DequantizeError) -> Failure {
        match error {
            DequantizeError::File(error) => error.into(),
            DequantizeError::Place(error) => error.into(),
            DequantizeError::Dump(error) => error.into(),
            DequantizeError::Folder { folder, source } => Failure::file(&folder, &source),
            DequantizeError::In { folder, source: DumpError::UnknownName { name, known } } => {
                Failure::usage(format!("no layer or tensor of '{}' is named '{name}'", folder.display()))
                    .nearest(&name, known.iter().map(String::as_str))
            }
            DequantizeError::In { source, .. } => source.into(),
            DequantizeError::NoDump { folder } => {
                Failure::file(&folder, &"it holds no manifest.json, and no folder in it does")
                    .help("give a folder that `rcar-iss run --dump-layers` wrote")
            }
            DequantizeError::Array { path, source } => Failure::tensor(&path, source),
            DequantizeError::Program { path, source } => Failure::program(&path, source),
            DequantizeError::NoTensor { .. } => Failure::usage(error.to_string())
                .help("`rcar-iss info --tensors` lists them; or give --scale and --zero-point"),
            DequantizeError::NoScale { .. } => {
                Failure::usage(error.to_string()).help("give --program P.rcn, or --scale and --zero-point")
            }
            DequantizeError::Floats { .. } => {
                Failure::usage("--scale has no effect").why(&error).help("leave it out")
            }
            DequantizeError::NoValues { path, source } => Failure::file(&path, &source),
            DequantizeError::Several { .. } => {
                Failure::usage(error.to_string()).help("give a folder or an .npz, or choose one with --layer")
            }
        }
    }
}
