//! `rcar-iss`: compiler and bit-exact simulator for RCN, a modeled integer accelerator.

pub mod cli;
pub mod compiler;
pub mod dump;
pub mod files;
pub mod graph;
pub mod host;
pub mod image;
pub mod isa;
pub mod machine;
pub mod numeric;
pub mod onnx;
pub mod program;
pub mod sim;
pub mod tensor_file;
