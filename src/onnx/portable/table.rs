//! The table itself; see [`held`](super::held) for what a row says, and why it is believed.
//!
//! To add to it: a case in `tests/golden/host_operators_grid.py`, the archive anew, and the row. The test names the lines that
//! lean on no case, and the cases that are wrong.

use super::held::{Allowed, Row, any, must, needed, of, on, word, words};
use crate::onnx::proto::tensor_proto::DataType;

const fn bit(t: DataType) -> u32 {
    1 << t as u32
}

const NONE: u32 = 0;
const F32: u32 = bit(DataType::Float);
const F64: u32 = bit(DataType::Double);
const S32: u32 = bit(DataType::Int32);
const S64: u32 = bit(DataType::Int64);
const BOOL: u32 = bit(DataType::Bool);
const U8: u32 = bit(DataType::Uint8);
const S8: u32 = bit(DataType::Int8);
/// The library has single precision for both.
const REAL: u32 = F32 | F64;
const INDEX: u32 = S32 | S64;
const NUMBERS: u32 = REAL | INDEX;
const WIDE: u32 = NUMBERS | BOOL;
/// Every element type that the library has. Half precision is none: it is f32 there, and rounds later.
pub(super) const ALL: u32 = WIDE | U8 | S8;

const REDUCTION: &[Allowed] = &[any("axes"), of("keepdims", &[0, 1]), of("noop_with_empty_axes", &[0, 1])];

