//! Runs beyond a single one: a program on many inputs, spread over threads, with dumps of its layers or a
//! trace; and on one input many times, to see how long that takes.

mod many;
mod repeat;
mod watch;

pub use many::{Batch, BatchError, Dumps, Run};
pub use repeat::{Measured, Repeat};
pub use watch::{Spent, Taken};
