//! Products of activations of 16 bits with weights of 8, for the kernels of `simd`.
//!
//! Dense ones are two products of bytes: `a = 256·high + low`, both unsigned, whose sums of 32 bits make one of 64. Depthwise
//! ones multiply words, two taps at a time. Sums go to the accumulators, or, if a requantization is given that alone reads them,
//! become its results at once; either way a few rows at a time, so that they stay in the caches.

use super::Level;
use super::aligned::Aligned;
use super::bytes::{Image, Then};
use super::sides::{Sides, Sources};
use super::simd::depthwise_words::{self, Depthwise};
use super::simd::finish::{Bounds, Finish};
use super::simd::join::{Results, Start, Sums, join};
use super::simd::round::Line;
use super::simd::tile::{Lists, Start as NoStart, Tile};
use super::simd::words::Multipliers;
use super::weights::Ready;
use crate::isa::{EType, Space, TensorDesc};
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Bytes of the sums of either plane that are computed before they are read again, or those of a row if that is more.
const BAND: usize = 64 << 10;

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
    lacking: Vec<f64>,
    /// Multipliers of a requantization.
    single: Vec<f32>,
    multipliers: Multipliers,
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

/// Whether operands have the types and places that kernels take, those of the requantization too.
fn suits(level: Level, c: &ConvOp, then: Option<Then<'_>>) -> bool {
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
        && then.is_none_or(|t| results_suit(&t, &c.dst))
}

/// Whether kernels can store the results of the requantization of such sums.
fn results_suit(then: &Then<'_>, sums: &TensorDesc) -> bool {
    let d = then.dst;
    d.space == Space::Spm
        && d.etype.int_range().is_some()
        && matches!(d.etype.bytes(), 1 | 2)
        && d.dims == sums.dims
        && d.strides[3] == d.etype.bytes() as i64
        && d.strides[..3].iter().all(|s| *s >= 0)
        && then.quant.doubles().is_none()
}

/// The bias, as it lies in the scratchpad.
fn bias<'a>(c: &ConvOp, sources: &Sources<'a>, n: usize) -> Option<&'a [[u8; 8]]> {
    match &c.bias {
        Some(b) => Some(sources.from(b.base)?.get(..n * 8)?.as_chunks().0),
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

/// Takes the multipliers of a requantization; none if kernels cannot.
fn multipliers(s: &mut Words, m: &Memory, then: Option<Then<'_>>, channels: usize) -> Option<()> {
    let Some(then) = then else { return Some(()) };
    super::vector::multipliers(m, then.quant, channels, &mut s.single);
    s.multipliers.take(&s.single)
}

/// What becomes of sums.
enum Target<'a> {
    /// Accumulators: what the sums of each channel lack, and what they are added to.
    Accumulators(&'a [i64], Start<'a>),
    Results(Results<'a>),
}

impl<'a> Target<'a> {
    /// Results if there is a requantization; none if the bias is too large for them.
    fn of(
        (add, start): (&'a [i64], Start<'a>),
        then: Option<Then<'_>>,
        lacking: &'a mut Vec<f64>,
        by: &'a Multipliers,
    ) -> Option<Target<'a>> {
        let Some(t) = then else { return Some(Target::Accumulators(add, start)) };
        let small = add.iter().all(|a| a.unsigned_abs() < 1 << 52);
        if !small || !matches!(start, Start::Zero) {
            return None;
        }
        lacking.clear();
        lacking.extend(add.iter().map(|a| *a as f64));
        lacking.resize(add.len().next_multiple_of(16), 0.0);
        Some(Target::Results(Results {
            add: lacking,
            by,
            bounds: Bounds { zero_point: t.quant.zero_point, clamp: [t.quant.lo, t.quant.hi] },
            channels: add.len(),
            size: t.dst.etype.bytes(),
        }))
    }

    /// Stores the sums of so many pixels; gives how many additions wrapped.
    fn store(&self, to: (&mut [u8], Line), sums: Sums<'_>, pixels: usize) -> Option<u64> {
        match self {
            Target::Accumulators(add, start) => join(to, sums, pixels, add, *start),
            Target::Results(results) => results.store(to, sums, pixels).then_some(0),
        }
    }
}

