#!/usr/bin/env python3
"""Writes tests/golden/conformance/: what the models of its cases give by ONNX Runtime, and the official node tests.

usage: conformance.py

  exporters/NAME   a small model that a producer wrote. To add one: model.onnx, an array for each input, and case.toml with
                   producer, setting, network, dims, [inputs] and for each of [[outputs]] name and step; this script writes the arrays
                   that are expected, ONNX Runtime's with and without its optimizations, and lists them in case.toml
  official/NAME    a node test of the `onnx` package that quantizes or computes in integers (written as a whole). Its first input
                   stays an input, the second too where both are matrices of activations; scales, zero points and weights,
                   which these tests pass when they run, become initializers, since an accelerator wants them when it compiles

`python3 tools/conformance.py RCAR_ISS` writes the page of the book from them.

Needs: numpy, onnx, onnxruntime
"""
import json
import pathlib
import re
import shutil
import tomllib
import warnings

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, numpy_helper

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

folder = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/conformance"
LEVELS = {"all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL, "disable": ort.GraphOptimizationLevel.ORT_DISABLE_ALL}
QUANTIZED = {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "QuantizeLinear", "DequantizeLinear",
             "DynamicQuantizeLinear"}
# Operators of which two inputs are activations, and where the second is.
TWO = {"QLinearMatMul": 3, "MatMulInteger": 1}


def exact(model):
    """The model with u8 weights instead of s8 beside u8 activations: on x86 without VNNI, ONNX Runtime's kernels of u8 and s8
    add pairs of products in 16 bits, and saturate."""
    graph = model.graph
    constants = {i.name: i for i in graph.initializer}
    for n in graph.node:
        if n.op_type not in ("QLinearConv", "QLinearMatMul", "QGemm") or not {n.input[2], n.input[3], n.input[5]} <= set(constants):
            continue
        if constants[n.input[2]].data_type == TensorProto.UINT8 and constants[n.input[3]].data_type == TensorProto.INT8:
            for at in (3, 5):
                value = numpy_helper.to_array(constants[n.input[at]]).astype(np.int16) + 128
                name = f"{n.input[at]}/u8"
                if name not in constants:
                    graph.initializer.append(numpy_helper.from_array(value.astype(np.uint8), name))
                    constants[name] = graph.initializer[-1]
                n.input[at] = name
    return model


def outputs(path, feeds, level):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    # What `exact` does, in models of QDQ form; it fails on some.
    options.add_session_config_entry("session.x64quantprecision", "1")
    model = exact(onnx.load(path)).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def case_text(head, inputs, outputs):
    """A case.toml. `outputs`: step and files by name."""
    lines = [f"{k} = {v}" for k, v in head.items()]
    if inputs:
        lines += ["", "[inputs]", *(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in inputs.items())]
    for name, (step, files) in outputs.items():
        values = ", ".join(map(json.dumps, files))
        lines += ["", "[[outputs]]", f"name = {json.dumps(name)}", f"step = {step!r}", f"values = [{values}]"]
    return "\n".join(lines) + "\n"


def exporters():
    for case in sorted((folder / "exporters").glob("*/case.toml")):
        known = tomllib.loads(case.read_text())
        feeds = {k: np.load(case.parent / f) for k, f in known["inputs"].items()}
        found = {}
        for level, how in LEVELS.items():
            try:
                values = outputs(case.parent / "model.onnx", feeds, how)
            except Exception:  # the pass for exact sums; without optimizations, it computes in float
                print(f"{case.parent.name}: no values with optimizations")
                continue
            for name, value in values.items():
                file = re.sub(r"\W+", "_", name) + f".{level}.npy"
                np.save(case.parent / file, value)
                found.setdefault(name, []).append(file)
        head = {k: json.dumps(known[k]) for k in ["producer", "setting", "network"]}
        if "dims" in known:
            head["dims"] = "{ " + ", ".join(f"{k} = {v}" for k, v in known["dims"].items()) + " }"
        steps = {o["name"]: o["step"] for o in known["outputs"]}
        case.write_text(case_text(head, known["inputs"], {n: (steps.get(n, 0.0), files) for n, files in found.items()}))


def tensor(value, name):
    """A constant. Types that numpy lacks come as TensorProto."""
    if isinstance(value, onnx.TensorProto):
        out = onnx.TensorProto()
        out.CopyFrom(value)
        out.name = name
        return out
    return numpy_helper.from_array(np.asarray(value), name)


def official():
    shutil.rmtree(folder / "official", ignore_errors=True)
    for case in collect_testcases(None):
        if case.model is None or not (QUANTIZED & {n.op_type for n in case.model.graph.node} or "dynamicquantize" in case.name):
            continue
        inputs, wants = case.data_sets[0]
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        second = next((TWO[n.op_type] for n in model.graph.node if n.op_type in TWO), None)
        infos = list(model.graph.input)
        kept = [i for i in range(len(infos)) if i in (0, second)]
        model.graph.initializer.extend(tensor(v, i.name) for k, (i, v) in enumerate(zip(infos, inputs)) if k not in kept)
        del model.graph.input[:]
        model.graph.input.extend(infos[k] for k in kept)
        out = folder / "official" / case.name.removeprefix("test_")
        out.mkdir(parents=True)
        onnx.save(model, out / "model.onnx")
        # Elements that numpy lacks have no file; such a model is refused before it would be read.
        plain = lambda v: not isinstance(v, onnx.TensorProto) and np.asarray(v).dtype.isbuiltin == 1
        given, expected = {}, {}
        if all(plain(v) for v in [*(inputs[k] for k in kept), *wants]):
            for k in kept:
                np.save(out / f"{infos[k].name}.npy", inputs[k])
                given[infos[k].name] = f"{infos[k].name}.npy"
            for info, want in zip(model.graph.output, wants):
                np.save(out / f"{info.name}.expected.npy", want)
                expected[info.name] = (0.0, [f"{info.name}.expected.npy"])
        operators = sorted({n.op_type for n in model.graph.node})
        version = f"node test of onnx {onnx.__version__}"
        head = {"producer": json.dumps("ONNX"), "setting": json.dumps(version), "network": json.dumps(", ".join(operators))}
        (out / "case.toml").write_text(case_text(head, given, expected))


exporters()
official()
print(len(list(folder.glob("exporters/*/case.toml"))), "models of exporters,", len(list(folder.glob("official/*/case.toml"))), "node tests")
