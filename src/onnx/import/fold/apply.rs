//! Movement operators on constants.

use super::super::super::constant::{Constant, Data};
use super::super::value::{Refusal, unsupported};
use super::bounded;
use crate::graph::{MoveBox, Op};
use crate::numeric::half;

/// The elements of a constant moved as `op` moves those of a tensor, with this shape.
///
/// # Errors
/// The result is too large, or the operator does not move elements.
pub(in super::super) fn applied(op: &Op, c: &Constant, shape: &[usize]) -> Result<Constant, Refusal> {
    let count = bounded(shape)?;
    let data = match op {
        Op::Reshape => c.data.clone(),
        Op::Transpose { perm } => {
            let from = strides(&c.shape);
            c.picked((0..count).map(|mut i| {
                let mut at = 0;
                for axis in (0..shape.len()).rev() {
                    at += i % shape[axis] * from[perm[axis]];
                    i /= shape[axis];
                }
                at
            }))
        }
        Op::Move { boxes, fill, .. } => {
            // Elements outside all boxes read an additional element, the fill.
            let outside = c.data.len();
            let mut at = vec![outside; count];
            boxes.iter().for_each(|b| copied(b, &strides(&c.shape), &strides(shape), &mut at));
            match fill {
                Some(fill) => Constant { data: extended(&c.data, *fill), ..c.clone() }.picked(at.into_iter()),
                None if at.contains(&outside) => return unsupported("a result with holes"),
                None => c.picked(at.into_iter()),
            }
        }
        other => return unsupported(format!("a {} of constants is not implemented", other.kind())),
    };
    Ok(Constant { name: c.name.clone(), shape: shape.to_vec(), data })
}

fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|a| shape[a + 1..].iter().product()).collect()
}

/// Records for every element that a box writes which one it reads.
fn copied(b: &MoveBox, from: &[usize], to: &[usize], at: &mut [usize]) {
    let offset = |start: &[i64], strides: &[usize]| -> i64 {
        start.iter().zip(strides).map(|(s, n)| s * *n as i64).sum()
    };
    let mut index = vec![0_usize; b.axes.len()];
    let (mut source, mut target) = (offset(&b.from, from), offset(&b.to, to));
    let step = |axis: (usize, i64), strides: &[usize]| axis.1 * strides[axis.0] as i64;
    loop {
        at[target as usize] = source as usize;
        let Some(axis) = (0..b.axes.len()).rev().find(|a| index[*a] + 1 < b.axes[*a].extent) else { return };
        for (inner, i) in index.iter_mut().enumerate().skip(axis + 1) {
            let back = *i as i64;
            source -= back * step(b.axes[inner].from, from);
            target -= back * step(b.axes[inner].to, to);
            *i = 0;
        }
        index[axis] += 1;
        source += step(b.axes[axis].from, from);
        target += step(b.axes[axis].to, to);
    }
}

/// The elements, followed by one more.
fn extended(data: &Data, last: i32) -> Data {
    fn push<T: Clone>(v: &[T], last: T) -> Vec<T> {
        let mut v = v.to_vec();
        v.push(last);
        v
    }
    match data {
        Data::U8(v) => Data::U8(push(v, last as u8)),
        Data::S8(v) => Data::S8(push(v, last as i8)),
        Data::U16(v) => Data::U16(push(v, last as u16)),
        Data::S16(v) => Data::S16(push(v, last as i16)),
        Data::S32(v) => Data::S32(push(v, last)),
        Data::U32(v) => Data::U32(push(v, last as u32)),
        Data::U64(v) => Data::U64(push(v, last.max(0) as u64)),
        Data::F16(v) => Data::F16(push(v, half::of_single(last as f32))),
        Data::S64(v) => Data::S64(push(v, last.into())),
        Data::F32(v) => Data::F32(push(v, last as f32)),
        Data::F64(v) => Data::F64(push(v, last.into())),
        Data::Bool(v) => Data::Bool(push(v, u8::from(last != 0))),
    }
}
