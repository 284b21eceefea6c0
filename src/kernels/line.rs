//! Rows of an image.

use super::extent::fits;

/// The rows of an image line: where they begin, and how far the next one is.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// The first byte of the first one.
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
