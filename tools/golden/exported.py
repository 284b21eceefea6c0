#!/usr/bin/env python3
"""Write more of tests/golden/operators/: what networks of transformers and windows have once they are quantized.

A product and the Add of its bias, constant images beside tensors, and operators of five and six axes.
Needs numpy, onnx, onnxruntime, xxhash."""
import numpy as np
from cases import TYPES, case, dq, f, node, q, quant, rng

KINDS = ("u8", "s8")


def integers(kind, shape):
    dtype, _, lo, hi = TYPES[kind]
    return rng.integers(lo, hi, shape).astype(dtype)


# a MatMul and the Add of its bias are one product, whatever type the bias has and whatever follows; on all ranks
for kind in KINDS:
    for rank, shape in enumerate([(6, 20), (2, 6, 20), (2, 3, 4, 20), (1, 2, 2, 3, 20)], 2):
        for form in ("sums", "floats", "relu", "row", "first"):
            c = {**quant(kind, 8), "w": rng.integers(-31, 32, (20, 12)).astype(np.int8), "zw": np.zeros(12, np.int8),
                 "sw": rng.uniform(0.002, 0.006, 12).astype(f), "zb": np.zeros(12, np.int32)}
            c["sb"] = c["sx"] * c["sw"]
            c["b"] = rng.integers(-9000, 9000, 12).astype(np.int32)
            c["bias"] = (c["b"] * c["sb"]).astype(f).reshape((1, 12) if form == "row" else 12)
            bias = "bias" if form in ("floats", "row") else "b_real"
            nodes = [dq("x", "sx", "zx"), dq("w", "sw", "zw", axis=1), *([dq("b", "sb", "zb", axis=0)] if bias == "b_real" else []),
                     node("MatMul", "x_real w_real", "m"), node("Add", f"{bias} m" if form == "first" else f"m {bias}", "a"),
                     *([node("Relu", "a", "r")] if form == "relu" else []), q("r" if form == "relu" else "a")]
            # ONNX Runtime has no integer kernel of s8 for all of them, and adds floats then.
            case(f"product_bias_{form}_r{rank}_{kind}", kind, shape, nodes, c, qdq=True, within=1)
# the result of the product is read by others too: then the Add is no part of it
for kind in KINDS:
    c = {**quant(kind, 8), "w": rng.integers(-31, 32, (20, 12)).astype(np.int8), "zw": np.int8(0), "sw": f(0.004), "bias": rng.normal(0, 1, 12).astype(f)}
    case(f"product_read_twice_{kind}", kind, (5, 20),
         [dq("x", "sx", "zx"), dq("w", "sw", "zw"), node("MatMul", "x_real w_real", "m"), node("Add", "m bias", "a"),
          node("Mul", "m a", "t"), q("t")], c, qdq=True, within=1)
# a constant image beside a tensor, whole and along some axes, as integers and as floats
for kind in KINDS:
    for name, shape in [("whole", (1, 5, 6, 7)), ("one", (1, 1, 6, 7)), ("channels", (1, 5, 1, 1)), ("row", (1, 1, 1, 7)), ("vector", (7,)), ("batch", (3, 5, 6, 7))]:
        for op in ("Add", "Mul"):
            c = {**quant(kind, 2), "k": integers(kind, shape), "sk": f(0.02), "zk": TYPES[kind][0](3)}
            case(f"constant_{op.lower()}_{name}_{kind}", kind, (3 if name == "batch" else 1, 5, 6, 7),
                 [dq("x", "sx", "zx"), dq("k", "sk", "zk"), node(op, "x_real k_real", "r"), q("r")], c, qdq=True)
        c = {**quant(kind, 2), "k": rng.normal(0, 1, shape).astype(f)}
        case(f"constant_float_{name}_{kind}", kind, (3 if name == "batch" else 1, 5, 6, 7),
             [dq("x", "sx", "zx"), node("Sub", "x_real k", "t"), node("Abs", "t", "r"), q("r")], c, qdq=True, within=1)
