//! Pools in both forms.

use super::channels;
use super::expr::Expr;
use super::importer::Importer;
use super::mac::image;
use super::mac::result_shape;
use super::node::OnnxNode;
use super::value::{Moved, Pending, PendingKind, Real, Refusal, Value, absorb, unsupported};
use super::window;
use crate::graph::{Op, Quant, Tensor, TensorId, Window};

/// MaxPool of integers, or of the float view of integers: taking a maximum commutes with dequantization.
pub(super) fn max<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    if n.proto.output.get(1).is_some_and(|o| importer.read.contains_key(o.as_str())) {
        return unsupported("a MaxPool that gives indices is not implemented");
    }
    if let Value::Pending(p) = importer.value(n, 0)?
        && p.shape.len() == 4
    {
        return largest(n, p);
    }
    let scaled = match importer.value(n, 0)? {
        Value::Real(r) => channels::scaled(importer, r).map(|(id, by)| (id, by, r.clone())),
        _ => None,
    };
    let (input, real) = match &scaled {
        Some((id, _, r)) => (*id, Some(r.clone())),
        None => tensor_of(importer, n)?,
    };
    let [batch, channels, height, width] = image(importer, input)?;
    let placed = window::place(n, None, [height, width])?;
    let out = [batch, channels, placed.out[0], placed.out[1]];
    let value = maximum(importer, n, (input, real), placed.window, out)?;
    Ok(match (scaled, value) {
        // A maximum commutes with the scale of its channel.
        (Some((_, by, _)), Value::Real(r)) => {
            if importer.centred.contains(&input) {
                importer.centred.extend(r.plain());
            }
            Value::Real(Real { expr: r.expr.mul(Expr::Constant(by)), unnamed: false, ..r })
        }
        (_, value) => value,
    })
}

/// MaxPool of a result that waits for its quantizer: a maximum commutes with quantization.
fn largest(n: &OnnxNode, p: &Pending) -> Result<Value, Refusal> {
    let mut p = p.clone();
    let [batch, channels, height, width] = p.shape[..] else {
        return unsupported(format!("an input of shape {:?} is no image", p.shape));
    };
    let placed = window::place(n, None, [height, width])?;
    let shape = vec![batch, channels, placed.out[0], placed.out[1]];
    let before = std::mem::replace(&mut p.shape, shape.clone());
    p.moves.push(Moved {
        node: n.index,
        op: Op::MaxPool { window: placed.window },
        before,
        shape,
        fill: None,
    });
    absorb(&mut p.nodes, &[n.index])?;
    Ok(Value::Pending(p.into()))
}

/// The integers at input 0, directly or behind their float view.
fn tensor_of<'a>(importer: &mut Importer<'a>, n: &OnnxNode<'a>) -> Result<(TensorId, Option<Real>), Refusal> {
    Ok(match importer.value(n, 0)?.clone() {
        Value::Tensor(id) if importer.graph.tensor(id).dtype.bytes() <= 2 => (id, None),
        Value::Real(r) => {
            let (id, nodes) = importer.real(n, 0)?;
            (id, Some(Real { nodes, ..r }))
        }
        _ => return unsupported(importer.not_quantized(n)),
    })
}

/// A layer of maxima; signals are images of one row.
fn maximum<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    (input, real): (TensorId, Option<Real>),
    window: Window,
    out: [usize; 4],
) -> Result<Value, Refusal> {
    let t = importer.graph.tensor(input).clone();
    let name = n.result()?;
    let nodes = real.as_ref().map_or_else(Vec::new, |r| r.nodes.clone());
    let shape = result_shape(importer, input, out);
    let mut x = input;
    if t.shape.len() == 3 {
        let image = vec![t.shape[0], t.shape[1], 1, t.shape[2]];
        let wide = Tensor { name: format!("{name}.input_reshaped"), shape: image, ..t.clone() };
        x = importer.layer(n.index, Op::Reshape, vec![x], wide, &[]);
    }
    let own = if t.shape.len() == 3 { format!("{name}.before_reshape") } else { name.to_string() };
    let output = Tensor { name: own, shape: out.to_vec(), ..t.clone() };
    let mut id = importer.layer(n.index, Op::MaxPool { window }, vec![x], output, &nodes);
    if t.shape.len() == 3 {
        let output = Tensor { name: name.into(), shape: shape.clone(), ..t };
        id = importer.layer(n.index, Op::Reshape, vec![id], output, &[]);
    }
    Ok(match real {
        None => Value::Tensor(id),
        Some(_) => Value::Real(Real { expr: Expr::Tensor(id), shape, nodes: Vec::new(), unnamed: true }),
    })
}

/// GlobalMaxPool: one window over the whole image.
pub(super) fn global_max<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, real) = tensor_of(importer, n)?;
    let [batch, channels, h, w] = image(importer, input)?;
    let window = Window { kernel: [h, w], stride: [1, 1], dilation: [1, 1], pads: [0; 4] };
    maximum(importer, n, (input, real), window, [batch, channels, 1, 1])
}

