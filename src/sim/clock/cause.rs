//! The cause that each unit has in each cycle (manual, *Time*: Causes).

use std::ops::{AddAssign, Index, IndexMut};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::isa::Queue;

/// What a unit does in a cycle, or the first condition that keeps it from working (manual, *Time*: Causes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It executes; a DMA unit moves data.
    Busy,
    /// The queue is empty.
    NothingIssued,
    /// The first condition of the next instruction of the queue is not met.
    Condition1,
    /// The second condition is not met.
    Condition2,
    /// A port of a bank that the instruction needs is held, or reserved by an older instruction.
    Bank,
    /// DMA: the oldest instruction waits for the DRAM latency.
    DramLatency,
    /// DMA: as [`Cause::DramLatency`], and the next instruction would have started but for the limit on
    /// outstanding instructions.
    Outstanding,
    /// DMA: the channel serves the other DMA queue.
    DramBusy,
}

impl Cause {
    /// All causes, in the order in which reports list them.
    pub const ALL: [Cause; 8] = [
        Cause::Busy,
        Cause::NothingIssued,
        Cause::Condition1,
        Cause::Condition2,
        Cause::Bank,
        Cause::DramLatency,
        Cause::Outstanding,
        Cause::DramBusy,
    ];

    /// Name in JSON documents and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Busy => "busy",
            Cause::NothingIssued => "nothing_issued",
            Cause::Condition1 => "condition1",
            Cause::Condition2 => "condition2",
            Cause::Bank => "bank",
            Cause::DramLatency => "dram_latency",
            Cause::Outstanding => "outstanding",
            Cause::DramBusy => "dram_busy",
        }
    }

    /// What the unit does or waits for, as reports print it.
    #[must_use]
    pub const fn waited_for(self) -> &'static str {
        match self {
            Cause::Busy => "busy",
            Cause::NothingIssued => "an instruction",
            Cause::Condition1 => "the first condition",
            Cause::Condition2 => "the second condition",
            Cause::Bank => "a bank's port",
            Cause::DramLatency => "DRAM to answer",
            Cause::Outstanding => "a transfer to end: no more may be in flight",
            Cause::DramBusy => "the DRAM channel",
        }
    }

    /// Whether it is a wait for other instructions; [`Waits`] splits these by queue.
    #[must_use]
    pub const fn is_condition(self) -> bool {
        matches!(self, Cause::Condition1 | Cause::Condition2)
    }
}

/// What an instruction of queue `waiting` waits for when its condition names queue `other`, as reports print
/// it. The names of data are those of compiled programs; for other programs they say what such an order is
/// for.
#[must_use]
pub const fn awaited(waiting: Queue, other: Queue) -> &'static str {
    match (waiting, other) {
        (Queue::Mac, Queue::Dmain) => "the tile's operands",
        (Queue::Mac, Queue::Vec) => "free accumulators, or operands that VEC makes",
        (Queue::Mac | Queue::Vec, Queue::Dmaout) => "a buffer that is still written out",
        (Queue::Vec, Queue::Mac) => "the tile's sums",
        (Queue::Vec, Queue::Dmain) => "the tile's operands and tables",
        (Queue::Dmain, Queue::Mac) => "a buffer that the array still reads",
        (Queue::Dmain, Queue::Vec) => "a buffer that VEC still uses",
        (Queue::Dmain, Queue::Dmaout) => "a tensor that is still written out",
        (Queue::Dmaout, Queue::Mac) => "the tile's sums",
        (Queue::Dmaout, Queue::Vec) => "the tile's results",
        (Queue::Dmaout, Queue::Dmain) => "data that are still brought",
        // Instructions of one queue that overlap (DMA) may wait for each other.
        (Queue::Dmain, Queue::Dmain)
        | (Queue::Dmaout, Queue::Dmaout)
        | (Queue::Mac, Queue::Mac)
        | (Queue::Vec, Queue::Vec) => "its own earlier instruction",
    }
}

/// The name of a unit in prose.
#[must_use]
pub const fn unit(queue: Queue) -> &'static str {
    match queue {
        Queue::Dmain => "DMA-in",
        Queue::Dmaout => "DMA-out",
        Queue::Mac => "MAC",
        Queue::Vec => "VEC",
    }
}

/// Cycles in which a unit's next instruction waited for instructions of each queue: [`Cause::Condition1`] and
/// [`Cause::Condition2`], split by queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits([u64; 4]);

impl Waits {
    /// The queues that were waited for, with their cycles.
    pub fn iter(&self) -> impl Iterator<Item = (Queue, u64)> + '_ {
        Queue::ALL.into_iter().map(|q| (q, self[q])).filter(|(_, n)| *n > 0)
    }
}

impl Index<Queue> for Waits {
    type Output = u64;

    fn index(&self, queue: Queue) -> &u64 {
        &self.0[queue.index()]
    }
}

impl IndexMut<Queue> for Waits {
    fn index_mut(&mut self, queue: Queue) -> &mut u64 {
        &mut self.0[queue.index()]
    }
}

impl Serialize for Waits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Queue::ALL.len()))?;
        for queue in Queue::ALL {
            map.serialize_entry(queue.name(), &self[queue])?;
        }
        map.end()
    }
}

/// Cycles by [`Cause`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Causes([u64; Cause::ALL.len()]);

impl Causes {
    /// Sum over all causes.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The causes that occur, with their cycles.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.into_iter().map(|c| (c, self[c])).filter(|(_, n)| *n > 0)
    }
}

impl Index<Cause> for Causes {
    type Output = u64;

    fn index(&self, cause: Cause) -> &u64 {
        &self.0[cause as usize]
    }
}

impl IndexMut<Cause> for Causes {
    fn index_mut(&mut self, cause: Cause) -> &mut u64 {
        &mut self.0[cause as usize]
    }
}

impl AddAssign for Causes {
    fn add_assign(&mut self, other: Causes) {
        for (mine, more) in self.0.iter_mut().zip(other.0) {
            *mine += more;
        }
    }
}

impl Serialize for Causes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Cause::ALL.len()))?;
        for cause in Cause::ALL {
            map.serialize_entry(cause.name(), &self[cause])?;
        }
        map.end()
    }
}
