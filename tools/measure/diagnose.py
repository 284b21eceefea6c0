"""Plants faults in real networks and asks `rcar-iss diagnose` for them.

    python3 tools/measure/diagnose.py make  NETWORKS WORK     # float networks -> quantized cases with a known fault
    python3 tools/measure/diagnose.py run   WORK --loose      # all experiments, whatever their result
    python3 tools/measure/diagnose.py score WORK --sweep      # freezes thresholds on half a, judges both halves by them
    python3 tools/measure/diagnose.py run   WORK && python3 tools/measure/diagnose.py score WORK    # by the tool's own

NETWORKS is a folder of folders, each with float.onnx and inputs.npy: (N, ...) float32, N >= 24 real inputs as the network
takes them; the first 8 (4 if they are large) are shown to diagnose, the last 16 calibrate. Half "a" (networks at even
places of the alphabet) freezes the thresholds, half "b" reports. Needs onnx, onnxruntime, numpy.

Kinds of cases:
  healthy      calibrated with 16 inputs (and once more with 8 of them and 8 others)
  dark         calibrated with inputs of a tenth of the contrast (a)
  scaled       calibrated with inputs four times as large (a)
  few          calibrated with one input, the one with the least contrast (a)
  range        one tensor's range cut to a quarter, or widened eight times: calibrated elsewhere (a)
  channel      one channel of a layer times 50, undone in the next (b)

The truth about ranges is worked out without the tool: ONNX Runtime's float tensors on the shown inputs against the ranges
in the model. A finding of calibration is right only where they differ. A case is right if the planted fault is found by
layer and cause and nothing else is accused. Layers behind a fault of one layer (range, channel) inherit its error: none of
them may be accused.
"""

import argparse
import collections
import copy
import itertools
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
from onnx import numpy_helper as nh

HERE = pathlib.Path(__file__).resolve().parents[2]
LOOSE = dict(suspicious_db=34.0, bad_db=34.0, gain_db=2.0, repaired=0.0, weights_db=34.0, weights_gain_db=2.0)
# A network whose output is worse than this without a planted fault is no example of a healthy one; what is found in it
# is left out of account in its other cases.
SOUND_DB = 20.0
HOMOGENEOUS = {"Relu", "MaxPool", "LeakyRelu", "PRelu"}
# A range is off if the shown inputs reach beyond one of its ends by more than this share of what they need, or if it is so
# many times as wide as they need: half a bit of eight is lost.
BEYOND, TOO_WIDE = 0.1, 1.5


def shown_of(x):
    return x[:8] if x[0].size < 100_000 else x[:4]


