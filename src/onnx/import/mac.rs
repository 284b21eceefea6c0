//! Conv and ConvTranspose in both forms, and what all products share.

use std::rc::Rc;

use super::super::constant::Constant;
use super::channels;
use super::constant_real::ConstantReal;
use super::constants::{Bias, integer_bias, real_bias, weights, widened};
use super::expr::{Expr, Format};
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Pending, PendingKind, Refusal, Value, unsupported};
use super::window;
use crate::graph::{DType, Op, Quant, Tensor, TensorId, Weights};

/// `[N, C, H, W]` of an image; a signal `[N, C, L]` is an image of one row.
pub(super) fn image(importer: &Importer, id: TensorId) -> Result<[usize; 4], Refusal> {
    let shape = &importer.graph.tensor(id).shape;
    match shape.as_slice() {
        [n, c, h, w] => Ok([*n, *c, *h, *w]),
        [n, c, l] => Ok([*n, *c, 1, *l]),
        other => unsupported(format!(
            "an input of shape {other:?}: images [N, C, H, W] and signals [N, C, L] are implemented"
        )),
    }
}

/// Geometry of a convolution: the operator and the shape of its result.
fn convolution(
    importer: &Importer,
    n: &OnnxNode,
    input: TensorId,
    weights: Weights,
    bias: Option<Vec<i64>>,
) -> Result<(PendingKind, Vec<usize>), Refusal> {
    let [batch, channels, height, width] = image(importer, input)?;
    let [oc, ic, kh, kw] = weights.shape;
    let placed = window::place(n, Some([kh, kw]), [height, width])?;
    let groups = n.int("group", 1);
    let Some(groups) = usize::try_from(groups)
        .ok()
        .filter(|g| *g > 0 && oc % g == 0 && ic.checked_mul(*g) == Some(channels))
    else {
        return Err(Refusal::Malformed(format!(
            "{groups} groups, weights {:?} and {channels} input channels do not fit together",
            weights.shape
        )));
    };
    let shape = result_shape(importer, input, [batch, oc, placed.out[0], placed.out[1]]);
    Ok((PendingKind::Conv { window: placed.window, groups, weights, bias }, shape))
}

/// The shape of a result: that of an image, or of a signal if the input is one.
pub(super) fn result_shape(importer: &Importer, input: TensorId, [n, c, h, w]: [usize; 4]) -> Vec<usize> {
    if importer.graph.tensor(input).shape.len() == 3 { vec![n, c, w] } else { vec![n, c, h, w] }
}

/// `[…, K] × [K, N]`.
pub(super) fn product(
    importer: &Importer,
    input: TensorId,
    weights: Weights,
    bias: Option<Vec<i64>>,
) -> Result<(PendingKind, Vec<usize>), Refusal> {
    let mut shape = importer.graph.tensor(input).shape.clone();
    let [n, k, _, _] = weights.shape;
    match shape.last_mut() {
        Some(last) if *last == k => *last = n,
        _ => {
            return Err(Refusal::Malformed(format!(
                "an input of shape {shape:?} and weights of {k} rows do not fit"
            )));
        }
    }
    Ok((PendingKind::Gemm { weights, bias }, shape))
}

/// QDQ Conv.
pub(super) fn conv<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let scaled = match importer.value(n, 0)? {
        Value::Real(r) => channels::scaled(importer, r).map(|(id, by)| (id, by, r.nodes.clone())),
        _ => None,
    };
    let (input, by_channel, mut nodes) = match scaled {
        Some((id, by, nodes)) => (id, Some(by), nodes),
        None => importer.real(n, 0).map(|(id, nodes)| (id, None, nodes))?,
    };
    let w = importer.real_constant(n, 1, "weights")?;
    nodes.push(w.node);
    let mut weights = weights(&w.constant, &w.scale, &w.zero_point, w.axis, 0)?;
    if let Some(by) = by_channel {
        let scales = by.floats().unwrap_or_default();
        if usize::try_from(n.int("group", 1)) != Ok(scales.len()) || weights.shape[1] != 1 {
            return unsupported(
                "its input has a scale for each channel, and it sums over channels: those sums are no integers",
            );
        }
        weights.scale = channels::taken_in(&weights.scale, scales, weights.shape[0]);
    }
    let centred = widened(&w.constant, &weights);
    let mut bias = importer.qdq_bias(n, input, &weights, &mut nodes)?.of_images();
    let (kind, shape) = convolution(importer, n, input, weights, bias.sums.take())?;
    let p = importer.pending(kind, n, shape, vec![input], nodes);
    importer.biased(Pending { centred, ..p }, bias)
}

