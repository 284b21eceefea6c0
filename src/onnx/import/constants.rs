//! Constant operands: scales, zero points, weights, biases.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::constant_real::ConstantReal;
use super::expr::Expr;
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Real, Refusal, Value, unsupported};
use crate::graph::{DType, Op, Quant, Tensor, TensorId, Weights};
use crate::isa::Float2;
use crate::numeric;

/// Scales, zero points (one, or one per scale), and the zero points' type if given.
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

    /// The shape of a value that no host layer computes.
    pub(super) fn shape_of(&self, value: &Value) -> Option<Vec<usize>> {
        Some(match value {
            Value::Tensor(id) => self.graph.tensor(*id).shape.clone(),
            Value::Centred(c) => self.graph.tensor(c.tensor).shape.clone(),
            Value::Real(r) => r.shape.clone(),
            Value::Pending(p) => p.shape.clone(),
            Value::Constant(c) => c.shape.clone(),
            Value::ConstantReal(c) => c.constant.shape.clone(),
            Value::Exotic(_) | Value::Host | Value::Failed(_) => return None,
        })
    }

    /// The declared shape of an input whose node is unsupported.
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

    /// An optional constant input.
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
        // Dead channels have weights with scales near zero, and biases below that.
        if scale.is_empty() {
            return Err(Refusal::Malformed("it has no scale".into()));
        }
        if let Some(wrong) = scale.iter().find(|s| !s.is_finite() || **s < 0.0) {
            let cause = if wrong.is_finite() {
                ""
            } else {
                ": its quantizer saw infinite values, which a finite number such as −10000 for masks avoids"
            };
            return unsupported(format!("a scale is {wrong}{cause}"));
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
        if !scale[0].is_normal() {
            return unsupported(format!("its scale {} is not a positive normal number", scale[0]));
        }
        Ok((Quant { scale: scale[0], zero_point: zero[0] }, dtype))
    }

    /// An integer activation with the quantization at inputs `index + 1` and `index + 2`.
    pub(super) fn activation(&mut self, n: &OnnxNode<'a>, index: usize) -> Result<TensorId, Refusal> {
        if let (Some(shape), Some(name)) = (self.failed_shape(n, index), n.input(index)) {
            // An integer result of an unsupported operator: its quantization is given here.
            let (quant, dtype) = self.quant(n, index + 1)?;
            let dtype = dtype.unwrap_or(DType::U8);
            let id = self.tensor(Tensor { name: name.into(), shape, dtype, quant: Some(quant) });
            self.values.insert(name, Value::Tensor(id));
            return Ok(id);
        }
        let id = match self.value(n, index)? {
            Value::Tensor(id) => *id,
            Value::Constant(c) => {
                let c = c.clone();
                let (quant, zero_type) = self.quant(n, index + 1)?;
                let id = self.constant_tensor(&c, Some(quant))?;
                return self.same_type(n, id, zero_type).map(|()| id);
            }
            _ => match self.integers_of_host(n, index)? {
                Some(id) => id,
                None => return unsupported("its input is a float value"),
            },
        };
        let (quant, zero_type) = self.quant(n, index + 1)?;
        self.same_type(n, id, zero_type)?;
        self.read_as(n, id, quant)
    }

    /// The tensor of 8-bit or 16-bit integers that a host layer computes.
    pub(super) fn integers_of_host(
        &mut self,
        n: &OnnxNode<'a>,
        index: usize,
    ) -> Result<Option<TensorId>, Refusal> {
        let (Value::Host, Some(name)) = (self.value(n, index)?.clone(), n.input(index)) else {
            return Ok(None);
        };
        let id = self.host_tensor(name)?;
        let small = matches!(self.graph.tensor(id).dtype, DType::U8 | DType::S8 | DType::U16 | DType::S16);
        Ok(small.then_some(id))
    }

    /// Checks that a zero point has the type of its integers.
    pub(super) fn same_type(
        &self,
        n: &OnnxNode<'a>,
        id: TensorId,
        zero_point: Option<DType>,
    ) -> Result<(), Refusal> {
        let t = self.graph.tensor(id);
        match zero_point {
            Some(zero) if zero != t.dtype => Err(Refusal::Malformed(format!(
                "\"{}\" is {}, the zero point that {} reads it with is {}",
                t.name,
                t.dtype.name(),
                n.op_type(),
                zero.name()
            ))),
            _ => Ok(()),
        }
    }

    /// The float view at an input: its integer tensor and the nodes in between. A view times a number is the
    /// view of the same integers with another scale.
    pub(super) fn real(&mut self, n: &OnnxNode<'a>, index: usize) -> Result<(TensorId, Vec<usize>), Refusal> {
        match self.value(n, index)?.clone() {
            Value::Real(r) => match r.plain() {
                Some(id) if self.graph.tensor(id).quant.is_some() => Ok((id, r.nodes)),
                _ => self.rescaled(n, index, &r),
            },
            Value::Pending(_) => self.unquantized(n, index),
            Value::ConstantReal(c) => match c.quant() {
                Some(quant) => Ok((self.constant_tensor(&c.constant, Some(quant))?, vec![c.node])),
                None => unsupported("a constant activation with a scale per channel is not implemented"),
            },
            Value::Constant(_) => unsupported("a constant float activation is not implemented"),
            _ => unsupported(self.not_quantized(n)),
        }
    }

    /// Why a node outside of quantizers cannot be compiled.
    pub(super) fn not_quantized(&self, n: &OnnxNode<'a>) -> String {
        let integers = n.proto.input.iter().any(|name| match self.values.get(name.as_str()) {
            Some(Value::Tensor(id)) => self.graph.tensor(*id).dtype != DType::F32,
            _ => false,
        });
        if integers {
            format!("{} of integers without a scale is not a quantized operator", n.op_type())
        } else {
            format!("a float {}: quantize the model first", n.op_type())
        }
    }

    fn unquantized<T>(&self, n: &OnnxNode<'a>, index: usize) -> Result<T, Refusal> {
        unsupported(format!("its input \"{}\" is not quantized", n.input(index).unwrap_or("")))
    }

    fn rescaled(
        &mut self,
        n: &OnnxNode<'a>,
        index: usize,
        r: &Real,
    ) -> Result<(TensorId, Vec<usize>), Refusal> {
        let (id, factor) = match &r.expr {
            Expr::Two(Float2::Div, a, b) => match (&**a, b.number()) {
                (Expr::Tensor(id), Some(x)) => (*id, 1.0 / f64::from(x)),
                _ => return self.unquantized(n, index),
            },
            Expr::Two(Float2::Mul, a, b) => match (&**a, a.number(), &**b, b.number()) {
                (Expr::Tensor(id), _, _, Some(x)) | (_, Some(x), Expr::Tensor(id), _) => (*id, f64::from(x)),
                _ => return self.unquantized(n, index),
            },
            _ => return self.unquantized(n, index),
        };
        let t = self.graph.tensor(id).clone();
        let Some(quant) = t.quant.filter(|_| factor > 0.0 && t.shape == r.shape) else {
            return self.unquantized(n, index);
        };
        let quant = Quant { scale: (f64::from(quant.scale) * factor) as f32, ..quant };
        let name = format!("{}.rescaled", n.input(index).unwrap_or(""));
        if let Some(known) = self.floats.get(&name) {
            return Ok((*known, r.nodes.clone()));
        }
        let own = r.nodes.iter().copied().max().unwrap_or(n.index);
        let output = Tensor { name, quant: Some(quant), ..t };
        let name = output.name.clone();
        let rescaled = self.layer(own, Op::Reshape, vec![id], output, &r.nodes);
        self.floats.insert(name, rescaled);
        Ok((rescaled, r.nodes.clone()))
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
    let wide;
    let (constant, zero_point) = if differ(zero_point) {
        let zero;
        (wide, zero) = centred(constant, zero_point, out_axis)?;
        (&wide, zero)
    } else if let (Data::U8(values), 128) = (&constant.data, zero_point[0]) {
        // The same integers as signed ones, which need no zero point.
        let data = Data::S8(values.iter().map(|w| (w ^ 0x80) as i8).collect());
        wide = Constant { name: constant.name.clone(), shape: constant.shape.clone(), data };
        (&wide, 0)
    } else {
        (constant, zero_point[0])
    };
    let dtype = constant.dtype();
    if dtype.bytes() > 2 {
        return unsupported(format!("weights of type {} are not implemented", dtype.name()));
    }
    let shape = match constant.shape.as_slice() {
        [n, k] if out_axis == 0 => [*n, *k, 1, 1],
        [k, n] => [*n, *k, 1, 1],
        [oc, ic, kw] => [*oc, *ic, 1, *kw],
        [oc, ic, kh, kw] => [*oc, *ic, *kh, *kw],
        other => return unsupported(format!("weights of shape {other:?} are not implemented")),
    };
    if shape.contains(&0) {
        return Err(Refusal::Malformed("its weights are empty".into()));
    }
    if scale.len() != 1 && (scale.len() != shape[0] || scale_axis != out_axis) {
        return unsupported(format!("{} scales along axis {scale_axis} of its weights", scale.len()));
    }
    let data = if constant.shape.len() == 2 && out_axis == 1 {
        transposed(&constant.bytes(), shape[1], shape[0], dtype.bytes()).into()
    } else {
        constant.shared()
    };
    Ok(Weights { name: constant.name.clone(), shape, dtype, data, scale: scale.to_vec(), zero_point })
}

