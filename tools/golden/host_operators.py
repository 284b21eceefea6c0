#!/usr/bin/env python3
"""Writes tests/golden/host_operators.zip: single operators that run on the host, with what ONNX Runtime computes.

    python3 tools/golden/host_operators.py                      writes all (about a minute)
    python3 tools/golden/host_operators.py --extract NAME DIR   model.onnx, the inputs x0.npy … and the outputs y0.npy … of one
    python3 tools/golden/host_operators.py --run BINARY [PATTERN]   what a binary of rcar-iss makes of them

`host_operators_grid.py` lists the cases: every definition of an operator × its attributes × element types × special values.
Those that ONNX Runtime refuses are left out. The random numbers of a case come from its name, so that others can be added.
Each model has a second part, a DequantizeLinear from `q` to `a`: a network of which nothing is accelerated is refused.

The archive has `index.json` and `data`: models, inputs and outputs one after the other, in the order of the index. Level
ORT_DISABLE_ALL. `cargo test --test it host_operators` runs each three ways: on the host, folded (its inputs become
initializers), and as a float network.

Needs: numpy, onnx, onnxruntime; the versions that wrote the data stand in the index.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

PATH = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/host_operators.zip"


def model_of(case):
    """The model, and what it is given."""
    from onnx import TensorProto, helper, numpy_helper

    from combinations_case import KINDS, NAMES
    from host_operators_grid import Const
    given, held, names = {}, {}, []
    for v in case["inputs"]:
        if v is None:
            names.append("")
        elif isinstance(v, Const):
            names.append(f"c{len(held)}")
            held[names[-1]] = v.value
        else:
            names.append(f"x{len(given)}")
            given[names[-1]] = v
    outputs = [f"y{i}" for i in range(case["outputs"])]
    before = []
    if case["cast"]:
        for k, v in given.items():
            kind = NAMES[v.dtype]
            if kind in ("f32", "s32", "s64", "bool"):
                continue
            given[k] = v.astype(np.float32 if kind[0] == "f" else np.int32)
            before.append(helper.make_node("Cast", [k], [f"{k}.cast"], name=f"{k}.cast", to=KINDS[kind][1]))
            names = [f"{k}.cast" if n == k else n for n in names]
    operator = case["operator"]
    if operator == "ConcatFromSequence":
        before.append(helper.make_node("SequenceConstruct", names, ["sequence"], name="sequence"))
        names = ["sequence"]
    after = []
    if operator == "SequenceAt":
        before.append(helper.make_node("SequenceConstruct", names[:-1], ["sequence"], name="sequence"))
        names = ["sequence", names[-1]]
    if operator == "SplitToSequence":
        held["at"] = np.array(1)
        after, outputs = [helper.make_node("SequenceAt", ["k", "at"], outputs, name="taken")], ["k"]
    if operator == "Constant":
        # What no node computes is not shown.
        after, outputs = [helper.make_node("Identity", ["k"], outputs, name="shown")], ["k"]
    nodes = [*before, helper.make_node(operator, names, outputs, name="n", domain=case["domain"], **case["attributes"]), *after,
             helper.make_node("DequantizeLinear", ["q", "s"], ["a"], name="quantized")]
    opset = max(case["opset"], 10)
    if case["opset"] < 10:
        # DequantizeLinear came with version 10; ONNX Runtime has one of its own.
        nodes[-1].domain = "com.microsoft"
        held["z"] = np.array(0, np.uint8)
        nodes[-1].input.append("z")
        opset = case["opset"]
    held["s"] = np.array(0.5, np.float32)
    info = [helper.make_tensor_value_info(k, KINDS[NAMES[v.dtype]][1], v.shape) for k, v in given.items()]
    graph = helper.make_graph(
        nodes, "g", [*info, helper.make_tensor_value_info("q", TensorProto.UINT8, [4])],
        [helper.make_empty_tensor_value_info(f"y{i}") for i in range(case["outputs"])] + [helper.make_tensor_value_info("a", TensorProto.FLOAT, [4])],
        [numpy_helper.from_array(np.ascontiguousarray(v).reshape(v.shape), k) for k, v in held.items()])
    opsets = [helper.make_opsetid("", opset)]
    if any(n.domain for n in nodes):
        opsets.append(helper.make_opsetid("com.microsoft", 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10 if opset >= 21 else 9)
    model.producer_name = ""
    return model, given


def answered(case):
    """ONNX Runtime's outputs, with the model that declares their types; none if it refuses."""
    from onnx import TensorProto, helper

    from combinations_case import KINDS, NAMES, session
    model, given = model_of(case)
    try:
        run = session(model, "DISABLE_ALL")
        outputs = run.run(None, {**given, "q": np.arange(4, dtype=np.uint8)})[:-1]
    except Exception as e:
        return None, " ".join(str(e).split())[:160]
    if any(np.asarray(o).dtype not in NAMES for o in outputs):
        return None, "an output type that has no numpy form"
    outputs = [np.asarray(o) for o in outputs]
    if case["cast"]:
        # Results as types that outputs of the host have, too.
        wide = {"f64": TensorProto.FLOAT, "f16": TensorProto.FLOAT}
        for i, o in enumerate(outputs):
            to = wide.get(NAMES[o.dtype], TensorProto.INT64)
            if NAMES[o.dtype] in ("f32", "s32", "s64", "bool"):
                continue
            node = next(n for n in model.graph.node if f"y{i}" in n.output)
            node.output[list(node.output).index(f"y{i}")] = f"y{i}.cast"
            model.graph.node.append(helper.make_node("Cast", [f"y{i}.cast"], [f"y{i}"], name=f"y{i}.cast", to=to))
        # Asked again: ONNX Runtime leaves out roundings between casts.
        run = session(model, "DISABLE_ALL")
        outputs = [np.asarray(o) for o in run.run(None, {**given, "q": np.arange(4, dtype=np.uint8)})[:-1]]
    for i, o in enumerate(outputs):
        model.graph.output[i].CopyFrom(helper.make_tensor_value_info(f"y{i}", KINDS[NAMES[o.dtype]][1], None))
    return {"name": case["name"], "model": model.SerializeToString(deterministic=True), "inputs": given, "outputs": outputs}, None