# five and six axes: constants and computed tensors of all ranks beside them
SHAPES = [((1, 2, 4, 3, 3), (1, 2, 4, 1, 1)), ((2, 3, 4, 3, 5), (1, 3, 1, 3, 5)), ((2, 3, 2, 4, 5), (3, 1, 4, 5)), ((2, 2, 3, 4, 5), (4, 1)),
          ((1, 2, 2, 3, 3, 8), (8,)), ((2, 1, 3, 2, 2, 5), (1, 1, 3, 1, 1, 1)), ((2, 2, 3, 2, 4, 3), (2, 1, 1, 1, 1, 1)), ((2, 2, 2, 3, 1, 5), (3, 1, 5)),
          ((2, 3, 4, 3, 5), (2, 3, 4, 3, 5)), ((2, 3, 2, 4, 5), ())]
for kind in KINDS:
    for n, (shape, other) in enumerate(SHAPES):
        for op in ("Add", "Mul"):
            c = {**quant(kind, 2), "k": integers(kind, other), "sk": f(0.02), "zk": TYPES[kind][0](3)}
            case(f"axes_{op.lower()}_constant_{n}_{kind}", kind, shape, [dq("x", "sx", "zx"), dq("k", "sk", "zk"), node(op, "x_real k_real", "r"), q("r")], c, qdq=True)
            # the other one is a part of the tensor itself
            front = [0] * (len(shape) - len(other)) + [0] * len(other)
            ends = [1] * (len(shape) - len(other)) + list(other)
            c = {**quant(kind, 2), "front": np.array(front), "ends": np.array(ends), "all": np.arange(len(shape)), "shape": np.array(other, np.int64)}
            case(f"axes_{op.lower()}_part_{n}_{kind}", kind, shape,
                 [dq("x", "sx", "zx"), node("Slice", "x front ends all", "part"), node("Reshape", "part shape", "p"), dq("p", "sx", "zx"),
                  node(op, "p_real x_real", "r"), q("r")], c, qdq=True)
        c = {**quant(kind, 2), "k": rng.normal(0, 1, other).astype(f)}
        case(f"axes_float_{n}_{kind}", kind, shape, [dq("x", "sx", "zx"), node("Sub", "x_real k", "t"), node("Abs", "t", "r"), q("r")], c, qdq=True, within=1)
    for shape in ((2, 3, 2, 4, 5), (2, 1, 3, 2, 2, 5)):
        for axis in range(len(shape)):
            c = {**quant(kind), "s2": f(0.02), "z2": TYPES[kind][0](7)}
            name = f"axes_concat_{len(shape)}_{axis}_{kind}"
            case(name, kind, shape, [node("Concat", "x x", axis=axis)], c)
            case(f"{name}_requantized", kind, shape,
                 [dq("x", "sx", "zx"), node("Neg", "x_real", "n"), node("QuantizeLinear", "n s2 z2", "n2"), dq("n2", "s2", "z2"),
                  node("Concat", "x_real n2_real", "r", axis=axis), q("r")], c, qdq=True)
        c = quant(kind)
        for axis in (1, len(shape) - 1):
            case(f"axes_softmax_{len(shape)}_{axis}_{kind}", kind, shape, [dq("x", "sx", "zx"), node("Softmax", "x_real", "r", axis=axis), q("r")],
                 {**c, "sy": f(1 / 256), "zy": TYPES[kind][0](0 if kind == "u8" else -128)}, qdq=True, within=1)
            case(f"axes_mean_{len(shape)}_{axis}_{kind}", kind, shape, [dq("x", "sx", "zx"), node("ReduceMean", "x_real", "r", axes=[axis], keepdims=0), q("r")], c, qdq=True, within=1)
        order = [0, 2, 4, 1, 3, 5][: len(shape)] if len(shape) == 6 else [0, 3, 1, 4, 2]
        case(f"axes_transpose_{len(shape)}_{kind}", kind, shape, [node("Transpose", "x", perm=order)], c)
# windows: an image of channels last becomes windows of 2 × 2, and a shifted image again
for kind in KINDS:
    c = {**quant(kind), "windows": np.array([1, 2, 2, 3, 2, 8]), "rows": np.array([-1, 4, 8]), "image": np.array([1, 4, 6, 8]),
         "one": np.array([1]), "end": np.array([2**62]), "axis": np.array([1]), "zero": np.array([0])}
    case(f"windows_{kind}", kind, (1, 4, 6, 8),
         [node("Reshape", "x windows", "a"), node("Transpose", "a", "b", perm=[0, 1, 3, 2, 4, 5]), node("Reshape", "b rows", "c"),
          node("Reshape", "c image", "d"), node("Slice", "d one end axis", "e"), node("Slice", "d zero one axis", "f"), node("Concat", "e f", axis=1)], c)
