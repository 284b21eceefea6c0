"""Weights of a quantized ONNX network: bytes of integer weights and biases as an accelerator keeps them."""
import onnx

MATRICES = ("Conv", "ConvTranspose", "Gemm", "MatMul")
PASSED = ("DequantizeLinear", "Transpose")


def weight_kib(path):
    """KiB of all constants that convolutions and matrix products read: 1 byte a weight, 4 a bias."""
    graph = onnx.load(path).graph
    constants = {c.name: c for c in graph.initializer}
    constants |= {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant"}
    made_by = {output: node for node in graph.node for output in node.output}
    counted = {}
    for node in graph.node:
        if node.op_type not in MATRICES:
            continue
        for at, name in enumerate(node.input):
            while name not in constants and name in made_by and made_by[name].op_type in PASSED:
                name = made_by[name].input[0]
            if name in constants:
                size = 1
                for extent in constants[name].dims:
                    size *= extent
                counted[name] = size * (4 if at == 2 else 1)
    return sum(counted.values()) / 1024
