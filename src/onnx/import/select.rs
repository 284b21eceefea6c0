//! BatchNormalization and Where, as expressions of constants and tensors.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::elementwise::broadcast;
use super::expr::Expr;
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Real, Refusal, Value, absorb, unsupported};
use crate::graph::TensorId;
use crate::isa::{Float1, Float2};
use crate::numeric::float1;

/// `BatchNormalization(X, scale, B, mean, var)` at inference: `x·m + c` with one `m` and one `c` for each
/// channel.
pub(super) fn batch_normalization<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
) -> Result<Value, Refusal> {
    if n.flag("training_mode", false) || !n.flag("spatial", true) {
        return unsupported(
            "statistics of the batch (training_mode) are not implemented; export the network for inference",
        );
    }
    let mut real = importer.float(n, 0)?;
    let mut parameters = Vec::new();
    for i in 1..5 {
        let c = match importer.value(n, i)? {
            Value::ConstantReal(c) => Rc::new(c.dequantized()),
            _ => importer.constant(n, i, "parameters")?,
        };
        let Some(values) = c.floats() else { return unsupported("its parameters are not float") };
        parameters.push(values.to_vec());
    }
    let channels = real.shape.get(1).copied().unwrap_or(1);
    if parameters.iter().any(|p| p.len() != channels) {
        return Err(Refusal::Malformed(format!("its parameters have not {channels} values")));
    }
    let epsilon = n.float("epsilon").unwrap_or(1e-5);
    let [scale, bias, mean, var] = [0, 1, 2, 3].map(|i| &parameters[i]);
    let root = |v: f32| float1(Float1::Sqrt, v + epsilon);
    let m: Vec<f32> = scale.iter().zip(var).map(|(s, v)| s / root(*v)).collect();
    let c: Vec<f32> = bias.iter().zip(&m).zip(mean).map(|((b, m), mean)| b - m * mean).collect();
    let mut shape = vec![1; real.shape.len()];
    if let Some(axis) = shape.get_mut(1) {
        *axis = channels;
    }
    let constant = |what: &str, v: Vec<f32>| {
        let name = format!("{}.{what}", n.name);
        Expr::Constant(Rc::new(Constant { name, shape: shape.clone(), data: Data::F32(v) }))
    };
    real.expr = real.expr.mul(constant("scale", m)).add(constant("bias", c));
    real.nodes.push(n.index);
    real.unnamed = false;
    Ok(Value::Real(real))
}

/// What an operator chooses by: ones and zeros as a float expression, and their opposites.
struct Flags {
    shape: Vec<usize>,
    chosen: Expr,
    other: Expr,
}

impl Flags {
    /// The condition of a node: constant, an input of the network, or what the host computes.
    fn of<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Flags, Refusal> {
        let id = match importer.value(n, 0)? {
            Value::Constant(c) => {
                let Some(flags) = c.integers() else { return unsupported("its condition is float") };
                let mask = |what: &str, f: &dyn Fn(bool) -> f32| {
                    let data = Data::F32(flags.iter().map(|v| f(*v != 0)).collect());
                    let name = format!("{}.{what}", n.name);
                    Expr::Constant(Rc::new(Constant { name, shape: c.shape.clone(), data }))
                };
                return Ok(Flags {
                    shape: c.shape.clone(),
                    chosen: mask("chosen", &|c| if c { 1.0 } else { 0.0 }),
                    other: mask("other", &|c| if c { 0.0 } else { 1.0 }),
                });
            }
            Value::Tensor(id) => *id,
            Value::Host => importer.host_tensor(n.input(0).unwrap_or(""))?,
            _ => return unsupported("its condition is float"),
        };
        let chosen = Expr::Tensor(importer.flags(n, id)?);
        let other = Expr::Number(1.0).two(Float2::Sub, chosen.clone());
        Ok(Flags { shape: importer.graph.tensor(id).shape.clone(), chosen, other })
    }

    /// `x·c + y·(1−c)`, which is exact for finite operands, since one of the two is zero. An infinite number
    /// is a bound instead: `1 / 0` where it is not chosen, `−1 / 0` where it is.
    fn choose(self, importer: &Importer, x: &Expr, y: &Expr) -> Result<Expr, Refusal> {
        let Flags { chosen, other, .. } = self;
        let infinite = |e: &Expr| e.number().filter(|v| v.is_infinite());
        let (finite, flag, bound) = match (infinite(x), infinite(y)) {
            (None, None) => (x.clone().mul(chosen).add(y.clone().mul(other)), None, 0.0),
            (Some(bound), None) => (y.clone().mul(other), Some(chosen), bound),
            (None, Some(bound)) => (x.clone().mul(chosen), Some(other), bound),
            (Some(_), Some(_)) => return unsupported("it chooses between two infinite numbers"),
        };
        if ![x, y].into_iter().all(|e| infinite(e).is_some() || greatest(importer, e).is_finite()) {
            return unsupported("it chooses between floats that may be infinite or NaN");
        }
        let Some(flag) = flag else { return Ok(finite) };
        let far = flag.mul(-2.0).add(1.0);
        Ok(if bound < 0.0 {
            finite.two(Float2::Min, far.two(Float2::Div, 0.0))
        } else {
            finite.two(Float2::Max, far.two(Float2::Div, -0.0))
        })
    }
}

