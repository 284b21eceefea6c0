#!/usr/bin/env python3
"""Runs every layer of a QDQ model alone, on the inputs that ONNX Runtime gives it, and compares its result.

    cargo build --release
    python3 tools/measure/isolated.py MODEL.onnx --input INPUT.npy [--machine rcn-m] [--steps 1] [-v]

A layer is what lies between quantized tensors: from QuantizeLinear outputs (or the network's input) to one QuantizeLinear. ONNX
Runtime runs the whole model without optimizations, so operators between quantizers compute in float; the tool computes in
integers, or in its f32 lane. Differences are counted in steps of the output's quantization. Exit 1 if one is larger than --steps.
Needs: numpy, onnx, onnxruntime
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def values_of(model, wanted, feeds):
    """What ONNX Runtime computes for these tensors."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    have = {o.name for o in model.graph.output}
    model.graph.output.extend(helper.make_empty_tensor_value_info(w) for w in wanted if w not in have)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(wanted, session.run(wanted, feeds)))


def layers(model):
    """(name, nodes, inputs, output) of every layer."""
    graph = model.graph
    producer = {o: n for n in graph.node for o in n.output if o}
    constants = {t.name for t in graph.initializer}
    known = {n.output[0] for n in graph.node if n.op_type == "QuantizeLinear"}
    for q in (n for n in graph.node if n.op_type == "QuantizeLinear"):
        nodes, inputs, todo = [], [], [q]
        while todo:
            n = todo.pop()
            if n in nodes:
                continue
            nodes.append(n)
            for i in filter(None, n.input):
                if i in constants:
                    continue
                if i in known or i not in producer:
                    if i not in inputs:
                        inputs.append(i)
                else:
                    todo.append(producer[i])
        # A quantizer of a constant, or of the network's input: nothing to compare.
        if inputs:
            order = {id(n): k for k, n in enumerate(graph.node)}
            ops = [n.op_type for n in nodes if "uantizeLinear" not in n.op_type]
            yield "+".join(reversed(ops)) or "QuantizeLinear", sorted(nodes, key=lambda n: order[id(n)]), inputs, q.output[0]


def run(layer, model, values, options, folder):
    name, nodes, inputs, output = layer
    used = {i for n in nodes for i in n.input}
    info = lambda t: helper.make_tensor_value_info(t, helper.np_dtype_to_tensor_dtype(values[t].dtype), values[t].shape)
    graph = helper.make_graph(nodes, "layer", [info(i) for i in inputs], [info(output)],
                              [t for t in model.graph.initializer if t.name in used])
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    os.makedirs(folder)
    onnx.save(part, f"{folder}/m.onnx")
    command = [options.binary, "run", f"{folder}/m.onnx", "--machine", options.machine, "-o", f"{folder}/out", "--json"]
    for k, i in enumerate(inputs):
        np.save(f"{folder}/{k}.npy", values[i])
        command += ["--input", f"{i}={folder}/{k}.npy"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip().replace("\n", " / ")[:300]
    report = json.loads(done.stdout)
    got = np.load(f"{folder}/out/{report['files'][0]}").astype(np.int64)
    difference = np.abs(got - values[output].astype(np.int64))
    hosted = any(l["host"] for l in report["layers"])
    return (int((difference > 0).sum()), difference.size, int(difference.max(initial=0)), hosted), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--input", required=True)
    parser.add_argument("--machine", default="rcn-m")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--binary", default=os.path.join(ROOT, "target/release/rcar-iss"))
    options = parser.parse_args()
    model = onnx.load(options.model)
    constants = {t.name for t in model.graph.initializer}
    network = [i.name for i in model.graph.input if i.name not in constants]
    found = list(layers(model))
    feeds = {network[0]: np.load(options.input)}
    wanted = sorted({t for _, _, inputs, output in found for t in [*inputs, output]} - set(network))
    values = values_of(model, wanted, feeds) | feeds
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda kl: run(kl[1], model, values, options, f"{folder}/{kl[0]}"), enumerate(found)))
    failed, beyond = [], []
    kinds = collections.defaultdict(lambda: [0, 0, 0, 0, 0])
    for (name, _, _, output), (result, why) in zip(found, results):
        if result is None:
            failed.append((output, name, why))
            continue
        differing, size, most, hosted = result
        k = kinds[name]
        for i, v in enumerate([1, differing, size, 0, hosted]):
            k[i] += v
        k[3] = max(k[3], most)
        if most > options.steps:
            beyond.append((output, name, differing, size, most))
    if options.verbose:
        for name, (count, differing, size, most, hosted) in sorted(kinds.items()):
            print(f"{count:5} {name:40} {differing} of {size} elements differ, most {most} steps, {hosted} with a host layer")
    for f in failed:
        print("FAILED", *f)
    for b in beyond:
        print("BEYOND {} ({}): {} of {} elements, most {} steps".format(*b))
    total = [sum(k[i] for k in kinds.values()) for i in (0, 1, 2)]
    most = max((k[3] for k in kinds.values()), default=0)
    print(f"{options.model}: {total[0]} layers, {total[1]} of {total[2]} elements differ, most {most} steps; "
          f"{len(beyond)} layers beyond {options.steps}, {len(failed)} failed")
    return 1 if beyond or failed else 0


sys.exit(main())
