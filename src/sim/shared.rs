//! Bytes of a memory that several workers may hold at once.

#![expect(unsafe_code, reason = "memory that the engines of several threads work on")]

use std::sync::Arc;

use crate::kernels::view::{View, ViewMut};
use crate::pages::Block;

/// Bytes, zero at first, that begin at a multiple of a cache line. [`Shared::alias`] gives them a second
/// holder. They are reached by views only: a slice of all would claim what another holder is writing.
#[derive(Debug)]
pub(super) struct Shared {
    block: Arc<Block>,
}

impl Shared {
    /// So many zeros.
    pub(super) fn zeros(len: usize) -> Shared {
        Shared { block: Arc::new(Block::zeros(len)) }
    }

    /// Another holder of the same bytes.
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

    /// All bytes, to be read.
    pub(super) fn view(&self) -> View<'_> {
        // SAFETY: the block has so many bytes that were zeroed when it was made; other holders keep `alias`'s
        // promise.
        unsafe { View::new(self.block.start().as_ptr(), self.block.len()) }
    }

    /// All bytes, to be written.
    pub(super) fn view_mut(&mut self) -> ViewMut<'_> {
        // SAFETY: as above; this holder lends its bytes to one borrower at a time.
        unsafe { ViewMut::new(self.block.start().as_ptr(), self.block.len()) }
    }

    /// The same beside a view that is there already.
    ///
    /// # Safety
    /// No slice that is made of one of the two is used while one made of the other is.
    pub(super) unsafe fn second_view(&self) -> ViewMut<'_> {
        // SAFETY: as of `view_mut`, and as the caller says.
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
