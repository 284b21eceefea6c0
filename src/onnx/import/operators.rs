//! The operators that are understood: one line each.

use super::node::OnnxNode;
use super::value::{Refusal, Value};
use super::{Importer, elementwise, mac, movement, pool, quantizers, unary};

type Import = for<'a> fn(&mut Importer<'a>, &'a OnnxNode<'a>) -> Result<Value, Refusal>;

/// An operator that is understood.
pub(super) struct Operator {
    domain: &'static str,
    name: &'static str,
    pub(super) import: Import,
}

const ONNX: &str = "";
const MICROSOFT: &str = "com.microsoft";

const fn op(domain: &'static str, name: &'static str, import: Import) -> Operator {
    Operator { domain, name, import }
}

#[rustfmt::skip]
const OPERATORS: &[Operator] = &[
    op(ONNX,      "Add",                        elementwise::add),
    op(ONNX,      "AveragePool",                pool::average),
    op(ONNX,      "Clip",                       unary::clip),
    op(ONNX,      "Concat",                     movement::concat),
    op(ONNX,      "Constant",                   quantizers::constant),
    op(ONNX,      "Conv",                       mac::conv),
    op(ONNX,      "DequantizeLinear",           quantizers::dequantize),
    op(MICROSOFT, "DequantizeLinear",           quantizers::dequantize),
    op(ONNX,      "Dropout",                    movement::identity),
    op(ONNX,      "Flatten",                    movement::flatten),
    op(ONNX,      "Gemm",                       mac::gemm),
    op(ONNX,      "GlobalAveragePool",          pool::global_average),
    op(ONNX,      "HardSigmoid",                unary::hard_sigmoid),
    op(ONNX,      "HardSwish",                  unary::hard_swish),
    op(ONNX,      "Identity",                   movement::identity),
    op(ONNX,      "LeakyRelu",                  unary::leaky_relu),
    op(ONNX,      "MatMul",                     mac::matmul),
    op(ONNX,      "MaxPool",                    pool::max),
    op(ONNX,      "Mul",                        elementwise::mul),
    op(ONNX,      "QLinearConv",                mac::qlinear_conv),
    op(ONNX,      "QLinearMatMul",              mac::qlinear_matmul),
    op(ONNX,      "QuantizeLinear",             quantizers::quantize),
    op(MICROSOFT, "QuantizeLinear",             quantizers::quantize),
    op(ONNX,      "Relu",                       unary::relu),
    op(ONNX,      "Reshape",                    movement::reshape),
    op(ONNX,      "Squeeze",                    movement::squeeze),
    op(ONNX,      "Transpose",                  movement::transpose),
    op(ONNX,      "Unsqueeze",                  movement::unsqueeze),
    op(MICROSOFT, "QGemm",                      mac::qgemm),
    op(MICROSOFT, "QLinearAdd",                 elementwise::qlinear_add),
    op(MICROSOFT, "QLinearAveragePool",         pool::qlinear_average),
    op(MICROSOFT, "QLinearConcat",              movement::qlinear_concat),
    op(MICROSOFT, "QLinearGlobalAveragePool",   pool::qlinear_global_average),
    op(MICROSOFT, "QLinearLeakyRelu",           unary::qlinear_leaky_relu),
    op(MICROSOFT, "QLinearMul",                 elementwise::qlinear_mul),
];

/// The operator of a node.
pub(super) fn find(n: &OnnxNode) -> Option<&'static Operator> {
    OPERATORS.iter().find(|o| o.name == n.op_type() && o.domain == n.domain())
}

/// Domain and name of every operator that is understood, for listings.
pub fn supported() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATORS.iter().map(|o| (o.domain, o.name))
}