/// Weights whose zero point differs between channels: `w − z`, in 8 bits where one zero point for all makes
/// them fit, else in 16.
fn centred(constant: &Constant, zero_point: &[i32], out_axis: usize) -> Result<(Constant, i32), Refusal> {
    let channels = constant.shape.get(out_axis).copied().unwrap_or(0);
    let (Some(values), true) = (constant.integers(), zero_point.len() == channels) else {
        return unsupported(format!("{} zero points for {channels} channels of weights", zero_point.len()));
    };
    let inner: usize = constant.shape[out_axis + 1..].iter().product();
    let difference = |(i, w): (usize, &i64)| *w - i64::from(zero_point[i / inner.max(1) % channels.max(1)]);
    let differences: Vec<i64> = values.iter().enumerate().map(difference).collect();
    let least = differences.iter().min().copied().unwrap_or(0).min(0);
    let span = differences.iter().max().copied().unwrap_or(0).max(0) - least;
    let raised = || differences.iter().map(|d| d - least);
    let (data, zero) = match (constant.dtype().bytes(), span) {
        (1, 0..=255) => (Data::U8(raised().map(|d| d as u8).collect()), -least),
        (1, _) => (Data::S16(differences.iter().map(|d| *d as i16).collect()), 0),
        (2, 0..=65_535) => (Data::U16(raised().map(|d| d as u16).collect()), -least),
        _ => {
            return unsupported(format!(
                "weights of {} whose zero points differ from channel to channel span {span} steps without them, more than \
                 16 bits have",
                constant.dtype().name()
            ));
        }
    };
    let constant = Constant { name: constant.name.clone(), shape: constant.shape.clone(), data };
    Ok((constant, zero as i32))
}

