#!/usr/bin/env python3
"""Writes what ONNX Runtime computes for a model: digests of every tensor, as NAME.expected.toml beside the model.

usage: expect.py MODEL.onnx INPUT_FILE INPUT.npy [--session KEY=VALUE]

INPUT_FILE  what the test gives to the program, a path relative to the model (a picture, or an array)
INPUT.npy   the same as the model's input tensor: `rcar-iss run MODEL --input INPUT_FILE --dump-layers D` wrote it to D

QOperator models: every integer tensor, and the outputs. QDQ models: the outputs, with all optimizations on, where ONNX
Runtime computes in integers. Needs: pip install numpy onnx onnxruntime xxhash
"""
import argparse
import pathlib

import numpy as np
import onnx
import onnxruntime as ort
import xxhash

import exact

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("model", type=pathlib.Path)
p.add_argument("input_file")
p.add_argument("input", type=pathlib.Path)
p.add_argument("--session", action="append", default=[])
a = p.parse_args()

model = onnx.load(a.model)
feed = np.load(a.input)
name = model.graph.input[0].name
if any(n.op_type.startswith("QLinear") for n in model.graph.node):
    have = {o.name for o in model.graph.output}
    for node in model.graph.node:
        for out in node.output:
            if out and out not in have:
                model.graph.output.append(onnx.ValueInfoProto(name=out))
options = ort.SessionOptions()
options.log_severity_level = 3
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
for entry in a.session:
    options.add_session_config_entry(*entry.split("=", 1))
session = exact.session(model, options)
names = [o.name for o in session.get_outputs()]
values = dict(zip(names, session.run(names, {name: feed})))
values = {name: feed, **values}

digest = lambda v: xxhash.xxh3_64(np.ascontiguousarray(v).tobytes()).hexdigest()
lines = [
    "# Written by tools/golden/expect.py; digests are xxh3-64 of each tensor's bytes in ONNX layout.",
    f'model = "{a.model.name}"',
    f'input = "{a.input_file}"',
    f'oracle = "ONNX Runtime {ort.__version__}, ORT_ENABLE_ALL{"".join(", " + s for s in a.session)}"',
    "",
    "[tensors]",
]
lines += [f'"{k}" = "{digest(v)}"' for k, v in values.items()]
a.model.with_suffix(".expected.toml").write_text("\n".join(lines) + "\n")
print(f"{len(values)} tensors")
