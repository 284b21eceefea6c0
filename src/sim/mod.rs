//! The simulator: executes programs on inputs; gives values and cycles.
//!
//! Function, clock and observation are separate. The [control core](control) streams captured operations; at
//! [load] one control pass [validates](validate) them, computes what is [defined] and runs the [clock]; a
//! [`Session`] executes them with an [engine] and shows them to an [`Observer`]. The simulator does not know
//! ONNX: the program's tables name layers and tensors.
//!
//! ```no_run
//! use std::sync::Arc;
//! use rcar_iss::internals::{machine::Machine, program::Program, sim::{EngineKind, Limits, Loaded, Session}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (program, input): (Program, Vec<u8>) = todo_program();
//! let loaded = Loaded::new(Arc::new(program), &Machine::named("rcn-m")?, Limits::default())?;
//! println!("{} cycles", loaded.clock().total);
//! let mut session = Session::new(&loaded, EngineKind::Fast);
//! session.run(&[("input", &input)], &mut (), &mut ())?;
//! # Ok(()) }
//! # fn todo_program() -> (Program, Vec<u8>) { (Program::default(), Vec::new()) }
//! ```

pub mod access;
pub mod clock;
pub mod control;
pub mod defined;
pub mod engine;
mod executed;
pub mod fault;
pub mod load;
mod masks;
pub mod memory;
pub mod observer;
pub mod op;
mod parallel;
pub mod place;
pub mod plan;
pub mod race;
pub mod session;
mod shared;
pub mod validate;
pub mod widths;
mod written;

pub use engine::EngineKind;
pub use executed::Executed;
pub use fault::{Fault, FaultKind};
pub use load::{Decoded, Limits, LoadError, Loaded};
pub use memory::Memory;
pub use observer::{Observer, Sees};
pub use op::{OpKind, QueueOp};
pub use session::{
    Builder, GRAIN, HostRuntime, HostValue, MOST_THREADS, RunError, RunSummary, Session, worthwhile,
};
pub use written::{RegisterFile, Written};
