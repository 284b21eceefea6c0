//! Add and Mul in both forms; with one constant number on a side they are tables.

use super::Importer;
use super::function::{Format, map, range};
use super::node::OnnxNode;
use super::value::{Pending, PendingKind, Refusal, Value, unsupported};
use crate::graph::{DType, Op, Quant, Tensor, TensorId};
use crate::numeric::{self, AddCoefficients, MulCoefficients};

/// NumPy broadcasting of two shapes.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Refusal> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Refusal::Malformed(format!("shapes {a:?} and {b:?} do not broadcast"))),
        })
        .collect()
}

fn qdq<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>, kind: PendingKind) -> Result<Value, Refusal> {
    let (a, mut nodes) = importer.real(n, 0)?;
    let (b, more) = importer.real(n, 1)?;
    nodes.extend(more);
    nodes.push(n.index);
    let shape = broadcast(&importer.graph.tensor(a).shape, &importer.graph.tensor(b).shape)?;
    Ok(Value::Pending(
        Pending { kind, own: n.index, shape, inputs: vec![a, b], functions: Vec::new(), nodes }.into(),
    ))
}

/// QDQ Add.
pub(super) fn add<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    qdq(importer, n, PendingKind::Add)
}

/// QDQ Mul.
pub(super) fn mul<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    qdq(importer, n, PendingKind::Mul)
}

/// `QLinearAdd(A, A_scale, A_zp, B, B_scale, B_zp, C_scale, C_zp)`.
pub(super) fn qlinear_add<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    qlinear(importer, n, PendingKind::Add)
}

/// `QLinearMul(A, A_scale, A_zp, B, B_scale, B_zp, C_scale, C_zp)`.
pub(super) fn qlinear_mul<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    qlinear(importer, n, PendingKind::Mul)
}

/// A side of a QLinear operator.
enum Side {
    Tensor(TensorId),
    Number(i32),
}

fn side<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>, index: usize) -> Result<Side, Refusal> {
    if let Value::Constant(c) = importer.value(n, index)? {
        return match c.integers().as_deref() {
            Some([one]) => Ok(Side::Number(*one as i32)),
            _ => unsupported(format!(
                "a constant operand of shape {:?} is not implemented; one number is",
                c.shape
            )),
        };
    }
    importer.activation(n, index).map(Side::Tensor)
}

fn qlinear<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    kind: PendingKind,
) -> Result<Value, Refusal> {
    let (a, b) = (side(importer, n, 0)?, side(importer, n, 3)?);
    let (quant, dtype) = importer.quant(n, 6)?;
    let to: Format = (quant, dtype.unwrap_or(DType::U8));
    let (tensor, constant_first, number) = match (a, b) {
        (Side::Tensor(a), Side::Tensor(b)) => {
            let shape = broadcast(&importer.graph.tensor(a).shape, &importer.graph.tensor(b).shape)?;
            let p = Pending {
                kind,
                own: n.index,
                shape,
                inputs: vec![a, b],
                functions: Vec::new(),
                nodes: Vec::new(),
            };
            return importer.complete(&p, n.index, n.result()?, to);
        }
        (Side::Tensor(a), Side::Number(b)) => (a, false, b),
        (Side::Number(a), Side::Tensor(b)) => (b, true, a),
        _ => return unsupported("both operands are constant"),
    };
    let quants = [importer.quant(n, 1)?.0, importer.quant(n, 4)?.0];
    let t = importer.graph.tensor(tensor).clone();
    let order = |q: i32| if constant_first { [number, q] } else { [q, number] };
    let clamp = range(to.1);
    let lut = if matches!(kind, PendingKind::Add) {
        let [a, b]: [Quant; 2] = quants;
        let c =
            AddCoefficients::new(a.scale, a.zero_point, b.scale, b.zero_point, quant.scale, quant.zero_point);
        map("add", t.dtype, |q| {
            let [x, y] = order(q);
            numeric::add(x, y, c.ra, c.rb, c.c, clamp)
        })
    } else {
        let [a, b] = quants;
        let m = MulCoefficients::new(a.scale, b.scale, quant.scale).m;
        map("mul", t.dtype, |q| {
            let [x, y] = order(q);
            numeric::mul(i64::from((x - a.zero_point) * (y - b.zero_point)), m, quant.zero_point, clamp)
        })
    };
    let output = Tensor { name: n.result()?.into(), shape: t.shape, dtype: to.1, quant: Some(quant) };
    Ok(Value::Tensor(importer.layer(n.index, Op::Table(lut), vec![tensor], output, &[])))
}
