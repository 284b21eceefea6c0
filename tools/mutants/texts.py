"""Mutants of texts beside models: sidecars, class names, manifests of dumps, tables of names, settings, thresholds, statistics."""
import json
import shutil
import subprocess

import seeds
from machines import mutate
from programs import change_json
from values import damage

DIGIT = seeds.PROGRAMS / "digit_cnn"
SIDECAR = """classes = "classes.json"
[input.input]
mean = [33.3285]
std = 78.5655
resize = 30
bgr = false
"""
SETTINGS = """method = "percentile:99.9"
activations = "u8"
symmetric = false
bits = 8
weight_bits = 8
per_channel = true
equalize = true
bias_correction = false
skip = ["none"]
[layers]
"/conv1/Conv" = "a16w8"
[tensors]
"input" = { bits = 16, method = "entropy" }
"""
THRESHOLDS = "suspicious_db = 30.0\nbad_db = 30.0\ngain_db = 6.0\nrepaired = 0.5\nweights_db = 20\nwide_channel = 8.0\n"
MAP = '[tensors]\n"output" = "output"\n"conv0_o_quantized" = "x"\n'


class Texts:
    """One text of a command, mutated."""
    name = "texts"

    def __init__(self, tool):
        picture, model = str(DIGIT / "seven.png"), str(DIGIT / "model.onnx")
        subprocess.run([tool, "run", model, f"--input={picture}", "--dump-layers", "seed"], check=True, capture_output=True)
        subprocess.run([tool, "quantize", str(DIGIT / "float.onnx"), "--calib", picture, "-o", "q.onnx"], check=True,
                       capture_output=True)
        self.dump = {}
        for name in ["manifest.json", "input.npy", "conv0_o_quantized.npy"]:
            with open(f"seed/{name}", "rb") as file:
                self.dump[f"dump/{name}"] = file.read()
        manifest = json.loads(self.dump["dump/manifest.json"])
        manifest["tensors"] = [t for t in manifest["tensors"] if f"dump/{t['file']}" in self.dump]
        self.manifest = manifest
        with open("q.calibration.json", "rb") as file:
            self.statistics = json.load(file)
        self.classes = [f"class {i}" for i in range(10)]

    def mutant(self, rng):
        kind = rng.choice(["sidecar", "sidecar", "classes", "manifest", "manifest", "map", "settings", "thresholds", "statistics"])
        texts = {"sidecar": SIDECAR, "map": MAP, "settings": SETTINGS, "thresholds": THRESHOLDS}
        if kind in texts:
            text, note = mutate(rng, texts[kind])
            data = text.encode("utf-8", "surrogateescape")
        else:
            good = {"classes": self.classes, "manifest": self.manifest, "statistics": self.statistics}[kind]
            data, note = json.dumps(change_json(rng, good)).encode("utf-8", "surrogatepass"), "json"
            if rng.random() < 0.15:
                data, note = damage(rng, data), "bytes"
        files = {"text": data}
        if kind == "manifest":
            files = {**self.dump, "dump/manifest.json": data}
        elif kind == "sidecar":
            files = {"m.toml": data, "classes.json": json.dumps(self.classes).encode()}
        return files, f"{kind}: {note}"

    def examine(self, bench, rng):
        kind = bench.note.split(": ")[1]
        picture, model, network = str(DIGIT / "seven.png"), str(DIGIT / "model.onnx"), str(DIGIT / "float.onnx")
        if kind == "sidecar":
            shutil.copy(model, "m.onnx")
            ran = bench.run("run", "m.onnx", f"--input={picture}")
            if rng.random() < 0.2:
                bench.run("compile", "m.onnx", "-o", "m.rcn")
            return ran
        commands = {
            "classes": ["run", model, f"--input={picture}", "--classes", "text"],
            "manifest": ["dequantize", "dump", "-o", rng.choice(["real", "real.npz", "real.csv"]), *rng.choice([[], ["--csv"]])],
            "map": ["compare", model, "--reference", network, f"--input={picture}", "--map", "text"],
            "settings": ["quantize", network, "--calib", picture, "-o", "q.onnx", "--config", "text"],
            "thresholds": ["diagnose", model, "--reference", network, f"--input={picture}", "--thresholds", "text"],
            "statistics": ["quantize", network, "--statistics", "text", "-o", "q.onnx", "--method",
                           rng.choice(["minmax", "entropy", "mse", "percentile:99"])],
        }
        return bench.run(*commands[kind])
