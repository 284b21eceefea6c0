"""The cases that host_operators.py packs: operator by operator, every definition of ONNX × attributes × types × values."""
import zlib

import numpy as np
from onnx import TensorProto as T
from onnx import defs, helper, numpy_helper

f = np.float32
LAST = 26
CASES = []
INF, NAN = float("inf"), float("nan")
SPECIAL = np.array([[NAN, INF, -INF, -0.0, 0.0, 0.5, 1.5, 2.5], [-0.5, -1.5, -2.5, 1e30, -1e30, 1e-30, 88.0, -88.0]], f)
DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16,
          "u32": np.uint32, "s32": np.int32, "u64": np.uint64, "s64": np.int64, "bool": np.bool_}
KIND_OF = {np.dtype(d): k for k, d in DTYPES.items()}
HISTORY = {}
for schema in defs.get_all_schemas_with_history():
    if schema.domain == "" and not schema.deprecated:
        HISTORY.setdefault(schema.name, set()).add(schema.since_version)


def versions(op, since=7, until=LAST):
    """An opset for each definition of an operator: the last that has it, but the first for the newest."""
    starts = sorted(v for v in HISTORY[op] if v <= until)
    chosen = []
    for i, v in enumerate(starts):
        end = min(starts[i + 1] - 1 if i + 1 < len(starts) else LAST, until)
        if end < max(since, 7):
            continue
        chosen.append(max(v, since, 7))
        if i + 1 == len(starts) and end > chosen[-1]:
            chosen.append(end)
    return chosen


class Const:
    """An input that the model itself holds."""

    def __init__(self, value, kind=None):
        plain = kind is None and not isinstance(value, np.ndarray)
        self.value = np.asarray(value, f if plain else None if kind is None else DTYPES[kind])


def ints(*values):
    return Const(np.array(values, np.int64))


def random(rng, kind, shape, low=-4.0, high=4.0, ties=False):
    """Numbers with few digits: sums of them are exact in any order."""
    if kind == "bool":
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if kind[0] == "f":
        v = np.round(rng.uniform(low, high, shape) * (2 if ties else 64)) / (2 if ties else 64)
        return np.asarray(v).astype(DTYPES[kind])
    info = np.iinfo(DTYPES[kind])
    low, high = max(int(low * 8), info.min), min(int(high * 8), info.max)
    return np.asarray(rng.integers(0 if kind[0] == "u" else low, high + 1, shape)).astype(DTYPES[kind])


def case(op, form, opset, inputs, outputs=1, domain="", **attributes):
    """`inputs`: arrays are the graph's inputs, Const what the model holds, None what is left out."""
    attributes = {k: v for k, v in attributes.items() if v is not None}
    one = {"operator": op, "opset": opset, "domain": domain, "outputs": outputs, "inputs": inputs, "attributes": attributes, "cast": False}
    CASES.append({"name": f"{op}/{form}.o{opset}", **one})
    kinds = {KIND_OF[v.dtype] for v in inputs if isinstance(v, np.ndarray)}
    if kinds - {"f32", "s32", "s64", "bool"} and opset >= 9:
        # The same between casts: what is computed in a type that no input of a host layer has.
        CASES.append({"name": f"{op}/{form}-cast.o{opset}", **one, "cast": True})


def grid(op, form, make, since=7, until=LAST, outputs=1, **attributes):
    """A case for each definition of the operator. `make(rng, opset)` gives inputs, or inputs and more attributes."""
    for opset in versions(op, since, until):
        rng = np.random.default_rng(zlib.crc32(f"{op}/{form}".encode()))
        made = make(rng, opset)
        inputs, more = made if isinstance(made, tuple) else (made, {})
        case(op, form, opset, inputs, outputs, **{**attributes, **more})


def x(shape=(2, 3, 4), kind="f32", **how):
    return lambda rng, opset: [random(rng, kind, shape, **how)]


def fixed(*arrays):
    return lambda rng, opset: list(arrays)


# functions of one tensor

