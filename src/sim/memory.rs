//! The three memories as bytes.
//!
//! DRAM is two parts: the constants, shared and read-only, and what lies behind them. A read across the border cannot
//! happen: the part between the constants' end and the first writable byte is never defined.

#![expect(unsafe_code, reason = "memories that several workers hold")]

use super::shared::Shared;
use super::validate::Memories;
use crate::isa::Space;
use crate::program::{Constants, TensorEntry};

/// DRAM, scratchpad and accumulators of one run.
#[derive(Debug, Clone)]
pub struct Memory {
    constants: Constants,
    writable: u64,
    dram: Shared,
    spm: Shared,
    acc: Shared,
}

impl Memory {
    /// Memories of the given sizes. Contents are not defined; that nothing reads them is checked at load.
    #[must_use]
    pub fn new(constants: Constants, sizes: &Memories) -> Memory {
        let len = |n: u64| usize::try_from(n).unwrap_or(0);
        Memory {
            constants,
            writable: sizes.writable,
            dram: Shared::zeros(len(sizes.dram.saturating_sub(sizes.writable))),
            spm: Shared::zeros(len(sizes.spm)),
            acc: Shared::zeros(len(sizes.acc)),
        }
    }

    /// Another holder of the same bytes, for a worker.
    ///
    /// # Safety
    /// While both are used, no byte is written through one that is read or written through the other, unless
    /// something between orders the two.
    pub(super) unsafe fn alias(&self) -> Memory {
        // SAFETY: the caller promises what each of the three asks for.
        let [dram, spm, acc] = [&self.dram, &self.spm, &self.acc].map(|m| unsafe { m.alias() });
        Memory { constants: self.constants.clone(), writable: self.writable, dram, spm, acc }
    }

    /// Exchanges the accumulators with others of the same size.
    pub(super) fn exchange_accumulators(&mut self, other: &mut Shared) {
        std::mem::swap(&mut self.acc, other);
    }

    /// Bytes of a memory; of DRAM those that can be written.
    #[must_use]
    pub fn size(&self, space: Space) -> u64 {
        match space {
            Space::Dram => self.dram.len() as u64,
            Space::Spm => self.spm.len() as u64,
            Space::Acc => self.acc.len() as u64,
        }
    }

    /// First byte of DRAM that can be written.
    #[must_use]
    pub fn writable(&self) -> u64 {
        self.writable
    }

    /// Bytes of a memory from `start` on; empty if the range is not inside it.
    #[must_use]
    pub fn read(&self, space: Space, start: i64, len: usize) -> &[u8] {
        let (bytes, at) = match space {
            Space::Dram if (start as u64) < self.writable => (&*self.constants, start),
            Space::Dram => (&*self.dram, start - self.writable as i64),
            Space::Spm => (&*self.spm, start),
            Space::Acc => (&*self.acc, start),
        };
        usize::try_from(at).ok().and_then(|at| bytes.get(at..at.checked_add(len)?)).unwrap_or_default()
    }

    /// The same for writing; empty for constants.
    pub fn write(&mut self, space: Space, start: i64, len: usize) -> &mut [u8] {
        let (bytes, at) = match space {
            Space::Dram => (&mut *self.dram, start - self.writable as i64),
            Space::Spm => (&mut *self.spm, start),
            Space::Acc => (&mut *self.acc, start),
        };
        usize::try_from(at).ok().and_then(|at| bytes.get_mut(at..at.checked_add(len)?)).unwrap_or_default()
    }

