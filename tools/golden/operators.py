#!/usr/bin/env python3
"""Writes tests/golden/operators/: one small model for each form of each operator, its input, and what ONNX Runtime
computes (ORT_ENABLE_ALL; models with s8 activations in QDQ form with session.qdqisint8allowed=1). `wider.py` writes more.

`cargo test --test programs operators` compiles and runs them on every machine. Needs: numpy, onnx, onnxruntime, xxhash
"""
import numpy as np

from cases import MS, TYPES, case, dq, f, here, node, q, quant, rng, scale, zero

FORMS = {
    "plain": {}, "groups": {"group": 2}, "depthwise": {"group": 6}, "dilated": {"dilations": [2, 1]},
    "pads": {"pads": [1, 0, 2, 1]}, "same_upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same_lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, "stride_over_kernel": {"strides": [4, 5]},
}
for kind, wkind in [("u8", "s8"), ("s8", "s8"), ("u8", "u8")]:
    for i, (form, attributes) in enumerate(FORMS.items()):
        oc, per_channel = (6 if form == "depthwise" else 8), i % 2 == 0
        w = rng.integers(*TYPES[wkind][2:], (oc, 6 // attributes.get("group", 1), 3, 3)).astype(TYPES[wkind][0])
        sw = np.array([scale() for _ in range(oc)], f) if per_channel else scale()
        zw = TYPES[wkind][0](131 if wkind == "u8" else 0)
        c = {**quant(kind, 6), "w": w, "sw": sw, "zw": np.full(oc, zw) if per_channel else zw,
             "b": rng.integers(-3000, 3000, oc).astype(np.int32)}
        case(f"qlinearconv_{form}_{kind}{wkind}", kind, (1, 6, 11, 13),
             [node("QLinearConv", "x sx zx w sw zw sy zy b", **attributes)], c)
        if wkind == "s8":
            c["sb"] = (c["sx"] * np.asarray(sw)).astype(f)
            c["zb"] = np.zeros(oc, np.int32) if per_channel else np.int32(0)
            c["lo"], c["hi"] = f(0), f(6)
            post = [[], [node("Relu", "r", "c")], [node("Clip", "r lo hi", "c")]][i % 3]
            case(f"conv_{form}_{kind}{wkind}", kind, (1, 6, 11, 13),
                 [dq("x", "sx", "zx"), dq("w", "sw", "zw", axis=0), dq("b", "sb", "zb", axis=0),
                  node("Conv", "x_real w_real b_real", "r", kernel_shape=[3, 3], **attributes), *post,
                  q("c" if post else "r")], c, qdq=True)

for kind in ["u8", "s8"]:
    for transposed in [0, 1]:
        k, n = 37, 19
        w = rng.integers(-128, 128, (n, k) if transposed else (k, n)).astype(np.int8)
        c = {**quant(kind, 10), "w": w, "sw": np.array([scale() for _ in range(n)], f), "zw": np.zeros(n, np.int8),
             "b": rng.integers(-3000, 3000, n).astype(np.int32)}
        case(f"qgemm_transb{transposed}_{kind}", kind, (5, k),
             [node("QGemm", "x sx zx w sw zw b sy zy", domain=MS, transB=transposed)], c)
        c["sb"], c["zb"] = (c["sx"] * c["sw"]).astype(f), np.zeros(n, np.int32)
        case(f"gemm_transb{transposed}_{kind}", kind, (5, k),
             [dq("x", "sx", "zx"), dq("w", "sw", "zw", axis=0 if transposed else 1), dq("b", "sb", "zb", axis=0),
              node("Gemm", "x_real w_real b_real", "r", transB=transposed), q("r")], c, qdq=True)
    for shape in [(5, 37), (2, 5, 37), (1, 3, 4, 37)]:
        c = {**quant(kind, 10), "w": rng.integers(-128, 128, (37, 19)).astype(np.int8), "sw": scale(), "zw": np.int8(0)}
        case(f"qlinearmatmul_{len(shape)}d_{kind}", kind, shape, [node("QLinearMatMul", "x sx zx w sw zw sy zy")], c)
    for op, times in [("Add", 2), ("Mul", 0.02)]:
        number = TYPES[kind][0](77)
        c = {**quant(kind, times), "k": number, "sk": scale(), "zk": zero(kind)}
        case(f"qlinear{op.lower()}_number_{kind}", kind, (1, 5, 6, 7),
             [node(f"QLinear{op}", "x sx zx k sk zk sy zy", domain=MS)], c)
        case(f"qlinear{op.lower()}_twice_{kind}", kind, (1, 5, 6, 7),
             [node(f"QLinear{op}", "x sx zx x sx zx sy zy", domain=MS)], c)
        case(f"{op.lower()}_broadcast_{kind}", kind, (1, 5, 6, 7),
             [dq("x", "sx", "zx"), node("MaxPool", "x_real", "m", kernel_shape=[6, 7]),
              node("QuantizeLinear", "m sx zx", "mq"), dq("mq", "sx", "zx"), node(op, "x_real mq_real", "r"), q("r")],
             c, qdq=True)
    pools = {
        "plain": {"kernel_shape": [2, 2]}, "padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        "ceil": {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 0, 1], "ceil_mode": 1},
        "same": {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    }
    for form, attributes in pools.items():
        c = quant(kind)
        case(f"maxpool_{form}_{kind}", kind, (1, 5, 9, 10), [node("MaxPool", "x", **attributes)], c)
        case(f"qlinearaveragepool_{form}_{kind}", kind, (1, 5, 9, 10),
             [node("QLinearAveragePool", "x sx zx sy zy", domain=MS, **attributes)], c)
        case(f"averagepool_{form}_{kind}", kind, (1, 5, 9, 10),
             [dq("x", "sx", "zx"), node("AveragePool", "x_real", "r", **attributes), q("r")], c, qdq=True)
    case(f"qlinearaveragepool_include_pad_{kind}", kind, (1, 5, 9, 10),
         [node("QLinearAveragePool", "x sx zx sy zy", domain=MS, count_include_pad=1, **pools["padded"])], quant(kind))
    case(f"qlinearglobalaveragepool_{kind}", kind, (1, 37, 9, 13),
         [node("QLinearGlobalAveragePool", "x sx zx sy zy", domain=MS, channels_last=0)], quant(kind))
    case(f"globalaveragepool_{kind}", kind, (1, 37, 7, 7),
         [dq("x", "sx", "zx"), node("GlobalAveragePool", "x_real", "r"), q("r")], quant(kind), qdq=True)
    for axis in [1, 3]:
        c = {**quant(kind), "sk": scale()}
        case(f"qlinearconcat_{axis}_{kind}", kind, (1, 5, 6, 7),
             [node("QLinearConcat", "sy zy x sx zx x sx zx", domain=MS, axis=axis)], c)
    for op, attributes in [("Relu", {}), ("LeakyRelu", {"alpha": 0.1}), ("HardSigmoid", {}), ("HardSwish", {})]:
        case(f"{op.lower()}_{kind}", kind, (1, 5, 6, 7),
             [dq("x", "sx", "zx"), node(op, "x_real", "r", **attributes), q("r")], quant(kind), qdq=True)
    case(f"qlinearleakyrelu_{kind}", kind, (1, 5, 6, 7),
         [node("QLinearLeakyRelu", "x sx zx sy zy", domain=MS, alpha=0.1)], quant(kind))

for name, shape, nodes, constants in [
    ("flatten", (2, 5, 6, 7), [node("Flatten", "x", axis=2)], {}),
    ("reshape", (2, 5, 6, 7), [node("Reshape", "x to")], {"to": np.array([0, 6, -1, 5])}),
    ("squeeze", (1, 5, 1, 7), [node("Squeeze", "x to")], {"to": np.array([0, 2])}),
    ("unsqueeze", (5, 6), [node("Unsqueeze", "x to")], {"to": np.array([0, 3])}),
    ("transpose", (2, 5, 6, 7), [node("Transpose", "x", perm=[0, 2, 3, 1])], {}),
    ("transpose_5d", (2, 3, 4, 5, 6), [node("Transpose", "x", perm=[0, 2, 1, 4, 3])], {}),
    ("identity", (2, 5), [node("Flatten", "x", "t"), node("Identity", "t")], {}),
]:
    case(name, "u8", shape, nodes, constants)
print(len(list(here.rglob("*.onnx"))), "models")
