//! Weights prepared for kernels: in the kernels' order, with their sums. They are kept until the scratchpad
//! changes there; those from the constants, which never change, are kept for good.

use std::collections::BTreeMap;

use crate::isa::blocks::{BLOCK, BLOCK_ELEMENTS};
use crate::isa::{BlockGrid, EType, Space, TensorDesc};
use crate::kernels::aligned::Aligned;
use crate::kernels::cpu::Level;
use crate::kernels::pack::sum_quads;
use crate::sim::access::Region;
use crate::sim::memory::Memory;
use crate::sim::op::Pruned;

/// Whether two ranges of bytes intersect.
pub(super) fn meet(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// Depthwise weights in a kernel's order, and `Σ(w − zw)` of each channel.
#[derive(Debug)]
struct Packed<W> {
    weights: Aligned<W>,
    sums: Vec<i32>,
}

impl<W: Copy + Default> Default for Packed<W> {
    fn default() -> Self {
        Packed { weights: Aligned::default(), sums: Vec::new() }
    }
}

/// What depthwise weights were packed from, and whether for the kernel that works by columns.
type Key = (TensorDesc, bool);

/// Packed depthwise weights: those of the last product, and all from the constants, by address.
#[derive(Debug)]
pub(super) struct DepthwiseWeights<W> {
    /// The present ones; `None` if their bytes in the scratchpad have changed.
    of: Option<Key>,
    /// The bytes of the scratchpad that they were packed from.
    range: (i64, i64),
    present: Packed<W>,
    constants: BTreeMap<i64, (Key, Packed<W>)>,
    differences: Vec<i16>,
}

impl<W: Copy + Default> Default for DepthwiseWeights<W> {
    fn default() -> Self {
        let (of, range, present) = (None, (0, 0), Packed::default());
        DepthwiseWeights { of, range, present, constants: BTreeMap::new(), differences: Vec::new() }
    }
}

impl<W: Copy + Default> DepthwiseWeights<W> {
    /// Forgets everything but constants.
    pub(super) fn reset(&mut self) {
        if let Some(known) = self.of.take().filter(|of| of.0.space == Space::Dram) {
            self.constants.insert(known.0.base, (known, std::mem::take(&mut self.present)));
        }
    }

    /// Bytes of the scratchpad have changed.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        if meet(self.range, range) {
            self.of = None;
        }
    }

    /// The present weights in the order of the kernel.
    pub(super) fn packed(&self) -> &[W] {
        &self.present.weights
    }

    /// `Σ(w − zw)` of each channel.
    pub(super) fn sums(&self) -> &[i32] {
        &self.present.sums
    }

    /// Whether these are the present weights.
    pub(super) fn are(&self, d: &TensorDesc, columns: bool) -> bool {
        self.of == Some((*d, columns))
    }

    /// Prepares weights. `pack` gets them without their zero point, `[tap][channel]`, brings them into the
    /// kernel's order, and returns whether the kernel takes them. `None` if it does not, or if the weights
    /// are not contiguous.
    pub(super) fn ready(
        &mut self,
        m: &Memory,
        d: &TensorDesc,
        columns: bool,
        pack: impl FnOnce(&[i16], usize, &mut Aligned<W>) -> bool,
    ) -> Option<()> {
        if self.are(d, columns) {
            return Some(());
        }
        self.reset();
        let [_, kh, kw, channels] = d.dims.map(|n| n as usize);
        if d.strides[3] != 1 || channels == 0 {
            return None;
        }
        self.range = (0, 0);
        if d.space != Space::Dram {
            self.range = Region::Box(d, d.dims).span()?;
        } else if let Some((known, packed)) =
            self.constants.remove(&d.base).filter(|(of, _)| *of == (*d, columns))
        {
            (self.of, self.present) = (Some(known), packed);
            return Some(());
        }
        self.differences.clear();
        self.present.sums.clear();
        self.present.sums.resize(channels, 0);
        let (signed, zero) = (d.etype == EType::S8, d.zero_point as i16);
        for y in 0..kh as i64 {
            for x in 0..kw as i64 {
                let row = m.read(d.space, d.base + y * d.strides[1] + x * d.strides[2], channels);
                for (w, sum) in row.iter().zip(&mut self.present.sums) {
                    let w = if signed { i16::from(*w as i8) } else { i16::from(*w) } - zero;
                    *sum = sum.wrapping_add(w.into());
                    self.differences.push(w);
                }
            }
        }
        pack(&self.differences, channels, &mut self.present.weights).then_some(())?;
        self.of = Some((*d, columns));
        Some(())
    }
}

/// Packed weights of dense products, converted to signed ones, with their sums.
#[derive(Debug, Default)]
pub(super) struct DenseWeights {
    /// The present ones; `None` if their bytes in the scratchpad have changed.
    of: Option<(TensorDesc, Option<Pruned>)>,
    /// The bytes of the scratchpad that they were made from.
    range: (i64, i64),
    /// The signed weights, if the ones in memory are not.
    signed: Option<Aligned<u8>>,
    /// `Σ(w − zw)` of each channel.
    sums: Vec<i32>,
    /// Sums of weights in the constants, by address. The weights themselves are read in place.
    constants: BTreeMap<i64, (TensorDesc, Vec<i32>)>,
}

/// Bytes of packed weights.
fn packed_bytes(d: &TensorDesc) -> usize {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    oc.next_multiple_of(16) * kh * kw * ic.next_multiple_of(4)
}

impl DenseWeights {
    /// Forgets the present ones.
    pub(super) fn reset(&mut self) {
        self.of = None;
    }

