"""The combinations that combinations.py packs: operator by operator, types × forms × versions."""
import itertools

import numpy as np
from onnx import TensorProto, helper

from combinations_case import KINDS, MS, WIDE, Case, f, limits

CASES = []
ACT = ["u8", "s8", "u16", "s16"]
REAL = [*ACT, "f32"]
INTS = ["u8", "s8", "u16", "s16", "s32", "s64"]
BARE = [*INTS, "u32", "u64", "bool", "f32"]
OPSETS = list(range(11, 24))
turns = {}


def turn(key, items):
    """The next of some values, so that over the cases of a key all of them come."""
    turns[key] = turns.get(key, -1) + 1
    return items[turns[key] % len(items)]


def done(case):
    CASES.append(case)


def opset_for(key, least=11, most=23):
    return turn(("opset", key), [o for o in OPSETS if least <= o <= most])


def zeros(key):
    """How zero points are given: mostly, but sometimes left out."""
    return turn(("zero", key), ["given", "given", "given", "none"])


# functions of one tensor

FUNCTIONS = {
    "Abs": {}, "Ceil": {}, "Cos": {}, "Elu": {"alpha": 0.7}, "Erf": {}, "Exp": {}, "Floor": {}, "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "HardSwish": {}, "LeakyRelu": {"alpha": 0.1}, "Log": {}, "Mish": {}, "Neg": {}, "Reciprocal": {}, "Relu": {}, "Round": {},
    "Selu": {}, "Sigmoid": {}, "Sin": {}, "Softplus": {}, "Softsign": {}, "Sqrt": {}, "Tanh": {}, "Gelu": {}, "Sign": {}, "Tan": {},
    "Atan": {}, "Sinh": {}, "Celu": {"alpha": 1.5}, "ThresholdedRelu": {"alpha": 0.5}, "Swish": {}, "Asinh": {}, "Shrink": {"lambd": 0.5, "bias": 0.25},
}
SINCE = {"HardSwish": 14, "Mish": 18, "Gelu": 20, "Swish": 24, "Celu": 12}
POSITIVE = ("Log", "Sqrt", "Reciprocal")


def function(op, a, b, opset, form="", domain="", shape=(1, 3, 4, 5), attributes=None, zero_x="given", zero_y="given", output_dtype=False):
    label = op if not domain else f"{op}.ms"
    c = Case(op, f"{label}{form}.{a}.{b}", opset)
    x = c.real(a, shape, zero=zero_x, value=limits(a)[0] if op in POSITIVE and a != "f32" else None)
    if op in POSITIVE:
        x = c.node("Add", c.node("Abs", x), c.const(f(0.25))) if op != "Sqrt" else c.node("Abs", x)
    r = c.node(op, x, domain=domain, **(FUNCTIONS.get(op, {}) if attributes is None else attributes))
    c.result(r, b, zero=zero_y, output_dtype=output_dtype)
    done(c)


def functions():
    for op in FUNCTIONS:
        least = SINCE.get(op, 11)
        for a, b in itertools.product(REAL, REAL):
            if op in ("Sign", "Tan", "Atan", "Sinh", "Celu", "ThresholdedRelu", "Asinh", "Shrink", "Swish") and (a not in ("u8", "s16", "f32") or b == "u16"):
                continue
            function(op, a, b, 24 if op == "Swish" else opset_for(op, least))
        for a in ("u8", "s8"):
            function(op, a, "u8", max(17, least), ".nozero", zero_x="none", zero_y="none")
    for a, b in itertools.product(ACT, ["u8", "s8", "u16", "s16"]):
        function("Relu", a, b, 21 + turn("od", [0, 1, 2]), ".output_dtype", zero_y="none", output_dtype=True)
    for op in ("Gelu", "QuickGelu"):
        for a, b in itertools.product(ACT, ACT):
            function(op, a, b, opset_for(op), domain=MS, attributes={})
    for a, b in itertools.product(ACT, ACT):
        function("Gelu", a, b, opset_for("gt", 20), ".tanh", attributes={"approximate": "tanh"})
    for alpha in (0.0, 1.0, -0.5, 2.5, 1e-3):
        for a in ("u8", "s8"):
            for op in ("LeakyRelu", "Elu"):
                function(op, a, a, opset_for(op), f".alpha{alpha}", attributes={"alpha": alpha})
    for op in ("LeakyRelu", "Elu", "HardSigmoid", "Selu"):
        function(op, "u8", "s8", 17, ".defaults", attributes={})
    for rank, shape in enumerate([(), (7,), (3, 5), (2, 3, 4), (2, 1, 3, 4), (1, 2, 3, 2, 3), (1, 2, 1, 3, 2, 2)]):
        for op in ("Sigmoid", "Relu", "Abs"):
            a, b = turn("ra", ACT), turn("rb", REAL)
            function(op, a, b, opset_for("rank"), f".rank{rank}", shape=shape)
    # on integers that no quantizer surrounds
    for op in ("Abs", "Neg", "Relu", "Sign", "Identity", "Not", "BitwiseNot", "Ceil", "Round"):
        for kind in BARE:
            c = Case(op, f"{op}.bare.{kind}", 18 if op == "BitwiseNot" else 17)
            c.give(c.node(op, c.raw(kind, (2, 3, 4))), kind)
            done(c)


def chains():
    """Functions between the same quantizers."""
    for a, b in itertools.product(ACT, ACT):
        c = Case("Chain", f"swish.{a}.{b}", opset_for("chain"))
        x = c.real(a, (1, 3, 4, 5))
        c.result(c.node("Mul", x, c.node("Sigmoid", x)), b)
        done(c)
        c = Case("Chain", f"hardswish.{a}.{b}", opset_for("chain"))
        x = c.real(a, (1, 3, 4, 5))
        t = c.node("Clip", c.node("Add", x, c.const(f(3))), c.const(f(0)), c.const(f(6)))
        c.result(c.node("Div", c.node("Mul", x, t), c.const(f(6))), b)
        done(c)
        c = Case("Chain", f"two_tensors.{a}.{b}", opset_for("chain"))
        x, y = c.real(a, (1, 3, 4, 5)), c.real(b, (3, 1, 5))
        c.result(c.node("Tanh", c.node("Sub", c.node("Mul", x, y), x)), b)
        done(c)
        c = Case("Chain", f"widths.{a}.{b}", opset_for("chain"))
        x = c.real(a, (1, 3, 4, 5))
        s, z = c.params(b)
        q = c.node("QuantizeLinear", x, s, z, domain=c.qdomain(b))
        c.result(c.node("Relu", c.node("DequantizeLinear", q, s, z, domain=c.qdomain(b))), a)
        done(c)
        c = Case("Chain", f"conv_relu_pool.{a}.{b}", opset_for("chain"))
        x = c.real(a, (1, 3, 5, 6))
        r = c.node("Conv", x, c.weight("s8", (4, 3, 3, 3)), kernel_shape=[3, 3])
        c.result(c.node("MaxPool", c.node("Relu", r), kernel_shape=[2, 2]), b)
        done(c)
        c = Case("Chain", f"two_outputs.{a}.{b}", opset_for("chain"))
        x = c.real(a, (1, 3, 4, 5))
        r = c.node("Sigmoid", x)
        c.result(r, b)
        c.result(r, a)
        done(c)


def clips():
    for a, b in itertools.product(REAL, REAL):
        for form, lo, hi in [("both", -0.5, 1.25), ("low", 0.0, None), ("high", None, 0.75), ("none", None, None)]:
            if form in ("none", "high") and (a in WIDE or b in WIDE):
                continue
            c = Case("Clip", f"inputs.{form}.{a}.{b}", opset_for("clip", 11))
            x = c.real(a, (1, 3, 4, 5))
            c.result(c.node("Clip", x, "" if lo is None else c.const(f(lo)), "" if hi is None else c.const(f(hi))), b)
            done(c)
    for a, b in [("u8", "u8"), ("s8", "u8"), ("u8", "s8")]:
        c = Case("Clip", f"reversed.{a}.{b}", 17)
        c.result(c.node("Clip", c.real(a, (1, 3, 4, 5)), c.const(f(1)), c.const(f(-1))), b)
        done(c)
        for opset in (9, 10, 11):
            c = Case("Clip", f"attributes.{a}.{b}", opset)
            c.result(c.node("Clip", c.real(a, (1, 3, 4, 5)), min=-0.5, max=1.25), b, scale=0.02)
            done(c)
        c = Case("Clip", f"bounds_shape1.{a}.{b}", 17)
        c.result(c.node("Clip", c.real(a, (1, 3, 4, 5)), c.const(np.array([-0.5], f)), c.const(f(1))), b)
        done(c)
    for kind in BARE:
        if kind == "bool":
            continue
        c = Case("Clip", f"bare.{kind}", opset_for("clipbare", 12))
        d = KINDS[kind][0]
        lo, hi = (3, 90) if kind[0] == "u" else (-20, 90)
        c.give(c.node("Clip", c.raw(kind, (2, 3, 4)), c.const(d(lo)), c.const(d(hi))), kind)
        done(c)
        c = Case("Clip", f"bare.low.{kind}", 13)
        c.give(c.node("Clip", c.raw(kind, (2, 3, 4)), c.const(d(lo))), kind)
        done(c)


# operators of two tensors

BROADCASTS = [
    ((1, 3, 4, 5), (1, 3, 4, 5)), ((1, 3, 4, 5), (3, 1, 1)), ((1, 3, 4, 5), (5,)), ((1, 3, 4, 5), ()), ((5,), (2, 3, 4, 5)), ((2, 1, 4, 1), (1, 3, 1, 5)),
    ((6,), (6,)), ((3, 1), (1, 4)), ((2, 3, 4), (2, 1, 4)), ((1, 2, 2, 3, 2), (2, 1, 1, 2)), ((2, 1, 2, 1, 3, 2), (1, 2, 1, 3, 1, 2)),
    ((4, 5), (2, 3, 4, 5)), ((1,), (1,)), ((), ()), ((2, 3), (1, 1, 1)), ((1, 1, 1, 1), (2, 3, 2, 2)),
]
BINARY = ["Add", "Sub", "Mul", "Div", "Min", "Max", "Pow"]


def binary(op, a, b, y, opset, shapes, second="input", form="", zero="given", swap=False):
    c = Case(op, f"{op}{form}.{second}.{a}{b}.{y}", opset)
    sa, sb = shapes
    x = c.real(a, sa, zero)
    if op in ("Div", "Pow"):
        # Divisors away from zero; powers of positive numbers.
        if op == "Pow":
            x = c.node("Add", c.node("Abs", x), c.const(f(0.125)))
    if second == "input":
        k = c.real(b, sb, zero, value=None)
    elif second == "constant":
        k = c.weight(b, sb, zero="asym" if b[0] == "u" else "zero")
    elif second == "float":
        k = c.const(np.round(c.rng.uniform(0.5, 2, sb) * 16).astype(f) / f(16))
    else:
        k = x
    if op == "Div" and second in ("input", "constant", "same"):
        k = c.node("Add", c.node("Abs", k), c.const(f(0.5)))
    if op == "Pow" and second in ("input", "constant", "same"):
        k = c.node("Clip", k, c.const(f(-1)), c.const(f(2)))
    r = c.node(op, k, x) if swap else c.node(op, x, k)
    c.result(r, y, zero)
    done(c)


