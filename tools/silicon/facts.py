"""What the fit needs to know of a network file besides cycles."""
import dataclasses

import onnx

from classes import node_classes
from count import weight_kib

BYTES = {onnx.TensorProto.FLOAT: 4, onnx.TensorProto.INT32: 4, onnx.TensorProto.INT64: 8}


@dataclasses.dataclass
class Facts:
    moved: int  # bytes of inputs and outputs
    weights: int  # bytes of weights and biases
    nodes: dict  # classes of nodes


def size(value):
    out = BYTES.get(value.type.tensor_type.elem_type, 1)
    for extent in value.type.tensor_type.shape.dim:
        out *= extent.dim_value
    return out


def facts(path):
    model = onnx.load(path)
    given = {c.name for c in model.graph.initializer}
    moved = sum(size(v) for v in [*model.graph.input, *model.graph.output] if v.name not in given)
    return Facts(moved, round(weight_kib(path) * 1024), node_classes(model))
