"""One combination for combinations.py: a small model under construction, and what ONNX Runtime says about it."""
import os
import pathlib
import tempfile
import zlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, shape_inference

import exact

ort.set_default_logger_severity(4)
MS = "com.microsoft"
f = np.float32
KINDS = {
    "u8": (np.uint8, TensorProto.UINT8), "s8": (np.int8, TensorProto.INT8),
    "u16": (np.uint16, TensorProto.UINT16), "s16": (np.int16, TensorProto.INT16),
    "u32": (np.uint32, TensorProto.UINT32), "s32": (np.int32, TensorProto.INT32),
    "u64": (np.uint64, TensorProto.UINT64), "s64": (np.int64, TensorProto.INT64),
    "f32": (np.float32, TensorProto.FLOAT), "f16": (np.float16, TensorProto.FLOAT16),
    "f64": (np.float64, TensorProto.DOUBLE), "bool": (np.bool_, TensorProto.BOOL),
}
NAMES = {np.dtype(d): k for k, (d, _) in KINDS.items()}
WIDE = ("u16", "s16")


def limits(kind):
    """Lowest and highest value of an integer type."""
    info = np.iinfo(KINDS[kind][0])
    return int(info.min), int(info.max)


def session(model, level, int8=False, optimized=None):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_{level}")
    if int8:
        options.add_session_config_entry("session.qdqisint8allowed", "1")
    if optimized:
        options.optimized_model_filepath = optimized
    return exact.session(model, options)


