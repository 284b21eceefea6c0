#!/usr/bin/env python3
"""Hold rcar-iss quantize against ONNX Runtime's static quantizer: signal to quantization noise at the outputs, in dB.

usage: quantizer.py [--rcar-iss BINARY] [--calibrate N] [--measure N] [--seeds 0,1,2] [--only NAME] [--float-engine NAME] [--ours="OPTIONS"]... ZOO

ZOO is a folder with digit_cnn/{float.onnx,test.npz}, efficientnet_lite0/float.onnx, ppocr_cls/float.onnx,
ppocr_det/float.onnx and photos in images/. For each network and each seed, calibration inputs are drawn (the same for both
quantizers), and others to measure on. Both quantizers write QDQ models with u8 activations and symmetric weights of 8 bits, min-max ranges, per
channel and per tensor; both models and the float one are run by ONNX Runtime with its default optimizations. Every --ours adds
a row in which rcar-iss has these options instead of min-max. Outputs of several inputs count together; a table has the mean
over seeds, and --verbose each.

Needs: pip install numpy pillow onnx onnxruntime; cargo build --release
"""
import argparse
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image, ImageDraw, ImageFont


def photos(zoo):
    return sorted((zoo / "images").glob("*.jpg"))


def digits(zoo, rng, count):
    data = np.load(zoo / "digit_cnn/test.npz")["x"]
    picked = rng.permutation(len(data))[:count]
    return ((data[picked, None].astype(np.float32) / 255 - 0.1307) / 0.3081).astype(np.float32)


def crops(zoo, rng, count, size, mean, std, least):
    """Parts of photos in random order: the first are whole, further ones are cut from anywhere."""
    paths = photos(zoo)
    order = rng.permutation(len(paths))
    width, height = size
    out = []
    for at in range(count):
        picture = Image.open(paths[order[at % len(paths)]]).convert("RGB")
        if at >= len(paths) or least < 1:
            share = rng.uniform(least, 1)
            w, h = int(picture.width * share), int(picture.height * share)
            x, y = rng.integers(picture.width - w + 1), rng.integers(picture.height - h + 1)
            picture = picture.crop((x, y, x + w, y + h))
        values = np.asarray(picture.resize((width, height), Image.BILINEAR), np.float32)
        out.append(((values - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(out), np.float32)


LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,-"))


def written(zoo, rng, count, size, mean, std, lines):
    """Lines of random letters on parts of photos, half of them upside down: what text networks are made for."""
    paths = photos(zoo)
    width, height = size
    out = []
    for _ in range(count):
        photo = Image.open(paths[rng.integers(len(paths))]).convert("RGB").resize((width, height), Image.BILINEAR)
        ground = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(0, 256, 3)))
        picture = Image.blend(photo, ground, float(rng.uniform(0.3, 0.9)))
        draw = ImageDraw.Draw(picture)
        step = height // lines
        for line in range(lines):
            if lines > 1 and rng.random() < 0.3:
                continue
            font = ImageFont.load_default(size=int(step * rng.uniform(0.45, 0.8)))
            text = "".join(rng.choice(LETTERS, int(rng.integers(4, 16))))
            ink = tuple(int(v) for v in (np.array(ground.getpixel((0, 0))) + 128 + rng.integers(-60, 60, 3)) % 256)
            draw.text((int(rng.integers(0, max(2, width // 6))), line * step + int(step * 0.1)), text, ink, font=font)
        if rng.random() < 0.5:
            picture = picture.transpose(Image.ROTATE_180)
        out.append(((np.asarray(picture, np.float32) - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(out), np.float32)


IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
NETWORKS = {
    "digit_cnn": digits,
    "efficientnet_lite0": lambda z, r, n: crops(z, r, n, (224, 224), 127, 128, 0.7),
    "ppocr_cls": lambda z, r, n: written(z, r, n, (192, 48), 127.5, 127.5, 1),
    "ppocr_det": lambda z, r, n: written(z, r, n, (320, 320), *IMAGENET, 8),
}


class Reader(CalibrationDataReader):
    def __init__(self, name, inputs):
        self.left = iter([{name: x[None]} for x in inputs])

    def get_next(self):
        return next(self.left, None)


def session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def outputs(model, inputs):
    s = session(model)
    name = s.get_inputs()[0].name
    return [s.run(None, {name: x[None]}) for x in inputs]


def sqnr(reference, found):
    """Each output counts alike: noise over signal, then the mean, as `rcar-iss tune` has it."""
    ratios = []
    for at in range(len(reference[0])):
        signal = sum(float((r[at].astype(np.float64) ** 2).sum()) for r in reference)
        noise = sum(float(((r[at].astype(np.float64) - f[at]) ** 2).sum()) for r, f in zip(reference, found))
        ratios.append(noise / signal)
    return -10 * np.log10(statistics.mean(ratios))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rcar-iss", default="target/release/rcar-iss")
    parser.add_argument("--calibrate", type=int, default=30)
    parser.add_argument("--measure", type=int, default=30)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", action="append")
    parser.add_argument("--float-engine", default="auto")
    parser.add_argument("--ours", action="append", default=[])
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("zoo", type=pathlib.Path)
    args = parser.parse_args()

    print("| network | weights | ONNX Runtime min-max | rcar-iss min-max |", " | ".join(args.ours), "|")
    print("|---|---|---|---|" + "---|" * len(args.ours))
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for network, draw in NETWORKS.items():
            if args.only and network not in args.only:
                continue
            model = args.zoo / network / "float.onnx"
            ready = scratch / "ready.onnx"
            quant_pre_process(str(model), str(ready))
            name = session(model).get_inputs()[0].name
            for per_channel in (True, False):
                columns = [[] for _ in range(2 + len(args.ours))]
                for seed in map(int, args.seeds.split(",")):
                    rng = np.random.default_rng(seed)
                    inputs = draw(args.zoo, rng, args.calibrate + args.measure)
                    calibration, measured = inputs[: args.calibrate], inputs[args.calibrate :]
                    reference = outputs(model, measured)
                    quantize_static(
                        str(ready), str(scratch / "theirs.onnx"), Reader(name, calibration), quant_format=QuantFormat.QDQ,
                        per_channel=per_channel, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        calibrate_method=CalibrationMethod.MinMax)
                    columns[0].append(sqnr(reference, outputs(scratch / "theirs.onnx", measured)))
                    np.save(scratch / "calibration.npy", calibration)
                    for at, options in enumerate(["--method minmax", *args.ours]):
                        command = [args.rcar_iss, "quantize", str(model), "--calib", str(scratch / "calibration.npy")]
                        command += ["-o", str(scratch / "ours.onnx"), "--float-engine", args.float_engine, "--shape", f"{name}=" + "x".join(map(str, (1, *inputs.shape[1:])))]
                        command += ["--per-channel" if per_channel else "--per-tensor", *shlex.split(options)]
                        done = subprocess.run(command, capture_output=True, text=True)
                        if done.returncode:
                            sys.exit(done.stderr)
                        columns[1 + at].append(sqnr(reference, outputs(scratch / "ours.onnx", measured)))
                    if args.verbose:
                        print(f"  seed {seed}:", *(f"{c[-1]:.2f}" for c in columns))
                means = [statistics.mean(c) for c in columns]
                failed |= means[1] < means[0] - 0.5
                print(f"| {network} | per {'channel' if per_channel else 'tensor'} |", " | ".join(f"{m:.2f}" for m in means), "|", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
