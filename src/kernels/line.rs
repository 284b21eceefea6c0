//! Pixels of an image row.

use super::extent::fits;

/// The pixels of an image row: where the first one begins, and the step to the next.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Offset of the first one.
    pub first: usize,
    /// Bytes from one to the next.
    pub stride: usize,
}

impl Line {
    /// Whether `rows` rows of `bytes` bytes lie inside `len` bytes.
    #[must_use]
    pub fn fits(&self, rows: usize, bytes: usize, len: usize) -> bool {
        fits(self.first, &[(rows, self.stride)], bytes, len)
    }
}
