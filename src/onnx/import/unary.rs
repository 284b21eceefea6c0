//! Functions of one tensor. On an 8-bit tensor each is a table of 256 entries; directly behind an operator,
//! Relu and Clip are the clamp of its output.

use super::expr::{Expr, map, range, table};
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Moved, Pending, PendingKind, Real, Refusal, Value, absorb, unsupported};
use crate::graph::{Op, Tensor, TensorId};
use crate::isa::{Float1, Float2};
use crate::numeric;

impl<'a> Importer<'a> {
    /// Applies a function to a float value.
    fn unary(&mut self, n: &'a OnnxNode<'a>, f: impl FnOnce(Expr) -> Expr) -> Result<Value, Refusal> {
        let mut real = self.float(n, 0)?;
        real.expr = f(real.expr);
        absorb(&mut real.nodes, &[n.index])?;
        real.unnamed = false;
        Ok(Value::Real(real))
    }

    /// Applies bounds to a float value, to the result of an operator, or to integers.
    fn bounded(&mut self, n: &'a OnnxNode<'a>, lo: f32, hi: f32) -> Result<Value, Refusal> {
        match self.value(n, 0)?.clone() {
            Value::Pending(p) => {
                let mut p = (*p).clone();
                p.bounds.push((lo, hi));
                // Bounds come before all moves, so those after a pad bound what it writes, too.
                p.moves.iter_mut().filter_map(|m| m.fill.as_mut()).for_each(|x| *x = x.max(lo).min(hi));
                absorb(&mut p.nodes, &[n.index])?;
                Ok(Value::Pending(p.into()))
            }
            Value::Tensor(id) if self.graph.tensor(id).quant.is_some() => self.clamp_integers(n, id, lo, hi),
            _ => self.unary(n, |x| x.clip(lo, hi)),
        }
    }

    /// Relu or Clip of integers, as ONNX defines it for integer types.
    fn clamp_integers(
        &mut self,
        n: &'a OnnxNode<'a>,
        id: TensorId,
        lo: f32,
        hi: f32,
    ) -> Result<Value, Refusal> {
        let t = self.graph.tensor(id).clone();
        if t.dtype.bytes() > 1 {
            return unsupported(format!(
                "a {} of {} integers is not implemented",
                n.op_type(),
                t.dtype.name()
            ));
        }
        let [least, greatest] = range(t.dtype);
        let bound = |x: f32| (x as i32).clamp(least, greatest);
        let (lo, hi) = (bound(lo), bound(hi));
        let what = if n.op_type() == "Relu" { "relu" } else { "clip" };
        let lut = map(what, t.dtype, |q| q.max(lo).min(hi));
        let output = Tensor { name: n.result()?.into(), ..t };
        Ok(Value::Tensor(self.layer(n.index, Op::Table(lut), vec![id], output, &[])))
    }
}

pub(super) fn relu<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    importer.bounded(n, 0.0, f32::INFINITY)
}

pub(super) fn clip<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let bound = |importer: &Importer<'a>, index: usize, attribute: &str| -> Result<Option<f32>, Refusal> {
        if n.input(index).is_none() {
            return Ok(n.float(attribute));
        }
        let one = match importer.value(n, index)? {
            Value::Constant(c) => match (c.floats(), c.integers()) {
                (Some([v]), _) => Some(*v),
                (_, Some(v)) if v.len() == 1 => Some(v[0] as f32),
                _ => None,
            },
            Value::ConstantReal(c) => c.number().map(|(_, x)| x),
            _ => None,
        };
        match one {
            Some(v) if !v.is_nan() => Ok(Some(v)),
            _ => unsupported(format!("its {attribute} is not one constant number")),
        }
    };
    // Only external floats can be infinite; ONNX Runtime limits them to the largest numbers.
    let open =
        matches!(importer.value(n, 0)?, Value::Tensor(id) if importer.graph.tensor(*id).quant.is_none());
    let most = if open { f32::MAX } else { f32::INFINITY };
    let lo = bound(importer, 1, "min")?.unwrap_or(-most);
    let hi = bound(importer, 2, "max")?.unwrap_or(most);
    importer.bounded(n, lo, hi)
}

