//! Closed-form cost of transfers, for the tile search.
//!
//! The clock walks a transfer segment by segment (manual, *Time*: Channel). Here its cost is a formula of the
//! shape, with the expected number of rows to open for an unknown address, and refreshes spread evenly.

use super::storage::next_multiple;
use crate::machine::Dram;

/// Bytes in DRAM as contiguous runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs {
    /// Number of runs.
    pub(super) count: i64,
    /// Bytes of each.
    pub(super) bytes: i64,
    /// Bytes from the beginning of one to that of the next.
    pub(super) stride: i64,
}

impl Runs {
    /// One run, as tensors and constants lie.
    pub(super) fn whole(bytes: i64) -> Runs {
        Runs { count: 1, bytes, stride: bytes }
    }

    /// Cycles of the channel.
    pub(super) fn cycles(self, dram: &Dram) -> i64 {
        if self.bytes == 0 || self.count == 0 {
            return 0;
        }
        if self.bytes >= self.stride && self.count > 1 {
            return Runs { count: 1, bytes: self.bytes * self.count, ..self }.cycles(dram);
        }
        let [burst, row] = [dram.burst_bytes, dram.row_bytes].map(i64::from);
        // A run of whole bursts that is aligned to bursts stays whole; any other touches part of one more
        // burst.
        let whole = self.bytes % burst == 0 && (self.count == 1 || self.stride % burst == 0);
        let moved = if whole { self.bytes } else { next_multiple(self.bytes, burst) + burst / 4 };
        // A row is opened beside the run before, if that is in another bank and takes long enough.
        let [rate, miss] = [dram.rate() as i64, i64::from(dram.row_miss_cycles)];
        let cycles = |bytes: i64| (bytes * 1000 + rate - 1) / rate;
        let late = |bytes: i64| (miss - bytes * 1000 / rate).max(0);
        let inside = self.count * ((self.bytes - 1) / row) * late(row);
        let same_bank = self.stride % (row * i64::from(dram.banks)) == 0;
        let apart = (self.count - 1) * self.stride.min(row) / row;
        let between = apart * if same_bank { miss } else { late(moved.min(row)) };
        let busy = cycles(self.count * moved) + inside + between;
        let [interval, refresh] = [dram.refresh_interval_cycles, dram.refresh_cycles].map(i64::from);
        if refresh == 0 { busy } else { busy + busy * (refresh + miss) / (interval - refresh).max(1) }
    }
}

/// Cycles of its queue that a load takes if two are in flight at a time, one for each side of a double
/// buffer: half of the latency is exposed in short ones.
pub(super) fn under_way(channel: i64, latency: u32) -> i64 {
    if channel == 0 { 0 } else { channel.max((channel + i64::from(latency)) / 2) }
}
