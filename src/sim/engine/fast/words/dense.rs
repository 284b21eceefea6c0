//! Dense products of words: two products of bytes, of the low and of the high bytes.

use super::products::{WideEpilogue, Words, are_words, bias, pad};
use crate::isa::EType;
use crate::kernels::cpu::Level;
use crate::kernels::dense::{self, Start, Tile};
use crate::kernels::epilogue::Epilogue;
use crate::kernels::line::Line;
use crate::kernels::pack::portable::split as split_words;
use crate::kernels::view::{View, ViewMut};
use crate::kernels::words::planes;
use crate::kernels::words::sums::{WideStart, WideSums};
use crate::sim::engine::fast::fused::Fused;
use crate::sim::engine::fast::handled::Handled;
use crate::sim::engine::fast::image::{Image, copied, follow};
use crate::sim::engine::fast::sides::{Sides, Sources};
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Bytes of the sums that are computed before they are read again; at least those of 32 pixels.
const BAND: usize = 64 << 10;

/// The image of a tile, padding included, as a plane of low bytes followed by a plane of high bytes.
struct Planes {
    /// Pitch of planes, of rows and of pixels, in bytes.
    plane: usize,
    row: usize,
    pixel: usize,
    /// Whole rows can be split at once: pixels are contiguous but for their padding lanes.
    at_once: bool,
}

impl Planes {
    fn of(c: &ConvOp, image: &Image) -> Option<Planes> {
        let least = c.src.dims[3].next_multiple_of(4) as usize;
        // Whole rows can be split at once.
        let pitch = usize::try_from(c.src.strides[2]).ok()?;
        let at_once = pitch.is_multiple_of(8) && follow(&c.src, 2 * least);
        let pixel = if at_once { pitch / 2 } else { least };
        let [rows, columns] = image.extent.map(|n| n as usize);
        let row = columns * pixel;
        copied(rows, columns, pixel)?;
        Some(Planes { plane: (rows * row).next_multiple_of(64), row, pixel, at_once })
    }

    /// Splits the image into planes; `zero` is the zero point as an unsigned word.
    fn split(
        &self,
        level: Level,
        c: &ConvOp,
        image: &Image,
        sources: &Sources<'_>,
        zero: u16,
        to: &mut [u8],
    ) -> Option<()> {
        let d = &c.src;
        let (n, pixel) = (d.dims[3] as usize, self.pixel);
        let flip = if d.etype == EType::S16 { 0x80 } else { 0 };
        let [begin, end] = image.columns(c);
        let pitch = usize::try_from(d.strides[2]).ok()?;
        let [left, middle] = [begin, end - begin].map(|n| n * pixel);
        let (low, high) = to.split_at_mut_checked(self.plane)?;
        let lines = low.chunks_exact_mut(self.row).zip(high.chunks_exact_mut(self.row));
        for (y, (low, high)) in lines.take(image.extent[0] as usize).enumerate() {
            let Some(start) = image.line(c, y) else {
                low.fill(zero as u8);
                high.fill((zero >> 8) as u8);
                continue;
            };
            let from = sources.from(start)?;
            for (line, zero) in [(&mut *low, zero as u8), (&mut *high, (zero >> 8) as u8)] {
                line[..left].fill(zero);
                line[left + middle..].fill(zero);
            }
            let (low, high) = (&mut low[left..left + middle], &mut high[left..left + middle]);
            if self.at_once {
                // Channels that the image does not have are multiplied with weights at their zero point.
                let len = middle - (pixel - n);
                split_words(level, from.get(0..2 * len)?, &mut low[..len], &mut high[..len], flip);
                continue;
            }
            if pitch == 2 * n
                && let Some(words) = from.get(0..middle / pixel * n * 2)
                && planes::spread(words, n, [&mut *low, &mut *high], flip)
            {
                continue;
            }
            for (x, (low, high)) in low.chunks_exact_mut(pixel).zip(high.chunks_exact_mut(pixel)).enumerate()
            {
                let from = from.get(x * pitch..x * pitch + n * 2)?;
                split_words(level, from, &mut low[..n], &mut high[..n], flip);
            }
        }
        Some(())
    }
}

