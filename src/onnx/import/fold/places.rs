//! Operators that select elements by position, for every element type.

use super::super::super::constant::{Constant, Data};
use super::super::node::OnnxNode;
use super::super::value::{Refusal, unsupported};
use super::arithmetic::Made;
use super::bound::bounded;
use super::convert::{Numbers, element};

/// The result of a node; `None` if its operator is not in this file, or computes with the elements.
pub(super) fn computed(n: &OnnxNode, inputs: &[&Constant]) -> Result<Option<Vec<Made>>, Refusal> {
    let plain = n.string("reduction").is_none_or(|r| r == "none");
    let one = match (n.op_type(), inputs) {
        ("GatherElements", &[x, at]) => gathered(n, x, at)?,
        ("GatherND", &[x, at]) => gathered_parts(n, x, at)?,
        ("Scatter" | "ScatterElements", &[x, at, new]) if plain => scattered(n, x, at, new)?,
        ("ScatterND", &[x, at, new]) if plain => scattered_parts(x, at, new)?,
        ("Trilu", &[x, ref k @ ..]) => triangle(n, x, k.first().copied())?,
        ("ReverseSequence", &[x, lengths]) => reversed(n, x, lengths)?,
        ("Compress", &[x, kept]) => compressed(n, x, kept)?,
        ("NonZero", &[x]) => places(x),
        ("OneHot", &[at, depth, values]) => hot(n, at, depth, values)?,
        ("TopK", &[x, k]) => return best(n, x, k).map(Some),
        _ => return Ok(None),
    };
    Ok(Some(vec![one]))
}

fn malformed<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Malformed(why.into()))
}

/// An axis counted from the front.
fn axis_of(axis: i64, rank: usize) -> Result<usize, Refusal> {
    match if axis < 0 { axis + rank as i64 } else { axis } {
        a if (0..rank as i64).contains(&a) => Ok(a as usize),
        _ => malformed(format!("axis {axis} of rank {rank}")),
    }
}

/// An index counted from the front.
fn index_of(index: i64, extent: usize) -> Result<usize, Refusal> {
    match if index < 0 { index + extent as i64 } else { index } {
        i if (0..extent as i64).contains(&i) => Ok(i as usize),
        _ => malformed(format!("index {index} of {extent}")),
    }
}

/// The indices in a constant.
fn indices(c: &Constant) -> Result<Vec<i64>, Refusal> {
    match c.integers() {
        Some(v) => Ok(v),
        None => malformed("its indices are no integers"),
    }
}

/// Coordinates of an element.
fn coordinates(shape: &[usize], mut i: usize) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        at[axis] = i % shape[axis];
        i /= shape[axis];
    }
    at
}

/// The element at coordinates.
fn flat(shape: &[usize], at: &[usize]) -> usize {
    shape.iter().zip(at).fold(0, |i, (d, a)| i * d + a)
}

/// For every index of a gather or scatter along an axis, the element of `shape` that it selects.
fn along(n: &OnnxNode, shape: &[usize], at: &Constant) -> Result<Vec<usize>, Refusal> {
    let axis = axis_of(n.int("axis", 0), shape.len())?;
    let fits = |(a, (i, d)): (usize, (&usize, &usize))| a == axis || i <= d;
    if at.shape.len() != shape.len() || !at.shape.iter().zip(shape).enumerate().all(fits) {
        return malformed(format!("indices of shape {:?} into {shape:?}", at.shape));
    }
    let each = indices(at)?.into_iter().enumerate().map(|(i, index)| {
        let mut place = coordinates(&at.shape, i);
        place[axis] = index_of(index, shape[axis])?;
        Ok(flat(shape, &place))
    });
    each.collect()
}

fn gathered(n: &OnnxNode, x: &Constant, at: &Constant) -> Result<Made, Refusal> {
    let from = along(n, &x.shape, at)?;
    Ok((at.shape.clone(), x.picked(from.into_iter())))
}

/// Elements with some replaced: if two replace the same, the last one counts.
fn replaced(x: &Constant, to: &[usize], new: &Constant) -> Result<Made, Refusal> {
    let mut from: Vec<usize> = (0..x.data.len()).collect();
    to.iter().enumerate().for_each(|(i, place)| from[*place] = x.data.len() + i);
    let mut all = x.clone();
    if new.data.len() != to.len() || !all.data.append(&new.data, 0..to.len()) {
        return malformed("its updates do not fit its indices, or its data");
    }
    Ok((x.shape.clone(), all.picked(from.into_iter())))
}

