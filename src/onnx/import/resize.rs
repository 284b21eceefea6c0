//! Resize and Upsample: nearest elements are moved, linear interpolation is an operator.

use super::expr::Expr;
use super::importer::Importer;
use super::node::OnnxNode;
use super::pick::{gathered, listable};
use super::value::{Moved, PendingKind, Real, Refusal, Value, unsupported};
use crate::graph::{Op, Tensor};
use crate::isa::limits::MAX_EXTENT;
use crate::numeric::{Coordinates, Linear, linear, nearest};

/// Factors and extents of the result, for all axes.
fn target(
    importer: &Importer,
    n: &OnnxNode<'_>,
    shape: &[usize],
    upsample: bool,
) -> Result<(Vec<f32>, Vec<usize>), Refusal> {
    let n = &importer.nodes[n.index];
    let rank = shape.len();
    let named: Option<Vec<usize>> = n.ints("axes").map(|axes| {
        axes.iter().map(|a| if *a < 0 { *a + rank as i64 } else { *a }).map(|a| a as usize).collect()
    });
    let axes: Vec<usize> = named.unwrap_or_else(|| (0..rank).collect());
    let (scales_at, sizes_at) = if upsample || importer.opset < 11 { (1, 9) } else { (2, 3) };
    let listed = |index: usize, what: &str| -> Result<Option<Vec<f64>>, Refusal> {
        let Some(c) = importer.optional(n, index, what)? else { return Ok(None) };
        let values: Vec<f64> = match (c.floats(), c.integers()) {
            (Some(v), _) => v.iter().map(|x| f64::from(*x)).collect(),
            (_, Some(v)) => v.iter().map(|x| *x as f64).collect(),
            _ => Vec::new(),
        };
        Ok(if values.is_empty() { None } else { Some(values) })
    };
    let mut scales = vec![1.0_f32; rank];
    let mut out = shape.to_vec();
    let given = match n.floats("scales") {
        Some(list) => Some(list.iter().map(|x| f64::from(*x)).collect()),
        None => listed(scales_at, "scales")?,
    };
    let fits = |v: &Vec<f64>| v.len() == axes.len() && axes.iter().all(|a| *a < rank);
    if let Some(v) = given {
        if !fits(&v) {
            return Err(Refusal::Malformed(format!("{} scales for {} axes", v.len(), axes.len())));
        }
        for (axis, s) in axes.iter().zip(v) {
            scales[*axis] = s as f32;
            // The product is in f32, as in ONNX Runtime: 3 · 1.6666666 is 5.
            out[*axis] = (shape[*axis] as f32 * s as f32) as usize;
        }
    } else if let Some(v) = listed(sizes_at, "sizes")? {
        if !fits(&v) {
            return Err(Refusal::Malformed(format!("{} sizes for {} axes", v.len(), axes.len())));
        }
        if n.string("keep_aspect_ratio_policy").is_some_and(|p| p != "stretch") {
            return unsupported("keep_aspect_ratio_policy is not implemented");
        }
        for (axis, s) in axes.iter().zip(v) {
            out[*axis] = s as usize;
            scales[*axis] = s as f32 / shape[*axis] as f32;
        }
    } else {
        return Err(Refusal::Malformed("it has neither scales nor sizes".into()));
    }
    if out.iter().any(|d| *d == 0 || *d > MAX_EXTENT as usize)
        || scales.iter().any(|s| !s.is_normal() || *s <= 0.0)
    {
        return Err(Refusal::Malformed(format!("{shape:?} resized to {out:?} by {scales:?}")));
    }
    Ok((scales, out))
}

