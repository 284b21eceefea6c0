//! Mutators: each takes a file that a user might give and makes another one of it that differs in its
//! structure.

pub(crate) mod array;
pub(crate) mod container;
mod json;
pub(crate) mod onnx;
mod onnx_valid;
mod onnx_wild;
pub(crate) mod picture;
pub(crate) mod program;
pub(crate) mod text;
pub(crate) mod trace;
pub(crate) mod values;
