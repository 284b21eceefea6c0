#!/usr/bin/env python3
"""Mutants of operator models beside ONNX Runtime: where both run one, values must agree.

    cargo build --release
    python3 tools/mutants/against_ort.py --tool target/release/rcar-iss --out OUT --count 8000

Mutants stay mostly valid (operator_mutators.py). Right is what ONNX Runtime computes at one of its levels (all optimizations,
none, all with session.qdqisint8allowed=1, and see ort_worker.py): integers exactly in models of QLinear operators, within one
step where an operator stands between DequantizeLinear and QuantizeLinear, floats within 1e-4 of the largest or one step of the
coarsest quantizer. Where its levels differ among each other by more than that, nothing can be said (ambiguous). If several
changes make a wrong value, each is tried alone, and the first that suffices is kept. Otherwise as main.py; needs onnxruntime,
too.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import select
import shutil
import subprocess
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper

import launch
import official
import operator_mutators_more
import seeds
from findings import Bench, Findings

WORKER = pathlib.Path(__file__).with_name("ort_worker.py").resolve()
SECONDS = 15


class Runtime:
    """The process with ONNX Runtime; begun again when it crashes or takes too long."""

    def __init__(self):
        self.process = None

    def ask(self, seed):
        """What ONNX Runtime says of `m.onnx`."""
        if self.process is None or self.process.poll() is not None:
            with open(os.devnull, "w") as null:
                self.process = subprocess.Popen([sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                stderr=null)
        try:
            self.process.stdin.write(f"{seed}\n".encode())
            self.process.stdin.flush()
            if select.select([self.process.stdout], [], [], SECONDS)[0]:
                return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            pass
        self.process.kill()
        self.process.wait()
        self.process = None
        return {"why": "ONNX Runtime crashed or took too long"}


def quantum(model):
    """The largest scale of a DequantizeLinear."""
    by_name = {t.name: t for t in model.graph.initializer}
    scales = [by_name[n.input[1]] for n in model.graph.node
              if n.op_type == "DequantizeLinear" and len(n.input) > 1 and n.input[1] in by_name]
    return max((float(np.max(np.abs(numpy_helper.to_array(s)), initial=0)) for s in scales), default=0.0)


def tolerance(model, array):
    """By how much a value may differ."""
    if array.dtype.kind == "f":
        span = float(np.max(np.abs(array[np.isfinite(array)]), initial=0))
        return max(1e-4 * span, 1.001 * quantum(model), 1e-6)
    return 1 if any(n.op_type == "DequantizeLinear" for n in model.graph.node) else 0


def distance(one, other):
    """The largest difference; infinite where shapes or NaNs differ."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return np.inf
    if one.dtype.kind != "f":
        return float(np.max(np.abs(one.astype(np.int64) - other.astype(np.int64)), initial=0))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(all="ignore"):
        far = np.where(same, 0, np.abs(one.astype(np.float64) - other))
    return float(np.max(np.nan_to_num(far, nan=np.inf, posinf=np.inf), initial=0))


