//! Layer dumps: a folder with `manifest.json` and one `.npy` of raw integers for each tensor.
//!
//! A dump appears complete or not at all: everything is written to a folder beside it, which
//! [`DumpWriter::finish`] renames; the dumps of several inputs appear together ([`DumpStack`]). An existing
//! folder is replaced only if it is empty, or contains earlier dumps and nothing else.

mod dequantizer;
mod manifest;
mod outputs;
mod reader;
mod real;
mod values;
mod writer;

pub use dequantizer::{DequantizeError, Dequantizer, Like, RealForm};
pub use manifest::{Manifest, ManifestEntry};
pub use outputs::{output_files, write_outputs};
pub use reader::Dump;
pub use real::{dequantize, reals};
pub use values::{NoValues, Values, tensor_of_stem};
pub use writer::{DumpStack, DumpWriter, check_target, file_names};

use std::path::PathBuf;

use crate::files::FileError;
use crate::tensor_file::TensorFileError;

/// Which tensors a dump holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// Every tensor of the tensor table.
    #[default]
    All,
    /// Those with one of these names, of a layer or an ONNX tensor.
    Named(Vec<String>),
}

/// Why a dump cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The operating system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tensor's bytes cannot be written.
    #[error("tensor '{tensor}': {source}")]
    Tensor {
        /// ONNX name.
        tensor: String,
        /// Why.
        source: TensorFileError,
    },
    /// A file of a dump was changed after it was written.
    #[error("'{file}' does not hold what the manifest says of tensor '{tensor}'")]
    Changed {
        /// ONNX name.
        tensor: String,
        /// Its file.
        file: String,
    },
    /// The manifest names a file that is not beside it.
    #[error(
        "the manifest says that tensor '{tensor}' lies in {file:?}, which is no file name: files of a dump lie beside its manifest.json"
    )]
    Elsewhere {
        /// ONNX name.
        tensor: String,
        /// The name in the manifest.
        file: String,
    },
    /// The folder has other contents.
    #[error("'{}' is not empty and holds no manifest.json, so it is no earlier dump; it is left as it is: choose another folder", path.display())]
    NotADump {
        /// The folder.
        path: PathBuf,
    },
    /// The folder contains an earlier dump, and other files.
    #[error(
        "'{}' is not of the dump that it lies in, and would be lost with it: move it, or choose another folder",
        path.display()
    )]
    More {
        /// The file that is not part of the dump.
        path: PathBuf,
    },
    /// A name that no layer and no tensor has.
    #[error("no layer or tensor is named '{name}'")]
    UnknownName {
        /// As asked for.
        name: String,
        /// The existing names.
        known: Vec<String>,
    },
    /// A tensor that fusion removed.
    #[error(
        "tensor '{name}' does not exist in this program: {reason}; compile with --observe '{name}' to keep it"
    )]
    Removed {
        /// ONNX name.
        name: String,
        /// Why it was removed.
        reason: String,
    },
    /// A tensor was dumped that is not in the program's tables.
    #[error("tensor '{name}' is not in the tensor table")]
    Foreign {
        /// Its name.
        name: String,
    },
}
