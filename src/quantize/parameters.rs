//! Scales, zero points and widths of all tensors: what the writer needs to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::graph::DType;

/// Quantization of one activation tensor: `real = scale · (q − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activation {
    /// u8, s8, u16 or s16.
    pub dtype: DType,
    /// Positive and normal.
    pub scale: f32,
    /// Within the range of the type.
    pub zero_point: i32,
}

/// The integer format of activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationFormat {
    /// 8 or 16 bits.
    pub bits: u8,
    /// Whether s8 and s16 are used instead of u8 and u16.
    pub signed: bool,
    /// Whether zero is in the middle of the range.
    pub symmetric: bool,
}

impl Default for ActivationFormat {
    fn default() -> ActivationFormat {
        ActivationFormat { bits: 8, signed: false, symmetric: false }
    }
}

impl ActivationFormat {
    /// The element type.
    #[must_use]
    pub fn dtype(self) -> DType {
        match (self.bits > 8, self.signed) {
            (false, false) => DType::U8,
            (false, true) => DType::S8,
            (true, false) => DType::U16,
            (true, true) => DType::S16,
        }
    }

    /// Number of codes of the type: `2^bits`.
    #[must_use]
    pub fn levels(self) -> u32 {
        if self.bits > 8 { 1 << 16 } else { 1 << 8 }
    }
}

impl Activation {
    /// The parameters with which integers cover a range of real values, as ONNX Runtime's quantizer derives
    /// them: `scale = (hi − lo) / (2^bits − 1)`, `zero_point = rne(q_min − lo / scale)`, in f64. The scale is
    /// rounded so that the integers do not exceed the range, so a Clip with the same bounds can be omitted.
    #[must_use]
    pub fn covering([lo, hi]: [f32; 2], format: ActivationFormat) -> Activation {
        let dtype = format.dtype();
        let (q_min, q_max) = dtype.int_range().unwrap_or((0, 255));
        let (lo, hi) = (f64::from(lo.min(0.0)), f64::from(hi.max(0.0)));
        let (lo, hi) = if format.symmetric {
            let reach = hi.max(-lo);
            (-reach, reach)
        } else {
            (lo, hi)
        };
        // A tensor that is always zero may have any scale.
        let span = if hi - lo > f64::from(f32::MIN_POSITIVE) * 65_536.0 { hi - lo } else { 1.0 };
        let steps = if format.symmetric { (q_max - q_min - 1) as f64 } else { (q_max - q_min) as f64 };
        let mut scale = (span / steps) as f32;
        if !format.symmetric && f64::from(scale * steps as f32) > span {
            scale = scale.next_down();
        }
        let zero_point = if format.symmetric {
            (q_min + q_max + 1) as f64 / 2.0
        } else {
            (q_min as f64 - lo / f64::from(scale)).round_ties_even().clamp(q_min as f64, q_max as f64)
        };
        Activation { dtype, scale, zero_point: zero_point as i32 }
    }

    /// The real values at the ends of the type.
    #[must_use]
    pub fn range(self) -> [f32; 2] {
        let (lo, hi) = self.dtype.int_range().unwrap_or((0, 0));
        [lo, hi].map(|q| ((q - i64::from(self.zero_point)) as f32 * self.scale).clamp(f32::MIN, f32::MAX))
    }
}

/// The integer format of a node's weights; always symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightFormat {
    /// 8 or 16 bits, signed.
    pub bits: u8,
    /// Whether each output channel has its own scale.
    pub per_channel: bool,
}

/// Parameters of a whole network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// By name of the float value. Values without an entry stay float.
    pub activations: BTreeMap<String, Activation>,
    /// By name of the node. Nodes without an entry keep float weights.
    pub weights: BTreeMap<String, WeightFormat>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_parameters_as_onnx_runtime_derives_them() {
        let u8 = ActivationFormat::default();
        let a = Activation::covering([0.0, 6.0], u8);
        assert_eq!((a.dtype, a.zero_point), (DType::U8, 0));
        assert!((a.scale - 6.0 / 255.0).abs() < 1e-8 && a.scale * 255.0 <= 6.0);
        let a = Activation::covering([-1.0, 3.0], u8);
        assert_eq!((a.zero_point, (a.scale * 1e6).round()), (64, 15_686.0));
        let a = Activation::covering([-1.0, 3.0], ActivationFormat { signed: true, ..u8 });
        assert_eq!((a.dtype, a.zero_point), (DType::S8, -64));
        let a = Activation::covering([-1.0, 3.0], ActivationFormat { signed: true, symmetric: true, ..u8 });
        assert_eq!((a.zero_point, a.range()[1]), (0, 3.0));
        let a =
            Activation::covering([-1.0, 3.0], ActivationFormat { bits: 16, symmetric: true, signed: false });
        assert_eq!((a.dtype, a.zero_point), (DType::U16, 32768));
        let a = Activation::covering([0.0, 0.0], u8);
        assert!(a.scale.is_normal() && a.zero_point == 0);
    }
}
