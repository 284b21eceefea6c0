//! The supported operators, one line each. `quantize` and `docs/book/src/reference/operators.md` use the same
//! list.

use super::super::proto::NodeProto;
use super::super::role::Role::{self, Function, Move, Pair, Plain, Product, Quantized, Whole};
use super::importer::Importer;
use super::node::OnnxNode;
use super::value::{Refusal, Value};
use super::{elementwise, fold, gemm, mac, matmul, movement, pick, pool, quantizers, resize, select, unary};

type One = for<'a> fn(&mut Importer<'a>, &'a OnnxNode<'a>) -> Result<Value, Refusal>;
type Many = for<'a> fn(&mut Importer<'a>, &'a OnnxNode<'a>) -> Result<Vec<Value>, Refusal>;

/// How an operator is imported.
#[derive(Clone, Copy)]
enum Import {
    One(One),
    Many(Many),
}

/// A supported operator.
pub(super) struct Operator {
    domain: &'static str,
    name: &'static str,
    role: Role,
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

const fn op(domain: &'static str, name: &'static str, role: Role, import: One) -> Operator {
    Operator { domain, name, role, import: Import::One(import) }
}

const fn many(domain: &'static str, name: &'static str, role: Role, import: Many) -> Operator {
    Operator { domain, name, role, import: Import::Many(import) }
}

#[rustfmt::skip]
const OPERATORS: &[Operator] = &[
    op(ONNX,      "Abs",                        Function,  unary::function),
    op(ONNX,      "Add",                        Pair,      elementwise::operator),
    op(ONNX,      "AveragePool",                Whole,     pool::average),
    op(ONNX,      "BatchNormalization",         Whole,     select::batch_normalization),
    op(ONNX,      "Cast",                       Plain,     movement::cast),
    op(ONNX,      "Ceil",                       Function,  unary::function),
    op(ONNX,      "Clip",                       Function,  unary::clip),
    op(ONNX,      "Concat",                     Whole,     movement::concat),
    op(ONNX,      "Constant",                   Plain,     quantizers::constant),
    op(ONNX,      "Conv",                       Product,   mac::conv),
    op(ONNX,      "ConvInteger",                Quantized, mac::conv_integer),
    op(ONNX,      "ConvTranspose",              Product,   mac::conv_transpose),
    op(ONNX,      "Cos",                        Function,  unary::function),
    op(ONNX,      "DepthToSpace",               Move,      pick::depth_to_space),
    op(ONNX,      "DequantizeLinear",           Quantized, quantizers::dequantize),
    op(MICROSOFT, "DequantizeLinear",           Quantized, quantizers::dequantize),
    op(ONNX,      "Div",                        Pair,      elementwise::operator),
    op(ONNX,      "Dropout",                    Move,      movement::identity),
    op(ONNX,      "Elu",                        Function,  unary::function),
    op(ONNX,      "Erf",                        Function,  unary::function),
    op(ONNX,      "Exp",                        Function,  unary::function),
    op(ONNX,      "Expand",                     Move,      pick::expand),
    op(ONNX,      "Flatten",                    Move,      movement::flatten),
    op(ONNX,      "Floor",                      Function,  unary::function),
    op(ONNX,      "Gather",                     Move,      pick::gather),
    op(ONNX,      "Gelu",                       Function,  unary::function),
    op(MICROSOFT, "Gelu",                       Function,  unary::function),
    op(ONNX,      "Gemm",                       Product,   gemm::gemm),
    op(ONNX,      "GlobalAveragePool",          Whole,     pool::global_average),
    op(ONNX,      "GlobalMaxPool",              Move,      pool::global_max),
    op(ONNX,      "HardSigmoid",                Function,  unary::function),
    op(ONNX,      "HardSwish",                  Function,  unary::function),
    op(ONNX,      "Identity",                   Move,      movement::identity),
    op(ONNX,      "LeakyRelu",                  Function,  unary::function),
    op(ONNX,      "Log",                        Function,  unary::function),
    op(ONNX,      "MatMul",                     Product,   matmul::matmul),
    op(ONNX,      "MatMulInteger",              Quantized, matmul::matmul_integer),
    op(ONNX,      "Max",                        Pair,      elementwise::operator),
    op(ONNX,      "MaxPool",                    Move,      pool::max),
    op(ONNX,      "Min",                        Pair,      elementwise::operator),
    op(ONNX,      "Mish",                       Function,  unary::function),
    op(ONNX,      "Mul",                        Pair,      elementwise::operator),
    op(ONNX,      "Neg",                        Function,  unary::function),
    op(ONNX,      "Pad",                        Move,      pick::pad),
    op(ONNX,      "Pow",                        Pair,      elementwise::operator),
    op(ONNX,      "PRelu",                      Whole,     unary::prelu),
    op(ONNX,      "QLinearConv",                Quantized, mac::qlinear_conv),
    op(ONNX,      "QLinearMatMul",              Quantized, matmul::qlinear_matmul),
    op(ONNX,      "QuantizeLinear",             Quantized, quantizers::quantize),
    op(MICROSOFT, "QuantizeLinear",             Quantized, quantizers::quantize),
    op(ONNX,      "Reciprocal",                 Function,  unary::function),
    op(ONNX,      "ReduceMax",                  Move,      pool::reduce),
    op(ONNX,      "ReduceMean",                 Whole,     pool::reduce),
    op(ONNX,      "ReduceSum",                  Whole,     pool::reduce),
    op(ONNX,      "Relu",                       Function,  unary::relu),
    op(ONNX,      "Reshape",                    Move,      movement::reshape),
    op(ONNX,      "Resize",                     Move,      resize::resize),
    op(ONNX,      "Round",                      Function,  unary::function),
    op(ONNX,      "Selu",                       Function,  unary::function),
    op(ONNX,      "Shape",                      Plain,     fold::shape),
    op(ONNX,      "Sigmoid",                    Function,  unary::function),
    op(ONNX,      "Sin",                        Function,  unary::function),
    op(ONNX,      "Size",                       Plain,     fold::shape),
    op(ONNX,      "Slice",                      Move,      pick::slice),
    op(ONNX,      "Softmax",                    Whole,     unary::softmax),
    op(ONNX,      "Softplus",                   Function,  unary::function),
    op(ONNX,      "Softsign",                   Function,  unary::function),
    op(ONNX,      "SpaceToDepth",               Move,      pick::space_to_depth),
    many(ONNX,    "Split",                      Move,      pick::split),
    op(ONNX,      "Sqrt",                       Function,  unary::function),
    op(ONNX,      "Squeeze",                    Move,      movement::squeeze),
    op(ONNX,      "Sub",                        Pair,      elementwise::operator),
    op(ONNX,      "Sum",                        Pair,      elementwise::operator),
    op(ONNX,      "Swish",                      Function,  unary::function),
    op(ONNX,      "Tanh",                       Function,  unary::function),
    op(ONNX,      "Tile",                       Move,      pick::tile),
    op(ONNX,      "Transpose",                  Move,      movement::transpose),
    op(ONNX,      "Unsqueeze",                  Move,      movement::unsqueeze),
    op(ONNX,      "Upsample",                   Move,      resize::resize),
    op(ONNX,      "Where",                      Whole,     select::choice),
    op(MICROSOFT, "QGemm",                      Quantized, gemm::qgemm),
    op(MICROSOFT, "QLinearAdd",                 Quantized, elementwise::qlinear),
    op(MICROSOFT, "QLinearAveragePool",         Quantized, pool::qlinear_average),
    op(MICROSOFT, "QLinearConcat",              Quantized, movement::qlinear_concat),
    op(MICROSOFT, "QLinearGlobalAveragePool",   Quantized, pool::qlinear_global_average),
    op(MICROSOFT, "QLinearLeakyRelu",           Quantized, unary::qlinear),
    op(MICROSOFT, "QLinearMul",                 Quantized, elementwise::qlinear),
    op(MICROSOFT, "QLinearSigmoid",             Quantized, unary::qlinear),
    op(MICROSOFT, "QLinearSoftmax",             Quantized, unary::qlinear_softmax),
    op(MICROSOFT, "QLinearWhere",               Quantized, select::qlinear_where),
    op(MICROSOFT, "QuickGelu",                  Function,  unary::function),
];

fn named(domain: &str, name: &str) -> Option<&'static Operator> {
    let domain = if domain == "ai.onnx" { ONNX } else { domain };
    OPERATORS.iter().find(|o| o.name == name && o.domain == domain)
}

/// The operator of a node.
pub(super) fn find(n: &OnnxNode) -> Option<&'static Operator> {
    named(n.domain(), n.op_type())
}

/// The role of a node's operator in a quantized network; `None` if it is unsupported.
pub(crate) fn role(node: &NodeProto) -> Option<Role> {
    named(node.domain(), node.op_type()).map(|o| o.role)
}

/// Domain, name and role of every supported operator.
pub fn operators() -> impl Iterator<Item = (&'static str, &'static str, Role)> {
    OPERATORS.iter().map(|o| (o.domain, o.name, o.role))
}
