#!/usr/bin/env python3
"""Writes more of tests/golden/operators/: the operators that operators.py has not, in their corners.

Where ONNX Runtime runs an operator in float (no integer kernel, or 16 bits), the test allows one step. Needs: numpy, onnx,
onnxruntime, xxhash
"""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import cases
from cases import MS, TYPES, case, dq, f, here, node, q, quant, scale, zero

rng = cases.rng = np.random.default_rng(3)
KINDS = ["u8", "s8"]


def unary(kind, ops, quants=None, shape=(1, 5, 6, 7), **more):
    """DQ → ops → Q."""
    nodes, at = [dq("x", "sx", "zx")], "x_real"
    for i, (op, attributes) in enumerate(ops):
        nodes.append(node(op, at, f"t{i}", **attributes))
        at = f"t{i}"
    return kind, shape, [*nodes, q(at)], quants or quant(kind, 1.0)


FUNCTIONS = {
    "Sigmoid": {}, "Tanh": {}, "Elu": {"alpha": 0.7}, "Selu": {}, "Erf": {}, "Softplus": {}, "Softsign": {}, "Abs": {},
    "Neg": {}, "Exp": {}, "Floor": {}, "Ceil": {}, "Round": {}, "Sin": {}, "Cos": {}, "Mish": {},
}
for kind in KINDS:
    for op, attributes in FUNCTIONS.items():
        case(f"{op.lower()}_{kind}", *unary(kind, [(op, attributes)]), opset=18 if op == "Mish" else 17, within=1)
    for op in ["Sqrt", "Log", "Reciprocal"]:
        z = TYPES[kind][2]
        c = {**quant(kind, 2), "zx": TYPES[kind][0](z)}
        case(f"{op.lower()}_{kind}", *unary(kind, [("Abs", {}), (op, {})], c), within=1)
    case(f"gelu_{kind}", *unary(kind, [("Gelu", {})]), opset=20, within=1)
    case(f"gelu_tanh_{kind}", *unary(kind, [("Gelu", {"approximate": "tanh"})]), opset=20, within=1)
    case(f"qlinearsigmoid_{kind}", kind, (1, 5, 6, 7), [node("QLinearSigmoid", "x sx zx sy zy", domain=MS)],
         {**quant(kind), "sy": f(1 / 256), "zy": TYPES[kind][0](TYPES[kind][2])}, within=1)
    # x · sigmoid(x) without quantizers between, and hard swish as exporters write it
    c = quant(kind)
    case(f"swish_decomposed_{kind}", kind, (1, 5, 6, 7),
         [dq("x", "sx", "zx"), node("Sigmoid", "x_real", "s"), node("Mul", "x_real s", "r"), q("r")], c, within=1)
    case(f"hardswish_decomposed_{kind}", kind, (1, 5, 6, 7),
         [dq("x", "sx", "zx"), node("Add", "x_real three", "a"), node("Clip", "a nil six", "b"),
          node("Mul", "x_real b", "m"), node("Div", "m six", "r"), q("r")],
         {**c, "three": f(3), "nil": f(0), "six": f(6)}, within=1)
    # operators of two tensors, with every kind of second operand
    for op, times in [("Add", 2), ("Mul", 1), ("Sub", 2), ("Div", 4), ("Min", 1), ("Max", 1), ("Pow", 1)]:
        for form, shape in [("number", ()), ("channels", (5, 1, 1)), ("row", (7,)), ("same", (1, 5, 6, 7))]:
            k = np.asarray(rng.uniform(0.5, 2, shape), f)
            if op == "Pow":
                k = np.asarray(rng.integers(1, 4, shape), f)
            c = {**quant(kind, times), "k": k}
            case(f"{op.lower()}_float_{form}_{kind}", kind, (1, 5, 6, 7),
                 [dq("x", "sx", "zx"), node(op, "x_real k", "r"), q("r")], c, within=1)
        if op in ("Pow",):
            continue
        k = rng.integers(*TYPES[kind][2:], (5, 1, 1)).astype(TYPES[kind][0])
        c = {**quant(kind, times), "k": k, "sk": scale(), "zk": TYPES[kind][0](TYPES[kind][2])}
        case(f"{op.lower()}_quantized_channels_{kind}", kind, (1, 5, 6, 7),
             [dq("x", "sx", "zx"), dq("k", "sk", "zk"), node(op, "k_real x_real" if op == "Sub" else "x_real k_real", "r"), q("r")],
             c, qdq=op in ("Add", "Mul"), within=0 if op in ("Add", "Mul") else 1)
    case(f"max_of_three_{kind}", kind, (1, 5, 6, 7),
         [dq("x", "sx", "zx"), node("Neg", "x_real", "n"), node("Max", "x_real n half", "r"), q("r")],
         {**quant(kind), "half": f(0.5)}, within=1)
    case(f"prelu_{kind}", kind, (1, 5, 6, 7), [dq("x", "sx", "zx"), node("PRelu", "x_real k", "r"), q("r")],
         {**quant(kind), "k": rng.uniform(0, 1, (5, 1, 1)).astype(f)}, within=1)
    case(f"batchnormalization_{kind}", kind, (1, 5, 6, 7),
         [dq("x", "sx", "zx"), node("BatchNormalization", "x_real g b m v", "r"), q("r")],
         {**quant(kind, 2), **{k: rng.uniform(0.5, 2, 5).astype(f) for k in "gbmv"}}, within=1)
    # moving elements, of integers and in the float view
    moves = {
        "slice": (("x at to axes by"), "Slice", {}, {"at": [1, -1], "to": [5, -9], "axes": [1, 3], "by": [2, -2]}),
        "slice_reversed": (("x at to axes by"), "Slice", {}, {"at": [-1], "to": [-100], "axes": [2], "by": [-1]}),
        "gather": (("x i"), "Gather", {"axis": 2}, {"i": [3, 0, 5, -1, -1, 2]}),
        "gather_scalar": (("x i"), "Gather", {"axis": 1}, {"i": np.array(3)}),
        "gather_matrix": (("x i"), "Gather", {"axis": 3}, {"i": [[1, 2, 3], [6, 0, 0]]}),
        "tile": (("x n"), "Tile", {}, {"n": [1, 2, 3, 1]}),
        "depthtospace": ("x", "DepthToSpace", {"blocksize": 2}, {}),
        "depthtospace_crd": ("x", "DepthToSpace", {"blocksize": 2, "mode": "CRD"}, {}),
        "spacetodepth": ("x", "SpaceToDepth", {"blocksize": 2}, {}),
        "pad_reflect": (("x p"), "Pad", {"mode": "reflect"}, {"p": [0, 0, 2, 1, 0, 0, 3, 5]}),
        "pad_edge": (("x p"), "Pad", {"mode": "edge"}, {"p": [0, 1, 2, 1, 0, 0, 0, 3]}),
        "pad_crop": (("x p"), "Pad", {"mode": "constant"}, {"p": [0, 0, -1, 2, 0, 0, 2, -2]}),
    }
    for name, (inputs, op, attributes, constants) in moves.items():
        shape = (2, 8, 6, 8) if "to" in name and "slice" not in name and "pad" not in name else (2, 5, 6, 7)
        constants = {k: np.array(v, np.int64) for k, v in constants.items()}
        case(f"{name}_{kind}", kind, shape, [node(op, inputs, **attributes)], constants)
        real = inputs.replace("x", "x_real", 1)
        case(f"{name}_qdq_{kind}", kind, shape,
             [dq("x", "sx", "zx"), node(op, real, "r", **attributes), node("QuantizeLinear", "r sx zx")],
             {**quant(kind), **constants}, qdq=True)
    case(f"pad_qdq_value_{kind}", kind, (1, 3, 4, 5),
         [dq("x", "sx", "zx"), node("Pad", "x_real p", "r"), q("r")],
         {**quant(kind, 2), "p": np.array([0, 0, 1, 2, 0, 0, 1, 0])}, within=1)
    case(f"split_join_{kind}", kind, (1, 12, 3, 4),
         [cases.helper.make_node("Split", ["x", "n"], ["a", "b", "c"], axis=1), node("Concat", "c a b", axis=1)],
         {"n": np.array([5, 4, 3])})
    case(f"expand_{kind}", kind, (5, 1, 7), [node("Expand", "x to")], {"to": np.array([2, 1, 6, 7])})
    case(f"transpose_conv_{kind}", kind, (1, 6, 7, 5),
         [dq("x", "sx", "zx"), node("Transpose", "x_real", "t", perm=[0, 3, 1, 2]), node("Relu", "t", "r"),
          node("Reshape", "r to", "z"), q("z")], {**quant(kind), "to": np.array([0, 5, -1])}, qdq=True, within=1)
    # resize
    for mode in ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]:
        for what, sizes in [("up", [1, 3, 11, 14]), ("down", [1, 3, 3, 4]), ("double", [1, 3, 10, 14])]:
            c = {"n": np.array(sizes), "z": np.array([], f), "s": np.array([1, 1, 2, 2], f)}
            inputs = "x z s" if what == "double" else "x z z n"
            opset = 19 if mode == "half_pixel_symmetric" else 17
            for rounding in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]:
                if rounding != "round_prefer_floor" and kind == "s8":
                    continue
                # A tie in the coordinates, which ONNX Runtime 1.32 computes in another order here.
                if (mode, rounding, what) == ("asymmetric", "round_prefer_ceil", "down"):
                    continue
                case(f"resize_nearest_{mode}_{rounding}_{what}_{kind}", kind, (1, 3, 5, 7),
                     [node("Resize", inputs, mode="nearest", nearest_mode=rounding, coordinate_transformation_mode=mode)],
                     c, opset=opset)
            case(f"resize_linear_{mode}_{what}_{kind}", kind, (1, 3, 5, 7),
                 [node("Resize", inputs, mode="linear", coordinate_transformation_mode=mode)], c, opset=opset)
    c = {**quant(kind), "n": np.array([1, 3, 11, 14]), "z": np.array([], f)}
    case(f"resize_qdq_linear_{kind}", kind, (1, 3, 5, 7),
         [dq("x", "sx", "zx"), node("Resize", "x_real z z n", "r", mode="linear"), q("r")], c, within=1)
    case(f"resize_qdq_linear_same_{kind}", kind, (1, 3, 5, 7),
         [dq("x", "sx", "zx"), node("Resize", "x_real z z n", "r", mode="linear"), node("QuantizeLinear", "r sx zx")], c,
         qdq=True, within=1)
    # pools and reductions
    case(f"globalmaxpool_qdq_{kind}", kind, (2, 5, 6, 7),
         [dq("x", "sx", "zx"), node("GlobalMaxPool", "x_real", "r"), q("r")], quant(kind), within=1)
    for op, times in [("ReduceMean", 1), ("ReduceMax", 1), ("ReduceSum", 8)]:
        for form, axes, keep in [("image", [2, 3], 1), ("channels", [1], 1), ("last", [-1], 0), ("mixed", [1, 3], 0)]:
            case(f"{op.lower()}_{form}_{kind}", kind, (2, 5, 6, 7),
                 [dq("x", "sx", "zx"), node(op, "x_real axes", "r", keepdims=keep), q("r")],
                 {**quant(kind, times), "axes": np.array(axes)}, opset=18, within=1)
    # softmax
    for opset, shape, axis in [(17, (3, 37), -1), (17, (1, 5, 6, 7), 1), (17, (2, 5, 7), 1), (11, (3, 37), 1)]:
        c = {**quant(kind), "sx": f(0.03), "sy": f(1 / 256), "zy": TYPES[kind][0](TYPES[kind][2])}
        name = f"{opset}_{len(shape)}d_{axis % len(shape)}_{kind}"
        case(f"qlinearsoftmax_{name}", kind, shape,
             [node("QLinearSoftmax", "x sx zx sy zy", domain=MS, axis=axis, opset=opset)], c)
        if opset == 17:
            case(f"softmax_{name}", kind, shape,
                 [dq("x", "sx", "zx"), node("Softmax", "x_real", "r", axis=axis), q("r")], c, qdq=True)
    # products of two tensors
    for form, a, b in [("2d", (5, 37), (37, 9)), ("batched", (2, 3, 5, 7), (2, 3, 7, 4)), ("broadcast", (2, 3, 5, 7), (3, 7, 4))]:
        k = rng.integers(*TYPES[kind][2:], b).astype(TYPES[kind][0])
        c = {**quant(kind, 20), "k": k, "sk": scale(), "zk": zero(kind)}
        case(f"qlinearmatmul_stacked_{form}_{kind}", kind, a, [node("QLinearMatMul", "x sx zx k sk zk sy zy")], c)
        case(f"matmul_stacked_{form}_{kind}", kind, a,
             [dq("x", "sx", "zx"), dq("k", "sk", "zk"), node("MatMul", "x_real k_real", "r"), q("r")], c, qdq=True, within=1)
    case(f"matmul_transposed_self_{kind}", kind, (2, 3, 5, 7),
         [dq("x", "sx", "zx"), node("Transpose", "x_real", "t", perm=[0, 1, 3, 2]), node("QuantizeLinear", "t sx zx", "tq"),
          dq("tq", "sx", "zx"), node("MatMul", "x_real tq_real", "r"), q("r")], quant(kind, 20), qdq=True, within=1)
    case(f"matmulinteger_{kind}", kind, (5, 37), [node("MatMulInteger", "x k zx zk")],
         {**quant(kind), "k": rng.integers(-128, 128, (37, 9)).astype(np.int8), "zk": np.int8(3)}, out=TensorProto.INT32)
    # convolutions in one dimension and transposed
    w = rng.integers(-128, 128, (8, 3, 5)).astype(np.int8)
    c = {**quant(kind, 6), "w": w, "sw": np.array([scale() for _ in range(8)], f), "zw": np.zeros(8, np.int8),
         "b": rng.integers(-3000, 3000, 8).astype(np.int32)}
    c.update(sb=(c["sx"] * c["sw"]).astype(f), zb=np.zeros(8, np.int32))
    case(f"conv_1d_{kind}", kind, (1, 3, 23),
         [dq("x", "sx", "zx"), dq("w", "sw", "zw", axis=0), dq("b", "sb", "zb", axis=0),
          node("Conv", "x_real w_real b_real", "r", strides=[2], pads=[1, 2], dilations=[2]), q("r")], c, qdq=True, within=1)
    case(f"qlinearconv_1d_{kind}", kind, (1, 3, 23), [node("QLinearConv", "x sx zx w sw zw sy zy b", pads=[1, 2])], c)
    TRANSPOSED = {
        "plain": {}, "stride": {"strides": [2, 2]}, "pads": {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        "groups": {"group": 2, "strides": [2, 3]}, "dilated": {"strides": [2, 2], "dilations": [2, 3]},
        "stride_over_kernel": {"strides": [4, 5]}, "same": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        "asymmetric": {"strides": [3, 2], "pads": [0, 1, 2, 0]}, "output_shape": {"strides": [2, 2], "output_shape": [10, 12]},
    }
    for form, attributes in TRANSPOSED.items():
        oc = 4 if form == "groups" else 8
        w = rng.integers(-128, 128, (6, oc, 3, 3)).astype(np.int8)
        c = {**quant(kind, 6), "w": w, "sw": scale(), "zw": np.int8(0)}
        case(f"convtranspose_{form}_{kind}", kind, (1, 6, 5, 6),
             [dq("x", "sx", "zx"), dq("w", "sw", "zw"), node("ConvTranspose", "x_real w_real", "r", **attributes), q("r")],
             c, within=1)
    # quantizers that real exporters leave: doubled, and of another format
    case(f"quantizers_doubled_{kind}", kind, (1, 5, 6, 7),
         [dq("x", "sx", "zx"), node("QuantizeLinear", "x_real sx zx", "a"), dq("a", "sx", "zx"),
          node("QuantizeLinear", "a_real s2 zx", "b"), dq("b", "s2", "zx"), q("b_real")],
         {**quant(kind), "s2": scale()}, within=1, level="disable")

# 16 bits: ONNX Runtime computes in float
for kind in ["u16", "s16"]:
    z = TYPES[kind][0](32768 if kind == "u16" else 0)
    small = lambda times=1.0: {"sx": f(scale() / 256), "zx": z, "sy": f(scale(times) / 256), "zy": z}
    for wkind in ["s8", "s16"]:
        for form, attributes in [("plain", {}), ("depthwise", {"group": 6}), ("groups", {"group": 2}), ("strided", {"strides": [2, 3], "pads": [1, 0, 1, 2]})]:
            oc = 6 if form == "depthwise" else 8
            w = rng.integers(*TYPES[wkind][2:], (oc, 6 // attributes.get("group", 1), 3, 3)).astype(TYPES[wkind][0])
            sw = f(scale() / (256 if wkind == "s16" else 1))
            c = {**small(10), "w": w, "sw": sw, "zw": TYPES[wkind][0](0), "b": rng.uniform(-1, 1, oc).astype(f)}
            case(f"conv_{form}_{kind}{wkind}", kind, (1, 6, 7, 9),
                 [dq("x", "sx", "zx"), dq("w", "sw", "zw"), node("Conv", "x_real w_real b", "r", **attributes), q("r")],
                 c, opset=21, within=1, level="disable")
    w = rng.integers(-128, 128, (37, 19)).astype(np.int8)
    c = {**small(10), "w": w, "sw": scale(), "zw": np.int8(0)}
    case(f"matmul_{kind}s8", kind, (5, 37), [dq("x", "sx", "zx"), dq("w", "sw", "zw"), node("MatMul", "x_real w_real", "r"), q("r")], c, opset=21, within=1, level="disable")
    for op, times in [("Add", 2), ("Mul", 2), ("Sub", 2), ("Div", 4)]:
        k = rng.integers(*TYPES[kind][2:], (5, 1, 1)).astype(TYPES[kind][0])
        if op == "Div":
            k = (np.abs(k.astype(np.int64)) % 20000 + (50000 if kind == "u16" else 10000)).clip(*np.array(TYPES[kind][2:]) - [0, 1]).astype(TYPES[kind][0])
        c = {**small(times), "k": k, "sk": f(scale() / 256), "zk": z}
        case(f"{op.lower()}_{kind}", kind, (1, 5, 6, 7),
             [dq("x", "sx", "zx"), dq("k", "sk", "zk"), node(op, "x_real k_real", "r"), q("r")], c, opset=21, within=1, level="disable")
    for op in ["Relu", "Sigmoid", "HardSwish"]:
        case(f"{op.lower()}_{kind}", *unary(kind, [(op, {})], small()), opset=21, within=1, level="disable")
    case(f"globalaveragepool_{kind}", *unary(kind, [("GlobalAveragePool", {})], small()), opset=21, within=1, level="disable")
    case(f"maxpool_{kind}", *unary(kind, [("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]})], small()), opset=21, within=1, level="disable")
    case(f"averagepool_{kind}", *unary(kind, [("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})], small()), opset=21, within=1, level="disable")
    case(f"resize_{kind}", kind, (1, 3, 5, 7), [dq("x", "sx", "zx"), node("Resize", "x_real z z n", "r", mode="linear"), q("r")],
         {**small(), "n": np.array([1, 3, 11, 14]), "z": np.array([], f)}, opset=21, within=1, level="disable")
    # a border between widths
    c = {**small(), "s8": scale(), "z8": np.uint8(128)}
    case(f"narrowed_{kind}", kind, (1, 5, 6, 7),
         [dq("x", "sx", "zx"), node("QuantizeLinear", "x_real s8 z8", "n"), dq("n", "s8", "z8"), q("n_real")], c, opset=21, within=1, level="disable")
# zero points of weights that differ from channel to channel
for kind in KINDS:
    k = rng.integers(-128, 128, (37, 9)).astype(np.int8)
    zk = rng.integers(-128, 128, 9).astype(np.int8)
    case(f"matmulinteger_columns_{kind}", kind, (5, 37), [node("MatMulInteger", "x k zx zk")], {**quant(kind), "k": k, "zk": zk}, out=TensorProto.INT32)
    c = {**quant(kind, 20), "k": k, "zk": zk, "sk": np.array([scale() for _ in range(9)], f)}
    case(f"qlinearmatmul_columns_{kind}", kind, (5, 37), [node("QLinearMatMul", "x sx zx k sk zk sy zy")], c)
# pruned weights: 70 % of the blocks of 64 × 16 channels are zero, in each way that the array meets them
def prune(w, zero=0, block=(64, 16), share=0.7):
    for o in range(0, w.shape[0], block[0]):
        for i in range(0, w.shape[1], block[1]):
            for y in range(w.shape[2]):
                for x in range(w.shape[3]):
                    if rng.random() < share:
                        w[o:o + block[0], i:i + block[1], y, x] = zero
    return w
for kind in KINDS:
    for name, shape, w, zw, more in [
        ("square", (1, 64, 9, 7), (128, 64, 3, 3), np.int8(0), {"pads": [1, 1, 1, 1]}),
        ("odd", (1, 37, 9, 7), (75, 37, 3, 2), np.int8(0), {"strides": [2, 1]}),
        ("zero_point", (1, 48, 6, 6), (96, 48, 1, 1), np.uint8(131), {}),
        ("small_blocks", (1, 64, 5, 5), (64, 64, 3, 3), np.int8(0), {}),
        ("nothing_left", (1, 32, 5, 5), (64, 32, 1, 1), np.int8(0), {}),
    ]:
        if name == "zero_point" and kind == "s8":
            continue  # ONNX Runtime has no such kernel
        values = rng.integers(-100, 100, w) if zw.dtype == np.int8 else rng.integers(0, 255, w)
        values = prune(values.astype(zw.dtype), zw, (16, 16) if name == "small_blocks" else (64, 16), 1 if name == "nothing_left" else 0.7)
        c = {**quant(kind, 8), "w": values, "sw": scale(), "zw": zw,
             "b": rng.integers(-3000, 3000, w[0]).astype(np.int32)}
        case(f"pruned_{name}_{kind}", kind, shape, [node("QLinearConv", "x sx zx w sw zw sy zy b", **more)], c)
# an average over the whole image is the global one, in integers; scales of 1 bring ties
for kind in KINDS:
    for h, w in [(4, 4), (8, 2), (5, 7)]:
        c = {**quant(kind), "sx": f(1), "sy": f(1)}
        case(f"averagepool_whole_{h}x{w}_{kind}", kind, (1, 64, h, w),
             [dq("x", "sx", "zx"), node("AveragePool", "x_real", "r", kernel_shape=[h, w], strides=[h, w]), q("r")], c, qdq=True)
        case(f"qlinearaveragepool_whole_{h}x{w}_{kind}", kind, (1, 64, h, w),
             [node("QLinearAveragePool", "x sx zx sy zy", domain=MS, kernel_shape=[h, w])], c)
# If nodes whose condition is a matter of shapes, as exporters write them around Squeeze and Reshape; one inside the other
def branch(name, nodes, output, constants=()):
    return helper.make_graph(nodes, name, [], [helper.make_empty_tensor_value_info(output)],
                             [numpy_helper.from_array(np.asarray(v), k) for k, v in constants])
for kind in KINDS:
    inner = {"then_branch": branch("inner_then", [node("Neg", "t", "negative")], "negative"),
             "else_branch": branch("inner_else", [node("Identity", "t", "same")], "same")}
    outer = {"then_branch": branch("then", [node("Reshape", "x_real flat", "flattened")], "flattened", [("flat", np.array([1, -1]))]),
             "else_branch": branch("else", [node("Relu", "x_real", "t"), node("If", "no", "chosen", name="inner", **inner)], "chosen")}
    for channels in (1, 3):
        case(f"if_of_shape_{channels}_{kind}", kind, (1, channels, 4, 5),
             [dq("x", "sx", "zx"), node("Shape", "x_real", "extents"), node("Gather", "extents one", "channels"),
              node("Equal", "channels one", "single"), node("Not", "single", "several"), node("And", "single several", "no"),
              node("If", "single", "r", name="outer", **outer), q("r")], {**quant(kind), "one": np.array(1)}, level="disable")
# every version of the operators that changed: attributes became inputs, Softmax lost its flattening
for opset in range(11, 24):
    for kind in KINDS:
        listed = opset >= 13
        take = lambda op, x, y, name, value, **more: (
            node(op, f"{x} {name}", y, **more) if listed else node(op, x, y, **{"axes" if "axes" in name else "split": value}, **more))
        c = {**quant(kind, 1), "w": rng.integers(-100, 100, (8, 3, 3, 3)).astype(np.int8), "sw": f(0.002), "zw": np.int8(0), "sv": f(0.05),
             "b": rng.integers(-500, 500, 8).astype(np.int32), "sb": f(0), "zb": np.int32(0), "low": f(-0.5), "high": f(1.5),
             "axes2": np.array([2, 3]), "axes3": np.array([2]), "parts": np.array([3, 5]), "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]),
             "rows": np.array([1, 8])}
        c["sb"] = f(c["sx"] * c["sw"])
        c["s1"] = f(1 / 256)
        nodes = [dq("x", "sx", "zx"), dq("w", "sw", "zw"), dq("b", "sb", "zb"), node("Conv", "x_real w_real b_real", "c", pads=[1, 1, 1, 1]),
                 node("Clip", "c low high", "k"), node("QuantizeLinear", "k sv zx", "kq"), dq("kq", "sv", "zx"),
                 node("Pad", "kq_real pads", "p"), node("QuantizeLinear", "p sv zx", "pq"), dq("pq", "sv", "zx"),
                 node("MaxPool", "pq_real", "m", kernel_shape=[2, 2], strides=[2, 2]), node("QuantizeLinear", "m sv zx", "mq"), dq("mq", "sv", "zx"),
                 node("GlobalAveragePool", "mq_real", "g"), node("QuantizeLinear", "g sv zx", "gq"), dq("gq", "sv", "zx"),
                 take("Squeeze", "gq_real", "s", "axes2", [2, 3]), node("QuantizeLinear", "s sv zx", "sq"), dq("sq", "sv", "zx"),
                 take("Unsqueeze", "sq_real", "u", "axes3", [2]), node("QuantizeLinear", "u sv zx", "uq"), dq("uq", "sv", "zx"),
                 node("Reshape", "uq_real rows", "f"), node("QuantizeLinear", "f sv zx", "fq"), dq("fq", "sv", "zx"),
                 node("Softmax", "fq_real", "z", axis=1), node("QuantizeLinear", "z s1 zx", "y")]
        case(f"opset_{opset}_{kind}", kind, (1, 3, 6, 7), nodes, c, opset=opset, qdq=True, within=1)
# windows that ceil_mode lets stand over the padding's end
for kind in KINDS:
    for n, (h, w, k, st, pads) in enumerate([(7, 8, [3, 3], [2, 2], [1, 1, 1, 1]), (6, 6, [4, 2], [3, 3], [0, 0, 0, 0]), (5, 9, [3, 4], [4, 3], [0, 1, 1, 2])]):
        for include in (0, 1):
            case(f"averagepool_ceil_{n}_{'with' if include else 'without'}_pads_{kind}", kind, (1, 5, h, w),
                 [dq("x", "sx", "zx"), node("AveragePool", "x_real", "r", kernel_shape=k, strides=st, pads=pads, ceil_mode=1, count_include_pad=include), q("r")],
                 quant(kind), qdq=True)
# averages over signals
for kind in KINDS:
    for name, op, more in [("window", "AveragePool", {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
                           ("padded", "AveragePool", {"kernel_shape": [4], "pads": [2, 1], "count_include_pad": 1}),
                           ("whole", "AveragePool", {"kernel_shape": [19]}), ("global", "GlobalAveragePool", {})]:
        case(f"signal_average_{name}_{kind}", kind, (2, 5, 19), [dq("x", "sx", "zx"), node(op, "x_real", "r", **more), q("r")],
             quant(kind), qdq=True)
        if name != "global":
            case(f"signal_qlinearaverage_{name}_{kind}", kind, (2, 5, 19),
                 [node("QLinearAveragePool", "x sx zx sy zy", domain=MS, **more)], quant(kind))
print(len(list(here.rglob("*.onnx"))), "models")
