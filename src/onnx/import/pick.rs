//! Operators that select elements: Slice, Split, Gather, Expand, Tile, Pad, DepthToSpace, SpaceToDepth.
//!
//! For every axis of the result, each gives the elements of the input to read; runs of constant step become
//! the loops of copied boxes.

use super::expr::Expr;
use super::importer::Importer;
use super::lookup::lookup;
use super::movement::axis;
use super::node::OnnxNode;
use super::value::{Refusal, Value, unsupported};
use crate::graph::{DType, MoveAxis, MoveBox, Op};
use crate::isa::limits::MAX_EXTENT;
use crate::numeric;

/// How an axis of the output reads the input.
struct AxisPart {
    from: i64,
    to: i64,
    /// Extent, step in the input, step in the output.
    loops: Vec<(usize, i64, i64)>,
}

/// Splits a list of input indices (negative ones are left out) into pieces of constant step; repetitions of
/// elements, and of whole runs, are one piece.
fn pieces(list: &[i64]) -> Vec<AxisPart> {
    let arithmetic = |l: &[i64]| {
        let step = if l.len() > 1 { l[1] - l[0] } else { 1 };
        l.windows(2).all(|w| w[1] - w[0] == step).then_some(step)
    };
    let n = list.len();
    if n > 0 && list.iter().all(|i| *i >= 0) {
        if let Some(step) = arithmetic(list) {
            return vec![AxisPart { from: list[0], to: 0, loops: vec![(n, step, 1)] }];
        }
        for r in (2..n).filter(|r| n.is_multiple_of(*r)) {
            let firsts: Vec<i64> = list.chunks(r).map(|c| c[0]).collect();
            if list.chunks(r).all(|c| c.iter().all(|i| *i == c[0]))
                && let Some(step) = arithmetic(&firsts)
            {
                let loops = vec![(n / r, step, r as i64), (r, 0, 1)];
                return vec![AxisPart { from: list[0], to: 0, loops }];
            }
            if let (true, Some(step)) = (list.chunks(r).all(|c| c == &list[..r]), arithmetic(&list[..r])) {
                let loops = vec![(n / r, 0, r as i64), (r, step, 1)];
                return vec![AxisPart { from: list[0], to: 0, loops }];
            }
        }
    }
    let mut out = Vec::new();
    let mut at = 0;
    while at < n {
        if list[at] < 0 {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        let step = list.get(end).map_or(1, |next| next - list[at]);
        while end < n && list[end] >= 0 && list[end] - list[end - 1] == step {
            end += 1;
        }
        out.push(AxisPart { from: list[at], to: at as i64, loops: vec![(end - at, step, 1)] });
        at = end;
    }
    out
}

/// The copies that read these elements of the input along every axis; negative ones are left out.
pub(super) fn gathered(what: &str, picks: &[Vec<i64>]) -> Op {
    let mut boxes = vec![MoveBox { from: Vec::new(), to: Vec::new(), axes: Vec::new() }];
    for (axis, list) in picks.iter().enumerate() {
        let pieces = pieces(list);
        boxes = boxes
            .iter()
            .flat_map(|b| {
                pieces.iter().map(|p| {
                    let mut b = b.clone();
                    b.from.push(p.from);
                    b.to.push(p.to);
                    b.axes.extend(p.loops.iter().map(|(extent, from, to)| MoveAxis {
                        extent: *extent,
                        from: (axis, *from),
                        to: (axis, *to),
                    }));
                    b
                })
            })
            .collect();
    }
    let fill = picks.iter().flatten().any(|i| *i < 0).then_some(0);
    Op::Move { what: what.into(), boxes, fill }
}

/// Most boxes of one operator: each is code of its own.
const MOST_BOXES: usize = 4096;

fn bounded(op: Op) -> Result<Op, Refusal> {
    match &op {
        Op::Move { boxes, .. } if boxes.len() > MOST_BOXES => {
            unsupported(format!("it needs {} separate copies", boxes.len()))
        }
        _ => Ok(op),
    }
}

/// Refuses extents for which no list can be made: the machine has none beyond 2^24.
pub(super) fn listable(shape: &[usize]) -> Result<(), Refusal> {
    match shape.iter().find(|d| **d > MAX_EXTENT as usize) {
        Some(d) => unsupported(format!("an extent of {d}; 2^24 is the most")),
        None => Ok(()),
    }
}

/// Elements `0..n` of every axis.
fn whole(shape: &[usize]) -> Vec<Vec<i64>> {
    shape.iter().map(|d| (0..*d as i64).collect()).collect()
}

pub(super) fn slice<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let (Some(starts), Some(ends)) = (importer.list(n, 1, "starts")?, importer.list(n, 2, "ends")?) else {
        return Err(Refusal::Malformed("it has no starts or ends".into()));
    };
    let axes = importer.list(n, 3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = importer.list(n, 4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|l| *l != starts.len()) || steps.contains(&0) {
        return Err(Refusal::Malformed("its starts, ends, axes and steps do not fit together".into()));
    }
    let constant = matches!(importer.value(n, 0)?, Value::Constant(_) | Value::ConstantReal(_));
    importer.moved(n, |shape| {
        listable(shape)?;
        let mut picks = whole(shape);
        for i in 0..starts.len() {
            let at = axis(axes[i], shape.len())?;
            let Some(list) = picks.get_mut(at) else {
                return Err(Refusal::Malformed(format!("axis {at} of {shape:?}")));
            };
            let extent = shape[at] as i64;
            let step = steps[i];
            let bound = |v: i64| if v < 0 { v.saturating_add(extent) } else { v };
            let (low, high) = if step > 0 { (0, extent) } else { (-1, extent - 1) };
            let (mut k, end) = (bound(starts[i]).clamp(low.max(0), high), bound(ends[i]).clamp(low, high));
            list.clear();
            while (step > 0 && k < end) || (step < 0 && k > end) {
                list.push(k);
                k = k.saturating_add(step);
            }
            if list.is_empty() && !constant {
                return unsupported("an empty slice");
            }
        }
        let out = picks.iter().map(Vec::len).collect();
        Ok((bounded(gathered("slice", &picks))?, out))
    })
}

pub(super) fn split<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Vec<Value>, Refusal> {
    let given = importer.list(n, 1, "split")?;
    let source = importer.value(n, 0)?.clone();
    if let Value::Constant(_) | Value::ConstantReal(_) = source {
        return split_constant(importer, n, given);
    }
    let (id, real) = match &source {
        Value::Tensor(id) => (*id, None),
        Value::Real(r) => match r.plain() {
            Some(id) => (id, Some(r.clone())),
            None => return unsupported("a Split of a float value"),
        },
        _ => return unsupported("a Split of a float value"),
    };
    let shape = importer.graph.tensor(id).shape.clone();
    let at = axis(n.int("axis", 0), shape.len())?;
    let extent = *shape.get(at).ok_or_else(|| Refusal::Malformed(format!("axis {at} of {shape:?}")))?;
    let sizes = sizes(importer, n, given, extent)?;
    let mut values = Vec::new();
    let mut first = 0;
    listable(&shape)?;
    for (size, name) in sizes.into_iter().zip(&n.proto.output) {
        let mut picks = whole(&shape);
        picks[at] = (first as i64..(first + size) as i64).collect();
        first += size;
        let out: Vec<usize> = picks.iter().map(Vec::len).collect();
        let nodes = real.as_ref().map_or_else(Vec::new, |r| r.nodes.clone());
        let step = (gathered("split", &picks), out.clone());
        let part = importer.move_tensor(n.index, id, vec![step], name, &nodes);
        values.push(match &real {
            None => Value::Tensor(part),
            Some(_) => Value::Real(super::value::Real {
                expr: Expr::Tensor(part),
                shape: out,
                nodes: Vec::new(),
                unnamed: true,
            }),
        });
    }
    Ok(values)
}

/// Extents of the parts of a Split.
fn sizes(
    importer: &Importer,
    n: &OnnxNode,
    given: Option<Vec<i64>>,
    extent: usize,
) -> Result<Vec<usize>, Refusal> {
    let count = n.proto.output.len();
    // Since opset 18 an attribute asks for equal parts, of which the last may be smaller.
    let named = n.has("num_outputs");
    if given.is_none() && (named != (importer.opset >= 18) || !named && !extent.is_multiple_of(count.max(1)))
    {
        return Err(Refusal::Malformed(format!("{extent} elements, {count} outputs, and no sizes that fit")));
    }
    let sizes: Vec<usize> = match given {
        Some(list) => list.iter().map(|s| usize::try_from(*s).unwrap_or(0)).collect(),
        None => {
            let size = extent.div_ceil(count.max(1));
            (0..count).map(|i| size.min(extent.saturating_sub(i * size))).collect()
        }
    };
    let total = sizes.iter().try_fold(0_usize, |sum, s| sum.checked_add(*s));
    if total == Some(extent) && sizes.contains(&0) {
        return unsupported(format!("{extent} split into {sizes:?}: a part is empty"));
    }
    if sizes.len() != count || total != Some(extent) {
        return Err(Refusal::Malformed(format!("{extent} split into {sizes:?}")));
    }
    Ok(sizes)
}

/// The parts of a constant, each moved separately.
fn split_constant<'a>(
    importer: &mut Importer<'a>,
    n: &'a OnnxNode<'a>,
    given: Option<Vec<i64>>,
) -> Result<Vec<Value>, Refusal> {
    let shape = match importer.value(n, 0)? {
        Value::Constant(c) => c.shape.clone(),
        Value::ConstantReal(c) => c.constant.shape.clone(),
        _ => return unsupported("a Split of no constant"),
    };
    let at = axis(n.int("axis", 0), shape.len())?;
    let extent = *shape.get(at).ok_or_else(|| Refusal::Malformed(format!("axis {at} of {shape:?}")))?;
    listable(&shape)?;
    let mut first = 0;
    let mut values = Vec::new();
    for size in sizes(importer, n, given, extent)? {
        values.push(importer.moved(n, |shape| {
            let mut picks = whole(shape);
            picks[at] = (first as i64..(first + size) as i64).collect();
            let out = picks.iter().map(Vec::len).collect();
            Ok((gathered("split", &picks), out))
        })?);
        first += size;
    }
    Ok(values)
}

