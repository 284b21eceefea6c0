#!/usr/bin/env python3
"""Writes tests/golden/operators/producers/: what producers of quantized models write around the operators, each form as one
small model, its input, and what ONNX Runtime computes, within one step where it computes in float between quantizers.

`cargo test --test programs producers` compiles and runs them on every machine. Needs: numpy, onnx, onnxruntime
"""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

import exact
from cases import MS, TYPES, f, here, node

rng = np.random.default_rng(22)
folder = here / "producers"
folder.mkdir(parents=True, exist_ok=True)
half = np.float16


def write(name, kind, shape, nodes, constants, opset=17, functions=(), domains=(), s8=False, level="disable", out=None):
    """A model with one integer input `x` and one integer output `y`."""
    dtype, elem, lo, hi = TYPES[kind]
    x = rng.integers(lo, hi, shape).astype(dtype)
    used = {i for n in nodes for i in n.input}
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", elem, shape)],
        [helper.make_tensor_value_info("y", TYPES[out or kind][1], None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if k in used])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MS, 1), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10 if opset < 24 else 12)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    whole = level == "all"
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_ENABLE_ALL if whole else ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    extra = ""
    if s8:
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        extra = ", session.qdqisint8allowed=1"
    session = exact.session(model, options)
    y = session.run(None, {"x": x})[0]
    assert len(np.unique(y)) > 20 or y.size < 40, f"{name}: {np.unique(y)}"
    onnx.save(model, folder / f"{name}.onnx")
    np.save(folder / f"{name}.npy", x)
    np.save(folder / f"{name}.y.npy", y)
    (folder / f"{name}.expected.toml").write_text(
        f'# Written by tools/golden/producers.py.\nmodel = "{name}.onnx"\ninput = "{name}.npy"\n'
        f'oracle = "ONNX Runtime {ort.__version__}, {"ORT_ENABLE_ALL" if whole else "ORT_DISABLE_ALL"}{extra}"\nwithin = 1\n\n'
        f'[values]\n"y" = "{name}.y.npy"\n')


def dq(name, more="", to=None, **attributes):
    return node("DequantizeLinear", f"{name} s{name} z{name}", to or f"{name}_real", **attributes)


def q(name, to="y", by=None, **attributes):
    by = by or to
    return node("QuantizeLinear", f"{name} s{by} z{by}", to, **attributes)


def byte(kind, number):
    return TYPES[kind][0](number)


def weights(shape, high=64):
    """8-bit weights whose sums do not saturate the 16-bit pairs of CPUs without VNNI."""
    return rng.integers(-high, high, shape).astype(np.int8)


def scales(count, low, high):
    return rng.uniform(low, high, count).astype(f)


# NNCF: activations with a scale for each channel before depthwise convolutions
for kind in ["u8", "s8"]:
    for form in ["same_zero", "own_zero"]:
        low = TYPES[kind][2]
        zt = np.full(6, byte(kind, low)) if form == "same_zero" else (low + rng.integers(0, 200, 6)).astype(TYPES[kind][0])
        c = {"sx": f(0.02), "zx": byte(kind, low + 128), "w": weights((6, 4, 3, 3)), "sw": scales(6, 0.002, 0.006), "zw": np.zeros(6, np.int8),
             "b": scales(6, -0.5, 0.5), "st": scales(6, 0.004, 0.02), "zt": zt,
             "d": weights((6, 1, 3, 3)), "sd": scales(6, 0.002, 0.006), "zd": np.zeros(6, np.int8), "e": scales(6, -0.5, 0.5),
             "sy": f(0.012), "zy": byte(kind, low + 120)}
        head = [dq("x"), dq("w", axis=0), node("Conv", "x_real w_real b", "c", pads=[1, 1, 1, 1])]
        tail = [dq("d", axis=0), node("Conv", "p d_real e", "o", group=6), q("o")]
        middle = [] if form == "own_zero" else [node("Relu", "c", "r")]
        write(f"channels_depthwise_{form}_{kind}", kind, (1, 4, 9, 10),
              head + middle + [q("r" if middle else "c", "t", axis=1), dq("t", axis=1), node("MaxPool", "t_real", "p", kernel_shape=[2, 2])] + tail,
              c, s8=kind == "s8")
        # of a function, and read by one
        write(f"channels_function_{form}_{kind}", kind, (1, 4, 9, 10),
              head + [node("HardSwish", "c", "h"), q("h", "t", axis=1), dq("t", axis=1), node("Sigmoid", "t_real", "o"), q("o")],
              {**c, "sy": f(1 / 250), "zy": byte(kind, low)}, s8=kind == "s8")
