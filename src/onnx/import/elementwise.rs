//! Element-wise operators of two or more tensors, with NumPy broadcasting.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::expr::{Expr, Format, map};
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{PendingKind, Real, Refusal, Value, absorb, unsupported};
use crate::graph::{DType, Quant, Tensor, TensorId};
use crate::isa::Float2;
use crate::numeric::{self, AddCoefficients, MulCoefficients};

/// NumPy broadcasting of two shapes.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Refusal> {
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

impl<'a> Importer<'a> {
    /// An input as a float expression.
    pub(super) fn float(&mut self, n: &'a OnnxNode<'a>, index: usize) -> Result<Real, Refusal> {
        let plain = |expr, shape| Real { expr, shape, nodes: Vec::new(), unnamed: false };
        Ok(match self.value(n, index)?.clone() {
            Value::Real(r) => self.operand_of(n.input(index).unwrap_or(""), r)?,
            Value::Tensor(id) if self.graph.tensor(id).dtype == DType::F32 => {
                plain(Expr::Tensor(id), self.graph.tensor(id).shape.clone())
            }
            Value::Constant(c) => match c.floats() {
                Some([x]) => plain(Expr::Number(*x), c.shape.clone()),
                Some(_) => plain(Expr::Constant(c.clone()), c.shape.clone()),
                None => return unsupported("an integer operand beside floats"),
            },
            Value::ConstantReal(c) => {
                let shape = c.constant.shape.clone();
                let expr = if c.quant().is_some() {
                    Expr::Quantized(c.clone())
                } else {
                    Expr::Constant(Rc::new(c.dequantized()))
                };
                Real { expr, shape, nodes: vec![c.node], unnamed: false }
            }
            Value::Pending(p) => self.float_result(&p)?,
            Value::Host => return unsupported("it follows a float layer"),
            _ => return unsupported(self.not_quantized(n)),
        })
    }
}

/// Add, Sub, Mul, Div, Min, Max, Pow of floats. Min and Max take any number of operands.
pub(super) fn operator<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let f = match n.op_type() {
        "Add" | "Sum" => Float2::Add,
        "Sub" => Float2::Sub,
        "Mul" => Float2::Mul,
        "Div" => Float2::Div,
        "Min" => Float2::Min,
        "Max" => Float2::Max,
        _ => Float2::Pow,
    };
    if let ("Add", [_, _]) = (n.op_type(), n.proto.input.as_slice())
        && let Some(product) = importer.product_and_bias(n)?
    {
        return Ok(product);
    }
    let mut result = importer.float(n, 0)?;
    for i in 1..n.proto.input.len() {
        let next = match importer.value(n, i)? {
            Value::Constant(c) if f == Float2::Pow && c.floats().is_none() && c.integers().is_some() => {
                exponent(c)
            }
            _ => importer.float(n, i)?,
        };
        result.shape = broadcast(&result.shape, &next.shape)?;
        // A square needs no logarithm.
        let square = f == Float2::Pow && matches!(next.expr, Expr::Number(2.0));
        result.expr =
            if square { result.expr.clone().mul(result.expr) } else { result.expr.two(f, next.expr) };
        absorb(&mut result.nodes, &next.nodes)?;
    }
    absorb(&mut result.nodes, &[n.index])?;
    result.unnamed = false;
    Ok(Value::Real(result))
}

/// The exponent of a Pow that is given in integers.
fn exponent(c: &Constant) -> Real {
    let numbers: Vec<f32> = c.integers().unwrap_or_default().iter().map(|i| *i as f32).collect();
    let expr = match numbers[..] {
        [x] => Expr::Number(x),
        _ => Expr::Constant(Rc::new(Constant { data: Data::F32(numbers), ..c.clone() })),
    };
    Real { expr, shape: c.shape.clone(), nodes: Vec::new(), unnamed: false }
}

/// `QLinearAdd` and `QLinearMul`, `(A, A_scale, A_zp, B, B_scale, B_zp, C_scale, C_zp)`.
pub(super) fn qlinear<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (a, b) = (importer.activation(n, 0)?, importer.activation(n, 3)?);
    let (quant, dtype) = importer.quant(n, 6)?;
    let shape = broadcast(&importer.graph.tensor(a).shape, &importer.graph.tensor(b).shape)?;
    let kind = if n.op_type() == "QLinearAdd" { PendingKind::Add } else { PendingKind::Mul };
    let p = importer.pending(kind, n, shape, vec![a, b], Vec::new());
    let own = importer.graph.tensor(p.inputs[0]).dtype;
    importer.complete(&p, n.index, n.result()?, (quant, dtype.unwrap_or(own)))
}

impl Importer<'_> {
    /// A sum or product of a tensor and one constant number, as a table with the integer operator's
    /// arithmetic.
    pub(super) fn table_with_number(
        &self,
        kind: &PendingKind,
        [a, b]: [TensorId; 2],
        shape: &[usize],
        to: Format,
        clamp: [i32; 2],
    ) -> Option<(TensorId, crate::graph::Lut)> {
        let number = |id: TensorId| {
            let t: &Tensor = self.graph.tensor(id);
            let data = self.graph.constants.get(&id)?;
            let [byte] = data[..] else { return None };
            Some(if t.dtype == DType::S8 { i32::from(byte as i8) } else { i32::from(byte) })
        };
        let (tensor, constant_first, number) = match (number(a), number(b)) {
            (None, Some(y)) => (a, false, y),
            (Some(x), None) => (b, true, x),
            _ => return None,
        };
        let t = self.graph.tensor(tensor);
        if t.dtype.bytes() > 1 || to.1.bytes() > 1 || t.shape != shape {
            return None;
        }
        let [a, b]: [Quant; 2] = [self.graph.tensor(a).quant?, self.graph.tensor(b).quant?];
        let y = to.0;
        let order = |q: i32| if constant_first { [number, q] } else { [q, number] };
        let lut = if matches!(kind, PendingKind::Add) {
            let c = AddCoefficients::new(a.scale, a.zero_point, b.scale, b.zero_point, y.scale, y.zero_point);
            map("add", t.dtype, |q| {
                let [l, r] = order(q);
                numeric::add(l, r, c.ra, c.rb, c.c, clamp)
            })
        } else {
            let m = MulCoefficients::new(a.scale, b.scale, y.scale).m;
            map("mul", t.dtype, |q| {
                let [l, r] = order(q);
                numeric::mul(i64::from((l - a.zero_point) * (r - b.zero_point)), m, y.zero_point, clamp)
            })
        };
        Some((tensor, lut))
    }
}