fn scattered(n: &OnnxNode, x: &Constant, at: &Constant, new: &Constant) -> Result<Made, Refusal> {
    replaced(x, &along(n, &x.shape, at)?, new)
}

/// The beginnings of the parts that the last axis of the indices selects, behind `shared` common axes, and
/// their length.
fn parts(shape: &[usize], at: &Constant, shared: usize) -> Result<(Vec<usize>, usize), Refusal> {
    let Some((&depth, lead)) = at.shape.split_last() else { return malformed("its indices have no axis") };
    if shared > lead.len() || shared + depth > shape.len() || lead[..shared] != shape[..shared] {
        return malformed(format!("indices of shape {:?} into {shape:?}", at.shape));
    }
    let size = bounded(&shape[shared + depth..])?;
    let values = indices(at)?;
    let rows: usize = lead.iter().product();
    let each = (0..rows).map(|row| {
        let mut place = coordinates(lead, row)[..shared].to_vec();
        for d in 0..depth {
            place.push(index_of(values[row * depth + d], shape[shared + d])?);
        }
        Ok(flat(&shape[..shared + depth], &place) * size)
    });
    Ok((each.collect::<Result<_, Refusal>>()?, size))
}

fn gathered_parts(n: &OnnxNode, x: &Constant, at: &Constant) -> Result<Made, Refusal> {
    let Ok(shared) = usize::try_from(n.int("batch_dims", 0)) else {
        return malformed("batch_dims is negative");
    };
    let (starts, size) = parts(&x.shape, at, shared)?;
    let depth = at.shape.last().copied().unwrap_or(0);
    let mut shape = at.shape[..at.shape.len() - 1].to_vec();
    shape.extend(&x.shape[shared + depth..]);
    bounded(&shape)?;
    Ok((shape, x.picked(starts.into_iter().flat_map(|s| s..s + size))))
}

fn scattered_parts(x: &Constant, at: &Constant, new: &Constant) -> Result<Made, Refusal> {
    let (starts, size) = parts(&x.shape, at, 0)?;
    let to: Vec<usize> = starts.into_iter().flat_map(|s| s..s + size).collect();
    replaced(x, &to, new)
}

/// The elements, followed by a zero.
fn with_zero(x: &Constant) -> Result<Constant, Refusal> {
    let mut all = x.clone();
    match Numbers::Integers(vec![0]).cast(element(x)) {
        Some(zero) if all.data.append(&zero, 0..1) => Ok(all),
        _ => unsupported("element type"),
    }
}

fn triangle(n: &OnnxNode, x: &Constant, k: Option<&Constant>) -> Result<Made, Refusal> {
    let k = match k.map(indices).transpose()?.as_deref() {
        None => 0,
        Some([k]) => *k,
        Some(_) => return malformed("k is not one number"),
    };
    let &[.., rows, cols] = x.shape.as_slice() else { return malformed("it is no matrix") };
    let upper = n.flag("upper", true);
    let zero = x.data.len();
    let from = (0..zero).map(|i| {
        let (row, col) = ((i / cols % rows) as i64, (i % cols) as i64);
        let distance = (col - row).saturating_sub(k);
        if upper && distance >= 0 || !upper && distance <= 0 { i } else { zero }
    });
    Ok((x.shape.clone(), with_zero(x)?.picked(from)))
}

fn reversed(n: &OnnxNode, x: &Constant, lengths: &Constant) -> Result<Made, Refusal> {
    let [batch, time] = [n.int("batch_axis", 1), n.int("time_axis", 0)];
    let [batch, time] = [axis_of(batch, x.shape.len())?, axis_of(time, x.shape.len())?];
    let lengths: Vec<i64> = indices(lengths)?;
    let fits = |l: &i64| (0..=x.shape[time] as i64).contains(l);
    if lengths.len() != x.shape[batch] || !lengths.iter().all(fits) {
        return malformed(format!("lengths {lengths:?} of sequences in {:?}", x.shape));
    }
    let from = (0..x.data.len()).map(|i| {
        let mut at = coordinates(&x.shape, i);
        let length = lengths[at[batch]] as usize;
        if at[time] < length {
            at[time] = length - 1 - at[time];
        }
        flat(&x.shape, &at)
    });
    Ok((x.shape.clone(), x.picked(from)))
}

