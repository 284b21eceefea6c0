//! From statistics to ranges: four methods of calibration.

use serde::{Deserialize, Serialize};

use super::statistics::Statistics;

/// How a range is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// From the least to the greatest value.
    #[default]
    MinMax,
    /// Clips values at each end; the number is the percentage that is kept: 99.99 clips 0.01 %.
    Percentile(f64),
    /// The range whose quantized distribution is closest to the float one (Kullback-Leibler divergence;
    /// Migacz, "8-bit inference with TensorRT", 2017).
    Entropy,
    /// The range with the least mean squared error of rounding and clipping.
    Mse,
}

impl Method {
    /// The name in options and files.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Method::MinMax => "minmax".into(),
            Method::Percentile(p) => format!("percentile:{p}"),
            Method::Entropy => "entropy".into(),
            Method::Mse => "mse".into(),
        }
    }

    /// Inverse of [`Method::name`]; `percentile` alone is 99.99.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Method> {
        Some(match name {
            "minmax" => Method::MinMax,
            "percentile" => Method::Percentile(99.99),
            "entropy" => Method::Entropy,
            "mse" => Method::Mse,
            _ => {
                let p: f64 = name.strip_prefix("percentile:")?.parse().ok()?;
                (50.0 < p && p <= 100.0).then_some(Method::Percentile(p))?
            }
        })
    }
}

/// The range of real values for integers with `levels` steps. It always contains zero, so that padding and
/// ReLU are exact. `symmetric` ranges extend equally below and above zero.
#[must_use]
pub fn range(s: &Statistics, method: Method, levels: u32, symmetric: bool) -> [f32; 2] {
    let whole = [s.least.value.min(0.0), s.greatest.value.max(0.0)];
    let chosen = match method {
        Method::MinMax => whole,
        Method::Percentile(p) => percentile(s, p, whole),
        // With so many levels clipping gains nothing, and the histogram's bins are too wide to decide.
        _ if levels > 1 << 10 => whole,
        Method::Entropy => entropy(s, levels, whole),
        Method::Mse => least_error(s, levels, whole, symmetric),
    };
    if symmetric { balanced(chosen) } else { chosen }
}

fn balanced([lo, hi]: [f32; 2]) -> [f32; 2] {
    let reach = hi.max(-lo);
    [-reach, reach]
}

fn percentile(s: &Statistics, p: f64, whole: [f32; 2]) -> [f32; 2] {
    let total = s.histogram.total() as f64;
    let outside = total * (1.0 - p / 100.0);
    let half = s.histogram.width() / 2.0;
    // The outer edge of the bin in which the sum from outside exceeds the share.
    let edge = |mut bins: Box<dyn Iterator<Item = (f64, u64)> + '_>| {
        let mut sum = 0.0;
        bins.find(|(_, n)| {
            sum += *n as f64;
            sum > outside
        })
    };
    let lo = edge(Box::new(s.histogram.bins())).map_or(0.0, |(x, _)| x - half) as f32;
    let hi = edge(Box::new(s.histogram.bins().rev())).map_or(0.0, |(x, _)| x + half) as f32;
    [lo.clamp(whole[0], 0.0), hi.clamp(0.0, whole[1])]
}

/// Ranges that are tried for each end.
const SHRINKS: u32 = 100;

/// Largest share of values that an entropy threshold may clip. Many equal values, as in constant backgrounds,
/// are spikes that no coarse distribution resembles; without this limit the divergence would select steps as
/// fine as bins.
const MOST_CLIPPED: f64 = 0.001;

fn entropy(s: &Statistics, levels: u32, whole: [f32; 2]) -> [f32; 2] {
    let width = s.histogram.width();
    // Zeros (after a ReLU, most values) are exact in every range, so they are left out.
    let bins: Vec<(f64, f64)> =
        s.histogram.bins().filter(|(x, _)| *x < 0.0 || *x > width).map(|(x, n)| (x, n as f64)).collect();
    let total: f64 = bins.iter().map(|b| b.1).sum();
    let mut best = (f64::INFINITY, whole);
    for step in (SHRINKS / 10..=SHRINKS).rev() {
        let shrink = f64::from(step) / f64::from(SHRINKS);
        // One threshold for both sides: the longer tail is cut first.
        let threshold = f64::from(whole[1].max(-whole[0])) * shrink;
        let [lo, hi] = whole.map(|x| f64::from(x).clamp(-threshold, threshold));
        if hi - lo <= width * 8.0 {
            break;
        }
        let outside: f64 = bins.iter().filter(|(x, _)| *x < lo - width || *x > hi + width).map(|b| b.1).sum();
        if outside > total * MOST_CLIPPED {
            break;
        }
        let divergence = divergence(&bins, [lo, hi], width, levels);
        if divergence < best.0 {
            best = (divergence, [lo as f32, hi as f32]);
        }
    }
    best.1
}

