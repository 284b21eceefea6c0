//! Depthwise products: words times words, two taps at a time.

use super::products::{WideEpilogue, Words, are_words, pad};
use crate::isa::EType;
use crate::kernels::cpu::Level;
use crate::kernels::depthwise;
use crate::kernels::line::Line;
use crate::kernels::view::View;
use crate::kernels::words::columns::{self, WordColumns};
use crate::kernels::words::sums::{WideStart, WideSums};
use crate::kernels::words::taps::{self, WordTaps};
use crate::sim::engine::fast::fused::Fused;
use crate::sim::engine::fast::handled::Handled;
use crate::sim::engine::fast::image::{Image, copied};
use crate::sim::engine::fast::sides::{Sides, Sources};
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// The depthwise convolution, or what the fused requantization makes of its sums.
pub(in crate::sim::engine::fast) fn depthwise(
    level: Level,
    s: &mut Words,
    m: &mut Memory,
    c: &ConvOp,
    fused: Option<Fused<'_>>,
) -> Handled {
    if !are_words(level, c, fused) || c.accumulate || c.pruned.is_some() {
        return None;
    }
    let channels = c.weights.dims[3] as usize;
    let w = &c.window;
    let by_columns = depthwise::has_columns(level, w.kernel, w.stride, w.dilation);
    let operands = &mut s.operands[1];
    if !s.depthwise.are(&c.weights, by_columns) {
        operands.of = None;
    }
    let kernel = usize::from(w.kernel[0]);
    s.depthwise.ready(m, &c.weights, by_columns, |weights, channels, to| {
        to.copy(&if by_columns {
            columns::interleave(weights, kernel, channels)
        } else {
            taps::interleave(weights, channels)
        });
        true
    })?;
    // The kernels take signed activations: 2^15 is subtracted from unsigned ones.
    let unsigned = c.src.etype == EType::U16;
    let zero = i64::from(c.src.zero_point) - if unsigned { 0x8000 } else { 0 };
    let taps = u64::from(c.weights.dims[1]) * u64::from(c.weights.dims[2]);
    operands.ready(m, c, zero, fused, s.depthwise.sums().iter().map(|s| i64::from(*s)), taps)?;
    operands.biased.then_some(())?;
    let image = Image::of(c);
    let to = fused.map_or(&c.dst, |t| t.dst);
    let Sides { mut dst, first, sources } = Sides::of(m, &c.dst, fused.map(|t| t.dst))?;
    let [_, rows, pixels, _] = c.dst.dims.map(|n| n as usize);
    let stride = [to.strides[1] as usize, to.strides[2] as usize];
    let line = |y: usize| Line { first: first + y * stride[0], stride: stride[1] };
    if by_columns {
        let epilogue = WideEpilogue::of(&s.operands[1], WideStart::Zero, fused);
        let tile = WordColumns {
            src: sources.from(c.src.base)?,
            pitch: [c.src.strides[1] as usize, c.src.strides[2] as usize],
            image: [c.src.dims[1] as usize, c.src.dims[2] as usize],
            corner: image.first,
            flip: unsigned,
            zero: c.src.zero_point as i16,
            kernel: w.kernel[0].into(),
            stride: w.stride.map(usize::from),
            weights: s.depthwise.packed(),
            channels,
            pixels,
        };
        if !tile.fits() {
            return None;
        }
        for y in 0..rows {
            tile.row(y, &mut s.sums).then_some(())?;
            let sums = WideSums { low: &s.sums, high: None, pitch: tile.pitch() };
            epilogue.store((dst.lend(), line(y)), sums, pixels)?;
        }
        pad(m, c, fused);
        return Some(0);
    }
    let direct = image.inside(c);
    let (pixel, row) = if direct {
        (c.src.strides[2] as usize, c.src.strides[1] as usize)
    } else {
        let pixel = s.copy(c, &image, &sources)?;
        (pixel, pixel * image.extent[1] as usize)
    };
    Image::taps(c, [row, pixel], false, &mut s.taps);
    let epilogue = WideEpilogue::of(&s.operands[1], WideStart::Zero, fused);
    let tile = WordTaps {
        src: if direct { sources.from(image.start(c))? } else { View::from(&*s.image) },
        first: 0,
        flip: unsigned,
        step: [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
        extent: [rows, pixels],
        taps: &s.taps,
        weights: s.depthwise.packed(),
        channels,
    };
    if !tile.fits() {
        return None;
    }
    for y in 0..rows {
        tile.row(y, &mut s.sums).then_some(())?;
        let sums = WideSums { low: &s.sums, high: None, pitch: tile.pitch() };
        epilogue.store((dst.lend(), line(y)), sums, pixels)?;
    }
    pad(m, c, fused);
    Some(0)
}

impl Words {
    /// Copies the image of a tile as it is, padding included.
    fn copy(&mut self, c: &ConvOp, image: &Image, sources: &Sources<'_>) -> Option<usize> {
        let d = &c.src;
        let pixel = d.dims[3] as usize * 2;
        let [rows, columns] = image.extent.map(|n| n as usize);
        self.image.room(copied(rows, columns, pixel)?);
        let [begin, end] = image.columns(c);
        let pitch = usize::try_from(d.strides[2]).ok()?;
        let [left, middle] = [begin, end - begin].map(|n| n * pixel);
        let zero = (d.zero_point as u16).to_le_bytes();
        let fill = |to: &mut [u8]| to.as_chunks_mut().0.iter_mut().for_each(|w| *w = zero);
        for (y, line) in self.image.chunks_exact_mut(columns * pixel).take(rows).enumerate() {
            let Some(start) = image.line(c, y) else {
                fill(line);
                continue;
            };
            let from = sources.from(start)?;
            fill(&mut line[..left]);
            fill(&mut line[left + middle..]);
            let line = &mut line[left..left + middle];
            if pitch == pixel {
                line.copy_from_slice(from.get(0..middle)?);
            } else {
                for (x, to) in line.chunks_exact_mut(pixel).enumerate() {
                    to.copy_from_slice(from.get(x * pitch..x * pitch + pixel)?);
                }
            }
        }
        Some(pixel)
    }
}