# modelopt: scales, biases and what stays float in half precision
for kind in ["s8", "u8"]:
    low = TYPES[kind][2]
    c = {"sx": half(0.02), "zx": byte(kind, low + 128), "w": weights((8, 3, 3, 3)), "sw": scales(8, 0.002, 0.006).astype(half), "zw": np.zeros(8, np.int8),
         "b": scales(8, -0.5, 0.5).astype(half), "one": half(0.75), "sy": half(0.02), "zy": byte(kind, low + 120)}
    write(f"half_conv_{kind}", kind, (1, 3, 9, 10),
          [dq("x"), dq("w", axis=0), node("Conv", "x_real w_real b", "c"), node("Relu", "c", "r"), node("Sub", "r one", "o"), q("o")], c, opset=19)
# local functions, with an attribute and a call inside
act = helper.make_function("own", "Act", ["a"], ["b"], [
    helper.make_node("LeakyRelu", ["a"], ["t"]), helper.make_node("Shift", ["t"], ["b"], domain="own")],
    [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)], ["slope"])
reference = act.node[0].attribute.add()
reference.name, reference.type, reference.ref_attr_name = "alpha", onnx.AttributeProto.FLOAT, "slope"
shift = helper.make_function("own", "Shift", ["a"], ["b"], [
    helper.make_node("Constant", [], ["k"], value_float=0.25), helper.make_node("Add", ["a", "k"], ["b"])], [helper.make_opsetid("", 17)])
fake = helper.make_function("own", "FakeQuantize", ["a", "s", "z"], ["b"], [
    helper.make_node("QuantizeLinear", ["a", "s", "z"], ["t"]), helper.make_node("DequantizeLinear", ["t", "s", "z"], ["b"])],
    [helper.make_opsetid("", 17)])
c = {"sx": f(0.02), "zx": np.uint8(128), "w": weights((8, 3, 3, 3)), "sw": f(0.004), "zw": np.int8(0), "sy": f(0.02), "zy": np.uint8(100), "st": f(0.02), "zt": np.uint8(90)}
write("functions", "u8", (1, 3, 9, 10),
      [dq("x"), dq("w"), node("Conv", "x_real w_real", "c"), node("FakeQuantize", "c st zt", "k", domain="own"),
       node("Act", "k", "o", domain="own", slope=0.125), q("o")], c, functions=[act, shift, fake], domains=["own"])
# five axes and more, along which operands broadcast
for form, a, b in [("alternating", (2, 1, 2, 1, 2), (2, 3, 2, 3, 2)), ("both", (2, 1, 3, 4, 5), (2, 2, 3, 1, 5)), ("ones", (1, 3, 4, 5, 6), (1, 3, 1, 1, 1)),
                   ("fewer", (2, 3, 4, 5, 6), (4, 1, 6)), ("six", (1, 2, 1, 2, 1, 2), (3, 2, 3, 2, 2, 2)), ("outer", (2, 3, 1, 5, 1), (1, 1, 4, 1, 6))]:
    for op in ["Add", "Mul"]:
        c = {"sx": f(0.02), "zx": np.uint8(120), "k": rng.integers(0, 256, b).astype(np.uint8), "sk": f(0.03), "zk": np.uint8(101), "sy": f(0.06), "zy": np.uint8(128)}
        write(f"axes_{form}_{op.lower()}", "u8", a, [dq("x"), dq("k"), node(op, "x_real k_real", "o"), q("o")], c)
    c["k"] = scales(int(np.prod(b)), -2, 2).reshape(b)
    write(f"axes_{form}_float", "u8", a, [dq("x"), node("Sub", "x_real k", "o"), q("o")], {**c, "sy": f(0.04)})
