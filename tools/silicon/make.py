#!/usr/bin/env python3
"""Make the quantized networks behind published latencies, and the table that ties rows to networks.

usage: make.py --rcar-iss BINARY --networks FOLDER [--csv LATENCIES.csv] [--table] [--keep] [NAME...]

Each NAME of `graphs.py` (without one: all that rows of the CSV need, or all of `graphs.py` without --csv) is built in
torch with random weights, exported, and quantized by `BINARY quantize` on one or two random inputs, as
FOLDER/NAME.onnx. What is there already stays. Printed for each: multiply-accumulates and how far they are from
published ones, KiB of weights, layers, seconds, and what runs on the host. Facts about each file are kept in
FOLDER/NAME.json. With --table, FOLDER/table.json has an object for each collapsed row of the CSV (`rows.py`); then
only the NAMEs are made.

Needs: numpy, onnx, torch, torchvision, timm; pytorchcv for some networks of STM32N6
(written with 2.4.6, 1.23.2, 2.5.1, 0.20.1, 1.0.31 and 0.0.74)
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import networks
import rows


def run(arguments, **more):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, **more)
    return done.returncode, done.stdout, done.stderr


def checked(binary, path):
    """What `check` says: multiply-accumulates, layers, and the layers that run on the host."""
    status, out, err = run([binary, "check", path, "--all", "--json"])
    if not out:
        raise RuntimeError(f"check: status {status}: {err.strip()[:300]}")
    report = json.loads(out)
    nodes = report["nodes"]
    return {
        "supported": report["supported"],
        "macs": report["macs"]["accelerator"] + report["macs"]["host"] if report["macs"] else None,
        "host_macs": report["macs"]["host"] if report["macs"] else None,
        "layers": sum(n["status"] == "layer" for n in nodes),
        "host": [f"{n['node']} ({n['type']})" for n in nodes if n["status"] not in ("layer", "fused", "folded")],
    }


def made(name, binary, folder, keep=False):
    """Make FOLDER/NAME.onnx if it is not there; the facts about it."""
    from count import weight_kib
    from export import export
    from graphs import GRAPHS
    from stated import build

    model, facts = folder / f"{name}.onnx", folder / f"{name}.json"
    graph = GRAPHS.get(name) or build(name)
    published = {"published_macs": graph.macs and round(graph.macs * 1e9)}
    if model.exists() and facts.exists():
        found = json.loads(facts.read_text()) | published  # which may be new
        facts.write_text(json.dumps(found, indent=1))
        return found
    start = time.monotonic()
    if not model.exists():
        with tempfile.TemporaryDirectory(dir=folder) as part:
            part = pathlib.Path(part)
            export(graph, part / "float.onnx", part / "calibration.npy")
            exported = time.monotonic() - start
            status, _, err = run([binary, "quantize", part / "float.onnx", "--calib", part / "calibration.npy",
                                  "-o", part / "quantized.onnx", "--threads", 1])
            if status:
                raise RuntimeError(f"quantize: status {status}: {err.strip()[:400]}")
            if keep:
                (part / "float.onnx").rename(folder / f"{name}.float.onnx")
            (part / "quantized.onnx").rename(model)
    else:
        exported = 0.0
    found = {"name": name, "input": list(graph.shape), **published, "weights_kib": round(weight_kib(model), 2)}
    found |= checked(binary, model)
    found |= {"export_seconds": round(exported, 1), "seconds": round(time.monotonic() - start, 1)}
    facts.write_text(json.dumps(found, indent=1))
    return found


def told(found):
    macs, published = (found["macs"] or 0) / 1e9, found["published_macs"]
    beside = f" ({100 * (macs * 1e9 / published - 1):+.1f} %)" if published else ""
    names = ", ".join(found["host"][:4])
    host = f"{len(found['host'])} on the host: {names}" if names else "all on the device"
    supported = "" if found["supported"] else "NOT SUPPORTED "
    return (f"{found['name']:32} {macs:9.4f} G MACs{beside:11} {found['weights_kib']:10.1f} KiB "
            f"{found['layers']:4} layers {found['seconds']:6.1f} s  {supported}{host}")


def table(collapsed, folder):
    """An object for each row: what its network is and weighs, or why there is none."""
    out = []
    for row in collapsed:
        known = networks.known(row)
        facts = folder / f"{known.graph}.json" if not isinstance(known, str) else None
        if facts is None or not facts.exists():
            reason = known if facts is None else f"{known.graph} is not made in this folder"
            out.append({"id": row.id, "device": row.device, "latency_ms": row.latency_ms, "reason": reason})
            continue
        found = json.loads(facts.read_text())
        out.append({
            "id": row.id,
            "device": row.device,
            "cores": row.cores,
            "clock_mhz": row.clock_mhz,
            "latency_ms": row.latency_ms,
            "network": row.name,
            "file": f"{known.graph}.onnx",
            "input": found["input"],
            "uncertain": bool(known.uncertain),
            "weights_kib": found["weights_kib"],
            "published_weights_kib": row.published_weights_kib,
            "macs": found["macs"],
            "published_macs": found["published_macs"],
            "note": "; ".join(t for t in (known.uncertain, known.note) if t),
            "includes": row.includes,
            "sources": row.sources,
            "repeats": row.repeats,
        })
    (folder / "table.json").write_text(json.dumps(out, indent=1))
    return out


def compared(out):
    """Published weights beside ours, and the rows that have no network."""
    for row in out:
        if "reason" in row:
            print(f"{row['id']:40} none: {row['reason']}")
        elif row["published_weights_kib"]:
            ours, theirs = row["weights_kib"], row["published_weights_kib"]
            print(f"{row['id']:40} {ours:10.1f} KiB, published {theirs:10.1f} ({100 * (ours / theirs - 1):+.1f} %)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rcar-iss", required=True, type=pathlib.Path)
    parser.add_argument("--networks", required=True, type=pathlib.Path)
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--table", action="store_true", help="write FOLDER/table.json")
    parser.add_argument("--keep", action="store_true", help="keep the float networks")
    parser.add_argument("names", nargs="*", metavar="NAME")
    a = parser.parse_args()
    if a.table and not a.csv:
        parser.error("--table needs --csv")
    a.networks.mkdir(parents=True, exist_ok=True)
    collapsed = rows.read(a.csv) if a.csv else []
    names, failed = a.names, []
    if not names and a.csv and not a.table:
        names = list(dict.fromkeys(k.graph for k in map(networks.known, collapsed) if not isinstance(k, str)))
    elif not names and not a.csv:
        from graphs import GRAPHS
        names = list(GRAPHS)
    for name in names:
        try:
            print(told(made(name, a.rcar_iss, a.networks, a.keep)), flush=True)
        except Exception as error:  # one network that cannot be made must not stop the others
            failed.append(name)
            print(f"{name:32} not made: {type(error).__name__}: {str(error)[:400]}", flush=True)
    if a.table:
        compared(table(collapsed, a.networks))
    if failed:
        sys.exit(f"{len(failed)} not made: {' '.join(failed)}")


if __name__ == "__main__":
    main()
