//! The DRAM channel: when the data of a segment pass it (manual, *Time*: Channel).
//!
//! What a segment takes depends on what passed before: rows that are open, the direction, refreshes. Times
//! are exact: the channel counts in thousandths of a byte, of which `rate` pass in a cycle.

use super::segments::Run;
use crate::isa::limits::MAX_BANKS;
use crate::machine::Dram;

/// No row is open.
const CLOSED: u64 = u64::MAX;

/// What the channel remembers.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    /// Thousandths of a byte in a cycle.
    rate: u128,
    banks: u64,
    row_miss: u64,
    turnaround: u64,
    batch: u32,
    refresh: [u64; 2],
    /// Where the data of the last run end, in thousandths of a byte since cycle 0.
    end: u128,
    /// Their row, and the cycle in which the channel came to it.
    row: u64,
    came: u64,
    /// Whether the last segment was written, and how many of its direction passed in a row.
    written: Option<bool>,
    in_row: u32,
    /// Refreshes done, and the cycle in which the last one ends.
    refreshes: u64,
    ready: u64,
    /// The open row of each bank.
    open: [u64; MAX_BANKS as usize],
}

impl Channel {
    pub(super) fn new(dram: &Dram) -> Channel {
        Channel {
            rate: dram.rate().into(),
            banks: dram.banks.into(),
            row_miss: dram.row_miss_cycles.into(),
            turnaround: dram.turnaround_cycles.into(),
            batch: dram.batch_segments,
            refresh: [dram.refresh_interval_cycles, dram.refresh_cycles].map(u64::from),
            end: 0,
            row: 0,
            came: 0,
            written: None,
            in_row: 0,
            refreshes: 0,
            ready: 0,
            open: [CLOSED; MAX_BANKS as usize],
        }
    }

    /// The first cycle in which no data of the last segment pass any more.
    fn free(&self) -> u64 {
        self.end.div_ceil(self.rate) as u64
    }

    /// While both directions wait: whether writes are served next, and how many segments at most.
    pub(super) fn turn(&self) -> (bool, u32) {
        match self.written {
            // Reads win the first tie.
            None => (false, self.batch),
            Some(written) if self.in_row < self.batch => (written, self.batch - self.in_row),
            Some(written) => (!written, self.batch),
        }
    }

    /// Serves a segment from cycle `t` on, in which the channel is free; returns the cycle in which it is
    /// free again, after `t`.
    pub(super) fn serve(&mut self, t: u64, runs: &[Run], writes: bool) -> u64 {
        self.refresh(t);
        let free = self.free();
        let mut first = t.max(self.ready);
        match self.written {
            Some(written) if written == writes => self.in_row = self.in_row.saturating_add(1),
            Some(_) => {
                first = first.max(free + self.turnaround);
                self.in_row = 1;
            }
            None => self.in_row = 1,
        }
        // What begins in the cycle in which the data before end follows them without a gap.
        let mut position = if first == free { self.end } else { u128::from(first) * self.rate };
        for run in runs {
            let bank = (run.row % self.banks) as usize;
            if self.open[bank] != run.row {
                // Requests are known before their data pass, so a row is opened beside the one before, if
                // that is in another bank.
                let same_bank = (self.row % self.banks) as usize == bank;
                let before = if same_bank { self.free() } else { self.came };
                position = position.max(u128::from(before.max(self.ready) + self.row_miss) * self.rate);
                self.open[bank] = run.row;
            }
            if run.row != self.row {
                (self.row, self.came) = (run.row, (position / self.rate) as u64);
            }
            position += u128::from(run.bytes) * 1000;
            self.end = position;
        }
        self.written = Some(writes);
        self.free().max(t + 1)
    }

    /// Refreshes that are due by cycle `t`: each begins when it is due, or when the channel is free and the
    /// one before has ended, and closes all rows.
    fn refresh(&mut self, t: u64) {
        let [interval, cycles] = self.refresh;
        if cycles == 0 {
            return;
        }
        let free = self.free();
        while (self.refreshes + 1) * interval <= t {
            self.refreshes += 1;
            self.ready = (self.refreshes * interval).max(free).max(self.ready) + cycles;
            self.open = [CLOSED; MAX_BANKS as usize];
        }
    }
}
