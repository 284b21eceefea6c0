//! Tensors as `.npy` files, and several of them as `.npz`. Reading checks everything against the file's
//! length before it allocates.

mod convert;
mod data;
mod error;
mod name;
mod npz;
mod read;
mod values;
mod write;

pub use convert::ConvertError;
pub use data::{Element, TensorData};
pub use error::TensorFileError;
pub use name::{file_name, unique_file_name};
pub use npz::{Npz, to_npz};
pub use read::{parse, read};
pub use values::Number;
pub use write::{to_npy, write};
