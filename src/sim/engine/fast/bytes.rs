//! Products of bytes for the kernels of `simd`: activations as they lie in the scratchpad where that is possible,
//! else a copy of the tile's image with its padding; weights as they are packed, turned to signed ones if need be. Sums go to
//! the accumulators, or, if a requantization is given that alone reads them, become its bytes at once.

use super::Level;
use super::aligned::Aligned;
use super::sides::{Sides, Sources};
use super::simd::finish::{Bounds, Finish, Guard, GuardRoom, Scale};
#[cfg(target_arch = "x86_64")]
use super::simd::tile::Place;
use super::simd::tile::{Lists, Start, Tile};
use super::weights::{Interleaved, Ready};
use crate::isa::{EType, QuantDesc, Space, TensorDesc, WindowDesc};
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Buffers that are kept, and the weights of the last product.
#[derive(Debug, Default)]
pub(super) struct Products {
    image: Aligned<u8>,
    taps: Vec<usize>,
    lists: Lists,
    weights: Ready,
    interleaved: Interleaved,
    init: Aligned<i32>,
    multipliers: Vec<f32>,
    /// Sums of a line of a depthwise product.
    line: Aligned<i32>,
    guards: GuardRoom,
}

/// A requantization of a product's sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Then<'a> {
    pub(super) dst: &'a TensorDesc,
    pub(super) quant: &'a QuantDesc,
}

impl Then<'_> {
    /// Whether kernels can store its bytes.
    fn suits(&self, sums: &TensorDesc) -> bool {
        let d = self.dst;
        d.space == Space::Spm
            && matches!(d.etype, EType::U8 | EType::S8)
            && d.dims == sums.dims
            && d.strides[3] == 1
            && d.strides[..3].iter().all(|s| *s >= 0)
            && self.quant.doubles().is_none()
    }
}

impl Products {
    /// The engine forgets everything.
    pub(super) fn reset(&mut self) {
        self.weights.of = None;
        self.interleaved.kept.reset();
    }

    /// Bytes of the scratchpad change.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        self.weights.changed(range);
        self.interleaved.kept.changed(range);
    }
}

/// Whether operands have the types and places that kernels take, those of the requantization too.
fn suits(level: Level, c: &ConvOp, then: Option<Then<'_>>) -> bool {
    let (dst, a, w) = (&c.dst, &c.src, &c.weights);
    let byte = |d: &TensorDesc| matches!(d.etype, EType::U8 | EType::S8);
    level != Level::Portable
        && byte(a)
        && byte(w)
        && a.space == Space::Spm
        && matches!(w.space, Space::Spm | Space::Dram)
        && dst.space == Space::Acc
        && dst.etype == EType::S32
        && dst.strides[3] == 4
        && dst.strides[..3].iter().all(|s| *s >= 0)
        && a.strides[3] == 1
        && a.strides[..3].iter().all(|s| *s >= 0)
        && dst.dims.iter().chain(&a.dims).all(|n| *n > 0)
        && c.bias.is_none_or(|b| b.space == Space::Spm && b.strides[3] == 4)
        && then.is_none_or(|t| t.suits(dst))
}

/// The sign bit of signed activations turned, so that they are unsigned; the zero point moves along.
fn sign(d: &TensorDesc) -> (u8, i32) {
    if d.etype == EType::S8 { (0x80, d.zero_point + 128) } else { (0, d.zero_point) }
}

