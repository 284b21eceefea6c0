//! Products of bytes by the tile kernels. Activations are read in the scratchpad where that is possible, else
//! from a copy of the tile's image with its padding; packed weights are converted to signed ones where
//! necessary. Sums go to the accumulators or, fused with the requantization that alone reads them, become
//! bytes at once.

use super::fused::Fused;
use super::handled::Handled;
use super::image::Image;
use super::sides::Sides;
use super::weights::{DenseWeights, DepthwiseWeights};
use crate::isa::{EType, Space, TensorDesc};
use crate::kernels::accumulate::start_values;
use crate::kernels::aligned::Aligned;
use crate::kernels::cpu::Level;
use crate::kernels::dense::{self, Lists, Place, Start, Tile};
use crate::kernels::depthwise::{self, Columns, Taps};
use crate::kernels::epilogue::{Epilogue, GuardRoom};
use crate::kernels::view::View;
use crate::sim::access::padded_dims;
use crate::sim::memory::Memory;
use crate::sim::op::ConvOp;

/// Buffers kept between operations, and the weights of the last product.
#[derive(Debug, Default)]
pub(super) struct Products {
    image: Aligned<u8>,
    taps: Vec<usize>,
    lists: Lists,
    weights: DenseWeights,
    depthwise: DepthwiseWeights<u8>,
    init: Aligned<i32>,
    multipliers: Vec<f32>,
    /// Sums of one line of a depthwise product.
    line: Aligned<i32>,
    guards: GuardRoom,
}

impl Products {
    /// Forgets everything but what was made from constants.
    pub(super) fn reset(&mut self) {
        self.weights.reset();
        self.depthwise.reset();
    }

    /// Bytes of the scratchpad have changed: forgets weights that were made from them.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        self.weights.changed(range);
        self.depthwise.changed(range);
    }
}

/// Whether the operands, those of the requantization included, have types and places that the kernels take.
fn are_bytes(level: Level, c: &ConvOp, fused: Option<Fused<'_>>) -> bool {
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
        && fused.is_none_or(|t| t.is_of_bytes(dst))
}

/// For signed activations, the sign bit to flip, so that they become unsigned, and the zero point moved with
/// them.
fn sign(d: &TensorDesc) -> (u8, i32) {
    if d.etype == EType::S8 { (0x80, d.zero_point + 128) } else { (0, d.zero_point) }
}

/// The dense convolution, or the bytes that the fused requantization makes of it.
pub(super) fn conv(
    level: Level,
    s: &mut Products,
    m: &mut Memory,
    c: &ConvOp,
    fused: Option<Fused<'_>>,
) -> Handled {
    if !are_bytes(level, c, fused) {
        return None;
    }
    s.weights.ready(level, m, &c.weights, c.pruned.as_ref())?;
    let quads = c.weights.dims[3].div_ceil(4) as usize;
    let w = &c.window;
    let image = Image::of(c);
    let (flip, za) = sign(&c.src);
    let pitch = c.src.strides[2] as usize;
    // Channels beyond the last one are read too, so they must be the pixel's own padding lanes.
    let own = padded_dims(&c.src)[3] as usize >= quads * 4;
    let direct = flip == 0 && own && image.inside(c) && pitch >= quads * 4;
    let (first, pixel, row) = if direct {
        (image.start(c), pitch, c.src.strides[1] as usize)
    } else {
        let Sides { sources, .. } = Sides::of(m, &c.dst, fused.map(|t| t.dst))?;
        let pixel = image.copy(c, &sources, quads * 4, (flip, za as u8), &mut s.image)?;
        (0, pixel, pixel * image.extent[1] as usize)
    };
    // The taps of a row are contiguous: one tap with more channels.
    let merged = w.dilation[1] == 1 && pixel == quads * 4;
    Image::taps(c, [row, pixel], merged, &mut s.taps);
    let quads = if merged { quads * usize::from(w.kernel[1]) } else { quads };
    let step = [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])];
    let source = Source { copied: !direct, first, step, quads, za };
    let wraps = s.run(level, m, &source, c, fused)?;
    super::rows::pad(m, fused.map_or(&c.dst, |t| t.dst));
    Some(wraps)
}

