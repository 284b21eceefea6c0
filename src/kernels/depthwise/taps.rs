//! A depthwise tile of bytes with any window, in the form that its kernels share.

use crate::kernels::view::{View, ViewMut};

/// A depthwise tile: `dst[p][c] = init[c] + Σ tap a[p·step + tap][c] · w[tap][c]`.
#[derive(Debug)]
pub struct Taps<'a> {
    /// Unsigned activations.
    pub src: View<'a>,
    /// Offset of the activations of pixel (0, 0).
    pub first: usize,
    /// Bytes from an output row and an output pixel to the next, in `src`.
    pub step: [usize; 2],
    /// Output rows and columns.
    pub extent: [usize; 2],
    /// Offset of each tap from the pixel's first byte.
    pub taps: &'a [usize],
    /// From [`pack`](super::pack).
    pub weights: &'a [u8],
    /// Number of channels.
    pub channels: usize,
    /// Start values, up to a multiple of 64 channels.
    pub init: &'a [i32],
    /// Destination: accumulators.
    pub dst: ViewMut<'a>,
    /// Offset of pixel (0, 0) in `dst`.
    pub target: usize,
    /// Bytes from an output row and an output pixel to the next, in `dst`.
    pub stride: [usize; 2],
}
