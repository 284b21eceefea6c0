//! Constants that instructions behind a product will load: asked for a few lines at a time while the product is computed, so
//! that they are near when they are copied.

use std::ops::Range;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Addresses that are worth asking for, the next ones last.
#[derive(Debug, Default)]
pub(in crate::sim::engine::fast) struct Ahead {
    ranges: Vec<Range<usize>>,
}

impl Ahead {
    /// These bytes, and no others, will be read soon, in this order.
    pub(in crate::sim::engine::fast) fn set(&mut self, bytes: &mut dyn Iterator<Item = &[u8]>) {
        self.ranges.clear();
        self.ranges.extend(bytes.map(|bytes| {
            let start = bytes.as_ptr().addr();
            start..start + bytes.len()
        }));
        self.ranges.reverse();
    }

    /// Asks for the next few lines.
    #[inline]
    pub(super) fn ask(&mut self, lines: usize) {
        for _ in 0..lines {
            let Some(range) = self.ranges.last_mut() else { return };
            fetch(range.start);
            range.start += LINE;
            if range.start >= range.end {
                self.ranges.pop();
            }
        }
    }
}

/// Brings a cache line near, if the CPU likes to.
#[inline]
fn fetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        #![expect(unsafe_code, reason = "a hint to the cache has no safe form")]
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint touches no memory; any address may be given.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::without_provenance(address)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