class Case:
    """A model with inputs `x0`, `x1`, … and outputs `y0`, `y1`, …; every random number comes from its name."""

    def __init__(self, operator, form, opset=17):
        self.operator, self.opset = operator, opset
        self.name = f"{operator}/{form}.o{opset}"
        self.rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        self.nodes, self.inputs, self.constants, self.outputs = [], {}, {}, []
        self.signed = False
        self.domain = None
        self.counter = 0
        self.disputed = None

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def fresh(self, stem):
        self.counter += 1
        return f"{stem}{self.counter}"

    def const(self, value, kind=None, stem="c"):
        value = np.asarray(value) if kind is None else np.asarray(value).astype(KINDS[kind][0])
        if value.dtype == np.float64 and kind is None:
            value = value.astype(f)
        name = self.fresh(stem)
        self.constants[name] = value
        return name

    def node(self, op, *inputs, domain="", outputs=None, n=1, **attributes):
        """Adds a node; gives the name of its output, or of all if there are several."""
        names = outputs or [self.fresh("t") for _ in range(n)]
        given = list(inputs)
        while given and given[-1] == "":
            given.pop()
        attributes = {k: v for k, v in attributes.items() if v is not None}
        label = f"n{len(self.nodes)}_{op}"
        self.nodes.append(helper.make_node(op, given, names, name=label, domain=domain, **attributes))
        return names[0] if len(names) == 1 else names

    # values

    def numbers(self, kind, shape, span=None):
        """Random elements, a quarter of them where rounding and saturation are; `span` bounds them."""
        size = int(np.prod(shape))
        if kind == "bool":
            return self.rng.integers(0, 2, shape).astype(bool)
        if kind in ("f32", "f16", "f64"):
            v = np.round(self.rng.normal(0, 2, size) * 32) / 32 + self.rng.choice([0, 0, 1 / 64, 1e-3], size)
            return v.reshape(shape).astype(KINDS[kind][0])
        lo, hi = span or limits(kind)
        if kind in ("u64", "s64") and span is None:
            lo, hi = max(lo, -2**62), 2**62
        v = self.rng.integers(lo, hi, size, endpoint=True, dtype=np.int64)
        corners = np.array([lo, hi, lo + 1, hi - 1, (lo + hi) // 2, 0 if lo <= 0 else lo], np.int64)
        v = np.where(self.rng.random(size) < 0.25, self.rng.choice(corners, size), v)
        return v.reshape(shape).astype(KINDS[kind][0])

    def scale_of(self, kind):
        power = -13 if kind in WIDE else -5
        return f(2.0**power) if self.rng.random() < 0.5 else f(self.rng.uniform(0.5, 2) * 2.0**power)

    def zero_of(self, kind):
        lo, hi = limits(kind)
        mid = (lo + hi + 1) // 2
        return self.pick([lo, hi, mid, mid, mid + 7, mid - 3])

    # quantizers

    def qdomain(self, *kinds):
        """16 bits came to ONNX with version 21; before, the operators are ONNX Runtime's own."""
        if self.domain is not None:
            return self.domain
        return MS if self.opset < 21 and any(k in WIDE for k in kinds) else ""

    def raw(self, kind, shape, span=None, values=None):
        """A graph input."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = self.numbers(kind, shape, span) if values is None else values
        return name

    def params(self, kind, zero="given", scale=None, value=None):
        """Names of scale and zero point."""
        s = self.const(f(self.scale_of(kind) if scale is None else scale), stem="s")
        if zero == "none":
            return s, ""
        return s, self.const(self.zero_of(kind) if value is None else value, kind, stem="z")

    def dequantized(self, name, kind, zero="given", scale=None, value=None):
        if kind == "s8":
            self.signed = True
        s, z = self.params(kind, zero, scale, value)
        return self.node("DequantizeLinear", name, s, z, domain=self.qdomain(kind))

    def real(self, kind, shape, zero="given", scale=None, value=None, span=None):
        """A graph input, seen as float."""
        x = self.raw(kind, shape, span)
        return x if kind == "f32" else self.dequantized(x, kind, zero, scale, value)

    def weight(self, kind, shape, axis=None, zero="zero", scale=None):
        """Constant weights, seen as float. Without VNNI, ONNX Runtime's kernels of u8 · s8 saturate between; ±63 does not."""
        if kind == "f32":
            return self.const(self.numbers("f32", shape))
        span = (-63, 63) if kind == "s8" else None
        w = self.const(self.numbers(kind, shape, span), stem="w")
        count = 1 if axis is None else shape[axis]
        power = -13 if kind in WIDE else -6
        s = (self.rng.uniform(0.5, 2, count) * 2.0**power).astype(f) if scale is None else np.full(count, scale, f)
        z = self.weight_zeros(kind, count, zero)
        if axis is None:
            s, z = s[0], None if z is None else z[0]
        s, z = self.const(s, stem="s"), "" if z is None else self.const(z, kind, stem="z")
        return self.node("DequantizeLinear", w, s, z, domain=self.qdomain(kind), axis=axis)

    def weight_zeros(self, kind, count, zero):
        lo, hi = limits(kind)
        mid = (lo + hi + 1) // 2
        if zero == "none":
            return None
        if zero == "zero":
            return np.full(count, mid if kind[0] == "u" else 0)
        if zero == "asym":
            return np.full(count, mid + 3)
        return self.rng.choice([mid, mid, mid + 1, mid + 5, mid - 2], count)

    def probe(self, name):
        """What the float network so far computes; nothing if it computes nothing."""
        try:
            made = self.model([helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])
            return session(made, "DISABLE_ALL").run(None, {k: v for k, v in self.inputs.items() if k in self.read})[0]
        except Exception:
            return None

    def fitting(self, kind, real, zero="given", cover=0.85, zero_value=None):
        """Scale and zero point that cover most of what `real` (values) spans: the rest saturates."""
        lo, hi = limits(kind)
        v = np.asarray([-1, 1], f) if real is None else np.asarray(real, np.float64)
        v = v[np.isfinite(v)] if v.size else v
        low, high = (min(0.0, float(v.min())), max(0.0, float(v.max()))) if v.size else (-1.0, 1.0)
        z = 0
        if zero != "none":
            z = lo if low >= 0 else hi if high <= 0 else int(round(lo + (hi - lo) * -low / (high - low)))
            if self.rng.random() < 0.4 and low < 0 < high:
                z = self.zero_of(kind)
            z = zero_value if zero_value is not None else z
        room = max((hi - z) / high if high > 0 else 0, (z - lo) / -low if low < 0 else 0) or 1.0
        s = f(cover / room)
        if self.rng.random() < 0.5:
            s = f(2.0 ** np.round(np.log2(s)))
        return s, z

    # results

    def result(self, real, kind, zero="given", output_dtype=False, cover=0.85, scale=None):
        """A graph output: quantized to `kind`, or as it is. Gives the integers' name."""
        name = f"y{len(self.outputs)}"
        if kind == "f32":
            self.give(real, "f32")
            return None
        if zero == "none" and kind != "u8":
            # Without a zero point the type is u8, or an attribute's.
            zero, output_dtype = ("none", True) if self.opset >= 21 else ("given", False)
        if kind == "s8":
            self.signed = True
        fit = self.fitting(kind, self.probe(real) if scale is None else None, zero, cover)
        s, z = self.const(f(fit[0] if scale is None else scale), stem="s"), ""
        if zero != "none":
            z = self.const(fit[1], kind, stem="z")
        more = {"output_dtype": KINDS[kind][1]} if output_dtype else {}
        self.node("QuantizeLinear", real, s, z, domain=self.qdomain(kind), outputs=[name], **more)
        self.outputs.append((name, kind))
        return name

    def give(self, name, kind):
        """Makes a value a graph output."""
        new = f"y{len(self.outputs)}"
        for n in self.nodes:
            for i, o in enumerate(n.output):
                if o == name:
                    n.output[i] = new
            for i, o in enumerate(n.input):
                if o == name and o not in self.inputs:
                    n.input[i] = new
        if name in self.inputs:
            self.node("Identity", name, outputs=[new])
        self.outputs.append((new, kind))

    # the model

    def model(self, outputs):
        self.read = {i for n in self.nodes for i in n.input}
        graph = helper.make_graph(
            self.nodes, "g",
            [helper.make_tensor_value_info(k, KINDS[NAMES[v.dtype]][1], v.shape) for k, v in self.inputs.items() if k in self.read],
            outputs, [numpy_helper.from_array(np.ascontiguousarray(v).reshape(v.shape), k) for k, v in self.constants.items() if k in self.read])
        opsets = [helper.make_opsetid("", self.opset)]
        if any(n.domain == MS for n in self.nodes):
            opsets.append(helper.make_opsetid(MS, 1))
        return helper.make_model(graph, opset_imports=opsets, ir_version=10 if self.opset >= 21 else 9)

    def stored(self):
        """The model and what it is given."""
        model = self.model([helper.make_tensor_value_info(n, KINDS[k][1], None) for n, k in self.outputs])
        model.producer_name = ""
        given = {k: v for k, v in self.inputs.items() if k in self.read}
        made = {"name": self.name, "operator": self.operator, "model": model.SerializeToString(deterministic=True), "inputs": given}
        return model, given, made

    def aborted(self):
        """What is stored where ONNX Runtime gives no answer, not even an error."""
        return {**self.stored()[2], "runtime": "refused", "why": "ONNX Runtime aborts", "verdict": "may"}

    def finished(self):
        """The combination with ONNX Runtime's answer."""
        model, given, made = self.stored()
        if self.disputed:
            return {**made, "runtime": "refused", "why": self.disputed, "verdict": "may"}
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            path = os.path.join(folder, "o.onnx")
            all_, why, exact = attempt(model, given, "ENABLE_ALL", self.signed, path)
        plain, why_plain, _ = attempt(model, given, "DISABLE_ALL", self.signed, None)
        if all_ is None and plain is None:
            made["runtime"] = "refused"
            made["why"] = why
            made["verdict"] = verdict(model, why)
            return made
        made["runtime"] = "ran"
        answers = [a for a in (all_, plain) if a is not None]
        if len(answers) == 2 and all(same(a, b) for a, b in zip(*answers)):
            answers.pop()
        made["answers"] = answers
        wide = any(k in WIDE for _, k in self.outputs) or any(v.dtype.itemsize == 2 for v in [*given.values()])
        made["exact"] = bool(exact) if all_ is not None else not any("Linear" in n.op_type for n in self.nodes)
        if wide and any("Linear" in n.op_type for n in self.nodes):
            made["exact"] = False
        return made


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


FLOAT_INSIDE = {"QLinearSigmoid", "QLinearLeakyRelu", "DequantizeLinear"}


def attempt(model, given, level, signed, optimized):
    """Outputs, or none and the reason; whether every kernel was one of integers."""
    try:
        s = session(model, level, signed, optimized)
        outputs = [np.asarray(o) for o in s.run(None, given)]
    except Exception as e:
        return None, " ".join(str(e).split())[:300], False
    if any(o.dtype not in NAMES for o in outputs):
        return None, "an output type that has no numpy form", False
    exact = False
    if optimized and os.path.exists(optimized):
        exact = all_integers(onnx.load(optimized))
    return outputs, None, exact


def all_integers(model):
    """Whether the optimized graph computes in integers: no float between, but for quantizers at the graph's ends."""
    names = {i.name for i in model.graph.input} | {i.name for i in model.graph.initializer}
    out = {o.name for o in model.graph.output}
    for n in model.graph.node:
        if n.op_type == "QuantizeLinear" and n.input[0] not in names:
            return False
        if n.op_type == "DequantizeLinear" and n.output[0] not in out:
            return False
        if n.op_type in FLOAT_INSIDE - {"DequantizeLinear"}:
            return False
    return True


def verdict(model, why):
    """Whether a model that ONNX Runtime refuses must be refused: where its types or shapes break the operator's definition.

    `may`: ONNX has it, ONNX Runtime has no kernel. `unlisted`: types that fit each other, but that the operator does not list.
    """
    if "is not a registered function/op" in why:
        return "may"
    if "Type Error: Type '" in why:
        return "unlisted"
    if "Type Error" in why:
        return "must"
    try:
        shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception:
        return "must"
    return "may"