/// `[rows, cols]` → `[cols, rows]`.
pub(super) fn transposed(data: &[u8], rows: usize, cols: usize, size: usize) -> Vec<u8> {
    let element = |r: usize, c: usize| &data[(r * cols + c) * size..][..size];
    (0..cols).flat_map(|c| (0..rows).flat_map(move |r| element(r, c))).copied().collect()
}

/// Whether weights of 8 bits became 16 because each channel has its zero point.
pub(super) fn widened(constant: &Constant, weights: &Weights) -> bool {
    constant.dtype().bytes() < weights.dtype.bytes()
}

fn differ(zero_point: &[i32]) -> bool {
    zero_point.iter().any(|z| *z != zero_point[0])
}

/// A bias in the accumulator's scale `sx·sw`, one value for all channels or one for each, as integers. `rows`
/// is the number of rows of a matrix product, along which the bias must not vary; 1 for convolutions.
pub(super) fn integer_bias(constant: &Constant, channels: usize, rows: usize) -> Result<Vec<i64>, Refusal> {
    let values = match (&constant.data, constant.integers()) {
        (Data::S32(_) | Data::S64(_), Some(values)) => values,
        _ => return unsupported(format!("a bias of type {} is not implemented", constant.dtype().name())),
    };
    match values.len() {
        n if n == channels && by_channel(&constant.shape, rows) => Ok(values),
        1 => Ok(vec![values[0]; channels]),
        _ => unsupported(format!(
            "a bias of shape {:?} for {rows} × {channels} results is not implemented",
            constant.shape
        )),
    }
}