/// Gather: copies of the elements that constant indices name, or rows of a table by computed ones.
pub(super) fn gather<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    if !matches!(importer.value(n, 1)?, Value::Constant(_)) {
        return lookup(importer, n);
    }
    let indices = importer.constant(n, 1, "indices")?;
    let Some(list) = indices.integers() else {
        return Err(Refusal::Malformed("its indices are floats".into()));
    };
    let at = n.int("axis", 0);
    importer.moved_in_steps(n, |shape| {
        let at = axis(at, shape.len())?;
        let Some(extent) = shape.get(at).map(|d| *d as i64) else {
            return Err(Refusal::Malformed(format!("axis {at} of {shape:?}")));
        };
        let list: Vec<i64> = list.iter().map(|i| if *i < 0 { i + extent } else { *i }).collect();
        if list.iter().any(|i| *i < 0 || *i >= extent) {
            return Err(Refusal::Malformed(format!("indices outside 0…{}", extent - 1)));
        }
        listable(shape)?;
        let mut picks = whole(shape);
        picks[at] = list;
        let picked: Vec<usize> = picks.iter().map(Vec::len).collect();
        let mut out = shape[..at].to_vec();
        out.extend(&indices.shape);
        out.extend(&shape[at + 1..]);
        let mut steps = vec![(bounded(gathered("gather", &picks))?, picked.clone())];
        if out != picked {
            steps.push((Op::Reshape, out));
        }
        Ok(steps)
    })
}

