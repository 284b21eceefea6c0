//! What a product reads from the scratchpad and the constants, beside what it writes.

use crate::isa::{Space, TensorDesc};
use crate::sim::access::{padded_dims, span};
use crate::sim::memory::Memory;

/// The bytes that a product writes, and all others of the scratchpad.
pub(super) struct Sides<'a> {
    /// Accumulators, or the bytes of the scratchpad between the lowest and the highest that are written.
    pub(super) dst: &'a mut [u8],
    /// Where in them the target's first byte is.
    pub(super) first: usize,
    pub(super) sources: Sources<'a>,
}

/// The scratchpad without a range that is written, and the constants.
pub(super) struct Sources<'a> {
    below: &'a [u8],
    above: &'a [u8],
    /// Address of the first byte above.
    end: usize,
    constants: &'a [u8],
}

impl<'a> Sides<'a> {
    /// For sums at a place in the accumulators, or bytes at one in the scratchpad, with strides that are not negative; none if
    /// that is not inside.
    pub(super) fn of(m: &'a mut Memory, sums: &TensorDesc, bytes: Option<&TensorDesc>) -> Option<Sides<'a>> {
        let (spm, acc, constants) = m.all();
        let Some(bytes) = bytes else {
            let sources = Sources { below: spm, above: &[], end: usize::MAX, constants };
            return Some(Sides { dst: acc, first: usize::try_from(sums.base).ok()?, sources });
        };
        let (from, to) = span(bytes, padded_dims(bytes));
        let (from, end) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
        let (rest, above) = spm.split_at_mut_checked(end)?;
        let (below, dst) = rest.split_at_mut_checked(from)?;
        Some(Sides { dst, first: 0, sources: Sources { below, above, end, constants } })
    }
}

impl<'a> Sources<'a> {
    /// What lies from an address on, up to the range that is written; none if the address is in that.
    pub(super) fn from(&self, address: i64) -> Option<&'a [u8]> {
        let at = usize::try_from(address).ok()?;
        match at.checked_sub(self.end) {
            Some(at) => self.above.get(at..),
            None => self.below.get(at..),
        }
    }

    /// The same for weights, which may lie in the constants.
    pub(super) fn weights(&self, d: &TensorDesc) -> Option<&'a [u8]> {
        match d.space {
            Space::Dram => self.constants.get(usize::try_from(d.base).ok()?..),
            _ => self.from(d.base),
        }
    }
}