/// `x · clip(x/6 + 1/2, 0, 1)`.
fn hard_swish_of(x: Expr) -> Expr {
    x.clone().mul(x.mul(1.0 / 6.0).add(0.5).clip(0.0, 1.0))
}

/// `log(1 + exp(x))` without overflow: `max(x, 0) + log(1 + exp(−|x|))`.
fn softplus_of(x: Expr) -> Expr {
    let tail = x.clone().one(Float1::Abs).one(Float1::Neg).one(Float1::Exp).add(1.0).one(Float1::Log);
    x.max(0.0).add(tail)
}

/// The functions without a rule of their own, by ONNX's definitions.
pub(super) fn function<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let alpha = |default: f32| n.float("alpha").unwrap_or(default);
    let approximate = n.string("approximate").is_some_and(|a| a == "tanh");
    let half_pi_root = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    importer.unary(n, |x| match n.op_type() {
        "Abs" => x.one(Float1::Abs),
        "Ceil" => x.one(Float1::Ceil),
        "Cos" => x.one(Float1::Cos),
        "Elu" => x.by_sign(|x| x.one(Float1::Exp).add(-1.0).mul(alpha(1.0))),
        "Erf" => x.one(Float1::Erf),
        "Exp" => x.one(Float1::Exp),
        "Floor" => x.one(Float1::Floor),
        "Gelu" if approximate => {
            let cubed = x.clone().mul(x.clone()).mul(x.clone()).mul(0.044_715);
            let inner = x.clone().add(cubed).mul(half_pi_root).one(Float1::Tanh).add(1.0);
            x.mul(0.5).mul(inner)
        }
        "Gelu" => {
            let inner = x.clone().mul(std::f32::consts::FRAC_1_SQRT_2).one(Float1::Erf).add(1.0);
            x.mul(0.5).mul(inner)
        }
        "HardSigmoid" => x.mul(alpha(0.2)).add(n.float("beta").unwrap_or(0.5)).clip(0.0, 1.0),
        "HardSwish" => hard_swish_of(x),
        "LeakyRelu" => x.by_sign(|x| x.mul(alpha(0.01))),
        "Log" => x.one(Float1::Log),
        "Mish" => x.clone().mul(softplus_of(x).one(Float1::Tanh)),
        "Neg" => x.one(Float1::Neg),
        "QuickGelu" => x.clone().mul(x.mul(alpha(1.702)).one(Float1::Sigmoid)),
        "Reciprocal" => Expr::Number(1.0).two(Float2::Div, x),
        "Round" => x.one(Float1::Round),
        "Selu" => {
            let gamma = n.float("gamma").unwrap_or(1.050_701);
            x.by_sign(|x| x.one(Float1::Exp).add(-1.0).mul(alpha(1.673_263_2))).mul(gamma)
        }
        "Sigmoid" => x.one(Float1::Sigmoid),
        "Sin" => x.one(Float1::Sin),
        "Softplus" => softplus_of(x),
        "Softsign" => x.clone().two(Float2::Div, x.one(Float1::Abs).add(1.0)),
        "Sqrt" => x.one(Float1::Sqrt),
        "Swish" => x.clone().mul(x.mul(alpha(1.0)).one(Float1::Sigmoid)),
        "Tanh" => x.one(Float1::Tanh),
        // `operators.rs` lists no other operators for this function.
        _ => x,
    })
}

/// `x < 0 ? slope·x : x` with a constant slope.
pub(super) fn prelu<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let slope = importer.float(n, 1)?;
    let more = slope.nodes.clone();
    let shape = super::elementwise::broadcast(&importer.float(n, 0)?.shape, &slope.shape)?;
    let value = importer.unary(n, |x| x.by_sign(|x| x.mul(slope.expr)))?;
    if let Value::Real(mut real) = value {
        real.shape = shape;
        absorb(&mut real.nodes, &more)?;
        return Ok(Value::Real(real));
    }
    Ok(value)
}

