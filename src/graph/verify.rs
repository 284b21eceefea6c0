//! Checks a graph: order, shapes, types, ranges. Graphs of the importer pass; hand-made ones may not.

use std::collections::BTreeSet;

use super::{
    DType, Graph, LaneStep, MacEpilogue, MoveAxis, MoveBox, Node, Op, Tensor, TensorId, Weights, Window,
};
use crate::numeric::Linear;

/// A rule that a graph breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct VerifyError {
    /// Name of the node or tensor.
    pub place: String,
    /// The rule.
    pub reason: String,
}

/// Most elements of a tensor: a run walks through all of them.
pub const MOST_ELEMENTS: usize = 1 << 31;

type Checked = Result<(), String>;

/// Checks all rules and returns all violations.
///
/// # Errors
/// One entry for each node or tensor that breaks a rule.
pub fn verify(graph: &Graph) -> Result<(), Vec<VerifyError>> {
    let mut errors = Vec::new();
    let mut note = |place: &str, result: Checked| {
        if let Err(reason) = result {
            errors.push(VerifyError { place: place.into(), reason });
        }
    };
    let mut names = BTreeSet::new();
    for t in &graph.tensors {
        let unique = if names.insert(&t.name) { Ok(()) } else { Err("another tensor has this name".into()) };
        note(&t.name, unique.and_then(|()| tensor(t)));
    }
    for (id, data) in &graph.constants {
        let fits = graph.tensors.get(id.0 as usize).is_some_and(|t| {
            t.shape.iter().product::<usize>().checked_mul(t.dtype.bytes()) == Some(data.len())
        });
        note("constants", require(fits, || format!("the bytes of tensor %{} do not fit its shape", id.0)));
    }
    let mut written: BTreeSet<TensorId> =
        graph.inputs.iter().chain(graph.constants.keys()).copied().collect();
    let mut layers = BTreeSet::new();
    for n in &graph.nodes {
        let order = (|| {
            if !layers.insert(&n.name) {
                return Err("another layer has this name".to_string());
            }
            let known = |id: &TensorId| (id.0 as usize) < graph.tensors.len();
            if !n.inputs.iter().chain(&n.outputs).all(known) {
                return Err("it names a tensor that does not exist".into());
            }
            if let Some(id) = n.inputs.iter().find(|id| !written.contains(id)) {
                return Err(format!("it reads \"{}\" before it is written", graph.tensor(*id).name));
            }
            match n.outputs.iter().find(|id| !written.insert(**id)) {
                Some(id) => {
                    Err(format!("it writes \"{}\", which is written already", graph.tensor(*id).name))
                }
                None => node(graph, n),
            }
        })();
        note(&n.name, order);
    }
    for id in &graph.outputs {
        let there = (id.0 as usize) < graph.tensors.len() && written.contains(id);
        note("outputs", if there { Ok(()) } else { Err(format!("tensor %{} is never written", id.0)) });
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn require(holds: bool, reason: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(reason()) }
}

fn tensor(t: &Tensor) -> Checked {
    require(!t.shape.contains(&0), || format!("shape {:?} holds a zero", t.shape))?;
    let elements = t.shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
    require(elements.is_some_and(|n| n <= MOST_ELEMENTS), || {
        format!("shape {:?} has more than 2^31 elements", t.shape)
    })?;
    let Some(q) = t.quant else { return Ok(()) };
    require(q.scale.is_normal() && q.scale > 0.0, || {
        format!("scale {} is not a positive normal number", q.scale)
    })?;
    let inside = t.dtype.int_range().is_some_and(|(lo, hi)| (lo..=hi).contains(&i64::from(q.zero_point)));
    require(inside, || format!("zero point {} is outside {}", q.zero_point, t.dtype.name()))
}

fn node(graph: &Graph, n: &Node) -> Checked {
    let inputs: Vec<&Tensor> = n.inputs.iter().map(|id| graph.tensor(*id)).collect();
    let outputs: Vec<&Tensor> = n.outputs.iter().map(|id| graph.tensor(*id)).collect();
    if let Op::Host(_) = n.op {
        return require(!outputs.is_empty(), || "it has no output".into());
    }
    let [y] = outputs[..] else { return Err(format!("{} outputs instead of one", outputs.len())) };
    let arity = match &n.op {
        Op::Add { .. } | Op::Mul { .. } | Op::MatMul { .. } | Op::Gather => 2..=2,
        Op::Lane { .. } => 1..=usize::MAX,
        Op::Concat { tables, .. } => tables.len()..=tables.len(),
        _ => 1..=1,
    };
    require(arity.contains(&inputs.len()) && !inputs.is_empty(), || format!("{} inputs", inputs.len()))?;
    let x = inputs[0];
    // Operators that compute no values need no quantization: integers without a scale may be moved and
    // compared, and so may floats.
    let moves = matches!(
        n.op,
        Op::MaxPool { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Concat { .. }
            | Op::Move { .. }
            | Op::Gather
            | Op::Resize { .. }
    );
    let sums =
        matches!(n.op, Op::Conv { .. } | Op::Gemm { .. } | Op::MatMul { .. } | Op::ConvTranspose { .. });
    let either = |t: &Tensor| t.dtype == DType::F32;
    if !moves {
        for t in &inputs {
            let float = matches!(n.op, Op::Quantize) || matches!(n.op, Op::Lane { .. }) && either(t);
            quantized(t, float, true)?;
        }
        let float = matches!(n.op, Op::Dequantize) || (sums || matches!(n.op, Op::Lane { .. })) && either(y);
        // Operators of the MAC array may store their sums unchanged.
        if !(sums && y.dtype == DType::S32) {
            quantized(y, float, true)?;
        }
    }
    match &n.op {
        Op::Quantize | Op::Dequantize | Op::Table(_) => same_shape(x, y),
        Op::Conv { window: w, groups, weights, epilogue } => {
            let ([batch, c, h, wd], [yn, yc, yh, yw]) = (image(x)?, image(y)?);
            let [oc, ic, kh, kw] = weights.shape;
            require([kh, kw] == w.kernel, || "window and weights differ in their kernel".into())?;
            let divides = *groups > 0 && oc % groups == 0 && ic.checked_mul(*groups) == Some(c);
            require(divides && yc == oc && yn == batch, || {
                format!("{groups} groups, weights {:?}, {c} input and {yc} output channels", weights.shape)
            })?;
            extents(w, [h, wd], [yh, yw])?;
            constants(weights)?;
            finish(epilogue, weights, y)
        }
        Op::Gemm { weights, epilogue } => {
            let [oc, k, kh, kw] = weights.shape;
            let fits = [kh, kw] == [1, 1]
                && x.shape.last() == Some(&k)
                && y.shape.last() == Some(&oc)
                && x.shape.len() == y.shape.len()
                && x.shape[..x.shape.len() - 1] == y.shape[..y.shape.len() - 1];
            require(fits, || format!("{:?} × {:?} is not {:?}", x.shape, weights.shape, y.shape))?;
            constants(weights)?;
            finish(epilogue, weights, y)
        }
        Op::Add { clamp } | Op::Mul { clamp } => {
            inputs.iter().try_for_each(|t| broadcasts(t, y))?;
            clamped(*clamp, y)
        }
        Op::MaxPool { window: w } => {
            let same = x.quant.is_none() || y.quant.is_none() || x.quant == y.quant;
            require(x.dtype == y.dtype && same, || "a MaxPool keeps the quantization".into())?;
            pool(w, x, y)
        }
        Op::AvgPool { window: w, .. } => pool(w, x, y),
        Op::GlobalAvgPool => {
            let [batch, c, ..] = image(x)?;
            require(y.shape == [batch, c, 1, 1], || format!("the result has shape {:?}", y.shape))
        }
        Op::Concat { axis, tables } => {
            let rank = y.shape.len();
            require(*axis < rank, || format!("axis {axis} of rank {rank}"))?;
            let mut sum = 0;
            for (t, table) in inputs.iter().zip(tables) {
                let fits = t.shape.len() == rank && (0..rank).all(|i| i == *axis || t.shape[i] == y.shape[i]);
                require(fits, || format!("{:?} does not join {:?} along axis {axis}", t.shape, y.shape))?;
                require(table.is_some() || (t.dtype == y.dtype && t.quant == y.quant), || {
                    format!("\"{}\" needs a table: its quantization differs", t.name)
                })?;
                sum += t.shape[*axis];
            }
            require(sum == y.shape[*axis], || format!("the inputs have {sum} along axis {axis}"))
        }
        Op::Reshape => {
            let elements = |t: &Tensor| t.shape.iter().product::<usize>();
            require(elements(x) == elements(y), || {
                format!("{:?} and {:?} differ in elements", x.shape, y.shape)
            })
        }
        Op::Transpose { perm } => {
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            let legal = sorted.iter().copied().eq(0..x.shape.len()) && y.shape.len() == perm.len();
            require(legal && perm.iter().zip(&y.shape).all(|(p, d)| x.shape[*p] == *d), || {
                format!("{:?} permuted by {perm:?} is not {:?}", x.shape, y.shape)
            })
        }
        Op::Lane { steps } => {
            inputs.iter().try_for_each(|t| broadcasts(t, y))?;
            let legal = steps.iter().enumerate().all(|(i, s)| match s {
                LaneStep::Input(n) => *n < inputs.len(),
                LaneStep::Number(_) => true,
                LaneStep::One(_, a) => *a < i,
                LaneStep::Two(_, a, b) => *a < i && *b < i,
            });
            require(legal && !steps.is_empty(), || "a step names no earlier one".into())
        }
        Op::Move { boxes, .. } => boxes.iter().try_for_each(|b| moved(b, x, y)),
        Op::Gather => {
            let ids = inputs[1];
            quantized(x, false, false)?;
            require(graph.constants.contains_key(&n.inputs[0]), || "its table is no constant".into())?;
            require(matches!(ids.dtype, DType::S32 | DType::S64), || {
                format!("its ids have type {}", ids.dtype.name())
            })?;
            let same = x.quant.is_none() || y.quant.is_none() || x.quant == y.quant;
            require(x.dtype == y.dtype && same, || "a gather keeps the quantization".into())?;
            // A result of four axes would lie as an image does.
            let ([_, columns], Some((last, outer))) = (&x.shape[..], y.shape.split_last()) else {
                return Err("a gather reads a table of two axes".into());
            };
            require(last == columns && outer == ids.shape && y.shape.len() != 4, || {
                format!("rows of {:?} by ids {:?} are not {:?}", x.shape, ids.shape, y.shape)
            })
        }
        Op::Softmax { axis } => {
            same_shape(x, y)?;
            let eight = x.dtype.bytes() == 1 && y.dtype.bytes() == 1;
            require(*axis < x.shape.len() && eight, || "a softmax has 8 bits and an axis".into())
        }
        Op::Resize { rows, cols } => {
            let ([batch, c, h, w], [yn, yc, yh, yw]) = (image(x)?, image(y)?);
            let inside = |l: &[Linear], n| l.iter().all(|l| l.at.iter().all(|i| *i < n));
            let fits = [yn, yc, yh, yw] == [batch, c, rows.len(), cols.len()] && x.dtype == y.dtype;
            require(fits && inside(rows, h) && inside(cols, w), || "its neighbours do not fit".into())
        }
        Op::MatMul { clamp, .. } => {
            let b = inputs[1];
            let ([.., m, k], [.., k2, n], [.., ym, yn]) = (&x.shape[..], &b.shape[..], &y.shape[..]) else {
                return Err("a product needs two axes".into());
            };
            require(k == k2 && m == ym && n == yn, || format!("{:?} × {:?}", x.shape, b.shape))?;
            for t in [x, b] {
                let mut outer = t.shape[..t.shape.len() - 2].iter().rev();
                let mut whole = y.shape[..y.shape.len() - 2].iter().rev();
                let fits = outer.all(|d| whole.next().is_some_and(|w| w == d || *d == 1));
                require(fits, || format!("{:?} does not broadcast to {:?}", t.shape, y.shape))?;
            }
            if y.dtype.bytes() >= 4 { Ok(()) } else { clamped(*clamp, y) }
        }
        Op::ConvTranspose { window: w, groups, weights, epilogue } => {
            let ([batch, c, ..], [yn, yc, ..]) = (image(x)?, image(y)?);
            let [oc, ic, kh, kw] = weights.shape;
            require([kh, kw] == w.kernel, || "window and weights differ in their kernel".into())?;
            let divides = *groups > 0 && oc % groups == 0 && ic.checked_mul(*groups) == Some(c);
            require(divides && yc == oc && yn == batch, || "its channels do not agree".into())?;
            constants(weights)?;
            finish(epilogue, weights, y)
        }
        Op::Host(_) => Ok(()),
    }
}

/// NumPy broadcasting of an operand to the result.
fn broadcasts(t: &Tensor, y: &Tensor) -> Checked {
    let room = y.shape.len().checked_sub(t.shape.len());
    let fits = room.is_some_and(|r| t.shape.iter().zip(&y.shape[r..]).all(|(a, b)| a == b || *a == 1));
    require(fits, || format!("{:?} does not broadcast to {:?}", t.shape, y.shape))
}

/// Every element that a box touches lies inside the tensors.
fn moved(b: &MoveBox, x: &Tensor, y: &Tensor) -> Checked {
    let inside = |start: &[i64], t: &Tensor, step: fn(&MoveAxis) -> (usize, i64)| {
        let mut low = start.to_vec();
        let mut high = start.to_vec();
        for axis in &b.axes {
            let (along, by) = step(axis);
            let reach = (axis.extent as i64 - 1).saturating_mul(by);
            let (Some(l), Some(h)) = (low.get_mut(along), high.get_mut(along)) else { return false };
            *l = l.saturating_add(reach.min(0));
            *h = h.saturating_add(reach.max(0));
        }
        start.len() == t.shape.len()
            && low.iter().all(|l| *l >= 0)
            && high.iter().zip(&t.shape).all(|(h, n)| *h < *n as i64)
    };
    let extents = b.axes.iter().all(|a| a.extent > 0 && a.to.1 != 0);
    let legal = extents && inside(&b.from, x, |a| a.from) && inside(&b.to, y, |a| a.to);
    require(legal && x.dtype == y.dtype, || "a box leaves its tensor".into())
}

/// Floats have no quantization, integers have one.
fn quantized(t: &Tensor, float: bool, needed: bool) -> Checked {
    if float {
        return require(t.dtype == DType::F32, || format!("\"{}\" is not f32", t.name));
    }
    let small = matches!(t.dtype, DType::U8 | DType::S8 | DType::U16 | DType::S16);
    require(small, || format!("\"{}\" has type {}; 8 or 16 bits are needed", t.name, t.dtype.name()))?;
    require(t.quant.is_some() || !needed, || format!("\"{}\" has no quantization", t.name))
}

fn same_shape(x: &Tensor, y: &Tensor) -> Checked {
    require(x.shape == y.shape, || format!("shapes {:?} and {:?} differ", x.shape, y.shape))
}

fn image(t: &Tensor) -> Result<[usize; 4], String> {
    <[usize; 4]>::try_from(t.shape.as_slice())
        .map_err(|_| format!("\"{}\" of shape {:?} is no image", t.name, t.shape))
}

fn extents(w: &Window, image: [usize; 2], out: [usize; 2]) -> Checked {
    let positive = w.kernel.iter().chain(&w.stride).chain(&w.dilation).all(|v| *v > 0);
    require(positive, || "kernel, stride and dilation are at least 1".into())?;
    for axis in 0..2 {
        let found = w.out_extent(axis, image[axis]);
        require(found == Some(out[axis]), || {
            format!("axis {axis} of the result is {found:?}, not {}", out[axis])
        })?;
    }
    Ok(())
}

fn pool(w: &Window, x: &Tensor, y: &Tensor) -> Checked {
    let ([batch, c, h, wd], [yn, yc, yh, yw]) = (image(x)?, image(y)?);
    require([batch, c] == [yn, yc], || "a pool keeps batch and channels".into())?;
    extents(w, [h, wd], [yh, yw])
}

fn constants(w: &Weights) -> Checked {
    let elements: usize = w.shape.iter().product();
    require(elements * w.dtype.bytes() == w.data.len() && elements > 0, || {
        format!("{} bytes of weights for shape {:?}", w.data.len(), w.shape)
    })?;
    let small = matches!(w.dtype, DType::U8 | DType::S8 | DType::U16 | DType::S16);
    require(small, || format!("weights of type {}", w.dtype.name()))?;
    let inside = w.dtype.int_range().is_some_and(|(lo, hi)| (lo..=hi).contains(&i64::from(w.zero_point)));
    require(inside, || format!("the weights' zero point {} is outside {}", w.zero_point, w.dtype.name()))
}

fn finish(e: &MacEpilogue, w: &Weights, y: &Tensor) -> Checked {
    let oc = w.shape[0];
    let count = |n: usize| n == 1 || n == oc;
    require(count(e.multiplier.len()), || format!("{} multipliers for {oc} channels", e.multiplier.len()))?;
    let bias = e.bias.as_ref().is_none_or(|b| b.len() == oc);
    require(bias, || format!("a bias that has not {oc} values"))?;
    let (dtype, zero_point) = e.requantized(y.dtype, 0);
    if let Some(tail) = &e.tail {
        let inside = tail.dtype.int_range().is_some_and(|(lo, hi)| (lo..=hi).contains(&zero_point.into()));
        require(dtype.bytes() == 1 && y.dtype.bytes() == 1 && inside, || "a table is for 8 bits".into())?;
    }
    if dtype.bytes() >= 4 { Ok(()) } else { within(e.clamp, dtype) }
}

fn clamped(clamp: [i32; 2], y: &Tensor) -> Checked {
    within(clamp, y.dtype)
}

fn within([lo, hi]: [i32; 2], dtype: DType) -> Checked {
    let inside =
        dtype.int_range().is_some_and(|(least, most)| i64::from(lo) >= least && i64::from(hi) <= most);
    require(inside && lo <= hi, || format!("the clamp {lo}…{hi} does not fit {}", dtype.name()))
}