/// The depthwise convolution, or the bytes that the fused requantization makes of it.
pub(super) fn depthwise(
    level: Level,
    s: &mut Products,
    m: &mut Memory,
    c: &ConvOp,
    fused: Option<Fused<'_>>,
) -> Handled {
    if c.accumulate || c.pruned.is_some() || !are_bytes(level, c, fused) {
        return None;
    }
    let channels = c.weights.dims[3] as usize;
    let (flip, za) = sign(&c.src);
    let w = &c.window;
    let by_columns = depthwise::has_columns(level, w.kernel, w.stride, w.dilation);
    if !by_columns && (fused.is_some() || !depthwise::has_taps(level)) {
        return None;
    }
    let kernel = by_columns.then_some(usize::from(w.kernel[0]));
    s.depthwise.ready(m, &c.weights, by_columns, |weights, channels, to| {
        depthwise::pack(level, weights, kernel, channels, to)
    })?;
    let small = Fused::multipliers(fused, m, channels, &mut s.multipliers);
    let Sides { mut dst, first: target, sources } = Sides::of(m, &c.dst, fused.map(|t| t.dst))?;
    let bias = match &c.bias {
        Some(b) => sources.bytes(b.base, channels * 4)?.as_chunks::<4>().0,
        None => &[],
    };
    let most = i64::from(w.kernel[0]) * i64::from(w.kernel[1]) * 255 * 255;
    let epilogue = match fused {
        Some(t) => t.epilogue((&s.multipliers, small), s.guards.guard(level, bias, most)?),
        None => Epilogue::Sums,
    };
    let init = s.init.room(channels.next_multiple_of(64));
    init[channels..].fill(0);
    start_values(level, &mut init[..channels], s.depthwise.sums(), za, bias);
    let to = fused.map_or(&c.dst, |t| t.dst);
    let place = Place {
        first: target,
        stride: [to.strides[1] as usize, to.strides[2] as usize],
        extent: [to.dims[1] as usize, to.dims[2] as usize],
    };
    let image = Image::of(c);
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
            weights: s.depthwise.packed(),
            channels,
            init: &s.init,
            epilogue,
            dst: dst.lend(),
            target: place.first,
            step: place.stride,
        };
        depthwise::run_columns(&mut tile, level, &mut s.line)
    } else {
        let direct = flip == 0 && image.inside(c);
        let (src, pixel, row) = if direct {
            (sources.from(image.start(c))?, c.src.strides[2] as usize, c.src.strides[1] as usize)
        } else {
            let pixel = image.copy(c, &sources, channels, (flip, za as u8), &mut s.image)?;
            (View::from(&*s.image), pixel, pixel * image.extent[1] as usize)
        };
        Image::taps(c, [row, pixel], false, &mut s.taps);
        let mut tile = Taps {
            src,
            first: 0,
            step: [row * usize::from(w.stride[0]), pixel * usize::from(w.stride[1])],
            extent: place.extent,
            taps: &s.taps,
            weights: s.depthwise.packed(),
            channels,
            init: &s.init,
            dst: dst.lend(),
            target: place.first,
            stride: place.stride,
        };
        depthwise::run_taps(&mut tile, level)
    };
    if !done {
        return None;
    }
    let wraps = if fused.is_some() { 0 } else { place.wraps(level, &dst, bias, most) };
    super::rows::pad(m, to);
    Some(wraps)
}

/// Where the activations of a tile are read.
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
        fused: Option<Fused<'_>>,
    ) -> Handled {
        let oc = c.dst.dims[3] as usize;
        let small = Fused::multipliers(fused, m, oc, &mut self.multipliers);
        let Sides { dst, first: target, sources } = Sides::of(m, &c.dst, fused.map(|t| t.dst))?;
        let start = match &c.bias {
            _ if c.accumulate => Start::Accumulate,
            Some(b) => Start::Bias(sources.bytes(b.base, oc * 4)?.as_chunks().0),
            None => Start::Zero,
        };
        let epilogue = match (fused, &start) {
            (None, _) => Epilogue::Sums,
            (Some(t), Start::Bias(bias)) => {
                let most = (self.taps.len() * source.quads * 4) as i64 * 255 * 255;
                t.epilogue((&self.multipliers, small), self.guards.guard(level, bias, most)?)
            }
            (Some(t), _) => t.epilogue((&self.multipliers, small), None),
        };
        let weights = &c.weights;
        let zw = weights.zero_point - if weights.etype == EType::U8 { 128 } else { 0 };
        let packed = match self.weights.signed() {
            Some(signed) => signed,
            None => sources.weights(weights, self.weights.bytes())?,
        };
        let to = fused.map_or(&c.dst, |t| t.dst);
        let mut tile = Tile {
            src: if source.copied { View::from(&*self.image) } else { sources.from(source.first)? },
            first: 0,
            step: source.step,
            extent: [to.dims[1] as usize, to.dims[2] as usize],
            taps: &self.taps,
            quads: source.quads,
            weights: packed,
            weight_sums: self.weights.sums(),
            oc,
            zeros: [source.za, zw],
            start,
            epilogue,
            dst,
            target,
            stride: [to.strides[1] as usize, to.strides[2] as usize],
        };
        dense::run(&mut tile, level, &mut self.lists)
    }
}
