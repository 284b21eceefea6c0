//! Closed-form cost of transfers, for the tile search and for estimates.
//!
//! The clock walks a transfer segment by segment (manual, *Time*: Channel). Here its cost is a formula of the
//! shape, with the expected number of row changes for an unknown address.

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
    /// Whether segments begin at multiples of their size.
    pub(super) aligned: bool,
}

impl Runs {
    /// One run, as tensors and constants lie.
    pub(super) fn whole(bytes: i64) -> Runs {
        Runs { count: 1, bytes, stride: bytes, aligned: true }
    }

    /// Cycles of the channel.
    pub(super) fn cycles(self, dram: &Dram) -> i64 {
        if self.bytes == 0 || self.count == 0 {
            return 0;
        }
        if self.bytes >= self.stride && self.count > 1 {
            return Runs { count: 1, bytes: self.bytes * self.count, ..self }.cycles(dram);
        }
        let [burst, grant, row] = [dram.burst_bytes, dram.grant_bytes, dram.row_bytes].map(i64::from);
        // A run of whole bursts that is aligned to bursts stays whole; any other touches part of one more
        // burst.
        let whole = self.bytes % burst == 0 && (self.count == 1 || self.stride % burst == 0);
        let moved = if whole { self.bytes } else { next_multiple(self.bytes, burst) + burst / 4 };
        // Row changes inside runs, except at the border of two segments, and between runs.
        let splits = if self.aligned && self.count == 1 { 0 } else { self.count * (self.bytes - 1) / row };
        let apart = if self.bytes % grant == 0 { 0 } else { self.count - 1 };
        let misses = splits + apart * self.stride.min(row) / row;
        // Every segment takes whole cycles.
        let rate = i64::from(dram.bytes_per_cycle);
        let segments = (self.count * self.bytes + grant - 1) / grant;
        let [each, rest] = [self.count * moved / segments, self.count * moved % segments];
        let up = |n: i64| (n + rate - 1) / rate;
        (segments - rest) * up(each) + rest * up(each + 1) + misses * i64::from(dram.row_miss_cycles)
    }
}

/// Cycles of its queue that a load takes if two are in flight at a time, one for each side of a double
/// buffer: half of the latency is exposed in short ones.
pub(super) fn under_way(channel: i64, latency: u32) -> i64 {
    if channel == 0 { 0 } else { channel.max((channel + i64::from(latency)) / 2) }
}