/// Expand: axes of extent 1 repeat.
pub(super) fn expand<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let Some(wanted) = importer.list(n, 1, "shape")? else {
        return Err(Refusal::Malformed("it has no shape".into()));
    };
    importer.moved_in_steps(n, |shape| {
        let wanted: Vec<usize> = wanted.iter().map(|d| usize::try_from(*d).unwrap_or(1)).collect();
        let out = super::elementwise::broadcast(shape, &wanted)?;
        listable(&out)?;
        let mut padded = vec![1; out.len() - shape.len()];
        padded.extend(shape);
        let pick = |(from, to): (&usize, &usize)| -> Vec<i64> {
            if from == to { (0..*to as i64).collect() } else { vec![0; *to] }
        };
        let picks: Vec<Vec<i64>> = padded.iter().zip(&out).map(pick).collect();
        let mut steps = Vec::new();
        if padded != shape {
            steps.push((Op::Reshape, padded));
        }
        steps.push((gathered("expand", &picks), out));
        Ok(steps)
    })
}

pub(super) fn tile<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let Some(repeats) = importer.list(n, 1, "repeats")? else {
        return Err(Refusal::Malformed("it has no repeats".into()));
    };
    importer.moved(n, |shape| {
        let legal = repeats.len() == shape.len() && repeats.iter().all(|r| *r > 0 && *r < 1 << 20);
        if !legal {
            return Err(Refusal::Malformed(format!("{shape:?} repeated {repeats:?} times")));
        }
        let tiled: Vec<usize> =
            shape.iter().zip(&repeats).map(|(d, r)| d.saturating_mul(*r as usize)).collect();
        listable(&tiled)?;
        let pick = |(d, r): (&usize, &i64)| -> Vec<i64> { (0..*r).flat_map(|_| 0..*d as i64).collect() };
        let picks: Vec<Vec<i64>> = shape.iter().zip(&repeats).map(pick).collect();
        let out = picks.iter().map(Vec::len).collect();
        Ok((gathered("tile", &picks), out))
    })
}

