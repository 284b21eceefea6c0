//! BatchNormalization and Where, as expressions of constants and one or two tensors.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::elementwise::broadcast;
use super::expr::Expr;
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Real, Refusal, Value, unsupported};
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
    let root = |v: f32| float1(crate::isa::Float1::Sqrt, v + epsilon);
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

/// `QLinearWhere(condition, X, x_scale, x_zp, Y, y_scale, y_zp, z_scale, z_zp)` with a constant condition:
/// `x·c + y·(1−c)` is exact, since one of the two is zero.
pub(super) fn qlinear_where<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let condition = importer.constant(n, 0, "condition")?;
    let Some(flags) = condition.integers() else { return unsupported("its condition is float") };
    let (x, y) = (importer.activation(n, 1)?, importer.activation(n, 4)?);
    let (quant, dtype) = importer.quant(n, 7)?;
    let mask = |what: &str, f: &dyn Fn(bool) -> f32| {
        let data = Data::F32(flags.iter().map(|v| f(*v != 0)).collect());
        let name = format!("{}.{what}", n.name);
        Expr::Constant(Rc::new(Constant { name, shape: condition.shape.clone(), data }))
    };
    let chosen = mask("chosen", &|c| if c { 1.0 } else { 0.0 });
    let other = mask("other", &|c| if c { 0.0 } else { 1.0 });
    let shapes = [x, y].map(|id| importer.graph.tensor(id).shape.clone());
    let shape = broadcast(&broadcast(&shapes[0], &shapes[1])?, &condition.shape)?;
    let expr = Expr::Tensor(x).mul(chosen).add(Expr::Tensor(y).mul(other));
    let real = Real { expr, shape, nodes: vec![n.index], unnamed: false };
    let own = importer.graph.tensor(x).dtype;
    importer.complete_real(&real, n.index, n.result()?, Some((quant, dtype.unwrap_or(own))))
}