# Gemm with all that it can have
for kind in ["u8", "s8"]:
    low = TYPES[kind][2]
    for form, shape, wshape, attributes, bias in [
            ("alpha", (5, 37), (37, 19), {"alpha": 0.5}, (19,)), ("beta", (5, 37), (37, 19), {"beta": 0.25}, (19,)),
            ("transa", (37, 5), (37, 19), {"transA": 1}, (19,)), ("all", (37, 5), (19, 37), {"transA": 1, "transB": 1, "alpha": 1.5, "beta": -2.0}, (5, 19)),
            ("beta_zero", (5, 37), (37, 19), {"beta": 0.0}, (19,))]:
        c = {"sx": f(0.02), "zx": byte(kind, low + 130), "w": weights(wshape), "sw": f(0.004), "zw": np.int8(0),
             "b": scales(int(np.prod(bias)), -1, 1).reshape(bias), "sy": f(0.03), "zy": byte(kind, low + 125)}
        write(f"gemm_{form}_{kind}", kind, shape, [dq("x"), dq("w"), node("Gemm", "x_real w_real b", "o", **attributes), q("o")], c, s8=kind == "s8")
c = {"sx": f(0.02), "zx": np.uint8(130), "b": scales(9, -1, 1), "st": f(0.01), "zt": np.uint8(0), "sy": f(0.2), "zy": np.uint8(20)}
write("gemm_of_two", "u8", (9, 7), [dq("x"), node("Abs", "x_real", "a"), q("a", "t"), dq("t"),
                                    node("Gemm", "x_real t_real b", "o", transB=1, alpha=2.0, beta=0.5), q("o")], c)
# matrix weights with an axis of one in front, and a scale for each column
c = {"sx": f(0.02), "zx": np.uint8(130), "w": weights((1, 37, 19)), "sw": scales(19, 0.002, 0.006), "zw": np.zeros(19, np.int8), "sy": f(0.03), "zy": np.uint8(125)}
write("matmul_weights_3d", "u8", (2, 5, 37), [dq("x"), dq("w", axis=2), node("MatMul", "x_real w_real", "o"), q("o")], c)
# weights of 16 bits whose zero points differ from channel to channel
z = (32768 + rng.integers(-500, 500, 8)).astype(np.uint16)
c = {"sx": f(0.02), "zx": np.uint8(130), "w": (z.reshape(8, 1, 1, 1) + rng.integers(-20000, 20000, (8, 3, 3, 3))).astype(np.uint16), "sw": scales(8, 1e-5, 3e-5), "zw": z,
     "sy": f(0.03), "zy": np.uint8(125)}
write("weights_u16_own_zero", "u8", (1, 3, 9, 10), [dq("x"), dq("w", axis=0), node("Conv", "x_real w_real", "o"), q("o")], c, opset=21)
# 8-bit weights whose zero points differ, with and without room for one zero point
for form, high in [("narrow", 100), ("wide", 128)]:
    z = rng.integers(-20, 20, 8).astype(np.int8)
    w = np.clip(z.reshape(8, 1, 1, 1).astype(int) + rng.integers(-high, high, (8, 3, 3, 3)), -128, 127).astype(np.int8)
    c = {"sx": f(0.02), "zx": np.uint8(130), "w": w, "sw": scales(8, 0.002, 0.004), "zw": z, "sy": f(0.03), "zy": np.uint8(125)}
    write(f"weights_s8_own_zero_{form}", "u8", (1, 3, 9, 10), [dq("x"), dq("w", axis=0), node("Conv", "x_real w_real", "o"), q("o")], c)
# products whose results stay float, read by an operator that runs on the host
c = {"sx": f(0.02), "zx": np.uint8(130), "w": weights((37, 19)), "sw": f(0.004), "zw": np.int8(0), "g": weights(19), "sg": f(0.01), "zg": np.int8(0),
     "b": rng.integers(-3000, 3000, 19).astype(np.int32), "sb": f(0.0001), "zb": np.int32(0), "sy": f(0.02), "zy": np.uint8(125)}