fn compressed(n: &OnnxNode, x: &Constant, kept: &Constant) -> Result<Made, Refusal> {
    let kept: Vec<usize> =
        indices(kept)?.iter().enumerate().filter(|(_, k)| **k != 0).map(|(i, _)| i).collect();
    let (shape, axis) = if n.has("axis") {
        (x.shape.clone(), axis_of(n.int("axis", 0), x.shape.len())?)
    } else {
        (vec![x.data.len()], 0)
    };
    if kept.last().is_some_and(|last| *last >= shape[axis]) {
        return malformed("its condition is longer than its data");
    }
    let mut made = shape.clone();
    made[axis] = kept.len();
    let from = (0..bounded(&made)?).map(|i| {
        let mut at = coordinates(&made, i);
        at[axis] = kept[at[axis]];
        flat(&shape, &at)
    });
    let data = x.picked(from);
    Ok((made, data))
}

fn places(x: &Constant) -> Made {
    let holds: Vec<bool> = match Numbers::of(x) {
        Numbers::Integers(v) => v.iter().map(|v| *v != 0).collect(),
        Numbers::Floats(v) => v.iter().map(|v| *v != 0.0).collect(),
    };
    let found: Vec<Vec<usize>> =
        holds.iter().enumerate().filter(|(_, h)| **h).map(|(i, _)| coordinates(&x.shape, i)).collect();
    let axes = (0..x.shape.len()).flat_map(|axis| found.iter().map(move |at| at[axis] as i64));
    (vec![x.shape.len(), found.len()], Data::S64(axes.collect()))
}

fn hot(n: &OnnxNode, at: &Constant, depth: &Constant, values: &Constant) -> Result<Made, Refusal> {
    let whole = |c: &Constant| match Numbers::of(c) {
        Numbers::Integers(v) => v,
        Numbers::Floats(v) => v.into_iter().map(|x| x as i64).collect(),
    };
    let &[depth] = whole(depth).as_slice() else { return malformed("its depth is not one number") };
    let (Ok(extent), 2) = (usize::try_from(depth), values.data.len()) else {
        return malformed("its depth is negative, or its values are not two");
    };
    let rank = at.shape.len() + 1;
    let axis = axis_of(n.int("axis", -1), rank)?;
    let mut shape = at.shape.clone();
    shape.insert(axis, extent);
    let count = bounded(&shape)?;
    let at_shape = at.shape.clone();
    let wanted = whole(at);
    let from = (0..count).map(|i| {
        let mut place = coordinates(&shape, i);
        let here = place.remove(axis) as i64;
        let index = wanted[flat(&at_shape, &place)];
        usize::from(here == if index < 0 { index + depth } else { index })
    });
    let data = values.picked(from);
    Ok((shape, data))
}

/// Of equal elements the first comes first.
fn best(n: &OnnxNode, x: &Constant, k: &Constant) -> Result<Vec<Made>, Refusal> {
    let axis = axis_of(n.int("axis", -1), x.shape.len())?;
    let k = match indices(k)?.as_slice() {
        [k] => usize::try_from(*k).ok().filter(|k| *k <= x.shape[axis]),
        _ => None,
    };
    let Some(k) = k else { return malformed("k is not one number of elements") };
    let (numbers, largest) = (Numbers::of(x), n.flag("largest", true));
    if let Numbers::Floats(v) = &numbers
        && v.iter().any(|v| v.is_nan())
    {
        return unsupported("an order of what is no number");
    }
    let mut shape = x.shape.clone();
    shape[axis] = k;
    let count = bounded(&shape)?;
    let mut rows = shape.clone();
    rows[axis] = 1;
    let (mut from, mut indices) = (vec![0; count], vec![0_i64; count]);
    for row in 0..if k == 0 { 0 } else { rows.iter().product() } {
        let mut place = coordinates(&rows, row);
        let mut at = |i: usize, of: &[usize]| {
            place[axis] = i;
            flat(of, &place)
        };
        let mut order: Vec<usize> = (0..x.shape[axis]).collect();
        let cells: Vec<usize> = order.iter().map(|i| at(*i, &x.shape)).collect();
        order.sort_by(|a, b| {
            let found = match &numbers {
                Numbers::Integers(v) => v[cells[*a]].cmp(&v[cells[*b]]),
                Numbers::Floats(v) => {
                    v[cells[*a]].partial_cmp(&v[cells[*b]]).unwrap_or(std::cmp::Ordering::Equal)
                }
            };
            if largest { found.reverse() } else { found }
        });
        for (i, index) in order.into_iter().take(k).enumerate() {
            let to = at(i, &shape);
            (from[to], indices[to]) = (cells[index], index as i64);
        }
    }
    let values = x.picked(from.into_iter());
    Ok(vec![(shape.clone(), values), (shape, Data::S64(indices))])
}
