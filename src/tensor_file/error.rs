//! Why a tensor file cannot be read or written.

use crate::files::FileError;

/// Why a tensor file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// The operating system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a `.npy` file, or a broken one.
    #[error("not a valid .npy file: {reason}")]
    Npy {
        /// What is wrong.
        reason: String,
    },
    /// Not a `.npz` file, or a broken one.
    #[error("not a valid .npz file: {reason}")]
    Npz {
        /// What is wrong.
        reason: String,
    },
    /// An unsupported element type.
    #[error(
        "element type {found} is not supported; floats of 16, 32 and 64 bits, integers of 8 to 64 bits and bool are"
    )]
    Element {
        /// numpy's descriptor.
        found: String,
    },
    /// The number of bytes does not fit the shape.
    #[error("{bytes} bytes do not fill shape {shape:?} of {element}")]
    Length {
        /// Bytes given.
        bytes: usize,
        /// Shape.
        shape: Vec<usize>,
        /// Element type.
        element: &'static str,
    },
}