write("float_result_matmul", "u8", (5, 37),
      [dq("x"), dq("w"), node("MatMul", "x_real w_real", "m"), node("Relu", "m", "r"), dq("g"), dq("b"),
       node("LayerNormalization", "r g_real b_real", "o", axis=-1), q("o")], c)
c = {**c, "w": weights((8, 3, 3, 3)), "scale": scales(8, 0.5, 1), "shift": scales(8, -0.5, 0.5)}
write("float_result_conv", "u8", (1, 3, 9, 10),
      [dq("x"), dq("w"), node("Conv", "x_real w_real", "m"), node("InstanceNormalization", "m scale shift", "o"), q("o")], c)
# what TensorRT's users write: quantizers in front of products alone
c = {"sx": f(0.02), "zx": np.uint8(130), "w": weights((8, 3, 3, 3)), "sw": scales(8, 0.002, 0.006), "zw": np.zeros(8, np.int8), "b": scales(8, -0.5, 0.5),
     "sy": f(0.012), "zy": np.uint8(20), "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]), "three": f(0.3), "low": f(0.5), "high": f(2.5)}
head = [dq("x"), dq("w", axis=0), node("Conv", "x_real w_real b", "c")]
write("products_maxpool", "u8", (1, 3, 9, 10),
      head + [node("Relu", "c", "r"), node("MaxPool", "r", "o", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), q("o")], c)
write("products_pad", "u8", (1, 3, 9, 10), head + [node("Pad", "c pads three", "p"), node("Clip", "p low high", "o"), q("o")], c)
write("products_residual", "u8", (1, 3, 9, 10), head + [node("Conv", "x_real w_real", "d"), node("Add", "c d", "a"), node("Relu", "a", "o"), q("o")], c)
# the opsets before and after those of wider.py
for opset in [10, 24, 25, 26]:
    clip = node("Clip", "c", "k", min=-0.5, max=1.5) if opset < 11 else node("Clip", "c low high", "k")
    pad = node("Pad", "k", "p", pads=[0, 0, 1, 0, 0, 0, 0, 2]) if opset < 11 else node("Pad", "k pads", "p")
    squeeze = node("Squeeze", "g", "o", axes=[2, 3]) if opset < 13 else node("Squeeze", "g axes", "o")
    c = {**c, "sw": f(0.004), "zw": np.int8(0), "low": f(-0.5), "high": f(1.5), "axes": np.array([2, 3]), "st": f(0.01), "zt": np.uint8(60), "sy": f(0.003), "zy": np.uint8(100),
         "w": weights((40, 3, 3, 3)), "b": scales(40, -0.5, 0.5)}
    write(f"opset_{opset}", "u8", (1, 3, 9, 10), [dq("x"), dq("w"), node("Conv", "x_real w_real b", "c"), clip, pad, q("p", "t"), dq("t"),
          node("GlobalAveragePool", "t_real", "g"), squeeze, q("o")], c, opset=opset)
# scales for each row of weights on the left, and of transposed convolutions in groups
c = {"sx": f(0.02), "zx": np.uint8(130), "w": weights((19, 37)), "sw": scales(19, 0.002, 0.006), "zw": np.zeros(19, np.int8), "sy": f(0.03), "zy": np.uint8(125)}
write("matmul_rows", "u8", (2, 37, 5), [dq("x"), dq("w", axis=0), node("MatMul", "w_real x_real", "o"), q("o")], c)
for form, axis, count, shape in [("groups", 1, 3, (6, 3, 3, 3)), ("depthwise", 0, 6, (6, 1, 3, 3))]:
    c = {**c, "w": weights(shape), "sw": scales(count, 0.002, 0.006), "zw": np.zeros(count, np.int8)}
    write(f"convtranspose_{form}", "u8", (1, 6, 7, 8),
          [dq("x"), dq("w", axis=axis), node("ConvTranspose", "x_real w_real", "o", group=2 if form == "groups" else 6, strides=[2, 2]), q("o")], c)
print(len(list(folder.glob("*.onnx"))), "models")
