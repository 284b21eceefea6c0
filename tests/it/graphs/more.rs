//! The rest of the interpreter: float expressions, copies of boxes, softmax, interpolation, products.

use rcar_iss::internals::graph::{DType, LaneStep, MacEpilogue, MoveBox, Weights, Window};
use rcar_iss::internals::numeric::{self, Linear};

use super::interpret::{Values, View, broadcast_index, finish, range, weight};

fn float(bits: i64) -> f32 {
    f32::from_bits(bits as u32)
}

fn bits(x: f32) -> i64 {
    i64::from(x.to_bits())
}

/// An element as a float.
fn real(v: &View, at: usize) -> f32 {
    match v.quant {
        Some(q) => numeric::dequantize(v.values[at] as i32, q.scale, q.zero_point),
        None => float(v.values[at]),
    }
}

pub(super) fn lane(inputs: &[View], y: &View, steps: &[LaneStep]) -> Values {
    let one = |i: usize| {
        let mut values: Vec<f32> = Vec::new();
        for step in steps {
            values.push(match step {
                LaneStep::Input(n) => real(&inputs[*n], broadcast_index(inputs[*n].shape, y.shape, i)),
                LaneStep::Number(x) => *x,
                LaneStep::One(f, a) => numeric::float1(*f, values[*a]),
                LaneStep::Two(f, a, b) => numeric::float2(*f, values[*a], values[*b]),
            });
        }
        let last = *values.last().unwrap();
        match y.quant {
            Some(q) => numeric::quantize(last, q.scale, q.zero_point, range(y.dtype)).into(),
            None => bits(last),
        }
    };
    (0..y.shape.iter().product()).map(one).collect()
}

pub(super) fn moved(x: &View, y: &View, boxes: &[MoveBox], fill: Option<i32>) -> Values {
    let mut out = vec![fill.map(i64::from); y.shape.iter().product()];
    let offset = |shape: &[usize], at: &[i64]| {
        shape.iter().zip(at).fold(0, |o, (d, i)| o * d + usize::try_from(*i).unwrap())
    };
    for b in boxes {
        let count: usize = b.axes.iter().map(|a| a.extent).product();
        for mut i in 0..count {
            let (mut from, mut to) = (b.from.clone(), b.to.clone());
            for a in b.axes.iter().rev() {
                let k = (i % a.extent) as i64;
                i /= a.extent;
                from[a.from.0] += k * a.from.1;
                to[a.to.0] += k * a.to.1;
            }
            out[offset(y.shape, &to)] = Some(x.values[offset(x.shape, &from)]);
        }
    }
    out.into_iter().map(Option::unwrap).collect()
}

pub(super) fn softmax(x: &View, y: &View, axis: usize) -> Values {
    let signed = x.dtype == DType::S8;
    let q = y.quant();
    let m = (1.0 / q.scale).floor();
    let table = numeric::softmax_table(x.quant().scale, x.shape[axis], signed, m);
    let (n, inner) = (x.shape[axis], x.shape[axis + 1..].iter().product::<usize>());
    let mut out = vec![0; x.values.len()];
    for row in (0..x.values.len()).filter(|i| i / inner % n == 0) {
        let at = |k: usize| row + k * inner;
        let largest = (0..n).map(|k| x.values[at(k)]).max().unwrap();
        let top = if signed { 127 } else { 255 };
        let e: Vec<f32> =
            (0..n).map(|k| table[usize::from((x.values[at(k)] + top - largest) as u8)]).collect();
        let sum = numeric::softmax_sum(e.iter().copied());
        for (k, e) in e.iter().enumerate() {
            out[at(k)] = numeric::softmax_value(*e, m, sum, q.zero_point, range(y.dtype)).into();
        }
    }
    out
}

pub(super) fn resize(x: &View, y: &View, rows: &[Linear], cols: &[Linear]) -> Values {
    let [_, _, h, w] = <[usize; 4]>::try_from(x.shape).unwrap();
    let planes = x.shape[0] * x.shape[1];
    let mut out = Vec::new();
    for p in 0..planes {
        for r in rows {
            for c in cols {
                let corner = |i: usize, j: usize| {
                    let v = x.values[(p * h + r.at[i]) * w + c.at[j]];
                    if x.dtype == DType::F32 { float(v) } else { v as f32 }
                };
                let corners = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)];
                let value = numeric::interpolate(c.weight, r.weight, corners);
                out.push(match y.dtype {
                    DType::F32 => bits(value),
                    _ => numeric::saturate(value, range(y.dtype)).into(),
                });
            }
        }
    }
    out
}

pub(super) fn matmul(a: &View, b: &View, y: &View, multiplier: f32, clamp: [i32; 2]) -> Values {
    let rank = y.shape.len();
    let (m, n, depth) = (y.shape[rank - 2], y.shape[rank - 1], *a.shape.last().unwrap());
    let wide = a.dtype.bytes() > 1 || b.dtype.bytes() > 1;
    let e = MacEpilogue { bias: None, multiplier: vec![multiplier], clamp, tail: None };
    let outer = |v: &View, i: usize| broadcast_index(&v.shape[..v.shape.len() - 2], &y.shape[..rank - 2], i);
    let mut out = Vec::new();
    for batch in 0..y.shape[..rank - 2].iter().product() {
        let (fa, fb) = (outer(a, batch) * m * depth, outer(b, batch) * depth * n);
        for i in 0..m {
            for j in 0..n {
                let product = |k: usize| {
                    (a.values[fa + i * depth + k] - i64::from(a.quant().zero_point))
                        * (b.values[fb + k * n + j] - i64::from(b.quant().zero_point))
                };
                out.push(finish((0..depth).map(product).sum(), 0, &e, y, wide));
            }
        }
    }
    out
}

/// Scatters every input element over the output, as the operator is defined.
pub(super) fn conv_transpose(
    x: &View,
    y: &View,
    w: &Window,
    groups: usize,
    k: &Weights,
    e: &MacEpilogue,
) -> Values {
    let [oc, ic, kh, kw] = k.shape;
    let [batch, channels, h, wd] = <[usize; 4]>::try_from(x.shape).unwrap();
    let [_, _, oh, ow] = <[usize; 4]>::try_from(y.shape).unwrap();
    let mut sums = vec![0_i64; batch * oc * oh * ow];
    for n in 0..batch {
        for c in 0..channels {
            for iy in 0..h {
                for ix in 0..wd {
                    let a =
                        x.values[((n * channels + c) * h + iy) * wd + ix] - i64::from(x.quant().zero_point);
                    for o in (0..oc).filter(|o| o / (oc / groups) == c / ic) {
                        for t in 0..kh * kw {
                            let place = |axis: usize, i: usize, k: usize, extent: usize| {
                                (i * w.stride[axis] + k * w.dilation[axis])
                                    .checked_sub(w.pads[axis])
                                    .filter(|p| *p < extent)
                            };
                            if let (Some(py), Some(px)) = (place(0, iy, t / kw, oh), place(1, ix, t % kw, ow))
                            {
                                let at = (o * ic + c % ic) * kh * kw + t;
                                sums[((n * oc + o) * oh + py) * ow + px] += a * weight(k, at);
                            }
                        }
                    }
                }
            }
        }
    }
    let wide = x.dtype.bytes() > 1 || k.dtype.bytes() > 1;
    sums.iter().enumerate().map(|(i, s)| finish(*s, i / (oh * ow) % oc, e, y, wide)).collect()
}
