#!/usr/bin/env python3
"""Writes tests/golden/combinations/: small models over operator × types × version × attributes, with what ONNX Runtime computes.

    python3 tools/golden/combinations.py                      writes all (about two minutes; asks ONNX Runtime for new and changed ones only)
    python3 tools/golden/combinations.py --again              the same, and asks for all
    python3 tools/golden/combinations.py --list [PATTERN]     names, what ONNX Runtime said, and the rule of comparison
    python3 tools/golden/combinations.py --extract NAME DIR   model.onnx, the inputs x0.npy … and the outputs y0.npy … of one
    python3 tools/golden/combinations.py --run BINARY [PATTERN]   what a binary of rcar-iss makes of them

`cargo test --test it combinations` imports, compiles, writes, reads, loads and runs each, and compares (tests/it/combinations.rs).
What is refused stands in tests/golden/combinations/refused.txt; RCN_BLESS=1 writes that anew.

`combinations_grid.py` lists the combinations, `combinations_case.py` builds one. The random numbers of each come from its name, so
that others can be added. The level is ORT_ENABLE_ALL, with session.qdqisint8allowed=1 where activations are s8; where
ORT_DISABLE_ALL answers otherwise, that is stored too, and either is right. A combination is compared exactly where every kernel
of the optimized graph is one of integers, else within one step; floats within 1e-5 of their range. Of those that ONNX
Runtime refuses, `must` are refused here too (types or shapes break the operator's definition); `may` (it has no kernel) and
`unlisted` (types that fit each other, but that the operator does not list) need not be.

Each OPERATOR.zip has `index.json` and `data`: the arrays and models one after the other, in the order of the index.

Needs: numpy, onnx, onnxruntime; the versions that wrote the data stand in versions.json beside it.
"""
import argparse
import collections
import fnmatch
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/combinations"
NUMPY = {"u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16, "u32": np.uint32, "s32": np.int32, "u64": np.uint64,
         "s64": np.int64, "f32": np.float32, "f16": np.float16, "f64": np.float64, "bool": np.bool_}


def write(records):
    """Packs the combinations of each operator. Models of one operator are alike, so they are compressed together."""
    import onnx
    import onnxruntime

    from combinations_case import NAMES
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.zip"):
        old.unlink()
    operators = collections.defaultdict(list)
    for r in records:
        operators[r["operator"]].append(r)
    total = 0
    for operator, some in operators.items():
        index, data = [], bytearray()

        def array(value, data=data):
            data += np.ascontiguousarray(value).tobytes()
            return [NAMES[value.dtype], list(value.shape)]

        for r in some:
            entry = {"name": r["name"], "runtime": r["runtime"], "model": len(r["model"])}
            data += r["model"]
            entry["inputs"] = [[k, *array(v)] for k, v in r["inputs"].items()]
            if r["runtime"] == "ran":
                entry["exact"] = r["exact"]
                entry["answers"] = [[array(v) for v in answer] for answer in r["answers"]]
            else:
                entry["why"], entry["verdict"] = r["why"][:120], r["verdict"]
            index.append(entry)
        path = FOLDER / f"{operator}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
            for name, content in [("index.json", json.dumps(index, separators=(",", ":")).encode()), ("data", bytes(data))]:
                z.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 9)
        total += path.stat().st_size
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__}
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    return total


def read(pattern="*"):
    """The stored combinations whose name fits."""
    for path in sorted(FOLDER.glob("*.zip")):
        with zipfile.ZipFile(path) as z:
            index, data = json.loads(z.read("index.json")), memoryview(z.read("data"))
        at = 0

        def take(size, data=data):
            nonlocal at
            at += size
            return data[at - size:at]

        def array(kind, shape):
            dtype = np.dtype(NUMPY[kind])
            return np.frombuffer(take(dtype.itemsize * int(np.prod(shape))), dtype).reshape(shape)

        for entry in index:
            entry["operator"] = path.stem
            entry["model"] = bytes(take(entry["model"]))
            entry["inputs"] = {k: array(kind, shape) for k, kind, shape in entry["inputs"]}
            entry["answers"] = [[array(*v) for v in answer] for answer in entry.get("answers", [])]
            if fnmatch.fnmatch(entry["name"], pattern):
                yield entry


