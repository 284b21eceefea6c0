#!/usr/bin/env python3
"""Write docs/book/src/reference/conformance.md: what rcar-iss makes of the models of each producer.

usage: conformance.py RCAR_ISS [--architectures JUDGED.json]

The cases are those of tests/golden/conformance/ (`tools/golden/conformance.py` writes what ONNX Runtime gives) and
tests/golden/operators/producers/. `cargo test --test it conformance` finds the same rows without Python. The table of whole
float networks is what `tools/architectures/judge.py --json JUDGED.json` found; without it, the page keeps the one it has.

Needs: numpy
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import numpy as np

root = pathlib.Path(__file__).resolve().parents[1]
page = root / "docs/book/src/reference/conformance.md"
golden = root / "tests/golden"
NETWORKS = "## Float networks"


def apart(found, want, step):
    """How far arrays are apart: 0 if their bytes are equal, 1 within one step, more beyond."""
    if found.shape != want.shape:
        return math.inf
    if found.dtype == want.dtype and found.tobytes() == want.tobytes():
        return 0
    a, b = found.astype(np.float64), want.astype(np.float64)
    room = 1e-4 * np.abs(b).max(initial=0) if want.dtype.kind == "f" else 0
    far = np.abs(a - b).max(initial=0)
    if far == 0:
        return 0
    unit = step or 1.0 if want.dtype.kind != "f" else step
    return 1 if far <= 1.001 * unit + room else max(2, math.ceil(far / unit)) if unit else math.inf


def words(steps):
    """The column of a case's values."""
    return {0: "equal", 1: "within one step"}.get(steps, f"{steps} steps")


def cases():
    """(group, name, folder, known) of every case; `known` as in case.toml."""
    for group in ["exporters", "official"]:
        for case in sorted((golden / "conformance" / group).glob("*/case.toml")):
            known = tomllib.loads(case.read_text())
            yield group, case.parent.name, case.parent, {"model": "model.onnx", "inputs": {}, "outputs": [], "dims": {}} | known
    for path in sorted((golden / "operators/producers").glob("*.expected.toml")):
        known = tomllib.loads(path.read_text())
        outputs = [{"step": float(known["within"]), "values": [file]} for file in known["values"].values()]
        yield "forms", known["model"].removesuffix(".onnx"), path.parent, {
            "model": known["model"], "inputs": {"x": known["input"]}, "outputs": outputs, "dims": {}}


def refusal(report):
    """Why a model is refused, by the report of `check --json`."""
    if "why" in report:
        return report["why"] or report["error"]
    unsupported = [f"{n['type']}: {n['detail']}" for n in report["nodes"] if n["status"] == "unsupported"]
    return unsupported[0] if unsupported else report["problem"]


def columns(iss, folder, known):
    """Compiles, share on the accelerator, against ONNX Runtime."""
    dims = [a for k, v in known["dims"].items() for a in ("--dim", f"{k}={v}")]
    call = lambda *a: subprocess.run([iss, *map(str, a), *dims, "--json"], capture_output=True, text=True)
    model = folder / known["model"]
    report = json.loads(call("check", model).stdout)
    if not report.get("supported"):
        return f"no: {refusal(report)}", "", ""
    macs = report["macs"]
    share = "all" if not macs["host"] else f"{100 * macs['accelerator'] / (macs['accelerator'] + macs['host']):.1f} % of MACs"
    hosts = sorted({n["type"] for n in report["nodes"] if n["status"] == "host"})
    if hosts:
        share += f", host: {', '.join(hosts)}"
    with tempfile.TemporaryDirectory() as out:
        inputs = [a for k, f in known["inputs"].items() for a in ("--input", f"{k}={folder / f}")]
        done = call("run", model, *inputs, "-o", out)
        ran = json.loads(done.stdout)
        if done.returncode:
            return "yes", share, f"does not run: {ran['why']}"
        found = [np.load(f"{out}/{f}") for f in ran["files"]]
    if len(found) != len(known["outputs"]):
        return "yes", share, f"{len(found)} outputs instead of {len(known['outputs'])}"
    worst = 0
    for value, output in zip(found, known["outputs"]):
        worst = max(worst, min(apart(value, np.load(folder / f), output["step"]) for f in output["values"]))
    return "yes", share, words(worst)


