#!/usr/bin/env python3
"""Writes tests/golden/operators/text/: rows of tables by ids, and small networks of text, quantized as producers do, each with its
inputs in one .npz and what ONNX Runtime computes; to tests/golden/operators/choice/ what conditions choose, as masks do; and to
tests/golden/text/ two of the networks in float, with open extents.

A table is u8, s8, u16 or s16, and ids are int64 or int32. Networks are like BERT (attention mask, types of tokens), GPT (cached keys
and values, causal mask from positions) and LLaMA (rotation, mean of squares, gated functions). Needs numpy, onnx, onnxruntime."""
import numpy as np
import onnx
import onnxruntime as ort
from cases import MS, TYPES, f, here, node
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(31)
folder = here / "text"
floats_folder = here.parent / "text"
choices = here / "choice"
for made in (folder, choices, floats_folder):
    made.mkdir(parents=True, exist_ok=True)
ELEMENTS = {np.dtype(bool): TensorProto.BOOL, np.dtype(np.int64): TensorProto.INT64, np.dtype(np.int32): TensorProto.INT32, np.dtype(np.float32): TensorProto.FLOAT,
            **{np.dtype(t): e for t, e, *_ in TYPES.values()}}


def model_of(name, nodes, inputs, outputs, constants):
    """`inputs`: arrays by name; `outputs`: element types by name."""
    used = {i for n in nodes for i in n.input}
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(k, ELEMENTS[v.dtype], v.shape) for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, e, None) if e else onnx.ValueInfoProto(name=k) for k, e in outputs.items()],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if k in used])
    domains = {"": 21, **({MS: 1} if any(n.domain == MS for n in nodes) else {})}
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*d) for d in domains.items()], ir_version=10)


def run(model, inputs, names):
    options = ort.SessionOptions()
    # On x86 without VNNI its kernel of u8 and s8 saturates pairs of products; this one is exact on every CPU.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(list(names), inputs)))