def file_name(name):
    """The file that `run -o` writes for an output."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", name) or "_"
    return f"out/{'_' if stem[0] in '.-' else ''}{stem}.npy"


def compare(model, said):
    """`equal`, `ambiguous`, or what is wrong."""
    expected = np.load("expected.npz")
    verdict = "equal"
    for i, name in enumerate(said["outputs"]):
        rights = [expected[f"{level} {i}"] for level in said["levels"] if f"{level} {i}" in expected]
        if not rights or not os.path.exists(file_name(name)):
            continue
        found = np.load(file_name(name))
        if found.dtype == np.int32 and rights[0].dtype in (np.int64, np.bool_):
            rights = [r.astype(np.int32) for r in rights]  # Of host layers.
        allowed = max(tolerance(model, r) for r in rights)
        best = min(distance(found, r) for r in rights)
        if best <= allowed:
            continue
        spread = max(distance(rights[0], r) for r in rights)
        if len(rights) < 2 or spread > allowed or not all(np.isfinite(r).all() for r in rights):
            verdict = "ambiguous"
        elif found.shape != rights[0].shape or found.dtype != rights[0].dtype:
            return f"{found.dtype}{list(found.shape)} instead of {rights[0].dtype}{list(rights[0].shape)}"
        else:
            return f"values differ by {best:.4g}, {allowed:.4g} allowed"
    return verdict


class Operators:
    """Seeds by family, so that the many forms of one operator do not crowd out the others."""

    def __init__(self):
        self.families = collections.defaultdict(list)
        for name, data in {**seeds.models(), **official.models()}.items():
            if not name.startswith(("digit", "outside", "dynamic", "branch")):
                self.families[name.split("_")[0]].append((name, data))

    def mutant(self, seed, number, only=None):
        """A mutant, the name of its seed, and its changes; with one of them only if `only` says which."""
        rng = random.Random(f"{seed}/operators/{number}")
        name, data = rng.choice(self.families[rng.choice(list(self.families))])
        model = onnx.ModelProto()
        model.ParseFromString(data)
        times = range(rng.choices([1, 2, 3, 4], [45, 30, 15, 10])[0])
        notes = [operator_mutators_more.mutate(model, random.Random(f"{seed}/operators/{number}/{i}"))
                 for i in times if only in (None, i)]
        return model, name, notes


class Comparison:
    """Mutants run both ways."""

    def __init__(self, tool, findings, seed):
        self.tool, self.findings, self.seed = tool, findings, seed
        self.runtime, self.operators = Runtime(), Operators()
        self.refusals, self.outcomes = collections.Counter(), collections.Counter()

    def number(self, number):
        """Runs a mutant; if its values are wrong, each of its changes alone, too, to find the one at fault."""
        outcome, count = self.run(number, keep=False)
        self.outcomes[outcome] += 1
        if outcome == "wrong values":
            alone = [i for i in range(count) if count > 1 and self.run(number, i, keep=False)[0] == outcome]
            self.run(number, alone[0] if alone else None)

    def run(self, number, only=None, keep=True):
        """The outcome in a word, and the number of changes."""
        for entry in os.scandir():
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
        model, name, notes = self.operators.mutant(self.seed, number, only)
        onnx.save(model, "m.onnx")
        said = self.runtime.ask(number)
        if "inputs" not in said:
            return "refused by ORT", len(notes)
        bench = Bench(self.tool, self.findings, "operators", f"{number}: {name}: {'; '.join(': '.join(n) for n in notes)}", 0)
        given = [f"--input={x}=x{i}.npy" for i, x in enumerate(said["inputs"])]
        ran = bench.run("run", "m.onnx", *given, *[f"--dim={k}={v}" for k, v in said["dims"].items()], "-o", "out")
        if ran.status < 0 or ran.status > 5:
            return "crashed", len(notes)
        if ran.status:
            self.refused(bench, ran)
            return f"refused {ran.status}", len(notes)
        try:
            verdict = compare(model, said)
        except (ValueError, TypeError):
            verdict = "ambiguous"
        if verdict in ("equal", "ambiguous"):
            return verdict, len(notes)
        if keep:
            bench.note += f" ({verdict})"
            bench.defect("run", f"wrong values: {name.split('_')[0]}: {'; '.join(sorted({n[0] for n in notes}))}")
        return "wrong values", len(notes)

    def refused(self, bench, ran):
        """Counts why the tool refuses what ONNX Runtime runs."""
        why = ran.err.split(": ", 2)[-1]
        if ran.status == 4:
            rows = json.loads(bench.run("check", "m.onnx", "--json").out or "{}").get("nodes", [])
            why = "; ".join(sorted({f"{r['type']}: {r['detail']}" for r in rows if r["status"] == "UNSUPPORTED"})) or why
        elif ran.status == 5 and "host layer failed" not in ran.err:
            bench.defect("run", f"status 5: {launch.plain(ran.err)}")
        self.refusals[f"{ran.status} {launch.plain(why)}"] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="the rcar-iss to test")
    parser.add_argument("--out", required=True, help="folder for findings; replaced")
    parser.add_argument("--count", type=int, default=8000, help="mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="only the mutant of this number")
    parser.add_argument("--json", help="file for the figures and findings as JSON")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    tool, out = os.path.abspath(args.tool), os.path.abspath(args.out)
    report = args.json and os.path.abspath(args.json)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(os.path.join(out, "work"))
    os.chdir(os.path.join(out, "work"))
    findings = Findings(os.path.join(out, "findings"))
    comparison = Comparison(tool, findings, args.seed)
    for number in range(args.count) if args.only is None else [args.only]:
        comparison.number(number)
    findings.counts["operators"] = comparison.outcomes
    print(", ".join(f"{n} {what}" for what, n in comparison.outcomes.most_common()))
    print(findings.listing())
    print("\nWhat ONNX Runtime runs and the tool refuses:")
    for what, n in comparison.refusals.most_common(60):
        print(f"{n:6} {what}")
    if report:
        findings.write(report)
    return 1 if findings.found else 0


if __name__ == "__main__":
    sys.exit(main())
