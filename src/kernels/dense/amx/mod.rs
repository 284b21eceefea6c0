//! Matrix tiles (AMX): 32 pixels times 32 channels, activations and packed weights as they lie.
//!
//! Up to sixteen output pixels at a constant step, a *group*, are the rows of an activation tile, and up to
//! 64 bytes of the reduction its columns. The packed weights of sixteen channels already form a weight tile.
//! If the rows of an image have that step too, a group may extend into the next row; results between rows are
//! discarded.

#![expect(unsafe_code, reason = "vector kernels on raw pointers")]

mod step;

use step::{Step, Tiles};

use super::avx512;
use super::tile::{Lists, Sums, Tile};
use crate::kernels::cpu::Level;
use crate::kernels::epilogue::{Epilogue, Scale};
use crate::kernels::requantize::avx512::{Even, Rounding};

/// Input quads of one step: a divisor of their number, up to 16.
fn chunk(quads: usize) -> usize {
    let mut parts = quads.div_ceil(16);
    while !quads.is_multiple_of(parts) {
        parts += 1;
    }
    quads / parts
}

/// Whether matrix tiles pay: loading and storing sums takes as long as 50 products, and longer where rows of
/// activations straddle cache lines.
pub(super) fn suits(t: &Tile) -> bool {
    let long = t.taps.len() * t.quads >= 28 || chunk(t.quads) >= 8 || t.step[1].is_multiple_of(64);
    t.extent[0] * t.extent[1] >= 3 && chunk(t.quads) >= 3 && long
}

/// Numbering of output pixels: `of` to a row, of which the last ones may be unused, in whole groups; a group
/// is the rows of a tile.
struct Numbering {
    of: usize,
    /// A multiple of `group`.
    total: usize,
    /// At most 16.
    group: usize,
}

impl Numbering {
    fn of(t: &Tile) -> Numbering {
        let [rows, columns] = t.extent;
        let (groups, group) = groups(columns);
        let by_row = Numbering { of: groups * group, total: rows * groups * group, group };
        if rows > 1 && t.step[1] > 0 && t.step[0].is_multiple_of(t.step[1]) {
            let of = t.step[0] / t.step[1];
            let (groups, group) = groups_of_pairs((rows - 1) * of + columns);
            let on = Numbering { of, total: groups * group, group };
            if of >= columns && on.cost() < by_row.cost() {
                // Groups extend into the next row.
                return on;
            }
        }
        by_row
    }

    /// Cost in rows computed, including the overhead of each group: products of 8 rows take two thirds of the
    /// time of those of 16.
    fn cost(&self) -> usize {
        self.total + self.total / self.group * 8
    }
}

/// The number of groups, and of pixels in each, that cover `pixels`.
fn groups(pixels: usize) -> (usize, usize) {
    let groups = pixels.div_ceil(16);
    (groups, pixels.div_ceil(groups.max(1)))
}

/// The same with an even number of groups, since two are computed at once, unless there are so many that it
/// does not matter.
fn groups_of_pairs(pixels: usize) -> (usize, usize) {
    let (groups, group) = groups(pixels);
    if groups == 1 || groups > 32 || groups.is_multiple_of(2) {
        return (groups, group);
    }
    let group = pixels.div_ceil(groups + 1);
    (pixels.div_ceil(group), group)
}

/// Steps along the reduction: where they begin in a pixel's activations and in a block's weights.
fn steps(t: &Tile, chunk: usize, width: usize, to: &mut Vec<[usize; 2]>) {
    to.clear();
    let mut weights = 0;
    for tap in t.taps {
        for quad in (0..t.quads).step_by(chunk) {
            to.push([tap + quad * 4, weights]);
            weights += chunk * width * 4;
        }
    }
}

/// Offsets of all numbered pixels in source and destination; unused ones have no destination.
fn places(t: &Tile, numbering: &Numbering, to: &mut Vec<(usize, usize)>) {
    to.clear();
    let columns = t.extent[1];
    let count = numbering.total;
    let mut y = 0;
    while to.len() < count {
        let (source, target) = (t.first + y * t.step[0], t.target + y * t.stride[0]);
        let here = (count - to.len()).min(numbering.of);
        let pixels = if y < t.extent[0] { here.min(columns) } else { 0 };
        to.extend((0..pixels).map(|x| (source + x * t.step[1], target + x * t.stride[1])));
        to.extend((pixels..here).map(|x| (source + x * t.step[1], usize::MAX)));
        y += 1;
    }
}

/// The number of a group of pixels, and whether they are contiguous in the destination.
type Group = (usize, bool);