/// A bias in QDQ form.
#[derive(Default)]
pub(super) struct SplitBias {
    /// For the accumulators.
    pub(super) sums: Option<Vec<i64>>,
    /// The floats that those sums were rounded from.
    pub(super) before: Option<Constant>,
    /// Floats to be added to the product.
    pub(super) on_top: Option<Constant>,
}

impl SplitBias {
    fn of_images(self) -> SplitBias {
        SplitBias { before: self.before.map(by_image), on_top: self.on_top.map(by_image), ..self }
    }
}

/// A bias of a convolution, shaped to be added to images or signals.
fn by_image(bias: Constant) -> Constant {
    let shape = vec![bias.shape.iter().product(), 1, 1];
    Constant { shape, ..bias }
}

/// Convolutions that a transposed one is computed as at most: one for each residue of the strides.
const MAX_PARTS: usize = 1024;

/// QDQ ConvTranspose.
pub(super) fn conv_transpose<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    let w = importer.real_constant(n, 1, "weights")?;
    nodes.push(w.node);
    let groups = usize::try_from(n.int("group", 1)).ok().filter(|g| *g > 0);
    let Some(groups) = groups else { return Err(Refusal::Malformed("group is not positive".into())) };
    let (turned, axis) = turned(&w.constant, groups)?;
    let channels = turned.shape[0];
    let (scale, zero_point) =
        (outputs(&w.scale, &w, groups, channels)?, outputs(&w.zero_point, &w, groups, channels)?);
    let weights = weights(&turned, &scale, &zero_point, axis, 0)?;
    let centred = widened(&w.constant, &weights);
    let mut bias = importer.qdq_bias(n, input, &weights, &mut nodes)?.of_images();
    let [batch, channels, height, width] = image(importer, input)?;
    let [oc, ic, kh, kw] = weights.shape;
    if ic.checked_mul(groups) != Some(channels) {
        return Err(Refusal::Malformed(format!("{channels} input channels, weights of {ic} × {groups}")));
    }
    let (window, out) = window::transposed(n, [kh, kw], [height, width])?;
    let parts = window.stride[0].min(out[0]).saturating_mul(window.stride[1].min(out[1]));
    if parts > MAX_PARTS {
        let [y, x] = window.stride;
        return unsupported(format!("strides of {y} × {x} make {parts} convolutions; {MAX_PARTS} at most"));
    }
    let shape = result_shape(importer, input, [batch, oc, out[0], out[1]]);
    let kind = PendingKind::ConvTranspose { window, groups, weights, bias: bias.sums.take() };
    let p = importer.pending(kind, n, shape, vec![input], nodes);
    importer.biased(Pending { centred, ..p }, bias)
}

/// Scales or zero points of weights `[IC, OC / groups, …]`, for each output channel: along axis 1 they are
/// those of every group, along axis 0 those of a group that has one input channel.
fn outputs<T: Copy>(list: &[T], w: &ConstantReal, groups: usize, channels: usize) -> Result<Vec<T>, Refusal> {
    let each = (channels / groups).max(1);
    match (list.len(), w.axis) {
        (1, _) => Ok(list.to_vec()),
        (n, 1) if n == each => Ok((0..channels).map(|o| list[o % each]).collect()),
        (n, 0) if n == groups && w.constant.shape.first() == Some(&groups) => {
            Ok((0..channels).map(|o| list[o / each]).collect())
        }
        (n, axis) => unsupported(format!("{n} scales along axis {axis} of its weights")),
    }
}