/// `Resize(X, roi, scales, sizes)`, `Upsample(X, scales)`: of integers, or of the float view of integers.
pub(super) fn resize<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let shape = match importer.value(n, 0)?.clone() {
        Value::Tensor(id) => importer.graph.tensor(id).shape.clone(),
        Value::Real(r) if r.plain().is_some() => r.shape,
        _ => return unsupported(format!("a {} of float values", n.op_type())),
    };
    let upsample = n.op_type() == "Upsample" || importer.opset < 11;
    let (scales, out) = target(importer, n, &shape, upsample)?;
    listable(&shape)?;
    listable(&out)?;
    let mode = n.string("mode").unwrap_or_else(|| "nearest".into());
    let default = if upsample { "asymmetric" } else { "half_pixel" };
    let coordinates = match n.string("coordinate_transformation_mode").as_deref().unwrap_or(default) {
        "half_pixel" => Coordinates::HalfPixel,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNearest,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        other => return unsupported(format!("coordinate_transformation_mode \"{other}\"")),
    };
    if n.int("antialias", 0) != 0 || n.int("exclude_outside", 0) != 0 {
        return unsupported("antialias and exclude_outside are not implemented");
    }
    match mode.as_str() {
        "nearest" => {
            let default = if upsample { "simple" } else { "round_prefer_floor" };
            let rounding = n.string("nearest_mode").unwrap_or_else(|| default.into());
            let mut picks = Vec::new();
            for axis in 0..shape.len() {
                match nearest(coordinates, &rounding, scales[axis], shape[axis], out[axis]) {
                    Some(list) => picks.push(list.into_iter().map(|i| i as i64).collect()),
                    None => return unsupported(format!("nearest_mode \"{rounding}\"")),
                }
            }
            importer.moved(n, |_| Ok((gathered("resize", &picks), out)))
        }
        "linear" => {
            if shape.len() != 4 {
                return unsupported("linear mode over other axes than two of four");
            }
            let along = |axis: usize| linear(coordinates, scales[axis], shape[axis], out[axis]);
            if out[..2] == shape[..2] {
                interpolated(importer, n, out.clone(), (along(2), along(3)))
            } else if (out[0], out[3]) == (shape[0], shape[3]) {
                channels_last(importer, n, out.clone(), (along(1), along(2)))
            } else {
                unsupported("linear mode over other axes than those of an image")
            }
        }
        other => unsupported(format!("mode \"{other}\"")),
    }
}

/// An image whose channels stand last is turned round before and after.
fn channels_last<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    out: Vec<usize>,
    (rows, cols): (Vec<Linear>, Vec<Linear>),
) -> Result<Value, Refusal> {
    let Value::Real(Real { expr: Expr::Tensor(id), nodes, shape, .. }) = importer.value(n, 0)?.clone() else {
        return unsupported("a linear resize of this value with its channels last");
    };
    if importer.graph.tensor(id).quant.is_none() {
        return unsupported("a linear resize of floats with their channels last");
    }
    let name = format!("{}.image", n.result()?);
    let image = |s: &[usize]| vec![s[0], s[3], s[1], s[2]];
    let turn = (Op::Transpose { perm: vec![0, 3, 1, 2] }, image(&shape));
    let id = importer.move_tensor(n.index, id, vec![turn], &name, &[]);
    let mut p = importer.pending(PendingKind::Resize { rows, cols }, n, out.clone(), vec![id], nodes);
    let back = Op::Transpose { perm: vec![0, 2, 3, 1] };
    p.moves.push(Moved { node: n.index, op: back, before: image(&out), shape: out, fill: None });
    Ok(Value::Pending(p.into()))
}

fn interpolated<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    out: Vec<usize>,
    (rows, cols): (Vec<Linear>, Vec<Linear>),
) -> Result<Value, Refusal> {
    match importer.value(n, 0)?.clone() {
        Value::Tensor(id) if importer.graph.tensor(id).dtype.bytes() != 2 => {
            let t = importer.graph.tensor(id).clone();
            let output = Tensor { name: n.result()?.into(), shape: out, ..t };
            Ok(Value::Tensor(importer.layer(n.index, Op::Resize { rows, cols }, vec![id], output, &[])))
        }
        Value::Real(Real { expr: Expr::Tensor(id), nodes, .. })
            if importer.graph.tensor(id).quant.is_some() =>
        {
            let kind = PendingKind::Resize { rows, cols };
            Ok(Value::Pending(importer.pending(kind, n, out, vec![id], nodes).into()))
        }
        _ => unsupported("a linear resize of this value"),
    }
}
