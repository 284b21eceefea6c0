//! A queue instruction at issue: when it may start, and which layer it belongs to.

use super::kind::OpKind;
use crate::isa::Queue;

/// The instruction may start once `count` instructions of `queue` have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The queue waited for.
    pub queue: Queue,
    /// Instructions of that queue, counted from the program's start, that must have ended.
    pub count: u64,
}

/// A queue instruction at issue: descriptors, origins and tickets captured.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueOp {
    /// Number among all queue instructions of the run, from 0.
    pub seq: u64,
    /// Index of the instruction word.
    pub pc: u32,
    /// The queue that executes it.
    pub queue: Queue,
    /// What it does.
    pub kind: OpKind,
    /// Its conditions.
    pub tickets: [Option<Ticket>; 2],
    /// The layer that the program's provenance names, or else the open one. Loads of constants may be issued
    /// before their layer begins.
    pub layer: Option<u32>,
}
