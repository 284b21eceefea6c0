//! Statistics of a tensor over all calibration inputs: extremes, and a histogram.

use serde::{Deserialize, Serialize};

use super::counters::Counters;
use super::histogram::{BINS, Histogram};

/// An extreme and the input that set it; for equal ones the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Extreme {
    /// The value.
    pub value: f32,
    /// Number of the calibration input, from 0.
    pub input: usize,
}

/// Statistics of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub struct Statistics {
    /// Smallest value.
    pub least: Extreme,
    /// Largest value.
    pub greatest: Extreme,
    /// All values.
    pub histogram: Histogram,
}

/// Statistics in `calibration.json`: the histogram without its empty ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
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

    /// Adds one input's tensor to statistics, which may still be empty. False if a value is not finite; the
    /// statistics are then invalid.
    #[must_use]
    pub fn add(into: &mut Option<Statistics>, values: &[f32], input: usize, counters: &mut Counters) -> bool {
        let Some(first) = values.first() else { return true };
        let new = || {
            let first = Extreme { value: *first + 0.0, input };
            Statistics { least: first, greatest: first, histogram: Histogram::default() }
        };
        let s = into.get_or_insert_with(new);
        let Some([least, greatest]) = counters.count(values, &mut s.histogram) else { return false };
        s.widen_to(Extreme { value: least, input }, Extreme { value: greatest, input });
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

    /// Merges two statistics. The result does not depend on their order.
    #[must_use]
    pub fn merged(mut self, other: Statistics) -> Statistics {
        self.widen_to(other.least, other.greatest);
        self.histogram.merge(other.histogram);
        self
    }
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
