//! The quantization format of a tensor, and how much of a reference it covers.

use serde::Serialize;

use crate::graph::reformat::Reformat;
use crate::graph::{DType, Quant};
use crate::numeric;
use crate::program::TensorEntry;

/// How a tensor is quantized: `real = scale · (q − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Format {
    /// Scale: the real value of one step.
    pub scale: f32,
    /// Zero point.
    pub zero_point: i32,
    /// Least and greatest integer.
    pub codes: [i32; 2],
}

impl Format {
    /// The format of a program's tensor; `None` for floats and raw accumulators.
    #[must_use]
    pub fn of(tensor: &TensorEntry) -> Option<Format> {
        let (lo, hi) = tensor.dtype.int_range()?;
        let codes = [i32::try_from(lo).ok()?, i32::try_from(hi).ok()?];
        (codes != [i32::MIN, i32::MAX]).then_some(())?;
        Some(Format { scale: tensor.scale?, zero_point: tensor.zero_point?, codes })
    }

    /// The affine format with these codes that covers `[lo, hi]` and zero, computed as ONNX Runtime's
    /// quantizer does.
    #[must_use]
    pub fn covering(lo: f32, hi: f32, codes: [i32; 2]) -> Format {
        let (lo, hi) = (lo.min(0.0), hi.max(0.0));
        let steps = (f64::from(codes[1]) - f64::from(codes[0])) as f32;
        let scale = ((hi - lo) / steps).max(f32::MIN_POSITIVE);
        let zero = f64::from(codes[0]) - f64::from(lo) / f64::from(scale);
        Format { scale, zero_point: (zero.round_ties_even() as i32).clamp(codes[0], codes[1]), codes }
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self.codes {
            [0, 255] => DType::U8,
            [-128, 127] => DType::S8,
            [0, 65535] => DType::U16,
            _ => DType::S16,
        }
    }

    /// The same as a format of the integer graph.
    #[must_use]
    pub fn reformat(&self) -> Reformat {
        let quant = Quant { scale: self.scale, zero_point: self.zero_point };
        Reformat { dtype: self.dtype(), quant }
    }

    /// Least and greatest real value.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        self.codes.map(|q| (i64::from(q) - i64::from(self.zero_point)) as f32 * self.scale)
    }

    /// The code of a real value.
    #[must_use]
    pub fn quantize(&self, value: f32) -> i32 {
        numeric::quantize(value, self.scale, self.zero_point, self.codes)
    }

    /// A real value, quantized and back.
    #[must_use]
    pub fn round(&self, value: f32) -> f32 {
        numeric::dequantize(self.quantize(value), self.scale, self.zero_point)
    }

    /// Real values, quantized and back.
    #[must_use]
    pub fn rounded(&self, values: &[f32]) -> Vec<f32> {
        values.iter().map(|v| self.round(*v)).collect()
    }

    /// The bytes of a tensor that holds these values, row-major.
    #[must_use]
    pub fn bytes(&self, values: &[f32]) -> Vec<u8> {
        let q = values.iter().map(|v| self.quantize(*v));
        if i64::from(self.codes[1]) - i64::from(self.codes[0]) < 256 {
            q.map(|q| q as u8).collect()
        } else {
            q.flat_map(|q| (q as u16).to_le_bytes()).collect()
        }
    }
}

/// Sums on the use of a format by a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSums {
    count: u64,
    below: u64,
    above: u64,
    least: f32,
    greatest: f32,
    /// Whether each code occurs in the dumped tensor.
    used: Vec<bool>,
}

impl Default for RangeSums {
    fn default() -> RangeSums {
        RangeSums {
            count: 0,
            below: 0,
            above: 0,
            least: f32::INFINITY,
            greatest: f32::NEG_INFINITY,
            used: Vec::new(),
        }
    }
}

impl RangeSums {
    /// Adds a tensor: reference values, and the real values of the dumped integers.
    pub fn add(&mut self, format: Option<&Format>, reference: &[f32], values: &[f32]) {
        let half = format.map_or(0.0, |f| f.scale / 2.0);
        let [lo, hi] = format.map_or([f32::NEG_INFINITY, f32::INFINITY], Format::range);
        for r in reference.iter().filter(|r| r.is_finite()) {
            self.count += 1;
            self.below += u64::from(*r < lo - half);
            self.above += u64::from(*r > hi + half);
            self.least = self.least.min(*r);
            self.greatest = self.greatest.max(*r);
        }
        if let Some(f) = format {
            self.used.resize((f.codes[1] - f.codes[0]) as usize + 1, false);
            for v in values.iter().filter(|v| !v.is_nan()) {
                if let Some(used) = self.used.get_mut((f.quantize(*v) - f.codes[0]) as usize) {
                    *used = true;
                }
            }
        }
    }

    /// Adds the sums of another input.
    pub fn merge(&mut self, other: &RangeSums) {
        self.count += other.count;
        self.below += other.below;
        self.above += other.above;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.used.resize(self.used.len().max(other.used.len()), false);
        self.used.iter_mut().zip(&other.used).for_each(|(a, b)| *a |= *b);
    }

    /// The figures.
    #[must_use]
    pub fn figures(&self, format: Option<&Format>) -> RangeUse {
        let count = self.count.max(1) as f64;
        let first = self.used.iter().position(|u| *u);
        let last = self.used.iter().rposition(|u| *u);
        let span = first.zip(last).map(|(a, b)| (b - a + 1) as f64 / self.used.len() as f64);
        RangeUse {
            range: format.map(Format::range),
            reference: if self.count == 0 { [0.0; 2] } else { [self.least, self.greatest] },
            clip_low: self.below as f64 / count,
            clip_high: self.above as f64 / count,
            utilization: span,
        }
    }
}

/// Range of a tensor and of its reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RangeUse {
    /// Least and greatest value that the tensor can hold; none for floats.
    pub range: Option<[f32; 2]>,
    /// Least and greatest value of the reference.
    pub reference: [f32; 2],
    /// Share of the reference's elements more than half a step below the range, 0 to 1.
    pub clip_low: f64,
    /// Share of the reference's elements more than half a step above the range, 0 to 1.
    pub clip_high: f64,
    /// Share of the codes between the least and the greatest that occur; none for floats.
    pub utilization: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_is_counted_at_each_end() {
        let format = Format { scale: 1.0, zero_point: 10, codes: [0, 255] };
        let reference = [-10.4, -10.6, 0.0, 245.4, 245.6, 300.0, f32::NAN, 3.0];
        let values: Vec<f32> = reference.iter().map(|r| format.round(*r)).collect();
        let mut sums = RangeSums::default();
        sums.add(Some(&format), &reference, &values);
        let u = sums.figures(Some(&format));
        assert_eq!((u.clip_low, u.clip_high, u.utilization), (1.0 / 7.0, 2.0 / 7.0, Some(1.0)));
        assert_eq!((u.range, u.reference), (Some([-10.0, 245.0]), [-10.6, 300.0]));
    }

    #[test]
    fn a_covering_format_holds_its_range_and_zero() {
        let f = Format::covering(1.0, 2.55, [0, 255]);
        assert_eq!((f.zero_point, f.round(0.0)), (0, 0.0));
        assert!((f.round(2.55) - 2.55).abs() < 1e-6);
        let f = Format::covering(-1.0, 1.0, [-32768, 32767]);
        assert!((f.round(-1.0) + 1.0).abs() <= f.scale && f.round(0.0) == 0.0);
        assert_eq!(f.bytes(&[0.0]), (f.zero_point as i16).to_le_bytes());
    }
}
