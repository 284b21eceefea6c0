//! One run on several threads.
//!
//! Each instruction of the control pass's record is [split] into parts that write different bytes, one for each worker, by
//! rows of its result: so what a worker reads is mostly what it has written, and lies in its cache. The [schedule] gives
//! each worker its pieces in program order, and says for which pieces of others it must wait: those that touch a byte of
//! the piece, one of them writing. The [pool] executes them. Values are those of program order, whatever conditions say.

mod bands;
mod order;
pub(super) mod pool;
mod schedule;
mod split;
