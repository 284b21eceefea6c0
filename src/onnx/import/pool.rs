//! Pools in both forms.

use super::Importer;
use super::mac::image;
use super::node::OnnxNode;
use super::value::{Pending, PendingKind, Real, Refusal, Value, unsupported};
use super::window;
use crate::graph::{DType, Op, Tensor, TensorId};

/// MaxPool of integers, or of the float view of integers: taking a maximum commutes with dequantization.
pub(super) fn max<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    if n.proto.output.get(1).is_some_and(|o| !o.is_empty()) {
        return unsupported("a MaxPool that gives indices is not implemented");
    }
    let (input, real) = match importer.value(n, 0)?.clone() {
        Value::Tensor(id) if importer.graph.tensor(id).dtype.int_range().is_some() => (id, None),
        Value::Real(r) if r.functions.is_empty() => (r.tensor, Some(r)),
        _ => return unsupported("a float MaxPool: quantize the model first"),
    };
    let [batch, channels, height, width] = image(importer, input)?;
    let placed = window::place(n, None, [height, width])?;
    let t = importer.graph.tensor(input);
    let shape = vec![batch, channels, placed.out[0], placed.out[1]];
    let output = Tensor { name: n.result()?.into(), shape, dtype: t.dtype, quant: t.quant };
    let nodes = real.as_ref().map_or_else(Vec::new, |r| r.nodes.clone());
    let id = importer.layer(n.index, Op::MaxPool { window: placed.window }, vec![input], output, &nodes);
    Ok(match real {
        None => Value::Tensor(id),
        Some(_) => Value::Real(Real { tensor: id, functions: Vec::new(), nodes: Vec::new(), unnamed: true }),
    })
}

fn average_of<'a>(
    importer: &Importer<'a>,
    n: &OnnxNode<'a>,
    input: TensorId,
    nodes: Vec<usize>,
) -> Result<Pending, Refusal> {
    let [batch, channels, height, width] = image(importer, input)?;
    let placed = window::place(n, None, [height, width])?;
    let include_pad = n.int("count_include_pad", 0) != 0;
    if include_pad && placed.beyond != [0, 0] {
        return unsupported("ceil_mode together with count_include_pad is not implemented");
    }
    let shape = vec![batch, channels, placed.out[0], placed.out[1]];
    let kind = PendingKind::AvgPool { window: placed.window, include_pad };
    Ok(Pending { kind, own: n.index, shape, inputs: vec![input], functions: Vec::new(), nodes })
}

fn global_of(
    importer: &Importer,
    n: &OnnxNode,
    input: TensorId,
    nodes: Vec<usize>,
) -> Result<Pending, Refusal> {
    let [batch, channels, _, _] = image(importer, input)?;
    let kind = PendingKind::GlobalAvgPool;
    let shape = vec![batch, channels, 1, 1];
    Ok(Pending { kind, own: n.index, shape, inputs: vec![input], functions: Vec::new(), nodes })
}

/// QDQ AveragePool.
pub(super) fn average<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    nodes.push(n.index);
    Ok(Value::Pending(average_of(importer, n, input, nodes)?.into()))
}

/// QDQ GlobalAveragePool.
pub(super) fn global_average<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, mut nodes) = importer.real(n, 0)?;
    nodes.push(n.index);
    Ok(Value::Pending(global_of(importer, n, input, nodes)?.into()))
}

/// `QLinearAveragePool(X, x_scale, x_zp, y_scale, y_zp)`.
pub(super) fn qlinear_average<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
) -> Result<Value, Refusal> {
    qlinear(importer, n, average_of)
}

/// `QLinearGlobalAveragePool(X, x_scale, x_zp, y_scale, y_zp)`.
pub(super) fn qlinear_global_average<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
) -> Result<Value, Refusal> {
    qlinear(importer, n, global_of)
}

fn qlinear<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    build: impl Fn(&Importer<'a>, &OnnxNode<'a>, TensorId, Vec<usize>) -> Result<Pending, Refusal>,
) -> Result<Value, Refusal> {
    if n.int("channels_last", 0) != 0 {
        return unsupported("channels_last is not implemented");
    }
    let input = importer.activation(n, 0)?;
    let (quant, dtype) = importer.quant(n, 3)?;
    let p = build(importer, n, input, Vec::new())?;
    importer.complete(&p, n.index, n.result()?, (quant, dtype.unwrap_or(DType::U8)))
}
