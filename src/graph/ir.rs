//! The types of the integer graph. All fields are public: a graph is plain data, checked by
//! [`verify`](super::verify).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dtype::DType;
use crate::isa::{Float1, Float2};
use crate::numeric::Linear;

/// Per-tensor quantization of an activation: `real = scale · (q − zero_point)` (ONNX QuantizeLinear).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quant {
    /// Positive finite scale.
    pub scale: f32,
    /// Zero point, inside the element type's range.
    pub zero_point: i32,
}

/// Index of a tensor in [`Graph::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId(pub u32);

/// A value that flows between nodes, or a constant operand (see [`Graph::constants`]). Weights live in the
/// operators.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// ONNX name of the value (of the quantized tensor, in QDQ form the QuantizeLinear's output).
    pub name: String,
    /// ONNX shape; every dimension ≥ 1. Rank 0 is a scalar.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// Quantization; `None` for `f32` tensors (and raw `s32`).
    pub quant: Option<Quant>,
}

/// A two-dimensional window: convolution or pooling. `pads` are the explicit ones (`auto_pad` and `ceil_mode`
/// are resolved on import, so `pads` may exceed what the model wrote; see [`Window::out_extent`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Height, width.
    pub kernel: [usize; 2],
    /// Height, width.
    pub stride: [usize; 2],
    /// Height, width.
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
}

impl Window {
    /// Output extent along `axis` (0 = height, 1 = width) for an input extent (ONNX Conv, floor form);
    /// `None` if the window does not fit once.
    #[must_use]
    pub fn out_extent(&self, axis: usize, input: usize) -> Option<usize> {
        let span = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        let padded = input + self.pads[axis] + self.pads[axis + 2];
        padded.checked_sub(span).map(|room| room / self.stride[axis] + 1)
    }
}

/// Constant weights of Conv, Gemm and MatMul. Shared, because they may be large.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// ONNX initializer name.
    pub name: String,
    /// `[OC, IC / groups, KH, KW]`; Gemm and MatMul are brought to `[N, K, 1, 1]`.
    pub shape: [usize; 4],
    /// An integer of 8 or 16 bits.
    pub dtype: DType,
    /// Row-major raw bytes.
    pub data: Arc<[u8]>,
    /// One per output channel, or one for all.
    pub scale: Vec<f32>,
    /// One zero point for all channels.
    pub zero_point: i32,
}

/// What follows the accumulator of a MAC operator.
#[derive(Debug, Clone, PartialEq)]
pub struct MacEpilogue {
    /// Bias, one per output channel; `None` is zero. It fits 32 bits where input and weights have 8.
    pub bias: Option<Arc<[i64]>>,
    /// Requantization multipliers `(sx·sw)/sy` in f32, in that order, or `sx·sw` where the output is float:
    /// one, or one per output channel.
    pub multiplier: Vec<f32>,
    /// Clamp of the quantized output: the type's range, narrowed by a fused Relu or Clip.
    pub clamp: [i32; 2],
    /// A table that the quantized output passes through.
    pub tail: Option<Tail>,
}

/// A table behind the requantization of a MAC operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// The table, which gives the output.
    pub lut: Lut,
    /// Type of the requantization's result: an integer of 8 bits.
    pub dtype: DType,
    /// Zero point of the requantization's result.
    pub zero_point: i32,
}

impl MacEpilogue {
    /// Type and zero point of the requantization's result, for an output of this type and zero point.
    #[must_use]
    pub fn requantized(&self, dtype: DType, zero_point: i32) -> (DType, i32) {
        self.tail.as_ref().map_or((dtype, zero_point), |t| (t.dtype, t.zero_point))
    }
}

/// Element-wise unary function of an 8-bit tensor, as a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Lut {
    /// What the table computes, for listings (`"relu"`, `"requantize"`, `"sigmoid"`).
    pub what: String,
    /// Output byte for each input byte (signed types: index by the raw byte `q as u8`).
    pub table: Arc<[u8; 256]>,
}

/// A part of the ONNX graph that runs on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostGraph {
    /// A complete serialized `ModelProto` whose graph inputs and outputs are named as the node's tensors.
    pub model: Arc<[u8]>,
    /// Operator types inside, in order, for listings (`["Softmax", "Relu ×3"]`).
    pub op_types: Vec<String>,
    /// Why it runs on the host.
    pub reason: String,
    /// Whether it runs in ONNX Runtime instead of `rten`.
    pub onnxruntime: bool,
    /// Multiply-accumulates of its convolutions and matrix products.
    pub macs: u64,
}

/// One value of a float expression; later steps refer to earlier ones by index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LaneStep {
    /// An input of the node, dequantized if it is an integer.
    Input(usize),
    /// A number.
    Number(f32),
    /// A function of one value.
    One(Float1, usize),
    /// A function of two values.
    Two(Float2, usize, usize),
}