def quantize(model, inputs, path):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    name = graph_input(model).name
    batch = graph_input(model).type.tensor_type.shape.dim[0].dim_value or 1

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(inputs)

        def get_next(self):
            x = next(self.rest, None)
            return None if x is None else {name: x.reshape((batch,) + x.shape).astype(np.float32)}

    quantize_static(copy.deepcopy(model), str(path), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def graph_input(model):
    known = {t.name for t in model.graph.initializer}
    return next(i for i in model.graph.input if i.name not in known)


def named(model):
    for at, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{at}"
    return model


def chains(model):
    """Pairs of layers between which only positively homogeneous operators stand: (first, second)."""
    readers = collections.defaultdict(list)
    for n in model.graph.node:
        for x in n.input:
            readers[x].append(n)
    outputs = {o.name for o in model.graph.output}
    initial = {t.name for t in model.graph.initializer}
    found = []
    for n in model.graph.node:
        if n.op_type != "Conv" or n.input[1] not in initial:
            continue
        o = n.output[0]
        while len(readers[o]) == 1 and readers[o][0].op_type in HOMOGENEOUS and o not in outputs:
            o = readers[o][0].output[0]
        if len(readers[o]) == 1 and readers[o][0].op_type == "Conv" and readers[o][0].input[1] in initial:
            found.append((n.name, readers[o][0].name))
    return found


def plant_channel(model, pair, channel, factor=50.0):
    model = copy.deepcopy(model)
    init = {t.name: t for t in model.graph.initializer}
    first, second = (next(n for n in model.graph.node if n.name == name) for name in pair)
    uses = collections.Counter(x for n in model.graph.node for x in n.input)

    def change(name, edit):
        assert uses[name] == 1, f"{name} is shared"
        w = nh.to_array(init[name]).copy()
        edit(w)
        init[name].CopyFrom(nh.from_array(w, name))

    def grow(w):
        w[channel] *= factor

    change(first.input[1], grow)
    if len(first.input) > 2 and first.input[2]:
        change(first.input[2], grow)
    groups = next((a.i for a in second.attribute if a.name == "group"), 1)

    def undo(w):
        if groups == 1:
            w[:, channel] /= factor
        else:
            per = w.shape[1]
            out = w.shape[0] // groups
            group, inside = divmod(channel, per)
            w[group * out:(group + 1) * out, inside] /= factor

    change(second.input[1], undo)
    return model


def activations(model):
    """Quantizers of activations: node, and the layer that computes what they read."""
    producer = {o: n for n in model.graph.node for o in n.output}
    initial = {t.name for t in model.graph.initializer}
    for q in model.graph.node:
        if q.op_type == "QuantizeLinear" and q.input[0] not in initial:
            yield q, producer.get(q.input[0])


def ranges(path):
    """By layer, or quantizer: the quantized tensor, and its range."""
    model = onnx.load(path)
    init = {t.name: t for t in model.graph.initializer}
    found = {}
    for q, p in activations(model):
        scale, zero = (nh.to_array(init[name]).ravel()[0] for name in q.input[1:3])
        ends = np.iinfo(zero.dtype).min, np.iinfo(zero.dtype).max
        # An operator that stays float before its quantizer gives its tensor to the quantizer's layer.
        for name in {q.name} | ({p.name} if p is not None else set()):
            found[name] = q.input[0].removesuffix("_QuantizeLinear_Input"), [float(scale) * (end - int(zero)) for end in ends]
    return found


def reached(path, inputs):
    """What every float tensor reaches over the inputs, zero included."""
    import onnxruntime

    model = onnx.load(path)
    batch = graph_input(model).type.tensor_type.shape.dim[0].dim_value or 1
    names = [o for n in model.graph.node for o in n.output if o]
    kept = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in kept)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [o.name for o in session.get_outputs()]
    found = {}
    for x in inputs:
        given = x.reshape((batch,) + x.shape).astype(np.float32)
        for name, y in [(graph_input(model).name, given), *zip(outputs, session.run(None, {graph_input(model).name: given}))]:
            if isinstance(y, np.ndarray) and y.dtype == np.float32 and y.size:
                low, high = found.get(name, (0.0, 0.0))
                found[name] = min(low, float(y.min())), max(high, float(y.max()))
    return found


def is_off(ends, needed):
    width = needed[1] - needed[0]
    beyond = max(ends[0] - needed[0], needed[1] - ends[1])
    return beyond > BEYOND * width or ends[1] - ends[0] > TOO_WIDE * width


def annotate(work, cases):
    """Adds to each case the layers whose range is not what the shown inputs need."""
    known = {}
    for c in cases:
        key = c["reference"]
        if key not in known:
            known[key] = reached(work / key, np.load(work / c["inputs"]))
        found = ranges(work / c["model"])
        c["off"] = [n for n, (t, ends) in found.items() if t in known[key] and is_off(ends, known[key][t])]


