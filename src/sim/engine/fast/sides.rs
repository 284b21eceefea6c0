//! What a product reads from the scratchpad and the constants, beside what it writes.

use crate::isa::{Space, TensorDesc};
use crate::kernels::view::{View, ViewMut};
use crate::sim::access::{padded_dims, span};
use crate::sim::memory::{Memory, Views};

/// The bytes that a product writes, and all others of the scratchpad.
pub(super) struct Sides<'a> {
    /// Accumulators, or the bytes of the scratchpad between the lowest and the highest that are written.
    pub(super) dst: ViewMut<'a>,
    /// Where in them the target's first byte is.
    pub(super) first: usize,
    pub(super) sources: Sources<'a>,
}

/// The scratchpad without a range that is written, and the constants.
pub(super) struct Sources<'a> {
    below: View<'a>,
    above: View<'a>,
    /// Address of the first byte above.
    end: usize,
    constants: &'a [u8],
}

impl<'a> Sides<'a> {
    /// For sums at a place in the accumulators, or bytes at one in the scratchpad, with strides that are not
    /// negative; none if that is not inside.
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
    /// What lies from an address on, up to the range that is written; none if the address is in that.
    pub(super) fn from(&self, address: i64) -> Option<View<'a>> {
        let at = usize::try_from(address).ok()?;
        match at.checked_sub(self.end) {
            Some(at) => self.above.at(at),
            None => self.below.at(at),
        }
    }

    /// So many bytes from an address on, none of them in the range that is written.
    pub(super) fn bytes(&self, address: i64, len: usize) -> Option<&'a [u8]> {
        self.from(address)?.get(0..len)
    }

    /// The same of weights, which may lie in the constants.
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
