//! Bytes of a memory that several workers may hold at once.

#![expect(unsafe_code, reason = "memory that the engines of several threads work on")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// A cache line: vectors of bytes that begin here do not straddle two.
const LINE: usize = 64;

/// A page of the larger size that systems have. Kernels walk whole scratchpads, and would look up small pages all the time.
const LARGE_PAGE: usize = 2 << 20;

/// An allocation, freed when its last holder goes.
#[derive(Debug)]
struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a block is an address and a size; who may touch the bytes is what `Shared` is about.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and nothing holds it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Bytes, zero at first, that begin at a multiple of a cache line. [`Shared::alias`] gives them a second holder; without
/// it they are an ordinary boxed slice.
#[derive(Debug)]
pub(super) struct Shared {
    block: Arc<Block>,
    len: usize,
}

/// Asks the system for large pages, before anything is written. It may decline.
fn prefer_large_pages(start: NonNull<u8>, len: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the bytes are allocated; the advice changes how they are mapped, not what they hold.
    unsafe {
        libc::madvise(start.as_ptr().cast(), len, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len);
}

impl Shared {
    /// So many zeros.
    pub(super) fn zeros(len: usize) -> Shared {
        let size = len.next_multiple_of(LINE).max(LINE);
        let align = if size >= LARGE_PAGE { LARGE_PAGE } else { LINE };
        // A size near the end of the address space does not happen: loading bounds memories.
        let layout = Layout::from_size_align(size, align).unwrap_or(Layout::new::<[u8; LINE]>());
        let len = len.min(layout.size());
        // SAFETY: the layout has at least a line of bytes.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        if layout.align() == LARGE_PAGE {
            prefer_large_pages(start, layout.size());
        }
        // SAFETY: so many bytes were allocated, and nobody else has them yet.
        unsafe { start.as_ptr().write_bytes(0, layout.size()) };
        Shared { block: Arc::new(Block { start, layout }), len }
    }

    /// Another holder of the same bytes.
    ///
    /// # Safety
    /// While both are used, no byte is written through one that is read or written through the other, unless
    /// something between orders the two.
    pub(super) unsafe fn alias(&self) -> Shared {
        Shared { block: Arc::clone(&self.block), len: self.len }
    }
}

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the block holds `len` bytes that were zeroed when it was made; other holders keep `alias`'s promise.
        unsafe { std::slice::from_raw_parts(self.block.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; this holder lends its bytes to one borrower at a time.
        unsafe { std::slice::from_raw_parts_mut(self.block.start.as_ptr(), self.len) }
    }
}

impl Clone for Shared {
    /// A copy of the bytes, with no other holder.
    fn clone(&self) -> Shared {
        let mut copy = Shared::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}
