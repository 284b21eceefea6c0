//! Multiple runs: a program on many inputs, distributed over threads, with dumps of its layers or a trace; or
//! on one input many times, to measure the duration.

mod many;
mod repeat;
mod watch;

pub use many::{Batch, BatchError, Dumps, Run};
pub use repeat::{Measured, Repeat};
pub use watch::{Spent, Taken};
