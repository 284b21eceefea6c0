//! Weights made ready for the kernels of `simd`: signed, with their sums, and remembered until the scratchpad changes there.
//! Those in the constants never change, so what is made of them is remembered for good.

use std::collections::BTreeMap;

use super::Level;
use super::aligned::Aligned;
use crate::isa::blocks::{BLOCK, BLOCK_ELEMENTS};
use crate::isa::{BlockGrid, EType, Space, TensorDesc};
use crate::sim::memory::Memory;
use crate::sim::op::Pruned;

/// Depthwise weights in the order of the kernel for columns, or of the one for taps, and `Σ(w − zw)` of each channel.
#[derive(Debug, Default)]
pub(super) struct Made<W, S> {
    pub(super) weights: Aligned<W>,
    pub(super) sums: Vec<S>,
}

/// What depthwise weights were made ready: those, and whether for the kernel for columns.
pub(super) type Wanted = (TensorDesc, bool);

/// What was made of the last depthwise weights, and of all those in the constants, by address.
#[derive(Debug, Default)]
pub(super) struct Kept<W, S> {
    /// Of what; none if the scratchpad has changed there.
    pub(super) of: Option<Wanted>,
    /// The bytes of the scratchpad that it was made from.
    range: (i64, i64),
    pub(super) made: Made<W, S>,
    constants: BTreeMap<i64, (Wanted, Made<W, S>)>,
}

impl<W: Default, S: Default> Kept<W, S> {
    /// The engine forgets everything but constants.
    pub(super) fn reset(&mut self) {
        if let Some(known) = self.of.take().filter(|of| of.0.space == Space::Dram) {
            self.constants.insert(known.0.base, (known, std::mem::take(&mut self.made)));
        }
    }

    /// Bytes of the scratchpad change.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        if meet(self.range, range) {
            self.of = None;
        }
    }

    /// Whether what is wanted is there. Else it is to be made, and then [`of`](Kept::of) says so; none if weights are not
    /// next to each other.
    pub(super) fn holds(&mut self, wanted: Wanted) -> Option<bool> {
        if self.of == Some(wanted) {
            return Some(true);
        }
        self.reset();
        let d = wanted.0;
        if d.strides[3] != 1 || d.dims[3] == 0 {
            return None;
        }
        self.range = (0, 0);
        if d.space != Space::Dram {
            self.range = crate::sim::access::Region::Box(&d, d.dims).span()?;
        } else if let Some((known, made)) = self.constants.remove(&d.base).filter(|(of, _)| *of == wanted) {
            (self.of, self.made) = (Some(known), made);
            return Some(true);
        }
        Some(false)
    }
}

/// Depthwise weights made ready: signed and interleaved, with their sums.
#[derive(Debug, Default)]
pub(super) struct Interleaved {
    differences: Vec<i16>,
    plain: Vec<u8>,
    pub(super) kept: Kept<u8, i32>,
}

/// Weights made ready: signed, with their sums.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// Of what; none if the scratchpad has changed there.
    pub(super) of: Option<(TensorDesc, Option<Pruned>)>,
    /// The bytes of the scratchpad that they were made from.
    range: (i64, i64),
    /// Signed weights, if they are not those in the scratchpad.
    pub(super) signed: Option<Aligned<u8>>,
    /// `Σ(w − zw)` of each channel.
    pub(super) sums: Vec<i32>,
    /// The same of weights in the constants, by address: all that such weights need.
    constants: BTreeMap<i64, (TensorDesc, Vec<i32>)>,
}

