#!/usr/bin/env python3
"""Measure rcar-iss beside ONNX Runtime: same models and inputs, one repetition of each in turn, both on
--threads threads.

usage: vs_onnxruntime.py [--rcar-iss BINARY] [--repeat N] [--threads 1,2] [--kernels NAME] [--session KEY=VALUE]
                         [--worst N] [--layers] [--json FILE] MODEL.onnx=INPUT.npy ...

Both sides are warm and in process. A repetition of rcar-iss executes the compiled program on the input, values and clock,
and reads the outputs; one of ONNX Runtime is session.run. Both quantize the input. Loading and compiling are left out; the
first run of each is reported beside. Prints a Markdown table of medians and ratios (below 1: rcar-iss is faster), and
the layers of rcar-iss that take longest, for --worst N. One process computes while the other one waits for its turn.

--layers compares layer by layer instead, on one thread: the least time of the instructions of a layer beside the least time of
the nodes that it stands for, by ONNX Runtime's profile. Nodes that are no layer of their own here are in the last line.

Needs: pip install numpy onnx onnxruntime; cargo build --release
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort


class OnnxRuntime:
    def __init__(self, model, array, threads, entries):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin would take the core from the other side's turn.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads == 1 else "0")
        for entry in entries:
            options.add_session_config_entry(*entry.split("=", 1))
        self.session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.feed = {self.session.get_inputs()[0].name: array}

    def once(self):
        begin = time.perf_counter()
        self.session.run(None, self.feed)
        return (time.perf_counter() - begin) * 1e3


class RcarIss:
    def __init__(self, binary, model, array, threads, kernels):
        command = [binary, "bench", str(model), "--input", str(array), "--threads", str(threads), "--serve"]
        if kernels:
            command += ["--kernels", kernels]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"rcar-iss did not load {model}")
        self.first = json.loads(line)["first_ms"]

    def once(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def worst(binary, model, array, kernels, count):
    """The layers that take longest, with their times in milliseconds."""
    command = [binary, "bench", str(model), "--input", str(array), "--profile", "--json"]
    if kernels:
        command += ["--kernels", kernels]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    layers = {}
    for row in report["spent"]:
        layers[row["layer"]] = layers.get(row["layer"], 0) + row["ms"]
    order = sorted(layers.items(), key=lambda l: -l[1])[:count]
    return ", ".join(f"{name} {ms:.2f}" for name, ms in order)


def node_times(model, array, repeat, entries):
    """The least time of each node in ms, by ONNX Runtime's profile on one thread."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    for entry in entries:
        options.add_session_config_entry(*entry.split("=", 1))
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = os.path.join(folder, "profile")
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        for _ in range(repeat + 1):
            session.run(None, {session.get_inputs()[0].name: array})
        events = json.loads(pathlib.Path(session.end_profiling()).read_text())
    times = {}
    for event in events:
        # A node that was moved to channels last has a number behind its name.
        name = re.fullmatch(r"(.*?)(_token_\d+)?_kernel_time", event["name"])
        if event.get("cat") == "Node" and name:
            times.setdefault(name[1], []).append(event["dur"] / 1e3)
    return {name: min(t) for name, t in times.items()}


def layer_times(binary, model, array, kernels, repeat):
    """The least time of each layer's instructions in ms, over processes of a few repetitions."""
    command = [binary, "bench", str(model), "--input", str(array), "--profile", "--json", "--repeat", "3"]
    if kernels:
        command += ["--kernels", kernels]
    least = {}
    for _ in range(max(1, repeat // 4)):
        report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        layers = {}
        for row in report["spent"]:
            layers[row["layer"]] = layers.get(row["layer"], 0) + row["ms"]
        for name, ms in layers.items():
            least[name] = min(ms, least.get(name, ms))
    return least


def by_layer(a, model, array):
    """Prints the comparison of one model, layer by layer."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "p.rcn")
        subprocess.run([a.rcar_iss, "compile", str(model), "-o", program], check=True, capture_output=True)
        info = subprocess.run([a.rcar_iss, "info", program, "--json"], check=True, capture_output=True,
                              text=True)
    layers = json.loads(info.stdout)["meta"]["layers"]
    ours = layer_times(a.rcar_iss, model, array, a.kernels, a.repeat)
    theirs = node_times(model, np.load(array), a.repeat, a.session)
    print(f"\n{model.parent.name}/{model.stem}\n\n| layer | kind | rcar-iss, ms | ONNX Runtime, ms | ratio |\n|---|---|---|---|---|")
    left = dict(theirs)
    for layer in layers:
        nodes = [left.pop(n) for n in layer["onnx_nodes"] if n in left]
        mine = ours.get(layer["name"])
        if mine is None:
            continue
        ratio = f"{sum(nodes):.3f} | {mine / sum(nodes):.2f}" if nodes else "|"
        print(f"| {layer['name']} | {layer['kind']} | {mine:.3f} | {ratio} |")
    print(f"| all | | {sum(ours.values()):.3f} | {sum(theirs.values()) - sum(left.values()):.3f} | |")
    print(f"| nodes without a layer | | | {sum(left.values()):.3f} | |", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rcar-iss", default="target/release/rcar-iss")
    p.add_argument("--repeat", type=int, default=20)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--kernels")
    p.add_argument("--session", action="append", default=[])
    p.add_argument("--worst", type=int, default=0)
    p.add_argument("--layers", action="store_true")
    p.add_argument("--json", type=pathlib.Path)
    p.add_argument("models", nargs="+", metavar="MODEL.onnx=INPUT.npy")
    a = p.parse_args()
    if a.layers:
        for pair in a.models:
            by_layer(a, *(pathlib.Path(f) for f in pair.split("=", 1)))
        return
    threads = [int(n) for n in a.threads.split(",")]
    rows = []
    print("| model | threads | rcar-iss, ms (first) | ONNX Runtime, ms (first) | ratio |")
    print("|---|---|---|---|---|")
    for pair in a.models:
        model, array = (pathlib.Path(f) for f in pair.split("=", 1))
        name = f"{model.parent.name}/{model.stem}"
        for n in threads:
            theirs = OnnxRuntime(model, np.load(array), n, a.session)
            first = theirs.once()
            ours = RcarIss(a.rcar_iss, model, array, n, a.kernels)
            for side in (ours, theirs) * 3:
                side.once()
            times = ([], [])
            for _ in range(a.repeat):
                times[0].append(ours.once())
                times[1].append(theirs.once())
            ours.close()
            mine, other = (statistics.median(t) for t in times)
            row = {"model": name, "threads": n, "ms": mine, "first_ms": ours.first, "onnxruntime_ms": other,
                   "onnxruntime_first_ms": first, "ratio": mine / other, "times": times}
            rows.append(row)
            print(f"| {name} | {n} | {mine:.2f} ({ours.first:.1f}) | {other:.2f} ({first:.1f}) | {mine / other:.2f} |",
                  flush=True)
    if a.worst:
        print("\n| model | slowest layers, ms on one thread |\n|---|---|")
        for pair in a.models:
            model, array = (pathlib.Path(f) for f in pair.split("=", 1))
            print(f"| {model.parent.name}/{model.stem} | {worst(a.rcar_iss, model, array, a.kernels, a.worst)} |",
                  flush=True)
    if a.json:
        a.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
