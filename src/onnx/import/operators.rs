//! The operators that are understood: one line each.

use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Refusal, Value};
use super::{elementwise, fold, mac, matmul, movement, pick, pool, quantizers, resize, select, unary};

type One = for<'a> fn(&mut Importer<'a>, &'a OnnxNode<'a>) -> Result<Value, Refusal>;
type Many = for<'a> fn(&mut Importer<'a>, &'a OnnxNode<'a>) -> Result<Vec<Value>, Refusal>;

/// How an operator is brought in.
#[derive(Clone, Copy)]
enum Import {
    One(One),
    Many(Many),
}

/// An operator that is understood.
pub(super) struct Operator {
    domain: &'static str,
    name: &'static str,
    import: Import,
}

impl Operator {
    /// The values of the node's outputs.
    pub(super) fn run<'a>(
        &self,
        importer: &mut Importer<'a>,
        n: &'a OnnxNode<'a>,
    ) -> Result<Vec<Value>, Refusal> {
        match self.import {
            Import::One(f) => f(importer, n).map(|v| vec![v]),
            Import::Many(f) => f(importer, n),
        }
    }
}

const ONNX: &str = "";
const MICROSOFT: &str = "com.microsoft";

const fn op(domain: &'static str, name: &'static str, import: One) -> Operator {
    Operator { domain, name, import: Import::One(import) }
}

const fn many(domain: &'static str, name: &'static str, import: Many) -> Operator {
    Operator { domain, name, import: Import::Many(import) }
}