/// Whether two ranges of bytes have one in common.
fn meet(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

impl Ready {
    /// Bytes of the scratchpad change.
    pub(super) fn changed(&mut self, range: (i64, i64)) {
        if meet(self.range, range) {
            self.of = None;
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Interleaved {
    /// Makes weights ready, unless they are those of the last product; `columns` for square kernels, in the order of columns,
    /// where differences that do not fit a byte have the rest in a second set of weights. None if the other order has such, or
    /// one does not fit two bytes.
    pub(super) fn ready(&mut self, level: Level, m: &Memory, d: &TensorDesc, columns: bool) -> Option<()> {
        let wanted = (*d, columns);
        if self.kept.holds(wanted)? {
            return Some(());
        }
        let [_, kh, kw, channels] = d.dims.map(|n| n as usize);
        self.differences.clear();
        self.kept.made.sums.clear();
        self.kept.made.sums.resize(channels, 0);
        self.plain.clear();
        let (signed, zero) = (d.etype == EType::S8, d.zero_point as i16);
        // Such weights are their own differences.
        let plain = signed && zero == 0;
        for y in 0..kh as i64 {
            for x in 0..kw as i64 {
                let row = m.read(d.space, d.base + y * d.strides[1] + x * d.strides[2], channels);
                if plain {
                    self.plain.extend_from_slice(row);
                    super::kernels::sum_bytes(level, &mut self.kept.made.sums, row, true, 0);
                    continue;
                }
                let value = |w: &u8| if signed { i16::from(*w as i8) } else { i16::from(*w) };
                let begin = self.differences.len();
                self.differences.extend(row.iter().map(|w| value(w) - zero));
                let row = &self.differences[begin..];
                self.kept.made.sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += i32::from(*w));
            }
        }
        if matches!(level, Level::Avx2(_) | Level::AvxVnni(_)) {
            if plain {
                self.differences.extend(self.plain.iter().map(|w| i16::from(*w as i8)));
            }
            columns.then_some(())?;
            let vnni = matches!(level, Level::AvxVnni(_));
            let weights = super::simd::ymm::columns::interleave(&self.differences, kh, channels, vnni);
            self.kept.made.weights.copy(&weights);
            self.kept.of = Some(wanted);
            return Some(());
        }
        // Two bytes make up each difference between −256 and 254; the one that is left is for others.
        if self.differences.contains(&255) {
            return None;
        }
        let first = |w: &i16| (*w).clamp(-128, 127) as i8;
        self.plain.extend(self.differences.iter().map(|w| first(w) as u8));
        let fit = self.differences.iter().all(|w| (-128..=127).contains(w));
        if columns {
            let set = super::simd::columns::set_bytes(kh, channels);
            let sets = self.kept.made.weights.room(if fit { set } else { 2 * set });
            let (one, other) = sets.split_at_mut(set);
            super::simd::columns::interleave(level, &self.plain, kh, channels, one);
            if !fit {
                self.plain.clear();
                self.plain.extend(self.differences.iter().map(|w| (w - i16::from(first(w))) as u8));
                super::simd::columns::interleave(level, &self.plain, kh, channels, other);
            }
        } else {
            fit.then_some(())?;
            self.kept.made.weights.copy(&super::simd::depthwise::interleave(&self.plain, channels));
        }
        self.kept.of = Some(wanted);
        Some(())
    }
}

impl Ready {
    /// Makes weights ready, unless they are those of the last product.
    pub(super) fn ready(
        &mut self,
        level: Level,
        m: &Memory,
        d: &TensorDesc,
        pruned: Option<&Pruned>,
    ) -> Option<()> {
        let of = (*d, pruned.copied());
        if self.of == Some(of) {
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
        let total = oc.next_multiple_of(16) * taps * quads * 4;
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
            add_up(level, block, sums);
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

/// Adds signed packed weights of a block, rows of `sums.len()` channels, up for each channel.
fn add_up(level: Level, block: &[u8], sums: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    if matches!(level, Level::Avx512Vnni(_) | Level::Amx(_)) {
        super::simd::vnni::sums(block, sums);
        return;
    }
    super::kernels::sum_quads(level, block, sums);
}

/// Writes the zero point to the input channels beyond the last one: programs may leave anything there.
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

/// Pruned weights in the packed order, the absent ones zero points.
fn unpruned(m: &Memory, d: &TensorDesc, pruned: &Pruned, flip: u8, zero: u8) -> Option<Aligned<u8>> {
    let [oc, kh, kw, ic] = d.dims.map(|n| n as usize);
    let (taps, quads) = (kh * kw, ic.div_ceil(4));
    let mut to = Aligned::default();
    to.room(oc.next_multiple_of(16) * taps * quads * 4).fill(zero);
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
