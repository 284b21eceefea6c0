//! The DRAM channel, its data counted cycle by cycle. Written from the manual's text.

use std::collections::BTreeMap;

use rcar_iss::internals::machine::Machine;

/// Pieces of a segment, by row: the row and the bytes of their bursts.
pub(super) type Segment = Vec<(u64, u64)>;

/// What the channel has done.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel {
    /// The cycle in which the last data pass, and how many thousandths of a byte of it are used.
    last: (u64, u64),
    /// The row of the last piece, the cycle in which the channel came to it, and the direction.
    row: u64,
    came: u64,
    writes: Option<bool>,
    /// The cycle for which the last refresh was due, and the one in which it ended.
    due: u64,
    refreshed: u64,
    open: BTreeMap<u64, u64>,
}

impl Channel {
    /// The first cycle in which nothing passes.
    fn idle(&self) -> u64 {
        self.last.0 + u64::from(self.last.1 > 0)
    }

    /// Serves a segment that is granted in cycle `t`; returns how many cycles it has the channel.
    pub(super) fn pass(&mut self, t: u64, segment: &Segment, writes: bool, machine: &Machine) -> u64 {
        let dram = &machine.dram;
        // Thousandths of a byte; rounded down after the others have taken their share.
        let others = u64::from(100 - dram.other_masters_percent);
        let rate = dram.bytes_per_cycle.thousandths() * others / 100;
        let interval = u64::from(dram.refresh_interval_cycles);
        while dram.refresh_cycles > 0 && self.due + interval <= t {
            self.due += interval;
            let begins = [self.due, self.idle(), self.refreshed].into_iter().max().unwrap();
            self.refreshed = begins + u64::from(dram.refresh_cycles);
            self.open.clear();
        }
        let mut begin = t.max(self.refreshed);
        if self.writes == Some(!writes) {
            begin = begin.max(self.idle() + u64::from(dram.turnaround_cycles));
        }
        self.writes = Some(writes);
        let mut idle = self.idle();
        if begin != idle {
            self.last = (begin, 0);
        }
        for (row, bytes) in segment {
            let bank = row % u64::from(dram.banks);
            if self.open.insert(bank, *row) != Some(*row) {
                let before = if bank == self.row % u64::from(dram.banks) { idle } else { self.came };
                let opened = before.max(self.refreshed) + u64::from(dram.row_miss_cycles);
                self.last = self.last.max((opened, 0));
            }
            if self.row != *row {
                self.row = *row;
                self.came = self.last.0;
            }
            let mut left = bytes * 1000;
            while left > 0 {
                let moved = left.min(rate - self.last.1);
                left -= moved;
                self.last.1 += moved;
                if self.last.1 == rate {
                    self.last = (self.last.0 + 1, 0);
                }
            }
            idle = self.idle();
        }
        idle.max(t + 1) - t
    }
}
