//! `rcar-iss`: compiler and bit-exact simulator for RCN, a modeled integer accelerator.
//!
//! The way of a network: [`onnx::import()`] → [`compiler::compile`] → [`sim::Loaded::new`] → [`sim::Session::run`]. Programs
//! are [`program::Program`]s, files of them ELF, their text assembly; machines are [`machine::Machine`]s. `ARCHITECTURE.md`
//! says how the parts depend on each other.

pub mod analysis;
pub mod batch;
pub mod cli;
pub mod compiler;
pub mod document;
pub mod dtype;
pub mod dump;
pub mod explain;
pub mod files;
pub mod float;
pub mod graph;
pub mod host;
pub mod image;
pub mod isa;
pub mod kernels;
pub mod machine;
pub mod numeric;
pub mod onnx;
pub mod pages;
pub mod profile;
pub mod program;
pub mod quantize;
pub mod readable;
pub mod report;
pub mod schemas;
pub mod sim;
pub mod tensor_file;
pub mod trace;
pub mod tune;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
