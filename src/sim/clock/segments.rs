//! How the DRAM side of a DMA instruction is cut into segments (manual, *Time*: Channel).
//!
//! The descriptor is walked in order, with inner extents that lie without gaps merged to *runs*. A segment
//! takes up to `dram.grant_bytes` of the runs that follow, splitting the last; each piece is rounded out to
//! bursts, and split where a row ends.

use crate::isa::TensorDesc;
use crate::machine::{Dram, timing};
use crate::sim::access::padded_dims;
use crate::sim::op::{OpKind, mac_op, vec_op};

/// Bytes of one row that pass one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Number of the row.
    pub row: u64,
    /// Bytes of whole bursts.
    pub bytes: u32,
}

/// The segments of one instruction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transfer {
    runs: Box<[Run]>,
    /// For each segment, the end of its runs.
    ends: Box<[u32]>,
}

/// The row of the first piece of a gather, in rows of one bank: beyond all memories.
const CHOSEN: u64 = 1 << 40;

impl Transfer {
    /// The segments of an instruction that uses the channel; `None` for others.
    #[must_use]
    pub fn of(kind: &OpKind, dram: &Dram) -> Option<Transfer> {
        let OpKind::Gather { dst, .. } = kind else {
            return Segments::of(kind, dram).map(Segments::transfer);
        };
        // Which rows of the memory are touched depends on ids: for the channel, each piece lies in another
        // row of bank 0.
        let row = timing::chosen_row(dram, u64::from(dst.dims[3]) * dst.etype.bytes() as u64);
        let (mut runs, mut ends) = (Vec::new(), Vec::new());
        for segment in (0..dst.dims[2]).flat_map(|_| &row) {
            for bytes in segment {
                let row = (CHOSEN + runs.len() as u64) * u64::from(dram.banks);
                runs.push(Run { row, bytes: *bytes });
            }
            ends.push(runs.len() as u32);
        }
        Some(Transfer { runs: runs.into(), ends: ends.into() })
    }

    /// How many segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none: nothing but padding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The runs of a segment; none if there is no such segment.
    #[must_use]
    pub fn segment(&self, index: usize) -> &[Run] {
        let first = index.checked_sub(1).map_or(0, |i| self.ends[i] as usize);
        self.ends.get(index).and_then(|end| self.runs.get(first..*end as usize)).unwrap_or_default()
    }
}

/// Walks the segments of one instruction.
#[derive(Debug, Clone)]
struct Segments {
    burst: i64,
    grant: i64,
    row: i64,
    base: i64,
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
    #[must_use]
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
            burst: dram.burst_bytes.into(),
            grant: dram.grant_bytes.into(),
            row: dram.row_bytes.into(),
            base: d.base,
            counts,
            strides: d.strides,
            run,
            at: [0; 4],
            done: 0,
            finished: dims.contains(&0),
        }
    }

    /// The segments of an instruction that uses the channel; `None` for others.
    #[must_use]
    fn of(kind: &OpKind, dram: &Dram) -> Option<Segments> {
        match kind {
            OpKind::DmaIn { src, .. } => Some(Segments::new(src, src.dims, dram)),
            OpKind::DmaPad { dst, src, window } => {
                let inside = |axis: usize| {
                    let room = i64::from(dst.dims[axis + 1]) - i64::from(window.pads[axis]);
                    room.clamp(0, src.dims[axis + 1].into()) as u32
                };
                Some(Segments::new(src, [src.dims[0], inside(0), inside(1), src.dims[3]], dram))
            }
            OpKind::DmaOut { dst, .. } => Some(Segments::new(dst, padded_dims(dst), dram)),
            // A gather has no box in DRAM.
            OpKind::Gather { .. }
            | OpKind::Nop
            | OpKind::DmaFill { .. }
            | OpKind::DmaCopy { .. }
            | mac_op!()
            | vec_op!() => None,
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

impl Segments {
    /// Walks all segments.
    #[must_use]
    fn transfer(mut self) -> Transfer {
        let (mut runs, mut ends) = (Vec::<Run>::new(), Vec::new());
        // Burst and row sizes are powers of two, and a row holds whole bursts.
        let shift = self.row.trailing_zeros();
        while !self.finished {
            let first_run = runs.len();
            let mut room = self.grant;
            while room > 0 && !self.finished {
                let offset: i64 = self.at.iter().zip(self.strides).map(|(n, s)| i64::from(*n) * s).sum();
                let start = self.base + offset + self.done;
                let piece = room.min(self.run - self.done);
                let mut at = start & -self.burst;
                let end = (start + piece + self.burst - 1) & -self.burst;
                while at < end {
                    let row = (at >> shift) as u64;
                    let until = end.min((at | (self.row - 1)) + 1);
                    match runs[first_run..].last_mut() {
                        Some(last) if last.row == row => last.bytes += (until - at) as u32,
                        _ => runs.push(Run { row, bytes: (until - at) as u32 }),
                    }
                    at = until;
                }
                room -= piece;
                self.done += piece;
                if self.done == self.run {
                    self.next_run();
                }
            }
            ends.push(runs.len() as u32);
        }
        Transfer { runs: runs.into(), ends: ends.into() }
    }
}