/// The dense convolution, or the bytes that come of it; none, and nothing done, if kernels cannot.
pub(super) fn conv(
    level: Level,
    s: &mut Products,
    m: &mut Memory,
    c: &ConvOp,
    then: Option<Then<'_>>,
) -> Option<u64> {
    if !suits(level, c, then) {
        return None;
    }
    s.weights.ready(level, m, &c.weights, c.pruned.as_ref())?;
    let quads = c.weights.dims[3].div_ceil(4) as usize;
    let w = &c.window;
    let image = Image::of(c, quads * 4);
    let (flip, za) = sign(&c.src);
    let pitch = c.src.strides[2] as usize;
    let direct = flip == 0 && image.inside(c) && pitch >= quads * 4;
    let (first, pixel, row) = if direct {
        (image.start(c), pitch, c.src.strides[1] as usize)
    } else {
        let Sides { sources, .. } = Sides::of(m, &c.dst, then.map(|t| t.dst))?;
        let pixel = image.copy(c, &sources, flip, za as u8, w.stride[1].into(), &mut s.image)?;
        (0, pixel, pixel * image.extent[1] as usize)
    };
    // The taps of a row follow each other without gaps: one tap with more channels.
    let merged = w.dilation[1] == 1 && pixel == quads * 4;
    s.taps.clear();
    for y in 0..usize::from(w.kernel[0]) {
        for x in 0..if merged { 1 } else { usize::from(w.kernel[1]) } {
            s.taps.push(y * usize::from(w.dilation[0]) * row + x * usize::from(w.dilation[1]) * pixel);
        }
    }
    let quads = if merged { quads * usize::from(w.kernel[1]) } else { quads };
    let step = [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])];
    let source = Source { copied: !direct, first, step, quads, za };
    let wraps = s.run(level, m, &source, c, then)?;
    super::rows::pad(m, then.map_or(&c.dst, |t| t.dst));
    Some(wraps)
}

/// The depthwise convolution, or the bytes that come of it; none, and nothing done, if the kernel cannot.
#[cfg(target_arch = "x86_64")]
pub(super) fn depthwise(
    level: Level,
    s: &mut Products,
    m: &mut Memory,
    c: &ConvOp,
    then: Option<Then<'_>>,
) -> Option<u64> {
    use super::simd::columns::{self, Columns};
    use super::simd::depthwise::Depthwise;
    if c.accumulate || c.pruned.is_some() || !suits(level, c, then) {
        return None;
    }
    let channels = c.weights.dims[3] as usize;
    let (flip, za) = sign(&c.src);
    let w = &c.window;
    let by_columns = columns::suits(w.kernel, w.stride, w.dilation);
    let wide = matches!(level, Level::Avx512Vnni(_) | Level::Amx(_));
    if !by_columns && (then.is_some() || !wide) {
        return None;
    }
    s.interleaved.ready(level, m, &c.weights, by_columns)?;
    let small = multipliers(m, then, channels, &mut s.multipliers);
    let Sides { dst, first: target, sources } = Sides::of(m, &c.dst, then.map(|t| t.dst))?;
    let bias = match &c.bias {
        Some(b) => sources.from(b.base)?.get(..channels * 4)?.as_chunks::<4>().0,
        None => &[],
    };
    let most = i64::from(w.kernel[0]) * i64::from(w.kernel[1]) * 255 * 255;
    let finish = match then {
        Some(t) => t.finish((&s.multipliers, small), s.guards.guard(level, bias, most)?),
        None => Finish::Sums,
    };
    let init = s.init.room(channels.next_multiple_of(64));
    init[channels..].fill(0);
    super::kernels::start_values(level, &mut init[..channels], &s.interleaved.kept.made.sums, za, bias);
    let to = then.map_or(&c.dst, |t| t.dst);
    let place = Place {
        first: target,
        stride: [to.strides[1] as usize, to.strides[2] as usize],
        extent: [to.dims[1] as usize, to.dims[2] as usize],
    };
    let image = Image::of(c, channels);
    let done = if by_columns {
        let mut tile = Columns {
            src: sources.from(c.src.base)?,
            first: 0,
            pitch: [c.src.strides[1] as usize, c.src.strides[2] as usize],
            image: [c.src.dims[1] as usize, c.src.dims[2] as usize],
            corner: image.first,
            flip,
            zero: za as u8,
            extent: place.extent,
            kernel: w.kernel[0].into(),
            stride: w.stride.map(usize::from),
            weights: &s.interleaved.kept.made.weights,
            channels,
            init: &s.init,
            finish,
            dst,
            target: place.first,
            step: place.stride,
        };
        tile.run(level, &mut s.line)
    } else {
        let direct = flip == 0 && image.inside(c);
        let (src, pixel, row) = if direct {
            (sources.from(image.start(c))?, c.src.strides[2] as usize, c.src.strides[1] as usize)
        } else {
            let pixel = image.copy(c, &sources, flip, za as u8, w.stride[1].into(), &mut s.image)?;
            (&*s.image, pixel, pixel * image.extent[1] as usize)
        };
        s.taps.clear();
        for y in 0..usize::from(w.kernel[0]) {
            for x in 0..usize::from(w.kernel[1]) {
                s.taps.push(y * usize::from(w.dilation[0]) * row + x * usize::from(w.dilation[1]) * pixel);
            }
        }
        let mut tile = Depthwise {
            src,
            first: 0,
            step: [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
            extent: place.extent,
            taps: &s.taps,
            weights: &s.interleaved.kept.made.weights,
            channels,
            init: &s.init,
            dst,
            target: place.first,
            stride: place.stride,
        };
        tile.run()
    };
    if !done {
        return None;
    }
    let wraps = if then.is_some() { 0 } else { place.wraps(level, dst, bias, most) };
    super::rows::pad(m, to);
    Some(wraps)
}

/// No kernel for this CPU.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn depthwise(
    _: Level,
    _: &mut Products,
    _: &mut Memory,
    _: &ConvOp,
    _: Option<Then<'_>>,
) -> Option<u64> {
    None
}