def binaries():
    for op in BINARY:
        for a, b, y in itertools.product(ACT, ACT, REAL):
            if a != b and y == "f32":
                continue
            # Same types, and a third of the mixed ones.
            if a != b and turn(("mix", op), [0, 1, 2]):
                continue
            binary(op, a, b, y, opset_for(op), turn(("bc", op), BROADCASTS), turn(("second", op), ["input", "constant", "input"]), f".{turns[('bc', op)] % 16}")
        for i, shapes in enumerate(BROADCASTS):
            for second in ("input", "constant", "float"):
                a = turn(("a", op), ["u8", "s8"])
                binary(op, a, a, turn(("y", op), ["u8", "s8", "u8", "s8", "s16"]), opset_for(op), shapes, second, f".broadcast{i}", zeros(op))
        for a in ACT:
            binary(op, a, a, a, opset_for(op), ((1, 3, 4, 5),) * 2, "same", ".itself")
            binary(op, a, a, a, opset_for(op), ((1, 3, 4, 5), (3, 1, 1)), "float", ".swapped", swap=True)
            binary(op, a, a, a, opset_for(op), ((1, 3, 4, 5), ()), "float", ".number")
        for kind in ["f32", *BARE]:
            c = Case(op, f"{op}.bare.{kind}", opset_for((op, "bare"), 13))
            span = None if kind in ("f32", "bool") else (1, 7)
            c.give(c.node(op, c.raw(kind, (2, 3, 4), span), c.raw(kind, (3, 1), span)), kind)
            if kind != "f32" or all(k.name != c.name for k in CASES):
                done(c)
    for op, counts in [("Sum", (1, 2, 3)), ("Max", (1, 3)), ("Min", (1, 3)), ("Mean", (1, 2, 3))]:
        for count, a, y in itertools.product(counts, ACT, ("u8", "s16", "f32")):
            c = Case(op, f"{op}.of{count}.{a}.{y}", opset_for(op))
            shapes = [(1, 3, 4, 5), (3, 1, 1), (5,)]
            c.result(c.node(op, *[c.real(a, shapes[i]) for i in range(count)]), y)
            done(c)
    # QOperator
    for op in ("Add", "Mul"):
        for a, b, y in itertools.product(["u8", "s8"], repeat=3):
            qlinear_binary(op, a, b, y, BROADCASTS[0], "")
        for i, shapes in enumerate(BROADCASTS):
            for kind in ("u8", "s8"):
                for second in ("input", "constant"):
                    qlinear_binary(op, kind, kind, kind, shapes, f".broadcast{i}", second, zeros((op, "q")))
        for kind in WIDE:
            qlinear_binary(op, kind, kind, kind, BROADCASTS[0], "")
    for op in ("Greater", "Less", "Equal", "GreaterOrEqual", "LessOrEqual"):
        for kind in (*REAL, "s32", "s64", "bool"):
            c = Case(op, f"{op}.bare.{kind}", opset_for(op, 13))
            span = None if kind in ("f32", "bool") else (0, 5)
            c.give(c.node(op, c.raw(kind, (2, 3, 4), span), c.raw(kind, (3, 1), span)), "bool")
            done(c)
        for kind in ACT:
            c = Case(op, f"{op}.qdq.{kind}", opset_for(op, 13))
            c.give(c.node(op, c.real(kind, (2, 3, 4)), c.real(kind, (3, 1))), "bool")
            done(c)
    for op in ("And", "Or", "Xor"):
        c = Case(op, "bool", 17)
        c.give(c.node(op, c.raw("bool", (2, 3, 4)), c.raw("bool", (3, 1))), "bool")
        done(c)
    for op, kinds in [("BitShift", ["u8", "u32"]), ("Mod", ["s8", "u8", "s32", "s64"]), ("BitwiseAnd", ["u8", "s32"])]:
        for kind in kinds:
            c = Case(op, f"{op}.{kind}", 18)
            more = {"direction": "LEFT"} if op == "BitShift" else {}
            c.give(c.node(op, c.raw(kind, (2, 3, 4)), c.raw(kind, (3, 1), (1, 5)), **more), kind)
            done(c)
    for a, s, y in itertools.product(ACT, ["slope_float", "slope_quantized", "number"], ["u8", "s8", "s16", "f32"]):
        c = Case("PRelu", f"PRelu.{s}.{a}.{y}", opset_for("PRelu"))
        x = c.real(a, (1, 3, 4, 5))
        k = {"slope_float": lambda: c.const(c.rng.uniform(-0.5, 1, (3, 1, 1)).astype(f)), "number": lambda: c.const(f(0.125)),
             "slope_quantized": lambda: c.weight("s8", (3, 1, 1))}[s]()
        c.result(c.node("PRelu", x, k), y)
        done(c)


def qlinear_binary(op, a, b, y, shapes, form, second="input", zero="given"):
    c = Case(f"QLinear{op}", f"{second}{form}.{a}{b}.{y}.{zero}", opset_for("QLinear" + op))
    xa = c.raw(a, shapes[0])
    xb = c.raw(b, shapes[1]) if second == "input" else c.const(c.numbers(b, shapes[1]), stem="k")
    (s0, z0), (s1, z1) = c.params(a, zero), c.params(b, zero)
    fit = c.fitting(y, c.probe(c.node(op, c.node("DequantizeLinear", xa, s0, z0), c.node("DequantizeLinear", xb, s1, z1))), zero)
    c.nodes.clear()
    s2, z2 = c.const(fit[0]), "" if zero == "none" else c.const(fit[1], y)
    c.node(f"QLinear{op}", xa, s0, z0, xb, s1, z1, s2, z2, domain=MS, outputs=["y0"])
    c.outputs.append(("y0", y))
    done(c)


def wheres():
    for condition, a, y in itertools.product(("constant", "input"), ACT, ["u8", "s8", "s16", "f32"]):
        c = Case("Where", f"Where.{condition}.{a}.{y}", opset_for("where"))
        cond = c.const(c.numbers("bool", (3, 1, 5))) if condition == "constant" else c.raw("bool", (3, 1, 5))
        c.result(c.node("Where", cond, c.real(a, (1, 3, 4, 5)), c.real(a, (4, 1))), y)
        done(c)
    for kind in BARE:
        c = Case("Where", f"Where.bare.{kind}", 16)
        c.give(c.node("Where", c.const(c.numbers("bool", (3, 1))), c.raw(kind, (2, 3, 4)), c.raw(kind, (4,))), kind)
        done(c)
    for condition, a, b, y, zero in itertools.product(("constant", "input"), *[["u8", "s8"]] * 3, ["given", "none"]):
        for shapes in [((3, 1, 5), (1, 3, 4, 5), (4, 1)), ((), (3, 4), (3, 4)), ((3, 4), (), (4,))]:
            if zero == "none" and (a, b, y) not in (("u8",) * 3, ("s8",) * 3):
                continue
            c = Case("QLinearWhere", f"{condition}.{a}{b}.{y}.{zero}.rank{len(shapes[0])}{len(shapes[1])}", 17)
            cond = c.const(c.numbers("bool", shapes[0])) if condition == "constant" else c.raw("bool", shapes[0])
            c.node("QLinearWhere", cond, c.raw(a, shapes[1]), *c.params(a, zero), c.raw(b, shapes[2]), *c.params(b, zero),
                   *c.params(y, zero), domain=MS, outputs=["y0"])
            c.outputs.append(("y0", y))
            done(c)


# pools

POOLS = {
    "k2": {"kernel_shape": [2, 2]}, "k3s2p1": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "ceil": {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 0, 1], "ceil_mode": 1},
    "same_upper": {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same_lower": {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER", "strides": [2, 1]},
    "valid": {"kernel_shape": [2, 3], "auto_pad": "VALID", "strides": [1, 2]},
    "valid_ceil": {"kernel_shape": [2, 3], "auto_pad": "VALID", "strides": [3, 2], "ceil_mode": 1},
    "whole": {"kernel_shape": [5, 6]}, "one": {"kernel_shape": [1, 1], "strides": [2, 2]},
    "notset": {"kernel_shape": [2, 2], "auto_pad": "NOTSET", "pads": [1, 1, 0, 0]},
    "asymmetric": {"kernel_shape": [3, 3], "pads": [0, 2, 1, 0], "strides": [1, 2]},
    "ceil7": {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 7},
    "same_ceil": {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2], "ceil_mode": 1},
    "whole_padded": {"kernel_shape": [5, 6], "pads": [0, 0, 1, 1], "strides": [5, 6], "ceil_mode": 1},
}
SIGNALS = {"k3": {"kernel_shape": [3]}, "k3s2p1": {"kernel_shape": [3], "strides": [2], "pads": [1, 1]},
           "ceil": {"kernel_shape": [2], "strides": [3], "ceil_mode": 1}, "whole": {"kernel_shape": [9]}}
VOLUMES = {"k2": {"kernel_shape": [2, 2, 2]}, "s2p1": {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [0, 1, 0, 1, 0, 1]}}


def pooled(op, a, y, opset, attributes, form, shape=(1, 3, 5, 6), zero="given"):
    c = Case(op, f"{op}.{form}.{a}.{y}", opset)
    if "dilations" in attributes and "auto_pad" in attributes:
        c.disputed = "auto_pad with dilations: ONNX Runtime pads for the kernel without them, ONNX for the kernel with them"
    c.result(c.node(op, c.real(a, shape, zero), **attributes), y, zero)
    done(c)


def pools():
    for op in ("MaxPool", "AveragePool"):
        for a, y in itertools.product(REAL, REAL):
            for form in ("k3s2p1", "ceil"):
                pooled(op, a, y, opset_for(op), POOLS[form], f"{form}")
        for form, attributes in POOLS.items():
            for a in ("u8", "s8"):
                pooled(op, a, a, opset_for(op), attributes, f"forms.{form}", zero=zeros(op))
            a, y = turn((op, "fa"), ACT), turn((op, "fy"), ["s16", "f32", "u16"])
            pooled(op, a, y, opset_for(op), attributes, f"forms.{form}")
        for form, attributes in SIGNALS.items():
            for a in ACT:
                pooled(op, a, turn((op, "sy"), REAL), opset_for(op), attributes, f"signal.{form}", (2, 3, 9))
        for form, attributes in VOLUMES.items():
            for a in ("u8", "s16"):
                pooled(op, a, a, opset_for(op), attributes, f"volume.{form}", (1, 2, 3, 4, 3))
    for form, attributes in POOLS.items():
        for include in (1, 7):
            for a in ("u8", "s8"):
                pooled("AveragePool", a, a, opset_for("include"), {**attributes, "count_include_pad": include}, f"include{include}.{form}")
    dilated = {"d2": {"kernel_shape": [2, 2], "dilations": [2, 2]}, "d2p": {"kernel_shape": [2, 2], "dilations": [2, 3], "pads": [1, 1, 1, 1]},
               "d2c": {"kernel_shape": [2, 2], "dilations": [2, 1], "strides": [2, 2], "ceil_mode": 1},
               "d2s": {"kernel_shape": [3, 2], "dilations": [2, 2], "auto_pad": "SAME_UPPER"}}
    for form, attributes in dilated.items():
        for a, y in [("u8", "u8"), ("s8", "s8"), ("s16", "s16"), ("u8", "s8"), ("f32", "f32")]:
            for op in ("MaxPool", "AveragePool"):
                for opset in (12, 19, 22) if op == "MaxPool" else (18, 19, 22):
                    if opset == 22 and a != y:
                        continue
                    pooled(op, a, y, opset, attributes, f"dilated.{form}")
            pooled("AveragePool", a, y, 19, {**attributes, "count_include_pad": 1}, f"dilated.include.{form}")
    for kind in BARE:
        for form in ("k2", "k3s2p1", "ceil", "same_lower"):
            if form != "k2" and kind not in ("u8", "s8"):
                continue
            c = Case("MaxPool", f"bare.{form}.{kind}", opset_for("maxpoolbare", 12))
            c.give(c.node("MaxPool", c.raw(kind, (1, 3, 5, 6)), **POOLS[form]), kind)
            done(c)
    c = Case("MaxPool", "bare.storage_order.u8", 17)
    c.give(c.node("MaxPool", c.raw("u8", (1, 3, 5, 6)), kernel_shape=[2, 2], storage_order=1), "u8")
    done(c)
    for kind in ("u8", "f32"):
        c = Case("MaxPool", f"indices.{kind}", 17)
        y, i = c.node("MaxPool", c.raw(kind, (1, 3, 5, 6)), kernel_shape=[2, 2], n=2)
        c.give(y, kind)
        c.give(i, "s64")
        done(c)
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        for a, y in itertools.product(REAL, REAL):
            pooled(op, a, y, opset_for(op), {}, "image", (2, 3, 4, 5), zeros(op))
        for a in ACT:
            pooled(op, a, a, opset_for(op), {}, "signal", (2, 3, 9))
            pooled(op, a, a, opset_for(op), {}, "volume", (1, 2, 3, 2, 3))
            pooled(op, a, a, opset_for(op), {}, "nothing", (2, 3, 1, 1))
    for a, y in itertools.product(["u8", "s8"], repeat=2):
        for zero in ("given", "none"):
            for form, attributes in POOLS.items():
                for include in (0, 1):
                    if (a != y or zero == "none") and (include or form not in ("k2", "k3s2p1", "ceil", "whole")):
                        continue
                    qlinear_pool(a, y, zero, f"{form}{'.include' if include else ''}", {**attributes, "count_include_pad": include} if include else attributes)
            for last in (0, 1):
                c = Case("QLinearGlobalAveragePool", f"last{last}.{a}.{y}.{zero}", 17)
                x = c.raw(a, (2, 4, 5, 3) if last else (2, 3, 4, 5))
                c.node("QLinearGlobalAveragePool", x, *c.params(a, zero), *c.params(y, zero), domain=MS, outputs=["y0"], channels_last=last)
                c.outputs.append(("y0", y))
                done(c)
    for a in ("u8", "s8"):
        for form, attributes in SIGNALS.items():
            qlinear_pool(a, a, "given", f"signal.{form}", attributes, (2, 3, 9))
        qlinear_pool(a, a, "given", "last", {**POOLS["k3s2p1"], "channels_last": 1}, (1, 5, 6, 3))
        for form, attributes in VOLUMES.items():
            qlinear_pool(a, a, "given", f"volume.{form}", attributes, (1, 2, 3, 4, 3))
    for a, y in [("u8", "u8"), ("s8", "s16"), ("u8", "f32")]:
        pooled("LpPool", a, y, 18, {"kernel_shape": [2, 2], "p": 2}, "k2")


