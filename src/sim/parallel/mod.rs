//! One run on several threads.
//!
//! The units of the [plan](super::plan), in an [order] in which constants are loaded early, are given to
//! workers: tiles by the [bands] of rows that they compute, others [split] into parts that write different
//! bytes. So what a worker reads is mostly what it has written, and lies in its cache. The [schedule] gives
//! each worker its tasks in that order, and says for which tasks of others it must wait: those that touch a
//! byte of the task, one of them writing. The [pool] executes them. Values are those of program order,
//! whatever conditions say.

mod bands;
mod order;
pub(super) mod pool;
mod schedule;
#[cfg(test)]
mod sound;
mod split;