/// The multipliers of a requantization, up to a multiple of 64 channels; whether all are below 1.
fn multipliers(m: &Memory, then: Option<Then<'_>>, channels: usize, to: &mut Vec<f32>) -> bool {
    let Some(then) = then else { return true };
    super::vector::multipliers(m, then.quant, channels, to);
    let small = to.iter().fold(true, |small, m| small & (m.abs() < 1.0));
    to.resize(channels.next_multiple_of(64), 0.0);
    small
}

impl<'a> Then<'a> {
    /// What is stored for sums.
    fn finish(&self, (multipliers, small): (&'a [f32], bool), guard: Option<Guard<'a>>) -> Finish<'a> {
        let bounds = Bounds { zero_point: self.quant.zero_point, clamp: [self.quant.lo, self.quant.hi] };
        Finish::Bytes(Scale { multipliers, small, bounds, signed: self.dst.etype == EType::S8, guard })
    }
}

/// Where activations are.
struct Source {
    /// In the copied image; else in the scratchpad.
    copied: bool,
    first: i64,
    step: [usize; 2],
    quads: usize,
    za: i32,
}

impl Products {
    fn run(
        &mut self,
        level: Level,
        m: &mut Memory,
        source: &Source,
        c: &ConvOp,
        then: Option<Then<'_>>,
    ) -> Option<u64> {
        let oc = c.dst.dims[3] as usize;
        let small = multipliers(m, then, oc, &mut self.multipliers);
        let Sides { dst, first: target, sources } = Sides::of(m, &c.dst, then.map(|t| t.dst))?;
        let start = match &c.bias {
            _ if c.accumulate => Start::Accumulate,
            Some(b) => Start::Bias(sources.from(b.base)?.get(..oc * 4)?.as_chunks().0),
            None => Start::Zero,
        };
        let finish = match (then, &start) {
            (None, _) => Finish::Sums,
            (Some(t), Start::Bias(bias)) => {
                let most = (self.taps.len() * source.quads * 4) as i64 * 255 * 255;
                t.finish((&self.multipliers, small), self.guards.guard(level, bias, most)?)
            }
            (Some(t), _) => t.finish((&self.multipliers, small), None),
        };
        let weights = &c.weights;
        let zw = weights.zero_point - if weights.etype == EType::U8 { 128 } else { 0 };
        let packed = match &self.weights.signed {
            Some(signed) => signed,
            None => sources.weights(weights)?,
        };
        let to = then.map_or(&c.dst, |t| t.dst);
        let mut tile = Tile {
            src: if source.copied { &self.image } else { sources.from(source.first)? },
            first: 0,
            step: source.step,
            extent: [to.dims[1] as usize, to.dims[2] as usize],
            taps: &self.taps,
            quads: source.quads,
            weights: packed,
            weight_sums: &self.weights.sums,
            oc,
            zeros: [source.za, zw],
            start,
            finish,
            dst,
            target,
            stride: [to.strides[1] as usize, to.strides[2] as usize],
        };
        tile.run(level, &mut self.lists)
    }
}