/// The requantization of sums.
struct ByteEpilogue<'a> {
    rounding: Rounding,
    scale: Scale<'a>,
    targets: &'a [(usize, usize)],
    /// Pixels of a group.
    group: usize,
    terms: &'a [i32],
    dst: *mut u8,
    /// Bytes from pixel to pixel.
    stride: usize,
    oc: usize,
    /// The weights have a zero point: `terms` is not all zeros.
    shifted: bool,
}

impl ByteEpilogue<'_> {
    /// Rounds the sums of one or two groups, `n` tiles of channels from one on; returns in how many a sum
    /// wrapped.
    ///
    /// # Safety
    /// The CPU has AVX-512. Every pixel takes its channels inside `dst`.
    unsafe fn round(&self, sums: &Sums, two: &[Group], channel: usize, n: usize) -> u64 {
        let by = self.scale.from(channel);
        let mask = (1 << (n * 16).min(self.oc - channel)) - 1;
        let (group, mut wraps) = (self.group, 0);
        for (i, (b, at_once)) in two.iter().enumerate() {
            let places = &self.targets[b * group..(b + 1) * group];
            let sums = (sums.0[i * 512..].as_ptr(), 32);
            // SAFETY: as the function says; `sums` holds sixteen rows, and operands of this block are there.
            let wrapped = unsafe {
                if *at_once && !self.shifted {
                    let to = Even(self.dst.wrapping_add(places[0].1 + channel), self.stride);
                    match n {
                        1 => self.rounding.rows::<1, false>(sums, &[0; 16], by, to, group, mask),
                        _ => self.rounding.rows::<2, false>(sums, &[0; 16], by, to, group, mask),
                    }
                } else {
                    let to: &[*mut u8; 16] = &std::array::from_fn(|row| match places.get(row) {
                        None | Some((_, usize::MAX)) => std::ptr::null_mut(),
                        Some((_, target)) => self.dst.wrapping_add(target + channel),
                    });
                    let terms: &[i32; 16] =
                        &std::array::from_fn(|row| self.terms.get(b * group + row).copied().unwrap_or(0));
                    match (n, self.shifted) {
                        (1, false) => self.rounding.rows::<1, false>(sums, terms, by, to, group, mask),
                        (_, false) => self.rounding.rows::<2, false>(sums, terms, by, to, group, mask),
                        (1, true) => self.rounding.rows::<1, true>(sums, terms, by, to, group, mask),
                        _ => self.rounding.rows::<2, true>(sums, terms, by, to, group, mask),
                    }
                }
            };
            wraps += u64::from(wrapped != 0);
        }
        wraps
    }
}