/// The dense convolution, or what the fused requantization makes of its sums.
pub(in crate::sim::engine::fast) fn conv(
    level: Level,
    s: &mut Words,
    m: &mut Memory,
    c: &ConvOp,
    fused: Option<Fused<'_>>,
) -> Handled {
    // Sums of the products of bytes fit 32 bits: 65,793 · 255 · 128 < 2^31.
    let reduction = c.weights.dims[1..].iter().map(|n| u64::from(*n)).product::<u64>();
    if !are_words(level, c, fused) || reduction > 65_000 {
        return None;
    }
    let [oc, kh, kw, ic] = c.weights.dims.map(|n| n as usize);
    let operands = &mut s.operands[0];
    if !s.weights.are(&c.weights, c.pruned) {
        operands.of = None;
    }
    s.weights.ready(level, m, &c.weights, c.pruned.as_ref())?;
    // Signed activations become unsigned, and the zero point moves with them.
    let zero = c.src.zero_point + if c.src.etype == EType::S16 { 0x8000 } else { 0 };
    let sums = s.weights.sums()[..oc].iter().map(|sum| i64::from(*sum));
    operands.ready(m, c, zero.into(), fused, sums, reduction)?;
    let w = &c.window;
    let image = Image::of(c);
    let planes = Planes::of(c, &image)?;
    let to = fused.map_or(&c.dst, |t| t.dst);
    let Sides { mut dst, first, sources } = Sides::of(m, &c.dst, fused.map(|t| t.dst))?;
    // Kernels may read sixteen pixels behind the last one, and ignore them.
    let room = 2 * planes.plane + 16 * usize::from(w.stride[1]) * planes.pixel + 64;
    planes.split(level, c, &image, &sources, zero as u16, s.image.room(room))?;
    // The taps of a row are contiguous: one tap with more channels.
    let quads = ic.div_ceil(4);
    let merged = w.dilation[1] == 1 && planes.pixel == quads * 4;
    Image::taps(c, [planes.row, planes.pixel], merged, &mut s.taps);
    let start = match &c.bias {
        _ if c.accumulate => WideStart::Accumulate,
        Some(_) if !s.operands[0].biased => WideStart::Bias(bias(c, &sources, oc)?),
        _ => WideStart::Zero,
    };
    let epilogue = WideEpilogue::of(&s.operands[0], start, fused);
    let packed = match s.weights.signed() {
        Some(signed) => signed,
        None => sources.weights(&c.weights, s.weights.bytes())?,
    };
    let zw = c.weights.zero_point - if c.weights.etype == EType::U8 { 128 } else { 0 };
    let stride = [to.strides[1] as usize, to.strides[2] as usize];
    let [_, rows, columns, _] = c.dst.dims.map(|n| n as usize);
    // For 1 × 1 taps, contiguous rows of pixels are one.
    let flat = [kh, kw] == [1, 1] && w.stride == [1, 1] && stride[0] == columns * stride[1];
    let [rows, columns] = if flat { [1, rows * columns] } else { [rows, columns] };
    // Packed weights come in blocks of sixteen channels, and so do the sums.
    let pitch = oc.next_multiple_of(16);
    let pixels = (BAND / (8 * pitch)).max(32) / 32 * 32;
    // A band is a part of a row, or some short rows.
    let whole = if columns >= 32 { 1 } else { (pixels / columns).clamp(1, rows) };
    let step = [planes.row * usize::from(w.stride[0]), planes.pixel * usize::from(w.stride[1])];
    let mut wraps = 0;
    for y in (0..rows).step_by(whole) {
        for x in (0..columns).step_by(pixels) {
            let extent = [whole.min(rows - y), pixels.min(columns - x)];
            let from = y * step[0] + x * step[1];
            let row = extent[1] * pitch * 4;
            let plane = extent[0] * row;
            let sums = s.sums.room(2 * plane);
            let mut tile = Tile {
                src: View::from(&s.image[from..]),
                first: 0,
                step,
                extent,
                taps: &s.taps,
                quads: quads * if merged { kw } else { 1 },
                weights: packed,
                weight_sums: s.weights.sums(),
                oc: pitch,
                zeros: [0, zw],
                start: Start::Zero,
                epilogue: Epilogue::Sums,
                dst: ViewMut::from(sums),
                target: 0,
                stride: [row, pitch * 4],
            };
            if extent[0] == 1 {
                // The two planes are two rows of the tile.
                (tile.step[0], tile.extent[0]) = (planes.plane, 2);
                dense::run(&mut tile, level, &mut s.lists)?;
            } else {
                dense::run(&mut tile, level, &mut s.lists)?;
                (tile.first, tile.target) = (planes.plane, plane);
                dense::run(&mut tile, level, &mut s.lists)?;
            }
            let (low, high) = s.sums.split_at(plane);
            for i in 0..extent[0] {
                let line = Line { first: first + (y + i) * stride[0] + x * stride[1], stride: stride[1] };
                let sums = WideSums { low: &low[i * row..], high: Some(&high[i * row..]), pitch };
                wraps += epilogue.store((dst.lend(), line), sums, extent[1])?;
            }
        }
    }
    pad(m, c, fused);
    Some(wraps)
}
