"""Structural changes of ONNX models. Each takes a model, one of its graphs and a random generator, and says what it did, or
returns None if it finds nothing to change."""
import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from values import FLOATS, INTEGERS, NAMES, near, small

MUTATORS = []
WORDS = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "nearest", "linear", "cubic", "asymmetric", "half_pixel",
         "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "tf_crop_and_resize", "floor", "ceil",
         "round_prefer_floor", "round_prefer_ceil", "constant", "reflect", "edge", "wrap", "DCR", "CRD", "tanh", "none",
         "stretch", "not_larger", "not_smaller", "", "\xff\xfe"]
OPERATORS = """Conv ConvTranspose Gemm MatMul ConvInteger MatMulInteger QLinearConv QLinearMatMul Add Sub Mul Div Min Max Pow
Where BatchNormalization Relu Clip Sigmoid Tanh HardSwish Gelu Erf Exp Sqrt Softmax LogSoftmax MaxPool AveragePool LpPool
GlobalAveragePool GlobalMaxPool ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd Concat Split Slice Gather GatherElements
GatherND ScatterND Pad Resize Upsample DepthToSpace SpaceToDepth Transpose Expand Tile Reshape Flatten Squeeze Unsqueeze Shape
Size Constant ConstantOfShape Cast CastLike Identity Dropout If Loop Scan LayerNormalization InstanceNormalization LRN TopK
NonMaxSuppression ArgMax CumSum OneHot Range NonZero EyeLike Einsum GridSample RoiAlign LSTM GRU Trilu Mod Not And Equal
Greater QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearAdd QLinearMul QLinearConcat QLinearSigmoid
QLinearLeakyRelu QLinearAveragePool QLinearGlobalAveragePool QLinearSoftmax QGemm PRelu LeakyRelu Elu Selu Mish Celu
ThresholdedRelu HardSigmoid Softplus Softsign Abs Neg Ceil Floor Round Reciprocal Log Sin Cos Sum Mean Nonsense""".split()
ATTRIBUTES = """axis axes kernel_shape strides pads dilations group auto_pad ceil_mode count_include_pad perm keepdims alpha
beta transA transB to blocksize mode epsilon output_padding output_shape storage_order value value_int value_ints value_float
value_floats value_string saturate block_size output_dtype allowzero start end largest sorted num_outputs noop_with_empty_axes
channels_last nearest_mode coordinate_transformation_mode cubic_coeff_a antialias exclude_outside batch_dims select_last_index
then_branch else_branch body""".split()


def mutator(function):
    MUTATORS.append(function)
    return function


