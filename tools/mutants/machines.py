"""Mutants of machine files: what `check` accepts for such a machine compiles and runs on it."""
import re

import inputs
import launch
import seeds
from values import INTEGERS, NAMES, damage, near

NUMBER = re.compile(r"(?<= )\d+")
MODELS = ["conv_plain_s16s8", "maxpool_padded_u8", "add_broadcast_u8", "qlinearmatmul_2d_u8", "softmax_17_2d_1_u8",
          "conv_groups_s8s8", "reducemean_image_u8"]


def mutate(rng, text):
    """One change of a TOML text with numbers, and what it was."""
    lines = text.split("\n")
    places = [i for i, line in enumerate(lines) if " = " in line]
    if not places:
        return damage(rng, text.encode()).decode("latin1"), "bytes"
    at = rng.choice(places)
    key = lines[at].split(" = ")[0]
    way = rng.choice(["number"] * 8 + ["drop", "twice", "rename", "value", "table", "bytes"])
    if way == "number" and NUMBER.search(lines[at]):
        def other(found):
            value = int(found[0])
            close = [value * 2, value // 2, value * 16, value // 16, value + 1, value - 1, 1, 2, 3, value + 4, value - 8]
            return str(rng.choice(close) if rng.random() < 0.7 else rng.choice(INTEGERS))
        lines[at] = NUMBER.sub(other, lines[at], count=1)
    elif way == "drop":
        del lines[at]
    elif way == "twice":
        lines.insert(at, lines[at])
    elif way == "rename":
        lines[at] = f"{rng.choice(['x', 'lanes', '', 'é'])} = {lines[at].split(' = ', 1)[1]}"
    elif way == "value":
        value = rng.choice(["true", "nan", "1e400", "[]", "[[1]]", "{}", '"x"', repr(rng.choice(NAMES)), "1.5", "-1", "0x10",
                            "1979-05-27", str(near(rng, 1000)), '["onnx"]', '["q31"]', "[]"])
        lines[at] = f"{key} = {value}"
    elif way == "table":
        headers = [i for i, line in enumerate(lines) if line.startswith("[")]
        lines[rng.choice(headers or [0])] = rng.choice(["[mac]", "[[mac]]", "[x]", "", "[", "[mac.x]"])
    else:
        return damage(rng, text.encode()).decode("latin1"), "bytes"
    return "\n".join(lines), f"{way} of {key.strip()}"


class Machines:
    """`m.toml`, given with --machine."""
    name = "machines"

    def __init__(self, _):
        self.seeds = [(p.stem, p.read_text()) for p in sorted((seeds.ROOT / "isa" / "machines").glob("*.toml"))]
        self.models = [seeds.golden(name) for name in MODELS]

    def mutant(self, rng):
        name, text = rng.choice(self.seeds)
        notes = []
        for _ in range(rng.choices([1, 2, 4], [60, 25, 15])[0]):
            text, note = mutate(rng, text)
            notes.append(note)
        return {"m.toml": text.encode("utf-8", "surrogateescape")}, f"{name}: {', '.join(notes)}"

    def examine(self, bench, rng):
        model = rng.choice(self.models)
        check = bench.run("check", model, "--machine", "m.toml")
        if check.late or check.status < 0:
            return check
        compiled = bench.run("compile", model, "--machine", "m.toml", "-o", "m.rcn")
        if check.status != compiled.status:
            bench.defect("compile", f"check {check.status}, compile {compiled.status}: {launch.plain(compiled.err)}")
        if compiled.status == 0:
            given = inputs.give(rng, "m.rcn")
            if given is not None:
                ran = bench.run("run", model, *given, "--machine", "m.toml", "--profile")
                if ran.refused():
                    bench.defect("run", f"check 0, run {ran.status}: {launch.plain(ran.err)}")
            if rng.random() < 0.3:
                info = bench.run("info", "m.rcn", "--machine", "m.toml", "--layers")
                if info.refused():
                    bench.defect("info", f"compile 0, info {info.status}: {launch.plain(info.err)}")
        if rng.random() < 0.3:
            estimate = bench.run("estimate", model, "--machine", "m.toml", *rng.choice([[], ["--plot", "m.svg"]]))
            if check.status == 0 and estimate.refused():
                bench.defect("estimate", f"check 0, estimate {estimate.status}: {launch.plain(estimate.err)}")
        return check
