//! Products of activations of 16 bits with weights of 8, for the kernels of `simd`.
//!
//! Dense ones are two products of bytes: `a = 256·high + low`, both unsigned, whose sums of 32 bits make one of 64. Depthwise
//! ones multiply words, two taps at a time.

use super::Level;
use super::aligned::Aligned;
use super::bytes::Image;
use super::simd::depthwise_words::{self, Depthwise};
use super::simd::finish::Finish;
use super::simd::round::Line;
use super::simd::tile::{Lists, Start as NoStart, Tile};
use super::simd::words::{Start, join};
use super::weights::Ready;
use crate::isa::{EType, Space, TensorDesc};
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Buffers that are kept, and the weights of the last products.
#[derive(Debug, Default)]
pub(super) struct Words {
    lists: Lists,
    taps: Vec<usize>,
    weights: Ready,
    /// Low and high bytes of activations, and what either sums up to.
    planes: [Aligned<u8>; 2],
    sums: [Aligned<u8>; 2],
    /// What each channel's sums lack.
    add: Vec<i64>,
    image: Aligned<u8>,
    depthwise: Interleaved,
}

/// Depthwise weights made ready: interleaved, with their sums.
#[derive(Debug, Default)]
struct Interleaved {
    of: Option<TensorDesc>,
    range: (i64, i64),
    plain: Vec<i16>,
    weights: Aligned<i16>,
    sums: Vec<i64>,
}

impl Interleaved {
    /// Makes weights ready, unless they are those of the last product.
    fn ready(&mut self, m: &Memory, d: &TensorDesc) -> Option<()> {
        if self.of == Some(*d) {
            return Some(());
        }
        self.of = None;
        let [_, kh, kw, channels] = d.dims.map(|n| n as usize);
        if d.strides[3] != 1 || channels == 0 {
            return None;
        }
        self.range = crate::sim::access::Region::Box(d, d.dims).span()?;
        self.plain.clear();
        self.sums.clear();
        self.sums.resize(channels, 0);
        let zero = d.zero_point as i16;
        for y in 0..kh as i64 {
            for x in 0..kw as i64 {
                let row = m.read(d.space, d.base + y * d.strides[1] + x * d.strides[2], channels);
                for (w, sum) in row.iter().zip(&mut self.sums) {
                    let value = if d.etype == EType::S8 { i16::from(*w as i8) } else { i16::from(*w) };
                    *sum += i64::from(value - zero);
                    self.plain.push(value - zero);
                }
            }
        }
        self.weights.copy(&depthwise_words::interleave(&self.plain, channels));
        self.of = Some(*d);
        Some(())
    }
}

impl Words {
    /// The engine forgets everything.
    pub(super) fn reset(&mut self) {
        self.weights.of = None;
        self.depthwise.of = None;
    }

    /// Bytes of the scratchpad change.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        self.weights.changed(range);
        if self.depthwise.range.0 < range.1 && range.0 < self.depthwise.range.1 {
            self.depthwise.of = None;
        }
    }
}

/// Whether operands have the types and places that kernels take.
fn suits(level: Level, c: &ConvOp) -> bool {
    matches!(level, Level::Avx512Vnni(_) | Level::Amx(_))
        && matches!(c.src.etype, EType::U16 | EType::S16)
        && matches!(c.weights.etype, EType::U8 | EType::S8)
        && c.src.space == Space::Spm
        && c.weights.space == Space::Spm
        && c.dst.space == Space::Acc
        && c.dst.etype == EType::S64
        && c.src.strides[3] == 2
        && c.src.strides[..3].iter().all(|s| *s >= 0)
        && c.dst.strides[3] == 8
        && c.dst.strides[..3].iter().all(|s| *s >= 0)
        && c.dst.dims.iter().chain(&c.src.dims).all(|n| *n > 0)
        && c.bias.is_none_or(|b| b.space == Space::Spm && b.strides[3] == 8)
}

/// The bias, as it lies in the scratchpad.
fn bias<'a>(c: &ConvOp, spm: &'a [u8], n: usize) -> Option<&'a [[u8; 8]]> {
    match &c.bias {
        Some(b) => Some(spm.get(usize::try_from(b.base).ok()?..)?.get(..n * 8)?.as_chunks().0),
        None => Some(&[]),
    }
}

