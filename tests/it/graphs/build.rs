//! Random integer graphs: chains and small forks of operators with awkward shapes.

use std::sync::Arc;

use rcar_iss::internals::graph::{
    DType, Graph, Lut, MacEpilogue, Node, Op, Quant, Tensor, TensorId, Weights, Window,
};
use rcar_iss::internals::numeric;

use crate::random::build::Random;

pub(super) struct GraphBuilder {
    pub(super) random: Random,
    pub(super) graph: Graph,
}

/// A graph of some random operators.
pub(crate) fn graph(seed: u64) -> Graph {
    built(seed, false)
}

/// The same with chains of element-wise operators behind them, which can be fused.
pub(super) fn chained(seed: u64) -> Graph {
    built(seed, true)
}

fn built(seed: u64, chains: bool) -> Graph {
    let mut b = GraphBuilder {
        random: Random::new(seed),
        graph: Graph { name: format!("g{seed}"), ..Graph::default() },
    };
    let shape = b.image();
    let mut at = b.input(&shape);
    for _ in 0..b.random.within(1, 5) {
        at = b.operator(at);
        if chains {
            at = b.chain(at);
        }
    }
    if b.random.within(0, 4) == 0 {
        let t = b.graph.tensor(at).clone();
        at = b.node(Op::Dequantize, vec![at], Tensor { dtype: DType::F32, quant: None, ..t });
    }
    b.graph.outputs.push(at);
    // What nothing reads is an output too.
    for i in 0..b.graph.tensors.len() as u32 {
        let id = TensorId(i);
        let read = !b.graph.links().readers(id).is_empty();
        if !read && id != at && !b.graph.inputs.contains(&id) {
            b.graph.outputs.push(id);
        }
    }
    b.graph
}

impl GraphBuilder {
    fn extent(&mut self) -> usize {
        let list = [1, 1, 2, 3, 5, 7, 8, 13, 16, 17, 29];
        self.random.pick(&list)
    }

    pub(super) fn channels(&mut self) -> usize {
        self.random.pick(&[1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 31, 33, 48, 65, 70])
    }

    fn image(&mut self) -> Vec<usize> {
        let batch = if self.random.within(0, 4) == 0 { 2 } else { 1 };
        vec![batch, self.channels(), self.extent(), self.extent()]
    }

    /// Mostly 8 bits.
    fn dtype(&mut self) -> DType {
        if self.random.within(0, 8) == 0 {
            return self.random.pick(&[DType::U16, DType::S16]);
        }
        self.random.pick(&[DType::U8, DType::S8])
    }

    pub(super) fn quant(&mut self, dtype: DType) -> Quant {
        let (lo, hi) = dtype.int_range().unwrap();
        let zero_point = match self.random.within(0, 4) {
            0 => lo,
            1 => hi,
            _ => self.random.within(lo, hi + 1),
        };
        Quant {
            scale: (1.0 + self.random.within(0, 1000) as f32 / 1000.0)
                / 64.0
                / ((dtype.bytes() * 255 - 254) as f32),
            zero_point: zero_point as i32,
        }
    }

    pub(super) fn formatted(&mut self, shape: &[usize]) -> Tensor {
        let dtype = self.dtype();
        let quant = Some(self.quant(dtype));
        Tensor { name: format!("t{}", self.graph.tensors.len()), shape: shape.to_vec(), dtype, quant }
    }

    pub(super) fn add(&mut self, mut t: Tensor) -> TensorId {
        let id = TensorId(self.graph.tensors.len() as u32);
        t.name = format!("t{}", id.0);
        self.graph.tensors.push(t);
        id
    }

    pub(super) fn node(&mut self, op: Op, inputs: Vec<TensorId>, output: Tensor) -> TensorId {
        let id = self.add(output);
        let name = format!("n{}", self.graph.nodes.len());
        self.graph.nodes.push(Node { name, op, inputs, outputs: vec![id], onnx_nodes: vec![] });
        id
    }

