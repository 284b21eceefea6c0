//! Constant operands: scales, zero points, weights, biases.

use std::rc::Rc;
use std::sync::Arc;

use super::super::constant::{Constant, Data};
use super::Importer;
use super::node::OnnxNode;
use super::value::{ConstantReal, Refusal, Value, unsupported};
use crate::graph::{DType, Quant, Tensor, TensorId, Weights};
use crate::numeric;

/// Scales, zero points (one, or one per scale), and the zero points' type where it is given.
pub(super) type Scales = (Vec<f32>, Vec<i32>, Option<DType>);

impl<'a> Importer<'a> {
    /// The value of an input.
    pub(super) fn value(&self, n: &OnnxNode<'a>, index: usize) -> Result<&Value, Refusal> {
        let name = n.input(index).ok_or_else(|| Refusal::Malformed(format!("input {index} is missing")))?;
        match self.values.get(name) {
            Some(Value::Failed(_)) => Err(Refusal::Unreached),
            Some(Value::Exotic(reason)) => unsupported(format!("constant \"{name}\": {reason}")),
            Some(value) => Ok(value),
            None => Err(Refusal::Malformed(format!("its input \"{name}\" has no value yet"))),
        }
    }

    /// The declared shape of an input whose node is not supported.
    pub(super) fn failed_shape(&self, n: &OnnxNode<'a>, index: usize) -> Option<Vec<usize>> {
        match self.values.get(n.input(index)?) {
            Some(Value::Failed(shape)) => shape.clone(),
            _ => None,
        }
    }

    /// A constant input.
    pub(super) fn constant(
        &self,
        n: &OnnxNode<'a>,
        index: usize,
        what: &str,
    ) -> Result<Rc<Constant>, Refusal> {
        match self.value(n, index)? {
            Value::Constant(c) => Ok(c.clone()),
            _ => unsupported(format!(
                "its {what} \"{}\" is computed, not constant",
                n.input(index).unwrap_or("")
            )),
        }
    }

    /// A constant input that may be left out.
    pub(super) fn optional(
        &self,
        n: &OnnxNode<'a>,
        index: usize,
        what: &str,
    ) -> Result<Option<Rc<Constant>>, Refusal> {
        if n.input(index).is_none() { Ok(None) } else { self.constant(n, index, what).map(Some) }
    }

    /// Scales and zero points at inputs `index` and `index + 1`; lists of one, or one per channel.
    pub(super) fn scales(&self, n: &OnnxNode<'a>, index: usize) -> Result<Scales, Refusal> {
        let scale = self.constant(n, index, "scale")?;
        let Some(scale) = scale.floats() else { return unsupported("its scale is not float32") };
        if scale.is_empty() || scale.iter().any(|s| !s.is_normal() || *s <= 0.0) {
            return unsupported("a scale is not a positive normal number");
        }
        let Some(zero) = self.optional(n, index + 1, "zero point")? else {
            return Ok((scale.to_vec(), vec![0], None));
        };
        let Some(values) = zero.integers() else { return unsupported("its zero point is not an integer") };
        if values.is_empty() || (values.len() != 1 && values.len() != scale.len()) {
            return Err(Refusal::Malformed(format!(
                "{} scales, but {} zero points",
                scale.len(),
                values.len()
            )));
        }
        let narrow = values.iter().map(|v| i32::try_from(*v)).collect::<Result<Vec<i32>, _>>();
        let Ok(narrow) = narrow else { return unsupported("a zero point exceeds 32 bits") };
        Ok((scale.to_vec(), narrow, Some(zero.dtype())))
    }

    /// Quantization of an activation: one scale.
    pub(super) fn quant(&self, n: &OnnxNode<'a>, index: usize) -> Result<(Quant, Option<DType>), Refusal> {
        let (scale, zero, dtype) = self.scales(n, index)?;
        if scale.len() != 1 || zero.len() != 1 {
            return unsupported("activations with a scale per channel are not implemented");
        }
        Ok((Quant { scale: scale[0], zero_point: zero[0] }, dtype))
    }

    /// An integer activation with the quantization that stands at inputs `index + 1`, `index + 2`.
    pub(super) fn activation(&mut self, n: &OnnxNode<'a>, index: usize) -> Result<TensorId, Refusal> {
        if let (Some(shape), Some(name)) = (self.failed_shape(n, index), n.input(index)) {
            // An integer result of an unsupported operator: its quantization stands here.
            let (quant, dtype) = self.quant(n, index + 1)?;
            let dtype = dtype.unwrap_or(DType::U8);
            let id = self.tensor(Tensor { name: name.into(), shape, dtype, quant: Some(quant) });
            self.values.insert(name, Value::Tensor(id));
            return Ok(id);
        }
        let id = match self.value(n, index)? {
            Value::Tensor(id) => *id,
            Value::Constant(_) | Value::ConstantReal(_) => {
                return unsupported("a constant activation is not implemented");
            }
            _ => return unsupported("its input is a float value"),
        };
        let (quant, _) = self.quant(n, index + 1)?;
        self.quantized(id, quant)?;
        Ok(id)
    }

