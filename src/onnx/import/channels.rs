//! Activations with a scale for each channel, as producers write them before depthwise convolutions.
//!
//! A tensor of the graph has one scale, so such a tensor holds the same integers under the scale 1, and its
//! float view is that times a constant by channel. A depthwise convolution takes the constant into its
//! weights' scales; anything else multiplies on the f32 lane. Where zero points differ as well, the tensor
//! holds `q − zero_point` in 16 bits.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::centred::Centred;
use super::complete::single_step;
use super::constants::Scales;
use super::expr::{Expr, range};
use super::importer::Importer;
use super::node::OnnxNode;
use super::unary::clamp;
use super::value::{Pending, PendingKind, Real, Refusal, Value, unsupported};
use crate::graph::{DType, Op, Quant, Tensor, TensorId};
use crate::isa::Float2;
use crate::numeric;

/// How a tensor is quantized by channel.
pub(super) struct ByChannel {
    pub(super) scale: Vec<f32>,
    /// One for all, or one for each.
    pub(super) zero_point: Vec<i32>,
    pub(super) axis: usize,
}

impl ByChannel {
    /// # Errors
    /// There are not as many scales as the axis has elements.
    pub(super) fn of(scales: Scales, axis: usize, shape: &[usize]) -> Result<ByChannel, Refusal> {
        let (scale, zero_point, _) = scales;
        if shape.get(axis) != Some(&scale.len()) {
            return Err(Refusal::Malformed(format!("{} scales along axis {axis} of {shape:?}", scale.len())));
        }
        if let Some(s) = scale.iter().find(|s| !s.is_normal()) {
            return unsupported(format!("its scale {s} is not a positive normal number"));
        }
        Ok(ByChannel { scale, zero_point, axis })
    }

    /// The zero point, if there is one for all channels.
    fn common(&self) -> Option<i32> {
        let first = self.zero_point[0];
        self.zero_point.iter().all(|z| *z == first).then_some(first)
    }

    fn zero(&self, channel: usize) -> i32 {
        self.zero_point[if self.zero_point.len() == 1 { 0 } else { channel }]
    }

    /// Numbers along the axis, as an operand of a tensor of this rank.
    fn constant(&self, name: String, rank: usize, numbers: impl Iterator<Item = f32>) -> Expr {
        let data = Data::F32(numbers.collect());
        let mut shape = vec![1; rank];
        shape[self.axis] = self.scale.len();
        Expr::Constant(Rc::new(Constant { name, shape, data }))
    }
}

/// DequantizeLinear of a tensor with a scale for each channel.
pub(super) fn dequantize<'a>(
    importer: &mut Importer<'a>,
    n: &OnnxNode<'a>,
    value: &Value,
    by: &ByChannel,
) -> Result<Value, Refusal> {
    let (id, already) = match value {
        Value::Centred(c) if c.axis == by.axis => (c.tensor, c.zero_point.clone()),
        Value::Tensor(id) => {
            let zero_point = by.common().unwrap_or(0);
            (importer.read_as(n, *id, Quant { scale: 1.0, zero_point })?, vec![zero_point])
        }
        _ => return unsupported("it dequantizes along another axis than its input was quantized"),
    };
    let shape = importer.graph.tensor(id).shape.clone();
    let at = |c: usize| already[if already.len() == 1 { 0 } else { c }];
    let channels = 0..by.scale.len();
    let mut expr = Expr::Tensor(id);
    if channels.clone().any(|c| at(c) != by.zero(c)) {
        let moved = channels.map(|c| (at(c) - by.zero(c)) as f32);
        expr = expr.add(by.constant(format!("{}.zero_points", n.name), shape.len(), moved));
    }
    let scale = by.constant(format!("{}.scales", n.name), shape.len(), by.scale.iter().copied());
    Ok(Value::Real(Real { expr: expr.mul(scale), shape, nodes: vec![n.index], unnamed: false }))
}