/// A box of elements that a [`Op::Move`] copies: loops over axes, each of which steps along one axis of the
/// input and one of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveBox {
    /// Coordinates of the first element in the input, one per axis.
    pub from: Vec<i64>,
    /// Coordinates of the first element in the output.
    pub to: Vec<i64>,
    /// The loops.
    pub axes: Vec<MoveAxis>,
}

/// One loop of a [`MoveBox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveAxis {
    /// Number of elements.
    pub extent: usize,
    /// Axis of the input and step along it; a step of 0 repeats elements.
    pub from: (usize, i64),
    /// Axis of the output and step along it, not 0.
    pub to: (usize, i64),
}

/// The operators. Inputs and outputs are in [`Node`]; quantization of activations is in [`Tensor::quant`].
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// `f32 → q`, ONNX QuantizeLinear, per tensor.
    Quantize,
    /// `q → f32`, ONNX DequantizeLinear, per tensor.
    Dequantize,
    /// Convolution, input `[N, C, H, W]` (grouped and depthwise included).
    Conv {
        /// Geometry.
        window: Window,
        /// Number of groups; divides C and OC.
        groups: usize,
        /// Constant weights.
        weights: Weights,
        /// Bias, multipliers, clamp.
        epilogue: MacEpilogue,
    },
    /// Matrix multiplication with constant weights: input `[…, K]` (any rank ≥ 1; leading dimensions are
    /// rows), output `[…, N]`. For a Gemm behind a Flatten the input is the flattened tensor.
    Gemm {
        /// `[N, K, 1, 1]`.
        weights: Weights,
        /// Bias, multipliers, clamp.
        epilogue: MacEpilogue,
    },
    /// `a + b`, same shape or NumPy broadcasting; QLinearAdd arithmetic.
    Add {
        /// Clamp of the output.
        clamp: [i32; 2],
    },
    /// `a · b`, same shape or NumPy broadcasting; QLinearMul arithmetic.
    Mul {
        /// Clamp of the output.
        clamp: [i32; 2],
    },
    /// Maximum over windows; same quantization in and out. Padding never wins.
    MaxPool {
        /// Geometry.
        window: Window,
    },
    /// Average over windows; QLinearAveragePool arithmetic.
    AvgPool {
        /// Geometry.
        window: Window,
        /// Whether padding counts in the divisor.
        count_include_pad: bool,
    },
    /// Average over all of H and W, output `[N, C, 1, 1]`; QLinearGlobalAveragePool arithmetic.
    GlobalAvgPool,
    /// Concatenation of any number of inputs along `axis`. An input whose quantization differs from the
    /// output's is requantized by the table at its index.
    Concat {
        /// Non-negative ONNX axis.
        axis: usize,
        /// One per input.
        tables: Vec<Option<Lut>>,
    },
    /// Table look-up per element.
    Table(Lut),
    /// Same elements in row-major order, other shape (Reshape, Flatten, Squeeze, Unsqueeze).
    Reshape,
    /// ONNX Transpose: `out.shape[i] = in.shape[perm[i]]`.
    Transpose {
        /// A permutation of the axes.
        perm: Vec<usize>,
    },
    /// A float expression of the inputs (NumPy broadcasting), quantized at the end if the output is an
    /// integer.
    Lane {
        /// The last one is the result.
        steps: Vec<LaneStep>,
    },
    /// Copies of boxes: Slice, Split, Gather, Pad, Tile, Resize of nearest elements and the like.
    Move {
        /// The ONNX operator, for listings.
        what: String,
        /// What is copied; boxes do not overlap in the output.
        boxes: Vec<MoveBox>,
        /// Value of elements outside the boxes; `None` if there are none.
        fill: Option<i32>,
    },
    /// Rows of a constant table `[N, C]` of 8 or 16 bits, the first input, that integers, the second input,
    /// choose: the result has their shape, then C. Ids below 0 count from the end.
    Gather,
    /// Softmax along one axis of an 8-bit tensor; QLinearSoftmax arithmetic.
    Softmax {
        /// Non-negative ONNX axis.
        axis: usize,
    },
    /// Linear interpolation over H and W of an image of 8 bits or floats; integers are truncated towards
    /// zero.
    Resize {
        /// One for each output row.
        rows: Vec<Linear>,
        /// One for each output column.
        cols: Vec<Linear>,
    },
    /// Product of two tensors over their last two axes, `[…, M, K] × […, K, N]`, the others broadcast.
    MatMul {
        /// Requantization multiplier, or the scale of the sums if the output is float.
        multiplier: f32,
        /// Clamp of a quantized output.
        clamp: [i32; 2],
    },
    /// Transposed convolution, input `[N, C, H, W]`.
    ConvTranspose {
        /// Geometry; the pads are those taken away from the output.
        window: Window,
        /// Number of groups; divides C and OC.
        groups: usize,
        /// `[OC, IC / groups, KH, KW]`: ONNX's axes permuted, taps not mirrored.
        weights: Weights,
        /// Bias, multipliers, clamp.
        epilogue: MacEpilogue,
    },
    /// A part of the network that runs on the host.
    Host(HostGraph),
}