def qlinear_pool(a, y, zero, form, attributes, shape=(1, 3, 5, 6)):
    c = Case("QLinearAveragePool", f"{form}.{a}.{y}.{zero}", opset_for("QLinearAveragePool"))
    c.node("QLinearAveragePool", c.raw(a, shape), *c.params(a, zero), *c.params(y, zero), domain=MS, outputs=["y0"], **attributes)
    c.outputs.append(("y0", y))
    done(c)


REDUCTIONS = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"]


def reductions():
    forms = {"image": ([2, 3], 1), "channels": ([1], 1), "last": ([-1], 0), "mixed": ([1, -1], 0), "all": (None, 1), "all0": (None, 0), "batch": ([0], 1),
             "keep7": ([2], 7), "order": ([3, 1], 1)}
    for op in REDUCTIONS:
        for a, y in itertools.product(REAL, REAL):
            reduced(op, a, y, opset_for(op), *forms["image"], "image")
        for form, (axes, keep) in forms.items():
            for a in ("u8", "s8"):
                reduced(op, a, a, opset_for(op), axes, keep, f"forms.{form}")
            reduced(op, turn((op, "ra"), ACT), turn((op, "ry"), ["s16", "f32", "u16"]), opset_for(op), axes, keep, f"forms.{form}")
        for noop in (0, 1):
            for a in ("u8", "s16"):
                reduced(op, a, a, 18, None, 1, f"noop{noop}", noop)
        for shape, axes in [((7,), [0]), ((3, 4), [1]), ((2, 3, 4), [0, 2]), ((2, 1, 3, 2, 2), [2, 4]), ((1, 2, 1, 3, 2, 2), [1, 3, 5])]:
            reduced(op, turn((op, "ka"), ACT), turn((op, "ky"), ["u8", "s8"]), opset_for(op), axes, turn((op, "kk"), [0, 1]), f"rank{len(shape)}", shape=shape)
        for kind in BARE:
            if kind == "bool" and op not in ("ReduceMax", "ReduceMin"):
                continue
            for axes in ([1], None):
                c = Case(op, f"{op}.bare.{kind}.{'all' if axes is None else 'axis'}", 20 if kind == "bool" else opset_for((op, "bare"), 13))
                given = {"axes": axes} if c.opset < 18 and op != "ReduceSum" else {}
                x = c.raw(kind, (2, 3, 4), None if kind in ("f32", "bool") else (0, 100))
                c.give(c.node(op, x, "" if given or axes is None else c.const(np.array(axes)), **given), kind)
                done(c)
        for noop_axes in ([], [1]):
            c = Case(op, f"{op}.empty_axes{len(noop_axes)}", 18)
            x = c.real("u8", (2, 3, 4))
            c.result(c.node(op, x, c.const(np.array(noop_axes, np.int64)), keepdims=1), "u8")
            done(c)
    for op in ("ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"):
        for a, y in [("u8", "u8"), ("s16", "f32"), ("f32", "f32")]:
            reduced(op, a, y, 18, [2, 3], 1, "host")
    for op in ("ArgMax", "ArgMin"):
        for kind, axis, keep, last in itertools.product(("u8", "s8", "s32", "f32"), (1, -1), (0, 1), (0, 1)):
            c = Case(op, f"{op}.bare.{kind}.axis{axis}.keep{keep}.last{last}", opset_for(op, 13))
            c.give(c.node(op, c.raw(kind, (2, 3, 5)), axis=axis, keepdims=keep, select_last_index=last), "s64")
            done(c)
        for kind in ACT:
            c = Case(op, f"{op}.qdq.{kind}", opset_for(op))
            c.give(c.node(op, c.real(kind, (2, 3, 5)), axis=1), "s64")
            done(c)


def reduced(op, a, y, opset, axes, keep, form, noop=None, shape=(2, 3, 4, 5)):
    c = Case(op, f"{op}.{form}.{a}.{y}", opset)
    x = c.real(a, shape)
    listed = opset >= (13 if op == "ReduceSum" else 18)
    if listed:
        r = c.node(op, x, "" if axes is None else c.const(np.array(axes)), keepdims=keep, noop_with_empty_axes=noop)
    else:
        r = c.node(op, x, keepdims=keep, axes=axes)
    c.result(r, y)
    done(c)


# products

