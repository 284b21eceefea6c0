//! Conv, Gemm and MatMul in both forms.

use super::Importer;
use super::constants::{integer_bias, real_bias, weights};
use super::function::Format;
use super::node::OnnxNode;
use super::value::{Pending, PendingKind, Refusal, Value, unsupported};
use super::window;
use crate::graph::{DType, Quant, TensorId, Weights};

/// `[N, C, H, W]` of an image.
pub(super) fn image(importer: &Importer, id: TensorId) -> Result<[usize; 4], Refusal> {
    let shape = &importer.graph.tensor(id).shape;
    match shape.as_slice() {
        [n, c, h, w] => Ok([*n, *c, *h, *w]),
        other => {
            unsupported(format!("an input of shape {other:?}: only images [N, C, H, W] are implemented"))
        }
    }
}

/// Geometry of a convolution: the operator and the shape of its result.
fn convolution(
    importer: &Importer,
    n: &OnnxNode,
    input: TensorId,
    weights: Weights,
    bias: Option<Vec<i32>>,
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
    let shape = vec![batch, oc, placed.out[0], placed.out[1]];
    Ok((PendingKind::Conv { window: placed.window, groups, weights, bias }, shape))
}

/// `[…, K] × [K, N]`.
fn product(
    importer: &Importer,
    input: TensorId,
    weights: Weights,
    bias: Option<Vec<i32>>,
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
    let (input, mut nodes) = importer.real(n, 0)?;
    let w = importer.real_constant(n, 1, "weights")?;
    nodes.push(w.node);
    let weights = weights(&w.constant, &w.scale, &w.zero_point, w.axis, 0)?;
    let bias = importer.qdq_bias(n, input, &weights, &mut nodes)?;
    let (kind, shape) = convolution(importer, n, input, weights, bias)?;
    Ok(waiting(kind, n.index, shape, input, nodes))
}

/// QDQ Gemm.
pub(super) fn gemm<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    let w = importer.real_constant(n, 1, "weights")?;
    nodes.push(w.node);
    let out_axis = gemm_axis(n)?;
    let weights = weights(&w.constant, &w.scale, &w.zero_point, w.axis, out_axis)?;
    let bias = importer.qdq_bias(n, input, &weights, &mut nodes)?;
    let (kind, shape) = product(importer, input, weights, bias)?;
    Ok(waiting(kind, n.index, shape, input, nodes))
}

/// QDQ MatMul with constant weights.
pub(super) fn matmul<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    if matches!(importer.value(n, 1)?, Value::Real(_)) {
        return unsupported("a product of two activations is not implemented yet; one side must be constant");
    }
    let w = importer.real_constant(n, 1, "right side")?;
    nodes.push(w.node);
    if w.constant.shape.len() != 2 {
        return unsupported(format!(
            "constant right side of shape {:?}; two axes are implemented",
            w.constant.shape
        ));
    }
    let weights = weights(&w.constant, &w.scale, &w.zero_point, w.axis, 1)?;
    let (kind, shape) = product(importer, input, weights, None)?;
    Ok(waiting(kind, n.index, shape, input, nodes))
}

fn waiting(
    kind: PendingKind,
    own: usize,
    shape: Vec<usize>,
    input: TensorId,
    mut nodes: Vec<usize>,
) -> Value {
    nodes.push(own);
    Value::Pending(Pending { kind, own, shape, inputs: vec![input], functions: Vec::new(), nodes }.into())
}

/// The axis of a Gemm's weights that counts outputs.
fn gemm_axis(n: &OnnxNode) -> Result<usize, Refusal> {
    if n.int("transA", 0) != 0 {
        return unsupported("a transposed left side is not implemented");
    }
    if n.float("alpha").is_some_and(|a| a != 1.0) || n.float("beta").is_some_and(|b| b != 1.0) {
        return unsupported("alpha or beta other than 1 is not implemented");
    }
    Ok(if n.int("transB", 0) != 0 { 0 } else { 1 })
}

impl<'a> Importer<'a> {
    fn qdq_bias(
        &self,
        n: &OnnxNode<'a>,
        input: TensorId,
        weights: &Weights,
        nodes: &mut Vec<usize>,
    ) -> Result<Option<Vec<i32>>, Refusal> {
        if n.input(2).is_none() {
            return Ok(None);
        }
        let value = self.value(n, 2)?;
        if let Value::ConstantReal(c) = value {
            nodes.push(c.node);
        }
        real_bias(value, self.quant_of(input)?.scale, weights).map(Some)
    }

    fn integer_operator(
        &mut self,
        n: &'a OnnxNode<'a>,
        (kind, shape): (PendingKind, Vec<usize>),
        input: TensorId,
        to: (Quant, Option<DType>),
    ) -> Result<Value, Refusal> {
        let dtype = to.1.unwrap_or(DType::U8);
        let to: Format = (to.0, dtype);
        if !matches!(dtype, DType::U8 | DType::S8) {
            return unsupported(format!("{} outputs are not implemented", dtype.name()));
        }
        let p = Pending {
            kind,
            own: n.index,
            shape,
            inputs: vec![input],
            functions: Vec::new(),
            nodes: Vec::new(),
        };
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
    let bias = importer.optional(n, 8, "bias")?.map(|b| integer_bias(&b, weights.shape[0])).transpose()?;
    let parts = convolution(importer, n, input, weights, bias)?;
    let to = importer.quant(n, 6)?;
    importer.integer_operator(n, parts, input, to)
}

/// `QLinearMatMul(a, a_scale, a_zp, b, b_scale, b_zp, y_scale, y_zp)`.
pub(super) fn qlinear_matmul<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let input = importer.activation(n, 0)?;
    if matches!(importer.value(n, 3)?, Value::Tensor(_)) {
        return unsupported("a product of two activations is not implemented yet; one side must be constant");
    }
    let constant = importer.constant(n, 3, "right side")?;
    let (scale, zero, _) = importer.scales(n, 4)?;
    if constant.shape.len() != 2 {
        return unsupported(format!(
            "constant right side of shape {:?}; two axes are implemented",
            constant.shape
        ));
    }
    let weights = weights(&constant, &scale, &zero, 1, 1)?;
    let parts = product(importer, input, weights, None)?;
    let to = importer.quant(n, 6)?;
    importer.integer_operator(n, parts, input, to)
}

/// `QGemm(A, a_scale, a_zp, B, b_scale, b_zp, C, y_scale, y_zp)`; without `y_scale` the result is float.
pub(super) fn qgemm<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let input = importer.activation(n, 0)?;
    let constant = importer.constant(n, 3, "weights")?;
    let (scale, zero, _) = importer.scales(n, 4)?;
    let out_axis = gemm_axis(n)?;
    let weights = weights(&constant, &scale, &zero, out_axis, out_axis)?;
    let bias = importer.optional(n, 6, "bias")?.map(|b| integer_bias(&b, weights.shape[0])).transpose()?;
    if n.input(7).is_none() {
        return unsupported("a QGemm with a float result is not implemented");
    }
    let parts = product(importer, input, weights, bias)?;
    let to = importer.quant(n, 7)?;
    importer.integer_operator(n, parts, input, to)
}
