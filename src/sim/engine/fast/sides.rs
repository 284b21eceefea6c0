//! The memory of a product, split into what it writes and what it reads.

use crate::isa::{Space, TensorDesc};
use crate::kernels::view::{View, ViewMut};
use crate::sim::access::{padded_dims, span};
use crate::sim::memory::{Memory, Views};

/// The bytes that a product writes, and all others of the scratchpad.
pub(super) struct Sides<'a> {
    /// Accumulators, or the bytes of the scratchpad from the lowest to the highest that are written.
    pub(super) dst: ViewMut<'a>,
    /// Offset of the destination's first byte in `dst`.
    pub(super) first: usize,
    pub(super) sources: Sources<'a>,
}

/// The scratchpad without a range that is written, and the constants.
pub(super) struct Sources<'a> {
    below: View<'a>,
    above: View<'a>,
    /// Address of the first byte behind the written range.
    end: usize,
    constants: &'a [u8],
}

impl<'a> Sides<'a> {
    /// For sums in the accumulators, or bytes in the scratchpad, with strides that are not negative; `None`
    /// if the destination is not inside the memory.
    pub(super) fn of(m: &'a mut Memory, sums: &TensorDesc, bytes: Option<&TensorDesc>) -> Option<Sides<'a>> {
        let Views { spm, acc, constants } = m.views();
        let Some(bytes) = bytes else {
            let sources = Sources { below: spm.into(), above: View::default(), end: usize::MAX, constants };
            return Some(Sides { dst: acc, first: usize::try_from(sums.base).ok()?, sources });
        };
        let (from, to) = span(bytes, padded_dims(bytes));
        let (from, end) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
        let (rest, above) = spm.split_at(end)?;
        let (below, dst) = rest.split_at(from)?;
        Some(Sides {
            dst,
            first: 0,
            sources: Sources { below: below.into(), above: above.into(), end, constants },
        })
    }
}

impl<'a> Sources<'a> {
    /// The scratchpad from an address up to the written range; `None` if the address is inside that range.
    pub(super) fn from(&self, address: i64) -> Option<View<'a>> {
        let at = usize::try_from(address).ok()?;
        match at.checked_sub(self.end) {
            Some(at) => self.above.at(at),
            None => self.below.at(at),
        }
    }

    /// `len` bytes from an address on; `None` if one of them is in the written range.
    pub(super) fn bytes(&self, address: i64, len: usize) -> Option<&'a [u8]> {
        self.from(address)?.get(0..len)
    }

    /// As [`bytes`](Self::bytes), for weights, which may lie in the constants.
    pub(super) fn weights(&self, d: &TensorDesc, len: usize) -> Option<&'a [u8]> {
        match d.space {
            Space::Dram => {
                let at = usize::try_from(d.base).ok()?;
                self.constants.get(at..at.checked_add(len)?)
            }
            Space::Spm | Space::Acc => self.bytes(d.base, len),
        }
    }
}
