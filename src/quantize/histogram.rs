//! Histograms of values, with bins that grow with the range.
//!
//! Bins are `2^e` wide and begin at multiples of their width. A value beyond the last bin doubles the width
//! and merges bins in pairs, which is exact: the histogram depends on the values alone, not on their order or
//! on the threads.

/// Bins on each side of zero.
pub const BINS: usize = 2048;
/// Narrowest bins: `2^-40`.
const LEAST_EXPONENT: i32 = -40;

/// A histogram of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    pub(super) exponent: i32,
    pub(super) counts: Vec<u64>,
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

    /// Factor from values to units of the bin width.
    pub(super) fn scale(&self) -> f32 {
        (-self.exponent as f32).exp2()
    }

    /// Non-empty bins, from the least: middle of the bin, and count.
    pub fn bins(&self) -> impl DoubleEndedIterator<Item = (f64, u64)> + '_ {
        let width = self.width();
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(move |(i, n)| ((i as f64 - BINS as f64 + 0.5) * width, *n))
    }

    /// Number of values counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Values must be below this magnitude.
    pub(super) fn limit(&self) -> f64 {
        self.width() * BINS as f64
    }

    /// Extends the range to values of this magnitude, on both sides.
    pub(super) fn reach(&mut self, largest: f32) {
        while f64::from(largest) >= self.limit() {
            self.widen();
        }
    }

    fn widen(&mut self) {
        let half = BINS / 2;
        let mut joined = vec![0; 2 * BINS];
        for (i, pair) in self.counts.chunks_exact(2).enumerate() {
            // Zero is between two pairs, so it stays in place.
            joined[half + i] = pair[0] + pair[1];
        }
        self.counts = joined;
        self.exponent += 1;
    }

    /// The counts from bin `bin` on.
    pub(super) fn counts_from(&mut self, bin: usize) -> impl Iterator<Item = &mut u64> {
        self.counts.iter_mut().skip(bin)
    }

    pub(super) fn merge(&mut self, mut other: Histogram) {
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