/// Weights `[IC, OC / groups, KH, KW]` as `[OC, IC / groups, KH, KW]`; the axis of the scales changes with
/// them.
fn turned(c: &Constant, groups: usize) -> Result<(Constant, usize), Refusal> {
    let (ic, oc, rest) = match c.shape.as_slice() {
        [ic, oc, kw] => (*ic, *oc, vec![1, *kw]),
        [ic, oc, kh, kw] => (*ic, *oc, vec![*kh, *kw]),
        other => return unsupported(format!("weights of shape {other:?} are not implemented")),
    };
    if ic % groups != 0 {
        return Err(Refusal::Malformed(format!("{ic} input channels in {groups} groups")));
    }
    let part = ic / groups;
    let taps: usize = rest.iter().product();
    let order = (0..groups * oc).flat_map(|o| (0..part).map(move |i| (o / oc * part + i) * oc + o % oc));
    let at = order.flat_map(|channel| (0..taps).map(move |t| channel * taps + t));
    let shape = vec![groups * oc, part, rest[0], rest[1]];
    Ok((Constant { name: c.name.clone(), shape, data: c.picked(at) }, 0))
}

impl<'a> Importer<'a> {
    /// An integer input of an operator with zero points but without scales.
    pub(super) fn integers(
        &mut self,
        n: &'a OnnxNode<'a>,
        index: usize,
        zero_point: usize,
    ) -> Result<TensorId, Refusal> {
        let Value::Tensor(id) = self.value(n, index)?.clone() else {
            return unsupported("its input is no tensor of integers");
        };
        let zero = self.optional(n, zero_point, "zero point")?;
        self.same_type(n, id, zero.as_ref().map(|c| c.dtype()))?;
        let zero_point = match zero.and_then(|c| c.integers()).as_deref() {
            None => 0,
            Some([first, rest @ ..]) if rest.iter().all(|z| z == first) => *first as i32,
            Some(_) => return unsupported("a zero point for each row is not implemented"),
        };
        let scale = self.graph.tensor(id).quant.map_or(1.0, |q| q.scale);
        self.read_as(n, id, Quant { scale, zero_point })
    }

    /// A layer whose result is its sums.
    pub(super) fn sums(
        &mut self,
        n: &'a OnnxNode<'a>,
        (kind, shape): (PendingKind, Vec<usize>),
        inputs: Vec<TensorId>,
    ) -> Result<Value, Refusal> {
        let p = self.pending(kind, n, shape.clone(), inputs, Vec::new());
        let Some(op) = self.mac_operator(&p, None, [0, 0])? else { return unsupported("it has no sums") };
        let output = Tensor { name: n.result()?.into(), shape, dtype: DType::S32, quant: None };
        let id = self.mac_layer(&p, op, output, &[]);
        self.sums.insert(id, p.into());
        Ok(Value::Tensor(id))
    }

    /// Sums as floats, each rounded to nearest; the node is the Cast.
    pub(super) fn float_sums(&mut self, n: &'a OnnxNode<'a>, p: &Pending) -> Result<TensorId, Refusal> {
        let mut op = match self.mac_operator(p, None, [0, 0])? {
            Some(op) => op,
            None => return unsupported("it has no sums"),
        };
        match &mut op {
            Op::Conv { epilogue, .. } | Op::Gemm { epilogue, .. } => epilogue.multiplier = vec![1.0],
            Op::MatMul { multiplier, .. } => *multiplier = 1.0,
            _ => return unsupported("it has no sums"),
        }
        let output =
            Tensor { name: n.result()?.into(), shape: p.shape.clone(), dtype: DType::F32, quant: None };
        Ok(self.mac_layer(&Pending { own: n.index, ..p.clone() }, op, output, &[p.own]))
    }

