//! Ranges of a tensor over inputs, one by one and together.

use super::diagnosis::Beyond;
use super::format::Format;

const BINS: usize = 2048;
/// Number of ranges that are tried for the least error: shares of the full range.
const SHARES: usize = 40;

/// Extremes of a tensor for each input, and the distribution over all.
#[derive(Debug, Clone)]
pub(super) struct TensorRanges {
    inputs: Vec<Beyond>,
    bounds: [f32; 2],
    bins: Vec<u64>,
}

impl TensorRanges {
    /// The ranges of one input. `bounds` are the extremes over all inputs.
    pub(super) fn of(
        input: usize,
        values: &[f32],
        format: Option<&Format>,
        bounds: [f32; 2],
    ) -> TensorRanges {
        let half = format.map_or(0.0, |f| f.scale / 2.0);
        let [lo, hi] = format.map_or([f32::NEG_INFINITY, f32::INFINITY], Format::range);
        let mut bins = vec![0; BINS];
        let width = (bounds[1] - bounds[0]).max(f32::MIN_POSITIVE) / BINS as f32;
        let (mut reached, mut beyond) = ([f32::INFINITY, f32::NEG_INFINITY], 0_u64);
        for v in values.iter().filter(|v| v.is_finite()) {
            reached = [reached[0].min(*v), reached[1].max(*v)];
            beyond += u64::from(*v < lo - half || *v > hi + half);
            // The cast saturates: values outside fall into the outermost bins.
            bins[(((v - bounds[0]) / width) as usize).min(BINS - 1)] += 1;
        }
        let share = beyond as f64 / values.len().max(1) as f64;
        TensorRanges { inputs: vec![Beyond { input, reached, share }], bounds, bins }
    }

    /// Adds another input, with the same bounds.
    pub(super) fn merge(&mut self, other: TensorRanges) {
        self.inputs.extend(other.inputs);
        self.bins.iter_mut().zip(other.bins).for_each(|(a, b)| *a += b);
    }

    /// Extremes over all inputs.
    pub(super) fn reached(&self) -> [f32; 2] {
        let least = self.inputs.iter().map(|i| i.reached[0]).fold(f32::INFINITY, f32::min);
        [least, self.inputs.iter().map(|i| i.reached[1]).fold(f32::NEG_INFINITY, f32::max)]
    }

    /// Two formats: from the least to the greatest value, and with the least mean squared error.
    pub(super) fn candidates(&self, codes: [i32; 2]) -> [Format; 2] {
        let [lo, hi] = self.reached();
        let whole = Format::covering(lo, hi, codes);
        let best = (1..=SHARES).rev().map(|share| {
            let part = share as f32 / SHARES as f32;
            let format = Format::covering(lo * part, hi * part, codes);
            (self.noise(&format), format)
        });
        let best = best.reduce(|a, b| if b.0 < a.0 { b } else { a });
        [whole, best.map_or(whole, |(_, format)| format)]
    }

    /// The candidate with the least mean squared error.
    pub(super) fn ideal(&self, codes: [i32; 2]) -> Format {
        self.candidates(codes)[1]
    }

    fn noise(&self, format: &Format) -> f64 {
        let width = (self.bounds[1] - self.bounds[0]) / BINS as f32;
        let [lo, hi] = format.range();
        let step = f64::from(format.scale);
        let bins = self.bins.iter().enumerate().filter(|(_, n)| **n > 0);
        bins.map(|(i, n)| {
            let centre = self.bounds[0] + (i as f32 + 0.5) * width;
            let clipped = f64::from(centre - centre.clamp(lo, hi));
            *n as f64 * (clipped * clipped + step * step / 12.0)
        })
        .sum()
    }

    /// The inputs with values beyond a format's range, largest share first.
    pub(super) fn beyond(&self, format: &Format) -> Vec<Beyond> {
        let half = format.scale / 2.0;
        let [lo, hi] = format.range();
        let outside = |b: &&Beyond| b.reached[0] < lo - half || b.reached[1] > hi + half;
        let mut beyond: Vec<Beyond> = self.inputs.iter().filter(outside).copied().collect();
        beyond.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.input.cmp(&b.input)));
        beyond
    }

    /// The inputs that reach furthest beyond each end: with them among the calibration inputs, the range
    /// would cover all.
    pub(super) fn mend(&self, format: &Format) -> Vec<usize> {
        let half = format.scale / 2.0;
        let ([lo, hi], [least, greatest]) = (format.range(), self.reached());
        let mut found = Vec::new();
        for input in &self.inputs {
            let low = least < lo - half && input.reached[0] == least;
            let high = greatest > hi + half && input.reached[1] == greatest;
            if low || high {
                found.push(input.input);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_beyond_the_range_are_named() {
        let format = Format { scale: 0.01, zero_point: 0, codes: [0, 255] };
        let bounds = [0.0, 9.0];
        let mut ranges = TensorRanges::of(0, &[0.0, 1.0], Some(&format), bounds);
        ranges.merge(TensorRanges::of(1, &[0.5, 9.0, 3.0, 1.0], Some(&format), bounds));
        ranges.merge(TensorRanges::of(2, &[0.0, 2.6], Some(&format), bounds));
        let beyond: Vec<usize> = ranges.beyond(&format).iter().map(|b| b.input).collect();
        assert_eq!((beyond, ranges.mend(&format), ranges.reached()), (vec![1, 2], vec![1], [0.0, 9.0]));
    }

    #[test]
    fn a_lone_outlier_is_cut() {
        let mut values: Vec<f32> = (0..10_000).map(|i| i as f32 / 10_000.0).collect();
        values.push(10.0);
        let ranges = TensorRanges::of(0, &values, None, [0.0, 10.0]);
        let [whole, best] = ranges.candidates([0, 255]);
        assert_eq!(whole.range()[1], 10.0);
        // Clipping 10 to c costs (10 − c)² once; a step of c / 255 costs c² / 780,300 for each of 10,000.
        assert!(best.range()[1] < 10.0 && best.range()[1] > 9.0, "{best:?}");
    }
}