/// `QLinearLeakyRelu` and `QLinearSigmoid`, `(X, x_scale, x_zp, y_scale, y_zp)`:
/// `quantize(f(dequantize(q)))`.
pub(super) fn qlinear<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let id = importer.activation(n, 0)?;
    let t = importer.graph.tensor(id).clone();
    let (quant, dtype) = importer.quant(n, 3)?;
    let to = (quant, dtype.unwrap_or(t.dtype));
    let x = Expr::Tensor(id);
    let e = match n.op_type() {
        "QLinearSigmoid" => x.one(Float1::Sigmoid),
        _ => {
            let alpha = n.float("alpha").unwrap_or(0.01);
            x.by_sign(|x| x.mul(alpha))
        }
    };
    let from = (importer.quant_of(id)?, t.dtype);
    let output = Tensor { name: n.result()?.into(), shape: t.shape, dtype: to.1, quant: Some(quant) };
    let Some(lut) = table(&e, from, to) else { return unsupported("its function is no table") };
    Ok(Value::Tensor(importer.layer(n.index, Op::Table(lut), vec![id], output, &[])))
}

/// `Softmax` of the float view of an 8-bit tensor: waits for its quantizer.
pub(super) fn softmax<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    nodes.push(n.index);
    let p = softmax_of(importer, n, input, importer.opset, nodes)?;
    Ok(Value::Pending(p.into()))
}

/// `QLinearSoftmax(X, x_scale, x_zp, y_scale, y_zp)`.
pub(super) fn qlinear_softmax<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
) -> Result<Value, Refusal> {
    let input = importer.activation(n, 0)?;
    let dtype = importer.graph.tensor(input).dtype;
    let (quant, zero_type) = importer.quant(n, 3)?;
    let opset = n.int("opset", importer.opset);
    let p = softmax_of(importer, n, input, opset, Vec::new())?;
    importer.complete(&p, n.index, n.result()?, (quant, zero_type.unwrap_or(dtype)))
}

/// Since opset 13 rows lie along one axis; before, all axes from `axis` on are one row.
fn softmax_of<'a>(
    importer: &mut Importer<'a>,
    n: &OnnxNode<'a>,
    input: TensorId,
    opset: i64,
    nodes: Vec<usize>,
) -> Result<Pending, Refusal> {
    let t = importer.graph.tensor(input).clone();
    let rank = t.shape.len();
    let axis = super::movement::axis(n.int("axis", if opset < 13 { 1 } else { -1 }), rank)?;
    if opset >= 13 {
        if axis >= rank {
            return Err(Refusal::Malformed(format!("axis {axis} of rank {rank}")));
        }
        return Ok(importer.pending(PendingKind::Softmax { axis }, n, t.shape, vec![input], nodes));
    }
    let several = |axes: &[usize]| axes.iter().filter(|d| **d != 1).count() > 1;
    if axis < rank && !several(&t.shape[axis..]) {
        // Only one axis is longer than 1.
        let axis = (axis..rank).find(|a| t.shape[*a] != 1).unwrap_or(axis);
        return Ok(importer.pending(PendingKind::Softmax { axis }, n, t.shape, vec![input], nodes));
    }
    let product = |axes: &[usize]| axes.iter().product::<usize>();
    let rows = vec![product(&t.shape[..axis]), product(&t.shape[axis..])];
    let name = format!("{}.rows", n.result()?);
    let flat = Tensor { name, shape: rows.clone(), ..t.clone() };
    let flat = importer.unnamed_layer(n.index, "rows", Op::Reshape, vec![input], flat);
    let mut p = importer.pending(PendingKind::Softmax { axis: 1 }, n, t.shape.clone(), vec![flat], nodes);
    p.moves.push(Moved { node: n.index, op: Op::Reshape, before: rows, shape: t.shape, fill: None });
    Ok(p)
}

/// The node that names a layer made by a quantizer: the function, not the quantizer.
pub(super) fn character(importer: &Importer, real: &Real, own: usize) -> usize {
    let found = real.nodes.iter().rev().find(|i| importer.nodes[**i].op_type() != "DequantizeLinear");
    found.copied().unwrap_or(own)
}

/// Bounds as those of the quantized value: quantization is monotonic, so it commutes with them.
pub(super) fn clamp(bounds: &[(f32, f32)], to: super::expr::Format) -> [i32; 2] {
    let full = range(to.1);
    bounds.iter().fold(full, |[lo, hi], (least, greatest)| {
        let bound = |x: f32| numeric::quantize(x, to.0.scale, to.0.zero_point, full);
        let (least, greatest) = (bound(*least), bound(*greatest));
        [lo.max(least).min(greatest), hi.max(least).min(greatest)]
    })
}
