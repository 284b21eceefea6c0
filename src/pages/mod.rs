//! Byte blocks aligned to cache lines, in large pages: constants of a program, memories of a run.
//!
//! Kernels load vectors and matrix tiles from them. A vector that straddles two cache lines takes twice as
//! long to load, and walking megabytes in small pages misses the TLB.

#![expect(unsafe_code, reason = "allocation with an alignment, and advice on its pages")]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A cache line: vectors that begin at its start do not straddle two.
const LINE: usize = 64;

/// Size of a large page.
const LARGE_PAGE: usize = 2 << 20;

/// An allocation of bytes, zero or copied at first.
pub struct Block {
    start: NonNull<u8>,
    /// The allocation, and its layout.
    base: NonNull<u8>,
    layout: Layout,
    len: usize,
}

// SAFETY: a block owns its bytes, as a boxed slice does.
unsafe impl Send for Block {}
// SAFETY: as above; the bytes change through `&mut` only, or through `start`, whose users must uphold their
// own contract.
unsafe impl Sync for Block {}

impl Block {
    /// `len` zero bytes.
    #[must_use]
    pub fn zeros(len: usize) -> Block {
        if len >= LARGE_PAGE {
            return Block::untouched(len);
        }
        // SAFETY: the pointer is to `size` bytes that are not shared yet.
        Block::filled(len, |to, size| unsafe { to.as_ptr().write_bytes(0, size) })
    }

    /// `len` zero bytes that take no memory before they are written: programs may have far more than they
    /// use. Only unaligned allocations are lazily zeroed, so a page more is allocated.
    fn untouched(len: usize) -> Block {
        let size =
            len.checked_next_multiple_of(LINE).and_then(|n| n.checked_add(LARGE_PAGE)).unwrap_or(usize::MAX);
        // A size near the end of the address space does not occur: memories are bounded before.
        let layout = Layout::from_size_align(size, 1).unwrap_or(Layout::new::<[u8; 2 * LARGE_PAGE]>());
        let len = len.min(layout.size() - LARGE_PAGE);
        // SAFETY: the layout has more than a page of bytes.
        let Some(base) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        let gap = base.as_ptr().align_offset(LARGE_PAGE).min(LARGE_PAGE);
        // SAFETY: less than a page lies in front, and a page more than the block's bytes was allocated.
        let start = unsafe { base.add(gap) };
        prefer_large_pages(start, layout.size() - LARGE_PAGE);
        Block { start, base, layout, len }
    }

    /// Allocates, and calls `fill(start, size)` with all bytes, which it must write; there are at least
    /// `len`, and at least a cache line.
    fn filled(len: usize, fill: impl FnOnce(NonNull<u8>, usize)) -> Block {
        let size = len.checked_next_multiple_of(LINE).unwrap_or(len).max(LINE);
        let align = if size >= LARGE_PAGE { LARGE_PAGE } else { LINE };
        // A size near the end of the address space does not occur: files and memories are bounded before.
        let layout = Layout::from_size_align(size, align).unwrap_or(Layout::new::<[u8; LINE]>());
        let len = len.min(layout.size());
        // SAFETY: the layout has at least a line of bytes.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        if layout.align() == LARGE_PAGE {
            prefer_large_pages(start, layout.size());
        }
        fill(start, layout.size());
        Block { start, base: start, layout, len }
    }

    /// Number of bytes; reads none of them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of its first byte, for holders that share it.
    #[must_use]
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
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

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and nothing uses it any more.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the block holds `len` bytes that were zeroed when it was made.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the block is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl From<&[u8]> for Block {
    fn from(bytes: &[u8]) -> Block {
        // SAFETY: the pointer is to `size` bytes that are not shared yet.
        Block::filled(bytes.len(), |to, size| unsafe {
            let n = bytes.len().min(size);
            to.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), n);
            to.as_ptr().add(n).write_bytes(0, size - n);
        })
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_at_a_line_and_holds_what_it_was_made_of() {
        for len in [0, 1, 63, 64, 65, 1000, LARGE_PAGE - 1, LARGE_PAGE + 1] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let block = Block::from(&*bytes);
            assert_eq!(&*block, &*bytes, "{len} bytes");
            assert_eq!(block.as_ptr().addr() % LINE, 0, "{len} bytes");
            assert!(Block::zeros(len).iter().all(|b| *b == 0), "{len} bytes");
        }
    }
}
