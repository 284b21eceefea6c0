//! Gemm in both forms: `α·A·B + β·C`.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::constants::{integer_bias, weights, widened};
use super::importer::Importer;
use super::mac::{SplitBias, product};
use super::matmul::stacked;
use super::node::OnnxNode;
use super::value::{Pending, PendingKind, Real, Refusal, Value, absorb, unsupported};
use crate::graph::{Op, Quant, Tensor, TensorId};

/// QDQ Gemm.
pub(super) fn gemm<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    if let Value::Real(_) = importer.value(n, 1)? {
        return of_two(importer, n, (input, nodes));
    }
    let w = importer.real_constant(n, 1, "weights")?;
    nodes.push(w.node);
    let out_axis = if n.int("transB", 0) != 0 { 0 } else { 1 };
    let mut weights = weights(&w.constant, &w.scale, &w.zero_point, w.axis, out_axis)?;
    let alpha = alpha(n)?;
    weights.scale.iter_mut().for_each(|s| *s *= alpha);
    let input = turned(importer, n, input, "transA", "left")?;
    let rows = rows(importer, input);
    let bias = weighed_bias(importer, n)?;
    if let Some(Value::ConstantReal(c)) = n.input(2).and_then(|name| importer.values.get(name)) {
        nodes.push(c.node);
    }
    let mut bias = match &bias {
        Some(bias) => importer.split_bias(bias, input, &weights, rows)?,
        None => SplitBias::default(),
    };
    let centred = widened(&w.constant, &weights);
    let (kind, shape) = product(importer, input, weights, bias.sums.take())?;
    let p = importer.pending(kind, n, shape, vec![input], nodes);
    importer.biased(Pending { centred, ..p }, bias)
}

/// A Gemm of two computed operands: a product of two tensors, with C on top in float.
fn of_two<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    (a, mut nodes): (TensorId, Vec<usize>),
) -> Result<Value, Refusal> {
    let (b, more) = importer.real(n, 1)?;
    nodes.extend(more);
    let alpha = alpha(n)?;
    let a = turned(importer, n, a, "transA", "left")?;
    let mut b = turned(importer, n, b, "transB", "right")?;
    if alpha != 1.0 {
        let t = importer.graph.tensor(b).clone();
        let quant = importer.quant_of(b)?;
        let quant = Some(Quant { scale: quant.scale * alpha, ..quant });
        let scaled = Tensor { name: format!("{}.weighed", n.name), quant, ..t };
        b = importer.unnamed_layer(n.index, "alpha", Op::Reshape, vec![b], scaled);
    }
    let shape = stacked(importer, a, b)?;
    let p = importer.pending(PendingKind::MatMul, n, shape, vec![a, b], nodes);
    let Some(_) = n.input(2) else { return Ok(Value::Pending(p.into())) };
    let mut bias = importer.float(n, 2)?;
    match beta(n) {
        1.0 => {}
        beta => bias.expr = bias.expr.mul(beta),
    }
    let product = importer.float_result(&p)?;
    let shape = super::elementwise::broadcast(&product.shape, &bias.shape)?;
    let mut sum = Real { expr: product.expr.add(bias.expr), shape, ..product };
    absorb(&mut sum.nodes, &bias.nodes)?;
    Ok(Value::Real(sum))
}

/// α, which scales the product as the weights' scales do.
fn alpha(n: &OnnxNode) -> Result<f32, Refusal> {
    match n.float("alpha") {
        None => Ok(1.0),
        Some(alpha) if alpha.is_normal() && alpha > 0.0 => Ok(alpha),
        Some(alpha) => unsupported(format!("its alpha {alpha} is not a positive normal number")),
    }
}

fn beta(n: &OnnxNode) -> f32 {
    n.float("beta").unwrap_or(1.0)
}

/// C times β.
fn weighed_bias<'a>(importer: &Importer<'a>, n: &OnnxNode<'a>) -> Result<Option<Value>, Refusal> {
    let beta = beta(n);
    if n.input(2).is_none() || beta == 0.0 {
        return Ok(None);
    }
    let value = importer.value(n, 2)?.clone();
    if beta == 1.0 {
        return Ok(Some(value));
    }
    let c = match &value {
        Value::ConstantReal(c) => c.dequantized(),
        Value::Constant(c) => (**c).clone(),
        _ => return unsupported("its bias is computed, not constant"),
    };
    let Some(floats) = c.floats() else { return unsupported("its bias is not float") };
    let data = Data::F32(floats.iter().map(|x| x * beta).collect());
    let name = format!("{}.weighed_bias", n.name);
    Ok(Some(Value::Constant(Rc::new(Constant { name, data, shape: c.shape }))))
}

/// A matrix, transposed if the attribute says so.
fn turned<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    id: TensorId,
    attribute: &str,
    side: &str,
) -> Result<TensorId, Refusal> {
    if n.int(attribute, 0) == 0 {
        return Ok(id);
    }
    let t = importer.graph.tensor(id).clone();
    let [rows, columns] = t.shape[..] else {
        return Err(Refusal::Malformed(format!("an operand of shape {:?} is no matrix", t.shape)));
    };
    let name = format!("{}.{side}_transposed", n.name);
    let output = Tensor { name, shape: vec![columns, rows], ..t };
    let what = format!("{side}_transposed");
    Ok(importer.unnamed_layer(n.index, &what, Op::Transpose { perm: vec![1, 0] }, vec![id], output))
}

/// Rows of a matrix.
fn rows(importer: &Importer, input: TensorId) -> usize {
    let shape = &importer.graph.tensor(input).shape;
    shape[..shape.len().saturating_sub(1)].iter().product()
}

/// `QGemm(A, a_scale, a_zp, B, b_scale, b_zp, C, y_scale, y_zp)`; without `y_scale` the result is float.
pub(super) fn qgemm<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let input = importer.activation(n, 0)?;
    let constant = importer.constant(n, 3, "weights")?;
    let (scale, zero, _) = importer.scales(n, 4)?;
    let out_axis = if n.int("transB", 0) != 0 { 0 } else { 1 };
    let mut weights = weights(&constant, &scale, &zero, out_axis, out_axis)?;
    // The bias has α in its scale.
    let alpha = alpha(n)?;
    weights.scale.iter_mut().for_each(|s| *s *= alpha);
    let input = turned(importer, n, input, "transA", "left")?;
    let rows = rows(importer, input);
    let bias =
        importer.optional(n, 6, "bias")?.map(|b| integer_bias(&b, weights.shape[0], rows)).transpose()?;
    let centred = widened(&constant, &weights);
    let parts = product(importer, input, weights, bias)?;
    if n.input(7).is_none() {
        let p = importer.pending(parts.0, n, parts.1, vec![input], Vec::new());
        return importer.float_result(&p).map(Value::Real);
    }
    let to = importer.quant(n, 7)?;
    importer.qlinear_result(n, parts, vec![input], to, centred)
}