def extract(entry, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(entry["model"])
    for k, v in entry["inputs"].items():
        np.save(folder / f"{k}.npy", v)
    for i, answer in enumerate(entry["answers"]):
        for j, v in enumerate(answer):
            np.save(folder / f"y{j}{'.disabled' if i else ''}.npy", v)


def differs(got, entry):
    """What is wrong with outputs; nothing if they agree with either answer."""
    said = []
    for answer in entry["answers"]:
        wrong = next(filter(None, (difference(f"y{i}", g, w, entry["exact"]) for i, (g, w) in enumerate(zip(got, answer)))), None)
        if wrong is None:
            return None
        said.append(wrong)
    return said[0]


def difference(name, got, want, exact):
    if got.dtype != want.dtype:
        return f"{name} is {got.dtype}, expected {want.dtype}"
    if got.shape != want.shape:
        return f"{name} has shape {list(got.shape)}, expected {list(want.shape)}"
    if want.size == 0:
        return None
    if want.dtype.kind == "f":
        g, w = got.astype(np.float64), want.astype(np.float64)
        finite = w[np.isfinite(w)]
        room = 1e-5 * max(1e-6, float(np.abs(finite).max() if finite.size else 0))
        with np.errstate(invalid="ignore"):
            bad = ~((g == w) | (np.isnan(g) & np.isnan(w)) | (np.abs(g - w) <= room))
    elif want.dtype.kind == "b":
        bad = got != want
    else:
        step = np.abs(got.astype(object) - want.astype(object)) if want.dtype.itemsize == 8 else np.abs(got.astype(np.int64) - want.astype(np.int64))
        bad = step > (0 if exact else 1)
    if not bad.any():
        return None
    at = tuple(int(i[0]) for i in np.nonzero(bad)) if want.ndim else ()
    return f"{name}{list(at)} is {got[at]}, expected {want[at]}{'' if exact else ' within 1'}; {int(bad.sum())} of {want.size} differ"


def command(binary, *args):
    return subprocess.run([binary, *map(str, args)], capture_output=True, text=True, errors="replace", timeout=60)


def attempt(binary, entry, folder):
    """(kind, why) of a combination: ran, refused, wrong, fails, panic, must."""
    extract(entry, folder)
    model, out = f"{folder}/model.onnx", pathlib.Path(folder) / "out"
    for old in out.glob("*"):
        old.unlink()
    given = [a for k in entry["inputs"] for a in ("--input", f"{k}={folder}/{k}.npy")]
    done = command(binary, "run", model, *given, "-o", out, "--json")
    said = " ".join(done.stderr.replace(str(folder), "").split())
    if "panicked" in done.stderr or done.returncode > 5 or done.returncode < 0:
        return "panic", said[:300]
    if done.returncode:
        check = command(binary, "check", model, "--json")
        if "panicked" in check.stderr or check.returncode > 5 or check.returncode < 0:
            return "panic", " ".join(check.stderr.split())[:300]
        if check.returncode == 0:
            if command(binary, "compile", model, "-o", f"{folder}/p.rcn").returncode:
                return "fails", f"check accepts, compile (status {done.returncode}): {said[:300]}"
            return "fails", f"compile accepts, run (status {done.returncode}): {said[:300]}"
        return reason(check)
    if entry["runtime"] == "refused":
        return ("accepted" if entry["verdict"] == "may" else entry["verdict"]), entry["why"]
    files = [out / f"y{i}.npy" for i in range(len(entry["answers"][0]))]
    if not all(p.exists() for p in files):
        return "wrong", f"outputs {sorted(p.name for p in out.glob('*'))}"
    wrong = differs([np.load(p) for p in files], entry)
    return ("wrong", wrong) if wrong else ("ran", "")


def reason(check):
    """Why a model is refused, and whether the refusal names a node or value."""
    try:
        told = json.loads(check.stdout)
        nodes = [n for n in told["nodes"] if n["status"].lower() == "unsupported"]
        why = " / ".join(dict.fromkeys(n["detail"] for n in nodes)) or told["problem"] or ""
        named = bool(nodes) or re.search(r'"?(n\d+_|[xytcszwb]\d+)', why)
    except (ValueError, KeyError):
        why = " ".join(check.stderr.split())
        named = re.search(r'"(n\d+_\w+|[xytcszwb]\d+)"', why)
    return "refused" if named else "unnamed", why


def run(binary, pattern, report=None):
    counts, rows = collections.Counter(), []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for entry in read(pattern):
            with tempfile.TemporaryDirectory(dir=folder) as own:
                kind, why = attempt(binary, entry, own)
            counts[entry["runtime"], kind] += 1
            rows.append((kind, entry, why))
            if kind in ("wrong", "fails", "panic", "must", "unnamed") and report is None:
                print(f"{kind:8} {entry['name']}: {why}", flush=True)
    ran = sum(n for (runtime, _), n in counts.items() if runtime == "ran")
    accepted = sum(n for (runtime, kind), n in counts.items() if runtime == "ran" and kind not in ("refused", "unnamed"))
    print(dict(counts), f"{ran} run by ONNX Runtime, {accepted} accepted ({100 * accepted / max(1, ran):.1f} %)")
    return rows


def answered(cases, stored):
    """Each combination with ONNX Runtime's answer, computed by a process of its own: it aborts at some models."""
    def record(case):
        _, given, made = case.stored()
        old = stored.get(case.name)
        known = old and old["model"] == made["model"] and list(old["inputs"]) == list(given)
        if known and all(np.array_equal(old["inputs"][k], v, equal_nan=v.dtype.kind == "f") for k, v in given.items()):
            return {**old, "inputs": given}
        return case.finished()

    records = []
    with tempfile.TemporaryFile() as out:
        while len(records) < len(cases):
            out.seek(0)
            out.truncate()
            child = os.fork()
            if child == 0:
                for c in cases[len(records):]:
                    pickle.dump(record(c), out)
                    out.flush()
                os._exit(0)
            os.waitpid(child, 0)
            out.seek(0)
            while True:
                try:
                    records.append(pickle.load(out))
                except (EOFError, pickle.UnpicklingError):
                    break
            if len(records) < len(cases):
                records.append(cases[len(records)].aborted())
                print("ONNX Runtime aborts at", records[-1]["name"])
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", nargs="?", const="*", metavar="PATTERN")
    parser.add_argument("--extract", nargs=2, metavar=("NAME", "DIR"))
    parser.add_argument("--run", nargs="+", metavar="BINARY")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.list:
        for e in read(options.list):
            how = f"refused ({e['verdict']}): {e['why']}" if e["runtime"] == "refused" else "exact" if e["exact"] else "within 1"
            print(f"{e['name']:60} {how}{', two answers' if len(e['answers']) > 1 else ''}")
        return 0
    if options.extract:
        found = [e for e in read(options.extract[0].replace("[", "[[]")) if e["name"] == options.extract[0]]
        if not found:
            sys.exit(f"no combination {options.extract[0]}")
        extract(found[0], options.extract[1])
        return 0
    if options.run:
        rows = run(options.run[0], options.run[1] if len(options.run) > 1 else "*")
        return 1 if any(kind in ("wrong", "fails", "panic", "must", "unnamed") for kind, _, _ in rows) else 0
    import combinations_grid
    cases, twice = combinations_grid.build()
    if twice:
        sys.exit(f"names that come twice: {twice}")
    records = answered(cases, {} if options.again else {e["name"]: e for e in read()})
    total = write(records)
    ran = sum(r["runtime"] == "ran" for r in records)
    print(f"{len(records)} combinations, {ran} run by ONNX Runtime, {total} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
