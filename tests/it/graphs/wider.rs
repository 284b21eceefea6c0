//! More operators for random graphs: float expressions, copies of boxes, softmax, interpolation, products,
//! transposed convolutions, tensors of 16 bits.

use rcar_iss::internals::graph::{
    DType, LaneStep, MacEpilogue, MoveAxis, MoveBox, Op, Tensor, TensorId, Window,
};
use rcar_iss::internals::isa::{Float1, Float2};
use rcar_iss::internals::numeric::{Coordinates, linear};

use super::build::GraphBuilder;

impl GraphBuilder {
    /// One of the operators of this file on an image.
    pub(super) fn wider(&mut self, at: TensorId) -> TensorId {
        let t = self.graph.tensor(at).clone();
        let [batch, c, h, w] = <[usize; 4]>::try_from(t.shape.as_slice()).unwrap();
        match self.random.within(0, 8) {
            0 => self.lane(at, &t),
            1 => self.moved(at, &t),
            2 if t.dtype.bytes() == 1 => {
                let mut y = self.formatted(&t.shape);
                y.dtype = self.random.pick(&[DType::U8, DType::S8]);
                y.quant = Some(self.quant(y.dtype));
                let axis = self.random.within(0, 4) as usize;
                self.node(Op::Softmax { axis }, vec![at], y)
            }
            3 if t.dtype.bytes() == 1 => {
                let out = [self.random.within(1, 20) as usize, self.random.within(1, 20) as usize];
                let mode = self.random.pick(&[
                    Coordinates::HalfPixel,
                    Coordinates::AlignCorners,
                    Coordinates::Asymmetric,
                ]);
                let axis = |n: usize, m: usize| linear(mode, m as f32 / n as f32, n, m);
                let op = Op::Resize { rows: axis(h, out[0]), cols: axis(w, out[1]) };
                self.node(op, vec![at], Tensor { shape: vec![batch, c, out[0], out[1]], ..t })
            }
            4 => {
                let n = self.random.within(1, 40) as usize;
                let shape = match self.random.within(0, 3) {
                    0 => vec![w, n],
                    1 => vec![c, w, n],
                    _ => vec![1, 1, w, n],
                };
                let other =
                    if self.random.within(0, 2) == 0 { self.input(&shape) } else { self.constant(&shape) };
                let y = self.formatted(&[batch, c, h, n]);
                let multiplier = 1.0 / (100.0 * (w as f32).sqrt());
                let clamp = self.clamp(&y);
                self.node(Op::MatMul { multiplier, clamp }, vec![at, other], y)
            }
            5 => self.transposed(at, &t),
            6 => self.float_product(at, &t),
            _ => {
                // Floats in between.
                let float = Tensor { dtype: DType::F32, quant: None, ..t.clone() };
                let x = self.node(Op::Dequantize, vec![at], float);
                let y = self.formatted(&t.shape);
                self.node(Op::Quantize, vec![x], y)
            }
        }
    }