    /// An input of integers, or of floats with a quantizer.
    pub(super) fn input(&mut self, shape: &[usize]) -> TensorId {
        let t = self.formatted(shape);
        if self.random.within(0, 3) == 0 {
            let x = self.add(Tensor { dtype: DType::F32, quant: None, ..t.clone() });
            self.graph.inputs.push(x);
            return self.node(Op::Quantize, vec![x], t);
        }
        let id = self.add(t);
        self.graph.inputs.push(id);
        id
    }

    pub(super) fn clamp(&mut self, t: &Tensor) -> [i32; 2] {
        let (lo, hi) = t.dtype.int_range().unwrap();
        if self.random.within(0, 3) == 0 {
            let zero = t.quant.unwrap().zero_point;
            return [zero, hi as i32];
        }
        [lo as i32, hi as i32]
    }

    pub(super) fn weights(&mut self, shape: [usize; 4]) -> Weights {
        let dtype = self.dtype();
        let n: usize = shape.iter().product();
        let zero_point = if self.random.within(0, 2) == 0 { 0 } else { self.quant(dtype).zero_point };
        let mut data: Vec<u8> = (0..n * dtype.bytes()).map(|_| self.random.next() as u8).collect();
        if self.random.within(0, 2) == 0 {
            self.prune(&mut data, shape, dtype, zero_point);
        }
        let scale = vec![1.0];
        Weights { name: "w".into(), shape, dtype, data: data.into(), scale, zero_point }
    }

    /// Makes most blocks zero: blocks as large as the array's, smaller or larger.
    fn prune(&mut self, data: &mut [u8], [oc, ic, kh, kw]: [usize; 4], dtype: DType, zero_point: i32) {
        let outer = [16, 64, 5][self.random.within(0, 2) as usize];
        let inner = [16, 16, 32, 7][self.random.within(0, 3) as usize];
        let size = dtype.bytes();
        let zero = &zero_point.to_le_bytes()[..size];
        let keep: Vec<bool> = (0..oc.div_ceil(outer) * ic.div_ceil(inner) * kh * kw)
            .map(|_| self.random.within(0, 3) == 0)
            .collect();
        for (at, weight) in data.chunks_exact_mut(size).enumerate() {
            let (o, i, tap) = (at / (ic * kh * kw), at / (kh * kw) % ic, at % (kh * kw));
            if !keep[(o / outer * ic.div_ceil(inner) + i / inner) * kh * kw + tap] {
                weight.copy_from_slice(zero);
            }
        }
    }

    pub(super) fn epilogue(&mut self, oc: usize, depth: usize, y: &Tensor) -> MacEpilogue {
        let biased = self.random.within(0, 3) > 0;
        let bias = biased.then(|| (0..oc).map(|_| self.random.within(-20_000, 20_000)).collect());
        let count = if self.random.within(0, 2) == 0 { 1 } else { oc };
        let base = 1.0 / (100.0 * (depth as f32).sqrt());
        let multiplier =
            (0..count).map(|_| base * (0.3 + self.random.within(0, 100) as f32 / 100.0)).collect();
        MacEpilogue { bias, multiplier, clamp: self.clamp(y), tail: None }
    }

    /// A window that fits the image at least once.
    fn window(&mut self, image: [usize; 2]) -> Window {
        loop {
            let pair = |b: &mut GraphBuilder, list: &[usize]| [b.random.pick(list), b.random.pick(list)];
            let w = Window {
                kernel: pair(self, &[1, 1, 2, 3, 3, 5]),
                stride: pair(self, &[1, 1, 2, 3, 4]),
                dilation: pair(self, &[1, 1, 1, 2]),
                pads: [0; 4].map(|_: usize| self.random.pick(&[0, 0, 1, 1, 2])),
            };
            if (0..2).all(|axis| w.out_extent(axis, image[axis]).is_some()) {
                return w;
            }
        }
    }