/// `Pad(data, pads, constant_value, axes)`.
pub(super) fn pad<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let Some(pads) = importer.list(n, 1, "pads")? else {
        return Err(Refusal::Malformed("it has no pads".into()));
    };
    let mode = n.string("mode").unwrap_or_else(|| "constant".into());
    let axes = if n.input(3).is_some() { importer.list(n, 3, "axes")? } else { None };
    let value = match importer.optional(n, 2, "constant_value")? {
        None => n.float("value").unwrap_or(0.0),
        Some(c) => match (c.floats(), c.integers().as_deref()) {
            (Some([v]), _) => *v,
            (_, Some([v])) => *v as f32,
            _ => return unsupported("its value is not one number"),
        },
    };
    // The value must be exact as an integer of the tensor.
    let fill = match importer.value(n, 0)?.clone() {
        Value::Constant(_) if mode != "constant" || value == (value as i32) as f32 => value as i32,
        Value::ConstantReal(c) if mode != "constant" || value == 0.0 && c.quant().is_some() => {
            c.quant().map_or(0, |q| q.zero_point)
        }
        Value::Tensor(id) if importer.graph.tensor(id).dtype == DType::F32 && value == 0.0 => 0,
        Value::Tensor(id) if importer.graph.tensor(id).dtype.bytes() <= 2 => value as i32,
        Value::Real(r) => {
            let t = r.plain().map(|id| importer.graph.tensor(id).clone());
            match t.and_then(|t| Some((t.quant?, t.dtype))) {
                Some((q, dtype)) => {
                    let fill = numeric::quantize(value, q.scale, q.zero_point, super::expr::range(dtype));
                    let exact = numeric::dequantize(fill, q.scale, q.zero_point) == value;
                    if mode == "constant" && !exact {
                        return unsupported(format!(
                            "a pad of {value}, which its quantization does not have"
                        ));
                    }
                    fill
                }
                None => return unsupported("a pad of a float value"),
            }
        }
        Value::Pending(_) => 0,
        _ => return unsupported("a pad of a float value"),
    };
    let padded = importer.moved(n, |shape| {
        let rank = shape.len();
        let axes: Vec<usize> = match &axes {
            None => (0..rank).collect(),
            Some(list) => list.iter().map(|a| axis(*a, rank)).collect::<Result<_, _>>()?,
        };
        if pads.len() != 2 * axes.len() || axes.iter().any(|a| *a >= rank) {
            return Err(Refusal::Malformed(format!("{} pads for {} axes", pads.len(), axes.len())));
        }
        listable(shape)?;
        let mut picks = whole(shape);
        for (i, at) in axes.iter().enumerate() {
            let (begin, end, extent) = (pads[i], pads[axes.len() + i], shape[*at] as i64);
            let far = |pad: i64| pad.unsigned_abs() > 1 << 20;
            if far(begin) || far(end) || extent + begin + end < 1 {
                return Err(Refusal::Malformed(format!("pads {begin} and {end} of an extent {extent}")));
            }
            // Negative pads cut elements off before the rest is padded.
            let (first, end_of) = ((-begin).max(0), extent - (-end).max(0));
            let left = end_of - first;
            if left < 1 {
                return unsupported(format!("pads {begin} and {end} leave nothing of an extent {extent}"));
            }
            let outside = |k: i64| -> i64 {
                match mode.as_str() {
                    _ if (0..left).contains(&k) => first + k,
                    "reflect" => {
                        let period = (2 * (left - 1)).max(1);
                        let k = k.rem_euclid(period);
                        first + if k < left { k } else { period - k }
                    }
                    "edge" => first + k.clamp(0, left - 1),
                    "wrap" => first + k.rem_euclid(left),
                    _ => -1,
                }
            };
            picks[*at] = (-begin.max(0)..left + end.max(0)).map(outside).collect();
        }
        if !matches!(mode.as_str(), "constant" | "reflect" | "edge" | "wrap") {
            return unsupported(format!("mode \"{mode}\""));
        }
        let out = picks.iter().map(Vec::len).collect();
        let op = match gathered("pad", &picks) {
            Op::Move { what, boxes, fill: Some(_) } => Op::Move { what, boxes, fill: Some(fill) },
            other => other,
        };
        Ok((bounded(op)?, out))
    })?;
    let Value::Pending(p) = padded else { return Ok(padded) };
    // Its quantizer says which integer that is.
    let mut p = (*p).clone();
    if let Some(m) = p.moves.last_mut()
        && matches!(m.op, Op::Move { fill: Some(_), .. })
    {
        m.fill = Some(value);
    }
    Ok(Value::Pending(p.into()))
}

