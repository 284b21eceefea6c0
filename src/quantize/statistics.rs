//! What a tensor's values look like over all calibration inputs: extremes, and a histogram that grows with the range.
//!
//! Bins are `2^e` wide and begin at multiples of that. A value beyond the last bin doubles the width and joins bins in
//! pairs, which is exact: the histogram depends on the values alone, not on their order nor on who counted them.

use serde::{Deserialize, Serialize};

/// Bins on each side of zero.
pub const BINS: usize = 2048;
/// Narrowest bins: `2^-40`.
const LEAST_EXPONENT: i32 = -40;
/// Counters that take turns, so that equal values in a row do not wait for each other.
const LANES: usize = 4;
/// Values that are looked at together: their extremes first, then their bins, while they are in the nearest cache.
const PART: usize = 1 << 10;
/// Values after which 32-bit counters are emptied.
const FULL: u32 = 1 << 30;

/// Counts of values by size.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    exponent: i32,
    counts: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { exponent: LEAST_EXPONENT, counts: vec![0; 2 * BINS] }
    }
}

impl Histogram {
    /// Width of a bin: a power of two.
    #[must_use]
    pub fn width(&self) -> f64 {
        2.0_f64.powi(self.exponent)
    }

    /// Bins that hold something, from the least: middle of the bin, and count.
    pub fn bins(&self) -> impl DoubleEndedIterator<Item = (f64, u64)> + '_ {
        let width = self.width();
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(move |(i, n)| ((i as f64 - BINS as f64 + 0.5) * width, *n))
    }

    /// All values counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn reaches(&self, largest: f32) -> bool {
        f64::from(largest) < self.width() * BINS as f64
    }

    /// Makes room for values up to this size, on both sides.
    fn reach(&mut self, largest: f32) {
        while !self.reaches(largest) {
            self.widen();
        }
    }

    fn widen(&mut self) {
        let half = BINS / 2;
        let mut joined = vec![0; 2 * BINS];
        for (i, pair) in self.counts.chunks_exact(2).enumerate() {
            // Zero lies between two pairs, so it stays where it is.
            joined[half + i] = pair[0] + pair[1];
        }
        self.counts = joined;
        self.exponent += 1;
    }

    /// Counts values that all lie within reach and between two values.
    fn count(&self, values: &[f32], [least, greatest]: [f32; 2], counters: &mut Counters) {
        let scale = (-self.exponent as f32).exp2();
        let [low, high] = [least, greatest].map(|v| bin_of(v * scale) as usize);
        let [first, end] = counters.used;
        counters.used = if first < end { [first.min(low), end.max(high + 1)] } else { [low, high + 1] };
        let mut bins = [0_u32; PART];
        for part in values.chunks(PART) {
            for (bin, v) in bins.iter_mut().zip(part) {
                *bin = bin_of(*v * scale);
            }
            counters.add(&bins[..part.len()]);
        }
    }

    /// Takes over what was counted for the present width.
    fn take(&mut self, counters: &mut Counters) {
        let [first, end] = counters.used;
        for (total, lanes) in self.counts[first..end].iter_mut().zip(&mut counters.lanes[first..end]) {
            *total += lanes.iter().map(|n| u64::from(*n)).sum::<u64>();
            *lanes = [0; LANES];
        }
        counters.used = [2 * BINS; 2];
        counters.total = 0;
    }

    fn merge(&mut self, mut other: Histogram) {
        while self.exponent < other.exponent {
            self.widen();
        }
        while other.exponent < self.exponent {
            other.widen();
        }
        for (a, b) in self.counts.iter_mut().zip(other.counts) {
            *a += b;
        }
    }
}

/// The bin of a value that is counted in widths of a bin: its floor. Adding 1.5 · 2^23 rounds to the nearest integer, which
/// then stands in the lowest bits; where that is above the value, the floor is one less. Any CPU does this for many values
/// at once, where `floor` is a call.
fn bin_of(value: f32) -> u32 {
    const ROUND: f32 = 12_582_912.0;
    let rounded = value + ROUND;
    let above = u32::from(rounded - ROUND > value);
    rounded.to_bits().wrapping_sub(above).wrapping_add(BINS as u32) % (2 * BINS as u32)
}