CONVS = {
    "plain": {}, "groups": {"group": 2}, "depthwise": {"group": 4}, "dilated": {"dilations": [2, 1]}, "pads": {"pads": [1, 0, 2, 1]},
    "same_upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, "same_lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    "valid": {"auto_pad": "VALID", "strides": [2, 1]}, "stride_over_kernel": {"strides": [4, 5]}, "s2p1": {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    "same_dilated": {"auto_pad": "SAME_UPPER", "dilations": [2, 2]}, "wide_pads": {"pads": [3, 3, 3, 3]},
}


def conv(a, w, y, opset, attributes, form, channel=True, zero_w="zero", bias="s32", kernel=(3, 3), shape=(1, 4, 6, 7), zero="given", oc=4, op="Conv", after=None):
    c = Case(op, f"{op}.{form}.{a}{w}.{y}.{bias}", opset)
    x = c.real(a, shape, zero)
    group = attributes.get("group", 1)
    axis = None
    if channel and w != "f32" and (opset >= 13 or w in WIDE):
        axis = 0 if op == "Conv" else 1
    ws = (oc, shape[1] // group, *kernel) if op == "Conv" else (shape[1], oc // group, *kernel)
    wr = c.weight(w, ws, axis, zero_w)
    outs = oc
    b = ""
    if bias == "f32":
        b = c.const((np.round(c.rng.normal(0, 1, outs) * 64) / 64).astype(f))
    elif bias == "s32" and a != "f32" and w != "f32":
        sx = next(v for k, v in c.constants.items() if k.startswith("s"))
        sw = next(c.constants[n.input[1]] for n in c.nodes if n.input[0].startswith("w"))
        values = c.const(c.rng.integers(-3000, 3000, outs).astype(np.int32), stem="b")
        if np.ndim(sw) and len(sw) != outs:
            sw = sw[0]
        sb, zb = c.const((sx * sw).astype(f), stem="s"), c.const(np.zeros(np.shape(sw), np.int32), stem="z")
        b = c.node("DequantizeLinear", values, sb, zb, axis=0 if np.ndim(sw) else None)
    r = c.node(op, x, wr, b, kernel_shape=list(kernel) if turn("ks", [0, 1]) else None, **attributes)
    if after == "relu":
        r = c.node("Relu", r)
    elif after == "clip":
        r = c.node("Clip", r, c.const(f(0)), c.const(f(6)))
    c.result(r, y, zero)
    done(c)


def convolutions():
    for a, w, y in itertools.product(ACT, ACT, REAL):
        conv(a, w, y, opset_for("conv"), CONVS["pads"], "types", channel=turn("ch", [0, 1]), zero_w=turn("zw", ["zero", "asym", "varying"]) if w[0] == "u" else "zero",
             bias=turn("cb", ["s32", "none", "f32"]))
    for a in ("u8", "s8"):
        for w in ("u8", "s8"):
            for form, attributes in CONVS.items():
                for channel in (0, 1):
                    conv(a, w, turn("cy", ["u8", "s8"]) if turn("same", [0, 0, 1]) else a, opset_for("conv"), attributes, f"forms.{form}{'.channel' if channel else ''}", channel,
                         zero_w="zero", bias=turn("cb", ["s32", "none", "f32"]), after=turn("after", [None, "relu", "clip"]), zero=zeros("conv"))
            for zero_w in ("zero", "asym", "varying", "none"):
                for channel in (0, 1):
                    conv(a, w, a, 21 if channel else 17, {}, f"zeros.{zero_w}{'.channel' if channel else ''}", channel, zero_w)
    for a, w, y in itertools.product(("u16", "s16", "u8"), ("s8", "s16", "u8"), ("s16", "u16", "u8")):
        if "16" not in a + w + y:
            continue
        form = turn("wide", ["groups", "depthwise", "s2p1", "dilated", "same_upper"])
        conv(a, w, y, opset_for("conv"), CONVS[form], f"wide.{form}", bias=turn("cb", ["s32", "none", "f32"]))
    for a, w, y in itertools.product(ACT, ("s8", "u8"), ("u8", "s16", "f32")):
        conv(a, w, y, opset_for("conv"), turn("c1", [{}, {"strides": [2], "pads": [1, 2]}, {"dilations": [2]}, {"group": 2}, {"auto_pad": "SAME_LOWER", "strides": [2]}]),
             "signal", kernel=(3,), shape=(2, 4, 9))
    for a, y in [("u8", "u8"), ("s8", "s8"), ("s16", "f32")]:
        conv(a, "s8", y, 17, {}, "volume", kernel=(2, 2, 2), shape=(1, 2, 3, 4, 3))
        conv(a, "s8", y, 17, {}, "pointwise", kernel=(1, 1))
        conv(a, "s8", y, 17, {}, "whole", kernel=(6, 7))
        conv(a, "f32", y, 17, {}, "float_weights", bias="none")
        conv(a, "s8", y, 17, {"group": 4}, "multiplier", oc=8)
    for a, w, y in itertools.product(ACT, ACT, ("u8", "s8", "s16")):
        if turn("tt", [0, 1]):
            continue
        conv(a, w, y, opset_for("ct"), {"strides": [2, 2]}, "types", channel=turn("tc", [0, 1]), op="ConvTranspose", bias=turn("cb", ["none", "f32"]), shape=(1, 4, 3, 4))
    for form, attributes in {
        "plain": {}, "pads": {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, "groups": {"group": 2, "strides": [2, 3]},
        "dilated": {"strides": [2, 2], "dilations": [2, 3]}, "over": {"strides": [4, 5]}, "same": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        "lower": {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, "asymmetric": {"strides": [3, 2], "pads": [0, 1, 2, 0]},
        "output_shape": {"strides": [2, 2], "output_shape": [7, 10]}, "depthwise": {"group": 4}, "padding": {"strides": [3, 3], "output_padding": [2, 1]},
    }.items():
        for a in ("u8", "s8", "s16"):
            for channel in (0, 1):
                conv(a, "s8", a, opset_for("ct"), attributes, f"forms.{form}{'.channel' if channel else ''}", channel, op="ConvTranspose", bias=turn("cb", ["none", "f32"]), shape=(1, 4, 3, 4))
    # QOperator
    for a, w, y in itertools.product(["u8", "s8"], repeat=3):
        for form, attributes in CONVS.items():
            for channel in (0, 1):
                if a != y and form != "plain":
                    continue
                qlinear_conv(a, w, y, attributes, f"{form}{'.channel' if channel else ''}", channel, "asym" if w == "u8" else "zero", turn("qb", [0, 1]))
    for a, w in itertools.product(["u8", "s8"], repeat=2):
        for zero_w in ("zero", "asym", "varying"):
            for channel in (0, 1):
                qlinear_conv(a, w, a, {}, f"zeros.{zero_w}{'.channel' if channel else ''}", channel, zero_w, 1)
        qlinear_conv(a, w, a, {"pads": [1, 1]}, "signal", 0, "zero", 1, (3,), (2, 4, 9))
        for zero in ("given", "none"):
            for zero_w in ("zero", "asym", "varying", "none"):
                for group in (1, 2):
                    c = Case("ConvInteger", f"{a}{w}.{zero}.{zero_w}.group{group}", opset_for("ci"))
                    # u8 weights of s8 activations saturate, too, without VNNI: here the weights are the kernel's left side.
                    k = c.const(c.numbers(w, (4, 4 // group, 3, 3), (-63, 63) if w == "s8" else (0, 126) if a == "s8" else None))
                    z = c.weight_zeros(w, 4, zero_w)
                    z = "" if z is None else c.const(z if zero_w == "varying" else z[0], w)
                    c.give(c.node("ConvInteger", c.raw(a, (1, 4, 5, 6)), k, "" if zero == "none" else c.const(c.zero_of(a), a), z, group=group,
                                  pads=[1, 0, 1, 1]), "s32")
                    done(c)


def qlinear_conv(a, w, y, attributes, form, channel, zero_w, bias, kernel=(3, 3), shape=(1, 4, 6, 7)):
    c = Case("QLinearConv", f"{form}.{a}{w}.{y}", opset_for("qconv"))
    x = c.raw(a, shape)
    group = attributes.get("group", 1)
    k = c.const(c.numbers(w, (4, shape[1] // group, *kernel), (-63, 63) if w == "s8" else None), stem="w")
    n = 4 if channel else 1
    s, z = (c.rng.uniform(0.5, 2, n) / 64).astype(f), c.weight_zeros(w, n, zero_w)
    if not channel and turn("rank0", [0, 1]):
        s, z = s[0], z[0]
    sw, zw = c.const(s, stem="s"), c.const(z, w, stem="z")
    sx, zx = c.params(a)
    b = c.const(c.rng.integers(-3000, 3000, 4).astype(np.int32)) if bias else ""
    ww = (c.constants[k].astype(f) - np.reshape(c.constants[zw], (-1, *[1] * (len(kernel) + 1))).astype(f)) * np.reshape(s, (-1, *[1] * (len(kernel) + 1)))
    fit = c.fitting(y, c.probe(c.node("Conv", c.node("DequantizeLinear", x, sx, zx), c.const(ww.astype(f)), **attributes)))
    c.nodes.clear()
    c.node("QLinearConv", x, sx, zx, k, sw, zw, c.const(fit[0]), c.const(fit[1], y), b, outputs=["y0"], **attributes)
    c.outputs.append(("y0", y))
    done(c)


def products():
    biases = {"none": None, "scalar": (), "one": (1,), "row": (6,), "row1": (1, 6), "column": (5, 1), "full": (5, 6), "one1": (1, 1)}
    for a, w, y in itertools.product(ACT, ACT, REAL):
        gemm(a, w, y, opset_for("gemm"), {}, "types", turn("gb", ["row", "none", "s32"]), biases)
    for bias in biases:
        for a, w in [("u8", "s8"), ("s8", "s8"), ("u8", "u8"), ("s16", "s8")]:
            for square in (0, 1):
                gemm(a, w, a, opset_for("gemm"), {}, f"bias{'.square' if square else ''}", bias, {k: v and tuple(5 if square and d == 6 else d for d in v) for k, v in biases.items()},
                     n=5 if square else 6)
    for attributes in ({"transB": 1}, {"transA": 1}, {"transA": 1, "transB": 1}, {"alpha": 0.5}, {"beta": 0.5}, {"beta": 0.0}, {"alpha": 0.25, "beta": 2.0}, {"transB": 7}, {"alpha": 0.0},
                       {"transA": 0, "transB": 0, "alpha": 1.0, "beta": 1.0}):
        for a, w in [("u8", "s8"), ("s8", "s8"), ("u8", "u8"), ("s16", "s8")]:
            for bias in ("row", "s32", "none"):
                form = ".".join(f"{k}{v}" for k, v in attributes.items())
                gemm(a, w, a, opset_for("gemm"), attributes, f"{form}", bias, biases)
    for a, w, y in itertools.product(["u8", "s8"], ["u8", "s8"], ["u8", "s8", "f32"]):
        for form, attributes in {"plain": {}, "transB": {"transB": 1}, "transA": {"transA": 1}, "alpha": {"alpha": 0.5}}.items():
            for channel in (0, 1):
                qgemm(a, w, y, attributes, f"{form}{'.channel' if channel else ''}", channel, turn("gz", ["zero", "asym" if w == "u8" else "zero", "varying"]), turn("gbias", [0, 1]))
    # MatMul
    for a, b, y in itertools.product(ACT, ACT, REAL):
        for second in ("constant", "input"):
            if second == "input" and turn("mmi", [0, 1]):
                continue
            matmul(a, b, y, opset_for("mm"), (5, 7), (7, 6), "types", second)
    stacks = [((7,), (7, 6)), ((5, 7), (7,)), ((7,), (7,)), ((2, 5, 7), (7, 6)), ((2, 3, 5, 7), (3, 7, 4)), ((2, 3, 5, 7), (2, 3, 7, 4)), ((5, 7), (2, 3, 7, 4)), ((2, 1, 5, 7), (3, 7, 4)),
              ((1, 2, 1, 5, 7), (2, 3, 7, 4)), ((7,), (2, 7, 4)), ((2, 5, 7), (7,)), ((1, 7), (7, 1)), ((2, 1, 2, 1, 3, 4), (4, 2))]
    for i, (sa, sb) in enumerate(stacks):
        for a, b in [("u8", "s8"), ("s8", "s8"), ("u8", "u8"), ("s16", "s8"), ("u16", "u16")]:
            for second in ("constant", "input"):
                matmul(a, b, a, opset_for("mm"), sa, sb, f"stack{i}", second)
        for a, b, y in [("u8", "s8", "u8"), ("s8", "s8", "s8"), ("u8", "u8", "u8")]:
            for second in ("constant", "input"):
                qlinear_matmul(a, b, y, sa, sb, f"stack{i}", second)
                c = Case("MatMulInteger", f"stack{i}.{a}{b}.{second}", opset_for("mmi"))
                span = (-63, 63) if b == "s8" else None
                k = c.const(c.numbers(b, sb, span)) if second == "constant" else c.raw(b, sb, span)
                c.give(c.node("MatMulInteger", c.raw(a, sa), k, c.const(c.zero_of(a), a), c.const(3, b)), "s32")
                done(c)
    for a, b, zero_w in itertools.product(("u8", "s8"), ("u8", "s8"), ("asym", "varying", "none")):
        for channel in (0, 1):
            for second in ("constant", "input"):
                matmul(a, b, a, 17, (5, 7), (7, 6), f"zeros.{zero_w}{'.channel' if channel else ''}", second, zero_w, channel)
                qlinear_matmul(a, b, a, (5, 7), (7, 6), f"zeros.{zero_w}{'.channel' if channel else ''}", second, zero_w, channel)
    for a, b, y in itertools.product(["u8", "s8"], repeat=3):
        qlinear_matmul(a, b, y, (5, 7), (7, 6), "types", "constant")
    for a, b, zero, zero_w in itertools.product(("u8", "s8"), ("u8", "s8"), ("given", "none"), ("asym", "varying", "none")):
        c = Case("MatMulInteger", f"zeros.{a}{b}.{zero}.{zero_w}", opset_for("mmi"))
        z = c.weight_zeros(b, 6, zero_w)
        z = "" if z is None else c.const(z if zero_w == "varying" else z[0], b)
        c.give(c.node("MatMulInteger", c.raw(a, (5, 7)), c.const(c.numbers(b, (7, 6), (-63, 63) if b == "s8" else None)), "" if zero == "none" else c.const(c.zero_of(a), a), z), "s32")
        done(c)


def gemm(a, w, y, opset, attributes, form, bias, biases, n=6):
    c = Case("Gemm", f"Gemm.{form}.{a}{w}.{y}.{bias}", opset)
    x = c.real(a, (7, 5) if attributes.get("transA") else (5, 7))
    shape = (n, 7) if attributes.get("transB") else (7, n)
    axis = turn("gaxis", [None, 0 if attributes.get("transB") else 1])
    if opset < 13 and w not in WIDE:
        axis = None
    wr = c.weight(w, shape, axis, turn("gzw", ["zero", "asym"]) if w[0] == "u" else "zero")
    b = ""
    if bias == "s32":
        sx = next(v for k, v in c.constants.items() if k.startswith("s"))
        sw = next(c.constants[m.input[1]] for m in c.nodes if m.input[0].startswith("w"))
        sb, zb = c.const((sx * sw).astype(f), stem="s"), c.const(np.zeros(np.shape(sw), np.int32), stem="z")
        b = c.node("DequantizeLinear", c.const(c.rng.integers(-3000, 3000, n).astype(np.int32), stem="b"), sb, zb, axis=0 if np.ndim(sw) else None)
    elif biases[bias] is not None:
        b = c.const((np.round(c.rng.normal(0, 1, biases[bias]) * 64) / 64).astype(f))
    c.result(c.node("Gemm", x, wr, b, **attributes), y)
    done(c)


def qgemm(a, w, y, attributes, form, channel, zero_w, bias):
    c = Case("QGemm", f"{form}.{a}{w}.{y}.{zero_w}.bias{bias}", opset_for("qgemm"))
    x = c.raw(a, (7, 5) if attributes.get("transA") else (5, 7))
    k = c.const(c.numbers(w, (6, 7) if attributes.get("transB") else (7, 6), (-63, 63) if w == "s8" else None))
    n = 6 if channel else 1
    s, z = (c.rng.uniform(0.5, 2, n) / 64).astype(f), c.weight_zeros(w, n, zero_w)
    if not channel:
        s, z = s[0], z[0]
    b = c.const(c.rng.integers(-3000, 3000, 6).astype(np.int32)) if bias else ""
    end = [] if y == "f32" else [c.const(f(0.02)), c.const(c.zero_of(y), y)]
    c.node("QGemm", x, *c.params(a), k, c.const(s), c.const(z, w), b, *end, domain=MS, outputs=["y0"], **attributes)
    c.outputs.append(("y0", y))
    done(c)


def matmul(a, b, y, opset, sa, sb, form, second, zero_w=None, channel=0):
    c = Case("MatMul", f"MatMul.{form}.{a}{b}.{y}.{second}", opset)
    x = c.real(a, sa)
    axis = len(sb) - 1 if channel else None
    zero_w = zero_w or ("asym" if b[0] == "u" else "zero")
    if second == "constant":
        k = c.weight(b, sb, axis, zero_w)
    else:
        lo, hi = limits(b)
        k = c.dequantized(c.raw(b, sb, (-63, 63) if b == "s8" else None), b, value=(lo + hi + 1) // 2 + (3 if zero_w == "asym" else 0))
    c.result(c.node("MatMul", x, k), y)
    done(c)


def qlinear_matmul(a, b, y, sa, sb, form, second, zero_w="asym", channel=0):
    c = Case("QLinearMatMul", f"{form}.{a}{b}.{y}.{second}", opset_for("qmm"))
    x = c.raw(a, sa)
    span = (-63, 63) if b == "s8" else None
    k = c.const(c.numbers(b, sb, span)) if second == "constant" else c.raw(b, sb, span)
    n = sb[-1] if channel else 1
    s, z = (c.rng.uniform(0.5, 2, n) / 64).astype(f), c.weight_zeros(b, n, zero_w)
    if not channel:
        s, z = s[0], None if z is None else z[0]
    z = np.zeros(np.shape(s), KINDS[b][0]) if z is None else z
    c.node("QLinearMatMul", x, *c.params(a), k, c.const(s), c.const(z, b), c.const(f(c.pick([0.0625, 0.05, 0.11]))), c.const(c.zero_of(y), y), outputs=["y0"])
    c.outputs.append(("y0", y))
    done(c)


# softmax and normalizations

def softmaxes():
    shapes = [((3, 12), -1), ((1, 5, 3, 4), 1), ((2, 5, 7), 1), ((2, 5, 7), None), ((3, 4), 0), ((9,), 0), ((2, 3, 2, 3, 2), -2)]
    for a, y in itertools.product(REAL, REAL):
        softmax("Softmax", a, y, opset_for("softmax"), (3, 12), -1, "types")
    for shape, axis in shapes:
        for opset in (11, 12, 13, 17, 21):
            for a in ("u8", "s8"):
                softmax("Softmax", a, a, opset, shape, axis, f"axis{axis}.rank{len(shape)}")
    for scale in (1 / 256, 1 / 128, 1 / 4096, 1 / 16, 1 / 255):
        for a, y in itertools.product(["u8", "s8"], repeat=2):
            for flat in (0, 1):
                softmax("Softmax", a, y, 17, (3, 12), -1, f"scale{round(1 / scale)}{'.uniform' if flat else ''}", scale, flat)
    for a, y in itertools.product(["u8", "s8"], repeat=2):
        for opset in (11, 13, 17):
            for shape, axis in shapes:
                if axis is None or (a != y and len(shape) != 2):
                    continue
                qlinear_softmax(a, y, opset, shape, axis, "form", 1 / 256)
        for scale in (1 / 128, 1 / 4096, 1 / 255):
            for flat in (0, 1):
                qlinear_softmax(a, y, 17, (3, 12), 1, f"scale{round(1 / scale)}{'.uniform' if flat else ''}", scale, flat)
    for op in ("LogSoftmax", "Hardmax"):
        for a, y in [("u8", "u8"), ("s8", "s8"), ("s16", "f32"), ("f32", "f32")]:
            for opset in (11, 13):
                softmax(op, a, y, opset, (2, 5, 7), 1, "host", None)
    for a, y in itertools.product(REAL, ["u8", "s8", "s16", "f32"]):
        for op, params in [("LayerNormalization", 2), ("InstanceNormalization", 2), ("BatchNormalization", 4), ("LpNormalization", 0), ("LRN", 0), ("GroupNormalization", 2)]:
            if op in ("LpNormalization", "LRN", "GroupNormalization") and a not in ("u8", "f32"):
                continue
            least = {"LayerNormalization": 17, "GroupNormalization": 21}.get(op, 11)
            c = Case(op, f"{op}.{a}.{y}", opset_for(op, least))
            x = c.real(a, (2, 4, 3, 5))
            n = 5 if op == "LayerNormalization" else 4
            extra = [c.const(c.rng.uniform(0.5, 2, n).astype(f)) for _ in range(params)]
            more = {"LRN": {"size": 3}, "GroupNormalization": {"num_groups": 2}}.get(op, {})
            c.result(c.node(op, x, *extra, **more), y)
            done(c)
    for a in ACT:
        for form, attributes in {"epsilon": {"epsilon": 0.1}, "training0": {"training_mode": 0}, "momentum": {"momentum": 0.5}}.items():
            for shape in ((2, 4), (2, 4, 5), (2, 4, 3, 5)):
                c = Case("BatchNormalization", f"{form}.rank{len(shape)}.{a}", 15 if "training" in form else opset_for("bn"))
                extra = [c.const(c.rng.uniform(0.5, 2, 4).astype(f)) for _ in range(4)]
                c.result(c.node("BatchNormalization", c.real(a, shape), *extra, **attributes), a)
                done(c)
        c = Case("BatchNormalization", f"training1.{a}", 15)
        extra = [c.const(c.rng.uniform(0.5, 2, 4).astype(f)) for _ in range(4)]
        r = c.node("BatchNormalization", c.real(a, (2, 4, 3, 5)), *extra, training_mode=1, n=3)
        c.result(r[0], a)
        done(c)
        c = Case("LayerNormalization", f"axis1.{a}", 17)
        extra = [c.const(c.rng.uniform(0.5, 2, (3, 5)).astype(f)) for _ in range(2)]
        c.result(c.node("LayerNormalization", c.real(a, (2, 4, 3, 5)), *extra, axis=2, epsilon=0.01), a)
        done(c)


def softmax(op, a, y, opset, shape, axis, form, scale=None, flat=0):
    c = Case(op, f"{op}.{form}.{a}.{y}", opset)
    x = c.real(a, shape, scale=0.03 if a in ("u8", "s8") else 0.0005, span=(5, 5) if flat else None)
    c.result(c.node(op, x, axis=axis), y, scale=scale)
    done(c)


def qlinear_softmax(a, y, opset, shape, axis, form, scale, flat=0):
    c = Case("QLinearSoftmax", f"{form}.axis{axis}.rank{len(shape)}.{a}.{y}", max(opset, 11))
    x = c.raw(a, shape, (5, 5) if flat else None)
    c.node("QLinearSoftmax", x, *c.params(a, scale=0.03), *c.params(y, scale=scale, value=limits(y)[0]), domain=MS, outputs=["y0"], axis=axis, opset=opset)
    c.outputs.append(("y0", y))
    done(c)


def qlinear_functions():
    for a, y in itertools.product(["u8", "s8"], repeat=2):
        for zero in ("given", "none"):
            for op, attributes in [("QLinearSigmoid", {}), ("QLinearLeakyRelu", {"alpha": 0.1}), ("QLinearLeakyRelu", {"alpha": 0.0}), ("QLinearLeakyRelu", {}), ("QLinearLeakyRelu", {"alpha": 1.5})]:
                for shape in ((), (2, 3, 4), (1, 3, 4, 5)):
                    c = Case(op, f"{attributes.get('alpha', 'default')}.rank{len(shape)}.{a}.{y}.{zero}", opset_for(op))
                    scale = 1 / 256 if op == "QLinearSigmoid" else None
                    c.node(op, c.raw(a, shape), *c.params(a, zero), *c.params(y, zero, scale), domain=MS, outputs=["y0"], **attributes)
                    c.outputs.append(("y0", y))
                    done(c)


# moving elements

def moves():
    i64 = lambda *v: np.array(v, np.int64)
    table = {
        # name: operator, shape, constant inputs, attributes, least opset
        "transpose": ("Transpose", (2, 3, 4, 5), [], {"perm": [0, 2, 3, 1]}, 11), "transpose_default": ("Transpose", (2, 3, 4), [], {}, 11),
        "transpose_5d": ("Transpose", (2, 3, 2, 2, 3), [], {"perm": [0, 2, 1, 4, 3]}, 11), "transpose_6d": ("Transpose", (1, 2, 3, 2, 2, 2), [], {"perm": [5, 0, 2, 1, 4, 3]}, 11),
        "transpose_2d": ("Transpose", (3, 5), [], {"perm": [1, 0]}, 11), "transpose_1d": ("Transpose", (5,), [], {}, 11),
        "reshape": ("Reshape", (2, 3, 4, 5), [i64(0, 6, -1)], {}, 11), "reshape_allowzero": ("Reshape", (2, 3, 4), [i64(4, 6)], {"allowzero": 1}, 14),
        "reshape_scalar": ("Reshape", (1, 1), [np.zeros(0, np.int64)], {}, 11), "reshape_copy": ("Reshape", (2, 3, 4), [i64(-1, 0, 2)], {}, 11),
        "flatten": ("Flatten", (2, 3, 4), [], {}, 11), "flatten0": ("Flatten", (2, 3, 4), [], {"axis": 0}, 11), "flatten-1": ("Flatten", (2, 3, 4), [], {"axis": -1}, 11),
        "flatten3": ("Flatten", (2, 3, 4), [], {"axis": 3}, 11), "expand": ("Expand", (3, 1, 5), [i64(2, 1, 4, 1)], {}, 11), "expand_smaller": ("Expand", (3, 1, 5), [i64(4, 1)], {}, 11),
        "tile": ("Tile", (2, 3, 4), [i64(1, 2, 3)], {}, 11), "identity": ("Identity", (2, 3), [], {}, 11), "dropout": ("Dropout", (2, 3, 4), [], {}, 12),
        "dropout_ratio": ("Dropout", (2, 3, 4), [f(0.7)], {}, 12), "dropout11": ("Dropout", (2, 3, 4), [], {"ratio": 0.3}, 11),
        "dropout_eval": ("Dropout", (2, 3, 4), [f(0.7), np.array(False)], {}, 12), "dropout_seed": ("Dropout", (2, 3, 4), [], {"seed": 3}, 13),
        "depth": ("DepthToSpace", (1, 8, 2, 3), [], {"blocksize": 2}, 11), "depth_crd": ("DepthToSpace", (1, 8, 2, 3), [], {"blocksize": 2, "mode": "CRD"}, 11),
        "depth_dcr": ("DepthToSpace", (2, 9, 1, 2), [], {"blocksize": 3, "mode": "DCR"}, 11), "space": ("SpaceToDepth", (1, 3, 4, 6), [], {"blocksize": 2}, 11),
        "slice": ("Slice", (4, 5, 6), [i64(1, -1), i64(4, -9), i64(0, 2), i64(2, -2)], {}, 11), "slice_noaxes": ("Slice", (4, 5, 6), [i64(1, 2), i64(3, 100)], {}, 11),
        "slice_negative_axis": ("Slice", (4, 5, 6), [i64(0), i64(-1), i64(-1)], {}, 11), "slice_reverse": ("Slice", (4, 5), [i64(-1), i64(-(2**63)), i64(1), i64(-1)], {}, 11),
        "slice_i32": ("Slice", (4, 5), [np.array([1], np.int32), np.array([2**31 - 1], np.int32), np.array([0], np.int32)], {}, 11), "slice_empty": ("Slice", (4, 5), [i64(3), i64(3), i64(0)], {}, 11),
        "gather": ("Gather", (4, 5, 6), [i64(3, 0, -1, -1)], {"axis": 1}, 11), "gather_scalar": ("Gather", (4, 5, 6), [np.array(-2)], {"axis": -1}, 11),
        "gather_matrix": ("Gather", (4, 5), [np.array([[1, 2], [3, 0]])], {}, 11), "gather_i32": ("Gather", (4, 5), [np.array([1, 1], np.int32)], {"axis": 0}, 11),
        "pad": ("Pad", (1, 2, 3, 4), [i64(0, 0, 1, 2, 0, 0, 2, 0)], {}, 11), "pad_reflect": ("Pad", (1, 2, 3, 4), [i64(0, 0, 2, 1, 0, 0, 1, 3)], {"mode": "reflect"}, 11),
        "pad_edge": ("Pad", (1, 2, 3, 4), [i64(0, 1, 2, 1, 0, 0, 0, 3)], {"mode": "edge"}, 11), "pad_crop": ("Pad", (1, 2, 4, 5), [i64(0, 0, -1, 2, 0, 0, 2, -2)], {}, 11),
        "pad_wrap": ("Pad", (1, 2, 3, 4), [i64(0, 0, 2, 1, 0, 0, 1, 3)], {"mode": "wrap"}, 19), "pad_1d": ("Pad", (5,), [i64(2, 1)], {}, 11), "pad_none": ("Pad", (2, 3), [i64(0, 0, 0, 0)], {}, 11),
        "pad_axes": ("Pad", (2, 3, 4), [i64(1, 2), None, i64(-1)], {}, 18), "trilu": ("Trilu", (3, 4), [], {}, 14), "shrinked": ("Tile", (3,), [i64(1)], {}, 11),
        "gather_elements": ("GatherElements", (3, 4), [np.array([[0, 2, 1, 0]])], {"axis": 0}, 11), "gathernd": ("GatherND", (3, 4), [np.array([[0, 1], [2, 3]])], {}, 12),
        "cumsum": ("CumSum", (3, 4), [np.array(1)], {}, 11), "reverse": ("ReverseSequence", (4, 3), [i64(4, 2, 1)], {}, 11), "center": ("CenterCropPad", (4, 5), [i64(3, 6)], {}, 18),
        "compress": ("Compress", (4, 5), [np.array([True, False, True, True])], {"axis": 0}, 11),
    }
    for name, (op, shape, more, attributes, least) in table.items():
        most = 11 if name == "dropout11" else 12 if name in ("dropout_x",) else 23
        kinds = BARE if op not in ("Trilu", "GatherElements", "GatherND", "CumSum", "ReverseSequence", "CenterCropPad", "Compress", "Dropout") else ["u8", "s8", "s64", "f32", "bool"]
        for kind in kinds:
            c = Case(op, f"{name}.bare.{kind}", opset_for((name, "bare"), least, most))
            c.give(c.node(op, c.raw(kind, shape), *["" if m is None else c.const(m) for m in more], **attributes), kind)
            done(c)
        pairs = [(k, k) for k in ACT] + [("u8", "s8"), ("s8", "u16"), ("s16", "u8"), ("u16", "f32"), ("f32", "u8")]
        for a, y in pairs if op not in ("Trilu", "GatherElements", "GatherND", "ReverseSequence", "CenterCropPad", "Compress", "CumSum") else [("u8", "u8"), ("s16", "s16"), ("s8", "f32")]:
            c = Case(op, f"{name}.qdq.{a}.{y}", opset_for((name, "qdq"), least, most))
            c.result(c.node(op, c.real(a, shape), *["" if m is None else c.const(m) for m in more], **attributes), y, zeros(name))
            done(c)
            # between the same quantizers
            if a == y:
                c = Case(op, f"{name}.same.{a}", opset_for((name, "same"), least, most))
                x = c.raw(a, shape)
                s, z = c.params(a)
                c.signed = a == "s8"
                r = c.node(op, c.node("DequantizeLinear", x, s, z, domain=c.qdomain(a)), *["" if m is None else c.const(m) for m in more], **attributes)
                c.node("QuantizeLinear", r, s, z, domain=c.qdomain(a), outputs=["y0"])
                c.outputs.append(("y0", a))
                done(c)
    axes_moves(i64)
    pads(i64)
    joins(i64)


def axes_moves(i64):
    """Squeeze and Unsqueeze: axes as attribute before 13, as input since."""
    for op, shape, lists in [("Squeeze", (1, 3, 1, 4), [[0], [2], [0, 2], [-2], None]), ("Unsqueeze", (3, 4), [[0], [1, 3], [-1], [0, -1], [2, 0]])]:
        for axes in lists:
            for opset in (11, 12, 13, 21, 23):
                kind = turn((op, "bare"), BARE)
                label = "none" if axes is None else "_".join(map(str, axes))
                for form, a, y in [("bare", kind, kind), ("qdq", turn((op, "a"), ACT), turn((op, "y"), REAL))]:
                    c = Case(op, f"{form}.axes{label}.{a}.{y}", opset)
                    x = c.raw(a, shape) if form == "bare" else c.real(a, shape)
                    r = c.node(op, x, axes=axes) if opset < 13 else c.node(op, x, "" if axes is None else c.const(i64(*axes)))
                    if form == "bare":
                        c.give(r, kind)
                    else:
                        c.result(r, y)
                    done(c)


def pads(i64):
    for kind, value, opset in itertools.product(ACT + ["s32", "s64"], (0, 3), (11, 13, 18, 21)):
        c = Case("Pad", f"value{value}.bare.{kind}", opset)
        c.give(c.node("Pad", c.raw(kind, (1, 2, 3, 4)), c.const(i64(0, 0, 1, 2, 0, 0, 2, 0)), c.const(value, kind)), kind)
        done(c)
    for a, y, value in itertools.product(ACT, ["u8", "s8", "s16", "f32"], (0.0, 0.7, -100.0)):
        c = Case("Pad", f"value{value}.qdq.{a}.{y}", opset_for("padv"))
        c.result(c.node("Pad", c.real(a, (1, 2, 3, 4)), c.const(i64(0, 0, 1, 2, 0, 0, 2, 0)), c.const(f(value))), y)
        done(c)
    for a in ("u8", "s8", "f32"):
        for opset in (9, 10):
            c = Case("Pad", f"attributes.{a}", opset)
            x = c.real(a, (1, 2, 3, 4))
            c.result(c.node("Pad", x, pads=[0, 0, 1, 2, 0, 0, 2, 0], value=0.5), a, scale=0.02)
            done(c)


def joins(i64):
    for a, b, y in itertools.product(ACT, ACT, REAL):
        c = Case("Concat", f"types.{a}{b}.{y}", opset_for("concat"))
        c.result(c.node("Concat", c.real(a, (2, 3, 4)), c.real(b, (2, 2, 4)), axis=1), y)
        done(c)
    for kind in BARE:
        for axis, shapes in [(0, [(2, 3), (1, 3)]), (-1, [(2, 3), (2, 4), (2, 1)]), (2, [(1, 2, 3, 4), (1, 2, 2, 4)])]:
            c = Case("Concat", f"bare.{kind}.axis{axis}", opset_for("concatbare"))
            c.give(c.node("Concat", *[c.raw(kind, s) for s in shapes], axis=axis), kind)
            done(c)
        c = Case("Concat", f"bare.constant.{kind}", 17)
        c.give(c.node("Concat", c.raw(kind, (2, 3)), c.const(c.numbers(kind, (1, 3))), axis=0), kind)
        done(c)
    for a in ACT:
        for form in ("one", "itself", "constant", "float_constant"):
            c = Case("Concat", f"qdq.{form}.{a}", opset_for("concatf"))
            x = c.real(a, (2, 3, 4))
            others = {"one": lambda: [], "itself": lambda: [x], "constant": lambda: [c.weight(a, (2, 1, 4))], "float_constant": lambda: [c.const(c.numbers("f32", (2, 1, 4)))]}[form]()
            c.result(c.node("Concat", x, *others, axis=1), a)
            done(c)
    for a, b, y in itertools.product(["u8", "s8"], repeat=3):
        for zero in ("given", "none"):
            for axis in (1, -1):
                c = Case("QLinearConcat", f"{a}{b}.{y}.{zero}.axis{axis}", opset_for("qconcat"))
                shape = (2, 3, 4)
                c.node("QLinearConcat", *c.params(y), c.raw(a, shape), *c.params(a), c.raw(b, shape), *c.params(b), domain=MS, outputs=["y0"], axis=axis)
                if zero == "none":
                    continue
                c.outputs.append(("y0", y))
                done(c)
    for kind in BARE:
        for form in ("parts", "equal", "outputs", "uneven"):
            for opset in (11, 13, 18, 21):
                if kind not in ("u8", "s8", "s16", "f32") and opset != 13:
                    continue
                split(kind, form, opset, "bare")
    for a in ACT:
        for form in ("parts", "equal", "outputs", "uneven"):
            for opset in (11, 13, 18, 21):
                split(a, form, opset, "qdq")


def split(kind, form, opset, how):
    c = Case("Split", f"{how}.{form}.{kind}", opset)
    x = c.raw(kind, (2, 7 if form in ("parts", "uneven") else 6, 3)) if how == "bare" else c.real(kind, (2, 7 if form in ("parts", "uneven") else 6, 3))
    axis = turn("splitaxis", [1, -2])
    sizes = [2, 4, 1]
    if form == "parts":
        outs = c.node("Split", x, axis=axis, split=sizes, n=3) if opset < 13 else c.node("Split", x, c.const(np.array(sizes)), axis=axis, n=3)
    elif form == "equal":
        outs = c.node("Split", x, axis=axis, n=3)
    elif form == "outputs":
        outs = c.node("Split", x, axis=axis, n=2, num_outputs=2 if opset >= 18 else None)
    else:
        outs = c.node("Split", x, axis=axis, n=3, num_outputs=3 if opset >= 18 else None)
    for o in outs:
        c.give(o, kind) if how == "bare" else c.result(o, kind)
    done(c)


def casts():
    for a, b in itertools.product([*BARE, "f16", "f64"], [*BARE, "f16", "f64"]):
        c = Case("Cast", f"bare.{a}.{b}", opset_for("cast", 13))
        # Only what fits: conversions of values out of range are not defined.
        span = None
        if a not in ("f32", "f16", "f64", "bool") and b not in ("f16", "f64", "f32", "bool"):
            span = None
        x = c.raw(a, (2, 3, 4), span)
        if a in ("f32", "f16", "f64"):
            c.inputs[x] = np.abs(c.inputs[x]) if b[0] == "u" else c.inputs[x]
        if a in ("s64", "u64", "u32", "s32") and b == "f16":
            c.inputs[x] = (c.inputs[x] % 100).astype(c.inputs[x].dtype)
        c.give(c.node("Cast", x, to=KINDS[b][1]), b)
        done(c)
    for a, y in itertools.product(ACT, REAL):
        c = Case("Cast", f"qdq.f32.{a}.{y}", opset_for("castq"))
        c.result(c.node("Cast", c.real(a, (2, 3, 4)), to=TensorProto.FLOAT), y)
        done(c)
        c = Case("Cast", f"qdq.s32.{a}.{y}", opset_for("castq"))
        r = c.node("Cast", c.node("Cast", c.real(a, (2, 3, 4), scale=0.25), to=TensorProto.INT32), to=TensorProto.FLOAT)
        c.result(r, y)
        done(c)


# resize

def resizes():
    modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric", "tf_half_pixel_for_nn"]
    rounds = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
    sizes = {"up": [1, 2, 7, 9], "down": [1, 2, 3, 2], "double": [1, 2, 8, 10], "one": [1, 2, 1, 1]}
    scales = {"x2": [1, 1, 2, 2], "half": [1, 1, 0.5, 0.5], "below": [1, 1, float(np.nextafter(f(1.5), f(0))), 0.7], "thirds": [1, 1, 1 / 3, 5 / 3], "x1.1": [1, 1, 1.1, 2.6], "whole7": [1, 1, 1.75, 1.4]}
    for mode, near in itertools.product(modes, rounds):
        for what, s in sizes.items():
            resize(turn("rk", INTS), None, {"mode": "nearest", "nearest_mode": near, "coordinate_transformation_mode": mode}, f"nearest.{mode}.{near}.{what}", sizes=s)
        for what, s in scales.items():
            resize(turn("rk2", ["u8", "s8"]), None, {"mode": "nearest", "nearest_mode": near, "coordinate_transformation_mode": mode}, f"nearest.{mode}.{near}.{what}", scales=s)
    for mode in modes:
        for what, s in [*sizes.items()]:
            resize(turn("rk3", ["u8", "s8"]), None, {"mode": "linear", "coordinate_transformation_mode": mode}, f"linear.{mode}.{what}", sizes=s)
        for what, s in [*scales.items()]:
            resize(turn("rk3", ["u8", "s8"]), None, {"mode": "linear", "coordinate_transformation_mode": mode}, f"linear.{mode}.{what}", scales=s)
        for a, y in [("u8", "u8"), ("s8", "u8"), ("u16", "s16"), ("s16", "s16"), ("s8", "f32")]:
            resize(a, y, {"mode": "linear", "coordinate_transformation_mode": mode}, f"qdq.linear.{mode}", sizes=sizes["up"])
            resize(a, y, {"mode": "nearest", "coordinate_transformation_mode": mode}, f"qdq.nearest.{mode}", scales=scales["x1.1"])
    for a, y in itertools.product(REAL, REAL):
        for mode in ("nearest", "linear"):
            resize(a, y, {"mode": mode}, f"types.{mode}", scales=scales[turn("rs", list(scales))])
    for a in ("u8", "s8", "f32"):
        resize(a, a, {"mode": "cubic"}, "cubic", sizes=sizes["up"])
        resize(a, a, {"mode": "linear", "antialias": 1}, "antialias", sizes=sizes["down"], opset=18)
        resize(a, a, {"mode": "nearest", "axes": [2, 3]}, "axes", sizes=[7, 9], opset=18)
        resize(a, a, {"mode": "linear", "axes": [3, 2]}, "axes_order", sizes=[9, 7], opset=18)
        resize(a, a, {"mode": "linear", "keep_aspect_ratio_policy": "not_larger", "axes": [2, 3]}, "policy", sizes=[7, 9], opset=18)
        resize(a, a, {"mode": "nearest", "keep_aspect_ratio_policy": "not_smaller", "axes": [2, 3]}, "policy_smaller", sizes=[7, 9], opset=18)
        resize(a, a, {"mode": "nearest"}, "channels", scales=[1, 2, 1, 1])
        resize(a, a, {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 0.5}, "crop", sizes=sizes["up"], roi=[0, 0, 0.2, 0.1, 1, 1, 0.9, 1.2])
        for shape, s in [((2, 5), [3, 9]), ((1, 2, 5), [1, 2, 9]), ((5,), [8]), ((1, 2, 2, 3, 3), [1, 2, 4, 6, 3])]:
            for mode in ("nearest", "linear"):
                resize(a, a, {"mode": mode}, f"rank{len(shape)}.{mode}", sizes=s, shape=shape)
        for opset in (9, 10):
            for mode in ("nearest", "linear"):
                c = Case("Resize" if opset == 10 else "Upsample", f"{mode}.{a}", opset)
                x = c.real(a, (1, 2, 4, 5))
                c.result(c.node("Resize" if opset == 10 else "Upsample", x, c.const(np.array([1, 1, 2, 1.6], f)), mode=mode), a, scale=0.02)
                done(c)
        for opset in (11, 13, 18, 19, 21):
            for mode in ("nearest", "linear"):
                resize(a, a, {"mode": mode}, f"version.{mode}", scales=scales["x1.1"], opset=opset)
    for opset in (9, 10, 11):
        for kind in ("u8", "s8"):
            c = Case("Upsample" if opset == 9 else "Resize", f"bare.{kind}", opset)
            extra = [c.const(np.zeros(0, f))] if opset == 11 else []
            c.give(c.node(c.operator, c.raw(kind, (1, 2, 4, 5)), *extra, c.const(np.array([1, 1, 2, 1.6], f)), mode="nearest"), kind)
            done(c)


def resize(a, y, attributes, form, sizes=None, scales=None, opset=None, shape=(1, 2, 4, 5), roi=None):
    opset = opset or opset_for("resize", 19 if "symmetric" in form or "axes" in attributes else 11, 12 if "tf_half" in form else 23)
    c = Case("Resize", f"{form}.{a}{'' if y is None else '.' + y}", opset)
    x = c.raw(a, shape) if y is None else c.real(a, shape)
    empty = c.const(np.array([], f)) if opset < 13 else ""
    r = "" if roi is None else c.const(np.array(roi, f))
    r = r or empty
    if sizes is None:
        out = c.node("Resize", x, r, c.const(np.array(scales, f)), **attributes)
    else:
        out = c.node("Resize", x, r, empty, c.const(np.array(sizes, np.int64)), **attributes)
    c.give(out, a) if y is None else c.result(out, y)
    done(c)


# quantizers

def quantizers():
    for kind, zero, opset in itertools.product([*ACT, "s32"], ("given", "none"), (11, 13, 17, 19, 21, 23)):
        for shape in ((), (7,), (2, 3, 4), (1, 2, 3, 4)):
            if len(shape) in (0, 1) and opset not in (13, 21):
                continue
            for domain in ("", MS):
                if domain and (opset != 17 or len(shape) != 3):
                    continue
                c = Case("DequantizeLinear", f"{'ms.' if domain else ''}{kind}.{zero}.rank{len(shape)}", opset)
                c.domain = domain if opset < 21 and domain else None if kind in WIDE else ""
                if kind == "s32":
                    x = c.raw(kind, shape, (-100000, 100000))
                    c.give(c.node("DequantizeLinear", x, c.const(f(0.01)), c.const(0, "s32") if zero == "given" else "", domain=domain), "f32")
                else:
                    c.give(c.dequantized(c.raw(kind, shape), kind, zero), "f32")
                done(c)
                if kind == "s32":
                    continue
                c = Case("QuantizeLinear", f"{'ms.' if domain else ''}{kind}.{zero}.rank{len(shape)}", opset)
                c.domain = domain if opset < 21 and domain else None if kind in WIDE else ""
                if zero == "none" and (kind != "u8") and opset < 21:
                    continue
                c.result(c.raw("f32", shape), kind, zero, output_dtype=zero == "none" and kind != "u8")
                done(c)
    for kind in ACT:
        for opset in (17, 21):
            for what in ("activation", "constant"):
                c = Case("DequantizeLinear", f"channels.{what}.{kind}", opset)
                c.domain = MS if kind in WIDE and opset < 21 else ""
                x = c.raw(kind, (2, 3, 4)) if what == "activation" else c.const(c.numbers(kind, (2, 3, 4)))
                r = c.node("DequantizeLinear", x, c.const(np.array([0.1, 0.2, 0.3], f)), c.const(np.full(3, 1), kind), axis=1, domain=c.domain)
                c.give(r if what == "activation" else c.node("Add", r, c.raw("f32", (3, 4))), "f32")
                done(c)
                c = Case("QuantizeLinear", f"channels.{what}.{kind}", opset)
                c.domain = MS if kind in WIDE and opset < 21 else ""
                c.node("QuantizeLinear", c.raw("f32", (2, 3, 4)), c.const(np.array([0.1, 0.2, 0.3], f)), c.const(np.full(3, 1), kind), axis=-2, outputs=["y0"], domain=c.domain)
                c.outputs.append(("y0", kind))
                done(c)
        c = Case("QuantizeLinear", f"blocks.{kind}", 21)
        c.node("QuantizeLinear", c.raw("f32", (2, 4)), c.const(np.full((2, 2), 0.1, f)), c.const(np.full((2, 2), 1), kind), axis=1, block_size=2, outputs=["y0"])
        c.outputs.append(("y0", kind))
        done(c)
        for scale_shape in ((), (1,)):
            c = Case("QuantizeLinear", f"shape{len(scale_shape)}.{kind}", 21)
            c.node("QuantizeLinear", c.raw("f32", (2, 4)), c.const(np.full(scale_shape, 0.125, f)), c.const(np.full(scale_shape, 1), kind), outputs=["y0"])
            c.outputs.append(("y0", kind))
            done(c)
        # a declared type that is not the quantizer's
        for other in ACT:
            if other != kind:
                c = Case("QuantizeLinear", f"declared.{kind}.as.{other}", 21)
                c.node("QuantizeLinear", c.raw("f32", (2, 4)), c.const(f(0.125)), c.const(1, kind), outputs=["y0"])
                c.outputs.append(("y0", other))
                done(c)
                c = Case("DequantizeLinear", f"zero_type.{kind}.{other}", 21)
                r = c.node("DequantizeLinear", c.raw(kind, (2, 4)), c.const(f(0.125)), c.const(1, other))
                c.result(c.node("Relu", r), kind, scale=0.1)
                done(c)
                c = Case("QuantizeLinear", f"output_dtype_differs.{kind}.{other}", 21)
                c.node("QuantizeLinear", c.raw("f32", (2, 4)), c.const(f(0.125)), c.const(1, kind), outputs=["y0"], output_dtype=KINDS[other][1])
                c.outputs.append(("y0", kind))
                done(c)
    for a, b in itertools.product(REAL, ACT):
        for zero in ("given", "none"):
            if zero == "none" and b != "u8":
                continue
            c = Case("QuantizeLinear", f"again.{a}.{b}.{zero}", opset_for("again"))
            c.result(c.real(a, (2, 3, 4), zero), b, zero)
            done(c)
    for value in ("tiny", "huge", "ties", "special"):
        for kind in ACT:
            c = Case("QuantizeLinear", f"values.{value}.{kind}", 21)
            lo, hi = limits(kind)
            data = {"tiny": c.rng.normal(0, 1e-3, 24), "huge": c.rng.normal(0, 1e9, 24), "ties": (np.arange(24) - 12 + 0.5) * 0.25,
                    "special": np.array([np.inf, -np.inf, 0.0, -0.0, 1e-40, 3.4e38, -3.4e38, 0.125] * 3)}[value].astype(f)
            x = c.raw("f32", (24,), values=data)
            c.node("QuantizeLinear", x, c.const(f(0.25)), c.const(c.zero_of(kind), kind), outputs=["y0"])
            c.outputs.append(("y0", kind))
            done(c)


def others():
    """Shapes, constants and what runs on the host."""
    for kind in ("u8", "s16", "f32", "s64"):
        for op in ("Shape", "Size"):
            c = Case(op, f"bare.{kind}", opset_for("shape"))
            c.give(c.node(op, c.raw(kind, (2, 3, 4))), "s64")
            done(c)
        c = Case("Shape", f"range.{kind}", 15)
        c.give(c.node("Shape", c.raw(kind, (2, 3, 4)), start=-2, end=3), "s64")
        done(c)
        c = Case("Reshape", f"by_shape.{kind}", opset_for("byshape", 13))
        x = c.raw(kind, (2, 3, 4))
        s = c.node("Shape", x)
        t = c.node("Concat", c.node("Gather", s, c.const(np.array([0]))), c.const(np.array([-1])), axis=0)
        c.give(c.node("Reshape", x, t), kind)
        done(c)
    for a, y in [("u8", "u8"), ("s8", "f32"), ("s16", "s16"), ("f32", "f32")]:
        for op, make in {
            "TopK": lambda c, x: c.node("TopK", x, c.const(np.array([3])), n=2)[0],
            "Einsum": lambda c, x: c.node("Einsum", x, equation="ijk->ik"),
            "OneHotish": lambda c, x: c.node("Mul", x, c.node("Cast", c.node("Greater", x, c.const(f(0.5))), to=TensorProto.FLOAT)),
            "IsNaN": lambda c, x: c.node("Cast", c.node("IsNaN", x), to=TensorProto.FLOAT),
            "ScatterND": lambda c, x: c.node("ScatterND", x, c.const(np.array([[0], [1]])), c.const(c.numbers("f32", (2, 3, 5)))),
            "CumSum": lambda c, x: c.node("CumSum", x, c.const(np.array(-1)), exclusive=1),
            "Acos": lambda c, x: c.node("Acos", c.node("Mul", c.node("Tanh", x), c.const(f(0.75)))),
            "Constant": lambda c, x: c.node("Add", x, c.node("Constant", value_float=0.5)),
            "ConstantFloats": lambda c, x: c.node("Mul", x, c.node("Constant", value_floats=[0.5, 1.0, 2.0, 0.25, -1.0])),
            "ConstantInts": lambda c, x: c.node("Reshape", x, c.node("Constant", value_ints=[2, -1])),
            "ConstantOfShape": lambda c, x: c.node("Add", x, c.node("ConstantOfShape", c.node("Shape", x), value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.75]))),
            "Range": lambda c, x: c.node("Gather", x, c.node("Range", c.const(np.array(0)), c.const(np.array(3)), c.const(np.array(2))), axis=1),
            "MeanVariance": lambda c, x: c.node("MeanVarianceNormalization", x, axes=[0, 2]),
        }.items():
            c = Case("Others", f"{op}.{a}.{y}", opset_for("others", 13))
            c.result(make(c, c.real(a, (2, 3, 5))), y)
            done(c)
    for kind in ACT:
        for opset in (13, 21):
            c = Case("DynamicQuantizeLinear", f"{kind}", opset)
            r = c.node("DynamicQuantizeLinear", c.real(kind, (2, 3)), n=3)
            c.give(r[0], "u8")
            done(c)


# one after the other, in float between two quantizers: what waits for its quantizer, what moves, what is an expression

LINKS = {
    # operators on a tensor of four axes: name → (node, shape of the result)
    "conv": lambda c, x, s: (c.node("Conv", x, c.weight("s8", (3, s[1], 1, 1))), (s[0], 3, *s[2:])),
    "depthwise": lambda c, x, s: (c.node("Conv", x, c.weight("s8", (s[1], 1, 3, 3)), group=s[1], pads=[1, 1, 1, 1]), s),
    "matmul": lambda c, x, s: (c.node("MatMul", x, c.weight("s8", (s[3], 5))), (*s[:3], 5)),
    "relu": lambda c, x, s: (c.node("Relu", x), s), "sigmoid": lambda c, x, s: (c.node("Sigmoid", x), s),
    "clip": lambda c, x, s: (c.node("Clip", x, c.const(f(-0.4)), c.const(f(0.9))), s), "leaky": lambda c, x, s: (c.node("LeakyRelu", x, alpha=0.2), s),
    "maxpool": lambda c, x, s: (c.node("MaxPool", x, kernel_shape=[1, 2]), (*s[:3], s[3] - 1)),
    "averagepool": lambda c, x, s: (c.node("AveragePool", x, kernel_shape=[1, 2]), (*s[:3], s[3] - 1)),
    "globalaverage": lambda c, x, s: (c.node("GlobalAveragePool", x), (s[0], s[1], 1, 1)),
    "globalmax": lambda c, x, s: (c.node("GlobalMaxPool", x), (s[0], s[1], 1, 1)),
    "mean": lambda c, x, s: (c.node("ReduceMean", x, axes=[3], keepdims=1), (*s[:3], 1)),
    "transpose": lambda c, x, s: (c.node("Transpose", x, perm=[0, 1, 3, 2]), (s[0], s[1], s[3], s[2])),
    "last": lambda c, x, s: (c.node("Transpose", x, perm=[0, 2, 3, 1]), (s[0], s[2], s[3], s[1])),
    "reshape": lambda c, x, s: (c.node("Reshape", x, c.const(np.array([0, 0, 1, -1]))), (s[0], s[1], 1, s[2] * s[3])),
    "flatten": lambda c, x, s: (c.node("Reshape", c.node("Flatten", x), c.const(np.array(s))), s),
    "squeezed": lambda c, x, s: (c.node("Unsqueeze", c.node("Squeeze", x, c.const(np.array([0]))), c.const(np.array([0]))), s),
    "pad": lambda c, x, s: (c.node("Pad", x, c.const(np.array([0, 0, 0, 1, 0, 0, 0, 1]))), (*s[:3], s[3] + 2)),
    "slice": lambda c, x, s: (c.node("Slice", x, c.const(np.array([1 if s[1] > 1 else 0])), c.const(np.array([99])), c.const(np.array([1]))), (s[0], max(1, s[1] - 1), *s[2:])),
    "gather": lambda c, x, s: (c.node("Gather", x, c.const(np.array([s[3] - 1, 0, 0])), axis=3), (*s[:3], 3)),
    "split": lambda c, x, s: (c.node("Split", x, c.const(np.array([1, s[3] - 1])), axis=3, n=2)[0], (*s[:3], 1)) if s[3] > 1 else LINKS["relu"](c, x, s),
    "joined": lambda c, x, s: (c.node("Concat", x, x, axis=1), (s[0], 2 * s[1], *s[2:])),
    "double": lambda c, x, s: (c.node("Mul", x, c.const(f(0.5))), s), "shift": lambda c, x, s: (c.node("Add", x, c.const(f(0.25))), s),
    "by_channel": lambda c, x, s: (c.node("Mul", x, c.const((np.arange(s[1]).reshape(-1, 1, 1) + 1).astype(f) / f(4))), s),
    "twice": lambda c, x, s: (c.node("Add", x, x), s), "square": lambda c, x, s: (c.node("Mul", x, x), s), "difference": lambda c, x, s: (c.node("Sub", c.const(f(1)), x), s),
    "tensor": lambda c, x, s: (c.node("Add", x, c.real("u8", (s[1], 1, 1))), s), "product": lambda c, x, s: (c.node("Mul", x, c.real("s8", (1, s[3]))), s),
    "softmax": lambda c, x, s: (c.node("Softmax", x, axis=-1), s), "nearest": lambda c, x, s: (c.node("Resize", x, "", c.const(np.array([1, 1, 1, 2], f)), mode="nearest"), (*s[:3], 2 * s[3])),
    "linear": lambda c, x, s: (c.node("Resize", x, "", c.const(np.array([1, 1, 1, 2], f)), mode="linear"), (*s[:3], 2 * s[3])),
    "norm": lambda c, x, s: (c.node("BatchNormalization", x, *[c.const(c.rng.uniform(0.5, 2, s[1]).astype(f)) for _ in range(4)]), s),
    "expand": lambda c, x, s: (c.node("Expand", x, c.const(np.array([2, 1, 1, 1]))), (2 * s[0] if s[0] == 1 else s[0], *s[1:])),
    "cast": lambda c, x, s: (c.node("Cast", x, to=TensorProto.FLOAT), s), "dropout": lambda c, x, s: (c.node("Dropout", x), s),
    "transposed": lambda c, x, s: (c.node("ConvTranspose", x, c.weight("s8", (s[1], 2, 1, 2)), strides=[1, 2]), (s[0], 2, s[2], 2 * s[3])),
    "host": lambda c, x, s: (c.node("LpNormalization", x, axis=1), s),
}


def links():
    for first, second in itertools.product(LINKS, LINKS):
        a, y = turn("linka", ["u8", "s8", "u8", "s16"]), turn("linky", ["u8", "s8", "f32", "u8", "s16"])
        c = Case("Links", f"{first}.{second}.{a}.{y}", opset_for("links", 13, 17))
        x, s = LINKS[first](c, c.real(a, (1, 4, 4, 6)), (1, 4, 4, 6))
        x, s = LINKS[second](c, x, s)
        c.result(x, y)
        done(c)
    # the value between is an output, too
    for first, second in itertools.product(LINKS, ["relu", "conv", "transpose", "twice", "maxpool", "averagepool"]):
        a, y = turn("linka", ["u8", "s8", "u8", "s16"]), turn("linky", ["u8", "s8", "u8", "s16"])
        c = Case("Links", f"shown.{first}.{second}.{a}.{y}", opset_for("links", 13, 17))
        x, s = LINKS[first](c, c.real(a, (1, 4, 4, 6)), (1, 4, 4, 6))
        c.result(x, turn("linkshown", ["u8", "s8", "s16"]))
        x, s = LINKS[second](c, x, s)
        c.result(x, y)
        done(c)


def lanes():
    """Numbers of channels around the machine's vectors, several images, images of one pixel."""
    for shape in ((1, 1, 5, 7), (2, 16, 2, 3), (1, 17, 3, 2), (3, 33, 1, 2), (2, 5, 1, 1), (1, 4, 1, 19), (2, 3, 18, 1)):
        for a in ("u8", "s8", "s16"):
            for op, more in [("MaxPool", {"kernel_shape": [1, 2], "pads": [0, 1, 0, 1]}), ("AveragePool", {"kernel_shape": [2, 1], "pads": [1, 0, 1, 0]}), ("GlobalAveragePool", {}),
                             ("GlobalMaxPool", {}), ("Softmax", {"axis": 1}), ("Sigmoid", {}), ("Transpose", {"perm": [0, 2, 3, 1]})]:
                pooled(op, a, a, opset_for("lanes"), more, f"lanes{'x'.join(map(str, shape))}", shape)
            for group in (1, shape[1]):
                conv(a, "s8", a, opset_for("lanes"), {"pads": [1, 1, 1, 1], "group": group}, f"lanes{'x'.join(map(str, shape))}.{'depthwise' if group > 1 else 'dense'}", 1,
                     shape=shape, oc=shape[1], bias="f32")
            for op in ("Add", "Mul", "Div", "Max"):
                binary(op, a, a, a, opset_for("lanes"), (shape, (1, shape[1], 1, 1)), "input", f".lanes{'x'.join(map(str, shape))}")
                binary(op, a, a, a, opset_for("lanes"), (shape, shape), "input", f".lanes_full{'x'.join(map(str, shape))}")
            c = Case("Concat", f"lanes{'x'.join(map(str, shape))}.{a}", opset_for("lanes"))
            c.result(c.node("Concat", c.real(a, shape), c.real(a, shape), axis=1), a)
            done(c)
            c = Case("Gemm", f"lanes{shape[1]}.{'x'.join(map(str, shape))}.{a}", opset_for("lanes", 13))
            x = c.real(a, (shape[0], shape[1]))
            c.result(c.node("Gemm", x, c.weight("s8", (shape[1], shape[1] + 1), 1)), a)
            done(c)


def computed():
    """Operands that a graph input or another layer gives, where models have constants."""
    for a in ("u8", "s8"):
        for form, make in {
            "conv_weights": lambda c: c.node("Conv", c.real(a, (1, 2, 4, 5)), c.real("s8", (3, 2, 2, 2), value=0)),
            "gemm_weights": lambda c: c.node("Gemm", c.real(a, (3, 4)), c.real("s8", (4, 5), value=0)),
            "gemm_bias": lambda c: c.node("Gemm", c.real(a, (3, 4)), c.weight("s8", (4, 5)), c.raw("f32", (5,))),
            "conv_bias": lambda c: c.node("Conv", c.real(a, (1, 2, 4, 5)), c.weight("s8", (3, 2, 2, 2)), c.raw("f32", (3,))),
            "gather_indices": lambda c: c.node("Gather", c.real(a, (4, 5)), c.raw("s64", (2, 2), (0, 3))),
            "pad_value": lambda c: c.node("Pad", c.real(a, (3, 4)), c.const(np.array([1, 0, 0, 2])), c.raw("f32", ())),
            "clip_bounds": lambda c: c.node("Clip", c.real(a, (3, 4)), c.const(f(-1)), c.raw("f32", ())),
            "constant_first": lambda c: c.node("Sub", c.weight("u8", (3, 4)), c.real(a, (3, 4))),
            "constant_activation": lambda c: c.node("Add", c.node("Relu", c.weight("u8", (3, 4))), c.real(a, (3, 4))),
            "matmul_constant_first": lambda c: c.node("MatMul", c.weight("u8", (3, 4)), c.real("s8", (4, 5), span=(-63, 63), value=0)),
            "shared_weights": lambda c: (lambda w: c.node("Add", c.node("Conv", c.real(a, (1, 2, 4, 5)), w), c.node("Conv", c.real(a, (1, 2, 4, 5)), w)))(c.weight("s8", (3, 2, 1, 1))),
            "same_input_twice": lambda c: (lambda x: c.node("MatMul", x, c.node("Transpose", x, perm=[1, 0])))(c.real(a, (3, 4), span=(-63, 63) if a == "s8" else (0, 127))),
        }.items():
            for y in ("u8", "s8", "s16", "f32"):
                c = Case("Computed", f"{form}.{a}.{y}", opset_for("computed", 13))
                c.result(make(c), y)
                done(c)
        for opset in (12, 13, 22):
            c = Case("Dropout", f"mask.{a}", opset)
            r, m = c.node("Dropout", c.real(a, (3, 4)), n=2)
            c.result(r, a)
            c.give(m, "bool")
            done(c)
            c = Case("Dropout", f"training.{a}", opset)
            c.result(c.node("Dropout", c.real(a, (3, 4)), c.const(f(0)), c.const(np.array(True))), a)
            done(c)


def build():
    # New ones come last, so that turns of those before stay as they are.
    for family in (functions, chains, clips, binaries, wheres, pools, reductions, convolutions, products, softmaxes, qlinear_functions, moves, casts, resizes,
                   quantizers, others, links, lanes, computed):
        family()
    names = [c.name for c in CASES]
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) != len(names) else []
    return CASES, twice