#[rustfmt::skip]
const OPERATORS: &[Operator] = &[
    op(ONNX,      "Abs",                        unary::function),
    op(ONNX,      "Add",                        elementwise::operator),
    op(ONNX,      "AveragePool",                pool::average),
    op(ONNX,      "BatchNormalization",         select::batch_normalization),
    op(ONNX,      "Cast",                       movement::cast),
    op(ONNX,      "Ceil",                       unary::function),
    op(ONNX,      "Clip",                       unary::clip),
    op(ONNX,      "Concat",                     movement::concat),
    op(ONNX,      "Constant",                   quantizers::constant),
    op(ONNX,      "Conv",                       mac::conv),
    op(ONNX,      "ConvInteger",                mac::conv_integer),
    op(ONNX,      "ConvTranspose",              mac::conv_transpose),
    op(ONNX,      "Cos",                        unary::function),
    op(ONNX,      "DepthToSpace",               pick::depth_to_space),
    op(ONNX,      "DequantizeLinear",           quantizers::dequantize),
    op(MICROSOFT, "DequantizeLinear",           quantizers::dequantize),
    op(ONNX,      "Div",                        elementwise::operator),
    op(ONNX,      "Dropout",                    movement::identity),
    op(ONNX,      "Elu",                        unary::function),
    op(ONNX,      "Erf",                        unary::function),
    op(ONNX,      "Exp",                        unary::function),
    op(ONNX,      "Expand",                     pick::expand),
    op(ONNX,      "Flatten",                    movement::flatten),
    op(ONNX,      "Floor",                      unary::function),
    op(ONNX,      "Gather",                     pick::gather),
    op(ONNX,      "Gelu",                       unary::function),
    op(MICROSOFT, "Gelu",                       unary::function),
    op(ONNX,      "Gemm",                       mac::gemm),
    op(ONNX,      "GlobalAveragePool",          pool::global_average),
    op(ONNX,      "GlobalMaxPool",              pool::global_max),
    op(ONNX,      "HardSigmoid",                unary::function),
    op(ONNX,      "HardSwish",                  unary::function),
    op(ONNX,      "Identity",                   movement::identity),
    op(ONNX,      "LeakyRelu",                  unary::function),
    op(ONNX,      "Log",                        unary::function),
    op(ONNX,      "MatMul",                     matmul::matmul),
    op(ONNX,      "MatMulInteger",              matmul::matmul_integer),
    op(ONNX,      "Max",                        elementwise::operator),
    op(ONNX,      "MaxPool",                    pool::max),
    op(ONNX,      "Min",                        elementwise::operator),
    op(ONNX,      "Mish",                       unary::function),
    op(ONNX,      "Mul",                        elementwise::operator),
    op(ONNX,      "Neg",                        unary::function),
    op(ONNX,      "Pad",                        pick::pad),
    op(ONNX,      "Pow",                        elementwise::operator),
    op(ONNX,      "PRelu",                      unary::prelu),
    op(ONNX,      "QLinearConv",                mac::qlinear_conv),
    op(ONNX,      "QLinearMatMul",              matmul::qlinear_matmul),
    op(ONNX,      "QuantizeLinear",             quantizers::quantize),
    op(MICROSOFT, "QuantizeLinear",             quantizers::quantize),
    op(ONNX,      "Reciprocal",                 unary::function),
    op(ONNX,      "ReduceMax",                  pool::reduce),
    op(ONNX,      "ReduceMean",                 pool::reduce),
    op(ONNX,      "ReduceSum",                  pool::reduce),
    op(ONNX,      "Relu",                       unary::relu),
    op(ONNX,      "Reshape",                    movement::reshape),
    op(ONNX,      "Resize",                     resize::resize),
    op(ONNX,      "Round",                      unary::function),
    op(ONNX,      "Selu",                       unary::function),
    op(ONNX,      "Shape",                      fold::shape),
    op(ONNX,      "Sigmoid",                    unary::function),
    op(ONNX,      "Sin",                        unary::function),
    op(ONNX,      "Size",                       fold::shape),
    op(ONNX,      "Slice",                      pick::slice),
    op(ONNX,      "Softmax",                    unary::softmax),
    op(ONNX,      "Softplus",                   unary::function),
    op(ONNX,      "Softsign",                   unary::function),
    op(ONNX,      "SpaceToDepth",               pick::space_to_depth),
    many(ONNX,    "Split",                      pick::split),
    op(ONNX,      "Sqrt",                       unary::function),
    op(ONNX,      "Squeeze",                    movement::squeeze),
    op(ONNX,      "Sub",                        elementwise::operator),
    op(ONNX,      "Sum",                        elementwise::operator),
    op(ONNX,      "Swish",                      unary::function),
    op(ONNX,      "Tanh",                       unary::function),
    op(ONNX,      "Tile",                       pick::tile),
    op(ONNX,      "Transpose",                  movement::transpose),
    op(ONNX,      "Unsqueeze",                  movement::unsqueeze),
    op(ONNX,      "Upsample",                   resize::resize),
    op(MICROSOFT, "QGemm",                      mac::qgemm),
    op(MICROSOFT, "QLinearAdd",                 elementwise::qlinear),
    op(MICROSOFT, "QLinearAveragePool",         pool::qlinear_average),
    op(MICROSOFT, "QLinearConcat",              movement::qlinear_concat),
    op(MICROSOFT, "QLinearGlobalAveragePool",   pool::qlinear_global_average),
    op(MICROSOFT, "QLinearLeakyRelu",           unary::qlinear),
    op(MICROSOFT, "QLinearMul",                 elementwise::qlinear),
    op(MICROSOFT, "QLinearSigmoid",             unary::qlinear),
    op(MICROSOFT, "QLinearSoftmax",             unary::qlinear_softmax),
    op(MICROSOFT, "QLinearWhere",               select::qlinear_where),
    op(MICROSOFT, "QuickGelu",                  unary::function),
];

/// The operator of a node.
pub(super) fn find(n: &OnnxNode) -> Option<&'static Operator> {
    OPERATORS.iter().find(|o| o.name == n.op_type() && o.domain == n.domain())
}

/// Domain and name of every operator that is understood, for listings.
pub fn supported() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATORS.iter().map(|o| (o.domain, o.name))
}
