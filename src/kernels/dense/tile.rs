//! A tile of a dense product in the form that all its kernels share: unsigned activations at constant steps,
//! signed weights in the packed order of the manual. Zero points fold into start values.

use crate::kernels::accumulate::{accumulate_bytes, largest, start_values};
use crate::kernels::aligned::Aligned;
use crate::kernels::cpu::Level;
use crate::kernels::epilogue::{Epilogue, may_wrap};
use crate::kernels::extent::{few, fits};
use crate::kernels::pack::byte_sum;
use crate::kernels::view::{View, ViewMut};
use crate::numeric;

/// What sums are added to.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// One value for each channel, little endian.
    Bias(&'a [[u8; 4]]),
    /// The present accumulators.
    Accumulate,
}

/// `dst[p][o] = start + Σ(tap, i) (a[p·step + tap + i] − za)(w[o][tap][i] − zw)`.
#[derive(Debug)]
pub struct Tile<'a> {
    /// Activations: unsigned bytes.
    pub src: View<'a>,
    /// Offset of the activations of pixel (0, 0).
    pub first: usize,
    /// Bytes from an output row and an output pixel to the next, in `src`.
    pub step: [usize; 2],
    /// Output rows and columns.
    pub extent: [usize; 2],
    /// Offset of each tap from the pixel's first byte.
    pub taps: &'a [usize],
    /// Four input channels each, at every tap.
    pub quads: usize,
    /// Signed bytes, `[oc/64][tap][quad][block][4]`.
    pub weights: &'a [u8],
    /// Sum of each channel's weights minus their zero point.
    pub weight_sums: &'a [i32],
    /// Output channels.
    pub oc: usize,
    /// Zero points of activations and weights.
    pub zeros: [i32; 2],
    /// What sums are added to.
    pub start: Start<'a>,
    /// What is stored; with [`Epilogue::Bytes`], nothing is added to accumulators.
    pub epilogue: Epilogue<'a>,
    /// Destination.
    pub dst: ViewMut<'a>,
    /// Offset of pixel (0, 0) in `dst`.
    pub target: usize,
    /// Bytes from an output row and an output pixel to the next, in `dst`.
    pub stride: [usize; 2],
}

/// The accumulators of a tile.
#[derive(Debug)]
pub struct Place {
    /// Offset of row 0, pixel 0.
    pub first: usize,
    /// Bytes from a row and a pixel to the next.
    pub stride: [usize; 2],
    /// Rows and pixels.
    pub extent: [usize; 2],
}

impl Place {
    /// How many of the results `bias + sum`, |sum| ≤ `most`, wrapped: the sum is the wrapped difference of
    /// result and bias.
    pub fn wraps(&self, level: Level, dst: &ViewMut<'_>, bias: &[[u8; 4]], most: i64) -> u64 {
        if !may_wrap(largest(level, bias), most) {
            return 0;
        }
        let mut wraps = 0;
        for (o, bias) in bias.iter().map(|b| i32::from_le_bytes(*b)).enumerate() {
            if i64::from(bias).abs() + most <= i64::from(i32::MAX) {
                continue;
            }
            for y in 0..self.extent[0] {
                for x in 0..self.extent[1] {
                    let at = self.first + y * self.stride[0] + x * self.stride[1] + o * 4;
                    let bytes = dst.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or([0; 4]);
                    let sum = i32::from_le_bytes(bytes).wrapping_sub(bias);
                    wraps += u64::from(numeric::accumulate(bias, sum).1);
                }
            }
        }
        wraps
    }
}

/// Room for the sums of a group: four tiles of sixteen times sixteen.
///
/// It begins at a cache line, so that vectors are loaded from what tiles have just stored.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Sums(pub(super) [i32; 1024]);

impl Default for Sums {
    fn default() -> Sums {
        Sums([0; 1024])
    }
}

/// Buffers that are kept from one tile to the next.
#[derive(Debug, Default)]
pub struct Lists {
    /// Offset of each output pixel in source and destination.
    pub(super) pixels: Vec<(usize, usize)>,
    /// Start values of the sums as the kernels compute them.
    pub(super) init: Aligned<i32>,
    /// Sums of a group that are not final.
    pub(super) sums: Sums,
    /// AMX: groups of pixels, and whether each can be stored at once; the steps along the reduction.
    pub(super) blocks: Vec<(usize, bool)>,
    pub(super) steps: Vec<[usize; 2]>,
    /// [`Tile::zero_point_term`] of each pixel.
    pub(super) terms: Vec<i32>,
    /// Weights of a few channels in a kernel's own order.
    pub(super) slice: Aligned<u8>,
}

