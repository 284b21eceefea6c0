//! A depthwise tile of bytes with kernels of 3 × 3 and 5 × 5, in the form that its kernels share.

use crate::kernels::epilogue::Epilogue;
use crate::kernels::extent::{few, fits};
use crate::kernels::view::{View, ViewMut};

/// A depthwise tile: `dst[y][x][c] = init[c] + Σ(i, j) a[y·s + i][x·s + j][c] · w[i][j][c]`.
#[derive(Debug)]
pub struct Columns<'a> {
    /// Activations.
    pub src: View<'a>,
    /// Offset of the image's first pixel.
    pub first: usize,
    /// Bytes from a row and from a pixel of the image to the next.
    pub pitch: [usize; 2],
    /// Rows and columns of the image.
    pub image: [usize; 2],
    /// Row and column of the image under the upper left corner of the first window; negative in the padding.
    pub corner: [i64; 2],
    /// XORed into activations to make them unsigned.
    pub flip: u8,
    /// The zero point of the unsigned activations.
    pub zero: u8,
    /// Output rows and columns.
    pub extent: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step of the kernel, vertical and horizontal.
    pub stride: [usize; 2],
    /// From [`pack`](super::pack).
    pub weights: &'a [u8],
    /// Number of channels.
    pub channels: usize,
    /// Start values, up to a multiple of 64 channels.
    pub init: &'a [i32],
    /// What is stored.
    pub epilogue: Epilogue<'a>,
    /// Destination.
    pub dst: ViewMut<'a>,
    /// Offset of pixel (0, 0) in `dst`.
    pub target: usize,
    /// Bytes from an output row and an output pixel to the next, in `dst`.
    pub step: [usize; 2],
}

/// A row of the image: address of its first pixel, and the step to the next; the step of a padding row is 0.
pub(super) type Row = (*const u8, usize);

impl Columns<'_> {
    /// Whether image and destination lie inside, and the operands of each channel are complete.
    pub(super) fn fits(&self) -> bool {
        let image = [(self.image[0], self.pitch[0]), (self.image[1], self.pitch[1])];
        let results = [(self.extent[0], self.step[0]), (self.extent[1], self.step[1])];
        let bytes = self.channels.saturating_mul(self.epilogue.bytes());
        self.channels > 0
            && few(self.extent, self.dst.len())
            && few(self.image, self.src.len())
            && matches!(self.kernel, 3 | 5)
            && matches!(self.stride[1], 1 | 2)
            && fits(self.first, &image, self.channels, self.src.len())
            && fits(self.target, &results, bytes, self.dst.len())
            && self.epilogue.serves(self.channels)
            && self.init.len() >= self.channels.next_multiple_of(64)
    }

    /// Offset of the `i`th image row of the windows of an output row; `None` if it is padding.
    pub(super) fn row(&self, y: usize, i: usize) -> Option<usize> {
        let at = self.corner[0].wrapping_add(y.wrapping_mul(self.stride[0]).wrapping_add(i) as i64);
        (0..self.image[0] as i64).contains(&at).then(|| self.first + at as usize * self.pitch[0])
    }
}
