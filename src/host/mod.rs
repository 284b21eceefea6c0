//! Host layers: operators that the accelerator does not have, run by a library (see [`float`](crate::float)).
//!
//! A host layer is an ONNX model inside the program file. Tensors behind one are not bit-exact across
//! machines.

mod float_host;
mod prepare;

pub use float_host::FloatHost;
pub use prepare::{HostError, on_onnx_runtime, prepare};
