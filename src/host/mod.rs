//! Host layers: what the accelerator cannot compute, run by a library (see [`float`](crate::float)).
//!
//! A host layer is an ONNX model inside the program file. Claims of bit-exactness stop at tensors behind one.

mod float_host;
mod prepare;

pub use float_host::FloatHost;
pub use prepare::{HostError, on_onnx_runtime, prepare};