/// The dense convolution, or what a requantization makes of its sums; none if kernels cannot.
pub(super) fn conv(
    level: Level,
    s: &mut Words,
    m: &mut Memory,
    c: &ConvOp,
    then: Option<Then<'_>>,
) -> Option<u64> {
    // Sums of the products of bytes fit 32 bits: 65,793 · 255 · 128 < 2^31.
    let reduction = c.weights.dims[1..].iter().map(|n| u64::from(*n)).product::<u64>();
    if !suits(level, c, then) || reduction > 65_000 {
        return None;
    }
    s.weights.ready(level, m, &c.weights, c.pruned.as_ref())?;
    let [oc, kh, kw, ic] = c.weights.dims.map(|n| n as usize);
    multipliers(s, m, then, oc)?;
    let w = &c.window;
    let pixel = ic.next_multiple_of(4);
    let image = Image::of(c, pixel);
    let columns = image.extent[1] as usize;
    // Signed ones are turned to unsigned ones, the zero point with them.
    let signed = c.src.etype == EType::S16;
    let zero = c.src.zero_point + if signed { 0x8000 } else { 0 };
    let to = then.map_or(&c.dst, |t| t.dst);
    let Sides { dst, first, sources } = Sides::of(m, &c.dst, then.map(|t| t.dst))?;
    s.split(level, c, &image, pixel, &sources, zero as u16)?;
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
        None => sources.from(c.weights.base)?,
    };
    s.add.clear();
    s.add.extend(s.weights.sums[..oc].iter().map(|w| -i64::from(zero) * i64::from(*w)));
    let bias = bias(c, &sources, oc)?;
    let start = if c.accumulate {
        Start::Accumulate
    } else if with_bias(bias, &mut s.add) {
        Start::Zero
    } else {
        Start::Bias(bias)
    };
    let target = Target::of((&s.add, start), then, &mut s.lacking, &s.multipliers)?;
    // Packed weights are whole sixteens of channels: so are the sums.
    let pitch = oc.next_multiple_of(16);
    let row = out_columns * pitch * 4;
    let band = (BAND / row).clamp(1, out_rows);
    let step = [columns * pixel * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])];
    let mut wraps = 0;
    for begin in (0..out_rows).step_by(band) {
        let rows = band.min(out_rows - begin);
        for (plane, sums) in s.planes.iter().zip(&mut s.sums) {
            let mut tile = Tile {
                src: plane,
                first: begin * step[0],
                step,
                extent: [rows, out_columns],
                taps: &s.taps,
                quads: pixel / 4 * if merged { kw } else { 1 },
                weights: packed,
                weight_sums: &s.weights.sums,
                oc: pitch,
                zeros: [0, zw],
                start: NoStart::Zero,
                finish: Finish::Sums,
                dst: sums.room(rows * row),
                target: 0,
                stride: [row, pitch * 4],
            };
            tile.run(level, &mut s.lists)?;
        }
        for y in 0..rows {
            let [low, high] = s.sums.each_ref().map(|s| &s[y * row..]);
            let line =
                Line { first: first + (begin + y) * to.strides[1] as usize, stride: to.strides[2] as usize };
            let sums = Sums { low, high: Some(high), pitch };
            wraps += target.store((&mut *dst, line), sums, out_columns)?;
        }
    }
    super::rows::pad(m, to);
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
        sources: &Sources<'_>,
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
            let from = sources.from(start)?;
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

/// The depthwise convolution, or what a requantization makes of its sums; none if the kernel cannot.
pub(super) fn depthwise(
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
    s.depthwise.ready(m, &c.weights)?;
    multipliers(s, m, then, channels)?;
    let w = &c.window;
    let image = Image::of(c, channels * 2);
    let to = then.map_or(&c.dst, |t| t.dst);
    let Sides { dst, first: target, sources } = Sides::of(m, &c.dst, then.map(|t| t.dst))?;
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
    // The kernel's activations are signed: of unsigned ones 2^15 is taken.
    let unsigned = c.src.etype == EType::U16;
    let zero = i64::from(c.src.zero_point) - if unsigned { 0x8000 } else { 0 };
    s.add.clear();
    s.add.extend(s.depthwise.sums.iter().map(|sum| -zero * sum));
    if !with_bias(bias(c, &sources, channels)?, &mut s.add) {
        return None;
    }
    let store = Target::of((&s.add, Start::Zero), then, &mut s.lacking, &s.multipliers)?;
    let tile = Depthwise {
        src: if direct { sources.from(image.start(c))? } else { &s.image },
        first: 0,
        flip: unsigned,
        step: [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
        extent: [c.dst.dims[1] as usize, c.dst.dims[2] as usize],
        taps: &s.taps,
        weights: &s.depthwise.weights,
        channels,
    };
    if !tile.fits() {
        return None;
    }
    let line = &mut s.sums[0];
    for y in 0..tile.extent[0] {
        if !tile.row(y, line) {
            return None;
        }
        let sums = Sums { low: line, high: None, pitch: tile.pitch() };
        let to = Line { first: target + y * to.strides[1] as usize, stride: to.strides[2] as usize };
        store.store((&mut *dst, to), sums, tile.extent[1])?;
    }
    super::rows::pad(m, to);
    Some(0)
}
