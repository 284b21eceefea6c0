//! Counting of values into bins, which takes a large part of the time of a calibration.
//!
//! Each value costs one store, which cannot be vectorized; everything else is done in vectors of the host CPU
//! (by `rten-simd`, which is safe code), in the same loop, so that both overlap: one part of the values is
//! examined while the part before is counted. Vectors of zeros only, which occur in long rows behind a Relu,
//! cost no store.

use rten_simd::ops::{BitOps, FloatOps, IntOps, MaskOps, NumOps, ToFloat};
use rten_simd::{Isa, Simd, SimdOp};

use super::histogram::{BINS, Histogram};

/// Values that are examined together, while they are in the first-level cache.
pub(super) const PART: usize = 1 << 10;
/// Values of one step; at least the vector length of any CPU.
const GROUP: usize = 16;
/// Counters of a bin that are used in turn (`2^LANES` of them), so that equal values in a row do not wait for
/// each other.
const LANES: i32 = 2;
/// Counters of all bins: a power of two, so that an index needs no check.
const TABLE: usize = (2 * BINS) << LANES;
/// Values after which the counters are emptied.
const FULL: u32 = 1 << 30;

/// No bin is used.
const UNUSED: [usize; 2] = [2 * BINS, 0];

/// The counter of its bin for each value of a group.
const TURNS: [i32; GROUP] = {
    let mut made = [0; GROUP];
    let mut at = 0;
    while at < GROUP {
        made[at] = at as i32 % (1 << LANES);
        at += 1;
    }
    made
};

/// Counters of one thread, used for one tensor after another.
#[derive(Debug, Clone)]
pub struct Counters {
    table: Box<[u32; TABLE]>,
    /// Table indices of the values examined last, and of those before.
    waiting: [Box<[i32; PART]>; 2],
    /// How many are still to be counted.
    count: usize,
    /// Range of used bins: the first, and one past the last.
    used: [usize; 2],
    /// Zeros counted by whole vectors.
    zeros: u32,
    /// Number of counted values: at most what a counter can hold.
    total: u32,
}

impl Default for Counters {
    fn default() -> Counters {
        let part = || Box::new([0; PART]);
        Counters {
            table: Box::new([0; TABLE]),
            waiting: [part(), part()],
            count: 0,
            used: UNUSED,
            zeros: 0,
            total: 0,
        }
    }
}

impl Counters {
    /// Counts values into a histogram, which is extended to their range; returns the least and the greatest,
    /// with zero unsigned. `None` if one is not finite: others may have been counted by then.
    pub(super) fn count(&mut self, values: &[f32], histogram: &mut Histogram) -> Option<[f32; 2]> {
        let (mut scale, mut limit) = (histogram.scale(), histogram.limit());
        let mut all = [f32::INFINITY, f32::NEG_INFINITY];
        for part in values.chunks(PART) {
            let mut seen = self.look(part, scale);
            if !seen.finite {
                *self = Counters::default();
                return None;
            }
            let largest = seen.least.abs().max(seen.greatest.abs());
            if self.total > FULL || f64::from(largest) >= limit {
                // The part before has been counted; this one was examined with the wrong bin width.
                self.count = 0;
                self.empty(histogram);
                histogram.reach(largest);
                (scale, limit) = (histogram.scale(), histogram.limit());
                seen = self.look(part, scale);
            }
            self.zeros += seen.zeros;
            self.total += part.len() as u32;
            let [low, high] = [seen.least, seen.greatest].map(|v| bin_of(v * scale) as usize);
            self.used = [self.used[0].min(low), self.used[1].max(high + 1)];
            all = [all[0].min(seen.least), all[1].max(seen.greatest)];
        }
        self.look(&[], scale);
        self.empty(histogram);
        Some(all)
    }

