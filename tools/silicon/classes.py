"""Classes of layers: which of them a residual comes from.

The report of `estimate` names a layer's kind and its ONNX nodes; groups, dilations and extents are in the graph.
"""
import onnx

BY_KIND = {
    "conv": "convolution", "gemm": "matrix product", "matmul": "attention", "softmax": "attention",
    "lane": "normalization", "gavgpool": "pooling", "maxpool": "pooling", "avgpool": "pooling", "resize": "resize",
    "convtranspose": "transposed convolution", "reshape": "rearrangement", "transpose": "rearrangement",
    "move": "rearrangement", "concat": "rearrangement", "slice": "rearrangement", "add": "elementwise",
    "mul": "elementwise", "table": "elementwise", "quantize": "conversion", "dequantize": "conversion",
}


def extents(value):
    return [d.dim_value for d in value.type.tensor_type.shape.dim]


def node_classes(model):
    """Of nodes for which the kind of their layer says too little: {node: class}."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {v.name: extents(v) for v in [*graph.value_info, *graph.input, *graph.output]}
    shapes |= {c.name: list(c.dims) for c in graph.initializer}
    shapes |= {n.output[0]: list(n.attribute[0].t.dims) for n in graph.node if n.op_type == "Constant"}
    out = {}
    for node in graph.node:
        inputs = [shapes.get(name, []) for name in node.input]
        if node.op_type == "Conv":
            out[node.name] = convolution(node, inputs)
        elif node.op_type == "Mul" and len(inputs) == 2 and all(len(s) == 4 for s in inputs):
            if inputs[0][2:] != inputs[1][2:] and [1, 1] in (inputs[0][2:], inputs[1][2:]):
                out[node.name] = "squeeze and excite"
    return out


def convolution(node, inputs):
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    group = attributes.get("group", 1)
    if inputs[0][2:] == [1, 1]:
        return "squeeze and excite"
    if max(attributes.get("dilations", [1])) > 1:
        return "dilated"
    if group > 1:
        return "depthwise" if len(inputs[0]) > 1 and group == inputs[0][1] else "grouped"
    return "pointwise" if max(attributes.get("kernel_shape", [3])) == 1 else "convolution"


def class_of(layer, nodes):
    for node in layer["onnx_nodes"]:
        if node in nodes:
            return nodes[node]
    return BY_KIND.get(layer["kind"], layer["kind"])