/// ReduceMean, ReduceSum and ReduceMax over any axes: these are moved together as the rows of an image, which
/// is then pooled.
pub(super) fn reduce<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (input, real) = tensor_of(importer, n)?;
    let t = importer.graph.tensor(input).clone();
    let rank = t.shape.len();
    let axes = importer.list(n, 1, "axes")?.unwrap_or_default();
    let mut reduced: Vec<usize> =
        axes.iter().map(|a| super::movement::axis(*a, rank)).collect::<Result<_, _>>()?;
    if reduced.is_empty() {
        if n.flag("noop_with_empty_axes", false) {
            return super::movement::identity(importer, n);
        }
        reduced = (0..rank).collect();
    }
    let kept: Vec<usize> = (0..rank).filter(|a| !reduced.contains(a)).collect();
    let extents = |axes: &[usize]| axes.iter().map(|a| t.shape[*a]).product::<usize>();
    reduced.retain(|a| *a < rank);
    reduced.sort_unstable();
    reduced.dedup();
    let (channels, rows) = (extents(&kept), extents(&reduced));
    let out: Vec<usize> = if n.flag("keepdims", true) {
        (0..rank).map(|a| if reduced.contains(&a) { 1 } else { t.shape[a] }).collect()
    } else {
        kept.iter().map(|a| t.shape[*a]).collect()
    };
    let name = n.result()?;
    let perm: Vec<usize> = kept.iter().chain(&reduced).copied().collect();
    let mut steps = Vec::new();
    if !perm.iter().copied().eq(0..rank) {
        let shape = perm.iter().map(|a| t.shape[*a]).collect();
        steps.push((Op::Transpose { perm }, shape));
    }
    steps.push((Op::Reshape, vec![1, channels, rows, 1]));
    let image = importer.move_tensor(n.index, input, steps, &format!("{name}.rows"), &[]);
    let nodes = real.as_ref().map_or_else(Vec::new, |r| r.nodes.clone());
    if n.op_type() == "ReduceMax" {
        let window = Window { kernel: [rows, 1], stride: [1, 1], dilation: [1, 1], pads: [0; 4] };
        let output =
            Tensor { name: format!("{name}.before_reshape"), shape: vec![1, channels, 1, 1], ..t.clone() };
        let id = importer.layer(n.index, Op::MaxPool { window }, vec![image], output, &nodes);
        let output = Tensor { name: name.into(), shape: out.clone(), ..t };
        let id = importer.layer(n.index, Op::Reshape, vec![id], output, &[]);
        return Ok(match real {
            None => Value::Tensor(id),
            Some(_) => {
                Value::Real(Real { expr: Expr::Tensor(id), shape: out, nodes: Vec::new(), unnamed: true })
            }
        });
    }
    if real.is_none() {
        return unsupported(format!("a {} of integers without their scale", n.op_type()));
    }
    if n.op_type() == "ReduceSum"
        && let Some(q) = &mut importer.graph.tensors[image.0 as usize].quant
    {
        // The sum is the average times the number of values.
        *q = Quant { scale: q.scale * rows as f32, ..*q };
    }
    let before = vec![1, channels, 1, 1];
    let mut p = importer.pending(PendingKind::GlobalAvgPool, n, out.clone(), vec![image], nodes);
    p.moves.push(Moved { node: n.index, op: Op::Reshape, before: before.clone(), shape: out, fill: None });
    Ok(Value::Pending(p.into()))
}

fn average_of<'a>(
    importer: &mut Importer<'a>,
    n: &OnnxNode<'a>,
    input: TensorId,
    nodes: Vec<usize>,
) -> Result<Pending, Refusal> {
    let [batch, channels, height, width] = image(importer, input)?;
    let placed = window::place(n, None, [height, width])?;
    let include_pad = n.int("count_include_pad", 0) != 0;
    let shape = [batch, channels, placed.out[0], placed.out[1]];
    // ONNX Runtime's kernel sums integers when one window without padding covers the image, and floats
    // otherwise.
    let whole = placed.window.kernel == [height, width] && placed.window.pads == [0; 4];
    let kind = if whole {
        PendingKind::GlobalAvgPool
    } else {
        PendingKind::AvgPool { window: placed.window, include_pad }
    };
    Ok(average_pending(importer, n, kind, input, shape, nodes))
}

/// An average that waits for its quantizer; signals are images of one row.
fn average_pending<'a>(
    importer: &mut Importer<'a>,
    n: &OnnxNode<'a>,
    kind: PendingKind,
    input: TensorId,
    out: [usize; 4],
    nodes: Vec<usize>,
) -> Pending {
    let t = importer.graph.tensor(input).clone();
    let &[batch, channels, length] = t.shape.as_slice() else {
        return importer.pending(kind, n, out.to_vec(), vec![input], nodes);
    };
    let name = format!("{}.input_reshaped", n.output().unwrap_or("average"));
    let image = Tensor { name, shape: vec![batch, channels, 1, length], ..t };
    let image = importer.layer(n.index, Op::Reshape, vec![input], image, &[]);
    let mut p = importer.pending(kind, n, out.to_vec(), vec![image], nodes);
    let shape = vec![out[0], out[1], out[3]];
    p.moves.push(Moved {
        node: n.index,
        op: Op::Reshape,
        before: out.to_vec(),
        shape: shape.clone(),
        fill: None,
    });
    p.shape = shape;
    p
}

fn global_of<'a>(
    importer: &mut Importer<'a>,
    n: &OnnxNode<'a>,
    input: TensorId,
    nodes: Vec<usize>,
) -> Result<Pending, Refusal> {
    let [batch, channels, _, _] = image(importer, input)?;
    Ok(average_pending(importer, n, PendingKind::GlobalAvgPool, input, [batch, channels, 1, 1], nodes))
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
    build: impl Fn(&mut Importer<'a>, &OnnxNode<'a>, TensorId, Vec<usize>) -> Result<Pending, Refusal>,
) -> Result<Value, Refusal> {
    if n.int("channels_last", 0) != 0 {
        return unsupported("channels_last is not implemented");
    }
    let input = importer.activation(n, 0)?;
    let (quant, dtype) = importer.quant(n, 3)?;
    let p = build(importer, n, input, Vec::new())?;
    let own = importer.graph.tensor(input).dtype;
    importer.complete(&p, n.index, n.result()?, (quant, dtype.unwrap_or(own)))
}
