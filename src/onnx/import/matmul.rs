//! MatMul: with constant weights a Gemm over rows, else a product of two tensors.

use std::rc::Rc;

use super::super::constant::Constant;
use super::constant_real::ConstantReal;
use super::constants::{weights, widened};
use super::importer::Importer;
use super::mac::{SplitBias, product};
use super::node::OnnxNode;
use super::value::{Moved, Pending, PendingKind, Refusal, Value, absorb, unsupported};
use crate::graph::{DType, Op, Quant, Tensor, TensorId};

/// The shape of `a × b` by NumPy's rules for operands of at least two axes.
pub(super) fn stacked(importer: &Importer, a: TensorId, b: TensorId) -> Result<Vec<usize>, Refusal> {
    let (a, b) = (&importer.graph.tensor(a).shape, &importer.graph.tensor(b).shape);
    let ([outer_a @ .., m, k], [outer_b @ .., k2, n]) = (a.as_slice(), b.as_slice()) else {
        return unsupported(format!("a product of shapes {a:?} and {b:?}: two axes are the least"));
    };
    if k != k2 {
        return Err(Refusal::Malformed(format!("a product of shapes {a:?} and {b:?}")));
    }
    let mut shape = super::elementwise::broadcast(outer_a, outer_b)?;
    shape.extend([*m, *n]);
    Ok(shape)
}

/// QDQ MatMul.
pub(super) fn matmul<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    if let (Value::Real(x), Value::ConstantReal(w)) = (importer.value(n, 0)?, importer.value(n, 1)?.clone())
        && let Some((matrix, axis)) = matrix(&w, x.shape.len())
    {
        let (input, mut nodes) = importer.real(n, 0)?;
        nodes.push(w.node);
        let vector = w.constant.shape.len() == 1;
        let weights = weights(&matrix, &w.scale, &w.zero_point, axis, 1)?;
        let centred = widened(&w.constant, &weights);
        let (kind, shape) = product(importer, input, weights, None)?;
        let mut p = importer.pending(kind, n, shape, vec![input], nodes);
        if vector {
            without(&mut p, n.index, [false, true]);
        }
        return Ok(Value::Pending(Pending { centred, ..p }.into()));
    }
    if let (Value::ConstantReal(w), Value::Real(_)) = (importer.value(n, 0)?.clone(), importer.value(n, 1)?)
        && w.scale.len() > 1
        && w.constant.shape.len() == 2
    {
        return by_rows(importer, n, &w);
    }
    let mut nodes = Vec::new();
    let mut sides = [TensorId(0); 2];
    for (i, side) in sides.iter_mut().enumerate() {
        *side = match importer.value(n, i)?.clone() {
            Value::ConstantReal(c) => {
                let Some(quant) = c.quant() else {
                    return unsupported("a constant operand of a product with a scale per channel");
                };
                nodes.push(c.node);
                importer.constant_tensor(&c.constant, Some(quant))?
            }
            _ => {
                let (id, more) = importer.real(n, i)?;
                nodes.extend(more);
                id
            }
        };
    }
    // A vector is a row on the left and a column on the right; its axis of extent 1 is not in the result.
    let vectors = sides.map(|id| importer.graph.tensor(id).shape.len() == 1);
    for (i, side) in sides.iter_mut().enumerate().filter(|(i, _)| vectors[*i]) {
        let t = importer.graph.tensor(*side).clone();
        let name = format!("{}.matrix", t.name);
        let shape = if i == 0 { vec![1, t.shape[0]] } else { vec![t.shape[0], 1] };
        let matrix = Tensor { name, shape, ..t };
        *side = importer.unnamed_layer(n.index, "matrix", Op::Reshape, vec![*side], matrix);
    }
    let shape = stacked(importer, sides[0], sides[1])?;
    let mut p = importer.pending(PendingKind::MatMul, n, shape, sides.to_vec(), nodes);
    without(&mut p, n.index, vectors);
    Ok(Value::Pending(p.into()))
}

impl<'a> Importer<'a> {
    /// A MatMul with constant weights and the Add of a constant row that follows it, as one layer: ONNX
    /// Runtime makes a Gemm of the two before it looks at quantizers, so the row becomes part of the sums as
    /// a Gemm's bias does.
    pub(super) fn product_and_bias(&self, n: &'a OnnxNode<'a>) -> Result<Option<Value>, Refusal> {
        for (product, bias) in [(0, 1), (1, 0)] {
            let Value::Pending(p) = self.value(n, product)? else { continue };
            let PendingKind::Gemm { weights, bias: None } = &p.kind else { continue };
            let own = &self.nodes[p.own];
            let alone = own.output().and_then(|o| self.read.get(o)) == Some(&1);
            let plain = own.op_type() == "MatMul" && alone && p.bounds.is_empty() && p.moves.is_empty();
            let row = self.value(n, bias)?;
            let shape: &[usize] = match row {
                Value::ConstantReal(c) => &c.constant.shape,
                Value::Constant(c) => &c.shape,
                _ => continue,
            };
            let channels = weights.shape[0];
            let [leading @ .., last] = shape else { continue };
            let fits = leading.len() < p.shape.len() && leading.iter().all(|d| *d == 1) && *last == channels;
            if !plain || !fits {
                continue;
            }
            // All leading extents are one: the row is the same for all rows of the product.
            let SplitBias { sums: Some(sums), before, on_top: None } =
                self.split_bias(row, p.inputs[0], weights, 1)?
            else {
                continue;
            };
            let mut nodes = p.nodes.clone();
            if let Value::ConstantReal(c) = row {
                nodes.push(c.node);
            }
            absorb(&mut nodes, &[n.index])?;
            let kind = PendingKind::Gemm { weights: weights.clone(), bias: Some(sums) };
            let bias = before.map(Rc::new);
            return Ok(Some(Value::Pending(Pending { kind, nodes, bias, ..(**p).clone() }.into())));
        }
        Ok(None)
    }
}

