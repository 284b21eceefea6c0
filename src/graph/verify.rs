//! Checks a graph: order, shapes, types, ranges. The importer's graphs pass; a graph made by hand may not.

use std::collections::BTreeSet;

use super::{DType, Graph, MacEpilogue, Node, Op, Tensor, TensorId, Weights, Window};

/// A rule that a graph breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct VerifyError {
    /// Node or tensor.
    pub place: String,
    /// Which rule.
    pub reason: String,
}

type Checked = Result<(), String>;

/// Checks everything and returns all that is wrong.
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
    let mut written: BTreeSet<TensorId> = graph.inputs.iter().copied().collect();
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
    require(elements.is_some_and(|n| n < 1 << 40), || format!("shape {:?} is too large", t.shape))?;
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
        Op::Add { .. } | Op::Mul { .. } => 2..=2,
        Op::Concat { tables, .. } => tables.len()..=tables.len(),
        _ => 1..=1,
    };
    require(arity.contains(&inputs.len()) && !inputs.is_empty(), || format!("{} inputs", inputs.len()))?;
    let x = inputs[0];
    let float_in = matches!(n.op, Op::Quantize);
    let float_out = matches!(n.op, Op::Dequantize);
    // What computes no value needs no quantization: integers that nobody scaled may be moved and compared.
    let needed = !matches!(n.op, Op::MaxPool { .. } | Op::Reshape | Op::Transpose { .. } | Op::Concat { .. });
    for t in &inputs {
        quantized(t, float_in, needed)?;
    }
    quantized(y, float_out, needed)?;
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
            for t in &inputs {
                let room = y.shape.len().checked_sub(t.shape.len());
                let fits =
                    room.is_some_and(|r| t.shape.iter().zip(&y.shape[r..]).all(|(a, b)| a == b || *a == 1));
                require(fits, || format!("{:?} does not broadcast to {:?}", t.shape, y.shape))?;
            }
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
        Op::Host(_) => Ok(()),
    }
}

/// Floats have no quantization, integers have one.
fn quantized(t: &Tensor, float: bool, needed: bool) -> Checked {
    if float {
        return require(t.dtype == DType::F32, || format!("\"{}\" is not f32", t.name));
    }
    let eight = matches!(t.dtype, DType::U8 | DType::S8);
    require(eight, || format!("\"{}\" has type {}; 8 bits are needed", t.name, t.dtype.name()))?;
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
    require(elements == w.data.len() && elements > 0, || {
        format!("{} bytes of weights for shape {:?}", w.data.len(), w.shape)
    })?;
    let eight = matches!(w.dtype, DType::U8 | DType::S8);
    require(eight, || format!("weights of type {}", w.dtype.name()))?;
    let inside = w.dtype.int_range().is_some_and(|(lo, hi)| (lo..=hi).contains(&i64::from(w.zero_point)));
    require(inside, || format!("the weights' zero point {} is outside {}", w.zero_point, w.dtype.name()))
}

fn finish(e: &MacEpilogue, w: &Weights, y: &Tensor) -> Checked {
    let oc = w.shape[0];
    let count = |n: usize| n == 1 || n == oc;
    require(count(e.multiplier.len()), || format!("{} multipliers for {oc} channels", e.multiplier.len()))?;
    let bias = e.bias.as_ref().is_none_or(|b| b.len() == oc);
    require(bias, || format!("a bias that has not {oc} values"))?;
    clamped(e.clamp, y)
}

fn clamped([lo, hi]: [i32; 2], y: &Tensor) -> Checked {
    let inside =
        y.dtype.int_range().is_some_and(|(least, most)| i64::from(lo) >= least && i64::from(hi) <= most);
    require(inside && lo <= hi, || format!("the clamp {lo}…{hi} does not fit {}", y.dtype.name()))
}
