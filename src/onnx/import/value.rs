//! What an ONNX value is during the import.

use std::rc::Rc;

use super::super::constant::Constant;
use super::centred::Centred;
use super::constant_real::ConstantReal;
use super::expr::Expr;
use crate::graph::{Op, TensorId, Weights, Window};
use crate::numeric::Linear;

/// Why a node is not imported.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// It violates ONNX's rules.
    Malformed(String),
    /// It is not implemented.
    Unsupported(String),
    /// An unsupported node feeds it.
    Unreached,
}

/// A refusal as unsupported.
pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Unsupported(reason.into()))
}

/// An ONNX value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Known at import.
    Constant(Rc<Constant>),
    /// A constant of an unsupported element type, and the reason.
    Exotic(String),
    /// A tensor of the graph: integers, or a float graph input.
    Tensor(TensorId),
    /// The float view of an integer tensor.
    Real(Real),
    /// The float view of an integer constant.
    ConstantReal(Rc<ConstantReal>),
    /// Integers without the zero points of their channels.
    Centred(Rc<Centred>),
    /// The float result of an operator that a QuantizeLinear will complete.
    Pending(Rc<Pending>),
    /// Computed by a host node.
    Host,
    /// Its node is unsupported. Where the model declares the shape, quantized operators behind it are still
    /// examined.
    Failed(Option<Vec<usize>>),
}

/// A float expression of tensors.
#[derive(Debug, Clone)]
pub(super) struct Real {
    pub(super) expr: Expr,
    pub(super) shape: Vec<usize>,
    /// ONNX nodes between the tensors and this value.
    pub(super) nodes: Vec<usize>,
    /// Whether the tensor was made by moving elements in the float view; a QuantizeLinear with the same
    /// quantization then names it.
    pub(super) unnamed: bool,
}

/// Most operators between two quantizers; longer chains run on the host. Values keep lists of them.
const MOST_NODES: usize = 128;

/// Records that a value absorbs nodes; refuses if there are too many.
pub(super) fn absorb(nodes: &mut Vec<usize>, more: &[usize]) -> Result<(), Refusal> {
    nodes.extend(more);
    nodes.sort_unstable();
    nodes.dedup();
    if nodes.len() > MOST_NODES {
        return unsupported(format!("more than {MOST_NODES} operators between two quantizers"));
    }
    Ok(())
}

impl Real {
    /// The tensor, if this is its plain float view.
    pub(super) fn plain(&self) -> Option<TensorId> {
        match self.expr {
            Expr::Tensor(id) => Some(id),
            _ => None,
        }
    }

    /// The tensors that it depends on, each once.
    pub(super) fn tensors(&self) -> Vec<TensorId> {
        let mut tensors = Vec::new();
        self.expr.leaves(&mut |e| match e {
            Expr::Tensor(id) if !tensors.contains(id) => tensors.push(*id),
            _ => {}
        });
        tensors
    }
}

/// An operator whose output quantization is not known yet.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) kind: PendingKind,
    /// The node that names the layer.
    pub(super) own: usize,
    /// ONNX shape of the result.
    pub(super) shape: Vec<usize>,
    pub(super) inputs: Vec<TensorId>,
    /// Relu and Clip applied to the result, in order: lower and upper bound.
    pub(super) bounds: Vec<(f32, f32)>,
    /// Operators that move elements, after the bounds.
    pub(super) moves: Vec<Moved>,
    /// ONNX nodes absorbed so far.
    pub(super) nodes: Vec<usize>,
    /// The bias before it was rounded to the accumulators' scale: a result that stays float adds it
    /// unrounded.
    pub(super) bias: Option<Rc<Constant>>,
    /// Whether its weights have 8 bits in the model and were centred to 16: sums are rounded as for 8 bits.
    pub(super) centred: bool,
}

/// An operator that moves the elements of a result that waits for its quantizer.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub(super) node: usize,
    pub(super) op: Op,
    /// Shape before and after.
    pub(super) before: Vec<usize>,
    pub(super) shape: Vec<usize>,
    /// What a pad writes around the elements.
    pub(super) fill: Option<f32>,
}

impl Moved {
    /// Whether floats can be moved as well, before these bounds: none of the machine's units takes their
    /// maximum, and what is written around them is zero.
    pub(super) fn of_floats(&self, bounds: &[(f32, f32)]) -> bool {
        let zero = |x: f32| x == 0.0 && bounds.iter().fold(x, |x, (lo, hi)| x.max(*lo).min(*hi)) == 0.0;
        !matches!(self.op, Op::MaxPool { .. }) && self.fill.is_none_or(zero)
    }
}

/// The operator.
#[derive(Debug, Clone)]
pub(super) enum PendingKind {
    Conv { window: Window, groups: usize, weights: Weights, bias: Option<Vec<i64>> },
    Gemm { weights: Weights, bias: Option<Vec<i64>> },
    ConvTranspose { window: Window, groups: usize, weights: Weights, bias: Option<Vec<i64>> },
    MatMul,
    Add,
    Mul,
    AvgPool { window: Window, include_pad: bool },
    GlobalAvgPool,
    Concat { axis: usize },
    Softmax { axis: usize },
    Resize { rows: Vec<Linear>, cols: Vec<Linear> },
}
