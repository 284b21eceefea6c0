"""More changes that mostly leave operator models valid: types, operators, edges, neighbours, versions."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from onnx_mutators import names, replace, some
from operator_mutators import CHANGES, FAMILIES, SWAPS, arrays, change, quantizer_parts


@change
def signs(model, rng):
    """One type of integers becomes the other of its width, everywhere or in one tensor."""
    graph = model.graph
    kind = rng.choice(list(SWAPS))
    values = [v for v in [*graph.input, *graph.output, *graph.value_info] if v.type.tensor_type.elem_type == kind]
    tensors = [t for t in arrays(graph, "iu") if t.data_type == kind]
    if not values and not tensors:
        return None
    whole = rng.random() < 0.6
    if not whole:
        tensors, values = tensors[:1], []
    new = helper.tensor_dtype_to_np_dtype(SWAPS[kind])
    for value in values:
        value.type.tensor_type.elem_type = SWAPS[kind]
    for tensor in tensors:
        replace(tensor, numpy_helper.to_array(tensor).view(new))
    return f"{'all' if whole else 'one'} become {new}"


@change
def widths(model, rng):
    """Zero points of 8 bits get 16, everywhere or in one quantizer."""
    graph = model.graph
    kind = rng.choice([TensorProto.UINT8, TensorProto.INT8])
    new = rng.choice([TensorProto.UINT16, TensorProto.INT16])
    tensors = [t for t in quantizer_parts(graph)[1] if t.data_type == kind]
    if not tensors:
        return None
    values = [v for v in [*graph.input, *graph.output] if v.type.tensor_type.elem_type == kind]
    if rng.random() < 0.4:
        tensors, values = [rng.choice(tensors)], list(graph.output)
    for value in values:
        value.type.tensor_type.elem_type = new
    for tensor in tensors:
        replace(tensor, numpy_helper.to_array(tensor).astype(helper.tensor_dtype_to_np_dtype(new)))
    return f"zero points of {new}"


@change
def operator(model, rng):
    """Another operator of the family."""
    found = [(n, f) for n in model.graph.node for f in FAMILIES if n.op_type in f]
    if not found:
        return None
    node, family = rng.choice(found)
    old, node.op_type = node.op_type, rng.choice(family)
    return f"{old} becomes {node.op_type}"


@change
def optional(model, rng):
    """An input less, or an empty one."""
    node = some(rng, [n for n in model.graph.node if len(n.input) > 1])
    if node is None:
        return None
    if rng.random() < 0.5:
        node.input.pop()
        return f"{node.op_type} with {len(node.input)} inputs"
    at = rng.randrange(1, len(node.input))
    node.input[at] = ""
    return f"{node.op_type} with input {at} empty"


@change
def operands(model, rng):
    """Operands change places, or one stands for both."""
    node = some(rng, [n for n in model.graph.node if len(n.input) > 1])
    if node is None:
        return None
    one, other = (0, 1) if rng.random() < 0.5 else rng.sample(range(len(node.input)), 2)
    if rng.random() < 0.4:
        node.input[one] = node.input[other]
    else:
        node.input[one], node.input[other] = node.input[other], node.input[one]
    return f"operands {one} and {other} of {node.op_type}"


@change
def neighbour(model, rng):
    """An operator more between two."""
    graph = model.graph
    at = rng.randrange(len(graph.node))
    node = graph.node[at]
    if not node.input or not node.input[0]:
        return None
    op = rng.choice(["Relu", "Clip", "Identity", "Transpose", "LeakyRelu", "Sigmoid", "Neg", "Abs", "MaxPool", "Softmax",
                     "Flatten", "Dropout", "Cast", "GlobalAveragePool", "Squeeze", "Add", "Mul", "Concat", "ReduceMax"])
    attributes = {"LeakyRelu": {"alpha": 0.1}, "MaxPool": {"kernel_shape": [2, 2]}, "Cast": {"to": 1}, "Concat": {"axis": 1}}
    source = [node.input[0]] * (2 if op in ("Add", "Mul", "Concat") else 1)
    if op == "Clip":
        for name, value in [("clip_lo", -1.5), ("clip_hi", rng.choice([6.0, 1.0, -2.0]))]:
            graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
            source.append(name)
    graph.node.insert(at, helper.make_node(op, source, ["between"], **attributes.get(op, {})))
    graph.node[at + 1].input[0] = "between"
    return f"{op} before {node.op_type}"


@change
def bypass(model, rng):
    """An operator less."""
    graph = model.graph
    node = some(rng, [n for n in graph.node if n.input and n.output and n.input[0]])
    if node is None or len(graph.node) < 2:
        return None
    inside, outside, op = node.input[0], node.output[0], node.op_type
    graph.node.remove(node)
    for other in graph.node:
        for i, name in enumerate(other.input):
            if name == outside:
                other.input[i] = inside
        for i, name in enumerate(other.output):
            if name == inside and any(o.name == outside for o in graph.output):
                other.output[i] = outside
    return f"no {op}"


@change
def version(model, rng):
    at = some(rng, [o for o in model.opset_import if o.domain in ("", "ai.onnx")])
    if at is None:
        return None
    at.version = rng.randint(11, 23)
    return f"opset {at.version}"


@change
def output(model, rng):
    """A value inside becomes an output, too."""
    known = {o.name for o in model.graph.output} | {t.name for t in model.graph.initializer}
    name = some(rng, [n for n in names(model.graph) if n and n not in known])
    if name is None:
        return None
    model.graph.output.add(name=name)
    return "one more output"


@change
def edge(model, rng):
    """Another value as input."""
    node = some(rng, [n for n in model.graph.node if n.input])
    if node is None:
        return None
    at = rng.randrange(len(node.input))
    node.input[at] = rng.choice(names(model.graph))
    return f"input {at} of {node.op_type}"


@change
def constant_node(model, rng):
    """An initializer becomes a Constant, or an input that has a default."""
    tensor = some(rng, model.graph.initializer)
    if tensor is None:
        return None
    if rng.random() < 0.5:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        return "default of an input"
    model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    model.graph.initializer.remove(tensor)
    return "Constant"


@change
def activation(model, rng):
    """A constant operand becomes an input."""
    parts = {t.name for group in quantizer_parts(model.graph) for t in group}
    tensor = some(rng, [t for t in arrays(model.graph) if t.name not in parts and t.data_type != TensorProto.INT64])
    if tensor is None:
        return None
    model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    model.graph.initializer.remove(tensor)
    return f"{tensor.name} is an input"


def mutate(model, rng):
    """One change of a model, and what it was."""
    for _ in range(20):
        made = rng.choice(CHANGES)
        try:
            note = made(model, rng)
        except (TypeError, ValueError, OverflowError):
            continue  # Shapes that do not fit, numbers that do not fit their field.
        if note:
            return made.__name__, note
    return "nothing", "nothing"