/// Counters of one thread, used for one tensor after the other.
#[derive(Debug, Clone)]
pub struct Counters {
    lanes: Vec<[u32; LANES]>,
    /// Bins from the first that holds something to behind the last.
    used: [usize; 2],
    /// All that was counted: at most what a counter holds.
    total: u32,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters { lanes: vec![[0; LANES]; 2 * BINS], used: [2 * BINS; 2], total: 0 }
    }
}

impl Counters {
    /// At most [`PART`] bins.
    fn add(&mut self, bins: &[u32]) {
        let Ok(lanes) = <&mut [[u32; LANES]; 2 * BINS]>::try_from(self.lanes.as_mut_slice()) else { return };
        let (fours, rest) = bins.as_chunks::<LANES>();
        for four in fours {
            for (lane, bin) in four.iter().enumerate() {
                lanes[*bin as usize % (2 * BINS)][lane] += 1;
            }
        }
        for bin in rest {
            lanes[*bin as usize % (2 * BINS)][0] += 1;
        }
        self.total += bins.len() as u32;
    }
}

/// An extreme and the input that set it; of equal ones the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    /// The value.
    pub value: f32,
    /// Which calibration input, from 0.
    pub input: usize,
}

/// What is known of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Statistics {
    /// Smallest value.
    pub least: Extreme,
    /// Largest value.
    pub greatest: Extreme,
    /// All values.
    pub histogram: Histogram,
}

/// Statistics as `calibration.json` has them: the histogram without its empty ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    least: Extreme,
    greatest: Extreme,
    /// Width of a bin.
    bin_width: f64,
    /// Bin of the first count: it begins at `first · bin_width`.
    first: i64,
    counts: Vec<u64>,
}

impl From<Statistics> for Written {
    fn from(s: Statistics) -> Written {
        let counts = &s.histogram.counts;
        let begin = counts.iter().position(|n| *n > 0).unwrap_or(0);
        let end = counts.iter().rposition(|n| *n > 0).map_or(begin, |e| e + 1);
        Written {
            least: s.least,
            greatest: s.greatest,
            bin_width: s.histogram.width(),
            first: begin as i64 - BINS as i64,
            counts: counts[begin..end].to_vec(),
        }
    }
}

impl TryFrom<Written> for Statistics {
    type Error = String;

    fn try_from(w: Written) -> Result<Statistics, String> {
        let exponent = w.bin_width.log2();
        let begin = usize::try_from(w.first + BINS as i64).ok();
        let fits = begin.is_some_and(|b| b + w.counts.len() <= 2 * BINS);
        if exponent.fract() != 0.0 || !(-60.0..128.0).contains(&exponent) || !fits {
            return Err("its histogram has bins that this tool does not make".into());
        }
        let mut histogram = Histogram { exponent: exponent as i32, counts: vec![0; 2 * BINS] };
        let begin = begin.unwrap_or(0);
        histogram.counts[begin..begin + w.counts.len()].copy_from_slice(&w.counts);
        Ok(Statistics { least: w.least, greatest: w.greatest, histogram })
    }
}

impl Statistics {
    /// Statistics of one input's tensor. `None` if there are no values, or one that is not finite.
    #[must_use]
    pub fn of(values: &[f32], input: usize) -> Option<Statistics> {
        let mut statistics: Option<Statistics> = None;
        Statistics::add(&mut statistics, values, input, &mut Counters::default()).then_some(())?;
        statistics
    }

    /// Adds one input's tensor to statistics that may not have begun. False if a value is not finite; the statistics are
    /// useless then.
    #[must_use]
    pub fn add(into: &mut Option<Statistics>, values: &[f32], input: usize, counters: &mut Counters) -> bool {
        let Some(first) = values.first() else { return true };
        let new = || {
            let first = Extreme { value: *first, input };
            Statistics { least: first, greatest: first, histogram: Histogram::default() }
        };
        let s = into.get_or_insert_with(new);
        for part in values.chunks(PART) {
            let (least, greatest, finite) = extremes(part);
            if !finite {
                return false;
            }
            s.widen_to(Extreme { value: least, input }, Extreme { value: greatest, input });
            let largest = least.abs().max(greatest.abs());
            if counters.total > FULL || !s.histogram.reaches(largest) {
                s.histogram.take(counters);
                s.histogram.reach(largest);
            }
            s.histogram.count(part, [least, greatest], counters);
        }
        s.histogram.take(counters);
        true
    }

