//! The three memories as bytes.
//!
//! DRAM is in two parts: the constants, shared and read-only, and the writable rest. No read spans both: the
//! bytes between the end of the constants and the first writable byte are never defined.

#![expect(unsafe_code, reason = "memories that several workers hold")]

use super::place::planes;
use super::shared::Shared;
use super::validate::Memories;
use crate::isa::Space;
use crate::kernels::copy::copy_runs;
use crate::kernels::view::{View, ViewMut};
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

/// The memories that kernels work on.
#[derive(Debug)]
pub struct Views<'a> {
    /// The scratchpad.
    pub spm: ViewMut<'a>,
    /// The accumulators.
    pub acc: ViewMut<'a>,
    /// The constants.
    pub constants: &'a [u8],
}

impl Memory {
    /// Memories of the given sizes. Contents are unspecified; the checks at load ensure that nothing reads
    /// them before it is written.
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

    /// A second holder of the same bytes, for a worker.
    ///
    /// # Safety
    /// While both are used, no byte is written through one that is read or written through the other, unless
    /// something between orders the two.
    pub(super) unsafe fn alias(&self) -> Memory {
        // SAFETY: the caller's promise is that of each of the three calls.
        let [dram, spm, acc] = [&self.dram, &self.spm, &self.acc].map(|m| unsafe { m.alias() });
        Memory { constants: self.constants.clone(), writable: self.writable, dram, spm, acc }
    }

    /// Exchanges the accumulators with `other`, which has the same size.
    pub(super) fn exchange_accumulators(&mut self, other: &mut Shared) {
        std::mem::swap(&mut self.acc, other);
    }

    /// Size of a memory in bytes; for DRAM that of the writable part.
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

    /// `len` bytes of a memory from `start` on; empty if the range is not inside it.
    #[must_use]
    pub fn read(&self, space: Space, start: i64, len: usize) -> &[u8] {
        let (bytes, at) = self.source(space, start);
        usize::try_from(at).ok().and_then(|at| bytes.get(at..at.checked_add(len)?)).unwrap_or_default()
    }

    /// As [`read`](Self::read), for writing; empty for constants.
    pub fn write(&mut self, space: Space, start: i64, len: usize) -> &mut [u8] {
        let writable = self.writable as i64;
        let (bytes, at) = match space {
            Space::Dram => (&mut self.dram, start - writable),
            Space::Spm => (&mut self.spm, start),
            Space::Acc => (&mut self.acc, start),
        };
        let range = usize::try_from(at).ok().and_then(|at| Some(at..at.checked_add(len)?));
        range.and_then(|range| bytes.view_mut().slice(range)).unwrap_or_default()
    }

    /// The part of a memory that an address lies in, and the offset in it.
    fn source(&self, space: Space, address: i64) -> (View<'_>, i64) {
        match space {
            Space::Dram if (address as u64) < self.writable => (View::from(&*self.constants), address),
            Space::Dram => (self.dram.view(), address - self.writable as i64),
            Space::Spm => (self.spm.view(), address),
            Space::Acc => (self.acc.view(), address),
        }
    }

    /// The memories that kernels work on, whole.
    pub fn views(&mut self) -> Views<'_> {
        Views { spm: self.spm.view_mut(), acc: self.acc.view_mut(), constants: &self.constants }
    }

    /// Copies `n` runs of `len` bytes between memories or inside one; source and destination of a run are
    /// disjoint or the same. `from` and `to` are space, address and step from run to run (bytes). Constants
    /// cannot be written.
    pub fn copy_runs(&mut self, from: (Space, i64, i64), to: (Space, i64, i64), n: i64, len: i64) {
        let (Ok(n), Ok(len)) = (usize::try_from(n), usize::try_from(len)) else { return };
        let writable = self.writable as i64;
        let (source, read) = self.source(from.0, from.1);
        let (mut target, write) = match to.0 {
            // SAFETY: this holder is borrowed mutably, so there are no other views of its memories. Where
            // source and destination are one memory, the kernel makes no slices of either.
            Space::Dram => (unsafe { self.dram.second_view() }, to.1 - writable),
            // SAFETY: as above.
            Space::Spm => (unsafe { self.spm.second_view() }, to.1),
            // SAFETY: as above.
            Space::Acc => (unsafe { self.acc.second_view() }, to.1),
        };
        copy_runs(source, target.lend(), [(read, from.2), (write, to.2)], n, len);
    }

    /// The elements of a tensor in row-major order of its ONNX shape.
    #[must_use]
    pub fn gather(&self, tensor: &TensorEntry) -> Vec<u8> {
        let mut out = Vec::new();
        let space = tensor.place.memory.space();
        planes(tensor, &mut |address, plane| {
            let from = self.read(space, address, plane.span());
            if !from.is_empty() {
                let at = out.len();
                out.resize(at + plane.len(), 0);
                plane.gather(from, &mut out[at..]);
            }
        });
        out
    }

    /// Writes elements, row-major, to the place of a tensor; `bytes` has the tensor's size.
    pub fn scatter(&mut self, tensor: &TensorEntry, bytes: &[u8]) {
        let mut rest = bytes;
        planes(tensor, &mut |address, plane| {
            let Some((now, later)) = rest.split_at_checked(plane.len()) else { return };
            let to = self.write(tensor.place.memory.space(), address, plane.span());
            if !to.is_empty() {
                plane.scatter(now, to);
            }
            rest = later;
        });
    }
}