def write(name, nodes, inputs, outputs, constants, within, folder=folder, least=20):
    model = model_of(name, nodes, inputs, outputs, constants)
    results = run(model, inputs, outputs)
    onnx.save(model, folder / f"{name}.onnx")
    np.savez(folder / f"{name}.npz", **inputs)
    lines = [f"# Written by tools/golden/text.py.", f'model = "{name}.onnx"', f'input = "{name}.npz"',
             f'oracle = "ONNX Runtime {ort.__version__}, ORT_DISABLE_ALL"', f"within = {within}", "", "[values]"]
    for output, values in results.items():
        assert len(np.unique(values)) > min(least, values.size // 3), f"{name}: {output} has {np.unique(values)}"
        np.save(folder / f"{name}.{output}.npy", values)
        lines.append(f'"{output}" = "{name}.{output}.npy"')
    (folder / f"{name}.expected.toml").write_text("\n".join(lines) + "\n")


def table(kind, shape):
    dtype, _, lo, hi = TYPES[kind]
    return rng.integers(lo, hi, shape).astype(dtype)


# rows by ids, counted from both ends; of all types, in both forms of quantized models, of tables that are no matrices
for kind in TYPES:
    for ids_type in (np.int64, np.int32):
        short = "i64" if ids_type is np.int64 else "i32"
        ids = rng.integers(-37, 37, (2, 9)).astype(ids_type)
        ids[0, :2] = [-37, 36]
        zero = TYPES[kind][0](3)
        c = {"t": table(kind, (37, 24)), "s": f(0.02), "z": zero, "s2": f(0.03), "z2": TYPES[kind][0](9)}
        dq, q = node("DequantizeLinear", "t s z", "real"), lambda by: node("QuantizeLinear", f"r s{by} z{by}", "y")
        write(f"rows_{short}_{kind}", [dq, node("Gather", "real ids", "r"), q("")], {"ids": ids}, {"y": TYPES[kind][1]}, c, 0)
        write(f"rows_requantized_{short}_{kind}", [dq, node("Gather", "real ids", "r"), q(2)], {"ids": ids}, {"y": TYPES[kind][1]}, c, 0)
        write(f"rows_integers_{short}_{kind}", [node("Gather", "t ids", "y")], {"ids": ids}, {"y": TYPES[kind][1]}, c, 0)
    c = {"t": table(kind, (1, 12, 3, 5)), "z": zero, "s": f(0.02)}
    for name, ids in [("one", np.array(-5)), ("list", np.array([3, 0, -1, 11])), ("matrix", np.array([[1, 2, 3], [-1, -2, -3]]))]:
        write(f"rows_of_images_{name}_{kind}", [node("Gather", "t ids", "y", axis=1)], {"ids": ids}, {"y": TYPES[kind][1]}, c, 0)
    # the host computes the ids
    ids = rng.integers(0, 18, (1, 7))
    write(f"rows_by_computed_ids_{kind}", [node("Mod", "ids n", "small"), node("Add", "small one", "next"), node("Gather", "t next", "y")],
          {"ids": ids}, {"y": TYPES[kind][1]}, {"t": table(kind, (37, 24)), "n": np.array(11), "one": np.array(-4)}, 0)


class Network:
    """A float network that is quantized on its own inputs: tables and weights, and every float that an operator computes."""

    def __init__(self, inputs, width=16):
        self.inputs, self.nodes, self.constants, self.width = inputs, [], {}, width

    def constant(self, value, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def random(self, *shape, by=0.4):
        return self.constant(rng.normal(0, by, shape).astype(f))

    def add(self, op, *inputs, outputs=None, **attributes):
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        outputs = outputs or [f"v{len(self.nodes)}"]
        self.nodes.append(helper.make_node(op, names, outputs, name=f"{op}_{len(self.nodes)}", **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def linear(self, x, out):
        return self.add("MatMul", x, self.random(self.width, out))

    def heads(self, x, heads):
        split = self.add("Reshape", x, np.array([0, 0, heads, -1]))
        return self.add("Transpose", split, perm=[0, 2, 1, 3])

    def joined(self, x):
        back = self.add("Transpose", x, perm=[0, 2, 1, 3])
        return self.add("Reshape", back, np.array([0, 0, -1]))

    def norm(self, x):
        scale, bias = self.constant(rng.uniform(0.5, 1.5, self.width).astype(f)), self.random(self.width, by=0.1)
        return self.add("LayerNormalization", x, scale, bias, axis=-1)

    def float(self, name, shapes, outputs):
        """Writes the float network with open extents, and its inputs."""
        model = model_of(name, self.nodes, self.inputs, dict.fromkeys(outputs, TensorProto.FLOAT), self.constants)
        for i in model.graph.input:
            i.CopyFrom(helper.make_tensor_value_info(i.name, i.type.tensor_type.elem_type, shapes[i.name]))
        onnx.save(model, floats_folder / f"{name}.onnx")
        np.savez(floats_folder / f"{name}.npz", **self.inputs)

    def quantized(self, name, outputs, kind, within, floats=()):
        """Writes the case. `floats`: results that have no quantizer. Where a sum falls between two steps, ONNX Runtime may take the
        other one, and later operators enlarge that: more, the more of them there are, and the finer the steps."""
        dtype, elem, lo, hi = TYPES[kind]
        made = [o for n in self.nodes for o in n.output]
        float_inputs = [k for k, v in self.inputs.items() if v.dtype == f]
        seen = run(model_of(name, self.nodes, self.inputs, dict.fromkeys(made), self.constants), self.inputs, made)
        seen.update({k: self.inputs[k] for k in float_inputs})
        nodes, constants, real = [], dict(self.constants), {}

        def parameters(key, values):
            finite = values[np.isfinite(values)]
            least, most = min(finite.min(), 0), max(finite.max(), 0)
            constants[f"{key}.s"] = f(max(most - least, 1e-3) / (hi - 1 - lo))
            constants[f"{key}.z"] = dtype(np.clip(round(lo - least / constants[f"{key}.s"]), lo, hi - 1))
            return constants[f"{key}.s"], constants[f"{key}.z"]

        def behind(value, by):
            integers = value if value in outputs else f"{value}.q"
            nodes.append(node("QuantizeLinear", f"{value}.f {by}.s {by}.z" if value in outputs else f"{value} {by}.s {by}.z", integers))
            nodes.append(node("DequantizeLinear", f"{integers} {by}.s {by}.z", f"{value}.d"))
            real[value] = f"{value}.d"

        for k in float_inputs:
            parameters(k, seen[k])
            behind(k, k)
        for n in self.nodes:
            n = helper.make_node(n.op_type, [real.get(i, i) for i in n.input], list(n.output), name=n.name,
                                 **{a.name: helper.get_attribute_value(a) for a in n.attribute})
            place = {"Gather": 0, "MatMul": 1}.get(n.op_type)
            source = None if place is None else n.input[place]
            if source in self.constants and self.constants[source].dtype == f:
                values = self.constants[source]
                if n.op_type == "Gather":
                    scale, zero = parameters(source, values)
                    integers = np.clip(np.rint(values / scale) + int(zero), lo, hi - 1).astype(dtype)
                else:
                    scale = constants[f"{source}.s"] = f(np.abs(values).max() / 63)
                    constants[f"{source}.z"] = np.int8(0)
                    integers = np.rint(values / scale).astype(np.int8)
                constants[f"{source}.q"] = integers
                nodes.append(node("DequantizeLinear", f"{source}.q {source}.s {source}.z", f"{source}.d"))
                n.input[place] = f"{source}.d"
            nodes.append(n)
            for o in list(n.output):
                if seen[o].dtype != f or o in floats:
                    continue
                # Rows have the table's parameters, what only moves has those of its source.
                moves = n.op_type in ("Reshape", "Transpose", "Slice", "Unsqueeze", "Split")
                by = source if n.op_type == "Gather" else self.by[n.input[0]] if moves and n.input[0] in self.by else o
                if by == o:
                    parameters(o, seen[o])
                if o in outputs:
                    n.output[list(n.output).index(o)] = f"{o}.f"
                behind(o, by)
                self.by[f"{o}.d"] = by
        write(name, nodes, self.inputs, {o: elem for o in outputs}, constants, within if TYPES[kind][3] <= 256 else 16 * within)

    by = {}


def bert(kind):
    ids = rng.integers(0, 50, (1, 8))
    net = Network({"input_ids": ids, "attention_mask": np.array([[1] * 6 + [0] * 2]), "token_type_ids": rng.integers(0, 2, (1, 8))})
    net.by = {}
    words = net.add("Gather", net.random(50, 16), "input_ids")
    length = net.add("Squeeze", net.add("Shape", "input_ids", start=1, end=2))
    places = net.add("Gather", net.random(32, 16), net.add("Range", np.array(0), length, np.array(1)))
    types = net.add("Gather", net.random(2, 16), "token_type_ids")
    x = net.norm(net.add("Add", net.add("Add", words, types), places))
    wide = net.add("Unsqueeze", "attention_mask", np.array([1, 2]))
    off = net.add("Sub", f(1), net.add("Cast", wide, to=TensorProto.FLOAT))
    mask = net.add("Mul", off, np.finfo(f).min)
    query, key, value = (net.heads(net.linear(x, 16), 2) for _ in range(3))
    scores = net.add("Mul", net.add("MatMul", query, net.add("Transpose", key, perm=[0, 1, 3, 2])), f(8**-0.5))
    masked = net.add("Add", scores, mask)
    share = net.add("Softmax", masked, axis=-1)
    x = net.norm(net.add("Add", net.linear(net.joined(net.add("MatMul", share, value)), 16), x))
    net.add("Tanh", net.linear(x, 16), outputs=["y"])
    if kind == "u8":
        net.float("bert", dict.fromkeys(net.inputs, ["batch", "seq"]), ["y"])
    # The sum of scores and mask has no range of its own: it stays float, and so does the mask.
    net.quantized(f"bert_{kind}", ["y"], kind, 1, floats=[off, mask, masked])


def gpt(kind):
    past = {k: rng.normal(0, 1, (1, 2, 5, 8)).astype(f) for k in ("past_key", "past_value")}
    net = Network({"input_ids": rng.integers(0, 50, (1, 3)), "position_ids": np.arange(5, 8)[None], "attention_mask": np.ones((1, 8), np.int64), **past})
    net.by = {}
    x = net.add("Add", net.add("Gather", net.random(50, 16), "input_ids"), net.add("Gather", net.random(32, 16), "position_ids"))
    query, key, value = (net.heads(part, 2) for part in net.add("Split", net.linear(net.norm(x), 48), outputs=["query", "key", "value"], axis=2, num_outputs=3))
    keys = net.add("Concat", "past_key", key, axis=2, outputs=["present_key"])
    values = net.add("Concat", "past_value", value, axis=2, outputs=["present_value"])
    scores = net.add("Mul", net.add("MatMul", query, net.add("Transpose", keys, perm=[0, 1, 3, 2])), f(8**-0.5))
    # Which keys precede each query, from the shapes; and those that the mask leaves.
    total, new = (net.add("Squeeze", net.add("Shape", of, start=at, end=at + 1)) for of, at in ((keys, 2), ("input_ids", 1)))
    rows = net.add("Unsqueeze", net.add("Range", net.add("Sub", total, new), total, np.array(1)), np.array([1]))
    causal = net.add("LessOrEqual", net.add("Range", np.array(0), total, np.array(1)), rows)
    given = net.add("Cast", net.add("Unsqueeze", "attention_mask", np.array([1, 2])), to=TensorProto.BOOL)
    # Producers write either.
    masked = net.add("Where", net.add("And", causal, given), scores, f(-np.inf) if kind == "s8" else np.finfo(f).min)
    share = net.add("Softmax", masked, axis=-1)
    x = net.add("Add", net.linear(net.joined(net.add("MatMul", share, values)), 16), x)
    net.add("MatMul", net.norm(x), net.random(16, 50), outputs=["logits"])
    if kind == "u8":
        net.float("gpt", {"input_ids": ["batch", "seq"], "position_ids": ["batch", "seq"], "attention_mask": ["batch", "total"],
                          "past_key": ["batch", 2, "past", 8], "past_value": ["batch", 2, "past", 8]}, ["logits", "present_key", "present_value"])
    net.quantized(f"gpt_{kind}", ["logits", "present_key", "present_value"], kind, 1, floats=[masked])


def llama(kind):
    net = Network({"input_ids": rng.integers(-50, 50, (1, 6)).astype(np.int32)})
    net.by = {}
    x = net.add("Gather", net.random(50, 16), "input_ids")

    def rms(x):
        mean = net.add("ReduceMean", net.add("Mul", x, x), np.array([-1]), keepdims=1)
        return net.add("Mul", net.add("Mul", x, net.add("Reciprocal", net.add("Sqrt", net.add("Add", mean, f(1e-5))))),
                       rng.uniform(0.5, 1.5, 16).astype(f))

    angles = np.arange(6)[:, None] / 100 ** (np.arange(4) / 4)
    cosine, sine = (np.tile(g(angles), 2).astype(f)[None, None] for g in (np.cos, np.sin))

    def rotated(x):
        low, high = net.add("Split", x, outputs=[f"{x}.low", f"{x}.high"], axis=3, num_outputs=2)
        half = net.add("Concat", net.add("Neg", high), low, axis=3)
        return net.add("Add", net.add("Mul", x, cosine), net.add("Mul", half, sine))

    n = rms(x)
    query, key, value = (net.heads(net.linear(n, 16), 2) for _ in range(3))
    scores = net.add("Mul", net.add("MatMul", rotated(query), net.add("Transpose", rotated(key), perm=[0, 1, 3, 2])), f(8**-0.5))
    share = net.add("Softmax", net.add("Add", scores, np.triu(np.full((6, 6), -30, f), 1)), axis=-1)
    x = net.add("Add", net.linear(net.joined(net.add("MatMul", share, value)), 16), x)
    n = rms(x)
    gate = net.linear(n, 16)
    x = net.add("Add", net.linear(net.add("Mul", net.add("Mul", gate, net.add("Sigmoid", gate)), net.linear(n, 16)), 16), x)
    net.add("MatMul", rms(x), net.random(16, 50), outputs=["logits"])
    net.quantized(f"llama_{kind}", ["logits"], kind, 8)


for kind in ("u8", "s8", "u16"):
    bert(kind)
    gpt(kind)
    llama(kind)

# Conditions that are constant, given, or computed by the host; numbers, infinite ones, and tensors of two scales.
for kind in TYPES:
    dtype, elem, *_ = TYPES[kind]
    x, other = table(kind, (1, 4, 6, 6)), table(kind, (1, 4, 6, 6))
    wide = 256 if kind.endswith("16") else 1
    c = {"s": f(0.02 / wide), "z": dtype(3), "s2": f(0.013 / wide), "z2": dtype(9), "sy": f(0.031 / wide), "zy": dtype(70), "causal": np.tri(6, dtype=bool)[None, None],
         "least": np.finfo(f).min, "low": f(-np.inf), "high": f(np.inf), "zero": f(0), "no": np.array(0), "column": rng.normal(0, 1, (4, 6, 1)).astype(f)}
    read, second = node("DequantizeLinear", "x s z", "real"), node("DequantizeLinear", "w s2 z2", "real2")
    to_y = node("QuantizeLinear", "r sy zy", "y")
    given = {"x": x, "c": np.array([True, True, False, True, False, True])}
    ids = {"x": x, "ids": np.array([[5, 0, 7, 0, 0, 9]])}
    both = {"x": x, "w": other}
    flag = node("Equal", "ids no", "c")
    for name, nodes, inputs in [
        ("constant", [read, node("Where", "causal real least", "r"), to_y], {"x": x}),
        ("constant_infinite", [read, node("Where", "causal real low", "r"), to_y], {"x": x}),
        ("given", [read, node("Where", "c real low", "r"), to_y], given),
        ("given_first_number", [read, node("Where", "c high real", "r"), to_y], given),
        ("given_two_numbers", [read, node("Where", "c zero low", "m"), node("Add", "real m", "r"), to_y], given),
        ("given_constant", [read, node("Where", "c real column", "r"), to_y], given),
        ("given_expression", [read, node("Neg", "real", "n"), node("Where", "c real n", "r"), to_y], given),
        ("computed", [read, flag, node("Where", "c least real", "r"), to_y], ids),
        ("computed_twice", [read, flag, node("Where", "c least real", "a"), node("Where", "causal a zero", "r"), to_y], ids),
        ("of_two", [read, second, node("Less", "real real2", "c"), node("Where", "c real2 real", "r"), to_y], both),
        ("not_of_two", [read, second, node("Less", "real real2", "l"), node("Not", "l", "c"), node("Where", "c real2 real", "r"), to_y], both),
        ("mask", [read, node("Cast", "c", "m", to=TensorProto.FLOAT), node("Mul", "real m", "r"), to_y], given),
        ("mask_negated", [read, node("Not", "c", "n"), node("Cast", "n", "m", to=TensorProto.FLOAT), node("Mul", "m least", "b"), node("Add", "real b", "r"), to_y], given),
        ("quotient", [read, second, node("Div", "real real2", "d"), node("Equal", "real2 zero", "c"), node("Where", "c zero d", "r"), to_y],
         {"x": x, "w": np.where(rng.random(other.shape) < 0.3, dtype(9), other)}),
    ]:
        write(f"{name}_{kind}", nodes, inputs, {"y": elem}, c, 0, choices)
    write(f"float_{kind}", [read, node("Where", "c real low", "y")], given, {"y": TensorProto.FLOAT}, c, 0, choices)
    if wide == 1:
        choose = node("QLinearWhere", "c x s z w s2 z2 sy zy", "y", domain=MS)
        write(f"qlinear_given_{kind}", [choose], {**given, "w": other}, {"y": elem}, c, 0, choices)
        write(f"qlinear_computed_{kind}", [flag, choose], {**ids, "w": other}, {"y": elem}, c, 0, choices)

# The lowest integer of a mask may stand for −∞: its scale, times all steps, is beyond floats. ONNX Runtime adds in float in 16 bits.
for kind in ("u16", "s16"):
    dtype, elem, lo, hi = TYPES[kind]
    c = {"s": f(0.02 / 256), "z": dtype(3), "huge": np.nextafter(np.finfo(f).max / f(65535), f(np.inf)), "top": dtype(hi - 1), "most": np.finfo(f).max, "one": f(1)}
    inputs = {"x": table(kind, (1, 2, 6, 6)), "w": np.where(rng.random((1, 1, 6, 6)) < 0.5, lo, hi - 1).astype(dtype)}
    read, mask = node("DequantizeLinear", "x s z", "real"), node("DequantizeLinear", "w huge top", "m")
    write(f"beyond_floats_{kind}", [read, mask, node("Add", "real m", "a"), node("Max", "a least", "r"), node("QuantizeLinear", "r s z", "y")],
          inputs, {"y": elem}, {**c, "least": f(-1)}, 0, choices, 9)
    write(f"beyond_floats_product_{kind}", [read, mask, node("Mul", "real m", "r"), node("QuantizeLinear", "r s z", "y")], inputs, {"y": elem}, c, 0, choices, 1)
print(*(f"{len(list(of.glob('*.onnx')))} models in {of.name}" for of in (folder, choices)), sep=", ")
