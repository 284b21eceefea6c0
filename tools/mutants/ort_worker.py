"""Runs models by ONNX Runtime, in a process of its own, since mutants may crash it: a line of JSON asks, one answers.

On x86 without VNNI, ONNX Runtime's products of u8 by s8 saturate at 16 bits in pairs, which no definition of an operator says.
Weights made unsigned (128 more, and their zero point, too) give the right sums there: the level `unsigned`.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

MOST = 1 << 22
EXTENT = 3  # Of an extent that has a name.
TYPES = {"uint8": np.uint8, "int8": np.int8, "uint16": np.uint16, "int16": np.int16, "int32": np.int32, "int64": np.int64,
         "float": np.float32, "bool": np.bool_}
LEVELS = {"all": (ort.GraphOptimizationLevel.ORT_ENABLE_ALL, {}), "none": (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, {}),
          "int8": (ort.GraphOptimizationLevel.ORT_ENABLE_ALL, {"session.qdqisint8allowed": "1"}),
          "unsigned": (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, {})}
# Inputs for weights and their zero point.
WEIGHTS = {"QLinearConv": (3, 5), "QLinearMatMul": (3, 5), "QGemm": (3, 5), "ConvInteger": (1, 3), "MatMulInteger": (1, 3)}


def session(level):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level, entries = LEVELS[level]
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    model, moved = unsigned() if level == "unsigned" else ("m.onnx", [])
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]), moved


def unsigned():
    """The model with unsigned weights, and which of its inputs are such; ValueError if it has no signed ones."""
    model = onnx.load("m.onnx")
    graph = model.graph
    by_name = {t.name: t for t in graph.initializer}
    by_name |= {n.output[0]: a.t for n in graph.node if n.op_type == "Constant" for a in n.attribute if a.name == "value"}
    changed, moved = 0, []
    for node in graph.node:
        if node.op_type not in WEIGHTS:
            continue
        weights, zero = WEIGHTS[node.op_type]
        names = [node.input[weights], node.input[zero] if len(node.input) > zero else ""]
        given = [i.type.tensor_type for i in graph.input if i.name == names[0] and i.name not in by_name]
        if given and given[0].elem_type == onnx.TensorProto.INT8:
            given[0].elem_type = onnx.TensorProto.UINT8
            moved.append(names[0])
        elif names[0] not in by_name or by_name[names[0]].data_type != onnx.TensorProto.INT8:
            continue
        node.input.extend([""] * (zero + 1 - len(node.input)))
        for at, name in zip((weights, zero), names):
            if name in moved:
                continue
            array = numpy_helper.to_array(by_name[name]) if name else np.int8(0)
            node.input[at] = f"unsigned_{changed}"
            graph.initializer.append(numpy_helper.from_array((array.astype(int) + 128).astype(np.uint8), node.input[at]))
            changed += 1
    if not changed:
        raise ValueError
    return model.SerializeToString(), moved


def value(random, kind, shape):
    """Integers of the whole range or of a part of it, floats of several magnitudes."""
    if np.dtype(kind).kind == "f":
        return (random.standard_normal(shape) * random.choice([0.1, 1, 4, 30])).astype(kind)
    if kind is np.bool_:
        return random.integers(0, 2, shape).astype(kind)
    info = np.iinfo(kind)
    low, high = (-100, 100) if info.bits > 16 else (info.min, info.max)
    if random.random() < 0.2:
        return random.choice([low, high, 0, 1], shape).astype(kind)
    return random.integers(low, high + 1, shape).astype(kind)


def answer(seed):
    """Inputs, and the outputs at every level that runs; saved as arrays."""
    random = np.random.default_rng(seed)
    given, dims, results, names, refusal = None, {}, {}, [], ""
    for level in LEVELS:
        try:
            running, moved = session(level)
            if given is None:
                given = {}
                for info in running.get_inputs():
                    dims.update({d: EXTENT for d in info.shape if isinstance(d, str)})
                    shape = [d if isinstance(d, int) else EXTENT for d in info.shape]
                    if np.prod(shape, dtype=float) > MOST:
                        return {"why": "too large"}
                    given[info.name] = value(random, TYPES[info.type[7:-1]], shape)
            names = [o.name for o in running.get_outputs()]
            results[level] = running.run(None, {
                k: (v.astype(int) + 128).astype(np.uint8) if k in moved else v for k, v in given.items()})
        except Exception as e:  # ONNX Runtime throws all kinds of its own.
            refusal = str(e)
            if given is None and level == "none":
                break
    if not results:
        return {"why": refusal[:200]}
    for i, array in enumerate(given.values()):
        np.save(f"x{i}.npy", array)
    arrays = {f"{level} {i}": a for level, run in results.items() for i, a in enumerate(run) if isinstance(a, np.ndarray)}
    np.savez("expected.npz", **arrays)
    return {"inputs": list(given), "dims": dims, "outputs": names, "levels": list(results)}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