    fn operator(&mut self, at: TensorId) -> TensorId {
        let t = self.graph.tensor(at).clone();
        let Ok([batch, c, h, w]) = <[usize; 4]>::try_from(t.shape.as_slice()) else {
            return self.flat_operator(at, &t);
        };
        match self.random.within(0, 18) {
            12.. => self.wider(at),
            0..=2 => {
                let window = self.window([h, w]);
                let groups = match self.random.within(0, 4) {
                    0 => c,
                    1 => (1..=c).rev().find(|g| c % g == 0 && *g <= 4).unwrap_or(1),
                    _ => 1,
                };
                let per_group = self.random.pick(&[1, 2, 3, 8, 16, 20]);
                let oc = if groups == 1 { self.channels() } else { groups * per_group.min(128 / groups + 1) };
                let oc = if groups == c && self.random.within(0, 2) == 0 { c } else { oc };
                let weights = self.weights([oc, c / groups, window.kernel[0], window.kernel[1]]);
                let shape = [0, 1].map(|i| window.out_extent(i, [h, w][i]).unwrap());
                let y = self.formatted(&[batch, oc, shape[0], shape[1]]);
                let depth = c / groups * window.kernel[0] * window.kernel[1];
                let epilogue = self.epilogue(oc, depth, &y);
                self.node(Op::Conv { window, groups, weights, epilogue }, vec![at], y)
            }
            3 | 4 => {
                // A second operand: the same shape, one number a channel, or one row.
                let shape = match self.random.within(0, 4) {
                    0 => vec![1, c, 1, 1],
                    1 => vec![batch, c, 1, w],
                    _ => t.shape.clone(),
                };
                let other = self.input(&shape);
                let y = self.formatted(&t.shape);
                let clamp = self.clamp(&y);
                let op = if self.random.within(0, 2) == 0 { Op::Add { clamp } } else { Op::Mul { clamp } };
                let inputs = if self.random.within(0, 2) == 0 { vec![at, other] } else { vec![other, at] };
                self.node(op, inputs, y)
            }
            5 => {
                let window = self.window([h, w]);
                let shape = [0, 1].map(|i| window.out_extent(i, [h, w][i]).unwrap());
                let y = Tensor { shape: vec![batch, c, shape[0], shape[1]], ..t };
                self.node(Op::MaxPool { window }, vec![at], y)
            }
            6 => {
                let window = self.window([h, w]);
                let shape = [0, 1].map(|i| window.out_extent(i, [h, w][i]).unwrap());
                let mut y = self.formatted(&[batch, c, shape[0], shape[1]]);
                y.dtype = t.dtype;
                y.quant = Some(self.quant(t.dtype));
                let count_include_pad = self.random.within(0, 2) == 0;
                self.node(Op::AvgPool { window, count_include_pad }, vec![at], y)
            }
            7 => {
                let y = self.formatted(&[batch, c, 1, 1]);
                self.node(Op::GlobalAvgPool, vec![at], y)
            }
            8 => {
                let axis = self.random.pick(&[1, 1, 2, 3]);
                let mut shape = t.shape.clone();
                shape[axis] = if axis == 1 { self.channels() } else { self.extent() };
                let other = self.input(&shape);
                let mut joined = t.shape.clone();
                joined[axis] += shape[axis];
                let y = self.formatted(&joined);
                let eight = |id: TensorId| self.graph.tensor(id).dtype.bytes() == 1;
                if !eight(at) || !eight(other) || y.dtype.bytes() > 1 {
                    return at;
                }
                let tables = [at, other].map(|id| {
                    let from = self.graph.tensor(id).clone();
                    Some(requantizer(&from, &y))
                });
                self.node(Op::Concat { axis, tables: tables.to_vec() }, vec![at, other], y)
            }
            9 if t.dtype.bytes() > 1 => self.wider(at),
            9 => {
                let mut y = self.formatted(&t.shape);
                y.dtype = self.random.pick(&[DType::U8, DType::S8]);
                y.quant = Some(self.quant(y.dtype));
                let lut = Lut {
                    what: "random".into(),
                    table: Arc::new(std::array::from_fn(|_| self.random.next() as u8)),
                };
                self.node(Op::Table(lut), vec![at], y)
            }
            10 => {
                let shape = match self.random.within(0, 3) {
                    0 => vec![batch, c * h * w],
                    1 => vec![batch, c, h * w],
                    _ => vec![batch, h, w, c],
                };
                self.node(Op::Reshape, vec![at], Tensor { shape, ..t })
            }
            _ => {
                let perm =
                    self.random.pick(&[[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [1, 0, 2, 3]]).to_vec();
                let shape = perm.iter().map(|p| t.shape[*p]).collect();
                self.node(Op::Transpose { perm }, vec![at], Tensor { shape, ..t })
            }
        }
    }

    /// Element-wise operators on top of a tensor of 8 bits; some read it twice, or an earlier one again.
    fn chain(&mut self, from: TensorId) -> TensorId {
        let t = self.graph.tensor(from).clone();
        if t.dtype.bytes() > 1 || t.quant.is_none() {
            return from;
        }
        let mut links = vec![from];
        for _ in 0..self.random.within(0, 5) {
            let (a, b) = (*links.last().unwrap(), self.random.pick(&links));
            let mut y = self.formatted(&t.shape);
            y.dtype = self.random.pick(&[DType::U8, DType::S8]);
            y.quant = Some(self.quant(y.dtype));
            let clamp = self.clamp(&y);
            links.push(match self.random.within(0, 5) {
                0 => self.node(Op::Add { clamp }, vec![b, a], y),
                1 => self.node(Op::Mul { clamp }, vec![a, b], y),
                2 => {
                    // A clamp, which keeps its format.
                    y = Tensor { shape: t.shape.clone(), ..self.graph.tensor(a).clone() };
                    let signed = y.dtype == DType::S8;
                    let zero = y.quant.unwrap().zero_point;
                    let value = |i: usize| if signed { i32::from(i as u8 as i8) } else { i as i32 };
                    let table = Arc::new(std::array::from_fn(|i| value(i).max(zero) as u8));
                    self.node(Op::Table(Lut { what: "relu".into(), table }), vec![a], y)
                }
                _ => {
                    let table = Arc::new(std::array::from_fn(|_| self.random.next() as u8));
                    self.node(Op::Table(Lut { what: "random".into(), table }), vec![a], y)
                }
            });
        }
        links.pop().unwrap_or(from)
    }

    /// For tensors that are no images.
    fn flat_operator(&mut self, at: TensorId, t: &Tensor) -> TensorId {
        let last = *t.shape.last().unwrap();
        if self.random.within(0, 3) > 0 && last <= 8000 {
            let n = self.channels();
            let weights = self.weights([n, last, 1, 1]);
            let mut shape = t.shape.clone();
            *shape.last_mut().unwrap() = n;
            let y = self.formatted(&shape);
            let epilogue = self.epilogue(n, last, &y);
            return self.node(Op::Gemm { weights, epilogue }, vec![at], y);
        }
        let other = self.input(&t.shape);
        let y = self.formatted(&t.shape);
        let clamp = self.clamp(&y);
        self.node(Op::Add { clamp }, vec![at, other], y)
    }
}

/// A table from one quantization to another.
fn requantizer(from: &Tensor, to: &Tensor) -> Lut {
    let (a, b) = (from.quant.unwrap(), to.quant.unwrap());
    let (lo, hi) = to.dtype.int_range().unwrap();
    let entry = |i: usize| {
        let q = if from.dtype == DType::S8 { i32::from(i as u8 as i8) } else { i as i32 };
        let real = numeric::dequantize(q, a.scale, a.zero_point);
        numeric::quantize(real, b.scale, b.zero_point, [lo as i32, hi as i32]) as u8
    };
    Lut { what: "requantize".into(), table: Arc::new(std::array::from_fn(entry)) }
}