/// Kullback-Leibler divergence of the distribution (values outside counted at the ends) from its quantization
/// with `levels` steps in a range.
fn divergence(bins: &[(f64, f64)], [lo, hi]: [f64; 2], width: f64, levels: u32) -> f64 {
    let step = (hi - lo) / f64::from(levels - 1);
    let level = |x: f64| (((x - lo) / step).round()).clamp(0.0, f64::from(levels - 1)) as usize;
    // The value at an end may be in a bin that extends beyond it.
    let inside = |x: f64| (lo - width..=hi + width).contains(&x);
    // The mass in each level, and the number of bins that it is distributed over.
    let mut mass = vec![0.0; levels as usize];
    let mut members = vec![0.0; levels as usize];
    let mut ends = [0.0; 2];
    for (x, n) in bins {
        if inside(*x) {
            mass[level(*x)] += n;
            members[level(*x)] += 1.0;
        } else {
            ends[usize::from(*x > hi)] += n;
        }
    }
    let total: f64 = bins.iter().map(|b| b.1).sum();
    let kept: f64 = mass.iter().sum();
    if kept <= 0.0 {
        return f64::INFINITY;
    }
    let first = bins.iter().position(|(x, _)| inside(*x));
    let last = bins.iter().rposition(|(x, _)| inside(*x));
    let mut sum = 0.0;
    for (i, (x, n)) in bins.iter().enumerate().filter(|(_, (x, _))| inside(*x)) {
        let mut p = *n;
        if Some(i) == first {
            p += ends[0];
        }
        if Some(i) == last {
            p += ends[1];
        }
        let q = mass[level(*x)] / members[level(*x)] / kept;
        let p = p / total;
        sum += p * (p / q).ln();
    }
    sum
}

/// Least mean squared error, found by moving one end at a time.
fn least_error(s: &Statistics, levels: u32, whole: [f32; 2], symmetric: bool) -> [f32; 2] {
    let bins: Vec<(f64, f64)> = s.histogram.bins().map(|(x, n)| (x, n as f64)).collect();
    let error = |range: [f32; 2]| squared_error(&bins, range, levels, symmetric);
    let mut best = (error(whole), whole);
    let consider = |range: [f32; 2], best: &mut (f64, [f32; 2])| {
        let e = error(range);
        if e < best.0 {
            *best = (e, range);
        }
    };
    for _ in 0..2 {
        for (end, reach) in whole.iter().enumerate() {
            let other = best.1;
            for step in 1..=SHRINKS {
                let mut range = other;
                range[end] = part(*reach, step);
                consider(range, &mut best);
            }
        }
    }
    // Both together, for distributions with long tails on both sides.
    for step in 1..=SHRINKS {
        consider(whole.map(|x| part(x, step)), &mut best);
    }
    best.1
}

/// `step` hundredths of an end, without overflow.
fn part(end: f32, step: u32) -> f32 {
    let product = end * step as f32;
    if product.is_finite() { product / SHRINKS as f32 } else { end / SHRINKS as f32 * step as f32 }
}

fn squared_error(bins: &[(f64, f64)], range: [f32; 2], levels: u32, symmetric: bool) -> f64 {
    let [lo, hi] = if symmetric { balanced(range) } else { range }.map(f64::from);
    let step = (hi - lo) / f64::from(levels - 1);
    if step <= 0.0 || !step.is_finite() {
        return f64::INFINITY;
    }
    // Zero is one of the levels.
    let zero = (-lo / step).round();
    let most = f64::from(levels - 1) - zero;
    bins.iter()
        .map(|(x, n)| {
            let q = (x / step).round().clamp(-zero, most) * step;
            n * (x - q) * (x - q)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal_with_outlier() -> Statistics {
        let normal = |i: u32| {
            (0..12)
                .map(|k| f64::from((i.wrapping_mul(2_654_435_761 ^ (k * 77_777_777))) >> 8) / 16_777_216.0)
                .sum::<f64>()
                - 6.0
        };
        let mut values: Vec<f32> = (1..20_000).map(|i| normal(i) as f32).collect();
        values.push(40.0);
        Statistics::of(&values, 0).unwrap()
    }

    #[test]
    fn percentile_and_entropy_leave_a_lone_outlier_out() {
        let s = normal_with_outlier();
        assert_eq!(range(&s, Method::MinMax, 256, false)[1], 40.0);
        for method in [Method::Percentile(99.99), Method::Entropy] {
            let [lo, hi] = range(&s, method, 256, false);
            assert!((2.0..20.0).contains(&hi) && lo < -1.0, "{method:?} {lo} {hi}");
        }
        let [lo, hi] = range(&s, Method::Mse, 256, true);
        assert_eq!(lo, -hi);
    }

    #[test]
    fn mse_is_never_worse_than_minmax() {
        let s = normal_with_outlier();
        let bins: Vec<(f64, f64)> = s.histogram.bins().map(|(x, n)| (x, n as f64)).collect();
        for symmetric in [false, true] {
            let error = |m| squared_error(&bins, range(&s, m, 256, symmetric), 256, symmetric);
            assert!(error(Method::Mse) < error(Method::MinMax));
        }
    }

    #[test]
    fn ranges_of_the_largest_floats_are_finite() {
        for values in [[f32::MIN, 1.0], [f32::MIN, f32::MAX], [0.0, f32::MAX], [0.0, 1e-45], [0.0, 0.0]] {
            let s = Statistics::of(&values, 0).unwrap();
            for method in [Method::MinMax, Method::Percentile(99.0), Method::Entropy, Method::Mse] {
                for (levels, symmetric) in [(256, false), (256, true), (1 << 16, false)] {
                    let [lo, hi] = range(&s, method, levels, symmetric);
                    assert!(
                        lo <= 0.0 && hi >= 0.0 && lo.is_finite() && hi.is_finite(),
                        "{method:?}: {lo} {hi}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_range_holds_zero() {
        let s = Statistics::of(&[3.0, 4.0, 5.0], 0).unwrap();
        for method in [Method::MinMax, Method::Percentile(99.0), Method::Entropy, Method::Mse] {
            let [lo, hi] = range(&s, method, 256, false);
            assert!(lo == 0.0 && hi > 2.5, "{method:?}: {lo} {hi}");
        }
        assert_eq!(Method::from_name(&Method::Percentile(99.5).name()), Some(Method::Percentile(99.5)));
        assert_eq!(Method::from_name("percentile:7"), None);
    }
}