    /// The scratchpad and the accumulators, whole.
    pub fn spm_and_acc(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.spm, &mut self.acc)
    }

    /// The same, and the constants.
    pub fn all(&mut self) -> (&mut [u8], &mut [u8], &[u8]) {
        (&mut self.spm, &mut self.acc, &self.constants)
    }

    /// Copies `n` runs of `len` bytes between memories, or inside one; source and target of a run do not overlap, or
    /// are the same. `from` and `to` are space, address and step from run to run. Constants cannot be written.
    pub fn copy_runs(&mut self, from: (Space, i64, i64), to: (Space, i64, i64), n: i64, len: i64) {
        let from_constants = from.0 == Space::Dram && (from.1 as u64) < self.writable;
        let origin = |space, constants: bool| {
            if space == Space::Dram && !constants { self.writable as i64 } else { 0 }
        };
        let (mut read, mut write) = (from.1 - origin(from.0, from_constants), to.1 - origin(to.0, false));
        let len = len as usize;
        let (source, target): (&[u8], &mut [u8]) = match (from.0, to.0) {
            (Space::Dram, Space::Spm) if from_constants => (&self.constants, &mut self.spm),
            (Space::Dram, Space::Spm) => (&self.dram, &mut self.spm),
            (Space::Spm, Space::Dram) => (&self.spm, &mut self.dram),
            (Space::Acc, Space::Spm) => (&self.acc, &mut self.spm),
            (Space::Spm, Space::Spm) => {
                let bytes: &mut [u8] = &mut self.spm;
                let last = |at: i64, step: i64| at + step * (n - 1) + len as i64;
                let (end, end_to) = (last(read, from.2), last(write, to.2));
                if len == 1 && from.2 > 0 && to.2 > 0 && read.min(write) >= 0 && n > 0 {
                    // A change of layout: the two sides lie apart, so no element need be looked up.
                    let halves = if end <= write {
                        bytes
                            .split_at_mut_checked(write as usize)
                            .map(|(low, high)| (&low[read as usize..], high))
                    } else if end_to <= read {
                        bytes
                            .split_at_mut_checked(read as usize)
                            .map(|(low, high)| (&*high, &mut low[write as usize..]))
                    } else {
                        None
                    };
                    if let Some((from_bytes, to_bytes)) = halves {
                        let targets = to_bytes.iter_mut().step_by(to.2 as usize).take(n as usize);
                        if from.2 == 1 {
                            targets.zip(from_bytes).for_each(|(t, s)| *t = *s);
                        } else {
                            targets
                                .zip(from_bytes.iter().step_by(from.2 as usize))
                                .for_each(|(t, s)| *t = *s);
                        }
                        return;
                    }
                }
                for _ in 0..n {
                    let at = read as usize;
                    if at + len <= self.spm.len() && write as usize + len <= self.spm.len() {
                        self.spm.copy_within(at..at + len, write as usize);
                    }
                    read += from.2;
                    write += to.2;
                }
                return;
            }
            _ => return,
        };
        let [from, to] = [(read, from.2), (write, to.2)];
        // Single elements are moved by one instruction, not by a call, if their length is known here.
        match len {
            1 => copy_each(source, target, from, to, n, 1),
            2 => copy_each(source, target, from, to, n, 2),
            4 => copy_each(source, target, from, to, n, 4),
            _ => copy_each(source, target, from, to, n, len),
        }
    }

    /// The elements of a tensor in row-major order of its ONNX shape.
    #[must_use]
    pub fn gather(&self, tensor: &TensorEntry) -> Vec<u8> {
        let size = tensor.dtype.bytes();
        let mut out = Vec::new();
        let space = tensor.place.memory.space();
        walk(tensor, &mut |address, run| out.extend_from_slice(self.read(space, address, run * size)));
        out
    }

    /// Writes elements, row-major, to the place of a tensor; `bytes` has the tensor's size.
    pub fn scatter(&mut self, tensor: &TensorEntry, bytes: &[u8]) {
        let size = tensor.dtype.bytes();
        let mut rest = bytes;
        walk(tensor, &mut |address, run| {
            let (now, later) = rest.split_at((run * size).min(rest.len()));
            let to = self.write(tensor.place.memory.space(), address, now.len());
            if to.len() == now.len() {
                to.copy_from_slice(now);
            }
            rest = later;
        });
    }
}

/// Calls `f(address, elements)` for runs of consecutive elements, in row-major order of the place's extents.
pub fn walk(tensor: &TensorEntry, f: &mut impl FnMut(i64, usize)) {
    let axes: Vec<(u64, i64)> =
        tensor.place.dims.iter().copied().zip(tensor.place.strides.iter().copied()).collect();
    runs(tensor, &axes, f);
}

/// The same in the order of addresses: a channels-last image comes in rows, not in single elements.
pub fn cover(tensor: &TensorEntry, f: &mut impl FnMut(i64, usize)) {
    let mut axes: Vec<(u64, i64)> =
        tensor.place.dims.iter().copied().zip(tensor.place.strides.iter().copied()).collect();
    axes.retain(|(extent, _)| *extent != 1);
    axes.sort_by_key(|(_, stride)| std::cmp::Reverse(stride.unsigned_abs()));
    runs(tensor, &axes, f);
}

fn runs(tensor: &TensorEntry, axes: &[(u64, i64)], f: &mut impl FnMut(i64, usize)) {
    let size = tensor.dtype.bytes() as i64;
    let mut outer = axes.len();
    let mut run = 1_i64;
    while outer > 0 && (axes[outer - 1].0 == 1 || axes[outer - 1].1 == run * size) {
        outer -= 1;
        run *= axes[outer].0 as i64;
    }
    let mut index = vec![0_u64; outer];
    loop {
        let offset: i64 = index.iter().zip(axes).map(|(i, (_, stride))| *i as i64 * stride).sum();
        f(tensor.place.address as i64 + offset, run as usize);
        let Some(axis) = (0..outer).rev().find(|a| index[*a] + 1 < axes[*a].0) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

/// Copies `n` runs of `len` bytes, as far as they lie inside; places are the first byte and the step from run to run.
#[inline(always)]
fn copy_each(source: &[u8], target: &mut [u8], mut from: (i64, i64), mut to: (i64, i64), n: i64, len: usize) {
    for _ in 0..n {
        let (s, t) = (from.0 as usize, to.0 as usize);
        if let (Some(s), Some(t)) = (source.get(s..s + len), target.get_mut(t..t + len)) {
            t.copy_from_slice(s);
        }
        from.0 += from.1;
        to.0 += to.1;
    }
}
