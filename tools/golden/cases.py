"""What the scripts that write tests/golden/operators/ share: a model of one input and one output, run by ONNX Runtime."""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort
import xxhash
from onnx import TensorProto, helper, numpy_helper

import exact

rng = np.random.default_rng(2026)
here = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/operators"
# The folder of a case, by the first word of its name.
FAMILIES = {word: family for family, words in {
    "arithmetic": "add axes batchnormalization constant div max min mul pow prelu qlinearadd qlinearmul sub",
    "convolution": "conv convtranspose pruned qlinearconv",
    "function": "abs ceil cos elu erf exp floor gelu hardsigmoid hardswish leakyrelu log mish neg qlinearleakyrelu qlinearsigmoid "
                "reciprocal relu round selu sigmoid sin softplus softsign sqrt swish tanh",
    "graph": "if narrowed opset quantizers",
    "matrix": "gemm matmul matmulinteger product qgemm qlinearmatmul",
    "movement": "depthtospace expand flatten gather identity pad qlinearconcat reshape slice spacetodepth split squeeze tile "
                "transpose unsqueeze windows",
    "pooling": "averagepool globalaveragepool globalmaxpool maxpool qlinearaveragepool qlinearglobalaveragepool signal",
    "reduction": "qlinearsoftmax reducemax reducemean reducesum softmax",
    "resize": "resize",
}.items() for word in words.split()}
f = np.float32
TYPES = {
    "u8": (np.uint8, TensorProto.UINT8, 0, 256), "s8": (np.int8, TensorProto.INT8, -128, 128),
    "u16": (np.uint16, TensorProto.UINT16, 0, 65536), "s16": (np.int16, TensorProto.INT16, -32768, 32768),
}
MS = "com.microsoft"


def case(name, kind, shape, nodes, constants, qdq=False, opset=17, out=None, within=0, level="all"):
    """A model with one integer input `x` and one integer output `y`."""
    folder = here / FAMILIES[name.split("_")[0]]
    folder.mkdir(parents=True, exist_ok=True)
    written = f'# Written by tools/golden/{pathlib.Path(sys.argv[0]).name}.\n'
    dtype, elem, lo, hi = TYPES[kind]
    x = rng.integers(lo, hi, shape).astype(dtype)
    constants = {k: np.asarray(v) for k, v in constants.items()}
    used = {i for n in nodes for i in n.input}
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", elem, shape)], [helper.make_tensor_value_info("y", out or elem, None)],
        [numpy_helper.from_array(v, k) for k, v in constants.items() if k in used])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MS, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = (ort.GraphOptimizationLevel.ORT_ENABLE_ALL if level == "all"
                                        else ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    named = "ORT_ENABLE_ALL" if level == "all" else "ORT_DISABLE_ALL"
    extra = ""
    if qdq and kind == "s8":
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        extra = ", session.qdqisint8allowed=1"
    session = exact.session(model, options)
    y = session.run(None, {"x": x})[0]
    onnx.save(model, folder / f"{name}.onnx")
    np.save(folder / f"{name}.npy", x)
    if within:
        np.save(folder / f"{name}.y.npy", y)
        (folder / f"{name}.expected.toml").write_text(
            f'{written}model = "{name}.onnx"\ninput = "{name}.npy"\n'
            f'oracle = "ONNX Runtime {ort.__version__}, {named}{extra}"\nwithin = {within}\n\n'
            f'[values]\n"y" = "{name}.y.npy"\n')
        return
    digest = xxhash.xxh3_64(np.ascontiguousarray(y).tobytes()).hexdigest()
    (folder / f"{name}.expected.toml").write_text(
        f'{written}model = "{name}.onnx"\ninput = "{name}.npy"\n'
        f'oracle = "ONNX Runtime {ort.__version__}, {named}{extra}"\n\n[tensors]\n"y" = "{digest}"\n')


def scale(times=1.0):
    return f(rng.uniform(0.5, 2) / 64 * times)


def zero(kind):
    return TYPES[kind][0](rng.choice([0, 255, 128, 7] if kind == "u8" else [-128, 127, 0, 5]))


def quant(kind, times=1.0):
    return {"sx": scale(), "zx": zero(kind), "sy": scale(times), "zy": zero(kind)}


def node(op, inputs, output="y", **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def dq(name, scale_name, zero_name, **attributes):
    return node("DequantizeLinear", f"{name} {scale_name} {zero_name}", name + "_real", **attributes)


def q(name):
    return node("QuantizeLinear", f"{name} sy zy")