UNARY = ["Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "HardSigmoid",
         "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Celu", "Sigmoid",
         "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "Gelu", "ThresholdedRelu", "Shrink", "Hardmax"]
for op in UNARY:
    low, high = {"Acos": (-1, 1), "Asin": (-1, 1), "Atanh": (-0.95, 0.95), "Acosh": (1, 4), "Log": (0.1, 4), "Sqrt": (0, 4)}.get(op, (-4, 4))
    grid(op, "plain", x(low=low, high=high))
    if op != "Hardmax":
        grid(op, "special", fixed(SPECIAL))
        grid(op, "scalar", fixed(np.array(0.75, f)) if op != "Acosh" else fixed(np.array(1.75, f)), since=13)
for op, more in {"Elu": {"alpha": 0.7}, "HardSigmoid": {"alpha": 0.3, "beta": 0.4}, "LeakyRelu": {"alpha": -0.3}, "Celu": {"alpha": 1.5},
                 "Selu": {"alpha": 1.2, "gamma": 2.0}, "ThresholdedRelu": {"alpha": 0.5}, "Shrink": {"lambd": 0.7, "bias": 0.25}}.items():
    grid(op, "attributes", x(), **more)
    grid(op, "special-attributes", fixed(SPECIAL), **more)
    for name in list(more):
        if len(more) > 1:
            grid(op, f"only-{name}", x(), **{name: more[name]})
grid("LeakyRelu", "zero", x(), alpha=0.0)
for op in ("Elu", "Celu"):
    grid(op, "negative", x(), alpha=-0.5)
for approximate in ("none", "tanh"):
    grid("Gelu", approximate, x(), approximate=approximate)
    grid("Gelu", f"special-{approximate}", fixed(SPECIAL), approximate=approximate)
for positive in (0, 1):
    for negative in (0, 1):
        grid("IsInf", f"p{positive}n{negative}", fixed(SPECIAL), detect_positive=positive, detect_negative=negative)
for op in ("Abs", "Neg", "Sign", "Relu", "Identity"):
    for kind in DTYPES:
        if kind != "f32" and not (kind == "bool" and op != "Identity"):
            grid(op, kind, x(kind=kind))
grid("Sign", "zeros", fixed(np.array([[0, -0.0, 1, -1, 0, 3]], f)))
for op in ("Ceil", "Floor", "Round", "Sqrt", "Exp"):
    grid(op, "f64", x(kind="f64", low=0), since=13)
for kind in ("bool",):
    grid("Not", kind, x(kind=kind))

# element-wise functions of two and more

PAIRS = {"Add": DTYPES, "Sub": DTYPES, "Mul": DTYPES, "Div": DTYPES}
BROADCAST = {"same": ((2, 3, 4), (2, 3, 4)), "row": ((2, 3, 4), (4,)), "column": ((2, 3, 1), (3, 4)), "scalar": ((2, 3), ()),
             "outer": ((3, 1), (1, 4))}


def pair(kind, a, b, nonzero=False, ties=False):
    def made(rng, opset):
        p, q = random(rng, kind, a, ties=ties), random(rng, kind, b, ties=ties)
        if nonzero:
            q = np.where(q == 0, np.ones_like(q), q)
        return [p, q]
    return made


SPECIALS = [np.repeat(SPECIAL.ravel(), 16), np.tile(SPECIAL.ravel(), 16)]
for op in ("Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Min", "Max", "Mean", "Sum", "PRelu"):
    for form, (a, b) in BROADCAST.items():
        if op == "PRelu" and form in ("outer", "column"):
            continue
        if op == "Pow":
            grid(op, form, lambda rng, o, a=a, b=b: [np.asarray(np.abs(random(rng, "f32", a)) + f(0.25)), random(rng, "f32", b, -2, 2)])
        else:
            grid(op, form, pair("f32", a, b, ties=op in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")))
    grid(op, "special", fixed(*SPECIALS))
for op in ("Add", "Sub", "Mul", "Div"):
    for kind in DTYPES:
        if kind not in ("f32", "bool"):
            grid(op, kind, pair(kind, (2, 3, 4), (4,), nonzero=op == "Div"))
for op in ("Min", "Max", "Sum", "Mean"):
    grid(op, "one", x())
    grid(op, "three", lambda rng, o: [random(rng, "f32", (2, 3)), random(rng, "f32", (3,)), random(rng, "f32", (2, 1))])
    if op in ("Min", "Max"):
        for kind in ("s32", "s64", "f64", "u8", "s8", "u32", "u64", "s16", "u16"):
            grid(op, kind, pair(kind, (2, 3, 4), (4,)), since=12)
for op in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"):
    for kind in ("s32", "s64", "f64", "u8", "s8", "u32", "u64", "s16", "u16", "bool"):
        if kind != "bool" or op == "Equal":
            grid(op, kind, pair(kind, (2, 3, 4), (4,)))
for op in ("And", "Or", "Xor"):
    for form, (a, b) in BROADCAST.items():
        grid(op, form, pair("bool", a, b))
grid("Pow", "integers", lambda rng, o: [random(rng, "f32", (2, 3)), Const([2, 3, 0], "s32")], since=12)
grid("Pow", "square", lambda rng, o: [random(rng, "f32", (2, 3)), Const(2.0)])
grid("Pow", "cube", lambda rng, o: [random(rng, "f32", (2, 3)), Const(3.0)])
grid("Pow", "root", lambda rng, o: [random(rng, "f32", (2, 3), 0, 4), Const(0.5)])
grid("Pow", "whole", lambda rng, o: [random(rng, "s32", (2, 3), -0.5, 0.5), Const([2, 3, 0], "s32")], since=12)
grid("Pow", "whole-f32", lambda rng, o: [random(rng, "s32", (2, 3), -0.5, 0.5), Const([2, 3, 0], "f32")], since=12)
for kind in ("s32", "s64", "u8", "s8", "u16", "s16", "u32", "u64"):
    for fmod in (None, 0, 1):
        grid("Mod", f"{kind}-{fmod}", pair(kind, (4, 5), (5,), nonzero=True), fmod=fmod)
grid("Mod", "f32", pair("f32", (4, 5), (5,), nonzero=True), fmod=1)
grid("Mod", "f64", pair("f64", (4, 5), (5,), nonzero=True), fmod=1)
for kind in ("f32", "s32", "s64", "u8", "bool", "s8", "s16", "f64"):
    grid("Where", kind, lambda rng, o, kind=kind: [random(rng, "bool", (2, 1, 4)), random(rng, kind, (3, 4)), random(rng, kind, ())])
grid("BitShift", "left", lambda rng, o: [random(rng, "u32", (2, 3)), Const([1, 2, 3], "u32")], direction="LEFT")
grid("BitShift", "right", lambda rng, o: [random(rng, "u8", (2, 3)), Const([1, 2, 3], "u8")], direction="RIGHT")
for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
    for kind in ("s32", "u8", "s64", "u16"):
        grid(op, kind, pair(kind, (2, 3), (3,)))
grid("BitwiseNot", "s32", x(kind="s32"))

# Clip, Cast

for form, low, high in [("both", -1.0, 2.0), ("low", -1.0, None), ("high", None, 2.0), ("none", None, None), ("crossed", 2.0, -1.0)]:
    more = {k: v for k, v in [("min", low), ("max", high)] if v is not None}
    grid("Clip", form, x(), until=10, **more)
    grid("Clip", f"special-{form}", fixed(SPECIAL), until=10, **more)
    bounds = [None if v is None else Const(v) for v in (low, high)]
    grid("Clip", form, lambda rng, o, b=bounds: [random(rng, "f32", (2, 3, 4)), *b], since=11)
    grid("Clip", f"special-{form}", fixed(SPECIAL, *bounds), since=11)
    for kind in ("s32", "s64", "u8", "s8", "u32", "f64"):
        whole = [None if v is None else Const(abs(v) if kind[0] == "u" else v, kind) for v in (low, high)]
        grid("Clip", f"{kind}-{form}", lambda rng, o, kind=kind, b=whole: [random(rng, kind, (2, 3, 4)), *b], since=12)
grid("Clip", "computed", lambda rng, o: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", (), -2, 0), random(rng, "f32", (), 0, 2)], since=11)
ONNX_TYPES = {"f32": T.FLOAT, "f16": T.FLOAT16, "f64": T.DOUBLE, "u8": T.UINT8, "s8": T.INT8, "u16": T.UINT16, "s16": T.INT16,
              "u32": T.UINT32, "s32": T.INT32, "u64": T.UINT64, "s64": T.INT64, "bool": T.BOOL}
for kind in DTYPES:
    for to, number in ONNX_TYPES.items():
        for opset in versions("Cast", 7) if {kind, to} <= {"f32", "s32", "s64", "bool", "u8", "f64"} else (17,):
            rng = np.random.default_rng(zlib.crc32(f"Cast/{kind}-{to}".encode()))
            v = random(rng, kind, (3, 5), -9, 9)
            if to[0] == "u" and kind[0] in "fs":
                v = np.abs(v)
            case("Cast", f"{kind}-{to}", opset, [v], to=number)
grid("CastLike", "f32-f16", lambda rng, o: [random(rng, "f32", (3, 5)), Const([1], "f16")])

# sums along axes

REDUCE = ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
          "ReduceSumSquare"]


def reduction(op, axes, kind, value=None):
    first = 13 if op == "ReduceSum" else 18

    def made(rng, opset):
        v = random(rng, kind, (2, 3, 4)) if value is None else value
        if op == "ReduceLogSum":
            v = np.abs(v) + np.asarray(1, v.dtype)
        if axes is None:
            return [v]
        return [v, ints(*axes)] if opset >= first else ([v], {"axes": list(axes)})
    return made


for op in REDUCE:
    for form, axes in [("all", None), ("last", [-1]), ("two", [0, 2]), ("first", [0]), ("mixed", [-2, 0])]:
        for keep in (None, 0, 1) if form in ("all", "two") else (0,):
            grid(op, f"{form}-{'default' if keep is None else keep}", reduction(op, axes, "f32"), keepdims=keep)
    for kind in ("s32", "s64", "f64", "s8", "u8", "bool"):
        if (kind in ("s8", "u8") and op not in ("ReduceMax", "ReduceMin")) or (kind == "bool" and op not in ("ReduceMax", "ReduceMin")):
            continue
        grid(op, kind, reduction(op, [1], kind), keepdims=0, since=20 if kind == "bool" else 12 if kind in ("s8", "u8") else 7)
    special = np.array([[NAN, 1, 2], [1, NAN, 2], [INF, 1, -2], [-INF, INF, 1], [-INF, 2, 1], [-INF, -INF, -INF], [0, -0.0, 0], [100, 200, 300]], f)
    if op in ("ReduceMax", "ReduceMin"):
        # What ONNX Runtime makes of NaN depends on where it stands.
        special = special[2:]
    grid(op, "special", reduction(op, [1], "f32", special), keepdims=0)
    grid(op, "noop", lambda rng, o: [random(rng, "f32", (2, 3), 0.5, 2)], since=13 if op == "ReduceSum" else 18, noop_with_empty_axes=1)
    grid(op, "empty-axes", lambda rng, o: [random(rng, "f32", (2, 3), 0.5, 2), Const([], "s64")], since=13 if op == "ReduceSum" else 18)
    grid(op, "empty-axes-noop", lambda rng, o: [random(rng, "f32", (2, 3), 0.5, 2), Const([], "s64")], since=13 if op == "ReduceSum" else 18,
         noop_with_empty_axes=1)
TIES = np.array([[[3, 1, 3], [2, 2, 2]], [[0, 5, 5], [7, 7, 1]]], f)
for op in ("ArgMax", "ArgMin"):
    for axis in (None, 0, 1, 2, -1):
        for keep in (None, 0):
            grid(op, f"ties{axis}-{keep}", fixed(TIES), axis=axis, keepdims=keep, since=11 if axis == -1 else 7)
        for last in (0, 1):
            grid(op, f"last{axis}-{last}", fixed(TIES), axis=axis, select_last_index=last, since=12)
    grid(op, "special", fixed(np.array([[INF, 1, INF], [-INF, -INF, 1], [0, -0.0, 0], [-0.0, 0.0, 0]], f)), axis=1)
    for kind in ("s32", "s64", "u8", "s8", "f64"):
        grid(op, kind, lambda rng, o, kind=kind: [TIES.astype(DTYPES[kind])], axis=2, since=12 if kind in ("u8", "s8") else 11)
for axis, kind, exclusive, reverse in [(0, "f32", None, None), (1, "f32", 1, 0), (-1, "f32", 0, 1), (1, "f32", 1, 1), (0, "s32", 0, 0),
                                       (1, "s64", 1, 1), (0, "f64", 0, 0)]:
    for axis_kind in ("s32", "s64"):
        grid("CumSum", f"{axis}-{kind}-{exclusive}-{reverse}-{axis_kind}",
             lambda rng, o, a=axis, k=kind, i=axis_kind: [random(rng, k, (3, 4)), Const(a, i)], exclusive=exclusive, reverse=reverse)

# softmax and norms

ROWS = np.array([[NAN, 1, 2], [INF, 1, 2], [-INF, 1, 2], [-INF, -INF, -INF], [1e30, 1, 2], [5, 5, 5]], f)
for op in ("Softmax", "LogSoftmax", "Hardmax"):
    for shape in ((2, 3, 4), (3, 5), (2, 3, 4, 2), (6,)):
        for axis in (None, *range(-len(shape), len(shape))):
            grid(op, f"r{len(shape)}-{axis}", x(shape, ties=op == "Hardmax"), axis=axis)
    grid(op, "special", fixed(ROWS if op != "Hardmax" else ROWS[1:]), axis=1)
    grid(op, "f64", x((3, 5), kind="f64"), axis=-1)
for axis in (None, 0, 1, 2, -1):
    for p in (None, 1, 2):
        grid("LpNormalization", f"{axis}-{p}", x(), axis=axis, p=p)
grid("LpNormalization", "zeros", fixed(np.array([[0, 0, 0], [1, 2, 2]], f)))
for axis in (None, -1, 1, 2, -2):
    for eps in (None, 1e-2):
        for bias in (True, False):
            n = {None: (4,), -1: (4,), 2: (4,), 1: (3, 4), -2: (3, 4)}[axis]
            grid("LayerNormalization", f"{axis}-{eps}-{bias}",
                 lambda rng, o, n=n, b=bias: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", n), *([random(rng, "f32", n)] if b else [])],
                 axis=axis, epsilon=eps)
grid("LayerNormalization", "moments", lambda rng, o: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", (4,)), random(rng, "f32", (4,))], outputs=3)
for axis in (None, -1, 1):
    n = (3, 4) if axis == 1 else (4,)
    grid("RMSNormalization", f"{axis}", lambda rng, o, n=n: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", n)], axis=axis)
    grid("RMSNormalization", f"{axis}-eps", lambda rng, o, n=n: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", n)], axis=axis, epsilon=1e-2)


def batch(rng, shape):
    c = shape[1]
    return [random(rng, "f32", shape), random(rng, "f32", (c,)), random(rng, "f32", (c,)), random(rng, "f32", (c,)), np.abs(random(rng, "f32", (c,))) + f(0.5)]


for shape in ((2, 3), (2, 3, 4), (2, 3, 2, 3), (1, 2, 2, 2, 2)):
    grid("BatchNormalization", f"r{len(shape)}", lambda rng, o, s=shape: batch(rng, s))
    grid("BatchNormalization", f"r{len(shape)}-eps", lambda rng, o, s=shape: batch(rng, s), epsilon=0.05, momentum=0.5)
    grid("InstanceNormalization", f"r{len(shape)}", lambda rng, o, s=shape: batch(rng, s)[:3])
    grid("InstanceNormalization", f"r{len(shape)}-eps", lambda rng, o, s=shape: batch(rng, s)[:3], epsilon=0.05)
grid("BatchNormalization", "training", lambda rng, o: batch(rng, (2, 3, 2, 3)), since=14, outputs=3, training_mode=1)
grid("BatchNormalization", "not-training", lambda rng, o: batch(rng, (2, 3, 2, 3)), since=14, training_mode=0)
grid("BatchNormalization", "not-spatial", lambda rng, o: [random(rng, "f32", (2, 3, 4)), *[random(rng, "f32", (3, 4), 0.5, 2) for _ in range(4)]], until=8, spatial=0)
for groups in (1, 2, 4):
    grid("GroupNormalization", f"{groups}", lambda rng, o, g=groups: [random(rng, "f32", (2, 4, 3, 2)), *[random(rng, "f32", (g if o < 21 else 4,)) for _ in "sb"]], num_groups=groups)
for size, more in [(3, {}), (2, {}), (5, {"alpha": 0.5, "beta": 0.5, "bias": 2.0})]:
    grid("LRN", f"{size}{len(more)}", x((2, 5, 3, 2)), size=size, **more)
for axes in (None, [0, 2, 3], [2, 3], [1]):
    grid("MeanVarianceNormalization", f"{axes}", x((2, 3, 3, 2)), axes=axes)

# movement

ALL = list(DTYPES)


def spread(op, form, make, **how):
    """A form in f32 by every definition, in every other type by the newest."""
    since, until = how.pop("since", 7), how.pop("until", LAST)
    grid(op, form, lambda rng, o: make(rng, o, "f32"), since=since, until=until, **how)
    for kind in ALL[1:]:
        opset = versions(op, since, until)[-1]
        rng = np.random.default_rng(zlib.crc32(f"{op}/{form}-{kind}".encode()))
        made = make(rng, opset, kind)
        inputs, more = made if isinstance(made, tuple) else (made, {})
        how2 = dict(how)
        case(op, f"{form}-{kind}", opset, inputs, how2.pop("outputs", 1), **{**how2, **more})


def moving(shape, *rest):
    return lambda rng, o, kind: [random(rng, kind, shape), *rest]


spread("Transpose", "perm", moving((2, 3, 4)), perm=[2, 0, 1])
grid("Transpose", "default", x((2, 3, 4)))
spread("Reshape", "zero", moving((2, 3, 4), ints(0, -1)))
grid("Reshape", "split", lambda rng, o: [random(rng, "f32", (6, 4)), ints(2, 3, 0 if o < 5 else 4)])
grid("Reshape", "allowzero", lambda rng, o: [random(rng, "f32", (2, 3, 4)), ints(4, -1)], since=14, allowzero=1)
grid("Reshape", "allowzero-0", lambda rng, o: [random(rng, "f32", (2, 3, 4)), ints(0, -1)], since=14, allowzero=0)
for axis in (None, 0, 1, 2, 3, -1):
    grid("Flatten", f"{axis}", x((2, 3, 4)), axis=axis, since=11 if axis == -1 else 7)
spread("Flatten", "two", moving((2, 3, 4)), axis=2)


def axes_of(op, axes, shape):
    return lambda rng, o, kind="f32": ([random(rng, kind, shape), ints(*axes)] if o >= 13 else ([random(rng, kind, shape)], {"axes": list(axes)}))


spread("Squeeze", "one", axes_of("Squeeze", [1], (2, 1, 3)))
grid("Squeeze", "negative", axes_of("Squeeze", [-2], (2, 1, 3)), since=11)
grid("Squeeze", "all", x((2, 1, 3, 1)))
spread("Unsqueeze", "two", axes_of("Unsqueeze", [0, 2], (2, 3)))
grid("Unsqueeze", "negative", axes_of("Unsqueeze", [-1], (2, 3)), since=11)
grid("Unsqueeze", "unsorted", axes_of("Unsqueeze", [3, 0], (2, 3)))
for axis in (0, 1, -1):
    spread("Concat", f"{axis}", lambda rng, o, kind: [random(rng, kind, (2, 3)), random(rng, kind, (2, 3))], axis=axis, since=11 if axis < 0 else 7)


def sliced(starts, ends, axes=None, steps=None, index="s64"):
    def made(rng, o, kind="f32"):
        v = random(rng, kind, (4, 5, 6))
        if o < 10:
            return [v], {k: a for k, a in [("starts", starts), ("ends", ends), ("axes", axes)] if a is not None}
        parts = [Const(starts, index), Const(ends, index), None if axes is None else Const(axes, index), None if steps is None else Const(steps, index)]
        while parts[-1] is None:
            parts.pop()
        return [v, *parts]
    return made


spread("Slice", "plain", sliced([1, 0, 2], [3, 4, 6]))
grid("Slice", "axes", sliced([1, 0], [3, 100], [2, 0]))
grid("Slice", "negative", sliced([-3, -100], [-1, 3], [1, 2]))
grid("Slice", "negative-axes", sliced([1], [3], [-1]), since=10)
spread("Slice", "steps", sliced([0, 5], [5, 1], [1, 2], [2, -2]), since=10)
grid("Slice", "backwards", sliced([-1], [-100], [0], [-1]), since=10)
grid("Slice", "s32", sliced([1], [3], [1], [1], "s32"), since=10)
grid("Slice", "empty", sliced([3], [1], [0]))
for index in ("s32", "s64"):
    spread("Gather", f"{index}", lambda rng, o, kind, i=index: [random(rng, kind, (3, 4)), Const([[0, 2], [1, 0]], i)], axis=0)
    grid("Gather", f"computed-{index}", lambda rng, o, i=index: [random(rng, "f32", (3, 4)), np.array([[0, 2], [1, 0]]).astype(DTYPES[i])], axis=1)
    grid("Gather", f"negative-{index}", lambda rng, o, i=index: [random(rng, "f32", (3, 4)), Const([-1, 1, -3], i)], axis=-1, since=11)
    grid("GatherElements", f"{index}", lambda rng, o, i=index: [random(rng, "f32", (3, 4)), Const([[0, 2, -1, 1], [1, 0, 2, 2]], i)], axis=0)
grid("Gather", "scalar", lambda rng, o: [random(rng, "f32", (3, 4)), Const(1, "s64")])
for axis in (None, 1, -1):
    grid("GatherElements", f"axis{axis}", lambda rng, o: [random(rng, "f32", (3, 4)), Const([[0, 2], [1, 0], [1, 1]], "s64")], axis=axis)
spread("GatherElements", "types", moving((3, 4), Const([[0, 2], [1, 0], [1, 1]], "s64")), axis=1)
spread("GatherND", "types", moving((2, 3, 4), ints([0, 1], [1, 2])))
grid("GatherND", "full", lambda rng, o: [random(rng, "f32", (2, 3, 4)), ints([0, 1, 3], [1, -1, 2])])
grid("GatherND", "batch", lambda rng, o: [random(rng, "f32", (2, 3, 4)), ints([1], [2])], since=12, batch_dims=1)
grid("GatherND", "batch0", lambda rng, o: [random(rng, "f32", (2, 3, 4)), ints([1], [0])], since=12, batch_dims=0)
INDEX = Const([[0, 2, 1, 0], [1, 0, 2, 2]], "s64")
UNIQUE = Const([[0, 2, 1, 0], [1, 0, 2, 2]], "s64")
for op, since, until in (("Scatter", 9, 10), ("ScatterElements", 11, LAST)):
    for axis in (None, 0, 1, -1):
        at = INDEX if axis in (None, 0) else Const([[0, 3], [1, 0], [2, 1]], "s64")
        grid(op, f"{axis}", lambda rng, o, at=at: [random(rng, "f32", (3, 4)), at, random(rng, "f32", at.value.shape)], axis=axis, since=since, until=until)
    spread(op, "types", lambda rng, o, kind: [random(rng, kind, (3, 4)), INDEX, random(rng, kind, (2, 4))], since=since, until=until)
for reduction_ in ("none", "add", "mul", "max", "min"):
    since = 18 if reduction_ in ("max", "min") else 16
    grid("ScatterElements", f"reduce-{reduction_}", lambda rng, o: [random(rng, "f32", (3, 4)), Const([[0, 2, 1, 0], [0, 0, 2, 2]] if reduction_ != "none" else INDEX.value, "s64"), random(rng, "f32", (2, 4))],
         since=since, reduction=reduction_)
    grid("ScatterND", f"reduce-{reduction_}", lambda rng, o: [random(rng, "f32", (4, 3)), ints([1], [3], [1] if reduction_ != "none" else [0]), random(rng, "f32", (3, 3))], since=since, reduction=reduction_)
spread("ScatterND", "types", lambda rng, o, kind: [random(rng, kind, (4, 3)), ints([1], [-1]), random(rng, kind, (2, 3))])
grid("ScatterND", "elements", lambda rng, o: [random(rng, "f32", (4, 3)), ints([1, 2], [3, 0]), random(rng, "f32", (2,))])
for axis in (0, 1, -1):
    def split(rng, o, kind="f32", axis=axis):
        v = random(rng, kind, (6, 6))
        return [v, ints(2, 4)] if o >= 13 else ([v], {"split": [2, 4]})
    grid("Split", f"sizes{axis}", split, outputs=2, axis=axis, since=11 if axis < 0 else 7)
    grid("Split", f"equal{axis}", x((6, 6)), outputs=2, axis=axis, since=11 if axis < 0 else 7, until=17)
    grid("Split", f"equal{axis}", x((6, 6)), outputs=2, axis=axis, since=18, num_outputs=2)
    grid("Split", f"uneven{axis}", x((6, 7)), outputs=4, axis=axis, since=18, num_outputs=4)
spread("Split", "types", split, outputs=2, axis=1)
spread("Expand", "plain", moving((2, 1, 3), ints(2, 4, 1)))
grid("Expand", "rank", lambda rng, o: [random(rng, "f32", (3,)), ints(2, 3)])
spread("Tile", "plain", moving((2, 3), ints(2, 3)))
for mode in (None, "constant", "reflect", "edge", "wrap"):
    for form, pads in [("two", [1, 0, 0, 2]), ("negative", [1, -1, 0, 2]), ("none", [0, 0, 0, 0])]:
        def padded(rng, o, kind="f32", pads=pads, mode=mode):
            v = random(rng, kind, (3, 4))
            return [v, ints(*pads)] if o >= 11 else ([v], {"pads": pads})
        grid("Pad", f"{mode}-{form}", padded, mode=mode, since=19 if mode == "wrap" else 7)
    def filled(rng, o, mode=mode):
        v = random(rng, "f32", (3, 4))
        return [v, ints(1, 0, 0, 2), Const(1.5)] if o >= 11 else ([v], {"pads": [1, 0, 0, 2], "value": 1.5})
    if mode in (None, "constant"):
        grid("Pad", f"{mode}-value", filled, mode=mode)
grid("Pad", "axes", lambda rng, o: [random(rng, "f32", (3, 4)), ints(1, 2), None, ints(1)], since=18)
grid("Pad", "axes-negative", lambda rng, o: [random(rng, "f32", (3, 4)), ints(1, 0, 2, 1), Const(0.5), ints(-1, 0)], since=18)
spread("Pad", "types", moving((3, 4), ints(1, 0, 0, 2)), since=13)
for mode in (None, "DCR", "CRD"):
    grid("DepthToSpace", f"{mode}", x((1, 8, 2, 3)), blocksize=2, mode=mode, since=7 if mode is None else 11)
spread("SpaceToDepth", "types", moving((1, 2, 4, 6)), blocksize=2)
spread("DepthToSpace", "types", moving((1, 8, 2, 3)), blocksize=2)
for k in (None, -1, 0, 1, 9, -9):
    for upper in (None, 0, 1):
        grid("Trilu", f"{k}-{upper}", lambda rng, o, k=k: [random(rng, "f32", (2, 3, 4)), *([] if k is None else [Const(k, "s64")])], upper=upper)
spread("Trilu", "types", moving((3, 4)), upper=0)
for batch_axis, time_axis in ((None, None), (0, 1), (1, 0)):
    grid("ReverseSequence", f"{batch_axis}-{time_axis}", lambda rng, o, b=batch_axis: [random(rng, "f32", (4, 4)), ints(1, 2, 3, 4)], batch_axis=batch_axis, time_axis=time_axis)
grid("OneHot", "plain", lambda rng, o: [np.array([0, 2, -1, 5], np.int64), Const(4, "s64"), Const([0.0, 1.0], "f32")])
for axis in (0, 1, -1):
    grid("OneHot", f"axis{axis}", lambda rng, o: [np.array([[0, 2], [1, 3]], np.int64), Const([4], "s64"), Const([-1.0, 2.0], "f32")], axis=axis)
grid("OneHot", "s32", lambda rng, o: [np.array([0, 2, 1], np.int32), Const(4, "s32"), Const([0, 1], "s32")])
grid("OneHot", "f32-indices", lambda rng, o: [np.array([0, 2, 1], f), Const(4, "s64"), Const([0, 1], "f32")])
for axis in (None, 0, 1, -1):
    for largest, sort in ((None, None), (0, 1), (1, 1)):
        def top(rng, o, axis=axis):
            v = rng.permutation(20).reshape(4, 5).astype(f)
            return [v, ints(2)] if o >= 10 else ([v], {"k": 2})
        grid("TopK", f"{axis}-{largest}-{sort}", top, outputs=2, axis=axis, largest=largest, sorted=sort, since=7 if largest is None and axis != -1 else 11 if axis == -1 or largest is not None else 10)
def top_ties(rng, o):
    return [TIES, ints(2)] if o >= 10 else ([TIES], {"k": 2})
grid("TopK", "ties", top_ties, outputs=2)
grid("TopK", "ties-smallest", lambda rng, o: [TIES, ints(2)], outputs=2, since=11, largest=0)
grid("TopK", "special", lambda rng, o: [np.array([[NAN, 1, 2], [1, NAN, -INF], [INF, -INF, 0]], f), ints(2)], outputs=2, since=10)
for kind in ("s32", "s64", "f64"):
    grid("TopK", kind, lambda rng, o, kind=kind: [rng.permutation(20).reshape(4, 5).astype(DTYPES[kind]), ints(3)], outputs=2, since=11)
for k in (None, 1, -1):
    grid("EyeLike", f"{k}", x((3, 4)), k=k)
grid("EyeLike", "dtype", x((3, 4)), dtype=T.INT32)
grid("Compress", "axis", lambda rng, o: [random(rng, "f32", (3, 4)), Const([True, False, True], "bool")], axis=0)
grid("Compress", "flat", lambda rng, o: [random(rng, "f32", (3, 4)), Const([True, False, True], "bool")])
grid("Range", "s64", lambda rng, o: [Const(1, "s64"), Const(9, "s64"), Const(3, "s64")])
grid("Range", "f32", lambda rng, o: [Const(1.0, "f32"), Const(2.0, "f32"), Const(0.25, "f32")])
grid("Range", "s32-down", lambda rng, o: [Const(5, "s32"), Const(-3, "s32"), Const(-2, "s32")])
grid("Range", "s16", lambda rng, o: [Const(5, "s16"), Const(-3, "s16"), Const(-2, "s16")])
grid("ConstantOfShape", "plain", lambda rng, o: [ints(2, 3)])
for kind in ALL:
    grid("ConstantOfShape", kind, lambda rng, o: [ints(2, 3)], value=numpy_helper.from_array(np.array([1], DTYPES[kind])))
spread("Shape", "types", moving((2, 3, 4)))
spread("Size", "types", moving((2, 3, 4)))
grid("Shape", "plain", x((2, 3, 4)))
grid("Shape", "part", x((2, 3, 4)), since=15, start=1, end=-1)
grid("Size", "plain", x((2, 3, 4)))
grid("NonZero", "plain", lambda rng, o: [Const([[1, 0, 2], [0, 0, 3]], "f32")])
grid("Unique", "plain", lambda rng, o: [Const([2, 1, 1, 3], "f32")], outputs=4)
spread("Identity", "types", moving((2, 3)))
spread("Dropout", "types", moving((2, 3)))
grid("Dropout", "ratio", x((2, 3)), until=11, ratio=0.5)
grid("Dropout", "ratio", lambda rng, o: [random(rng, "f32", (2, 3)), Const(0.5)], since=12)
grid("CenterCropPad", "plain", lambda rng, o: [random(rng, "f32", (4, 5)), ints(3, 7)])
grid("Col2Im", "plain", lambda rng, o: [random(rng, "f32", (1, 8, 4)), ints(3, 3), ints(2, 2)])

# products

for a, b in (((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 4)), ((2, 2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((4, 3), (2, 3, 2)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,))):
    grid("MatMul", "x".join(map(str, (*a, "by", *b))), lambda rng, o, a=a, b=b: [random(rng, "f32", a), random(rng, "f32", b)])
for kind in ("s32", "s64", "f64", "u32"):
    grid("MatMul", kind, lambda rng, o, kind=kind: [random(rng, kind, (2, 3)), random(rng, kind, (3, 4))], since=9)
for ta in (None, 0, 1):
    for tb in (None, 0, 1):
        for form, c in (("none", None), ("row", (4,)), ("column", (2, 1)), ("full", (2, 4)), ("scalar", ())):
            if c is None and ta is not None:
                continue
            def gemm(rng, o, ta=ta, tb=tb, c=c):
                a, b = random(rng, "f32", (3, 2) if ta else (2, 3)), random(rng, "f32", (4, 3) if tb else (3, 4))
                return [a, b] if c is None else [a, b, random(rng, "f32", c)]
            grid("Gemm", f"{ta}-{tb}-{form}", gemm, transA=ta, transB=tb, since=11 if c is None else 7)
            if form in ("row", "full"):
                grid("Gemm", f"{ta}-{tb}-{form}-scaled", gemm, transA=ta, transB=tb, alpha=0.5, beta=-2.0)
for kind in ("s32", "f64"):
    grid("Gemm", kind, lambda rng, o, kind=kind: [random(rng, kind, (2, 3)), random(rng, kind, (3, 4)), random(rng, kind, (4,))], since=11)
for equation, shapes in (("ij,jk->ik", [(2, 3), (3, 4)]), ("bij,bjk->bik", [(2, 2, 3), (2, 3, 4)]), ("ij->ji", [(2, 3)]), ("ij->i", [(2, 3)]), ("i,j->ij", [(3,), (4,)]), ("ii->i", [(3, 3)]), ("ii->", [(3, 3)]),
                         ("...ij,...jk->...ik", [(2, 2, 3), (2, 3, 4)]), ("ij,jk", [(2, 3), (3, 4)]), ("bhqd,bhkd->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)]), ("ij,ij->", [(2, 3), (2, 3)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]), ("ij,j->i", [(2, 3), (3,)])):
    grid("Einsum", equation, lambda rng, o, s=shapes: [random(rng, "f32", d) for d in s], equation=equation)


def window(shape, weights, bias=False):
    return lambda rng, o: [random(rng, "f32", shape), random(rng, "f32", weights), *([random(rng, "f32", (weights[0],))] if bias else [])]


PICTURE, KERNEL = (1, 2, 6, 7), (3, 2, 3, 2)
CONV = {"bare": {}, "shape": {"kernel_shape": [3, 2]}, "strides": {"strides": [2, 1]}, "pads": {"pads": [1, 0, 0, 1]}, "dilations": {"dilations": [2, 3]},
        "valid": {"auto_pad": "VALID"}, "upper": {"auto_pad": "SAME_UPPER"}, "lower": {"auto_pad": "SAME_LOWER"}, "upper-strides": {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
        "lower-strides": {"auto_pad": "SAME_LOWER", "strides": [2, 3]}, "upper-dilations": {"auto_pad": "SAME_UPPER", "dilations": [2, 2]}, "notset": {"auto_pad": "NOTSET", "pads": [1, 1, 1, 1]}}
for form, more in CONV.items():
    grid("Conv", form, window(PICTURE, KERNEL, bias=form in ("bare", "pads")), **more)
    grid("Conv", f"{form}-1d", window((1, 2, 9), (3, 2, 3)), **{k: v if isinstance(v, str) else v[:1] if k != "pads" else [v[0], v[2]] for k, v in more.items()})
grid("Conv", "group", window((1, 4, 5, 5), (4, 2, 3, 3), bias=True), group=2)
grid("Conv", "depthwise", window((1, 4, 5, 5), (4, 1, 3, 3)), group=4, pads=[1, 1, 1, 1])
grid("Conv", "pointwise", window((1, 4, 5, 5), (3, 4, 1, 1)))
grid("Conv", "3d", window((1, 2, 4, 4, 4), (3, 2, 2, 2, 2)))
grid("Conv", "3d-pads", window((1, 2, 4, 4, 4), (3, 2, 2, 2, 2), bias=True), pads=[1, 0, 1, 0, 1, 0], strides=[2, 1, 2], kernel_shape=[2, 2, 2])
TRANSPOSED = {**{k: v for k, v in CONV.items()}, "output-padding": {"strides": [2, 2], "output_padding": [1, 0]}, "output-shape": {"strides": [2, 2], "output_shape": [13, 15]}}
for form, more in TRANSPOSED.items():
    grid("ConvTranspose", form, lambda rng, o, b=form in ("bare", "pads"): [random(rng, "f32", (1, 3, 4, 5)), random(rng, "f32", (3, 2, 3, 2)), *([random(rng, "f32", (2,))] if b else [])], **more)
grid("ConvTranspose", "group", lambda rng, o: [random(rng, "f32", (1, 4, 4, 5)), random(rng, "f32", (4, 1, 3, 3))], group=2, strides=[2, 2])
grid("ConvTranspose", "1d", lambda rng, o: [random(rng, "f32", (1, 3, 6)), random(rng, "f32", (3, 2, 3))], strides=[2])
grid("ConvTranspose", "3d", lambda rng, o: [random(rng, "f32", (1, 2, 3, 3, 3)), random(rng, "f32", (2, 2, 2, 2, 2))])
POOL = {"bare": {}, "strides": {"strides": [2, 2]}, "pads": {"pads": [1, 0, 1, 1]}, "valid": {"auto_pad": "VALID"}, "upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, "lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, "lower-1": {"auto_pad": "SAME_LOWER"}}
for op in ("MaxPool", "AveragePool", "LpPool"):
    for form, more in POOL.items():
        grid(op, form, x(PICTURE), kernel_shape=[3, 2], **more)
    grid(op, "1d", x((1, 2, 9)), kernel_shape=[3], strides=[2])
    grid(op, "3d", x((1, 2, 4, 4, 4)), kernel_shape=[2, 2, 2])
    since = 18 if op == "LpPool" else 10
    for ceil in (0, 1):
        grid(op, f"ceil{ceil}", x(PICTURE), kernel_shape=[3, 2], strides=[2, 2], ceil_mode=ceil, since=since)
        grid(op, f"ceil{ceil}-pads", x(PICTURE), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=ceil, since=since)
        grid(op, f"ceil{ceil}-wide", x((1, 1, 7, 8)), kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=ceil, since=since)
    grid(op, "special", fixed(np.array([[[[NAN, 1, 2], [3, INF, -INF], [-INF, -INF, 0]]]], f)), kernel_shape=[2, 2])
    grid(op, "dilations", x(PICTURE), kernel_shape=[2, 2], dilations=[2, 2], since={"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op])
    grid(op, "dilations-1", x(PICTURE), kernel_shape=[2, 2], dilations=[1, 1], since={"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op])
grid("MaxPool", "indices", x(PICTURE), kernel_shape=[2, 2], outputs=2, since=8)
grid("MaxPool", "storage0", x(PICTURE), kernel_shape=[2, 2], storage_order=0, since=8)
grid("MaxPool", "storage1", x(PICTURE), kernel_shape=[2, 2], outputs=2, storage_order=1, since=8)
for kind in ("u8", "s8", "f64"):
    grid("MaxPool", kind, x(PICTURE, kind=kind), kernel_shape=[2, 2], since=12)
for include in (0, 1):
    for form in ("pads", "upper", "lower-1"):
        grid("AveragePool", f"include{include}-{form}", x(PICTURE), kernel_shape=[3, 2], count_include_pad=include, **POOL[form])
    grid("AveragePool", f"include{include}-ceil", x(PICTURE), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=include, since=10)
grid("LpPool", "p1", x(PICTURE), kernel_shape=[2, 2], p=1)
for op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
    for shape in ((2, 3, 4), PICTURE, (1, 2, 2, 3, 2)):
        grid(op, f"r{len(shape)}", x(shape))
    grid(op, "special", fixed(np.array([[[[4, 1], [2, 3]], [[INF, 1], [2, 0]], [[-INF, -INF], [-INF, -INF]]]], f)))

# resizing

for opset, forms in ((10, [{}]), (11, None), (13, None), (18, None), (19, None), (23, None)):
    for mode in ("nearest", "linear", "cubic"):
        if opset == 10 and mode == "cubic":
            continue
        for shape, scales in (((1, 2, 3, 4), [1, 1, 2, 2]), ((1, 2, 3, 4), [1, 1, 1.5, 2.5]), ((1, 1, 6, 8), [1, 1, 0.5, 0.5]), ((1, 1, 5, 7), [1, 1, 0.6, 0.7]), ((1, 2, 5), [1, 1, 2])):
            form = f"{mode}-{'x'.join(str(s) for s in scales)}"
            rng = np.random.default_rng(zlib.crc32(form.encode()))
            v = random(rng, "f32", shape)
            if opset == 10:
                case("Resize", form, opset, [v, Const(scales)], mode=mode)
                continue
            roi = None if opset >= 13 else Const([], "f32")
            case("Resize", form, opset, [v, roi, Const(scales)], mode=mode)
            for how in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", *(["half_pixel_symmetric"] if opset >= 19 else [])):
                if mode == "nearest":
                    for rounding in (None, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
                        if opset in (11, 19):
                            case("Resize", f"{form}-{how}-{rounding}", opset, [v, roi, Const(scales)], mode=mode, coordinate_transformation_mode=how, nearest_mode=rounding)
                elif opset in (11, 13, 19):
                    case("Resize", f"{form}-{how}", opset, [v, roi, Const(scales)], mode=mode, coordinate_transformation_mode=how)
        if opset >= 11:
            rng = np.random.default_rng(1)
            v = random(rng, "f32", (1, 2, 4, 5))
            roi = None if opset >= 13 else Const([], "f32")
            case("Resize", f"{mode}-sizes", opset, [v, roi, None if opset >= 13 else Const([], "f32"), ints(1, 2, 7, 3)], mode=mode)
            crop = Const([0, 0, 0.2, 0.1, 1, 1, 0.9, 0.8])
            case("Resize", f"{mode}-crop", opset, [v, crop, Const([1, 1, 2, 2])], mode=mode, coordinate_transformation_mode="tf_crop_and_resize")
            if mode == "cubic":
                case("Resize", "cubic-a", opset, [v, roi, Const([1, 1, 2, 2])], mode=mode, cubic_coeff_a=-0.5)
            case("Resize", f"{mode}-outside", opset, [v, roi, Const([1, 1, 2, 2])], mode=mode, exclude_outside=1)
        if opset >= 18:
            case("Resize", f"{mode}-axes", opset, [v, None, Const([2, 2])], mode=mode, axes=[2, 3])
            case("Resize", f"{mode}-axes-sizes", opset, [v, None, None, ints(9, 7)], mode=mode, axes=[-1, 2])
            for policy in ("not_larger", "not_smaller", "stretch"):
                case("Resize", f"{mode}-{policy}", opset, [v, None, None, ints(9, 7)], mode=mode, axes=[2, 3], keep_aspect_ratio_policy=policy)
            if mode != "nearest":
                case("Resize", f"{mode}-antialias", opset, [v, None, Const([1, 1, 0.5, 0.5])], mode=mode, antialias=1)
for opset in (7, 9):
    for mode in (None, "nearest", "linear"):
        for scales in ([1, 1, 2, 2], [1, 1, 1.5, 2.5]):
            rng = np.random.default_rng(2)
            v = random(rng, "f32", (1, 2, 3, 4))
            if opset == 7:
                case("Upsample", f"{mode}-{scales[2]}", opset, [v], mode=mode, scales=[float(s) for s in scales])
            else:
                case("Upsample", f"{mode}-{scales[2]}", opset, [v, Const(scales)], mode=mode)
for opset, names in ((16, ("bilinear", "nearest", "bicubic")), (20, ("linear", "nearest", "cubic")), (22, ("linear", "nearest", "cubic"))):
    for mode in (None, *names):
        for padding in (None, "zeros", "border", "reflection"):
            for align in (None, 1):
                rng = np.random.default_rng(3)
                case("GridSample", f"{mode}-{padding}-{align}", opset, [random(rng, "f32", (1, 2, 4, 5)), random(rng, "f32", (1, 3, 2, 2), -1.2, 1.2)], mode=mode, padding_mode=padding, align_corners=align)
for opset in (20,):
    rng = np.random.default_rng(4)
    for align in (None, 1):
        case("AffineGrid", f"{align}", opset, [random(rng, "f32", (1, 2, 3)), ints(1, 2, 3, 4)], align_corners=align)
for opset in (10, 16, 22):
    rng = np.random.default_rng(5)
    for mode in (None, "avg", "max"):
        case("RoiAlign", f"{mode}", opset, [random(rng, "f32", (1, 2, 6, 6)), Const([[0, 0, 4, 4], [1, 1, 5, 3]]), ints(0, 0)], mode=mode, output_height=2, output_width=2, sampling_ratio=2)
for opset in (7, 22):
    rng = np.random.default_rng(6)
    case("MaxRoiPool", "plain", opset, [random(rng, "f32", (1, 2, 6, 6)), Const([[0, 0, 0, 4, 4]], "f32")], pooled_shape=[2, 2])

# recurrent networks

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(op, directions=1, bias=True, lengths=None, h=False, c=False, peep=False, layout=0):
    def made(rng, o):
        t, n, i, k, g = 3, 2, 3, 4, GATES[op]
        x_, lead = (n, t, i) if layout else (t, n, i), (n, directions, k) if layout else (directions, n, k)
        v = [random(rng, "f32", x_, -1, 1), random(rng, "f32", (directions, g * k, i), -1, 1), random(rng, "f32", (directions, g * k, k), -1, 1),
             random(rng, "f32", (directions, 2 * g * k), -1, 1) if bias else None, None if lengths is None else Const(lengths, "s32"),
             random(rng, "f32", lead, -1, 1) if h else None]
        if op == "LSTM":
            v += [random(rng, "f32", lead, -1, 1) if c else None, random(rng, "f32", (directions, 3 * k), -1, 1) if peep else None]
        while v[-1] is None:
            v.pop()
        return v
    return made


for op in GATES:
    n = 3 if op == "LSTM" else 2
    acts = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[op]
    grid(op, "plain", recurrent(op), outputs=n, hidden_size=4)
    grid(op, "bare", recurrent(op, bias=False), outputs=1, hidden_size=4)
    for direction in ("forward", "reverse", "bidirectional"):
        d = 2 if direction == "bidirectional" else 1
        grid(op, direction, recurrent(op, d, h=True, c=True), outputs=n, hidden_size=4, direction=direction)
        grid(op, f"{direction}-activations", recurrent(op, d), outputs=n, hidden_size=4, direction=direction, activations=acts * d)
    grid(op, "lengths", recurrent(op, lengths=[2, 3]), outputs=n, hidden_size=4)
    grid(op, "full-lengths", recurrent(op, lengths=[3, 3]), outputs=n, hidden_size=4)
    grid(op, "initial", recurrent(op, h=True), outputs=n, hidden_size=4)
    grid(op, "clip", recurrent(op), outputs=n, hidden_size=4, clip=0.3)
    grid(op, "relu", recurrent(op), outputs=n, hidden_size=4, activations=["Relu", *acts[1:]] if op != "RNN" else ["Relu"])
    grid(op, "clip0", recurrent(op), outputs=n, hidden_size=4, clip=0.0)
    grid(op, "layout0", recurrent(op), outputs=n, hidden_size=4, since=14, layout=0)
    grid(op, "layout1", recurrent(op, layout=1), outputs=n, hidden_size=4, since=14, layout=1)
for value in (None, 0, 1):
    grid("GRU", f"before{value}", recurrent("GRU"), outputs=2, hidden_size=4, linear_before_reset=value)
for value in (0, 1):
    grid("LSTM", f"input-forget{value}", recurrent("LSTM"), outputs=3, hidden_size=4, input_forget=value)
grid("LSTM", "peepholes", recurrent("LSTM", peep=True), outputs=3, hidden_size=4)

# what is newer

for alpha in (None, 0.5):
    grid("Swish", f"{alpha}", x(), alpha=alpha)
    grid("Swish", f"special-{alpha}", fixed(SPECIAL), alpha=alpha)
for heads in (None, 2):
    def attention(rng, o, heads=heads):
        if heads:
            return [random(rng, "f32", (1, 3, 8), -1, 1) for _ in "qkv"]
        return [random(rng, "f32", (1, 2, 3, 4), -1, 1) for _ in "qkv"]
    more = {"q_num_heads": heads, "kv_num_heads": heads} if heads else {}
    grid("Attention", f"{heads}", attention, **more)
    grid("Attention", f"{heads}-causal", attention, is_causal=1, **more)
    grid("Attention", f"{heads}-scale", attention, scale=0.3, **more)
    grid("Attention", f"{heads}-softcap", attention, softcap=2.0, **more)
    grid("Attention", f"{heads}-mask", lambda rng, o, a=attention: [*a(rng, o), random(rng, "f32", (3, 3))], **more)
grid("RotaryEmbedding", "plain", lambda rng, o: [random(rng, "f32", (1, 2, 3, 4)), random(rng, "f32", (1, 3, 2)), random(rng, "f32", (1, 3, 2))])
grid("RotaryEmbedding", "interleaved", lambda rng, o: [random(rng, "f32", (1, 2, 3, 4)), random(rng, "f32", (1, 3, 2)), random(rng, "f32", (1, 3, 2))], interleaved=1)
for form, op, make, more in (
        ("plain", "Gelu", x(), {}), ("plain", "QuickGelu", x(), {}), ("alpha", "QuickGelu", x(), {"alpha": 1.2}), ("plain", "FastGelu", x(), {}),
        ("bias", "FastGelu", lambda r, o: [random(r, "f32", (2, 3, 4)), random(r, "f32", (4,))], {}),
        ("plain", "BiasGelu", lambda r, o: [random(r, "f32", (2, 3, 4)), random(r, "f32", (4,))], {}),
        ("plain", "SkipLayerNormalization", lambda r, o: [random(r, "f32", (2, 3, 4)), random(r, "f32", (2, 3, 4)), random(r, "f32", (4,)), random(r, "f32", (4,))], {"epsilon": 1e-5}),
        ("bias", "SkipLayerNormalization", lambda r, o: [random(r, "f32", (2, 3, 4)), random(r, "f32", (2, 3, 4)), random(r, "f32", (4,)), random(r, "f32", (4,)), random(r, "f32", (4,))], {"epsilon": 1e-2}),
        ("plain", "SimplifiedLayerNormalization", lambda r, o: [random(r, "f32", (2, 3, 4)), random(r, "f32", (4,))], {"axis": -1, "epsilon": 1e-5})):
    domain = "" if op == "SimplifiedLayerNormalization" else "com.microsoft"
    for opset in (13, 20):
        case(op, f"{'' if domain == '' else 'ms-'}{form}", opset, make(np.random.default_rng(7), opset), domain=domain, **more)


# attributes at their defaults, as exporters write them

grid("Cast", "saturate", x(), since=19, to=T.INT32, saturate=1)
grid("CastLike", "saturate", lambda rng, o: [random(rng, "f32", (3, 5)), Const([1], "s32")], since=19, saturate=1)
for op in ("ArgMax", "ArgMin"):
    grid(op, "keep", fixed(np.array([[3, 1, 3], [2, 2, 2]], f)), axis=1, keepdims=1)
grid("Gemm", "explicit", lambda rng, o: [random(rng, "f32", (2, 3)), random(rng, "f32", (3, 4)), random(rng, "f32", (4,))], transA=0, transB=0, alpha=1.0, beta=1.0)
for op in REDUCE:
    grid(op, "no-noop", lambda rng, o: [random(rng, "f32", (2, 3), 0.5, 2), ints(1)], since=13 if op == "ReduceSum" else 18, noop_with_empty_axes=0)
grid("LayerNormalization", "stash", lambda rng, o: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", (4,))], stash_type=1)
grid("RMSNormalization", "stash", lambda rng, o: [random(rng, "f32", (2, 3, 4)), random(rng, "f32", (4,))], stash_type=1)
grid("BatchNormalization", "spatial", lambda rng, o: batch(rng, (2, 3, 4)), until=8, spatial=1)
for op in ("MaxPool", "AveragePool"):
    grid(op, "notset", x((1, 2, 6, 7)), kernel_shape=[2, 2], auto_pad="NOTSET", pads=[0, 1, 0, 1])
grid("Attention", "not-causal", lambda rng, o: [random(rng, "f32", (1, 2, 3, 4), -1, 1) for _ in "qkv"], is_causal=0)
grid("RotaryEmbedding", "not-interleaved", lambda rng, o: [random(rng, "f32", (1, 2, 3, 4)), random(rng, "f32", (1, 3, 2)), random(rng, "f32", (1, 3, 2))], interleaved=0)
grid("NonMaxSuppression", "corners", lambda rng, o: [Const([[[0, 0, 2, 2], [0, 0.1, 2, 2.1], [5, 5, 6, 6]]]), np.array([[[0.9, 0.8, 0.7]]], f), ints(2), Const([0.5]), Const([0.1])], center_point_box=0)
grid("EyeLike", "f32", x((3, 4)), dtype=T.FLOAT)
for kind, number in (("u8", T.UINT8), ("s8", T.INT8)):
    grid("QuantizeLinear", f"explicit-{kind}", lambda rng, o, k=kind: [random(rng, "f32", (2, 3)), Const(0.05), Const(3, k)], since=19, saturate=1, axis=1)
    grid("QuantizeLinear", f"dtype-{kind}", lambda rng, o: [random(rng, "f32", (2, 3)), Const(0.05)], since=21, output_dtype=number)
grid("QuantizeLinear", "blocks", lambda rng, o: [random(rng, "f32", (2, 3)), Const(0.05), Const(3, "u8")], since=21, block_size=0)
grid("DequantizeLinear", "blocks", lambda rng, o: [random(rng, "u8", (2, 3)), Const(0.05), Const(3, "u8")], since=21, block_size=0)
for name, value in (("value", numpy_helper.from_array(np.array([1.5, 2.5], f))), ("value_float", 1.5), ("value_floats", [1.5, 2.5]), ("value_int", 7), ("value_ints", [7, 8])):
    grid("Constant", name, lambda rng, o: [], since=7 if name == "value" else 12, **{name: value})
for kind in DTYPES:
    grid("Constant", kind, lambda rng, o: [], value=numpy_helper.from_array(np.array([1, 2], DTYPES[kind])))
grid("Dropout", "seed", x((2, 3)), since=12, seed=7)
grid("Dropout", "mask", x((2, 3)), outputs=2)
grid("Dropout", "training", lambda rng, o: [random(rng, "f32", (2, 3)), Const(0.5), Const(False, "bool")], since=12)
grid("Shape", "whole", x((2, 3, 4)), since=15, start=0)
for opset in (11, 13, 19):
    for mode in ("nearest", "linear"):
        rng = np.random.default_rng(9)
        more = {"antialias": 0, "keep_aspect_ratio_policy": "stretch"} if opset >= 18 else {}
        case("Resize", f"{mode}-explicit", opset, [random(rng, "f32", (1, 2, 3, 4)), Const([], "f32"), Const([1, 1, 2, 2])], mode=mode, cubic_coeff_a=-0.75, exclude_outside=0, extrapolation_value=0.0,
             nearest_mode="floor", coordinate_transformation_mode="asymmetric", **more)

for op in UNARY:
    low, high = {"Acos": (-1, 1), "Asin": (-1, 1), "Atanh": (-0.95, 0.95), "Acosh": (1, 4), "Log": (0.1, 4), "Sqrt": (0, 4)}.get(op, (-4, 4))
    if op not in ("Abs", "Neg", "Sign", "Relu", "Identity", "Ceil", "Floor", "Round", "Sqrt", "Exp", "Hardmax"):
        grid(op, "f64", x(kind="f64", low=low, high=high))
for op in ("Sum", "Mean", "PRelu", "Pow"):
    grid(op, "f64", lambda rng, o: [np.abs(random(rng, "f64", (2, 3))) + 0.25, random(rng, "f64", (3,))])
grid("Pow", "s64", lambda rng, o: [random(rng, "s64", (2, 3), -0.5, 0.5), Const([2, 3, 0], "s64")], since=12)
for kind in ("f64", "s32", "s64"):
    grid("Einsum", kind, lambda rng, o, kind=kind: [random(rng, kind, (2, 3)), random(rng, kind, (3, 4))], equation="ij,jk->ik")
grid("LayerNormalization", "f64", lambda rng, o: [random(rng, "f64", (2, 3, 4)), Const(random(rng, "f64", (4,)))])
grid("BatchNormalization", "f64", lambda rng, o: [random(rng, "f64", (2, 3)), *[Const(random(rng, "f64", (3,), 0.5, 2)) for _ in range(4)]])
for kind in ("f32", "s32", "s64", "bool", "u8", "s8", "f64"):
    for to in ("f32", "s32", "s64", "bool", "u8", "s8", "f64"):
        grid("CastLike", f"{kind}-{to}", lambda rng, o, kind=kind, to=to: [np.abs(random(rng, kind, (3, 5))) if kind != "bool" else random(rng, kind, (3, 5)), Const([1], to)])
for axis in (None,):
    grid("Split", "default", lambda rng, o: [random(rng, "f32", (6, 6)), ints(2, 4)] if o >= 13 else ([random(rng, "f32", (6, 6))], {"split": [2, 4]}), outputs=2)
for direction in ("forward", "reverse", "bidirectional"):
    d = 2 if direction == "bidirectional" else 1
    grid("GRU", f"reset-{direction}", recurrent("GRU", d, h=True), outputs=2, hidden_size=4, direction=direction, linear_before_reset=1)
    grid("GRU", f"reset-{direction}-activations", recurrent("GRU", d, bias=False), outputs=1, hidden_size=4, direction=direction, linear_before_reset=1, activations=["Sigmoid", "Tanh"] * d)
grid("GRU", "reset-lengths", recurrent("GRU", lengths=[2, 3]), outputs=2, hidden_size=4, linear_before_reset=1)
for direction in ("forward", "reverse", "bidirectional"):
    d = 2 if direction == "bidirectional" else 1
    for lengths in ([2, 3], [0, 1], [3, 3]):
        n = "".join(map(str, lengths))
        gru = {"hidden_size": 4, "linear_before_reset": 1, "direction": direction}
        grid("GRU", f"lengths{n}-{direction}", recurrent("GRU", d, lengths=lengths, h=True), outputs=2, **gru)
        grid("LSTM", f"lengths{n}-{direction}", recurrent("LSTM", d, lengths=lengths, h=True, c=True), outputs=2, hidden_size=4, direction=direction)
    grid("GRU", f"lengths-{direction}-activations", recurrent("GRU", d, bias=False, lengths=[2, 3]), outputs=1, activations=["Sigmoid", "Tanh"] * d, **gru)
    grid("LSTM", f"lengths-{direction}-activations", recurrent("LSTM", d, bias=False, lengths=[2, 3]), outputs=1, hidden_size=4, direction=direction, activations=["Sigmoid", "Tanh", "Tanh"] * d)
grid("GRU", "reset-layout0", recurrent("GRU"), outputs=2, hidden_size=4, linear_before_reset=1, layout=0, since=14)
grid("Attention", "truth", lambda rng, o: [*[random(rng, "f32", (1, 2, 3, 4), -1, 1) for _ in "qkv"], np.tril(np.ones((3, 3), bool))])
for form, outputs, more in (("bare", 1, {}), ("sums", 4, {"epsilon": 1e-5})):
    case("SkipLayerNormalization", f"ms-{form}", 20, [random(np.random.default_rng(8), "f32", (2, 3, 4)), random(np.random.default_rng(9), "f32", (2, 3, 4)), random(np.random.default_rng(10), "f32", (4,))], outputs, "com.microsoft", **more)
    case("SkipSimplifiedLayerNormalization", f"ms-{form}", 20, [random(np.random.default_rng(8), "f32", (2, 3, 4)), random(np.random.default_rng(9), "f32", (2, 3, 4)), random(np.random.default_rng(10), "f32", (4,))], outputs, "com.microsoft", **more)
case("MultiHeadAttention", "ms-plain", 20, [random(np.random.default_rng(i), "f32", (1, 3, 8), -1, 1) for i in range(3)], domain="com.microsoft", num_heads=2)
case("MultiHeadAttention", "ms-scale", 20, [random(np.random.default_rng(i), "f32", (1, 3, 8), -1, 1) for i in range(3)], domain="com.microsoft", num_heads=2, scale=0.4)

# nodes that carry graphs, quantizers, sequences


def branch(name, value):
    node = helper.make_node("Constant", [], [f"{name}.value"], value=numpy_helper.from_array(np.asarray(value, f)))
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}.value", T.FLOAT, None)])


for condition in (True, False):
    grid("If", f"{condition}", lambda rng, o, c=condition: [np.asarray(c)], then_branch=branch("then", [1, 2]), else_branch=branch("else", [3, 4]))
BODY = helper.make_graph([helper.make_node("Identity", ["going"], ["still"]), helper.make_node("Mul", ["carried", "carried"], ["squared"])], "body",
                         [helper.make_tensor_value_info("turn", T.INT64, []), helper.make_tensor_value_info("going", T.BOOL, []), helper.make_tensor_value_info("carried", T.FLOAT, None)],
                         [helper.make_tensor_value_info("still", T.BOOL, []), helper.make_tensor_value_info("squared", T.FLOAT, None)])
grid("Loop", "squares", lambda rng, o: [Const(3, "s64"), Const(True, "bool"), random(rng, "f32", (2, 3), -1, 1)], body=BODY)
for kind in ("u8", "s8"):
    for zero in (True, False):
        for form, shape, scale, axis in (("tensor", (2, 3), Const(0.05), None), ("axis", (2, 3, 2), Const([0.05, 0.1, 0.2]), 1), ("last", (2, 3), Const([0.05, 0.1, 0.2]), -1), ("first", (3, 2), Const([0.05, 0.1, 0.2]), 0)):
            z = [Const(np.full(scale.value.shape, 3), kind)] if zero else []
            since = 7 if axis is None else 13
            if zero or kind == "u8":
                grid("QuantizeLinear", f"{kind}-{form}-{zero}", lambda rng, o, sh=shape, s=scale, z=z: [random(rng, "f32", sh, -9, 9), s, *z], axis=axis, since=since)
            grid("DequantizeLinear", f"{kind}-{form}-{zero}", lambda rng, o, sh=shape, s=scale, z=z, k=kind: [random(rng, k, sh, -9, 9), s, *z], axis=axis, since=since)
grid("DequantizeLinear", "s32", lambda rng, o: [random(rng, "s32", (2, 3)), Const(0.05)])
grid("DequantizeLinear", "s32-zero", lambda rng, o: [random(rng, "s32", (2, 3)), Const(0.05), Const(0, "s32")])
grid("DequantizeLinear", "s32-channels", lambda rng, o: [random(rng, "s32", (3,)), Const([0.05, 0.1, 0.2]), Const([0, 0, 0], "s32")], axis=0, since=13)
grid("QuantizeLinear", "special", lambda rng, o: [SPECIAL[:, 1:], Const(0.05), Const(3, "u8")])
grid("QuantizeLinear", "ties", lambda rng, o: [np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], f), Const(1.0), Const(10, "u8")])
grid("QuantizeLinear", "s16", lambda rng, o: [random(rng, "f32", (2, 3)), Const(0.05), Const(0, "s16")])
grid("DynamicQuantizeLinear", "plain", x(), outputs=3)
grid("MatMulInteger", "zeros", lambda rng, o: [random(rng, "u8", (2, 3)), Const(random(rng, "s8", (3, 4))), Const(3, "u8"), Const(1, "s8")])
grid("MatMulInteger", "plain", lambda rng, o: [random(rng, "u8", (2, 3)), Const(random(rng, "s8", (3, 4)))])
for form, more in (("bare", {}), ("pads", {"pads": [1, 0, 1, 0], "strides": [2, 1]})):
    grid("ConvInteger", form, lambda rng, o: [random(rng, "u8", (1, 2, 5, 5)), Const(random(rng, "u8", (3, 2, 3, 3))), Const(3, "u8")], **more)
for center in (None, 1):
    grid("NonMaxSuppression", f"{center}", lambda rng, o: [Const([[[0, 0, 2, 2], [0, 0.1, 2, 2.1], [5, 5, 6, 6]]]), np.array([[[0.9, 0.8, 0.7]]], f), ints(2), Const([0.5]), Const([0.1])], center_point_box=center)
grid("NonZero", "computed", lambda rng, o: [np.array([[1, 0, 2], [0, 0, 3]], f)])
for axis in (0, 1):
    for new_axis in (None, 1):
        grid("SequenceAt", f"{axis}-{new_axis}", lambda rng, o, a=axis: [random(rng, "f32", (2, 3)), random(rng, "f32", (2, 3)), Const(a, "s64")])
        grid("SplitToSequence", f"{axis}-{new_axis}", lambda rng, o, n=new_axis: [random(rng, "f32", (4, 6)), Const(2, "s64") if n else ints(2, 2)], axis=axis)
        grid("ConcatFromSequence", f"{axis}-{new_axis}", lambda rng, o: [random(rng, "f32", (2, 3)), random(rng, "f32", (2, 3))], axis=axis, new_axis=new_axis, since=11)


def build():
    names = [c["name"] for c in CASES]
    return CASES, sorted({n for n in names if names.count(n) > 1})