def row(*cells):
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def networks(path):
    """The table of whole float networks."""
    judged = json.loads(path.read_text())
    lines = [row("network", "rcar-iss and ONNX Runtime, same file", "rcar-iss dB", "ONNX Runtime dB", "MACs on the array", "host",
                 "layer without MACs that takes most", "fails"), "|---" * 8 + "|"]
    for f in sorted(judged, key=lambda f: f["network"]):
        db = lambda key: "" if f.get(key) is None else f"{f[key]:.1f}"
        same = ""
        if "steps" in f:
            same = "equal" if f["bytes equal"] else f"{f['steps']:.1f} steps; ONNX Runtime's own levels {f['own steps']:.1f}"
        array = "" if "macs" not in f else f"{100 * (1 - f['host macs'] / max(f['macs'], 1)):.0f} %"
        share = "" if "share" not in f else f"{f['kind']}, {f['share']:.0%}" + (f": {f['cause']}" if "cause" in f else "")
        failed = ", ".join(sorted({w.split(":")[0] for w in f["failed"]}))
        lines.append(row(f["network"], same, db("ours"), db("theirs"), array, ", ".join(f.get("host nodes", [])), share, failed))
    return "\n".join(lines)


HEAD = """# Conformance

<!-- Written by tools/conformance.py. -->

What rcar-iss makes of models as their producers write them. Every row but those of the last section is found again by
`cargo test --test it conformance`, so the page cannot lag behind.

- *compiles*: `check` and `compile` accept the model, or why not.
- *accelerator*: the share of the multiply-accumulates that it computes, and the operators that the host computes.
- *ONNX Runtime*: the outputs beside those of ONNX Runtime 1.32 on the same input, with or without its optimizations,
  whichever is nearer: `equal` bytes, or within one step of the output's quantizer, where ONNX Runtime computes in float
  between quantizers.
"""
GROUPS = {
    "exporters": ("## Producers", "A small residual network, or a tiny transformer, written by the quantizers of each framework.",
                  ["producer", "setting", "model", "compiles", "accelerator", "ONNX Runtime"]),
    "forms": ("## Forms", "What producers write around one operator, as small models "
                          "(`tests/golden/operators/producers/`).", ["model", "compiles", "accelerator", "ONNX Runtime"]),
    "official": ("## Official node tests", "The node tests of the `onnx` package that quantize or compute in integers. Scales, zero "
                 "points and weights, which the tests pass when they run, are constants of the model; the values are those that "
                 "the package expects.", ["test", "operators", "compiles", "accelerator", "expected values"]),
}


ABOUT_NETWORKS = """Architectures of torchvision and timm with random weights, exported by PyTorch (`tools/architectures/export.py`), quantized
by `rcar-iss quantize` and by ONNX Runtime's `quantize_static` on the same 16 photos, min-max, and held against each other
on 16 others (`tools/architectures/judge.py`). Random weights amplify noise more than trained ones, so decibels compare
the two quantizers, and say nothing about an architecture. Where outputs are not equal, every layer is within one step of
ONNX Runtime's on the same inputs, unless *fails* says otherwise. A host operator has no multiply-accumulates that were
quantized.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rcar_iss", type=pathlib.Path)
    parser.add_argument("--architectures", type=pathlib.Path)
    options = parser.parse_args()
    iss = str(options.rcar_iss.resolve())
    rows = {group: [] for group in GROUPS}
    for group, name, folder, known in cases():
        first = {"exporters": lambda: (known["producer"], known["setting"], f"{known['network']} (`{name}`)"),
                 "forms": lambda: (f"`{name}`",), "official": lambda: (f"`test_{name}`", known["network"])}[group]()
        rows[group].append(row(*first, *columns(iss, folder, known)))
        print(rows[group][-1], flush=True)
    parts = [HEAD]
    for group, (title, text, heads) in GROUPS.items():
        holds = sum(r.endswith(("| equal |", "| within one step |")) for r in rows[group])
        refused = sum("| no: " in r for r in rows[group])
        counts = f"{len(rows[group])} models: {holds} hold, {refused} are refused with a reason."
        parts += [f"{title}\n", f"{text} {counts}\n", "\n".join([row(*heads), "|---" * len(heads) + "|", *sorted(rows[group], key=str.lower)]) + "\n"]
    if options.architectures:
        parts += [f"{NETWORKS}\n", ABOUT_NETWORKS, networks(options.architectures) + "\n"]
    elif page.exists() and NETWORKS in page.read_text():
        parts.append(NETWORKS + page.read_text().split(NETWORKS, 1)[1])
    page.write_text("\n".join(parts))
    bad = [r for g in rows.values() for r in g if not r.endswith(("| equal |", "| within one step |")) and "| no: " not in r]
    sys.exit("\n".join(["", *bad]) if bad else 0)


if __name__ == "__main__":
    main()