/// `W × X` with a scale for each row of the weights: `(Xᵀ × Wᵀ)ᵀ`.
fn by_rows<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>, w: &ConstantReal) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 1)?;
    nodes.push(w.node);
    let t = importer.graph.tensor(input).clone();
    let rank = t.shape.len();
    if rank < 2 {
        return unsupported("a product of weights with a scale for each row and a vector");
    }
    let mut perm: Vec<usize> = (0..rank).collect();
    perm.swap(rank - 2, rank - 1);
    let swapped = |shape: &[usize]| perm.iter().map(|a| shape[*a]).collect::<Vec<usize>>();
    let columns = Tensor { name: format!("{}.columns", n.name), shape: swapped(&t.shape), ..t };
    let op = Op::Transpose { perm: perm.clone() };
    let columns = importer.unnamed_layer(n.index, "columns", op.clone(), vec![input], columns);
    let weights = weights(&w.constant, &w.scale, &w.zero_point, w.axis, 0)?;
    let centred = widened(&w.constant, &weights);
    let (kind, before) = product(importer, columns, weights, None)?;
    let shape = swapped(&before);
    let mut p = importer.pending(kind, n, shape.clone(), vec![columns], nodes);
    p.moves.push(Moved { node: n.index, op, before, shape, fill: None });
    Ok(Value::Pending(Pending { centred, ..p }.into()))
}

/// Weights as a matrix, and the axis of their scales: a vector is a column, and axes of one in front are no
/// axes if the other operand has as many.
fn matrix(w: &ConstantReal, rank: usize) -> Option<(Constant, usize)> {
    let mut matrix = (*w.constant).clone();
    match w.constant.shape[..] {
        [_] if w.scale.len() == 1 => {
            matrix.shape.push(1);
            Some((matrix, 0))
        }
        [ref outer @ .., rows, columns] if outer.len() + 2 <= rank && outer.iter().all(|d| *d == 1) => {
            let axis = if w.scale.len() == 1 { 0 } else { w.axis.checked_sub(outer.len())? };
            matrix.shape = vec![rows, columns];
            Some((matrix, axis))
        }
        _ => None,
    }
}

/// Removes rows (first) or columns (second) of extent 1 from the shape of a product.
fn without(p: &mut Pending, node: usize, [rows, columns]: [bool; 2]) {
    let before = p.shape.clone();
    let rank = before.len();
    let mut shape = before.clone();
    if columns {
        shape.remove(rank - 1);
    }
    if rows {
        shape.remove(rank - 2);
    }
    if shape != before {
        p.moves.push(Moved { node, op: Op::Reshape, before, shape: shape.clone(), fill: None });
        p.shape = shape;
    }
}

/// `QLinearMatMul(a, a_scale, a_zp, b, b_scale, b_zp, y_scale, y_zp)`.
pub(super) fn qlinear_matmul<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let to = importer.quant(n, 6)?;
    if let Value::Constant(c) = importer.value(n, 3)?.clone()
        && c.shape.len() == 2
        && matches!(importer.value(n, 0)?, Value::Tensor(_))
    {
        let input = importer.activation(n, 0)?;
        let (scale, zero, _) = importer.scales(n, 4)?;
        let weights = weights(&c, &scale, &zero, 1, 1)?;
        let centred = widened(&c, &weights);
        let parts = product(importer, input, weights, None)?;
        return importer.qlinear_result(n, parts, vec![input], to, centred);
    }
    let (a, b) = (importer.activation(n, 0)?, importer.activation(n, 3)?);
    let shape = stacked(importer, a, b)?;
    importer.qlinear_result(n, (PendingKind::MatMul, shape), vec![a, b], to, false)
}

/// `MatMulInteger(A, B, a_zp, b_zp)`: returns the sums.
pub(super) fn matmul_integer<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let a = importer.integers(n, 0, 2)?;
    if let Value::Constant(c) = importer.value(n, 1)?.clone() {
        let zero = importer.optional(n, 3, "zero point")?.and_then(|c| c.integers());
        let zero: Vec<i32> = zero.unwrap_or_else(|| vec![0]).iter().map(|z| *z as i32).collect();
        if c.shape.len() == 2 {
            let weights = weights(&c, &[1.0], &zero, 1, 1)?;
            let parts = product(importer, a, weights, None)?;
            return importer.sums(n, parts, vec![a]);
        }
        let [zero_point] = zero[..] else { return unsupported("a zero point for each column") };
        let b = importer.constant_tensor(&c, Some(Quant { scale: 1.0, zero_point }))?;
        let shape = stacked(importer, a, b)?;
        return importer.sums(n, (PendingKind::MatMul, shape), vec![a, b]);
    }
    let b = importer.integers(n, 1, 3)?;
    if importer.graph.tensor(b).dtype == DType::F32 {
        return unsupported("its operand is a float value");
    }
    let shape = stacked(importer, a, b)?;
    importer.sums(n, (PendingKind::MatMul, shape), vec![a, b])
}
