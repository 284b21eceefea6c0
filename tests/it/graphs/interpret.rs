//! The integer graph computed by the definitions of its operators: plain loops over ONNX layouts, without
//! tiles or a machine. The roundings are those of `numeric`; everything else is implemented independently.

use std::collections::BTreeMap;

use super::more;
use rcar_iss::internals::graph::{DType, Graph, MacEpilogue, Node, Op, Quant, TensorId, Weights, Window};
use rcar_iss::internals::numeric::{self, Average};

use super::rounding;

/// Elements of a tensor, row-major; floats as their bits.
pub(super) type Values = Vec<i64>;

/// All tensors of a graph.
pub(super) fn interpret(graph: &Graph, inputs: &BTreeMap<TensorId, Values>) -> BTreeMap<TensorId, Values> {
    let mut values = inputs.clone();
    for (id, data) in &graph.constants {
        let dtype = graph.tensor(*id).dtype;
        let element = |b: &[u8]| match dtype {
            DType::U8 => b[0].into(),
            DType::S8 => i64::from(b[0] as i8),
            DType::U16 => u16::from_le_bytes([b[0], b[1]]).into(),
            DType::S16 => i16::from_le_bytes([b[0], b[1]]).into(),
            _ => u32::from_le_bytes([b[0], b[1], b[2], b[3]]).into(),
        };
        values.insert(*id, data.chunks(dtype.bytes()).map(element).collect());
    }
    for node in &graph.nodes {
        let result = compute(graph, node, &values);
        values.insert(node.outputs[0], result);
    }
    values
}

pub(super) struct View<'a> {
    pub(super) values: &'a [i64],
    pub(super) shape: &'a [usize],
    pub(super) dtype: DType,
    pub(super) quant: Option<Quant>,
}

impl View<'_> {
    pub(super) fn quant(&self) -> Quant {
        self.quant.unwrap()
    }

    /// Element of an image.
    fn at(&self, [n, c, y, x]: [usize; 4]) -> i32 {
        let [_, cs, h, w] = <[usize; 4]>::try_from(self.shape).unwrap();
        self.values[((n * cs + c) * h + y) * w + x] as i32
    }
}

pub(super) fn range(dtype: DType) -> [i32; 2] {
    let (lo, hi) = dtype.int_range().unwrap();
    [lo as i32, hi as i32]
}