    /// Bytes of the scratchpad have changed.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        if meet(self.range, range) {
            self.of = None;
        }
    }

    /// The signed weights, if the ones in memory are not.
    pub(super) fn signed(&self) -> Option<&[u8]> {
        self.signed.as_deref()
    }

    /// `Σ(w − zw)` of each channel.
    pub(super) fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Whether these are the present weights.
    pub(super) fn are(&self, d: &TensorDesc, pruned: Option<Pruned>) -> bool {
        self.of == Some((*d, pruned))
    }

    /// Bytes of the present weights.
    pub(super) fn bytes(&self) -> usize {
        self.of.map_or(0, |(d, _)| packed_bytes(&d))
    }

    /// Prepares weights; `None` if they do not lie in the scratchpad or the constants, or not whole.
    pub(super) fn ready(
        &mut self,
        level: Level,
        m: &Memory,
        d: &TensorDesc,
        pruned: Option<&Pruned>,
    ) -> Option<()> {
        let of = (*d, pruned.copied());
        if self.are(d, of.1) {
            return Some(());
        }
        self.of = None;
        let constant = d.space == Space::Dram;
        if let Some((_, sums)) =
            self.constants.get(&d.base).filter(|known| constant && pruned.is_none() && known.0 == *d)
        {
            self.sums.clone_from(sums);
            (self.signed, self.range, self.of) = (None, (0, 0), Some(of));
            return Some(());
        }
        let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
        let (taps, quads) = (kh * kw, ic.div_ceil(4));
        let total = packed_bytes(d);
        let flip = if d.etype == EType::U8 { 0x80 } else { 0 };
        let zero = (d.zero_point as u8) ^ flip;
        self.signed = match pruned {
            Some(p) => {
                let stream = p.blocks as usize * BLOCK_ELEMENTS;
                self.range = (d.base, d.base + stream as i64);
                Some(unpruned(m, d, p, flip, zero)?)
            }
            None => {
                self.range = (d.base, d.base + total as i64);
                let packed = m.read(d.space, d.base, total);
                (flip != 0 || !ic.is_multiple_of(4)).then(|| {
                    let mut signed = Aligned::default();
                    signed.room(total).iter_mut().zip(packed).for_each(|(to, w)| *to = w ^ flip);
                    signed
                })
            }
        };
        if let Some(signed) = &mut self.signed {
            clear_padding(signed, oc, taps, ic, zero);
        }
        let packed = self.signed.as_deref().unwrap_or_else(|| m.read(d.space, d.base, total));
        if packed.len() != total {
            return None;
        }
        self.sums.clear();
        self.sums.resize(oc.next_multiple_of(16), 0);
        let lost = (taps * quads * 4) as i32 * i32::from(zero as i8);
        let mut rest = packed;
        for first in (0..oc).step_by(64) {
            let width = (oc - first).min(64).next_multiple_of(16);
            let (block, later) = rest.split_at(width * taps * quads * 4);
            rest = later;
            let sums = &mut self.sums[first..first + width];
            sum_quads(level, block, sums);
            sums.iter_mut().for_each(|s| *s -= lost);
        }
        if constant {
            self.range = (0, 0);
        }
        if constant && pruned.is_none() && self.signed.is_none() {
            self.constants.insert(d.base, (*d, self.sums.clone()));
        }
        self.of = Some(of);
        Some(())
    }
}

/// Sets the input channels beyond the last one to the zero point: programs may leave anything there.
fn clear_padding(packed: &mut [u8], oc: usize, taps: usize, ic: usize, zero: u8) {
    let (used, quads) = (ic % 4, ic.div_ceil(4));
    if used == 0 {
        return;
    }
    let mut rest = packed;
    for first in (0..oc).step_by(64) {
        let width = (oc - first).min(64).next_multiple_of(16);
        let (block, later) = rest.split_at_mut((width * taps * quads * 4).min(rest.len()));
        rest = later;
        for tap in block.chunks_exact_mut(quads * width * 4) {
            let last = &mut tap[(quads - 1) * width * 4..];
            last.as_chunks_mut::<4>().0.iter_mut().for_each(|four| four[used..].fill(zero));
        }
    }
}

/// Pruned weights in the packed order, with zero points for absent blocks.
fn unpruned(m: &Memory, d: &TensorDesc, pruned: &Pruned, flip: u8, zero: u8) -> Option<Aligned<u8>> {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    let (taps, quads) = (kh * kw, ic.div_ceil(4));
    let mut to = Aligned::default();
    to.room(packed_bytes(d)).fill(zero);
    let mask = m.read(Space::Dram, pruned.mask, pruned.mask_bytes);
    let stream = m.read(d.space, d.base, pruned.blocks as usize * BLOCK_ELEMENTS);
    for ([o, tap, i], bytes) in BlockGrid::of(d.dims).present(mask).zip(stream.chunks_exact(BLOCK_ELEMENTS)) {
        let [o, tap, first] = [o as usize * BLOCK, tap as usize, i as usize * BLOCK / 4];
        let block = o / 64 * 64;
        let width = (oc - block).min(64).next_multiple_of(16);
        // A block holds four quads of sixteen channels: [quad][channel][4].
        for (quad, from) in bytes.as_chunks::<64>().0.iter().enumerate().take(quads - first) {
            let at = block * taps * quads * 4 + ((tap * quads + first + quad) * width + o % 64) * 4;
            to.get_mut(at..at + 64)?.iter_mut().zip(from).for_each(|(t, f)| *t = f ^ flip);
        }
    }
    Some(to)
}
