#!/usr/bin/env python3
"""Quantize the networks of a folder with rcar-iss and hold them against ONNX Runtime and its quantizer.

usage: judge.py RCAR_ISS FOLDER [--json FILE] [NAME...]

FOLDER has NAME.onnx, a float network of one input, and NAME.npz with its inputs: `calib` to calibrate on and `held` to judge on
(`export.py` beside this file writes them). Each network is held to:
  whole      `rcar-iss quantize` writes a model that rcar-iss and ONNX Runtime run
  equal      both give the same bytes; or else each layer does, on the same inputs, or is one step of its output apart where
             ONNX Runtime computes it in float. The steps between the outputs are printed, and beside them those between ONNX
             Runtime with and without its optimizations
  accurate   the outputs are as near to the float network as those of quantize_static's model, to 1 dB: u8 activations, s8
             weights per channel, min-max, after quant_pre_process; both models are run by ONNX Runtime
  on array   no multiply-accumulate on the host
  cycles     no layer without them takes more than 20 % of the cycles, if its kind has no cause below
and exits with 1 if one of them fails for a network.

Needs: numpy, onnx, onnxruntime
"""
import argparse
import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

LEVELS = ort.GraphOptimizationLevel
# Why layers of a kind may take more than 20 % of the cycles.
CAUSES = {
    "resize": "a linear Resize computes in f32, as ONNX Runtime does, and the classes of every pixel leave through DRAM",
}


