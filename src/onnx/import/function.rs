//! Element-wise functions of one tensor, and the tables that they become.

use std::sync::Arc;

use crate::graph::{DType, Lut, Quant};
use crate::numeric;

/// A function of one float; f32 arithmetic in the written order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unary {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, lo), hi)`.
    Clip { lo: f32, hi: f32 },
    /// `x < 0 ? alpha·x : x`.
    LeakyRelu { alpha: f32 },
    /// `max(0, min(1, alpha·x + beta))`.
    HardSigmoid { alpha: f32, beta: f32 },
    /// `x · max(0, min(1, x/6 + 0.5))`.
    HardSwish,
}

impl Unary {
    fn apply(self, x: f32) -> f32 {
        match self {
            Unary::Relu => x.max(0.0),
            Unary::Clip { lo, hi } => x.max(lo).min(hi),
            Unary::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Unary::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Unary::HardSwish => x * (x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Unary::Relu => "relu",
            Unary::Clip { .. } => "clip",
            Unary::LeakyRelu { .. } => "leaky_relu",
            Unary::HardSigmoid { .. } => "hard_sigmoid",
            Unary::HardSwish => "hard_swish",
        }
    }

    /// The bounds of a function that only clamps.
    pub(super) fn bounds(self) -> Option<(f32, f32)> {
        match self {
            Unary::Relu => Some((0.0, f32::INFINITY)),
            Unary::Clip { lo, hi } => Some((lo, hi)),
            _ => None,
        }
    }
}

/// Quantization and type of an 8-bit tensor.
pub(super) type Format = (Quant, DType);

/// The range of an 8-bit type.
pub(super) fn range(dtype: DType) -> [i32; 2] {
    if dtype == DType::S8 { [-128, 127] } else { [0, 255] }
}

/// `q ↦ quantize(functions(dequantize(q)))`.
pub(super) fn table(functions: &[Unary], from: Format, to: Format) -> Lut {
    let what = match functions {
        [] => "requantize".to_string(),
        list => list.iter().map(|f| f.name()).collect::<Vec<_>>().join("+"),
    };
    map(what, from.1, |q| {
        let real = numeric::dequantize(q, from.0.scale, from.0.zero_point);
        let real = functions.iter().fold(real, |x, f| f.apply(x));
        numeric::quantize(real, to.0.scale, to.0.zero_point, range(to.1))
    })
}

/// A table from a function of the integers.
pub(super) fn map(what: impl Into<String>, from: DType, f: impl Fn(i32) -> i32) -> Lut {
    let entry = |i: usize| {
        let q = if from == DType::S8 { i32::from(i as u8 as i8) } else { i as i32 };
        f(q) as u8
    };
    Lut { what: what.into(), table: Arc::new(std::array::from_fn(entry)) }
}
