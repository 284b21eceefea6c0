//! Importing element-wise functions. On an 8-bit tensor each is a table of 256 entries; right after an operator, Relu and
//! Clip are the clamp of its output.

use super::Importer;
use super::function::{Format, Unary, map, range, table};
use super::node::OnnxNode;
use super::value::{Real, Refusal, Value, unsupported};
use crate::graph::{Op, Tensor};
use crate::numeric;

impl<'a> Importer<'a> {
    /// Puts a function on top of a float value.
    fn unary(&mut self, n: &'a OnnxNode<'a>, function: Unary) -> Result<Value, Refusal> {
        match self.value(n, 0)?.clone() {
            Value::Real(mut r) => {
                r.functions.push(function);
                r.nodes.push(n.index);
                Ok(Value::Real(r))
            }
            Value::Pending(p) => {
                if function.bounds().is_none() {
                    let before = self.nodes[p.own].op_type();
                    return unsupported(format!(
                        "{} right after {before}, without quantizers between, is not implemented",
                        n.op_type()
                    ));
                }
                let mut p = (*p).clone();
                p.functions.push(function);
                p.nodes.push(n.index);
                Ok(Value::Pending(p.into()))
            }
            Value::Tensor(id) if self.graph.tensor(id).quant.is_some() && function.bounds().is_some() => {
                self.clamp_integers(n, id, function)
            }
            _ => unsupported(format!("a float {}: quantize the model first", n.op_type())),
        }
    }

    /// Relu or Clip of the integers themselves, as ONNX has it for integer types.
    fn clamp_integers(
        &mut self,
        n: &'a OnnxNode<'a>,
        id: crate::graph::TensorId,
        function: Unary,
    ) -> Result<Value, Refusal> {
        let t = self.graph.tensor(id).clone();
        let (lo, hi) = function.bounds().unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        let [least, greatest] = range(t.dtype);
        let bound = |x: f32| (x as i32).clamp(least, greatest);
        let (lo, hi) = (bound(lo), bound(hi));
        let lut = map(function.name(), t.dtype, |q| q.max(lo).min(hi));
        let output = Tensor { name: n.result()?.into(), ..t };
        Ok(Value::Tensor(self.layer(n.index, Op::Table(lut), vec![id], output, &[])))
    }

    /// A table layer behind a quantizer.
    pub(super) fn table_layer(
        &mut self,
        own: usize,
        real: &Real,
        name: &str,
        to: Format,
    ) -> Result<Value, Refusal> {
        let t = self.graph.tensor(real.tensor).clone();
        let Some(quant) = t.quant else { return unsupported("its input has no quantization") };
        let lut = table(&real.functions, (quant, t.dtype), to);
        let output = Tensor { name: name.into(), shape: t.shape, dtype: to.1, quant: Some(to.0) };
        // The layer is named after the function, not after the quantizer behind it.
        let character = real.nodes.iter().rev().find(|i| self.nodes[**i].op_type() != "DequantizeLinear");
        let character = character.copied().unwrap_or(own);
        let mut nodes = real.nodes.clone();
        nodes.push(own);
        Ok(Value::Tensor(self.layer(character, Op::Table(lut), vec![real.tensor], output, &nodes)))
    }
}

pub(super) fn relu<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    importer.unary(n, Unary::Relu)
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
            Value::ConstantReal(c) => c
                .constant
                .integers()
                .filter(|v| v.len() == 1 && c.scale.len() == 1)
                .map(|v| numeric::dequantize(v[0] as i32, c.scale[0], c.zero_point[0])),
            _ => None,
        };
        match one {
            Some(v) if !v.is_nan() => Ok(Some(v)),
            _ => unsupported(format!("its {attribute} is not one constant number")),
        }
    };
    let lo = bound(importer, 1, "min")?.unwrap_or(f32::NEG_INFINITY);
    let hi = bound(importer, 2, "max")?.unwrap_or(f32::INFINITY);
    importer.unary(n, Unary::Clip { lo, hi })
}

pub(super) fn leaky_relu<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    importer.unary(n, Unary::LeakyRelu { alpha: n.float("alpha").unwrap_or(0.01) })
}

pub(super) fn hard_sigmoid<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (alpha, beta) = (n.float("alpha").unwrap_or(0.2), n.float("beta").unwrap_or(0.5));
    importer.unary(n, Unary::HardSigmoid { alpha, beta })
}

pub(super) fn hard_swish<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    importer.unary(n, Unary::HardSwish)
}

/// `QLinearLeakyRelu(X, x_scale, x_zp, y_scale, y_zp)`: `quantize(f(dequantize(q)))`, measured against ONNX Runtime.
pub(super) fn qlinear_leaky_relu<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
) -> Result<Value, Refusal> {
    let id = importer.activation(n, 0)?;
    let t = importer.graph.tensor(id).clone();
    let (quant, dtype) = importer.quant(n, 3)?;
    let to = (quant, dtype.unwrap_or(t.dtype));
    let function = Unary::LeakyRelu { alpha: n.float("alpha").unwrap_or(0.01) };
    let from = (importer.quant(n, 1)?.0, t.dtype);
    let output = Tensor { name: n.result()?.into(), shape: t.shape, dtype: to.1, quant: Some(quant) };
    Ok(Value::Tensor(importer.layer(n.index, Op::Table(table(&[function], from, to)), vec![id], output, &[])))
}
