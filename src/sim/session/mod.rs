//! Running a loaded program.
//!
//! A [`Session`] keeps memories and engines from run to run. A run follows the record of the control pass
//! (`execution.rs`), or steps through the program if an observer sees every instruction.

mod execution;
mod host;
mod runs;

pub use host::{HostRuntime, HostValue};
pub use runs::{Builder, GRAIN, MOST_THREADS, RunError, RunSummary, Session, worthwhile};