def plant_range(path, layer, factor, out):
    model = onnx.load(path)
    init = {t.name: t for t in model.graph.initializer}
    q = next(q for q, p in activations(model) if p is not None and p.name == layer)
    scale = init[q.input[1]]
    # Names of scales may serve several tensors: those that only pass the values on.
    scale.CopyFrom(nh.from_array((nh.to_array(scale) * np.float32(factor)).astype(np.float32), scale.name))
    # Biases are stored in units of the input's scale.
    dq = {n.output[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"}
    for n in model.graph.node:
        if n.op_type in ("Conv", "Gemm", "ConvTranspose") and len(n.input) > 2 and n.input[0] in dq:
            if dq[n.input[0]].input[1] == q.input[1] and n.input[2] in dq:
                b = dq[n.input[2]]
                t, s = init[b.input[0]], init[b.input[1]]
                value = np.round(nh.to_array(t).astype(np.float64) / factor)
                t.CopyFrom(nh.from_array(np.clip(value, -2**31, 2**31 - 1).astype(np.int32), t.name))
                s.CopyFrom(nh.from_array((nh.to_array(s) * np.float32(factor)).astype(np.float32), s.name))
    onnx.save(model, out)


def between(path, first, second):
    """The layers and quantizers from the first up to the second: all have the grown channel."""
    model = onnx.load(path)
    readers = collections.defaultdict(list)
    for n in model.graph.node:
        for x in n.input:
            readers[x].append(n)
    found, tensors = [first], list(next(n for n in model.graph.node if n.name == first).output)
    while tensors:
        for n in readers[tensors.pop()]:
            if n.name != second:
                found.append(n.name)
                tensors.extend(n.output)
    return found


def spread(items, count):
    items = list(items)
    return [items[i * (len(items) - 1) // max(count - 1, 1)] for i in range(min(count, len(items)))]


def make(args):
    cases = []
    folders = sorted(p for p in pathlib.Path(args.networks).iterdir() if (p / "float.onnx").exists())
    for place, folder in enumerate(folders):
        if args.only and folder.name not in args.only.split(","):
            continue
        model = named(onnx.load(folder / "float.onnx"))
        x = np.load(folder / "inputs.npy").astype(np.float32)
        if args.seed > 1:
            x = x[np.random.default_rng(args.seed).permutation(len(x))]
        shown, good, others = shown_of(x), x[-16:], x[8:16]
        if args.seed:
            shown, good, others = shown_of(x[::-1]), x[:16], x[16:24]
        work = pathlib.Path(args.work) / folder.name
        work.mkdir(parents=True, exist_ok=True)
        np.save(work / "shown.npy", shown)
        onnx.save(model, work / "float.onnx")
        half = "ab"[place % 2]

        def case(kind, name, reference="float.onnx", **truth):
            cases.append(dict(network=folder.name, half=half, kind=kind, model=f"{folder.name}/{name}.onnx",
                              reference=f"{folder.name}/{reference}", inputs=f"{folder.name}/shown.npy", **truth))

        quantize(model, good, work / "healthy.onnx")
        case("healthy", "healthy")
        quantize(model, np.concatenate([good[:8], others]), work / "healthy2.onnx")
        case("healthy", "healthy2")
        flat = np.broadcast_to(x.mean(axis=tuple(range(2, x.ndim)), keepdims=True), x.shape)[:1]
        dull = good[np.argmin(good.reshape(len(good), -1).std(axis=1))][None]
        for kind, images in (("dark", flat + (good - flat) * 0.1), ("scaled", good * 4), ("few", dull)):
            quantize(model, images, work / f"{kind}.onnx")
            case(kind, kind, cause="calibration")
        # Ranges of single layers: those that feed a convolution or a product.
        healthy = onnx.load(work / "healthy.onnx")
        layers = [p.name for q, p in activations(healthy) if p is not None and p.op_type in ("Conv", "Gemm", "Add")]
        for at, layer in enumerate(spread(layers[args.seed:-1], 6)):
            factor = (0.25, 8.0)[(at + args.seed) % 2]
            plant_range(work / "healthy.onnx", layer, factor, work / f"range{at}.onnx")
            case("range", f"range{at}", cause="calibration", layers=[layer], factor=factor)
        weights = {n.name: n.input[1] for n in model.graph.node if n.op_type == "Conv"}
        init = {t.name: t for t in model.graph.initializer}
        pairs = spread(chains(model), 8)
        for at in range(8 if pairs else 0):
            pair = pairs[at % len(pairs)]
            channel = (at * 11 + 3 + args.seed) % nh.to_array(init[weights[pair[0]]]).shape[0]
            changed = plant_channel(model, pair, channel)
            onnx.save(changed, work / f"channel{at}_float.onnx")
            quantize(changed, good, work / f"channel{at}.onnx")
            case("channel", f"channel{at}", f"channel{at}_float.onnx", cause="range", channel=channel, undone=pair[1],
                 layers=between(work / f"channel{at}.onnx", *pair))
        print(folder.name, half, sum(c["network"] == folder.name for c in cases), "cases", flush=True)
    annotate(pathlib.Path(args.work), cases)
    (pathlib.Path(args.work) / "cases.json").write_text(json.dumps(cases, indent=1))


def run(args):
    work = pathlib.Path(args.work)
    cases = json.loads((work / "cases.json").read_text())
    loose = work / "loose.toml"
    loose.write_text("".join(f"{k} = {v}\n" for k, v in LOOSE.items()))
    results = []
    for c in cases:
        if args.only and c["network"] not in args.only.split(","):
            continue
        command = [args.binary, "diagnose", work / c["model"], "--reference", work / c["reference"], "--input",
                   work / c["inputs"], "--json"]
        if args.loose:
            command += ["--thresholds", loose]
        elif args.thresholds:
            command += ["--thresholds", args.thresholds]
        done = subprocess.run([str(w) for w in command], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            print("failed:", c["model"], done.stderr[:300], file=sys.stderr)
            results.append(dict(c, failed=done.stderr[:300]))
            continue
        r = json.loads(done.stdout)
        results.append(dict(c, outputs=r["outputs"], findings=r["findings"], inherited=r["inherited"],
                            thresholds=r["thresholds"]))
        (work / args.out).write_text(json.dumps(results))
        print(c["model"], c["kind"], [round(o["sqnr_db"], 1) for o in r["outputs"]],
              [(f["cause"], f["layer"]) for f in r["findings"]], flush=True)
    (work / args.out).write_text(json.dumps(results))


def judged(result, t):
    """What the findings of a loose run would be with other thresholds: the rules of src/analysis/verdict.rs."""
    found = []
    for f in result["findings"]:
        if f["weights"]:
            w = f["weights"]
            if w["as_is_db"] < t["weights_db"]:
                found.append((f["cause"], f["layer"]))
            continue
        for e in f["evidence"]:
            a, i, s = (e["trial"][k] for k in ("as_is_db", "ideal_db", "sixteen_db"))
            if e["isolated_db"] >= t["suspicious_db"] or a >= t["bad_db"]:
                continue
            fits = i >= t["bad_db"] or (i - a) / (t["bad_db"] - a) >= t["repaired"]
            if i - a >= t["gain_db"] and (fits or s - i < t["gain_db"]):
                found.append(("calibration", f["layer"]))
                break
            if i < t["bad_db"] and s - i >= t["gain_db"]:
                found.append(("range", f["layer"]))
                break
    return found


def right(case, found, healthy_db, natural):
    """None: the fault does no harm, and nothing is found; or the network is not healthy without a fault."""
    off = set(case["off"])
    if case["kind"] == "healthy":
        if healthy_db < SOUND_DB:
            return None
        return all(cause == "calibration" and layer in off for cause, layer in found)
    planted = set(case.get("layers", off))
    found = [f for f in found if f[1] not in natural or (f[0] == case["cause"] and f[1] in case.get("layers", ()))]
    hurt = healthy_db - min(o["sqnr_db"] for o in case["outputs"])
    if hurt < 3.0 and not found:
        return None
    # The next layer's weights suffer from the grown channel, too: that is no false accusation.
    allowed = {("calibration", layer) for layer in off} | {(case["cause"], layer) for layer in planted}
    allowed |= {(cause, case.get("undone")) for cause in ("weights", "operator")}
    return any(cause == case["cause"] and layer in planted for cause, layer in found) and allowed >= set(found)


def score(args):
    work = pathlib.Path(args.work)
    cases = {c["model"]: c for c in json.loads((work / "cases.json").read_text())}
    results = [r for r in json.loads((work / args.out).read_text()) if "failed" not in r]
    results = [dict(r, **cases[r["model"]]) for r in results]
    healthy = {r["network"]: min(o["sqnr_db"] for o in r["outputs"]) for r in results
               if r["model"].endswith("/healthy.onnx")}

    def rate(half, t, verbose=False):
        count, matrix = collections.Counter(), collections.Counter()
        def said_of(r):
            return judged(r, t) if t else [(f["cause"], f["layer"]) for f in r["findings"]]

        natural = collections.defaultdict(set)
        for r in results:
            if r["kind"] == "healthy" and healthy[r["network"]] < SOUND_DB:
                natural[r["network"]] |= {layer for _, layer in said_of(r)}
                # What 8 and 16 bits give at best does not depend on the calibration.
                limits = t or r["thresholds"]
                natural[r["network"]] |= {f["layer"] for f in r["findings"] for e in f["evidence"] if
                                          e["trial"]["ideal_db"] < limits["bad_db"]
                                          <= e["trial"]["sixteen_db"] - limits["gain_db"]}
        for r in (r for r in results if r["half"] == half):
            found = said_of(r)
            ok = right(r, found, healthy[r["network"]], natural[r["network"]])
            count["left out" if ok is None else "right" if ok else "wrong"] += 1
            said = "+".join(sorted({c for c, _ in found})) or "nothing"
            matrix[r["kind"], said, {None: "left out", True: "right", False: "wrong"}[ok]] += 1
            if verbose and ok is False:
                print("wrong:", r["model"], r["kind"], r.get("layers", [])[:4], "said", found[:5])
        return count, matrix

    if args.sweep:
        axes = dict(bad_db=(24.0, 26.0, 28.0, 30.0, 32.0), gain_db=(6.0, 7.0, 8.0, 9.0, 10.0), repaired=(0.3, 0.4, 0.5, 0.6, 0.7),
                    weights_db=(16.0, 20.0, 24.0))
        tried = []
        for values in itertools.product(*axes.values()):
            c, _ = rate("a", dict(zip(axes, values), suspicious_db=30.0))
            tried.append((c["right"] - c["wrong"], values))
        best = [v for key, v in tried if key == max(k for k, _ in tried)]
        # Of equal ones the one in the middle of them.
        middle, spans = np.mean(best, axis=0), [max(a) - min(a) or 1.0 for a in axes.values()]
        chosen = dict(zip(axes, min(best, key=lambda v: np.sum(((np.array(v) - middle) / spans) ** 2))), suspicious_db=30.0)
        print(f"frozen on half a, the middle of {len(best)} of {len(tried)} settings that are equally good:", chosen)
    else:
        chosen = None

    def inherit(half, of_half, t):
        layers = accused = named = 0
        for r in (r for r in of_half if r["kind"] in ("range", "channel")):
            planted = {*r["layers"], r.get("undone")}
            heirs = {i["layer"]: i["from"] for i in r["inherited"] if i["layer"] not in planted}
            found = judged(r, t) if t else [(f["cause"], f["layer"]) for f in r["findings"]]
            if not any(layer in planted for _, layer in found):
                continue
            layers += len(heirs)
            accused += sum(layer in heirs for _, layer in found)
            named += sum(origin in planted for origin in heirs.values())
        print(f"half {half}: {layers} layers only inherit a planted fault: {accused} accused, {named} traced to it")

    for half in "ab":
        count, matrix = rate(half, chosen, verbose=True)
        inherit(half, [r for r in results if r["half"] == half], chosen)
        names = sorted({r["network"] for r in results if r["half"] == half})
        judged_cases = count["right"] + count["wrong"]
        print(f"half {half} ({', '.join(names)}): {count['right']} of {judged_cases} right, "
              f"{count['left out']} left out")
        for (kind, said, ok), n in sorted(matrix.items()):
            print(f"  {kind:8} -> {said:28} {ok:8} {n}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("step", choices=["make", "run", "score"])
    p.add_argument("paths", nargs="+")
    p.add_argument("--binary", default=HERE / "target/release/rcar-iss")
    p.add_argument("--thresholds")
    p.add_argument("--loose", action="store_true", help="run with thresholds that report everything, for the sweep")
    p.add_argument("--seed", type=int, default=0, help="make: other layers, channels and inputs")
    p.add_argument("--only", help="make, run: these networks, with commas between them")
    p.add_argument("--sweep", action="store_true", help="score: choose thresholds on half a")
    p.add_argument("--out", default="results.json")
    args = p.parse_args()
    if args.step == "make":
        args.networks, args.work = args.paths
        make(args)
    else:
        args.work = args.paths[0]
        {"run": run, "score": score}[args.step](args)


if __name__ == "__main__":
    main()
