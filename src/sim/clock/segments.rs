//! How the DRAM side of a DMA instruction is cut into segments, and what each costs on the channel (manual,
//! *Time*: Channel).
//!
//! The descriptor is walked in order, with inner extents that lie without gaps merged to *runs*. A segment
//! takes up to `dram.grant_bytes` of the runs that follow, splitting the last; each piece is rounded out to
//! bursts. A segment occupies the channel for the bytes of its bursts at the channel's rate, and for a row
//! miss for each pair of successive bursts in different rows. Rows that ids choose cost the most that they
//! can, wherever they lie: time does not depend on data.

use std::sync::Arc;

use crate::isa::TensorDesc;
use crate::machine::{Dram, timing};
use crate::sim::access::padded_dims;
use crate::sim::op::{OpKind, mac_op, vec_op};

/// The end of each segment of an instruction, in order and in channel cycles from the start of the first;
/// `None` for an instruction that does not use the channel.
#[must_use]
pub fn ends(kind: &OpKind, dram: &Dram) -> Option<Arc<[u64]>> {
    let boxed = |d, dims| added_up(Segments::new(d, dims, dram));
    match kind {
        OpKind::DmaIn { src, .. } => Some(boxed(src, src.dims)),
        OpKind::DmaPad { dst, src, window } => {
            let inside = |axis: usize| {
                let room = i64::from(dst.dims[axis + 1]) - i64::from(window.pads[axis]);
                room.clamp(0, src.dims[axis + 1].into()) as u32
            };
            Some(boxed(src, [src.dims[0], inside(0), inside(1), src.dims[3]]))
        }
        OpKind::Gather { dst, .. } => {
            let bytes = u64::from(dst.dims[3]) * dst.etype.bytes() as u64;
            Some(added_up((0..dst.dims[2]).flat_map(|_| timing::chosen_row(dram, bytes))))
        }
        OpKind::DmaOut { dst, .. } => Some(boxed(dst, padded_dims(dst))),
        OpKind::Nop | OpKind::DmaFill { .. } | OpKind::DmaCopy { .. } | mac_op!() | vec_op!() => None,
    }
}

fn added_up(segments: impl Iterator<Item = u64>) -> Arc<[u64]> {
    let ends = segments.scan(0, |end, cycles| {
        *end += cycles;
        Some(*end)
    });
    ends.collect()
}

/// The segments of a box in DRAM, in order; the iterator yields the channel cycles of each.
#[derive(Debug, Clone)]
struct Segments {
    rate: i64,
    burst: i64,
    grant: i64,
    row: i64,
    miss: u64,
    base: i64,
    /// The whole transfer is one run.
    single: bool,
    /// Extents and strides of the runs; 1 where a dimension is part of the run.
    counts: [u32; 4],
    strides: [i64; 4],
    run: i64,
    /// Index of the next run, and how many bytes of it are done.
    at: [u32; 4],
    done: i64,
    finished: bool,
}

impl Segments {
    /// The segments of a box in DRAM. Empty if an extent is 0.
    fn new(d: &TensorDesc, dims: [u32; 4], dram: &Dram) -> Segments {
        let mut run = d.etype.bytes() as i64;
        let mut counts = dims;
        for axis in (0..4).rev() {
            if counts[axis] != 1 && d.strides[axis] != run {
                break;
            }
            run *= i64::from(counts[axis]);
            counts[axis] = 1;
        }
        Segments {
            rate: dram.bytes_per_cycle.into(),
            burst: dram.burst_bytes.into(),
            grant: dram.grant_bytes.into(),
            row: dram.row_bytes.into(),
            miss: dram.row_miss_cycles.into(),
            base: d.base,
            single: counts == [1; 4],
            counts,
            strides: d.strides,
            run,
            at: [0; 4],
            done: 0,
            finished: dims.contains(&0),
        }
    }

    fn next_run(&mut self) {
        self.done = 0;
        for axis in (0..4).rev() {
            self.at[axis] += 1;
            if self.at[axis] < self.counts[axis] {
                return;
            }
            self.at[axis] = 0;
        }
        self.finished = true;
    }
}

impl Iterator for Segments {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.finished {
            return None;
        }
        if self.single {
            let start = self.base + self.done;
            let piece = self.grant.min(self.run - self.done);
            let first = start & -self.burst;
            let end = (start + piece + self.burst - 1) & -self.burst;
            self.done += piece;
            self.finished = self.done == self.run;
            // The row size is a power of two.
            let shift = self.row.trailing_zeros();
            let misses = (((end - 1) >> shift) - (first >> shift)) as u64;
            return Some(((end - first) as u64).div_ceil(self.rate as u64) + misses * self.miss);
        }
        let (mut room, mut bytes, mut misses) = (self.grant, 0, 0);
        let mut open = None;
        while room > 0 && !self.finished {
            let offset: i64 = self.at.iter().zip(self.strides).map(|(n, s)| i64::from(*n) * s).sum();
            let start = self.base + offset + self.done;
            let piece = room.min(self.run - self.done);
            // Burst and row sizes are powers of two, and a row holds whole bursts.
            let first = start & -self.burst;
            let end = (start + piece + self.burst - 1) & -self.burst;
            bytes += end - first;
            let rows = (first / self.row, (end - 1) / self.row);
            misses += (rows.1 - rows.0) as u64 + u64::from(open.is_some_and(|o| o != rows.0));
            open = Some(rows.1);
            room -= piece;
            self.done += piece;
            if self.done == self.run {
                self.next_run();
            }
        }
        Some((bytes as u64).div_ceil(self.rate as u64) + misses * self.miss)
    }
}
