//! Closed-form cost of transfers, for the tile search.
//!
//! The clock walks a transfer segment by segment (manual, *Time*: Channel). Here its cost is a formula of the
//! shape, with the expected number of rows to open for an unknown address, and refreshes spread evenly.

use super::storage::next_multiple;
use crate::machine::Dram;

/// Bytes in DRAM as rows of contiguous runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs {
    /// Bytes of a run.
    bytes: i64,
    /// Runs in a row, and rows, each with the bytes from the beginning of one to that of the next.
    steps: [(i64, i64); 2],
}

impl Runs {
    /// One run, as tensors and constants lie.
    pub(super) fn whole(bytes: i64) -> Runs {
        Runs { bytes, steps: [(1, bytes); 2] }
    }

    /// The runs of a box of rows, columns and bytes of pixels in an image with the given row and pixel
    /// pitches.
    pub(super) fn of([rows, cols, slice]: [i64; 3], [row, pixel]: [i64; 2]) -> Runs {
        let (bytes, cols) = if slice >= pixel { (cols * pixel, 1) } else { (slice, cols) };
        if cols == 1 && bytes >= row {
            return Runs::whole(rows * row);
        }
        Runs { bytes, steps: [(cols, pixel), (rows, row)] }
    }

    /// Cycles of the channel.
    pub(super) fn cycles(self, dram: &Dram) -> i64 {
        let [(cols, pixel), (rows, pitch)] = self.steps;
        let count = rows * cols;
        if self.bytes == 0 || count == 0 {
            return 0;
        }
        let [burst, row] = [dram.burst_bytes, dram.row_bytes].map(i64::from);
        // A run of whole bursts that is aligned to bursts stays whole; any other touches part of one more
        // burst.
        let aligned = self.steps.iter().all(|(n, stride)| *n == 1 || stride % burst == 0);
        let moved = if self.bytes % burst == 0 && aligned {
            self.bytes
        } else {
            next_multiple(self.bytes, burst) + burst / 4
        };
        // A row is opened beside the run before, if that is in another bank and takes long enough.
        let [rate, miss] = [dram.rate() as i64, i64::from(dram.row_miss_cycles)];
        let cycles = |bytes: i64| (bytes * 1000 + rate - 1) / rate;
        let late = |bytes: i64| (miss - bytes * 1000 / rate).max(0);
        let inside = count * ((self.bytes - 1) / row) * late(row);
        let around = row * i64::from(dram.banks);
        // How much of a row is in the bank of the one before.
        let same_bank = |stride: i64| (row - stride % around).max(stride % around + row - around).max(0);
        let between = |steps: i64, stride: i64, jumps: bool| {
            let same = if jumps && stride >= row { same_bank(stride) } else { 0 };
            steps * stride.min(row) / row * (same * miss + (row - same) * late(moved.min(row))) / row
        };
        let between =
            between(rows * (cols - 1), pixel, true) + between(rows - 1, pitch, (cols - 1) * pixel < row);
        // The first row, too, beside a segment of another transfer; that is in the same bank now and then.
        let first = late(i64::from(dram.grant_bytes)) + miss / i64::from(dram.banks);
        let busy = cycles(count * moved) + first + inside + between;
        let [interval, refresh] = [dram.refresh_interval_cycles, dram.refresh_cycles].map(i64::from);
        if refresh == 0 { busy } else { busy + busy * (refresh + miss) / (interval - refresh).max(1) }
    }
}

/// Cycles that the channel loses if it writes for some cycles while it reads for others: for every batch it
/// turns to writing and back.
pub(super) fn turning_cycles(writing: i64, reading: i64, dram: &Dram) -> i64 {
    let batch = i64::from(dram.batch_segments) * i64::from(dram.grant_bytes) * 1000 / dram.rate() as i64;
    2 * i64::from(dram.turnaround_cycles) * writing.min(reading) / batch.max(1)
}
