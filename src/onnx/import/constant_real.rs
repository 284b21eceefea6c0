//! The float view of an integer constant.

use std::rc::Rc;

use super::super::constant::Constant;
use crate::graph::Quant;
use crate::numeric;

/// `(constant − zero_point)·scale`, per tensor or along one axis.
#[derive(Debug, Clone)]
pub(super) struct ConstantReal {
    pub(super) constant: Rc<Constant>,
    pub(super) scale: Vec<f32>,
    pub(super) zero_point: Vec<i32>,
    /// Axis of the scales, where there are several.
    pub(super) axis: usize,
    /// The DequantizeLinear node.
    pub(super) node: usize,
}

impl ConstantReal {
    /// Its only element as integer and float; `None` if there are several.
    pub(super) fn number(&self) -> Option<(i32, f32)> {
        let [q] = self.constant.integers()?[..] else { return None };
        let q = i32::try_from(q).ok()?;
        Some((q, numeric::dequantize(q, self.scale[0], self.zero_point[0])))
    }

    /// Its quantization, if all elements have the same.
    pub(super) fn quant(&self) -> Option<Quant> {
        match (&self.scale[..], &self.zero_point[..]) {
            ([scale], [zero_point, ..]) => Some(Quant { scale: *scale, zero_point: *zero_point }),
            _ => None,
        }
    }
}