/// Whether all values lie along the last axis: a column `[M, 1]` of a matrix has one for each row.
fn by_channel(shape: &[usize], rows: usize) -> bool {
    match shape {
        [.., last] => {
            shape[..shape.len() - 1].iter().all(|d| *d == 1) && (*last > 1 || rows == 1 || shape.len() == 1)
        }
        [] => true,
    }
}

/// A bias in QDQ form.
pub(super) enum Bias {
    /// One integer for each channel, in the accumulator's scale.
    Sums(Vec<i64>),
    /// The same, rounded from these floats.
    Rounded(Vec<i64>, Constant),
    /// Floats, to be added to the product: they vary by row, or the accumulator's scale cannot express them.
    Floats(Constant),
}

/// A bias in QDQ form: floats, or integers behind a DequantizeLinear with any scale and zero point.
pub(super) fn real_bias(
    value: &Value,
    sx: f32,
    weights: &Weights,
    rows: usize,
    wide: bool,
) -> Result<Bias, Refusal> {
    let channels = weights.shape[0];
    let want = |i: usize| sx * weights.scale[if weights.scale.len() == 1 { 0 } else { i }];
    let floats = match value {
        Value::ConstantReal(c) => {
            let own = |i: usize| c.scale[if c.scale.len() == 1 { 0 } else { i.min(c.scale.len() - 1) }];
            let plain = c.zero_point.iter().all(|z| *z == 0);
            if let (true, Ok(bias)) = (plain, integer_bias(&c.constant, channels, rows))
                && (0..channels).all(|i| ((own(i) - want(i)) / want(i)).abs() <= 1e-3)
            {
                return Ok(Bias::Sums(bias));
            }
            c.dequantized()
        }
        Value::Constant(c) if c.floats().is_some() => (**c).clone(),
        Value::Constant(c) => {
            return unsupported(format!("its bias is {}, not float", c.dtype().name()));
        }
        _ => return unsupported("its bias is computed, not constant"),
    };
    let values = floats.floats().unwrap_or_default();
    let whole = values.len() == channels && by_channel(&floats.shape, rows) || values.len() == 1;
    let at = |i: usize| f64::from(values[if values.len() == 1 { 0 } else { i }]);
    // A dead channel has weights with a scale near zero, in which its bias cannot be expressed.
    let most = if wide { i64::MAX as f64 } else { f64::from(i32::MAX) };
    let fits = |i: usize| {
        let want = want(i);
        at(i) == 0.0 || want.is_normal() && (at(i) / f64::from(want)).abs() <= most
    };
    if whole && (0..channels).all(fits) {
        let sums = (0..channels).map(|i| match at(i) {
            0.0 => 0,
            x => numeric::quantize_bias(x, want(i), wide),
        });
        return Ok(Bias::Rounded(sums.collect(), floats));
    }
    Ok(Bias::Floats(floats))
}
