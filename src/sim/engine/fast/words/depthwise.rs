//! Depthwise products: words times words, two taps at a time.

use super::super::Level;
use super::super::bytes::{Image, Then};
use super::super::sides::{Sides, Sources};
use super::super::simd::columns;
use super::super::simd::columns_words::Columns;
use super::super::simd::depthwise_words::Depthwise;
use super::super::simd::join::{Start, Sums};
use super::super::simd::round::Line;
use super::{Target, Words, pad, suits};
use crate::isa::EType;
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// The depthwise convolution, or what a requantization makes of its sums; none if the kernels cannot.
pub(in super::super) fn depthwise(
    level: Level,
    s: &mut Words,
    m: &mut Memory,
    c: &ConvOp,
    then: Option<Then<'_>>,
) -> Option<u64> {
    if !suits(level, c, then) || c.accumulate || c.pruned.is_some() {
        return None;
    }
    let channels = c.weights.dims[3] as usize;
    let w = &c.window;
    let by_columns = columns::suits(w.kernel, w.stride, w.dilation);
    let operands = &mut s.operands[1];
    if s.interleaved.kept.of != Some((c.weights, by_columns)) {
        operands.of = None;
    }
    s.interleaved.ready(m, &c.weights, by_columns)?;
    // The kernels' activations are signed: of unsigned ones 2^15 is taken.
    let unsigned = c.src.etype == EType::U16;
    let zero = i64::from(c.src.zero_point) - if unsigned { 0x8000 } else { 0 };
    let taps = u64::from(c.weights.dims[1]) * u64::from(c.weights.dims[2]);
    operands.ready(m, c, zero, then, s.interleaved.kept.made.sums.iter().copied(), taps)?;
    operands.biased.then_some(())?;
    let image = Image::of(c, channels * 2);
    let to = then.map_or(&c.dst, |t| t.dst);
    let Sides { dst, first, sources } = Sides::of(m, &c.dst, then.map(|t| t.dst))?;
    let [_, rows, pixels, _] = c.dst.dims.map(|n| n as usize);
    let stride = [to.strides[1] as usize, to.strides[2] as usize];
    let line = |y: usize| Line { first: first + y * stride[0], stride: stride[1] };
    if by_columns {
        let target = Target::of(&s.operands[1], Start::Zero, then);
        let tile = Columns {
            src: sources.from(c.src.base)?,
            pitch: [c.src.strides[1] as usize, c.src.strides[2] as usize],
            image: [c.src.dims[1] as usize, c.src.dims[2] as usize],
            corner: image.first,
            flip: unsigned,
            zero: c.src.zero_point as i16,
            kernel: w.kernel[0].into(),
            stride: w.stride.map(usize::from),
            weights: &s.interleaved.kept.made.weights,
            channels,
            pixels,
        };
        if !tile.fits() {
            return None;
        }
        for y in 0..rows {
            tile.row(y, &mut s.sums).then_some(())?;
            let sums = Sums { low: &s.sums, high: None, pitch: tile.pitch() };
            target.store((&mut *dst, line(y)), sums, pixels)?;
        }
        pad(m, c, then);
        return Some(0);
    }
    let direct = image.inside(c);
    let (pixel, row) = if direct {
        (c.src.strides[2] as usize, c.src.strides[1] as usize)
    } else {
        let pixel = s.copy(c, &image, &sources)?;
        (pixel, pixel * image.extent[1] as usize)
    };
    s.taps.clear();
    for y in 0..usize::from(w.kernel[0]) {
        for x in 0..usize::from(w.kernel[1]) {
            s.taps.push(y * usize::from(w.dilation[0]) * row + x * usize::from(w.dilation[1]) * pixel);
        }
    }
    let target = Target::of(&s.operands[1], Start::Zero, then);
    let tile = Depthwise {
        src: if direct { sources.from(image.start(c))? } else { &s.image },
        first: 0,
        flip: unsigned,
        step: [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
        extent: [rows, pixels],
        taps: &s.taps,
        weights: &s.interleaved.kept.made.weights,
        channels,
    };
    if !tile.fits() {
        return None;
    }
    for y in 0..rows {
        tile.row(y, &mut s.sums).then_some(())?;
        let sums = Sums { low: &s.sums, high: None, pitch: tile.pitch() };
        target.store((&mut *dst, line(y)), sums, pixels)?;
    }
    pad(m, c, then);
    Some(0)
}

impl Words {
    /// The image of a tile as it is, padding included.
    fn copy(&mut self, c: &ConvOp, image: &Image, sources: &Sources<'_>) -> Option<usize> {
        let d = &c.src;
        let pixel = d.dims[3] as usize * 2;
        let [rows, columns] = image.extent.map(|n| n as usize);
        self.image.room(rows * columns * pixel);
        let [begin, end] = image.columns(c);
        let pitch = usize::try_from(d.strides[2]).ok()?;
        let [left, middle] = [begin, end - begin].map(|n| n as usize * pixel);
        let zero = (d.zero_point as u16).to_le_bytes();
        let fill = |to: &mut [u8]| to.as_chunks_mut().0.iter_mut().for_each(|w| *w = zero);
        for (y, line) in self.image.chunks_exact_mut(columns * pixel).take(rows).enumerate() {
            let iy = image.first[0] + y as i64;
            if iy < 0 || iy >= i64::from(d.dims[1]) || middle == 0 {
                fill(line);
                continue;
            }
            let start = d.base + iy * d.strides[1] + (image.first[1] + begin) * d.strides[2];
            let from = sources.from(start)?;
            fill(&mut line[..left]);
            fill(&mut line[left + middle..]);
            let line = &mut line[left..left + middle];
            if pitch == pixel {
                line.copy_from_slice(from.get(..middle)?);
            } else {
                for (x, to) in line.chunks_exact_mut(pixel).enumerate() {
                    to.copy_from_slice(from.get(x * pitch..x * pitch + pixel)?);
                }
            }
        }
        Some(pixel)
    }
}