/// Extents of a DepthToSpace or SpaceToDepth.
fn block(n: &OnnxNode, shape: &[usize]) -> Result<([usize; 4], usize), Refusal> {
    let Ok(image) = <[usize; 4]>::try_from(shape) else {
        return Err(Refusal::Malformed(format!("an input of shape {shape:?}, not of four axes")));
    };
    // Squares and products with extents stay far from what a number holds.
    match usize::try_from(n.int("blocksize", 0)) {
        Ok(b @ 1..=0xffff) => Ok((image, b)),
        _ => Err(Refusal::Malformed(format!("a blocksize of {}; it is 1 to 65535", n.int("blocksize", 0)))),
    }
}

/// Extent, axis and step in the input, axis and step in the output.
type Loop = (usize, (usize, usize), (usize, usize));

/// One box that these loops walk.
fn loops(axes: [Loop; 6]) -> Op {
    let axis = |(extent, from, to): Loop| MoveAxis {
        extent,
        from: (from.0, from.1 as i64),
        to: (to.0, to.1 as i64),
    };
    let axes = axes.into_iter().map(axis).collect();
    Op::Move {
        what: "blocks".into(),
        boxes: vec![MoveBox { from: vec![0; 4], to: vec![0; 4], axes }],
        fill: None,
    }
}

pub(super) fn depth_to_space<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    let crd = n.string("mode").is_some_and(|m| m == "CRD");
    importer.moved(n, |shape| {
        let ([batch, c, h, w], b) = block(n, shape)?;
        if c % (b * b) != 0 {
            return Err(Refusal::Malformed(format!("{c} channels in blocks of {b} × {b}")));
        }
        let c = c / (b * b);
        let (channel, row, col) = if crd { (b * b, b, 1) } else { (1, b * c, c) };
        let op = loops([
            (batch, (0, 1), (0, 1)),
            (c, (1, channel), (1, 1)),
            (b, (1, row), (2, 1)),
            (b, (1, col), (3, 1)),
            (h, (2, 1), (2, b)),
            (w, (3, 1), (3, b)),
        ]);
        Ok((op, vec![batch, c, h * b, w * b]))
    })
}

pub(super) fn space_to_depth<'a>(importer: &mut Importer<'a>, n: &'a OnnxNode<'a>) -> Result<Value, Refusal> {
    importer.moved(n, |shape| {
        let ([batch, c, h, w], b) = block(n, shape)?;
        if h % b != 0 || w % b != 0 {
            return Err(Refusal::Malformed(format!("an image of {h} × {w} in blocks of {b} × {b}")));
        }
        // Position of a channel, and of a row and a column of the block, among the new channels.
        let [channel, row, col] = match n.string("mode").as_deref() {
            None | Some("DCR") => [1, b * c, c],
            Some("CRD") => [b * b, b, 1],
            Some(other) => return Err(Refusal::Malformed(format!("mode {other}"))),
        };
        let op = loops([
            (batch, (0, 1), (0, 1)),
            (c, (1, 1), (1, channel)),
            (b, (2, 1), (1, row)),
            (b, (3, 1), (1, col)),
            (h / b, (2, b), (2, 1)),
            (w / b, (3, b), (3, 1)),
        ]);
        Ok((op, vec![batch, c * b * b, h / b, w / b]))
    })
}