/// By operator. Definitions are versions of the operator set in which the operator was defined anew.
pub(super) const TABLE: &[Row] = &[
    on("Abs", &[6, 13], NUMBERS),
    on("Acos", &[7, 22], F32),
    on("Acosh", &[9, 22], F32),
    on("Add", &[7, 13, 14], NUMBERS),
    on("And", &[7], BOOL),
    on("ArgMax", &[1, 11, 12, 13], NUMBERS).with(&[
        any("axis"),
        of("keepdims", &[0, 1]),
        of("select_last_index", &[0, 1]),
    ]),
    on("ArgMin", &[1, 11, 12, 13], NUMBERS).with(&[
        any("axis"),
        of("keepdims", &[0, 1]),
        of("select_last_index", &[0, 1]),
    ]),
    on("Asin", &[7, 22], F32),
    on("Asinh", &[9, 22], F32),
    on("Atan", &[7, 22], F32),
    on("Atanh", &[9, 22], F32),
    on("Attention", &[23, 24, 25], F32)
        .rest(F32 | BOOL)
        .with(&[
            of("is_causal", &[0, 1]),
            any("kv_num_heads"),
            any("q_num_heads"),
            any("scale"),
            any("softcap"),
        ])
        .without(&[4, 5, 6]),
    on("AveragePool", &[7, 10, 11, 19, 22], F32).with(&[
        words("auto_pad", &["NOTSET", "SAME_LOWER", "SAME_UPPER", "VALID"]),
        of("ceil_mode", &[0, 1]),
        of("count_include_pad", &[0, 1]),
        any("dilations"),
        needed("kernel_shape"),
        any("pads"),
        any("strides"),
    ]),
    on("BatchNormalization", &[7, 9, 14, 15], REAL)
        .with(&[any("epsilon"), any("momentum"), of("spatial", &[1]), of("training_mode", &[0, 1])])
        .outputs(3),
    on("Cast", &[6, 9, 13, 19, 21, 23, 24, 25], ALL)
        .with(&[any("saturate"), must("to", &[1, 2, 3, 6, 7, 9, 11])]),
    on("CastLike", &[15, 19, 21, 23, 24, 25], ALL).with(&[any("saturate")]),
    on("Ceil", &[6, 13], REAL),
    on("Celu", &[12], F32).with(&[any("alpha")]),
    on("Clip", &[6, 11, 12, 13], NUMBERS).with(&[any("max"), any("min")]),
    on("Concat", &[4, 11, 13], WIDE).with(&[needed("axis")]),
    on("ConcatFromSequence", &[11], NONE).with(&[needed("axis"), of("new_axis", &[1])]),
    on("Constant", &[1, 9, 11, 12, 13, 19, 21, 23, 24, 25], NONE).with(&[
        any("value"),
        any("value_float"),
        any("value_floats"),
        any("value_int"),
        any("value_ints"),
    ]),
    on("ConstantOfShape", &[9, 20, 21, 23, 24, 25], S64).with(&[any("value")]),
    on("Conv", &[1, 11, 22], F32).with(&[
        words("auto_pad", &["NOTSET", "SAME_UPPER", "VALID"]),
        any("dilations"),
        any("group"),
        any("kernel_shape"),
        any("pads"),
        any("strides"),
    ]),
    on("ConvInteger", &[10], U8).without(&[3]),
    on("ConvTranspose", &[1, 11, 22], F32).with(&[
        words("auto_pad", &["NOTSET", "SAME_UPPER", "VALID"]),
        any("dilations"),
        any("group"),
        any("kernel_shape"),
        any("output_padding"),
        any("pads"),
        any("strides"),
    ]),
    on("Cos", &[7, 22], REAL),
    on("Cosh", &[9, 22], F32),
    on("CumSum", &[11, 14], NUMBERS).rest(INDEX).with(&[of("exclusive", &[0, 1]), of("reverse", &[0, 1])]),
    on("DepthToSpace", &[1, 11, 13], REAL).with(&[needed("blocksize"), words("mode", &["CRD", "DCR"])]),
    on("DequantizeLinear", &[10, 13, 19, 21, 23, 24, 25], S32 | U8 | S8)
        .rest(F32 | S32 | U8 | S8)
        .with(&[any("axis"), any("block_size")]),
    on("Div", &[7, 13, 14], NUMBERS),
    on("Dropout", &[7, 10, 12, 13, 22], REAL).rest(F32 | BOOL).with(&[any("ratio"), any("seed")]),
    on("DynamicQuantizeLinear", &[11], F32).outputs(3),
    on("Einsum", &[12], REAL).with(&[needed("equation")]),
    on("Elu", &[6, 22], F32).with(&[any("alpha")]),
    on("Equal", &[7, 11, 13, 19], WIDE),
    on("Erf", &[9, 13], F32),
    on("Exp", &[6, 13], REAL),
    on("Expand", &[8, 13], ALL).rest(S64),
    on("EyeLike", &[9, 22], F32).with(&[of("dtype", &[1, 6]), any("k")]),
    on("Flatten", &[1, 9, 11, 13, 21, 23, 24, 25], ALL).with(&[any("axis")]),
    on("Floor", &[6, 13], REAL),
    on("GRU", &[7, 14, 22], F32)
        .with(&[
            any("activations"),
            words("direction", &["bidirectional", "forward", "reverse"]),
            needed("hidden_size"),
            of("layout", &[0]),
            must("linear_before_reset", &[1]),
        ])
        .without(&[4])
        .outputs(2),
    on("Gather", &[1, 11, 13], ALL).rest(INDEX).with(&[any("axis")]),
    on("GatherElements", &[11, 13], ALL).rest(INDEX).with(&[any("axis")]),
    on("GatherND", &[11, 12, 13], ALL).rest(S64).with(&[of("batch_dims", &[0, 1])]),
    on("Gelu", &[20], F32).with(&[words("approximate", &["none", "tanh"])]),
    on("Gemm", &[7, 9, 11, 13], REAL).with(&[
        any("alpha"),
        any("beta"),
        of("transA", &[0, 1]),
        of("transB", &[0, 1]),
    ]),
    on("GlobalAveragePool", &[1, 22], F32),
    on("GlobalMaxPool", &[1, 22], F32),
    on("Greater", &[7, 9, 13], NUMBERS),
    on("GreaterOrEqual", &[12, 16], NUMBERS),
    on("GridSample", &[16, 20, 22], F32).with(&[
        of("align_corners", &[1]),
        words("mode", &["bilinear", "linear"]),
        words("padding_mode", &["zeros"]),
    ]),
    on("HardSigmoid", &[6, 22], F32).with(&[any("alpha"), any("beta")]),
    on("HardSwish", &[14, 22], F32),
    on("Hardmax", &[1, 11, 13], F32).with(&[any("axis")]),
    on("Identity", &[1, 13, 14, 16, 19, 21, 23, 24, 25], ALL),
    on("If", &[1, 11, 13, 16, 19, 21, 23, 24, 25], BOOL)
        .with(&[needed("else_branch"), needed("then_branch")]),
    on("InstanceNormalization", &[6, 22], F32).with(&[any("epsilon")]),
    on("IsInf", &[10, 20], REAL).with(&[of("detect_negative", &[1]), of("detect_positive", &[1])]),
    on("IsNaN", &[9, 13, 20], REAL),
    on("LSTM", &[7, 14, 22], F32)
        .with(&[
            any("activations"),
            words("direction", &["bidirectional", "forward", "reverse"]),
            needed("hidden_size"),
            of("input_forget", &[0]),
            of("layout", &[0]),
        ])
        .without(&[4, 7])
        .outputs(3),
    on("LayerNormalization", &[17], REAL).with(&[any("axis"), any("epsilon"), of("stash_type", &[1])]),
    on("LeakyRelu", &[6, 16], REAL).with(&[any("alpha")]),
    on("Less", &[7, 9, 13], NUMBERS),
    on("LessOrEqual", &[12, 16], NUMBERS),
    on("Log", &[6, 13], REAL),
    on("LogSoftmax", &[1, 11, 13], REAL).with(&[any("axis")]),
    on("Loop", &[1, 11, 13, 16, 19, 21, 23, 24, 25], S64).rest(F32 | BOOL).with(&[needed("body")]),
    on("LpNormalization", &[1, 22], F32).with(&[any("axis"), of("p", &[1, 2])]),
    on("MatMul", &[1, 9, 13], REAL),
    on("MatMulInteger", &[10], U8).rest(S8).without(&[2, 3]),
    on("Max", &[6, 8, 12, 13], NUMBERS),
    on("MaxPool", &[1, 8, 10, 11, 12, 22], REAL).with(&[
        words("auto_pad", &["NOTSET", "SAME_LOWER", "SAME_UPPER", "VALID"]),
        of("ceil_mode", &[0, 1]),
        any("dilations"),
        needed("kernel_shape"),
        any("pads"),
        of("storage_order", &[0]),
        any("strides"),
    ]),
    on("Mean", &[6, 8, 13], F32),
    on("Min", &[6, 8, 12, 13], NUMBERS),
    on("Mod", &[10, 13], NUMBERS).with(&[of("fmod", &[0, 1])]),
    on("Mul", &[7, 13, 14], NUMBERS),
    on("Neg", &[6, 13], NUMBERS),
    on("NonMaxSuppression", &[10, 11], F32).rest(F32 | S64).with(&[of("center_point_box", &[0, 1])]),
    on("NonZero", &[9, 13], F32),
    on("Not", &[1], BOOL),
    on("OneHot", &[9, 11], S64).rest(F32 | S64).with(&[any("axis")]),
    on("Or", &[7], BOOL),
    on("PRelu", &[7, 9, 16], REAL),
    on("Pad", &[2, 11, 13, 18, 19, 21, 23, 24, 25], ALL)
        .rest(F32 | S64)
        .with(&[words("mode", &["constant", "edge", "reflect", "wrap"]), any("pads"), any("value")])
        .without(&[3]),
    on("Pow", &[7, 12, 13, 15], NUMBERS),
    on("QuantizeLinear", &[10, 13, 19, 21, 23, 24, 25], F32).rest(F32 | U8 | S8).with(&[
        any("axis"),
        any("block_size"),
        any("output_dtype"),
        any("saturate"),
    ]),
    on("RMSNormalization", &[23], F32).with(&[any("axis"), any("epsilon"), of("stash_type", &[1])]),
    on("Range", &[11], F32 | S32 | S64),
    on("Reciprocal", &[6, 13], REAL),
    on("ReduceL1", &[1, 11, 13, 18], NUMBERS).rest(S64).with(REDUCTION),
    on("ReduceL2", &[1, 11, 13, 18], REAL).rest(S64).with(REDUCTION),
    on("ReduceLogSum", &[1, 11, 13, 18], REAL).rest(S64).with(REDUCTION),
    on("ReduceLogSumExp", &[1, 11, 13, 18], REAL).rest(S64).with(REDUCTION),
    on("ReduceMax", &[1, 11, 12, 13, 18, 20], WIDE).rest(S64).with(REDUCTION),
    on("ReduceMean", &[1, 11, 13, 18], REAL).rest(S64).with(REDUCTION),
    on("ReduceMin", &[1, 11, 12, 13, 18, 20], WIDE).rest(S64).with(REDUCTION),
    on("ReduceProd", &[1, 11, 13, 18], NUMBERS).rest(S64).with(REDUCTION),
    on("ReduceSum", &[1, 11, 13], NUMBERS).rest(S64).with(REDUCTION),
    on("ReduceSumSquare", &[1, 11, 13, 18], NUMBERS).rest(S64).with(REDUCTION),
    on("Relu", &[6, 13, 14], REAL),
    on("Reshape", &[5, 13, 14, 19, 21, 23, 24, 25], ALL).rest(S64).with(&[of("allowzero", &[0, 1])]),
    on("Resize", &[11, 13, 18, 19], F32).rest(F32 | S64).with(&[
        of("antialias", &[0]),
        words(
            "coordinate_transformation_mode",
            &["align_corners", "asymmetric", "half_pixel", "pytorch_half_pixel"],
        ),
        any("cubic_coeff_a"),
        of("exclude_outside", &[0]),
        any("extrapolation_value"),
        words("keep_aspect_ratio_policy", &["stretch"]),
        word("mode", &["linear", "nearest"]),
        words("nearest_mode", &["ceil", "floor", "round_prefer_ceil", "round_prefer_floor"]),
    ]),
    on("ReverseSequence", &[10], F32).rest(S64).with(&[of("batch_axis", &[0, 1]), of("time_axis", &[0, 1])]),
    on("RotaryEmbedding", &[23], F32).with(&[of("interleaved", &[0, 1])]).without(&[3]),
    on("Round", &[11, 22], REAL),
    on("Scatter", &[9], ALL).with(&[any("axis")]),
    on("ScatterElements", &[11, 13, 16, 18], ALL)
        .with(&[any("axis"), words("reduction", &["add", "max", "min", "mul", "none"])]),
    on("ScatterND", &[11, 13, 16, 18], ALL)
        .with(&[words("reduction", &["add", "max", "min", "mul", "none"])]),
    on("Selu", &[6, 22], F32).with(&[any("alpha"), any("gamma")]),
    on("SequenceAt", &[11], NONE).rest(S64),
    on("SequenceConstruct", &[11], F32),
    on("Shape", &[1, 13, 15, 19, 21, 23, 24, 25], ALL).with(&[any("end"), any("start")]),
    on("Sigmoid", &[6, 13], REAL),
    on("Sign", &[9, 13], NUMBERS),
    on("SimplifiedLayerNormalization", &[1], F32).with(&[needed("axis"), needed("epsilon")]),
    on("Sin", &[7, 22], REAL),
    on("Sinh", &[9, 22], F32),
    on("Size", &[1, 13, 19, 21, 23, 24, 25], ALL),
    on("Slice", &[1, 10, 11, 13], ALL).rest(INDEX).with(&[any("axes"), any("ends"), any("starts")]),
    on("Softmax", &[1, 11, 13], REAL).with(&[any("axis")]),
    on("Softplus", &[1, 22], F32),
    on("Softsign", &[1, 22], F32),
    on("Split", &[2, 11, 13, 18], ALL)
        .rest(S64)
        .with(&[any("axis"), any("num_outputs"), any("split")])
        .outputs(4),
    on("SplitToSequence", &[11, 24], F32).rest(S64).with(&[needed("axis")]),
    on("Sqrt", &[6, 13], REAL),
    on("Squeeze", &[1, 11, 13, 21, 23, 24, 25], ALL).rest(S64).with(&[any("axes")]),
    on("Sub", &[7, 13, 14], NUMBERS),
    on("Sum", &[6, 8, 13], REAL),
    on("Swish", &[24], F32).with(&[any("alpha")]),
    on("Tan", &[7, 22], F32),
    on("Tanh", &[6, 13], REAL),
    on("Tile", &[6, 13], ALL).rest(S64),
    on("TopK", &[1, 10, 11, 24], NUMBERS)
        .rest(S64)
        .with(&[any("axis"), any("k"), of("largest", &[0, 1]), of("sorted", &[1])])
        .outputs(2),
    on("Transpose", &[1, 13, 21, 23, 24, 25], ALL).with(&[any("perm")]),
    on("Trilu", &[14], WIDE).rest(S64).with(&[of("upper", &[0, 1])]),
    on("Unsqueeze", &[1, 11, 13, 21, 23, 24, 25], ALL).rest(S64).with(&[any("axes")]),
    on("Upsample", &[7, 9], F32).with(&[words("mode", &["linear", "nearest"]), any("scales")]),
    on("Where", &[9, 16], BOOL).rest(NUMBERS),
    on("Xor", &[7], BOOL),
    on("BiasGelu", &[1], F32).microsoft(),
    on("FastGelu", &[1], F32).microsoft(),
    on("Gelu", &[1], F32).microsoft(),
    on("MultiHeadAttention", &[1], F32).microsoft().with(&[needed("num_heads"), any("scale")]),
    on("QuickGelu", &[1], F32).microsoft().with(&[any("alpha")]),
    on("SkipLayerNormalization", &[1], F32).microsoft().with(&[needed("epsilon")]),
];