    /// A product whose result leaves the array as floats.
    fn float_product(&mut self, at: TensorId, t: &Tensor) -> TensorId {
        let [batch, c, h, w] = <[usize; 4]>::try_from(t.shape.as_slice()).unwrap();
        let oc = self.channels();
        let weights = self.weights([oc, c, 1, 1]);
        let y = self.formatted(&[batch, oc, h, w]);
        let epilogue = MacEpilogue { clamp: [0, 0], ..self.epilogue(oc, c, &y) };
        let float = Tensor { dtype: DType::F32, quant: None, ..y.clone() };
        let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pads: [0; 4] };
        let x = self.node(Op::Conv { window, groups: 1, weights, epilogue }, vec![at], float);
        self.node(Op::Quantize, vec![x], y)
    }

    /// A constant operand of integers.
    pub(super) fn constant(&mut self, shape: &[usize]) -> TensorId {
        let t = self.formatted(shape);
        let bytes = t.shape.iter().product::<usize>() * t.dtype.bytes();
        let data: Vec<u8> = (0..bytes).map(|_| self.random.next() as u8).collect();
        let id = self.add(t);
        self.graph.constants.insert(id, data.into());
        id
    }

    fn lane(&mut self, at: TensorId, t: &Tensor) -> TensorId {
        let [_, c, _, w] = <[usize; 4]>::try_from(t.shape.as_slice()).unwrap();
        let mut inputs = vec![at];
        if self.random.within(0, 2) == 0 {
            let shape = self.random.pick(&[[1, c, 1, 1], [1, 1, 1, w]]).to_vec();
            let other =
                if self.random.within(0, 2) == 0 { self.input(&shape) } else { self.constant(&shape) };
            inputs.push(other);
        }
        let mut steps: Vec<LaneStep> = (0..inputs.len()).map(LaneStep::Input).collect();
        steps.push(LaneStep::Number(0.75));
        for _ in 0..self.random.within(1, 6) {
            let n = steps.len() as i64;
            let [a, b] = [self.random.within(0, n) as usize, self.random.within(0, n) as usize];
            steps.push(if self.random.within(0, 2) == 0 {
                let f = [Float1::Neg, Float1::Abs, Float1::Tanh, Float1::Sigmoid, Float1::Floor, Float1::Erf];
                LaneStep::One(self.random.pick(&f), a)
            } else {
                let f = [Float2::Add, Float2::Sub, Float2::Mul, Float2::Div, Float2::Min, Float2::Max];
                LaneStep::Two(self.random.pick(&f), a, b)
            });
        }
        let y = self.formatted(&t.shape);
        self.node(Op::Lane { steps }, inputs, y)
    }

    /// A part of the tensor, reversed or thinned out along some axes, inside a filled border or not.
    fn moved(&mut self, at: TensorId, t: &Tensor) -> TensorId {
        let mut b = MoveBox { from: Vec::new(), to: Vec::new(), axes: Vec::new() };
        let mut shape = Vec::new();
        let bordered = self.random.within(0, 2) == 0;
        for (axis, n) in t.shape.iter().enumerate() {
            let n = *n as i64;
            let step = self.random.pick(&[1, 1, 1, 2, -1]);
            let first = if step < 0 { n - 1 } else { self.random.within(0, n) };
            let most = if step < 0 { n } else { (n - first + step - 1) / step };
            let extent = self.random.within(1, most + 1);
            let border = if bordered { self.random.within(0, 3) } else { 0 };
            b.from.push(first);
            b.to.push(border);
            b.axes.push(MoveAxis { extent: extent as usize, from: (axis, step), to: (axis, 1) });
            shape.push((extent + 2 * border) as usize);
        }
        let fill = bordered.then(|| t.quant.map_or(0, |q| q.zero_point));
        let op = Op::Move { what: "part".into(), boxes: vec![b], fill };
        self.node(op, vec![at], Tensor { shape, ..t.clone() })
    }

    fn transposed(&mut self, at: TensorId, t: &Tensor) -> TensorId {
        let [batch, c, h, w] = <[usize; 4]>::try_from(t.shape.as_slice()).unwrap();
        let pair = |b: &mut GraphBuilder, list: &[usize]| [b.random.pick(list), b.random.pick(list)];
        let (window, out) = loop {
            let window = Window {
                kernel: pair(self, &[1, 2, 3, 4]),
                stride: pair(self, &[1, 2, 2, 3, 5]),
                dilation: pair(self, &[1, 1, 2]),
                pads: [0; 4].map(|_: usize| self.random.pick(&[0, 0, 1, 2])),
            };
            let extra = pair(self, &[0, 0, 1]);
            let extent = |a: usize, n: usize| {
                let full =
                    (n - 1) * window.stride[a] + (window.kernel[a] - 1) * window.dilation[a] + 1 + extra[a];
                full.checked_sub(window.pads[a] + window.pads[a + 2]).filter(|n| *n > 0)
            };
            if let (Some(oh), Some(ow)) = (extent(0, h), extent(1, w)) {
                break (window, [oh, ow]);
            }
        };
        let groups = if self.random.within(0, 3) == 0 { c } else { 1 };
        let oc = if groups == 1 { self.channels() } else { c };
        let weights = self.weights([oc, c / groups, window.kernel[0], window.kernel[1]]);
        let y = self.formatted(&[batch, oc, out[0], out[1]]);
        let depth = c / groups * window.kernel[0] * window.kernel[1];
        let epilogue = self.epilogue(oc, depth, &y);
        self.node(Op::ConvTranspose { window, groups, weights, epilogue }, vec![at], y)
    }
}
