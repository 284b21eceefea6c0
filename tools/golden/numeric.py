#!/usr/bin/env python3
"""Writes tests/golden/numeric.json: what ONNX Runtime's integer operators compute, case by case.

tests/it/numeric.rs holds src/numeric against it. Random values with a fixed seed, ties and extremes among them.
Needs: pip install numpy onnx onnxruntime
"""
import json
import pathlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(2026)
U8, F32, S32 = TensorProto.UINT8, TensorProto.FLOAT, TensorProto.INT32


def run(nodes, inputs, constants, out, out_type=U8):
    """Runs some nodes; constants are initializers, so that the integer kernels are used."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()],
        [helper.make_tensor_value_info(out, out_type, None)],
        [numpy_helper.from_array(v, k) for k, v in constants.items()])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run([out], inputs)[0]


def f(x):
    return np.float32(x)


def scale():
    return f(rng.uniform(0.5, 2.0) * 2.0 ** int(rng.integers(-7, 1)))


def bits(x):
    """Floats as their bits: JSON keeps them exactly."""
    return [int(v) for v in np.asarray(x, np.float32).ravel().view(np.uint32)]


cases = {}

# requantize: a convolution whose input is its zero point gives the bias as accumulator, one channel a case.
n = 600
acc = np.concatenate([rng.integers(-(2**31), 2**31, n // 3), rng.integers(-40000, 40000, n // 3),
                      np.arange(-(n // 6), n // 6)]).astype(np.int32)
m = np.concatenate([f(rng.uniform(1e-8, 1e-6, n // 3)), f(rng.uniform(1e-3, 1e-1, n // 3)), np.full(n // 3, f(0.5))])
y = run([helper.make_node("QLinearConv", ["x", "one", "z", "w", "ws", "wz", "one", "zy", "b"], ["y"])],
        {"x": np.full((1, 1, 1, 1), 7, np.uint8)},
        {"one": f(1), "z": np.uint8(7), "w": np.ones((n, 1, 1, 1), np.int8), "ws": m, "wz": np.zeros(n, np.int8),
         "zy": np.uint8(99), "b": acc}, "y")
cases["requantize"] = {"acc": acc.tolist(), "m": bits(m), "zero_point": 99, "y": y.ravel().tolist()}

for name, op in [("add", "QLinearAdd"), ("mul", "QLinearMul")]:
    rows = []
    for _ in range(12):
        a, b = rng.integers(0, 256, (2, 60)).astype(np.uint8)
        a[:4], b[:4] = [0, 255, 0, 255], [0, 0, 255, 255]
        sa, sb, sy = scale(), scale(), scale()
        za, zb, zy = (np.uint8(v) for v in rng.choice([0, 255, 128, 3, 200], 3))
        y = run([helper.make_node(op, ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"], ["y"], domain="com.microsoft")],
                {"a": a, "b": b}, {"sa": sa, "za": za, "sb": sb, "zb": zb, "sy": sy, "zy": zy}, "y")
        rows.append({"a": a.tolist(), "b": b.tolist(), "scales": bits([sa, sb, sy]),
                     "zero_points": [int(za), int(zb), int(zy)], "y": y.tolist()})
    cases[name] = rows

rows = []
for _ in range(8):
    s, z = scale(), np.uint8(rng.choice([0, 255, 128, 7]))
    x = np.concatenate([f(rng.uniform(-300, 300, 40)) * s, (np.arange(-20, 20) + f(0.5)) * s,
                        f([np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0])]).astype(np.float32)
    y = run([helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])], {"x": x}, {"s": s, "z": z}, "y")
    back = run([helper.make_node("DequantizeLinear", ["y", "s", "z"], ["r"])], {"y": y}, {"s": s, "z": z}, "r", F32)
    rows.append({"x": bits(x), "scale": bits([s])[0], "zero_point": int(z), "y": y.tolist(), "back": bits(back)})
cases["quantize"] = rows

rows = []
for _ in range(8):
    h, w = (int(v) for v in rng.integers(1, 9, 2))
    x = rng.integers(0, 256, (1, 16, h, w)).astype(np.uint8)
    sx, sy, zx, zy = scale(), scale(), np.uint8(rng.choice([0, 255, 128])), np.uint8(rng.choice([0, 255, 100]))
    quant = {"sx": sx, "zx": zx, "sy": sy, "zy": zy}
    common = {"x": x.tolist()[0], "scales": bits([sx, sy]), "zero_points": [int(zx), int(zy)]}
    gap = run([helper.make_node("QLinearGlobalAveragePool", ["x", "sx", "zx", "sy", "zy"], ["y"],
                                domain="com.microsoft", channels_last=0)], {"x": x}, quant, "y")
    avg = run([helper.make_node("QLinearAveragePool", ["x", "sx", "zx", "sy", "zy"], ["y"], domain="com.microsoft",
                                kernel_shape=[h, w])], {"x": x}, quant, "y")
    rows.append({**common, "global": gap.ravel().tolist(), "average": avg.ravel().tolist()})
cases["average"] = rows

text = json.dumps({"oracle": f"ONNX Runtime {ort.__version__}", **cases}, separators=(",", ":"))
path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/numeric.json"
path.write_text(text + "\n")
print(path, len(text), "bytes")
