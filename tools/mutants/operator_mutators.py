"""Changes of operator models that mostly leave them valid: other attributes, extents, types, scales, zero points, weights,
neighbours. Each takes a model and a random generator, and says what it did, or returns None."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from onnx_mutators import replace, some

CHANGES = []
PADS = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]
MODES = {"mode": ["nearest", "linear", "constant", "reflect", "edge", "wrap", "DCR", "CRD", "cubic"], "auto_pad": PADS,
         "nearest_mode": ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"], "approximate": ["tanh", "none"],
         "coordinate_transformation_mode": ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
                                            "half_pixel_symmetric", "tf_crop_and_resize"]}
NEW = {"Conv": {"strides": [2, 1], "dilations": [1, 2], "pads": [1, 0, 2, 1], "auto_pad": "SAME_LOWER", "group": 2},
       "ConvTranspose": {"strides": [2, 3], "output_padding": [1, 1], "pads": [1, 1, 0, 0], "dilations": [2, 1]},
       "MaxPool": {"strides": [2, 2], "dilations": [2, 1], "ceil_mode": 1, "pads": [0, 1, 1, 0], "storage_order": 1},
       "AveragePool": {"strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1, "pads": [1, 1, 0, 1], "dilations": [1, 2]},
       "Gemm": {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1}, "Softmax": {"axis": 1}, "LeakyRelu": {"alpha": -0.3},
       "HardSigmoid": {"alpha": 0.5, "beta": 0.1}, "Elu": {"alpha": 0.3}, "Selu": {"alpha": 1.0, "gamma": 2.0},
       "Gelu": {"approximate": "tanh"}, "Transpose": {"perm": [0, 2, 1]}, "ReduceMean": {"keepdims": 0},
       "ReduceSum": {"keepdims": 0, "noop_with_empty_axes": 1}, "ReduceMax": {"keepdims": 0}, "Reshape": {"allowzero": 1},
       "Resize": {"antialias": 1, "exclude_outside": 1, "extrapolation_value": 5.0, "keep_aspect_ratio_policy": "not_larger"},
       "QuantizeLinear": {"axis": 0, "saturate": 0}, "DequantizeLinear": {"axis": 0}, "BatchNormalization": {"epsilon": 0.1},
       "QGemm": {"transA": 1, "alpha": 0.5}, "Gather": {"axis": -1}, "Split": {"axis": -1}, "Concat": {"axis": -1}}
FAMILIES = ["""Relu Sigmoid Tanh HardSwish HardSigmoid Gelu Erf Exp Sqrt Abs Neg Ceil Floor Round Reciprocal Log Sin Cos Elu Selu
            Mish Softplus Softsign LeakyRelu Celu ThresholdedRelu Sign Tan Atan Asinh Sinh Softmax LogSoftmax Identity
            Shrink HardSwish""".split(),
            "Add Sub Mul Div Min Max Pow PRelu Mod".split(), "MaxPool AveragePool LpPool".split(),
            "GlobalMaxPool GlobalAveragePool GlobalLpPool".split(), "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1".split(),
            "QLinearAdd QLinearMul".split(), "DepthToSpace SpaceToDepth".split()]
SWAPS = {TensorProto.UINT8: TensorProto.INT8, TensorProto.INT8: TensorProto.UINT8, TensorProto.UINT16: TensorProto.INT16,
         TensorProto.INT16: TensorProto.UINT16}


def change(function):
    CHANGES.append(function)
    return function


def arrays(graph, kinds="iuf", most=5000):
    return [t for t in graph.initializer if np.prod(t.dims) <= most and numpy_helper.to_array(t).dtype.kind in kinds]


def quantizer_parts(graph):
    """Names of scales and of zero points."""
    scales, zeros = set(), set()
    by_name = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if "Linear" in node.op_type or node.op_type in ("QGemm", "ConvInteger", "MatMulInteger"):
            for name in node.input[1:]:
                tensor = by_name.get(name)
                if tensor is not None and np.prod(tensor.dims) < 200:
                    (scales if tensor.data_type == TensorProto.FLOAT else zeros).add(name)
    return [by_name[n] for n in sorted(scales)], [by_name[n] for n in sorted(zeros) if by_name[n].data_type < 7]


@change
def attribute(model, rng):
    node = some(rng, [n for n in model.graph.node if n.attribute])
    if node is None:
        return None
    a = rng.choice(node.attribute)
    if a.name in MODES:
        a.s = rng.choice(MODES[a.name]).encode()
    elif a.ints:
        way = rng.randrange(4)
        values = list(a.ints)
        if way == 0:
            rng.shuffle(values)
        else:
            values[rng.randrange(len(values))] = rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 5, -1])
        if way == 1:
            values = [rng.choice([0, 1, 1, 2, 2, 3, 4]) for _ in values]
        del a.ints[:]
        a.ints.extend(values)
    elif a.type == 1:
        a.f = rng.choice([0.0, 0.01, 0.3, 1.0, 1.5, -0.5, -2.0, 6.0, 100.0])
    elif a.type == 2:
        a.i = rng.choice([0, 1, 1, 2, 2, 3, -1, -2, 4, 6])
    else:
        return None
    return f"{node.op_type}.{a.name}"


@change
def new_attribute(model, rng):
    node = some(rng, [n for n in model.graph.node if n.op_type.replace("QLinear", "") in NEW or n.op_type in NEW])
    if node is None:
        return None
    known = NEW.get(node.op_type) or NEW[node.op_type.replace("QLinear", "")]
    name = rng.choice(list(known))
    for a in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(a)
    node.attribute.append(helper.make_attribute(name, known[name]))
    return f"{node.op_type}.{name} set"


@change
def no_attribute(model, rng):
    node = some(rng, [n for n in model.graph.node if n.attribute])
    return node and f"{node.op_type} without {node.attribute.pop(rng.randrange(len(node.attribute))).name}"


@change
def extent(model, rng):
    """Another extent of the input."""
    info = some(rng, [i for i in model.graph.input if i.type.tensor_type.shape.dim])
    if info is None:
        return None
    dims = info.type.tensor_type.shape.dim
    at = rng.randrange(len(dims))
    dims[at].dim_value = rng.choice([1, 1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 33, 64, 65])
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return f"extent {at} of the input"


@change
def rank(model, rng):
    """An axis more or less of the input."""
    info = some(rng, [i for i in model.graph.input if len(i.type.tensor_type.shape.dim) > 1])
    if info is None:
        return None
    dims = [d.dim_value for d in info.type.tensor_type.shape.dim]
    if rng.random() < 0.5:
        dims.pop(rng.randrange(len(dims)))
    else:
        dims.insert(rng.randrange(len(dims) + 1), rng.choice([1, 2, 3]))
    info.CopyFrom(helper.make_tensor_value_info(info.name, info.type.tensor_type.elem_type, dims))
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return f"rank {len(dims)}"


@change
def scale(model, rng):
    tensor = some(rng, quantizer_parts(model.graph)[0])
    if tensor is None:
        return None
    array = numpy_helper.to_array(tensor).copy()
    way = rng.choice(["factor", "factor", "two", "tiny", "huge", "each", "odd"])
    if way == "factor":
        array = array * np.float32(10 ** rng.uniform(-2, 2))
    elif way == "two":
        array = np.full_like(array, 2.0 ** rng.randint(-12, 2))
    elif way == "tiny":
        array = array * np.float32(10.0 ** rng.uniform(-38, -4))
    elif way == "huge":
        array = array * np.float32(10.0 ** rng.uniform(4, 38))
    elif array.size and way == "each":
        array = array * np.array([10 ** rng.uniform(-1, 1) for _ in range(array.size)], np.float32).reshape(array.shape)
    elif array.size:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice([0, -0.01, np.nan, np.inf, 1e-45])
    replace(tensor, array.astype(np.float32))
    return f"scale {way}"


@change
def same_scale(model, rng):
    """Two quantizers with the same scale."""
    scales = [t for t in quantizer_parts(model.graph)[0] if not t.dims]
    if len(scales) < 2:
        return None
    one, other = rng.sample(scales, 2)
    replace(one, numpy_helper.to_array(other))
    return "equal scales"


@change
def zero_point(model, rng):
    tensor = some(rng, quantizer_parts(model.graph)[1])
    if tensor is None:
        return None
    array = numpy_helper.to_array(tensor)
    info = np.iinfo(array.dtype)
    low, high = max(info.min, -2**20), min(info.max, 2**20)  # ONNX Runtime's differences to zero points of 32 bits wrap.
    values = [rng.choice([low, high, 0, 1, rng.randint(low, high)]) for _ in range(array.size)]
    if rng.random() < 0.6:
        values = values[:1] * array.size
    replace(tensor, np.array(values, array.dtype).reshape(array.shape))
    return f"zero point of {array.dtype}"


@change
def per_channel(model, rng):
    """Scale and zero point of one quantizer get an axis, or lose it."""
    node = some(rng, [n for n in model.graph.node if n.op_type in ("DequantizeLinear", "QuantizeLinear", "QLinearConv")])
    if node is None:
        return None
    by_name = {t.name: t for t in model.graph.initializer}
    at = [4, 5] if node.op_type == "QLinearConv" else [1, 2]
    size = rng.choice([1, 2, 3, 5, 6, 8, 19, 0])
    for i in at:
        if i < len(node.input) and node.input[i] in by_name:
            array = numpy_helper.to_array(by_name[node.input[i]])
            replace(by_name[node.input[i]], np.resize(array, () if size == 0 else (size,)))
    return f"{node.op_type} of {size} scales"


@change
def weights(model, rng):
    parts = {t.name for group in quantizer_parts(model.graph) for t in group}
    tensor = some(rng, [t for t in arrays(model.graph) if t.name not in parts])
    if tensor is None:
        return None
    array = numpy_helper.to_array(tensor).copy()
    way = rng.choice(["wild", "low", "high", "zeros", "one", "scaled"])
    if array.dtype.kind == "f":
        array = {"wild": array + 1, "low": -array * 100, "high": array * 100, "zeros": array * 0, "one": array * 0 + 1,
                 "scaled": array * rng.choice([-1, 1e-3, 1e3, 1e-30, 1e30])}[way]
    elif array.dtype == np.int64:
        array.reshape(-1)[:] = [v + rng.choice([0, 0, 1, -1, 2]) for v in array.reshape(-1)]
    else:
        info = np.iinfo(array.dtype)
        random = np.random.default_rng(rng.randrange(1 << 32))
        low, high = (info.min, info.max) if info.bits < 32 else (-2**rng.choice([8, 20, 28]), 2**20)
        array = {"wild": random.integers(low, high, array.shape), "low": np.full(array.shape, low),
                 "high": np.full(array.shape, high), "zeros": array * 0, "one": array * 0 + 1,
                 "scaled": array // 2}[way]
    replace(tensor, array.astype(numpy_helper.to_array(tensor).dtype))
    return f"{numpy_helper.to_array(tensor).dtype} constant {way}"


@change
def constant_shape(model, rng):
    """A constant operand of another shape: fewer axes, an axis of one, a channel."""
    parts = {t.name for group in quantizer_parts(model.graph) for t in group}
    tensor = some(rng, [t for t in arrays(model.graph) if t.name not in parts])
    if tensor is None:
        return None
    dims = list(tensor.dims)
    way = rng.choice(["squeeze", "one", "more", "scalar", "other"])
    if way == "one" and dims:
        dims[rng.randrange(len(dims))] = 1
    elif way == "more":
        dims.insert(0, rng.choice([1, 1, 2]))
    elif way == "squeeze" and dims:
        dims.pop(0)
    elif way == "scalar":
        dims = []
    elif dims:
        dims[rng.randrange(len(dims))] = rng.choice([2, 3, 4, 5, 7])
    replace(tensor, np.resize(numpy_helper.to_array(tensor), dims))
    return f"constant {way}"
