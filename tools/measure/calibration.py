#!/usr/bin/env python3
"""Measure calibration beside plain float inference by ONNX Runtime: same pictures, same threads, one repetition of each in turn.

usage: calibration.py [--rcar-iss BINARY] [--images N] [--threads 1,2] [--repeat N] [--engines rten,onnxruntime]
                      [--mean M] [--std S] FLOAT.onnx PICTURES

Calibration is the whole command `rcar-iss quantize`, from its start to its end: load, decode, run, count, write. Inference is
this process: load the model, then for each picture decode, resize to the network's input and session.run; Python's start and
imports are left out. Fewer pictures than --images are repeated. Both sides run on as many cores as threads. Prints medians
and ratios (2: calibration takes twice as long).

Needs: pip install numpy pillow onnxruntime; cargo build --release
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort
from PIL import Image


def inference(model, pictures, threads, mean, std):
    begin = time.perf_counter()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    height, width = given.shape[2:]
    for path in pictures:
        picture = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
        values = (np.asarray(picture, np.float32) - np.float32(mean)) / np.float32(std)
        session.run(None, {given.name: np.ascontiguousarray(values.transpose(2, 0, 1))[None]})
    return time.perf_counter() - begin


def calibration(args, folder, threads, engine, out):
    command = [args.rcar_iss, "quantize", args.model, "--calib", folder, "-o", out / "q.onnx", "--float-engine", engine]
    command += ["--threads", threads, "--mean", args.mean, "--std", args.std]
    begin = time.perf_counter()
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rcar-iss", default="target/release/rcar-iss")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--engines", default="rten,onnxruntime")
    parser.add_argument("--mean", type=float, default=127)
    parser.add_argument("--std", type=float, default=128)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("pictures", type=pathlib.Path)
    args = parser.parse_args()

    found = sorted(p for p in args.pictures.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    cores = sorted(os.sched_getaffinity(0))
    print(f"{args.images} pictures, medians of {args.repeat} repetitions, in seconds")
    print("| threads | inference, ONNX Runtime | calibration by | s | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = scratch / "pictures"
        folder.mkdir()
        pictures = []
        for at in range(args.images):
            source = found[at % len(found)]
            pictures.append(folder / f"{at:05}{source.suffix}")
            pictures[-1].symlink_to(source.resolve())
        for threads in map(int, args.threads.split(",")):
            os.sched_setaffinity(0, cores[-threads:])
            engines = args.engines.split(",")
            plain, ours = [], {e: [] for e in engines}
            for _ in range(args.repeat):
                plain.append(inference(args.model, pictures, threads, args.mean, args.std))
                for engine in engines:
                    ours[engine].append(calibration(args, folder, threads, engine, scratch))
            base = statistics.median(plain)
            for engine in engines:
                took = statistics.median(ours[engine])
                print(f"| {threads} | {base:.2f} | {engine} | {took:.2f} | {took / base:.2f} |")


if __name__ == "__main__":
    main()