/// Adds the bias to what sums lack; false if an addition to it might wrap, which counts.
fn with_bias(bias: &[[u8; 8]], add: &mut [i64]) -> bool {
    let small = bias.iter().all(|b| i64::from_le_bytes(*b).unsigned_abs() < 1 << 62);
    if small {
        add.iter_mut().zip(bias).for_each(|(a, b)| *a += i64::from_le_bytes(*b));
    }
    small
}

/// The dense convolution; none if kernels cannot.
pub(super) fn conv(level: Level, s: &mut Words, m: &mut Memory, c: &ConvOp) -> Option<u64> {
    // Sums of the products of bytes fit 32 bits: 65,793 · 255 · 128 < 2^31.
    let reduction = c.weights.dims[1..].iter().map(|n| u64::from(*n)).product::<u64>();
    if !suits(level, c) || reduction > 65_000 {
        return None;
    }
    s.weights.ready(level, m, &c.weights, c.pruned.as_ref())?;
    let [oc, kh, kw, ic] = c.weights.dims.map(|n| n as usize);
    let w = &c.window;
    let pixel = ic.next_multiple_of(4);
    let image = Image::of(c, pixel);
    let columns = image.extent[1] as usize;
    // Signed ones are turned to unsigned ones, the zero point with them.
    let signed = c.src.etype == EType::S16;
    let zero = c.src.zero_point + if signed { 0x8000 } else { 0 };
    let (spm, acc) = m.spm_and_acc();
    s.split(level, c, &image, pixel, spm, zero as u16)?;
    s.taps.clear();
    let merged = w.dilation[1] == 1;
    for y in 0..kh {
        for x in 0..if merged { 1 } else { kw } {
            s.taps.push((y * usize::from(w.dilation[0]) * columns + x * usize::from(w.dilation[1])) * pixel);
        }
    }
    let [_, out_rows, out_columns, _] = c.dst.dims.map(|n| n as usize);
    let zw = c.weights.zero_point - if c.weights.etype == EType::U8 { 128 } else { 0 };
    let packed = match &s.weights.signed {
        Some(signed) => signed,
        None => spm.get(usize::try_from(c.weights.base).ok()?..)?,
    };
    for (plane, sums) in s.planes.iter().zip(&mut s.sums) {
        let sums = sums.room(out_rows * out_columns * oc * 4);
        let mut tile = Tile {
            src: plane,
            first: 0,
            step: [columns * pixel * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
            extent: [out_rows, out_columns],
            taps: &s.taps,
            quads: pixel / 4 * if merged { kw } else { 1 },
            weights: packed,
            weight_sums: &s.weights.sums,
            oc,
            zeros: [0, zw],
            start: NoStart::Zero,
            finish: Finish::Sums,
            dst: sums,
            target: 0,
            stride: [out_columns * oc * 4, oc * 4],
        };
        tile.run(level, &mut s.lists)?;
    }
    s.add.clear();
    s.add.extend(s.weights.sums[..oc].iter().map(|w| -i64::from(zero) * i64::from(*w)));
    let bias = bias(c, spm, oc)?;
    let start = if c.accumulate {
        Start::Accumulate
    } else if with_bias(bias, &mut s.add) {
        Start::Zero
    } else {
        Start::Bias(bias)
    };
    let mut wraps = 0;
    for y in 0..out_rows {
        let sums = s.sums.each_ref().map(|s| &s[y * out_columns * oc * 4..]);
        let line = Line {
            first: usize::try_from(c.dst.base).ok()? + y * c.dst.strides[1] as usize,
            stride: c.dst.strides[2] as usize,
        };
        wraps += join((&mut *acc, line), sums, out_columns, &s.add, start)?;
    }
    super::rows::pad(m, &c.dst);
    Some(wraps)
}

impl Words {
    /// The image of a tile as two of bytes, padding included; `zero` as an unsigned word.
    fn split(
        &mut self,
        level: Level,
        c: &ConvOp,
        image: &Image,
        pixel: usize,
        spm: &[u8],
        zero: u16,
    ) -> Option<()> {
        let d = &c.src;
        let n = d.dims[3] as usize;
        let [rows, columns] = image.extent.map(|n| n as usize);
        // Sixteen pixels behind the last one may be read, for nothing.
        let len = rows * columns * pixel + 16 * usize::from(c.window.stride[1]) * pixel + 64;
        for plane in &mut self.planes {
            plane.room(len);
        }
        let [low, high] = &mut self.planes;
        let flip = if d.etype == EType::S16 { 0x80 } else { 0 };
        let [begin, end] = image.columns(c);
        let pitch = usize::try_from(d.strides[2]).ok()?;
        let dense = pitch == pixel * 2 && n == pixel;
        let [left, middle] = [begin, end - begin].map(|n| n as usize * pixel);
        let lines = low.chunks_exact_mut(columns * pixel).zip(high.chunks_exact_mut(columns * pixel));
        for (y, (low, high)) in lines.take(rows).enumerate() {
            let iy = image.first[0] + y as i64;
            if iy < 0 || iy >= i64::from(d.dims[1]) || middle == 0 {
                low.fill(zero as u8);
                high.fill((zero >> 8) as u8);
                continue;
            }
            let start = d.base + iy * d.strides[1] + (image.first[1] + begin) * d.strides[2];
            let from = spm.get(usize::try_from(start).ok()?..)?;
            for (line, zero) in [(&mut *low, zero as u8), (&mut *high, (zero >> 8) as u8)] {
                line[..left].fill(zero);
                line[left + middle..].fill(zero);
            }
            let (low, high) = (&mut low[left..left + middle], &mut high[left..left + middle]);
            if dense {
                super::kernels::split(level, from.get(..middle * 2)?, low, high, flip);
                continue;
            }
            for (x, (low, high)) in low.chunks_exact_mut(pixel).zip(high.chunks_exact_mut(pixel)).enumerate()
            {
                let from = from.get(x * pitch..x * pitch + n * 2)?;
                super::kernels::split(level, from, &mut low[..n], &mut high[..n], flip);
            }
        }
        Some(())
    }

    /// The image of a tile as it is, padding included.
    fn copy(&mut self, c: &ConvOp, image: &Image, spm: &[u8]) -> Option<usize> {
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
            let from = spm.get(usize::try_from(start).ok()?..)?;
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

/// The depthwise convolution; none if the kernel cannot.
pub(super) fn depthwise(level: Level, s: &mut Words, m: &mut Memory, c: &ConvOp) -> Option<u64> {
    if !suits(level, c) || c.accumulate || c.pruned.is_some() {
        return None;
    }
    let channels = c.weights.dims[3] as usize;
    s.depthwise.ready(m, &c.weights)?;
    let w = &c.window;
    let image = Image::of(c, channels * 2);
    let (spm, acc) = m.spm_and_acc();
    let spm: &[u8] = spm;
    let direct = image.inside(c);
    let (first, pixel, row) = if direct {
        (usize::try_from(image.start(c)).ok()?, c.src.strides[2] as usize, c.src.strides[1] as usize)
    } else {
        let pixel = s.copy(c, &image, spm)?;
        (0, pixel, pixel * image.extent[1] as usize)
    };
    s.taps.clear();
    for y in 0..usize::from(w.kernel[0]) {
        for x in 0..usize::from(w.kernel[1]) {
            s.taps.push(y * usize::from(w.dilation[0]) * row + x * usize::from(w.dilation[1]) * pixel);
        }
    }
    // The kernel's activations are signed: of unsigned ones 2^15 is taken.
    let unsigned = c.src.etype == EType::U16;
    let zero = i64::from(c.src.zero_point) - if unsigned { 0x8000 } else { 0 };
    s.add.clear();
    s.add.extend(s.depthwise.sums.iter().map(|sum| -zero * sum));
    s.add.resize(channels.next_multiple_of(32), 0);
    if !with_bias(bias(c, spm, channels)?, &mut s.add) {
        return None;
    }
    let mut tile = Depthwise {
        src: if direct { spm } else { &s.image },
        first,
        flip: unsigned,
        step: [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
        extent: [c.dst.dims[1] as usize, c.dst.dims[2] as usize],
        taps: &s.taps,
        weights: &s.depthwise.weights,
        channels,
        init: &s.add,
        dst: acc,
        target: usize::try_from(c.dst.base).ok()?,
        stride: [c.dst.strides[1] as usize, c.dst.strides[2] as usize],
    };
    if !tile.run() {
        return None;
    }
    super::rows::pad(m, &c.dst);
    Some(0)
}