    /// The bias of a node in QDQ form: sums for the accumulators, or floats to be added to the product.
    fn qdq_bias(
        &self,
        n: &OnnxNode<'a>,
        input: TensorId,
        weights: &Weights,
        nodes: &mut Vec<usize>,
    ) -> Result<SplitBias, Refusal> {
        if n.input(2).is_none() {
            return Ok(SplitBias::default());
        }
        let value = self.value(n, 2)?;
        if let Value::ConstantReal(c) = value {
            nodes.push(c.node);
        }
        self.split_bias(value, input, weights, 1)
    }

    /// A bias as sums for the accumulators, or as floats to be added to the product.
    pub(super) fn split_bias(
        &self,
        value: &Value,
        input: TensorId,
        weights: &Weights,
        rows: usize,
    ) -> Result<SplitBias, Refusal> {
        let wide = self.graph.tensor(input).dtype.bytes() > 1 || weights.dtype.bytes() > 1;
        Ok(match real_bias(value, self.quant_of(input)?.scale, weights, rows, wide)? {
            Bias::Sums(sums) => SplitBias { sums: Some(sums), ..SplitBias::default() },
            Bias::Rounded(sums, floats) => {
                SplitBias { sums: Some(sums), before: Some(floats), ..SplitBias::default() }
            }
            Bias::Floats(floats) => SplitBias { on_top: Some(floats), ..SplitBias::default() },
        })
    }

    /// A product that waits for its quantizer, with a bias that is added in float.
    pub(super) fn biased(&mut self, p: Pending, bias: SplitBias) -> Result<Value, Refusal> {
        let p = Pending { bias: bias.before.map(Rc::new), ..p };
        let Some(bias) = bias.on_top else { return Ok(Value::Pending(p.into())) };
        let mut real = self.float_result(&p)?;
        if super::elementwise::broadcast(&real.shape, &bias.shape)? != real.shape {
            return Err(Refusal::Malformed(format!("a bias of shape {:?} for {:?}", bias.shape, real.shape)));
        }
        real.expr = real.expr.add(Expr::Constant(bias.into()));
        Ok(Value::Real(real))
    }

    pub(super) fn qlinear_result(
        &mut self,
        n: &'a OnnxNode<'a>,
        (kind, shape): (PendingKind, Vec<usize>),
        inputs: Vec<TensorId>,
        to: (Quant, Option<DType>),
        centred: bool,
    ) -> Result<Value, Refusal> {
        let to: Format = (to.0, to.1.unwrap_or(self.graph.tensor(inputs[0]).dtype));
        let p = Pending { centred, ..self.pending(kind, n, shape, inputs, Vec::new()) };
        self.complete(&p, n.index, n.result()?, to)
    }
}

/// `QLinearConv(x, x_scale, x_zp, w, w_scale, w_zp, y_scale, y_zp, B)`.
pub(super) fn qlinear_conv<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    if n.int("channels_last", 0) != 0 {
        return unsupported("channels_last is not implemented");
    }
    let input = importer.activation(n, 0)?;
    let constant = importer.constant(n, 3, "weights")?;
    let (scale, zero, _) = importer.scales(n, 4)?;
    let weights = weights(&constant, &scale, &zero, 0, 0)?;
    let bias = importer.optional(n, 8, "bias")?.map(|b| integer_bias(&b, weights.shape[0], 1)).transpose()?;
    let centred = widened(&constant, &weights);
    let parts = convolution(importer, n, input, weights, bias)?;
    let to = importer.quant(n, 6)?;
    importer.qlinear_result(n, parts, vec![input], to, centred)
}

/// `ConvInteger(x, w, x_zp, w_zp)`: returns the sums.
pub(super) fn conv_integer<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let input = importer.integers(n, 0, 2)?;
    let constant = importer.constant(n, 1, "weights")?;
    let zero = importer.optional(n, 3, "zero point")?.and_then(|c| c.integers());
    let zero: Vec<i32> = zero.unwrap_or_else(|| vec![0]).iter().map(|z| *z as i32).collect();
    let weights = weights(&constant, &[1.0], &zero, 0, 0)?;
    let parts = convolution(importer, n, input, weights, None)?;
    importer.sums(n, parts, vec![input])
}