/// The part of the image that the taps of a tile reach, padding included.
pub(super) struct Image {
    pub(super) first: [i64; 2],
    pub(super) extent: [i64; 2],
    /// Bytes of a pixel.
    depth: usize,
}

impl Image {
    pub(super) fn of(c: &ConvOp, depth: usize) -> Image {
        let WindowDesc { kernel, stride, dilation, pads } = c.window;
        let axis = |a: usize| {
            let first = c.origin[a] * i64::from(stride[a]) - i64::from(pads[a]);
            let reach = i64::from(c.dst.dims[a + 1] - 1) * i64::from(stride[a])
                + i64::from(kernel[a] - 1) * i64::from(dilation[a]);
            (first, reach + 1)
        };
        let (y, x) = (axis(0), axis(1));
        Image { first: [y.0, x.0], extent: [y.1, x.1], depth }
    }

    /// Whether nothing of it is padding.
    pub(super) fn inside(&self, c: &ConvOp) -> bool {
        (0..2).all(|a| self.first[a] >= 0 && self.first[a] + self.extent[a] <= i64::from(c.src.dims[a + 1]))
    }

    /// Address of its first pixel, which must not be padding.
    pub(super) fn start(&self, c: &ConvOp) -> i64 {
        c.src.base + self.first[0] * c.src.strides[1] + self.first[1] * c.src.strides[2]
    }

    /// The columns of it that are not padding.
    pub(super) fn columns(&self, c: &ConvOp) -> [i64; 2] {
        let begin = (-self.first[1]).clamp(0, self.extent[1]);
        [begin, (i64::from(c.src.dims[2]) - self.first[1]).clamp(begin, self.extent[1])]
    }

    /// Copies it, padding as zero points; gives the bytes from pixel to pixel.
    fn copy(
        &self,
        c: &ConvOp,
        sources: &Sources<'_>,
        flip: u8,
        za: u8,
        stride: usize,
        to: &mut Aligned<u8>,
    ) -> Option<usize> {
        let d = &c.src;
        let n = d.dims[3] as usize;
        let pitch = usize::try_from(d.strides[2]).ok()?;
        // Whole rows can be copied at once if not much lies between pixels.
        let at_once = pitch >= self.depth && pitch < 2 * self.depth;
        let pixel = if at_once { pitch } else { self.depth };
        let [rows, columns] = self.extent.map(|n| n as usize);
        // Sixteen pixels behind the last one may be read, for nothing.
        let len = rows * columns * pixel + 16 * stride * pixel + 64;
        to.room(len);
        let [begin, end] = self.columns(c);
        for (y, line) in to.chunks_exact_mut(columns * pixel).take(rows).enumerate() {
            let iy = self.first[0] + y as i64;
            if iy < 0 || iy >= i64::from(d.dims[1]) || begin == end {
                line.fill(za);
                continue;
            }
            let (left, rest) = line.split_at_mut(begin as usize * pixel);
            let (middle, right) = rest.split_at_mut((end - begin) as usize * pixel);
            left.fill(za);
            right.fill(za);
            let start = d.base + iy * d.strides[1] + (self.first[1] + begin) * d.strides[2];
            let from = sources.from(start)?;
            if at_once {
                let len = middle.len() - (pixel - n);
                let (from, middle) = (from.get(..len)?, &mut middle[..len]);
                if flip == 0 {
                    middle.copy_from_slice(from);
                } else {
                    middle.iter_mut().zip(from).for_each(|(t, f)| *t = f ^ flip);
                }
            } else {
                for (x, to) in middle.chunks_exact_mut(pixel).enumerate() {
                    let from = from.get(x * pitch..x * pitch + n)?;
                    to[..n].iter_mut().zip(from).for_each(|(t, f)| *t = f ^ flip);
                    to[n..].fill(za);
                }
            }
        }
        Some(pixel)
    }
}
