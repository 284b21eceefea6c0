//! The part of an image that the taps of a tile read.

use super::rows::read;
use super::sides::Sources;
use crate::isa::{EType, TensorDesc, WindowDesc};
use crate::kernels::aligned::Aligned;
use crate::sim::access::padded_dims;
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Largest image that is copied, in bytes.
const MOST_COPIED: usize = 1 << 28;

/// Rows and columns that the taps of a tile read, padding included.
pub(super) struct Image {
    pub(super) first: [i64; 2],
    pub(super) extent: [i64; 2],
}

impl Image {
    pub(super) fn of(c: &ConvOp) -> Image {
        let WindowDesc { kernel, stride, dilation, pads } = c.window;
        let axis = |a: usize| {
            let first = c.origin[a] * i64::from(stride[a]) - i64::from(pads[a]);
            let reach = i64::from(c.dst.dims[a + 1] - 1) * i64::from(stride[a])
                + i64::from(kernel[a] - 1) * i64::from(dilation[a]);
            (first, reach + 1)
        };
        let (y, x) = (axis(0), axis(1));
        Image { first: [y.0, x.0], extent: [y.1, x.1] }
    }

    /// The part of it that is not padding.
    pub(super) fn inside_of(c: &ConvOp) -> Image {
        let mut image = Image::of(c);
        for axis in 0..2 {
            let end = (image.first[axis] + image.extent[axis]).min(c.src.dims[axis + 1].into());
            image.first[axis] = image.first[axis].max(0);
            image.extent[axis] = (end - image.first[axis]).max(0);
        }
        image
    }

    /// Offset of what is read at a tap of an output pixel in [differences](Image::differences) of `depth`
    /// elements a pixel; for taps in the padding, the offset of the pixel of zeros at the end.
    pub(super) fn offset(&self, c: &ConvOp, out: [i64; 2], tap: [i64; 2], depth: usize) -> usize {
        let mut at = [0; 2];
        for axis in 0..2 {
            let w = &c.window;
            let input = (c.origin[axis] + out[axis]) * i64::from(w.stride[axis]) - i64::from(w.pads[axis])
                + tap[axis] * i64::from(w.dilation[axis]);
            at[axis] = input - self.first[axis];
            if at[axis] < 0 || at[axis] >= self.extent[axis] {
                return self.zeros(depth);
            }
        }
        (at[0] * self.extent[1] + at[1]) as usize * depth
    }

    /// Offset of the pixel of zeros.
    pub(super) fn zeros(&self, depth: usize) -> usize {
        (self.extent[0] * self.extent[1]) as usize * depth
    }

    /// Whether no part of it is padding.
    pub(super) fn inside(&self, c: &ConvOp) -> bool {
        (0..2).all(|a| self.first[a] >= 0 && self.first[a] + self.extent[a] <= i64::from(c.src.dims[a + 1]))
    }

    /// Address of its first pixel, which must not be padding.
    pub(super) fn start(&self, c: &ConvOp) -> i64 {
        c.src.base + self.first[0] * c.src.strides[1] + self.first[1] * c.src.strides[2]
    }

    /// The columns of it that are not padding.
    pub(super) fn columns(&self, c: &ConvOp) -> [usize; 2] {
        let begin = (-self.first[1]).clamp(0, self.extent[1]);
        [begin, (i64::from(c.src.dims[2]) - self.first[1]).clamp(begin, self.extent[1])].map(|n| n as usize)
    }

    /// Address of the first pixel of row `y` that is not padding; `None` if all are.
    pub(super) fn line(&self, c: &ConvOp, y: usize) -> Option<i64> {
        let d = &c.src;
        let iy = self.first[0] + y as i64;
        let [begin, end] = self.columns(c);
        ((0..i64::from(d.dims[1])).contains(&iy) && begin < end)
            .then(|| d.base + iy * d.strides[1] + (self.first[1] + begin as i64) * d.strides[2])
    }

    /// Offset of each tap of a window from the first element of its first pixel, in an image with the given
    /// row and pixel pitches. With `merged`, the taps of a row count as one.
    pub(super) fn taps(c: &ConvOp, [row, pixel]: [usize; 2], merged: bool, to: &mut Vec<usize>) {
        let w = &c.window;
        to.clear();
        for y in 0..usize::from(w.kernel[0]) {
            for x in 0..if merged { 1 } else { usize::from(w.kernel[1]) } {
                to.push(y * usize::from(w.dilation[0]) * row + x * usize::from(w.dilation[1]) * pixel);
            }
        }
    }