def session(model, level=LEVELS.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    # Without it, kernels of x86 CPUs without VNNI saturate sums of two products of u8 and s8.
    options.add_session_config_entry("session.x64quantprecision", "1")
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def outputs(model, inputs, level=LEVELS.ORT_ENABLE_ALL):
    s = session(model, level)
    return [s.run(None, {s.get_inputs()[0].name: x[None]})[0] for x in inputs]


def decibels(reference, found):
    signal = sum((r.astype(np.float64) ** 2).sum() for r in reference)
    noise = sum(((r.astype(np.float64) - f) ** 2).sum() for r, f in zip(reference, found))
    return float(10 * np.log10(signal / max(noise, signal * 1e-15)))


class Reader(CalibrationDataReader):
    def __init__(self, name, inputs):
        self.left = iter([{name: x[None]} for x in inputs])

    def get_next(self):
        return next(self.left, None)


def theirs(path, name, inputs, folder):
    """The model that ONNX Runtime's quantizer writes, prepared as its documentation asks for."""
    ready, out = folder / "ready.onnx", folder / "theirs.onnx"
    try:
        quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    except Exception:  # it does not take every model that its quantizer takes
        ready = path
    quantize_static(str(ready), str(out), Reader(name, inputs), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return out


def output_step(model):
    """The scale of the quantizer that the first output comes from, or nothing."""
    producer = {o: n for n in model.graph.node for o in n.output}
    scales = {i.name: i for i in model.graph.initializer}
    node = producer.get(model.graph.output[0].name)
    while node is not None and node.op_type != "DequantizeLinear":
        node = producer.get(node.input[0])
    if node is None or node.input[1] not in scales:
        return None
    return float(np.max(onnx.numpy_helper.to_array(scales[node.input[1]])))


def by_layers(model, dump):
    """How many steps rcar-iss and ONNX Runtime are apart in a layer, if it reads what rcar-iss wrote: {tensor: steps}.

    Tensors that rcar-iss wrote become inputs of the model where a quantizer gives them, and outputs beside that; so ONNX
    Runtime computes each layer from them alone.
    """
    manifest = json.loads((dump / "manifest.json").read_text())
    files = {e["tensor"]: dump / e["file"] for e in manifest["tensors"]}
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    constants = {i.name for i in graph.initializer}
    feeds, wanted, info = {}, {}, []
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or node.output[0] not in files or node.input[0] in constants:
            continue
        name, own = node.output[0], f"{node.output[0]}/computed"
        value = np.load(files[name])
        node.output[0] = own
        wanted[own] = value
        feeds[name] = value
        info.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
    graph.input.extend(info)
    del graph.output[:]
    graph.output.extend(helper.make_empty_tensor_value_info(o) for o in wanted)
    del graph.value_info[:]
    s = session(model.SerializeToString())
    first = s.get_inputs()[0].name
    used = {i.name for i in s.get_inputs()}
    feeds = {k: v for k, v in feeds.items() if k in used}
    return s, first, feeds, wanted


def layer_steps(model, dump, x):
    s, first, feeds, wanted = by_layers(model, dump)
    found = s.run(list(wanted), {first: x[None], **feeds})
    apart = {}
    for (name, mine), got in zip(wanted.items(), found):
        if mine.shape == got.shape and mine.size:
            apart[name.removesuffix("/computed")] = int(np.abs(mine.astype(np.int64) - got.astype(np.int64)).max())
    return apart


class Judged:
    """What is found about a network."""

    def __init__(self, iss, path, folder):
        self.iss, self.path, self.folder = iss, path, folder
        self.found = {"network": path.stem, "failed": []}

    def fails(self, criterion, why):
        self.found["failed"].append(f"{criterion}: {why}")

    def tool(self, *arguments):
        done = subprocess.run([self.iss, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())[:300]
            self.fails("whole", f"{arguments[0]} exits with {done.returncode}: {said}")
        return done

    def judge(self):
        arrays = np.load(self.path.with_suffix(".npz"))
        calib, held = arrays["calib"], arrays["held"]
        reference = session(self.path)
        name = reference.get_inputs()[0].name
        ours, program, stacked, one = (self.folder / f for f in ("ours.onnx", "ours.rcn", "calib.npy", "x.npy"))
        np.save(stacked, calib)
        np.save(one, held[:1])
        if self.tool("quantize", self.path, "-o", ours, "--calib", f"{name}={stacked}").returncode:
            return
        if self.tool("compile", ours, "-o", program).returncode:
            return
        mine = self.outputs(program, name, one)
        if mine is None:
            return
        try:
            self.equal(onnx.load(ours), ours, held[0], mine)
        except Exception as error:  # its refusal is a finding about our file
            self.fails("whole", f"ONNX Runtime refuses the model: {str(error).splitlines()[0][:200]}")
            return
        self.macs(ours)
        self.cycles(program)
        self.accurate(outputs(self.path, held), ours, name, calib, held)

    def outputs(self, program, name, one):
        done = self.tool("run", program, "--input", f"{name}={one}", "-o", self.folder / "out",
                         "--dump-layers", self.folder / "dump", "--json")
        if done.returncode:
            return None
        return np.load(self.folder / "out" / json.loads(done.stdout)["files"][0])

    def equal(self, model, ours, x, mine):
        want = outputs(ours, [x])[0]
        plain = outputs(ours, [x], LEVELS.ORT_DISABLE_ALL)[0]
        step = output_step(model) or float(np.abs(want).max()) / 255 or 1.0
        if mine.shape != want.shape:
            return self.fails("equal", f"shape {mine.shape}, ONNX Runtime {want.shape}")
        steps = lambda a, b: float(np.abs(a.astype(np.float64) - b).max() / step)
        self.found |= {"bytes equal": bool((mine == want).all()), "steps": steps(mine, want), "own steps": steps(plain, want)}
        if self.found["steps"] > 1e-3:
            apart = layer_steps(model, self.folder / "dump", x)
            self.found |= {"layers": len(apart), "layers differ": sum(a > 0 for a in apart.values())}
            beyond = {t: a for t, a in apart.items() if a > 1}
            if beyond:
                worst = max(beyond, key=beyond.get)
                self.fails("equal", f"{len(beyond)} of {len(apart)} layers beyond one step, {worst} by {beyond[worst]}")

    def macs(self, ours):
        done = self.tool("check", ours, "--json")
        if done.returncode:
            return
        report = json.loads(done.stdout)
        self.found |= {"macs": report["macs"]["accelerator"] + report["macs"]["host"], "host macs": report["macs"]["host"]}
        hosts = [n for n in report["nodes"] if n["status"] == "host"]
        self.found["host nodes"] = sorted({n["type"] for n in hosts})
        if report["macs"]["host"]:
            self.fails("on array", f"{report['macs']['host']:,} MACs on the host: {' '.join(n['node'] for n in hosts)[:200]}")

    def cycles(self, program):
        done = self.tool("estimate", program, "--json")
        if done.returncode:
            return
        profile = json.loads(done.stdout)["profiles"][0]
        without = [(l["share"], l) for l in profile["layers"] if not l["macs"] and not l["host"]]
        share, layer = max(without, key=lambda s: s[0], default=(0.0, {}))
        self.found |= {"cycles": profile["cycles"], "share": share, "layer": layer.get("name", ""), "kind": layer.get("kind", ""),
                       "bound": layer.get("bound", "")}
        if share > 0.2 and layer["kind"] in CAUSES:
            self.found["cause"] = CAUSES[layer["kind"]]
        elif share > 0.2:
            self.fails("cycles", f"{layer['name']} ({layer['kind']}, bound by {layer['bound']}) takes {share:.0%}, "
                                 f"{layer['cycles']:,} cycles, {layer['alone']:,} of them its own work")

    def accurate(self, reference, ours, name, calib, held):
        self.found["ours"] = decibels(reference, outputs(ours, held))
        try:
            model = theirs(self.path, name, calib, self.folder)
            try:
                found = outputs(model, held)
            except Exception:  # its pass for exact sums fails on some models
                found = outputs(model, held, LEVELS.ORT_DISABLE_ALL)
            self.found["theirs"] = decibels(reference, found)
        except Exception as error:  # its quantizer refuses some networks
            self.found["theirs"] = None
            self.found["theirs refused"] = str(error).splitlines()[0][:200]
            return
        if self.found["ours"] < self.found["theirs"] - 1:
            self.fails("accurate", f"{self.found['ours']:.1f} dB, ONNX Runtime's quantizer {self.found['theirs']:.1f}")


def line(f):
    """The row of a network in the table."""
    db = lambda key: "-" if f.get(key) is None else f"{f[key]:.1f}"
    if "steps" not in f:
        same = "-"
    elif f["bytes equal"]:
        same = "equal"
    else:
        same = f"{f['steps']:.1f} ({f['own steps']:.1f})"
        same += f", {f['layers differ']}/{f['layers']} layers" if "layers" in f else ""
    share = f"{f['share']:.0%} {f['kind']}" if "share" in f else "-"
    array = "-" if "macs" not in f else f"{100 * (1 - f['host macs'] / max(f['macs'], 1)):.0f} %"
    return [f["network"], same, db("ours"), db("theirs"), array, share, " ".join(f.get("host nodes", [])) or "-", f"{f.get('seconds', 0):.0f}"]


HEADS = ["network", "steps apart (ORT's levels)", "ours dB", "ORT dB", "on array", "most without MACs", "host", "s"]


def table(rows):
    widths = [max(len(r[i]) for r in [HEADS, *rows]) for i in range(len(HEADS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in [HEADS, *rows])


def main():
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rcar_iss", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_intermixed_args()
    paths = [options.folder / f"{n}.onnx" for n in options.names] or sorted(options.folder.glob("*.onnx"))
    all_found = []
    for path in paths:
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as temporary:
            judged = Judged(str(options.rcar_iss.resolve()), path, pathlib.Path(temporary))
            judged.judge()
        found = judged.found | {"seconds": time.monotonic() - begin}
        all_found.append(found)
        print("  ".join(line(found)), flush=True)
        for why in found["failed"]:
            print(f"    FAILS {why}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(all_found, indent=1))
    print(f"\n{table([line(f) for f in all_found])}\n")
    for criterion in ["whole", "equal", "accurate", "on array", "cycles"]:
        holds = sum(not any(w.startswith(f"{criterion}:") or w.startswith("whole:") for w in f["failed"]) for f in all_found)
        print(f"{criterion}: {holds} of {len(all_found)}")
    sys.exit(any(f["failed"] for f in all_found))


if __name__ == "__main__":
    main()
