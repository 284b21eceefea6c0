//! One run on several threads.
//!
//! The units of the [plan](super::plan), in an [order] in which constants are loaded early, are distributed
//! to workers: tiles by the [bands] of rows that they compute, others [split] into parts that write different
//! bytes. So most of what a worker reads it has written itself, and lies in its cache. The [schedule] gives
//! each worker its tasks in that order, and for each task the tasks of other workers that it must wait for:
//! those that touch a common byte, one of the two writing. The [pool] executes the tasks. Values are those of
//! program order, whatever the program's conditions are.

mod bands;
mod order;
pub(super) mod pool;
mod schedule;
#[cfg(test)]
mod sound;
mod split;