    /// Counts the pending values, and computes the bins of these values, which become pending.
    fn look(&mut self, values: &[f32], scale: f32) -> Seen {
        let [new, old] = &mut self.waiting;
        std::mem::swap(new, old);
        let waiting = old.get(..self.count).unwrap_or_default();
        let (groups, rest) = values.as_chunks::<GROUP>();
        let mut seen = Look { groups, scale, places: new, waiting, table: &mut self.table }.dispatch();
        let found = groups.len() * GROUP - seen.zeros as usize;
        self.count = found + rest.len();
        for (place, v) in new.iter_mut().skip(found).zip(rest) {
            *place = (bin_of(*v * scale) << LANES) as i32;
            seen.least = seen.least.min(*v);
            seen.greatest = seen.greatest.max(*v);
            seen.finite &= v.is_finite();
        }
        // Which zero is the least depends on the order in which vectors compare.
        Seen { least: seen.least + 0.0, greatest: seen.greatest + 0.0, ..seen }
    }

    fn empty(&mut self, histogram: &mut Histogram) {
        let [first, end] = self.used;
        let (bins, _) = self.table.as_chunks_mut::<{ 1 << LANES }>();
        for (lanes, bin) in bins[first.min(end)..end].iter_mut().zip(histogram.counts_from(first)) {
            // All of them together hold at most what one can hold.
            *bin += u64::from(lanes.iter().sum::<u32>());
            *lanes = [0; 1 << LANES];
        }
        for bin in histogram.counts_from(BINS).take(1) {
            *bin += u64::from(std::mem::take(&mut self.zeros));
        }
        self.used = UNUSED;
        self.total = 0;
    }
}

/// The bin of a value in units of the bin width: its floor. Values beyond all bins get any bin.
fn bin_of(value: f32) -> u32 {
    let cut = value as i32;
    let above = i32::from(cut as f32 > value);
    (cut.wrapping_sub(above) as u32).wrapping_add(BINS as u32) % (2 * BINS as u32)
}

/// What was found in some values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    least: f32,
    greatest: f32,
    finite: bool,
    /// Zeros in vectors of zeros only, which do not become pending.
    zeros: u32,
}

/// One pass over a part of the values, and over the pending ones of the part before.
struct Look<'a> {
    groups: &'a [[f32; GROUP]],
    scale: f32,
    places: &'a mut [i32; PART],
    waiting: &'a [i32],
    table: &'a mut [u32; TABLE],
}

