//! `rcar-iss`: compiler and bit-exact simulator for RCN, a modeled integer accelerator.
//!
//! The way of a network: [`onnx::import()`] → [`compiler::compile`] → [`sim::Loaded::new`] → [`sim::Session::run`]. Programs
//! are [`program::Program`]s, files of them ELF, their text assembly; machines are [`machine::Machine`]s. `ARCHITECTURE.md`
//! says how the parts depend on each other.

mod analysis;
mod cli;
mod compiler;
mod dtype;
mod dump;
mod explain;
mod files;
mod float;
mod graph;
mod host;
mod image;
mod isa;
mod kernels;
mod machine;
mod numeric;
mod onnx;
mod pages;
mod profile;
mod program;
mod quantize;
mod readable;
mod report;
mod sim;
mod tensor_file;
mod trace;
mod tune;

/// What this crate is made of, for its own command line, tests and benches. None of it is stable: it changes from one
/// version to the next without notice.
#[doc(hidden)]
pub mod internals {
    macro_rules! all {
        ($($part:ident),* $(,)?) => {
            $(
                #[allow(missing_docs, reason = "each part says itself what it is")]
                pub mod $part {
                    pub use crate::$part::*;
                }
            )*
        };
    }

    all!(
        analysis,
        cli,
        compiler,
        dtype,
        dump,
        explain,
        files,
        float,
        graph,
        host,
        image,
        isa,
        kernels,
        machine,
        numeric,
        onnx,
        pages,
        profile,
        program,
        quantize,
        readable,
        report,
        sim,
        tensor_file,
        trace,
        tune
    );
}

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
