//! Bytes of a memory that several workers may hold at once.

#![expect(unsafe_code, reason = "memory that the engines of several threads work on")]

use std::sync::Arc;

use crate::kernels::view::{View, ViewMut};
use crate::pages::Block;

/// Bytes, zero at first, aligned to a cache line. [`Shared::alias`] gives them a second holder. They are
/// accessed by views only: a slice of all of them would claim bytes that another holder writes.
#[derive(Debug)]
pub(super) struct Shared {
    block: Arc<Block>,
}

impl Shared {
    /// `len` zero bytes.
    pub(super) fn zeros(len: usize) -> Shared {
        Shared { block: Arc::new(Block::zeros(len)) }
    }

    /// A second holder of the same bytes.
    ///
    /// # Safety
    /// While both are used, no byte is written through one that is read or written through the other, unless
    /// something between orders the two.
    pub(super) unsafe fn alias(&self) -> Shared {
        Shared { block: Arc::clone(&self.block) }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.block.len()
    }

    /// A view of all bytes, for reading.
    pub(super) fn view(&self) -> View<'_> {
        // SAFETY: the block has this many bytes, zeroed when it was allocated; other holders keep the promise
        // of `alias`.
        unsafe { View::new(self.block.start().as_ptr(), self.block.len()) }
    }

    /// A view of all bytes, for writing.
    pub(super) fn view_mut(&mut self) -> ViewMut<'_> {
        // SAFETY: as above; this holder lends its bytes to one borrower at a time.
        unsafe { ViewMut::new(self.block.start().as_ptr(), self.block.len()) }
    }

    /// A second view of all bytes, while another one exists.
    ///
    /// # Safety
    /// No slice made from one of the two views is used while one made from the other is.
    pub(super) unsafe fn second_view(&self) -> ViewMut<'_> {
        // SAFETY: as in `view_mut`, and by the caller's promise.
        unsafe { ViewMut::new(self.block.start().as_ptr(), self.block.len()) }
    }
}

impl Clone for Shared {
    /// A copy of the bytes, with no other holder.
    fn clone(&self) -> Shared {
        let mut copy = Shared::zeros(self.len());
        let (from, mut to) = (self.view(), copy.view_mut());
        if let (Some(from), Some(to)) = (from.get(0..from.len()), to.get_mut(0..from.len())) {
            to.copy_from_slice(from);
        }
        copy
    }
}