def answers(cases):
    """All of them, from a process of its own: ONNX Runtime aborts at some models."""
    found = []
    with tempfile.TemporaryFile() as out:
        while len(found) < len(cases):
            out.seek(0)
            out.truncate()
            child = os.fork()
            if child == 0:
                for c in cases[len(found):]:
                    pickle.dump(answered(c), out)
                    out.flush()
                os._exit(0)
            os.waitpid(child, 0)
            out.seek(0)
            while True:
                try:
                    found.append(pickle.load(out))
                except (EOFError, pickle.UnpicklingError):
                    break
            if len(found) < len(cases):
                found.append((None, "ONNX Runtime aborts"))
    return found


def write(records):
    import onnx
    import onnxruntime

    from combinations_case import NAMES
    entries, data = [], bytearray()

    def array(value):
        nonlocal data
        data += np.ascontiguousarray(value).tobytes()
        return [NAMES[value.dtype], list(value.shape)]

    for r in records:
        entry = {"name": r["name"], "model": len(r["model"])}
        data += r["model"]
        entry["inputs"] = [[k, *array(v)] for k, v in r["inputs"].items()]
        entry["outputs"] = [array(v) for v in r["outputs"]]
        entries.append(entry)
    index = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__, "cases": entries}
    with zipfile.ZipFile(PATH, "w") as z:
        for name, content in [("index.json", json.dumps(index, separators=(",", ":")).encode()), ("data", bytes(data))]:
            z.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 9)
    return PATH.stat().st_size


def read(pattern="*"):
    from combinations import NUMPY
    with zipfile.ZipFile(PATH) as z:
        index, data = json.loads(z.read("index.json")), memoryview(z.read("data"))
    at = 0

    def take(size):
        nonlocal at
        at += size
        return data[at - size:at]

    def array(kind, shape):
        dtype = np.dtype(NUMPY[kind])
        return np.frombuffer(take(dtype.itemsize * int(np.prod(shape))), dtype).reshape(shape)

    for entry in index["cases"]:
        entry["model"] = bytes(take(entry["model"]))
        entry["inputs"] = {k: array(kind, shape) for k, kind, shape in entry["inputs"]}
        entry["outputs"] = [array(*v) for v in entry["outputs"]]
        if fnmatch.fnmatch(entry["name"], pattern):
            yield entry


def extract(entry, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(entry["model"])
    np.save(folder / "q.npy", np.arange(4, dtype=np.uint8))
    for k, v in [*entry["inputs"].items(), *((f"y{i}", v) for i, v in enumerate(entry["outputs"]))]:
        np.save(folder / f"{k}.npy", v)


def attempt(binary, entry, folder):
    """(kind, why) of a case: ran, refused, wrong, fails."""
    from combinations import command, difference, reason
    extract(entry, folder)
    out = pathlib.Path(folder) / "out"
    given = [a for k in [*entry["inputs"], "q"] for a in ("--input", f"{k}={folder}/{k}.npy")]
    done = command(binary, "run", f"{folder}/model.onnx", *given, "-o", out, "--json")
    if done.returncode:
        check = command(binary, "check", f"{folder}/model.onnx", "--json")
        if check.returncode == 4:
            return "refused", reason(check)[1]
        return "fails", f"check {check.returncode}, run {done.returncode}: {' '.join(done.stderr.split())[:300]}"
    for i, want in enumerate(entry["outputs"]):
        if not (out / f"y{i}.npy").exists():
            return "wrong", f"no output y{i}"
        wrong = difference(f"y{i}", np.load(out / f"y{i}.npy"), want, True)
        if wrong:
            return "wrong", wrong
    return "ran", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extract", nargs=2, metavar=("NAME", "DIR"))
    parser.add_argument("--run", nargs="+", metavar="BINARY")
    options = parser.parse_args()
    if options.extract:
        found = [e for e in read() if e["name"] == options.extract[0]]
        if not found:
            sys.exit(f"no case {options.extract[0]}")
        extract(found[0], options.extract[1])
        return 0
    if options.run:
        bad = 0
        for entry in read(options.run[1] if len(options.run) > 1 else "*"):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                kind, why = attempt(options.run[0], entry, folder)
            bad += kind in ("wrong", "fails")
            print(f"{kind:8} {entry['name']}: {why}", flush=True)
        return int(bad > 0)
    import host_operators_grid
    cases, twice = host_operators_grid.build()
    if twice:
        sys.exit(f"names that come twice: {twice}")
    found = answers(cases)
    for c, (_, why) in zip(cases, found):
        if why:
            print(f"left out: {c['name']}: {why}")
    records = [r for r, _ in found if r]
    print(f"{len(cases)} cases, {len(records)} run by ONNX Runtime, {write(records)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
