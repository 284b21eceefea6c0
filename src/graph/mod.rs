//! The integer graph: what the compiler lowers.
//!
//! A [`Graph`] holds quantized operators only: [`import`](crate::onnx) converts both ONNX forms (QDQ and
//! QOperator) to it, removing the float values between quantizers and keeping every rounding that the model
//! prescribes. A [`Node`] is one accelerator operator (a *layer*) or one *host* layer. Shapes are ONNX shapes
//! (NCHW for images); layouts in memory are the compiler's.
//!
//! Nodes are in topological order; every tensor is produced by at most one node. [`verify`] checks this and
//! every operator's constraints, [`fuse`] makes the graph smaller, [`reformat`](mod@reformat) gives tensors
//! other formats, [`text`] prints it.

pub mod fuse;
pub mod ir;
pub mod reformat;
pub mod text;
pub mod verify;

pub use crate::dtype::DType;
pub use ir::*;
