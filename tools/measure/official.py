#!/usr/bin/env python3
"""Runs the official node tests of the `onnx` package through `rcar-iss run`, and says by name which passed.

    cargo build --release
    python3 tools/measure/official.py [--machine rcn-m] [--engine fast] [--all] [PATTERN …]

Without a pattern: every test whose tensors are integers, or that quantizes or dequantizes; with --all, every node test. The first
input stays an input of the network, and the second too if both are matrices of activations; the other inputs (scales, zero
points, weights, indices), which these tests pass at run time, become initializers, since an accelerator wants them when it
compiles. A test that even ONNX Runtime answers otherwise than stored is listed as such. Needs: numpy, onnx, onnxruntime
"""
import argparse
import collections
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
INTEGERS = {TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16, TensorProto.INT32}
TWO = {"QLinearMatMul", "MatMulInteger"}


def integral(case):
    """Whether a test is about quantized tensors."""
    types = [n.op_type for n in case.model.graph.node]
    if any("QuantizeLinear" in t or t == "DequantizeLinear" for t in types):
        return True
    first = case.model.graph.input[0].type.tensor_type.elem_type if case.model.graph.input else 0
    return first in INTEGERS


def bound(case, inputs):
    """The model with parameters as initializers, and the inputs that are left."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    two = any(n.op_type in TWO for n in model.graph.node)
    keep, given = [], {}
    for i, (info, value) in enumerate(zip(list(model.graph.input), inputs)):
        activation = i == 0 or (two and i == (3 if any(n.op_type == "QLinearMatMul" for n in model.graph.node) else 1))
        if activation:
            keep.append(info)
            given[info.name] = value
        else:
            tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
            constant = model.graph.initializer.add()
            constant.CopyFrom(tensor)
            constant.name = info.name
    del model.graph.input[:]
    model.graph.input.extend(keep)
    return model, given


def agree(want, got, case):
    want = np.asarray(want)
    if want.shape != got.shape:
        return f"shape {got.shape} instead of {want.shape}"
    if want.dtype.kind in "iub" and got.dtype.kind in "iub":
        bad = int((want.astype(np.int64) != got.astype(np.int64)).sum())
        return f"{bad} of {want.size} elements differ" if bad else None
    close = np.isclose(got, want.astype(np.float32), rtol=case.rtol or 1e-3, atol=case.atol or 1e-7, equal_nan=True)
    return None if close.all() else f"{(~close).sum()} of {want.size} elements differ"


def runtime_differs(model, given, wants, case):
    """Whether ONNX Runtime itself answers otherwise (or not at all)."""
    import onnxruntime
    onnxruntime.set_default_logger_severity(4)
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return any(agree(w, np.asarray(g), case) for w, g in zip(wants, session.run(None, given)))
    except Exception:
        return False


def run(case, options, folder):
    inputs, wants = case.data_sets[0]
    if any(not isinstance(v, np.ndarray | np.generic | TensorProto) for v in [*inputs, *wants]):
        return "unsupported", "sequences and optionals are no tensors"
    model, given = bound(case, inputs)
    path = os.path.join(folder, case.name)
    os.makedirs(path, exist_ok=True)
    onnx.save(model, f"{path}/model.onnx")
    command = [options.binary, "run", f"{path}/model.onnx", "--json", "-o", f"{path}/out", "--machine", options.machine,
               "--engine", options.engine]
    for name, value in given.items():
        # Elements that numpy lacks have no file: such an input is refused before it would be read.
        value = numpy_helper.to_array(value).astype(np.float32) if isinstance(value, TensorProto) else value
        np.save(f"{path}/{name.replace('/', '_')}.npy", value)
        command += ["--input", f"{name}={path}/{name.replace('/', '_')}.npy"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)
    if done.returncode:
        why = (done.stderr.strip() or done.stdout.strip()).split("\n")
        status = {2: "usage", 3: "refused", 4: "unsupported"}.get(done.returncode, "CRASHED")
        # The first line names the file; the table of refused nodes, if there is one, follows its heading.
        told = why[3:] if len(why) > 3 else why[:1]
        return status, " / ".join(" ".join(w.replace(path, "").split()) for w in told)[:200]
    report = json.loads(done.stdout)
    outputs = report["files"]
    if len(outputs) != len(wants):
        return "FAILED", f"{len(outputs)} outputs instead of {len(wants)}"
    for want, output in zip(wants, outputs):
        want = numpy_helper.to_array(want) if isinstance(want, TensorProto) else want
        got = np.load(f"{path}/out/{output}", allow_pickle=False)
        wrong = agree(want, got, case)
        if wrong:
            if runtime_differs(model, given, wants, case):
                return "runtime differs too", wrong
            return "FAILED", wrong
    return "passed", "with a host layer" if any(l["host"] for l in report["layers"]) else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="*")
    parser.add_argument("--machine", default="rcn-m")
    parser.add_argument("--engine", default="fast")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--binary", default=os.path.join(ROOT, "target/release/rcar-iss"))
    options = parser.parse_args()
    chosen = []
    for case in collect_testcases(None):
        if case.model is None or not case.data_sets:
            continue
        if options.pattern:
            wanted = any(fnmatch.fnmatch(case.name, p) for p in options.pattern)
        else:
            wanted = options.all or integral(case)
        if wanted:
            chosen.append(case)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda c: run(c, options, folder), chosen))
    for case, (status, why) in sorted(zip(chosen, results), key=lambda r: (r[1][0], r[0].name)):
        print(f"{status:20} {case.name:60} {why}")
    counts = collections.Counter(status for status, _ in results)
    print("\n" + ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) + f" of {len(chosen)}")
    return 1 if counts["FAILED"] or counts["CRASHED"] else 0


if __name__ == "__main__":
    sys.exit(main())
