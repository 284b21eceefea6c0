//! Instructions from issue to end.

use super::cost::Work;
use super::layers::PassageId;
use super::ports::Ports;
use crate::isa::Queue;

/// An instruction that was issued and has not ended.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) seq: u64,
    pub(super) issue: u64,
    /// Queues waited for, and how many of their instructions must have ended; 0 where there is no condition.
    pub(super) tickets: [(Queue, u64); 2],
    pub(super) passage: Option<PassageId>,
    pub(super) latency: [u32; 2],
    pub(super) ports: Ports,
    pub(super) work: Work,
    /// Whether it writes to DRAM.
    pub(super) writes: bool,
}

/// What is kept of an instruction until it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) seq: u64,
    pub(super) issue: u64,
    pub(super) passage: Option<PassageId>,
}

impl Waiting {
    pub(super) fn started(&self) -> Started {
        Started { seq: self.seq, issue: self.issue, passage: self.passage }
    }
}