/// The greatest magnitude that an expression can have; infinite if it may exceed floats or be NaN.
fn greatest(importer: &Importer, e: &Expr) -> f64 {
    let all = |values: &[f32]| {
        values
            .iter()
            .fold(0.0_f64, |most, v| if v.is_nan() { f64::INFINITY } else { most.max(f64::from(v.abs())) })
    };
    let tensor = |id: TensorId| {
        let t = importer.graph.tensor(id);
        let quant = t.quant.zip(t.dtype.int_range().filter(|_| t.dtype.bytes() <= 2));
        quant.map_or(f64::INFINITY, |(q, (lo, hi))| {
            let zero = i64::from(q.zero_point);
            (hi - zero).abs().max((lo - zero).abs()) as f64 * f64::from(q.scale)
        })
    };
    let found = e.walk::<f64, std::convert::Infallible>(|part, operands| {
        let most = match (part, operands) {
            (Expr::Tensor(id), _) => tensor(*id),
            (Expr::Number(x), _) => all(&[*x]),
            (Expr::Constant(c), _) => c.floats().map_or(f64::INFINITY, all),
            (Expr::Quantized(c), _) => c.dequantized().floats().map_or(f64::INFINITY, all),
            (_, operands) if operands.iter().any(|a| !a.is_finite()) => f64::INFINITY,
            (Expr::One(f, _), [a]) => match f {
                Float1::Neg | Float1::Abs => *a,
                Float1::Floor | Float1::Ceil | Float1::Round => a + 1.0,
                Float1::Exp => a.exp(),
                Float1::Erf | Float1::Tanh | Float1::Sigmoid | Float1::Sin | Float1::Cos => 1.0,
                Float1::Sqrt | Float1::Log => f64::INFINITY,
            },
            (Expr::Two(f, _, divisor), [a, b]) => match (f, divisor.number()) {
                (Float2::Add | Float2::Sub, _) => a + b,
                (Float2::Mul, _) => a * b,
                (Float2::Min | Float2::Max, _) => a.max(*b),
                (Float2::Div, Some(number)) if number != 0.0 => a / f64::from(number.abs()),
                (Float2::Div | Float2::Pow, _) => f64::INFINITY,
            },
            (Expr::One(..) | Expr::Two(..), _) => f64::INFINITY,
        };
        Ok(if most <= f64::from(f32::MAX) { most } else { f64::INFINITY })
    });
    let Ok(found) = found;
    found.unwrap_or(f64::INFINITY)
}

/// `Where(condition, X, Y)` of dequantized tensors and numbers.
pub(super) fn choice<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (x, y) = (importer.float(n, 1)?, importer.float(n, 2)?);
    let flags = Flags::of(importer, n)?;
    let shape = broadcast(&broadcast(&x.shape, &y.shape)?, &flags.shape)?;
    let expr = flags.choose(importer, &x.expr, &y.expr)?;
    let mut nodes = x.nodes;
    absorb(&mut nodes, &y.nodes)?;
    absorb(&mut nodes, &[n.index])?;
    Ok(Value::Real(Real { expr, shape, nodes, unnamed: false }))
}

/// `QLinearWhere(condition, X, x_scale, x_zp, Y, y_scale, y_zp, z_scale, z_zp)`.
pub(super) fn qlinear_where<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (x, y) = (importer.activation(n, 1)?, importer.activation(n, 4)?);
    let (quant, dtype) = importer.quant(n, 7)?;
    let flags = Flags::of(importer, n)?;
    let shapes = [x, y].map(|id| importer.graph.tensor(id).shape.clone());
    let shape = broadcast(&broadcast(&shapes[0], &shapes[1])?, &flags.shape)?;
    let expr = flags.choose(importer, &Expr::Tensor(x), &Expr::Tensor(y))?;
    let real = Real { expr, shape, nodes: vec![n.index], unnamed: false };
    let own = importer.graph.tensor(x).dtype;
    importer.complete_real(&real, n.index, n.result()?, Some((quant, dtype.unwrap_or(own))))
}