fn compute(graph: &Graph, node: &Node, values: &BTreeMap<TensorId, Values>) -> Values {
    let view = |id: &TensorId| {
        let t = graph.tensor(*id);
        View {
            values: values.get(id).map_or(&[], Vec::as_slice),
            shape: &t.shape,
            dtype: t.dtype,
            quant: t.quant,
        }
    };
    let inputs: Vec<View> = node.inputs.iter().map(view).collect();
    let y = view(&node.outputs[0]);
    let x = &inputs[0];
    match &node.op {
        Op::Quantize => {
            let q = y.quant();
            let one = |bits: &i64| {
                i64::from(numeric::quantize(
                    f32::from_bits(*bits as u32),
                    q.scale,
                    q.zero_point,
                    range(y.dtype),
                ))
            };
            x.values.iter().map(one).collect()
        }
        Op::Dequantize => {
            let q = x.quant();
            let one = |v: &i64| i64::from(numeric::dequantize(*v as i32, q.scale, q.zero_point).to_bits());
            x.values.iter().map(one).collect()
        }
        Op::Conv { window, groups, weights, epilogue } => conv(x, &y, window, *groups, weights, epilogue),
        Op::Gemm { weights, epilogue } => gemm(x, &y, weights, epilogue),
        Op::Add { clamp } => {
            let quants = [x.quant(), inputs[1].quant(), y.quant()];
            let wide = inputs.iter().any(|v| v.dtype.bytes() > 1);
            broadcast(&inputs, view(&node.outputs[0]).shape, |p, q| {
                rounding::sum([p, q], quants, wide, *clamp)
            })
        }
        Op::Mul { clamp } => {
            let quants = [x.quant(), inputs[1].quant(), y.quant()];
            broadcast(&inputs, view(&node.outputs[0]).shape, |p, q| rounding::product([p, q], quants, *clamp))
        }
        Op::MaxPool { window } => {
            let [least, _] = range(x.dtype);
            windows(x, &y, window, |n, c, taps| {
                taps.iter().flatten().map(|[iy, ix]| x.at([n, c, *iy, *ix])).max().unwrap_or(least)
            })
        }
        Op::AvgPool { window, count_include_pad } => {
            let (from, to) = (x.quant(), y.quant());
            windows(x, &y, window, |n, c, taps| {
                let mut average = Average::default();
                for [iy, ix] in taps.iter().flatten() {
                    average.take(numeric::dequantize(x.at([n, c, *iy, *ix]), from.scale, from.zero_point));
                }
                let inside = taps.iter().flatten().count();
                let count = if *count_include_pad { taps.len() } else { inside };
                average.finish(count as u32, to.scale, to.zero_point, range(y.dtype))
            })
        }
        Op::GlobalAvgPool => {
            let [batch, channels, h, w] = <[usize; 4]>::try_from(x.shape).unwrap();
            let (from, to) = (x.quant(), y.quant());
            let m = numeric::gap_multiplier(from.scale, to.scale, (h * w) as u64);
            let mut out = Vec::new();
            for n in 0..batch {
                for c in 0..channels {
                    let all = (0..h).flat_map(|iy| (0..w).map(move |ix| [n, c, iy, ix]));
                    let sum: i64 = all.map(|at| i64::from(x.at(at) - from.zero_point)).sum();
                    let e =
                        MacEpilogue { bias: None, multiplier: vec![m], clamp: range(y.dtype), tail: None };
                    out.push(finish(sum, 0, &e, &y, x.dtype.bytes() > 1));
                }
            }
            out
        }
        Op::Concat { axis, tables } => {
            let inner: usize = y.shape[axis + 1..].iter().product();
            let outer: usize = y.shape[..*axis].iter().product();
            let mut out = Vec::new();
            for o in 0..outer {
                for (v, table) in inputs.iter().zip(tables) {
                    let run = v.shape[*axis] * inner;
                    let part = &v.values[o * run..(o + 1) * run];
                    out.extend(part.iter().map(|q| match table {
                        None => *q,
                        Some(t) => byte(t.table[usize::from(*q as u8)], y.dtype),
                    }));
                }
            }
            out
        }
        Op::Table(lut) => x.values.iter().map(|q| byte(lut.table[usize::from(*q as u8)], y.dtype)).collect(),
        Op::Reshape => x.values.to_vec(),
        Op::Transpose { perm } => {
            let strides = |shape: &[usize]| -> Vec<usize> {
                (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect()
            };
            let (from, to) = (strides(x.shape), strides(y.shape));
            let source = |i: usize| {
                perm.iter()
                    .enumerate()
                    .map(|(axis, p)| i / to[axis] % y.shape[axis] * from[*p])
                    .sum::<usize>()
            };
            (0..x.values.len()).map(|i| x.values[source(i)]).collect()
        }
        Op::Lane { steps } => more::lane(&inputs, &y, steps),
        Op::Move { boxes, fill, .. } => more::moved(x, &y, boxes, *fill),
        Op::Gather => {
            let [rows, columns] = [0, 1].map(|axis| x.shape[axis]);
            let row = |id: &i64| (id.rem_euclid(rows as i64) as usize) * columns;
            inputs[1].values.iter().flat_map(|id| x.values[row(id)..][..columns].to_vec()).collect()
        }
        Op::Softmax { axis } => more::softmax(x, &y, *axis),
        Op::Resize { rows, cols } => more::resize(x, &y, rows, cols),
        Op::MatMul { multiplier, clamp } => more::matmul(x, &inputs[1], &y, *multiplier, *clamp),
        Op::ConvTranspose { window, groups, weights, epilogue } => {
            more::conv_transpose(x, &y, window, *groups, weights, epilogue)
        }
        Op::Host(_) => unreachable!("no host layers here"),
    }
}

fn byte(b: u8, dtype: DType) -> i64 {
    if dtype == DType::S8 { i64::from(b as i8) } else { b.into() }
}

/// The element of an operand at element `i` of the result (NumPy broadcasting).
pub(super) fn broadcast_index(operand: &[usize], shape: &[usize], i: usize) -> usize {
    let skipped = shape.len() - operand.len();
    let mut at = 0;
    for (axis, extent) in operand.iter().enumerate() {
        let step: usize = shape[skipped + axis + 1..].iter().product();
        let index = i / step % shape[skipped + axis];
        at = at * extent + if *extent == 1 { 0 } else { index };
    }
    at
}

fn broadcast(inputs: &[View], shape: &[usize], f: impl Fn(i32, i32) -> i32) -> Values {
    let element = |v: &View, i: usize| v.values[broadcast_index(v.shape, shape, i)] as i32;
    (0..shape.iter().product()).map(|i| f(element(&inputs[0], i), element(&inputs[1], i)).into()).collect()
}

/// Calls `f` with the taps of every output position: an input position, or none in the padding.
fn windows<T: Into<i64>>(
    x: &View,
    y: &View,
    w: &Window,
    f: impl Fn(usize, usize, &[Option<[usize; 2]>]) -> T,
) -> Values {
    let [_, _, h, wd] = <[usize; 4]>::try_from(x.shape).unwrap();
    let [batch, channels, oh, ow] = <[usize; 4]>::try_from(y.shape).unwrap();
    let mut out = Vec::new();
    for n in 0..batch {
        for c in 0..channels {
            for oy in 0..oh {
                for ox in 0..ow {
                    let mut taps = Vec::new();
                    for ky in 0..w.kernel[0] {
                        for kx in 0..w.kernel[1] {
                            let iy = (oy * w.stride[0] + ky * w.dilation[0])
                                .checked_sub(w.pads[0])
                                .filter(|i| *i < h);
                            let ix = (ox * w.stride[1] + kx * w.dilation[1])
                                .checked_sub(w.pads[1])
                                .filter(|i| *i < wd);
                            taps.push(iy.zip(ix).map(|(a, b)| [a, b]));
                        }
                    }
                    out.push(f(n, c, &taps).into());
                }
            }
        }
    }
    out
}

/// A sum with its bias as an element of the result; `wide` sums have 64 bits.
pub(super) fn finish(acc: i64, channel: usize, e: &MacEpilogue, y: &View, wide: bool) -> i64 {
    let sum = acc + e.bias.as_ref().map_or(0, |b| b[channel]);
    let m = e.multiplier[if e.multiplier.len() == 1 { 0 } else { channel }];
    match (y.dtype, &e.tail) {
        (DType::F32, _) => numeric::scale_sum(sum, m).to_bits().into(),
        (DType::S32, _) => sum,
        (_, None) => {
            rounding::requantized(sum, m, y.quant().zero_point, e.clamp, wide || y.dtype.bytes() > 1)
        }
        (_, Some(tail)) => {
            let q = rounding::requantized(sum, m, tail.zero_point, e.clamp, wide);
            byte(tail.lut.table[usize::from(q as u8)], y.dtype)
        }
    }
}

pub(super) fn weight(w: &Weights, at: usize) -> i64 {
    let b = &w.data[at * w.dtype.bytes()..];
    let value = match w.dtype {
        DType::U16 => u16::from_le_bytes([b[0], b[1]]).into(),
        DType::S16 => i16::from_le_bytes([b[0], b[1]]).into(),
        _ => byte(b[0], w.dtype),
    };
    value - i64::from(w.zero_point)
}

fn conv(x: &View, y: &View, w: &Window, groups: usize, k: &Weights, e: &MacEpilogue) -> Values {
    let [oc, ic, kh, kw] = k.shape;
    let zero = x.quant().zero_point;
    windows(x, y, w, |n, o, taps| {
        let group = o / (oc / groups);
        let mut acc = 0;
        for (t, tap) in taps.iter().enumerate() {
            let Some([iy, ix]) = tap else { continue };
            for i in 0..ic {
                let a = i64::from(x.at([n, group * ic + i, *iy, *ix]) - zero);
                acc += a * weight(k, (o * ic + i) * kh * kw + t);
            }
        }
        finish(acc, o, e, y, x.dtype.bytes() > 1 || k.dtype.bytes() > 1)
    })
}

fn gemm(x: &View, y: &View, k: &Weights, e: &MacEpilogue) -> Values {
    let [n, depth, _, _] = k.shape;
    let zero = i64::from(x.quant().zero_point);
    let mut out = Vec::new();
    for row in x.values.chunks(depth) {
        for o in 0..n {
            let acc = row.iter().enumerate().map(|(i, a)| (a - zero) * weight(k, o * depth + i)).sum();
            out.push(finish(acc, o, e, y, x.dtype.bytes() > 1 || k.dtype.bytes() > 1));
        }
    }
    out
}