def graphs(graph):
    """A graph and those inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def names(graph):
    """Every value of a graph."""
    found = [i.name for i in graph.input] + [i.name for i in graph.initializer]
    return found + [o for n in graph.node for o in n.output]


def attributes(graph, *kinds):
    return [(n, a) for n in graph.node for a in n.attribute if a.type in kinds]


def some(rng, items):
    items = list(items)
    return rng.choice(items) if items else None


def parameter(graph, rng):
    """A scale or zero point: its initializer, and whether it is a scale."""
    found = {}
    for node in graph.node:
        if "Quantize" in node.op_type or "QLinear" in node.op_type or node.op_type == "QGemm":
            for name in node.input[1:]:
                found[name] = True
    tensor = some(rng, [t for t in graph.initializer if t.name in found and np.prod(t.dims) < 1000])
    return tensor, tensor is not None and tensor.data_type == TensorProto.FLOAT


def replace(tensor, array):
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))


@mutator
def attribute_value(_, graph, rng):
    node = some(rng, [n for n in graph.node if n.attribute])
    if node is None:
        return None
    a = rng.choice(node.attribute)
    if a.type == AttributeProto.INT:
        a.i = max(-2**63, min(near(rng, a.i), 2**63 - 1))
    elif a.type == AttributeProto.INTS:
        values = list(a.ints)
        way = rng.randrange(5)
        if way == 0 or not values:
            values.insert(rng.randrange(len(values) + 1), small(rng))
        elif way == 1:
            values.pop()
        elif way == 2 and rng.random() < 0.2:
            values = []
        elif way == 3:
            rng.shuffle(values)
        else:
            values[rng.randrange(len(values))] = small(rng)
        del a.ints[:]
        a.ints.extend(values)
    elif a.type == AttributeProto.FLOAT:
        a.f = rng.choice(FLOATS)
    elif a.type == AttributeProto.STRING:
        a.s = rng.choice(WORDS).encode("latin1")
    else:
        return None
    return f"{node.op_type}.{a.name}"


@mutator
def attribute_type(_, graph, rng):
    node = some(rng, [n for n in graph.node if n.attribute])
    if node is None:
        return None
    a = rng.choice(node.attribute)
    a.type = rng.randrange(16)
    return f"{node.op_type}.{a.name} has type {a.type}"


@mutator
def attribute_list(_, graph, rng):
    node = some(rng, graph.node)
    if node is None:
        return None
    way = rng.randrange(4)
    if way == 0 and node.attribute:
        name = node.attribute.pop(rng.randrange(len(node.attribute))).name
        return f"{node.op_type} without {name}"
    if way == 1 and node.attribute:
        node.attribute.add().CopyFrom(rng.choice(node.attribute))
        return f"{node.op_type} has an attribute twice"
    if way == 2 and node.attribute:
        a = rng.choice(node.attribute)
        a.name = rng.choice(ATTRIBUTES)
        return f"{node.op_type}: attribute renamed {a.name}"
    value = rng.choice([small(rng), [small(rng) for _ in range(rng.randrange(5))] or [1], rng.choice(FLOATS), rng.choice(WORDS),
                        numpy_helper.from_array(np.array([1, 2, 3], np.int64))])
    a = helper.make_attribute(rng.choice(ATTRIBUTES), value)
    node.attribute.append(a)
    return f"{node.op_type}.{a.name} added"


@mutator
def value_shape(_, graph, rng):
    info = some(rng, [*graph.input, *graph.output, *graph.value_info])
    if info is None:
        return None
    shape = info.type.tensor_type.shape
    way = rng.randrange(6)
    if way == 0:
        info.type.tensor_type.ClearField("shape")
    elif way == 1 or not shape.dim:
        shape.dim.add().dim_value = small(rng)
    elif way == 2:
        del shape.dim[rng.randrange(len(shape.dim))]
    elif way == 3:
        rng.choice(shape.dim).dim_param = rng.choice(["N", "height", "x", ""])
    elif way == 4:
        rng.choice(shape.dim).Clear()
    else:
        rng.choice(shape.dim).dim_value = small(rng)
    return f"shape of a value, way {way}"


@mutator
def value_type(_, graph, rng):
    info = some(rng, [*graph.input, *graph.output, *graph.value_info])
    if info is None:
        return None
    if rng.random() < 0.8:
        info.type.tensor_type.elem_type = rng.choice([*range(25), -1, 1000])
        return f"value of type {info.type.tensor_type.elem_type}"
    kind = rng.choice(["sequence_type", "optional_type", "map_type", "sparse_tensor_type"])
    getattr(info.type, kind).SetInParent()
    return f"value of {kind}"


@mutator
def constant_values(_, graph, rng):
    tensor = some(rng, [t for t in graph.initializer if t.raw_data])
    if tensor is None:
        return None
    data = bytearray(tensor.raw_data)
    way = rng.choice(["fill", "flip", "short", "long", "empty", "wild"])
    if way == "fill":
        data = rng.choice([b"\0", b"\xff", b"\x80", b"\x7f"]) * len(data)
    elif way == "flip":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == "short":
        data = data[:rng.randrange(len(data))]
    elif way == "long":
        data += b"\1" * rng.choice([1, 4, 1000])
    elif way == "wild":
        data = rng.randbytes(len(data))
    else:
        data = b""
    tensor.raw_data = bytes(data)
    return f"constant {way}"


@mutator
def constant_shape(_, graph, rng):
    tensor = some(rng, graph.initializer)
    if tensor is None:
        return None
    dims = list(tensor.dims)
    way = rng.choice(["one", "add", "drop", "swap", "wrap"])
    if way == "one" and dims:
        dims[rng.randrange(len(dims))] = small(rng)
    elif way == "drop" and dims:
        dims.pop(rng.randrange(len(dims)))
    elif way == "swap":
        rng.shuffle(dims)
    elif way == "wrap":
        dims = [2**32, 2**32, *dims]
    else:
        dims.insert(rng.randrange(len(dims) + 1), rng.choice([1, 1, 0, 2, -1]))
    del tensor.dims[:]
    tensor.dims.extend(dims)
    return f"dims of a constant: {way}"


@mutator
def constant_type(_, graph, rng):
    tensor = some(rng, graph.initializer)
    if tensor is None:
        return None
    tensor.data_type = rng.choice([*range(25), -1, 1 << 30])
    return f"constant of type {tensor.data_type}"


@mutator
def constant_recast(_, graph, rng):
    """The same numbers in another type."""
    tensor = some(rng, [t for t in graph.initializer if t.raw_data])
    if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
        return None
    kind = rng.choice([np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float16, np.float64, bool])
    try:
        with np.errstate(all="ignore"):
            replace(tensor, numpy_helper.to_array(tensor).astype(kind))
    except (ValueError, TypeError):
        return None
    return f"constant becomes {np.dtype(kind)}"


@mutator
def constant_field(_, graph, rng):
    """Numbers in the field of another type, or in two fields."""
    tensor = some(rng, graph.initializer)
    if tensor is None:
        return None
    if rng.random() < 0.7:
        tensor.ClearField("raw_data")
    field = rng.choice(["int32_data", "int64_data", "float_data", "double_data", "uint64_data"])
    count = int(min(1000, np.prod(np.abs(np.array(list(tensor.dims), float))))) + rng.choice([0, 0, 1, -1])
    pool = FLOATS if "float" in field or "double" in field else [v for v in INTEGERS if 0 <= v < 2**31]
    getattr(tensor, field).extend(rng.choice(pool) for _ in range(count))
    return f"constant in {field}"


@mutator
def constant_outside(_, graph, rng):
    tensor = some(rng, graph.initializer)
    if tensor is None:
        return None
    del tensor.external_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    if rng.random() < 0.7:
        tensor.ClearField("raw_data")
    choices = {"location": ["w.bin", "w.bin", "m.onnx", "", "../x", "/dev/zero", "/dev/null", ".", "none.bin", "a\0b"],
               "offset": ["0", "8", "-1", "4096", "18446744073709551615", "x", ""],
               "length": ["0", "16", "-1", "64", "18446744073709551615", "x", "4294967296"]}
    for key, values in choices.items():
        if key == "location" and rng.random() < 0.95 or rng.random() < 0.6:
            tensor.external_data.add(key=key, value=rng.choice(values))
    return "constant outside the file"


@mutator
def scale(_, graph, rng):
    tensor, is_scale = parameter(graph, rng)
    if tensor is None or not tensor.raw_data:
        return None
    try:
        array = numpy_helper.to_array(tensor).copy()
    except (ValueError, TypeError):
        return None
    if not array.size:
        return None
    where = rng.randrange(array.size) if rng.random() < 0.5 else slice(None)
    if is_scale:
        value = rng.choice(FLOATS)
        array.reshape(-1)[where] = value
    else:
        value = rng.randrange(-2**63, 2**63) if array.dtype.kind in "iu" else 0
        array.reshape(-1)[where] = np.array(value & 0xff).astype(array.dtype)
    replace(tensor, array)
    return f"scale {value}" if is_scale else "zero point"


@mutator
def scale_shape(_, graph, rng):
    tensor, _ = parameter(graph, rng)
    if tensor is None or not tensor.raw_data:
        return None
    try:
        array = numpy_helper.to_array(tensor)
        replace(tensor, np.resize(array, rng.choice([(), (1,), (2,), (6,), (8,), (0,), (1, 1), (1, 8, 1, 1)])))
    except (ValueError, TypeError):
        return None
    return "shape of a scale or zero point"


@mutator
def operator(_, graph, rng):
    node = some(rng, graph.node)
    if node is None:
        return None
    old, node.op_type = node.op_type, rng.choice(OPERATORS)
    if rng.random() < 0.3:
        node.domain = rng.choice(["", "com.microsoft", "ai.onnx", "ai.onnx.ml", "x"])
    return f"{old} becomes {node.op_type}"


@mutator
def edge(_, graph, rng):
    node = some(rng, graph.node)
    if node is None:
        return None
    way = rng.randrange(6)
    if way == 0 and node.input:
        node.input.pop()
    elif way == 1:
        node.input.append(rng.choice([*names(graph), ""]))
    elif way == 2 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice([*names(graph), "new", ""])
    elif way == 3:
        node.output.append(rng.choice(["more", "", *names(graph)]))
    elif way == 4 and len(node.input) > 1:
        order = list(node.input)
        rng.shuffle(order)
        del node.input[:]
        node.input.extend(order)
    elif node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice([*names(graph), *names(graph), "", "unknown"])
    else:
        return None
    return f"edge of {node.op_type}, way {way}"


@mutator
def node_list(_, graph, rng):
    if not graph.node:
        return None
    at = rng.randrange(len(graph.node))
    op = graph.node[at].op_type
    way = rng.choice(["gone", "twice", "copy", "order", "name", "empty"])
    if way == "gone":
        del graph.node[at]
    elif way == "twice":
        graph.node.add().CopyFrom(graph.node[at])
    elif way == "copy":
        node = graph.node.add()
        node.CopyFrom(graph.node[at])
        for i, name in enumerate(node.output):
            node.output[i] = name + "_copy"
            graph.output.add(name=name + "_copy")
    elif way == "order":
        nodes = list(graph.node)
        rng.shuffle(nodes)
        graph.ClearField("node")
        graph.node.extend(nodes)
    elif way == "name":
        graph.node[at].name = rng.choice(NAMES)
    else:
        graph.ClearField("node")
    return f"node {op} {way}"