    /// The elements of an image without padding, minus their zero point, in pixels of `depth` elements filled
    /// up with zeros, followed by one pixel of zeros.
    pub(super) fn differences<T: Copy + Default>(
        &self,
        m: &Memory,
        c: &ConvOp,
        depth: usize,
        row: &mut Vec<i32>,
        to: &mut Vec<T>,
        narrow: impl Fn(i32) -> T,
    ) {
        let (d, n) = (&c.src, c.src.dims[3] as usize);
        let columns = self.extent[1] as usize;
        let size = d.etype.bytes() as i64;
        // Contiguous pixels are read at once.
        let together = if (d.strides[3], d.strides[2]) == (size, n as i64 * size) { columns } else { 1 };
        to.clear();
        to.resize(self.zeros(depth) + depth, T::default());
        for y in 0..self.extent[0] as usize {
            let Some(start) = self.line(c, y) else { continue };
            let line = &mut to[y * columns * depth..][..columns * depth];
            for x in (0..columns).step_by(together) {
                let at = start + x as i64 * d.strides[2];
                let pixels = line[x * depth..].chunks_exact_mut(depth);
                // Bytes need no row of wider integers.
                if (d.etype, d.strides[3]) == (EType::U8, 1) {
                    for (to, from) in pixels.zip(m.read(d.space, at, together * n).chunks_exact(n)) {
                        to.iter_mut()
                            .zip(from)
                            .for_each(|(to, v)| *to = narrow(i32::from(*v) - d.zero_point));
                    }
                    continue;
                }
                read(m, d, at, together * n, row);
                for (to, from) in pixels.zip(row.chunks_exact(n)) {
                    to.iter_mut().zip(from).for_each(|(to, v)| *to = narrow(v - d.zero_point));
                }
            }
        }
    }

    /// Copies it in pixels of at least `depth` bytes, with zero points for padding and missing channels;
    /// `flip` is XORed into every byte of the image. Returns the pixel pitch in bytes.
    pub(super) fn copy(
        &self,
        c: &ConvOp,
        sources: &Sources<'_>,
        depth: usize,
        (flip, zero): (u8, u8),
        to: &mut Aligned<u8>,
    ) -> Option<usize> {
        let d = &c.src;
        let (n, pitch) = (d.dims[3] as usize, usize::try_from(d.strides[2]).ok()?);
        let at_once = follow(d, depth);
        let pixel = if at_once { pitch } else { depth };
        let [rows, columns] = self.extent.map(|n| n as usize);
        // Kernels may read sixteen pixels behind the last one, and ignore them.
        let spare = 16 * usize::from(c.window.stride[1]) * pixel + 64;
        to.room(copied(rows, columns, pixel)? + spare);
        let [begin, end] = self.columns(c);
        for (y, line) in to.chunks_exact_mut(columns * pixel).take(rows).enumerate() {
            let Some(start) = self.line(c, y) else {
                line.fill(zero);
                continue;
            };
            let (left, rest) = line.split_at_mut(begin * pixel);
            let (middle, right) = rest.split_at_mut((end - begin) * pixel);
            left.fill(zero);
            right.fill(zero);
            let from = sources.from(start)?;
            if at_once {
                let len = middle.len() - (pixel - n);
                let (from, middle) = (from.get(0..len)?, &mut middle[..len]);
                if flip == 0 {
                    middle.copy_from_slice(from);
                } else {
                    middle.iter_mut().zip(from).for_each(|(t, f)| *t = f ^ flip);
                }
            } else {
                for (x, to) in middle.chunks_exact_mut(pixel).enumerate() {
                    let from = from.get(x * pitch..x * pitch + n)?;
                    to[..n].iter_mut().zip(from).for_each(|(t, f)| *t = f ^ flip);
                    // Most pixels are complete, and there are many of them.
                    if n < pixel {
                        to[n..].fill(zero);
                    }
                }
            }
        }
        Some(pixel)
    }
}

/// Whether the pixels of an image are contiguous but for their padding lanes, and have `bytes` bytes with
/// them or little more: then whole rows can be read at once, and no other worker writes between the pixels.
pub(super) fn follow(d: &TensorDesc, bytes: usize) -> bool {
    let size = d.etype.bytes();
    let padded = padded_dims(d)[3] as usize * size;
    d.strides[2] == padded as i64 && (bytes..=2 * bytes).contains(&padded)
}

/// Bytes of a copied image; `None` if padding and dilation make it so large that kernels that skip the
/// padding are better.
pub(super) fn copied(rows: usize, columns: usize, pixel: usize) -> Option<usize> {
    rows.checked_mul(columns)?.checked_mul(pixel).filter(|bytes| *bytes <= MOST_COPIED)
}