    fn widen_to(&mut self, least: Extreme, greatest: Extreme) {
        if least.value < self.least.value
            || (least.value == self.least.value && least.input < self.least.input)
        {
            self.least = least;
        }
        if greatest.value > self.greatest.value
            || (greatest.value == self.greatest.value && greatest.input < self.greatest.input)
        {
            self.greatest = greatest;
        }
    }

    /// Joins what two have counted. The result does not depend on which comes first.
    #[must_use]
    pub fn merged(mut self, other: Statistics) -> Statistics {
        self.widen_to(other.least, other.greatest);
        self.histogram.merge(other.histogram);
        self
    }
}

/// Least and greatest value, and whether all are finite.
fn extremes(values: &[f32]) -> (f32, f32, bool) {
    const WIDE: usize = 16;
    let mut least = [f32::INFINITY; WIDE];
    let mut greatest = [f32::NEG_INFINITY; WIDE];
    // 0 · x is zero for finite x, and not a number otherwise.
    let mut rest = [0.0_f32; WIDE];
    let (chunks, tail) = values.as_chunks::<WIDE>();
    for chunk in chunks {
        for i in 0..WIDE {
            let v = chunk[i];
            least[i] = if v < least[i] { v } else { least[i] };
            greatest[i] = if v > greatest[i] { v } else { greatest[i] };
            rest[i] += v * 0.0;
        }
    }
    for v in tail {
        least[0] = least[0].min(*v);
        greatest[0] = greatest[0].max(*v);
        rest[0] += v * 0.0;
    }
    let least = least.into_iter().fold(f32::INFINITY, f32::min);
    let greatest = greatest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    (least, greatest, rest.iter().all(|r| *r == 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: u32, n: u32, size: f32) -> Vec<f32> {
        (0..n)
            .map(|i| {
                ((i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97)) >> 8) as f32 / 8e6 * size - size
            })
            .collect()
    }

    #[test]
    fn the_order_of_inputs_does_not_matter() {
        let parts = [values(1, 1003, 0.01), values(2, 517, 3.0), values(3, 64, 900.0), values(4, 5, 0.5)];
        let one = |order: &[usize]| {
            let mut s = None;
            let mut counters = Counters::default();
            order.iter().for_each(|i| assert!(Statistics::add(&mut s, &parts[*i], *i, &mut counters)));
            s.unwrap()
        };
        let all = one(&[0, 1, 2, 3]);
        assert_eq!(all, one(&[2, 3, 1, 0]));
        assert_eq!(all, one(&[1, 3]).merged(one(&[2, 0])));
        assert_eq!(all.histogram.total(), 1003 + 517 + 64 + 5);
        assert_eq!((all.least.input, all.greatest.input), (2, 2));
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Statistics>(&text).unwrap(), all);
    }

    #[test]
    fn bins_are_floors() {
        let odd = [
            -0.0_f32,
            0.0,
            0.5,
            -0.5,
            1.0,
            -1.0,
            1e-40,
            -1e-40,
            2_047.999_8,
            -2_047.999_8,
            -2048.0,
            1.5,
            -1.5,
        ];
        let grid = (-4_096..4_096).map(|i| i as f32 / 2.0).filter(|v| v.abs() < 2048.0);
        let near = grid.clone().flat_map(|v| [v, v.next_up(), v.next_down()]);
        for v in near.chain(odd).filter(|v| (-2048.0..2048.0).contains(v)) {
            assert_eq!(i64::from(bin_of(v)), v.floor() as i64 + BINS as i64, "{v:e}");
        }
    }

    #[test]
    fn every_value_lies_in_its_bin() {
        let v = values(7, 999, 2.5);
        let s = Statistics::of(&v, 0).unwrap();
        let width = s.histogram.width();
        for (middle, count) in s.histogram.bins() {
            let inside =
                v.iter().filter(|x| (f64::from(**x) / width).floor() * width + width / 2.0 == middle);
            assert_eq!(inside.count() as u64, count);
        }
        assert!(Statistics::of(&[1.0, f32::NAN], 0).is_none());
        assert!(Statistics::of(&[f32::INFINITY], 0).is_none());
    }
}
