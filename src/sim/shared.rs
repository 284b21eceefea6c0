//! Bytes of a memory that several workers may hold at once.

#![expect(unsafe_code, reason = "memory that the engines of several threads work on")]

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::pages::Block;

/// Bytes, zero at first, that begin at a multiple of a cache line. [`Shared::alias`] gives them a second holder; without
/// it they are an ordinary boxed slice.
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
}

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the block holds so many bytes that were zeroed when it was made; other holders keep `alias`'s promise.
        unsafe { std::slice::from_raw_parts(self.block.start().as_ptr(), self.block.len()) }
    }
}

impl DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; this holder lends its bytes to one borrower at a time.
        unsafe { std::slice::from_raw_parts_mut(self.block.start().as_ptr(), self.block.len()) }
    }
}

impl Clone for Shared {
    /// A copy of the bytes, with no other holder.
    fn clone(&self) -> Shared {
        let mut copy = Shared::zeros(self.block.len());
        copy.copy_from_slice(self);
        copy
    }
}
