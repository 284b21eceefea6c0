//! One run on several threads.
//!
//! The queue instructions of the control pass's record, in an [order] in which constants are loaded early, are given to workers:
//! tiles by the [bands] of rows that they compute, others [split] into parts that write different bytes. So what a
//! worker reads is mostly what it has written, and lies in its cache. The [schedule] gives each worker its pieces in that
//! order, and says for which pieces of others it must wait: those that touch a byte of the piece, one of them writing.
//! The [pool] executes them. Values are those of program order, whatever conditions say.

mod bands;
mod order;
pub(super) mod pool;
mod schedule;
#[cfg(test)]
mod sound;
mod split;