impl SimdOp for Look<'_> {
    type Output = Seen;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> Seen {
        let (floats, integers, masks) = (isa.f32(), isa.i32(), isa.m32());
        let (zero, one) = (floats.zero(), integers.one());
        let scale = floats.splat(self.scale);
        let [half, all] = [BINS as i32, 2 * BINS as i32 - 1].map(|n| integers.splat(n));
        let mut least = floats.splat(f32::INFINITY);
        let mut greatest = floats.splat(f32::NEG_INFINITY);
        // 0 · x is zero for finite x, and not a number otherwise.
        let mut rest = zero;
        let mut found = 0;
        let (whole, tail) = self.waiting.as_chunks::<GROUP>();
        for at in 0..self.groups.len().max(whole.len()) {
            if let Some(group) = self.groups.get(at) {
                for (values, turns) in group.chunks_exact(floats.len()).zip(TURNS.chunks_exact(floats.len()))
                {
                    let v = floats.load(values);
                    least = floats.min(least, v);
                    greatest = floats.max(greatest, v);
                    rest = floats.add(rest, floats.mul(v, zero));
                    // As in `bin_of`.
                    let x = floats.mul(v, scale);
                    let cut = floats.to_int_trunc(x);
                    let above = floats.gt(integers.to_float(cut), x);
                    let floor = integers.select(integers.sub(cut, one), cut, above);
                    let bin = integers.and(integers.add(floor, half), all);
                    let place = integers.add(integers.shift_left::<LANES>(bin), integers.load(turns));
                    integers.store(place, &mut self.places[found..found + floats.len()]);
                    // The next vector overwrites one of zeros only.
                    found += if masks.all(floats.eq(x, zero)) { 0 } else { floats.len() };
                }
            }
            if let Some(counted) = whole.get(at) {
                for place in counted {
                    self.table[*place as usize % TABLE] += 1;
                }
            }
        }
        for place in tail {
            self.table[*place as usize % TABLE] += 1;
        }
        Seen {
            least: least.to_array().as_ref().iter().copied().fold(f32::INFINITY, f32::min),
            greatest: greatest.to_array().as_ref().iter().copied().fold(f32::NEG_INFINITY, f32::max),
            finite: rest.to_array().as_ref().iter().all(|r| *r == 0.0),
            zeros: (self.groups.len() * GROUP - found) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole and half bin numbers on both sides of zero, and their neighbours.
    fn edges() -> Vec<f32> {
        let grid = (-4_096..4_096).map(|i| i as f32 / 2.0).filter(|v| v.abs() < 2048.0);
        let near = grid.flat_map(|v| [v, v.next_up(), v.next_down()]);
        near.chain([-0.0, 1e-40, -1e-40, -2048.0]).filter(|v| (-2048.0..2048.0).contains(v)).collect()
    }

    #[test]
    fn bins_are_floors() {
        for v in edges() {
            assert_eq!(i64::from(bin_of(v)), v.floor() as i64 + BINS as i64, "{v:e}");
        }
    }

    fn looked_at(values: &[f32], scale: f32, portable: bool) -> (Seen, Vec<usize>, u64) {
        let mut places = Box::new([0; PART]);
        let mut table = Box::new([0; TABLE]);
        let waiting: Vec<i32> = (0..100).map(|i| i * 7 % 31).collect();
        let (groups, _) = values.as_chunks::<GROUP>();
        let look = Look { groups, scale, places: &mut places, waiting: &waiting, table: &mut table };
        let seen = if portable { look.eval(rten_simd::isa::GenericIsa::new()) } else { look.dispatch() };
        let found = groups.len() * GROUP - seen.zeros as usize;
        let bins = places[..found].iter().map(|p| *p as usize >> LANES).collect();
        (seen, bins, table.iter().map(|n| u64::from(*n)).sum())
    }

    #[test]
    fn vectors_find_the_bins_of_single_values() {
        let scale = 0.25;
        let all: Vec<f32> = edges().iter().map(|v| v / scale).collect();
        for part in all.chunks(PART) {
            for portable in [true, false] {
                let (seen, bins, counted) = looked_at(part, scale, portable);
                let whole = &part[..part.len() / GROUP * GROUP];
                assert_eq!((bins.len(), seen.zeros), (whole.len(), 0));
                for (v, bin) in whole.iter().zip(bins) {
                    assert_eq!(bin, bin_of(*v * scale) as usize, "{v:e}");
                }
                assert_eq!(counted, 100);
                assert_eq!(seen.least, whole.iter().copied().fold(f32::INFINITY, f32::min));
                assert_eq!(seen.greatest, whole.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                assert!(seen.finite);
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_found_wherever_it_stands() {
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 15, 16, PART - 1, PART, PART + 36, PART + 37] {
                let mut values = [1.0; PART + 38];
                values[at] = odd;
                let (mut counters, mut histogram) = (Counters::default(), Histogram::default());
                assert!(counters.count(&values, &mut histogram).is_none());
                // No trace of it remains.
                let mut histogram = Histogram::default();
                assert!(counters.count(&[3.0; 5], &mut histogram).is_some());
                assert_eq!(histogram.total(), 5);
            }
        }
    }

    #[test]
    fn zeros_and_long_rows_are_counted_whole() {
        let (mut counters, mut histogram) = (Counters::default(), Histogram::default());
        let mut mixed = [0.0; 3 * PART];
        mixed[50..60].fill(1.0);
        for (part, extremes) in
            [([0.0; 3 * PART], [0.0; 2]), (mixed, [0.0, 1.0]), ([-3.0; 3 * PART], [-3.0; 2])]
        {
            assert_eq!(counters.count(&part, &mut histogram), Some(extremes));
        }
        let counts: Vec<u64> = histogram.bins().map(|(_, n)| n).collect();
        assert_eq!(counts, [3 * PART as u64, 6 * PART as u64 - 10, 10]);
    }
}
