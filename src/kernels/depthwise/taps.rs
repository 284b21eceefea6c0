//! A depthwise tile of bytes with any window, in the form that its kernels share.

use crate::kernels::view::{View, ViewMut};

/// A depthwise tile: `dst[p][c] = init[c] + Σ tap a[p·step + tap][c] · w[tap][c]`.
#[derive(Debug)]
pub struct Taps<'a> {
    /// Unsigned activations.
    pub src: View<'a>,
    /// Where those of pixel (0, 0) begin.
    pub first: usize,
    /// Bytes from an output row and an output pixel to the next, in `src`.
    pub step: [usize; 2],
    /// Output rows and columns.
    pub extent: [usize; 2],
    /// Where each tap lies from the pixel's first byte.
    pub taps: &'a [usize],
    /// From [`pack`](super::pack).
    pub weights: &'a [u8],
    /// Channels of all.
    pub channels: usize,
    /// Start values, up to a multiple of 64 channels.
    pub init: &'a [i32],
    /// Accumulators.
    pub dst: ViewMut<'a>,
    /// Where those of pixel (0, 0) begin.
    pub target: usize,
    /// Bytes from an output row and an output pixel to the next, in `dst`.
    pub stride: [usize; 2],
}