/// QuantizeLinear of a float value with a scale for each channel.
pub(super) fn quantize<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    value: &Value,
    by: &ByChannel,
    dtype: DType,
) -> Result<Value, Refusal> {
    let name = n.result()?;
    let real = match value {
        Value::Pending(p) => {
            if let Some(done) = in_array(importer, n, p, by, dtype)? {
                return Ok(done);
            }
            importer.float_result(p)?
        }
        Value::Real(r) => r.clone(),
        Value::Tensor(id) if importer.graph.tensor(*id).dtype == DType::F32 => {
            let shape = importer.graph.tensor(*id).shape.clone();
            Real { expr: Expr::Tensor(*id), shape, nodes: Vec::new(), unnamed: false }
        }
        _ => return unsupported("a scale for each channel behind a layer of the host"),
    };
    let rank = real.shape.len();
    let scales = by.constant(format!("{}.scales", n.name), rank, by.scale.iter().copied());
    let expr = real.expr.clone().two(Float2::Div, scales);
    let [least, greatest] = range(dtype);
    if let Some(zero_point) = by.common() {
        let real = Real { expr, ..real };
        return importer.complete_real(&real, n.index, name, Some((Quant { scale: 1.0, zero_point }, dtype)));
    }
    if dtype.bytes() > 1 {
        return unsupported("16-bit activations with a zero point for each channel are not implemented");
    }
    let bound = |what: &str, limit: i32| {
        let numbers = (0..by.scale.len()).map(|c| (limit - by.zero(c)) as f32);
        by.constant(format!("{}.{what}", n.name), rank, numbers)
    };
    let expr = expr.max(bound("least", least)).min(bound("greatest", greatest));
    let real = Real { expr, ..real };
    let to = (Quant { scale: 1.0, zero_point: 0 }, DType::S16);
    let Value::Tensor(tensor) =
        importer.complete_real(&real, n.index, &format!("{name}.centred"), Some(to))?
    else {
        return unsupported("its result is no tensor");
    };
    importer.centred.insert(tensor);
    let zero_point = (0..by.scale.len()).map(|c| by.zero(c)).collect();
    Ok(Value::Centred(Rc::new(Centred { tensor, zero_point, axis: by.axis })))
}

/// A product whose output channels have the scales: the array requantizes each channel with its own
/// multiplier. None if zero points or bounds differ between channels.
fn in_array<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    p: &Pending,
    by: &ByChannel,
    dtype: DType,
) -> Result<Option<Value>, Refusal> {
    let axis = match &p.kind {
        PendingKind::Conv { .. } | PendingKind::ConvTranspose { .. } => 1,
        PendingKind::Gemm { .. } => p.shape.len().saturating_sub(1),
        _ => return Ok(None),
    };
    let Some(zero_point) = by.common().filter(|_| axis == by.axis && p.moves.is_empty()) else {
        return Ok(None);
    };
    let of = |scale: &f32| clamp(&p.bounds, (Quant { scale: *scale, zero_point }, dtype));
    let limits = of(&by.scale[0]);
    if by.scale.iter().any(|s| of(s) != limits) {
        return Ok(None);
    }
    let unit = Quant { scale: 1.0, zero_point };
    let sx = importer.quant_of(p.inputs[0])?.scale;
    let Some(mut op) = importer.mac_operator(p, Some(unit), limits)? else { return Ok(None) };
    let (Op::Conv { weights, epilogue, .. }
    | Op::ConvTranspose { weights, epilogue, .. }
    | Op::Gemm { weights, epilogue }) = &mut op
    else {
        return Ok(None);
    };
    let sw = |c: usize| weights.scale[if weights.scale.len() == 1 { 0 } else { c }];
    let multiplier = |(c, sy): (usize, &f32)| numeric::requantize_multiplier(sx, sw(c), *sy);
    epilogue.multiplier = by.scale.iter().enumerate().map(multiplier).collect();
    let output = Tensor { name: n.result()?.into(), shape: p.shape.clone(), dtype, quant: Some(unit) };
    let mut nodes = p.nodes.clone();
    nodes.push(n.index);
    let id = if single_step(importer, p, &output) {
        importer.rounded_as_floats(p, op, output, limits, &nodes)
    } else {
        importer.mac_layer(p, op, output, &nodes)
    };
    Ok(Some(Value::Tensor(id)))
}

/// A tensor times a constant for each channel (axis 1): the tensor, the constant and its numbers.
pub(super) fn scaled(importer: &Importer, r: &Real) -> Option<(TensorId, Rc<Constant>)> {
    let Expr::Two(Float2::Mul, a, b) = &r.expr else { return None };
    let (Expr::Tensor(id), Expr::Constant(c)) = (&**a, &**b) else { return None };
    let t = importer.graph.tensor(*id);
    let channels = *t.shape.get(1)?;
    let rank = c.shape.len();
    let by_channel =
        rank == t.shape.len() && (0..rank).all(|a| c.shape[a] == if a == 1 { channels } else { 1 });
    let positive = c.floats().is_some_and(|f| f.iter().all(|s| s.is_normal() && *s > 0.0));
    (t.quant.is_some() && t.shape == r.shape && by_channel && positive).then(|| (*id, c.clone()))
}

/// The scales of depthwise weights `[C·k, 1, …]` with those of their input taken in.
pub(super) fn taken_in(own: &[f32], input: &[f32], outputs: usize) -> Vec<f32> {
    let each = outputs / input.len().max(1);
    let own = |o: usize| own[if own.len() == 1 { 0 } else { o }];
    (0..outputs).map(|o| input[o / each.max(1)] * own(o)).collect()
}
