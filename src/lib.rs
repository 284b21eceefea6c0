//! `rcar-iss`: compiler and bit-exact simulator for RCN, a modeled integer accelerator.
//!
//! From a quantized ONNX model to numbers and cycles:
//!
//! ```no_run
//! use rcar_iss::options::{Compile, Import, Limits};
//! use rcar_iss::{Machine, Model, Tensor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let graph = Model::open("net.onnx")?.import(&Import::new())?;
//! let program = graph.compile(&Machine::named("rcn-m")?, &Compile::new())?;
//! let loaded = program.load(Limits::default())?;
//! println!("{} cycles", loaded.cycles());
//!
//! let image = Tensor::new(&[1, 3, 224, 224], &vec![0.5_f32; 3 * 224 * 224])?;
//! let outputs = loaded.session().run(&[("image", &image)])?;
//! println!("{:?}", outputs["scores"].values::<f32>());
//! # Ok(()) }
//! ```
//!
//! Each step is a type that owns what it needs: a [`Model`] is imported to a [`Graph`], compiled for a
//! [`Machine`] to a [`Program`], checked and timed as a [`Loaded`], and run in a [`Session`]. [`data`] has
//! the inputs and outputs of runs, [`options`] the options of the steps, [`observe`] the observers of runs,
//! [`accuracy`] quantization and its accuracy, [`error`] the errors, one type for each stage.

mod analysis;
mod batch;
#[cfg(feature = "cli")]
mod cli;
mod compiler;
mod document;
mod dtype;
mod dump;
mod explain;
mod explore;
mod face;
mod files;
mod float;
mod graph;
mod host;
mod image;
mod inputs;
mod isa;
mod kernels;
mod machine;
mod numeric;
mod onnx;
mod outputs;
mod pages;
mod profile;
mod program;
mod quantize;
mod readable;
mod report;
#[cfg(feature = "schemas")]
mod schemas;
mod sim;
mod tensor_file;
mod trace;
mod tune;

pub use face::{Graph, Loaded, Model, Program, Session};
pub use machine::Machine;
pub use tensor_file::TensorData as Tensor;

/// Inputs and outputs of runs.
pub mod data {
    pub use crate::face::{Layer, Outputs, Port};
    pub use crate::inputs::{Feed, Pictures, Sample, Samples};
    pub use crate::tensor_file::{Element, Npz, Number, parse, read, to_npy, to_npz, write};
}

/// Options of each step.
pub mod options {
    pub use crate::face::{Compile, Import, SessionBuilder};
    pub use crate::float::Engine as FloatEngine;
    pub use crate::isa::Profile as Rounding;
    pub use crate::kernels::cpu::Level as Kernels;
    pub use crate::sim::{EngineKind as Engine, Limits};
}

/// Observers of runs: instructions, the ends of layers, cycles.
pub mod observe {
    pub use crate::isa::{Queue, Space};
    pub use crate::profile::Profile;
    pub use crate::sim::{Memory, Observer, QueueOp, RegisterFile, Sees, Written};
}

/// Quantization of float networks, and its accuracy: quantize, search of widths, compare, diagnose.
pub mod accuracy {
    pub use crate::analysis::{Comparison, Diagnosis, Finding, LayerComparison};
    pub use crate::face::accuracy::{
        CalibratedModel, QuantizedModel, Quantizer, TunedModel, Wanted, compare, diagnose,
    };
    pub use crate::quantize::{Pruning, Record, Settings, Stage, Watch};
    pub use crate::tune::{Goal, Point, Reporter};
}

/// Errors: one type for each stage. [`Explanation`](error::Explanation) renders them in the command line's
/// words.
pub mod error {
    pub use crate::explain::Failure as Explanation;
    pub use crate::face::RunError as Run;
    pub use crate::face::error::{
        Compare, Compile, Import, Load, OpenMachine, OpenModel, ProgramFile, Quantize,
    };
    pub use crate::files::FileError as File;
    pub use crate::inputs::InputError as Input;
    pub use crate::program::text::AsmErrors as Assemble;
    pub use crate::sim::Fault;
    pub use crate::tensor_file::TensorFileError as TensorFile;
}

/// The modules of this crate, for its own command line, tests and benches. They are not stable: they change
/// without notice.
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

    /// The command line.
    #[cfg(feature = "cli")]
    pub mod cli {
        pub use crate::cli::*;
    }

    /// JSON Schemas of the documents.
    #[cfg(feature = "schemas")]
    pub mod schemas {
        pub use crate::schemas::*;
    }

    all!(
        analysis,
        batch,
        compiler,
        document,
        dtype,
        dump,
        explain,
        explore,
        files,
        float,
        graph,
        host,
        image,
        inputs,
        isa,
        kernels,
        machine,
        numeric,
        onnx,
        outputs,
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

/// Compiles the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// Compiles the example of the book's page for users of the library.
#[cfg(doctest)]
#[doc = include_str!("../docs/book/src/guide/library.md")]
pub struct Library;
