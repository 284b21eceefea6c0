//! Why a unit does what it does in a cycle.

use std::ops::{AddAssign, Index, IndexMut};

use serde::ser::{Serialize, SerializeMap, Serializer};

/// What a unit does in a cycle, or the first thing that keeps it from working (rule C6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It executes; a DMA unit moves data.
    Busy,
    /// The queue is empty.
    NothingIssued,
    /// The first condition of the next instruction is not met.
    Condition1,
    /// The second condition is not met.
    Condition2,
    /// A port of a bank that it needs is held, or reserved by an older instruction.
    Bank,
    /// DMA: the oldest instruction waits for DRAM to answer.
    DramLatency,
    /// DMA: as [`Cause::DramLatency`], and the next instruction could have started if more were allowed in flight.
    Outstanding,
    /// DMA: the channel serves the other direction.
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

    /// Name in `--json`, traces and tables.
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
}

/// Cycles by [`Cause`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Causes([u64; Cause::ALL.len()]);

impl Causes {
    /// Cycles of all causes.
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