/// Computes a tile for which [`Tile::fits`] and [`suits`] hold.
pub(super) fn run(t: &mut Tile, level: Level, plain: bool, lists: &mut Lists) -> u64 {
    let numbering = Numbering::of(t);
    let chunk = chunk(t.quads);
    let reach = t.reach();
    let columns = t.extent[1];
    let mut targets = std::mem::take(&mut lists.pixels);
    places(t, &numbering, &mut targets);
    let group = numbering.group;
    // Groups that would read beyond the end are left to the AVX-512 kernel.
    let groups = targets.len() / group;
    let inside = |b: usize| targets[(b + 1) * group - 1].0 + reach <= t.src.len();
    let dense = numbering.of == columns && t.stride[0] == columns * t.stride[1];
    let at_once = |b: usize| {
        targets[(b + 1) * group - 1].1 != usize::MAX && (dense || b * group % numbering.of + group <= columns)
    };
    let mut blocks = std::mem::take(&mut lists.blocks);
    blocks.clear();
    blocks.extend((0..groups).filter(|b| inside(*b)).map(|b| (b, at_once(b))));
    let rest: Vec<(usize, usize)> = (0..groups)
        .filter(|b| !inside(*b))
        .flat_map(|b| targets[b * group..(b + 1) * group].iter().copied().filter(|p| p.1 != usize::MAX))
        .collect();
    let mut terms = std::mem::take(&mut lists.terms);
    terms.clear();
    if t.zeros[1] == 0 {
        terms.resize(targets.len(), 0);
    } else {
        for (b, pixels) in targets.chunks_exact(group).enumerate() {
            terms.extend(
                pixels
                    .iter()
                    .map(|(source, _)| if inside(b) { avx512::zero_point_term(t, *source) } else { 0 }),
            );
        }
    }
    let mut wraps = 0;
    // SAFETY: the CPU has AMX and the system permits it: only detection makes this level. No function called
    // here uses tiles otherwise.
    let tiles = unsafe { Tiles::new(group, chunk) };
    let bytes = match t.epilogue {
        Epilogue::Sums => None,
        Epilogue::Bytes(scale) => Some(ByteEpilogue {
            // SAFETY: a CPU with AMX has AVX-512.
            rounding: unsafe { Rounding::new(scale.bounds, scale.signed, scale.small) },
            scale,
            targets: &targets,
            group,
            terms: &terms,
            dst: t.dst.as_mut_ptr(),
            stride: t.stride[1],
            oc: t.oc,
            shifted: t.zeros[1] != 0,
        }),
    };
    // The groups whose sums are in the tiles and not yet requantized.
    let mut waiting: Option<(&[Group], usize)> = None;
    let mut at = 0;
    for first in (0..t.oc).step_by(64) {
        let width = (t.oc - first).min(64).next_multiple_of(16);
        steps(t, chunk, width, &mut lists.steps);
        // Activations of two groups stay in the first-level cache from one pair of weight tiles to the next.
        for two in blocks.chunks(2) {
            for pair in (0..width).step_by(32) {
                let n = ((width - pair) / 16).min(2);
                let channel = first + pair;
                let m = two.len();
                let place = |i: usize| targets[two[i.min(m - 1)].0 * group].0;
                let step = Step {
                    a: [place(0), place(1)].map(|o| t.src.as_ptr().wrapping_add(o)),
                    a_step: t.step[1],
                    b: t.weights[at + pair * 4..].as_ptr(),
                    b_step: width * 4,
                    steps: &lists.steps,
                    init: lists.init[channel..channel + n * 16].as_ptr(),
                };
                let sums: *mut u8 = lists.sums.0.as_mut_ptr().cast();
                // SAFETY: every group reads inside `src` (`inside`), the weights of a block are inside
                // `weights`, `sums` takes four tiles, and every pixel takes its channels inside `dst`
                // (`Tile::fits`). A CPU with AMX has AVX-512.
                unsafe {
                    if let Some(bytes) = &bytes
                        && (m, n) == (2, 2)
                    {
                        step.next(sums);
                        if let Some((two, channel)) = waiting.replace((two, channel)) {
                            wraps += bytes.round(&lists.sums, two, channel, 2);
                        }
                        continue;
                    }
                    if let (Some(bytes), Some((two, channel))) = (&bytes, waiting.take()) {
                        tiles.store(sums);
                        wraps += bytes.round(&lists.sums, two, channel, 2);
                    }
                    let all = plain && t.zeros[1] == 0 && channel + n * 16 <= t.oc && two.iter().all(|b| b.1);
                    if all && bytes.is_none() {
                        let row = |i: usize| targets[two[i.min(m - 1)].0 * group].1 + channel * 4;
                        let base = t.dst.as_mut_ptr();
                        let to = [row(0), row(0) + 64, row(1), row(1) + 64];
                        step.compute(m, n, to.map(|o| base.wrapping_add(o)), t.stride[1]);
                        continue;
                    }
                    step.compute(m, n, [0, 64, 2048, 2112].map(|o| sums.wrapping_add(o)), 128);
                    if let Some(bytes) = &bytes {
                        wraps += bytes.round(&lists.sums, two, channel, n);
                        continue;
                    }
                }
                for (i, (b, _)) in two.iter().enumerate() {
                    for (row, (_, target)) in targets[b * group..(b + 1) * group].iter().enumerate() {
                        if *target == usize::MAX {
                            continue;
                        }
                        let n = (n * 16).min(t.oc - channel);
                        let sums = &lists.sums.0[i * 512 + row * 32..][..n];
                        let terms = terms[b * group + row];
                        if plain {
                            let at = target + channel * 4;
                            let to = t.dst.get_mut(at..at + n * 4).unwrap_or_default();
                            let to = to.as_chunks_mut::<4>().0;
                            to.iter_mut()
                                .zip(sums)
                                .for_each(|(t, s)| *t = s.wrapping_sub(terms).to_le_bytes());
                        } else {
                            wraps += t.accumulate(level, terms, *target, channel, sums);
                        }
                    }
                }
            }
        }
        at += t.block_bytes(width);
    }
    if let (Some(bytes), Some((two, channel))) = (&bytes, waiting) {
        // SAFETY: as above.
        unsafe {
            tiles.store(lists.sums.0.as_mut_ptr().cast());
            wraps += bytes.round(&lists.sums, two, channel, 2);
        }
    }
    drop(tiles);
    if !rest.is_empty() {
        let oc = t.oc;
        wraps += avx512::some(t, level, plain, lists, &rest, 0..oc);
    }
    lists.pixels = targets;
    lists.terms = terms;
    lists.blocks = blocks;
    wraps
}