impl Tile<'_> {
    /// One past the last byte that is read for a pixel, from its first.
    pub(super) fn reach(&self) -> usize {
        self.taps.iter().max().map_or(0, |t| t + self.quads * 4)
    }

    /// Bytes of the weights of a block of channels.
    pub(super) fn block_bytes(&self, width: usize) -> usize {
        self.taps.len() * self.quads * 4 * width
    }

    /// Whether all that is read and written lies inside the slices.
    pub fn fits(&self) -> bool {
        let [rows, columns] = self.extent;
        let steps = |step: [usize; 2]| [(rows, step[0]), (columns, step[1])];
        // Bytes of a channel's weights; all later products of extents are bounded by them.
        let channel = self.taps.len().checked_mul(self.quads).and_then(|n| n.checked_mul(4));
        let packed = channel.and_then(|n| n.checked_mul(self.oc.checked_next_multiple_of(16)?));
        let reach = self.taps.iter().max().and_then(|t| t.checked_add(self.quads.checked_mul(4)?));
        self.oc > 0
            && self.quads > 0
            && few(self.extent, self.dst.len())
            && packed.is_some_and(|packed| packed <= self.weights.len())
            && reach.is_some_and(|reach| fits(self.first, &steps(self.step), reach, self.src.len()))
            && fits(self.target, &steps(self.stride), self.oc * self.epilogue.bytes(), self.dst.len())
            && self.epilogue.serves(self.oc)
            && self.weight_sums.len() >= self.oc
            && match self.start {
                Start::Bias(b) => b.len() >= self.oc,
                Start::Zero | Start::Accumulate => true,
            }
    }

    /// Whether sums, started from `init` and minus [`Tile::zero_point_term`], are the final result.
    pub(super) fn plain(&self) -> bool {
        !matches!(self.start, Start::Accumulate)
    }

    /// The zero-point term of the weights, `zw·Σa`, which is subtracted from all sums of a pixel.
    pub(super) fn zero_point_term(&self, level: Level, source: usize) -> i32 {
        if self.zeros[1] == 0 {
            return 0;
        }
        let at = |t: &usize| self.src.get(source + t..source + t + self.quads * 4).unwrap_or_default();
        let sum = |t: &usize| byte_sum(level, at(t));
        self.zeros[1].wrapping_mul(self.taps.iter().map(sum).fold(0, i32::wrapping_add))
    }

    /// Whether a kernel of the level can store bytes instead of sums.
    pub(super) fn can_finish(&self, level: Level) -> bool {
        let Epilogue::Bytes(_) = self.epilogue else { return true };
        level.requantizes() && self.plain()
    }

    /// How many additions to the bias wrapped, derived from the results: only channels with a very large bias
    /// can wrap.
    pub(super) fn wraps(&self, level: Level) -> u64 {
        let Start::Bias(bias) = self.start else { return 0 };
        let most = (self.taps.len() * self.quads * 4) as i64 * 255 * 255;
        let place = Place { first: self.target, stride: self.stride, extent: self.extent };
        place.wraps(level, &self.dst, &bias[..self.oc], most)
    }

    /// Start values of the kernels' sums of unsigned times signed bytes: the zero-point term of the
    /// activations, and the bias if `plain`.
    pub(super) fn initial(&self, level: Level, plain: bool, init: &mut Aligned<i32>) {
        let init = init.room(self.oc.next_multiple_of(64));
        init[self.oc..].fill(0);
        let bias = match self.start {
            Start::Bias(b) if plain => &b[..self.oc],
            _ => &[],
        };
        // Σ(a − za)(w − zw) = Σaw − za·Σ(w − zw) − zw·Σa. Weights of padding channels equal the zero point,
        // so they contribute nothing whatever the activation is.
        start_values(level, &mut init[..self.oc], self.weight_sums, self.zeros[0], bias);
    }

    /// Adds sums of one pixel, minus its [zero-point term](Tile::zero_point_term), to their start values;
    /// counts wraps.
    pub(super) fn accumulate(
        &mut self,
        level: Level,
        term: i32,
        target: usize,
        first: usize,
        sums: &[i32],
    ) -> u64 {
        let n = sums.len().min(self.oc - first);
        let at = target + first * 4;
        let to = self.dst.get_mut(at..at + n * 4).unwrap_or_default().as_chunks_mut::<4>().0;
        if let Start::Accumulate = self.start {
            return accumulate_bytes(level, to, sums, term);
        }
        let mut wraps = 0;
        for (i, (to, sum)) in to.iter_mut().zip(sums).enumerate() {
            let sum = sum.wrapping_sub(term);
            let start = match self.start {
                Start::Zero => 0,
                Start::Bias(b) => i32::from_le_bytes(b[first + i]),
                Start::Accumulate => i32::from_le_bytes(*to),
            };
            let (value, wrapped) = numeric::accumulate(start, sum);
            *to = value.to_le_bytes();
            wraps += u64::from(wrapped);
        }
        wraps
    }

    /// Offset of every pixel in source and destination.
    pub(super) fn pixels(&self, to: &mut Vec<(usize, usize)>) {
        to.clear();
        for y in 0..self.extent[0] {
            let at = (self.first + y * self.step[0], self.target + y * self.stride[0]);
            to.extend((0..self.extent[1]).map(|x| (at.0 + x * self.step[1], at.1 + x * self.stride[1])));
        }
    }
}