    /// The float view at an input: its integer tensor and the nodes in between.
    pub(super) fn real(&self, n: &OnnxNode<'a>, index: usize) -> Result<(TensorId, Vec<usize>), Refusal> {
        match self.value(n, index)? {
            Value::Real(r) if r.functions.is_empty() => Ok((r.tensor, r.nodes.clone())),
            Value::Real(_) | Value::Pending(_) => {
                unsupported(format!("its input \"{}\" is not quantized", n.input(index).unwrap_or("")))
            }
            Value::Constant(_) | Value::ConstantReal(_) => {
                unsupported("a constant activation is not implemented")
            }
            _ => unsupported(format!("a float {}: quantize the model first", n.op_type())),
        }
    }

    /// Weights at an input: a dequantized constant.
    pub(super) fn real_constant(
        &self,
        n: &OnnxNode<'a>,
        index: usize,
        what: &str,
    ) -> Result<Rc<ConstantReal>, Refusal> {
        match self.value(n, index)? {
            Value::ConstantReal(c) => Ok(c.clone()),
            Value::Constant(_) => unsupported(format!("its {what} are float: quantize the model first")),
            _ => unsupported(format!("its {what} are computed, not constant")),
        }
    }
}

/// Constant weights `[OC, IC/g, KH, KW]` or, with `rank` 2, a matrix whose output axis is `out_axis`.
pub(super) fn weights(
    constant: &Constant,
    scale: &[f32],
    zero_point: &[i32],
    scale_axis: usize,
    out_axis: usize,
) -> Result<Weights, Refusal> {
    let dtype = constant.dtype();
    let Some(bytes) = constant.bytes() else {
        return unsupported(format!("weights of type {} are not implemented", dtype.name()));
    };
    let shape = match constant.shape.as_slice() {
        [n, k] if out_axis == 0 => [*n, *k, 1, 1],
        [k, n] => [*n, *k, 1, 1],
        [oc, ic, kh, kw] => [*oc, *ic, *kh, *kw],
        other => return unsupported(format!("weights of shape {other:?} are not implemented")),
    };
    if shape.contains(&0) {
        return Err(Refusal::Malformed("its weights are empty".into()));
    }
    if scale.len() != 1 && (scale.len() != shape[0] || scale_axis != out_axis) {
        return unsupported(format!("{} scales along axis {scale_axis} of its weights", scale.len()));
    }
    if zero_point.iter().any(|z| *z != zero_point[0]) {
        return unsupported("weights whose zero point differs from channel to channel are not implemented");
    }
    let data = if constant.shape.len() == 2 && out_axis == 1 {
        transposed(&bytes, shape[1], shape[0])
    } else {
        bytes
    };
    Ok(Weights {
        name: constant.name.clone(),
        shape,
        dtype,
        data: Arc::from(data),
        scale: scale.to_vec(),
        zero_point: zero_point[0],
    })
}

/// `[rows, cols]` → `[cols, rows]`.
fn transposed(data: &[u8], rows: usize, cols: usize) -> Vec<u8> {
    (0..cols).flat_map(|c| (0..rows).map(move |r| data[r * cols + c])).collect()
}

/// A bias in the accumulator's scale `sx·sw`: the integers as they are.
pub(super) fn integer_bias(constant: &Constant, channels: usize) -> Result<Vec<i32>, Refusal> {
    let Data::S32(values) = &constant.data else {
        return unsupported(format!("a bias of type {} is not implemented", constant.dtype().name()));
    };
    match values.len() {
        n if n == channels => Ok(values.clone()),
        1 => Ok(vec![values[0]; channels]),
        n => unsupported(format!("a bias of {n} values for {channels} channels is not implemented")),
    }
}

/// A bias in QDQ form: integers behind a DequantizeLinear, whose scale must be that of the accumulator, or floats.
pub(super) fn real_bias(value: &Value, sx: f32, weights: &Weights) -> Result<Vec<i32>, Refusal> {
    let channels = weights.shape[0];
    let sw = |i: usize| weights.scale[if weights.scale.len() == 1 { 0 } else { i }];
    match value {
        Value::ConstantReal(c) => {
            if c.zero_point.iter().any(|z| *z != 0) {
                return unsupported("a bias with a zero point is not implemented");
            }
            let bias = integer_bias(&c.constant, channels)?;
            for i in 0..channels {
                let sb = c.scale[if c.scale.len() == 1 { 0 } else { i.min(c.scale.len() - 1) }];
                let want = sx * sw(i);
                if ((sb - want) / want).abs() > 1e-3 {
                    return unsupported(format!(
                        "the scale of its bias is {sb}, the accumulator's is {want}"
                    ));
                }
            }
            Ok(bias)
        }
        Value::Constant(c) => {
            let Some(values) = c.floats().filter(|v| v.len() == channels) else {
                return unsupported("its bias is neither float nor a dequantized 32-bit integer");
            };
            let quantized = |(i, v): (usize, &f32)| numeric::quantize_bias(*v, sx * sw(i));
            Ok(values.iter().enumerate().map(quantized).collect())
        }
        _ => unsupported("its bias is computed, not constant"),
    }
}