impl Op {
    /// Name used in text forms, layer tables and messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Quantize => "quantize",
            Op::Dequantize => "dequantize",
            Op::Conv { .. } => "conv",
            Op::Gemm { .. } => "gemm",
            Op::Add { .. } => "add",
            Op::Mul { .. } => "mul",
            Op::MaxPool { .. } => "maxpool",
            Op::AvgPool { .. } => "avgpool",
            Op::GlobalAvgPool => "gavgpool",
            Op::Concat { .. } => "concat",
            Op::Table(_) => "table",
            Op::Reshape => "reshape",
            Op::Transpose { .. } => "transpose",
            Op::Lane { .. } => "lane",
            Op::Move { .. } => "move",
            Op::Gather => "gather",
            Op::Softmax { .. } => "softmax",
            Op::Resize { .. } => "resize",
            Op::MatMul { .. } => "matmul",
            Op::ConvTranspose { .. } => "convtranspose",
            Op::Host(_) => "host",
        }
    }
}

/// One operator: a layer of the compiled program.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique layer name: the name of the ONNX node that characterizes it (the Conv, not its quantizers).
    pub name: String,
    /// The operator.
    pub op: Op,
    /// Activations read, in operator order (constants live in the operator).
    pub inputs: Vec<TensorId>,
    /// Tensors written; exactly one, except for host nodes.
    pub outputs: Vec<TensorId>,
    /// Every ONNX node that was absorbed, in graph order.
    pub onnx_nodes: Vec<String>,
}

/// A value of the ONNX graph that has no tensor here, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// ONNX value name.
    pub tensor: String,
    /// One sentence.
    pub reason: String,
}

/// An integer network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// ONNX graph name.
    pub name: String,
    /// All activations.
    pub tensors: Vec<Tensor>,
    /// Values of tensors that nothing computes: row-major elements, little endian.
    pub constants: BTreeMap<TensorId, Arc<[u8]>>,
    /// Topologically ordered operators.
    pub nodes: Vec<Node>,
    /// Graph inputs, in ONNX order.
    pub inputs: Vec<TensorId>,
    /// Graph outputs, in ONNX order.
    pub outputs: Vec<TensorId>,
    /// Values that disappeared on import.
    pub removed: Vec<Removed>,
}

impl Graph {
    /// The tensor behind an id. Ids come from this graph, so the index is in range.
    #[must_use]
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0 as usize]
    }

    /// Producer and readers of every tensor.
    #[must_use]
    pub fn links(&self) -> Links {
        let mut links =
            Links { makers: vec![None; self.tensors.len()], readers: vec![Vec::new(); self.tensors.len()] };
        for (i, n) in self.nodes.iter().enumerate() {
            for id in &n.outputs {
                links.makers[id.0 as usize] = Some(i);
            }
            for id in &n.inputs {
                let readers = &mut links.readers[id.0 as usize];
                if readers.last() != Some(&i) {
                    readers.push(i);
                }
            }
        }
        links
    }

    /// Removes the tensors that are not `kept`, which nothing uses; later ones move up.
    pub fn keep(&mut self, kept: &[bool]) {
        let mut next = 0;
        let places: Vec<u32> = kept
            .iter()
            .map(|kept| {
                let place = next;
                next += u32::from(*kept);
                place
            })
            .collect();
        let stays = |id: &TensorId| kept[id.0 as usize];
        let moved = |id: &mut TensorId| id.0 = places[id.0 as usize];
        let mut i = 0;
        self.tensors.retain(|_| {
            i += 1;
            kept[i - 1]
        });
        self.inputs.iter_mut().chain(&mut self.outputs).for_each(moved);
        for n in &mut self.nodes {
            n.inputs.iter_mut().chain(&mut n.outputs).for_each(moved);
        }
        let constants = std::mem::take(&mut self.constants);
        self.constants = constants
            .into_iter()
            .filter(|(id, _)| stays(id))
            .map(|(mut id, data)| {
                moved(&mut id);
                (id, data)
            })
            .collect();
    }
}

/// Producer and readers of every tensor of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    makers: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
}

impl Links {
    /// The node that produces a tensor; `None` for inputs and constants of the graph.
    #[must_use]
    pub fn maker(&self, id: TensorId) -> Option<usize> {
        self.makers[id.0 as usize]
    }

    /// The nodes that read a tensor, each once.
    #[must_use]
    pub fn readers(&self, id: TensorId) -> &[usize] {
        &self.readers[id.0 as usize]
    }

    /// Sets the producer of a tensor.
    pub(super) fn made_by(&mut self, id: TensorId, node: usize) {
        self.makers[id.0 as usize] = Some(node);
    }

    /// Replaces the readers `instead` of a tensor by one node.
    pub(super) fn read_by(&mut self, id: TensorId, node: usize, instead: &[usize]) {
        let readers = &mut self.readers[id.0 as usize];
        readers.retain(|n| *n != node && !instead.contains(n));
        readers.push(node);
    }
}
