"""Mutants of program files, with checksums mended: what is read prints as text that assembles to the same code and constants,
and what passes `check` runs."""
import json
import struct
import subprocess

import elf
import launch
import seeds
import wire
from assembly import execute
from values import FLOATS, INTEGERS, NAMES, damage, near

MODELS = ["conv_plain_s16s8", "conv_groups_s8s8", "maxpool_padded_u8", "softmax_17_2d_1_u8", "pruned_square_u8", "add_broadcast_u8",
          "qlinearmatmul_2d_u8", "resize_linear_half_pixel_up_u8", "reducemean_image_u8", "sigmoid_u8", "div_float_channels_s8", "tile_u8"]


def build(tool):
    """Program files of the assembly texts, some models of operators, and models with host layers."""
    found = []
    sources = [str(p) for p in sorted(seeds.PROGRAMS.glob("*.s")) if p.stem != "fault_watchdog"]
    made = seeds.made()
    for name in ["host_layernorm", "host_topk", "chain", "two_inputs"]:
        with open(f"{name}.onnx", "wb") as file:
            file.write(made[name])
        sources.append(f"{name}.onnx")
    sources += [seeds.golden(name) for name in MODELS]
    for source in sources:
        command = ["asm", source] if source.endswith(".s") else ["compile", source, "--observe", "all"]
        subprocess.run([tool, *command, "-o", "seed.rcn"], check=True, capture_output=True)
        with open("seed.rcn", "rb") as file:
            found.append((source.rsplit("/", 1)[-1], file.read()))
    return found


def change_json(rng, value):
    """A JSON value with one part of it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        way = rng.random()
        if way < 0.05:
            return {k: v for k, v in value.items() if k != key}
        if way < 0.08:
            return value | {rng.choice(NAMES): value[key]}
        return value | {key: change_json(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.95:
        at, way = rng.randrange(len(value)), rng.random()
        if way < 0.08:
            return value[:at] + value[at + 1:]
        if way < 0.16:
            return value[:at] + [value[at]] + value[at:]
        if way < 0.22:
            return rng.sample(value, len(value))
        return [*value[:at], change_json(rng, value[at]), *value[at + 1:]]
    if isinstance(value, int) and rng.random() < 0.5:
        return near(rng, value)
    if isinstance(value, str) and rng.random() < 0.6:
        return rng.choice(NAMES + ["u8", "s8", "u16", "s16", "s32", "s64", "f32", "input", "output", "layer", "dram", "spm",
                                   "rcn-s", "rcn-m", "rcn-l", "host", "conv"])
    return rng.choice([None, True, [], {}, "x", 1e300, *INTEGERS, *[f for f in FLOATS if abs(f) < 1e39]])


def change_words(rng, code):
    """Instruction words with bits, bytes or whole words changed."""
    words = [code[i:i + 16] for i in range(0, len(code), 16)]
    if not words:
        return bytes(16)
    at, way = rng.randrange(len(words)), rng.randrange(8)
    if way < 3:
        bit = rng.randrange(128)
        words[at] = (int.from_bytes(words[at], "little") ^ 1 << bit).to_bytes(16, "little")
    elif way == 3:
        where = rng.randrange(16)
        words[at] = words[at][:where] + bytes([rng.randrange(256)]) + words[at][where + 1:]
    elif way == 4:
        del words[at]
    elif way == 5:
        words.insert(rng.randrange(len(words)), words[at])
    elif way == 6:
        words[at] = words[at][:1] + words[rng.randrange(len(words))][1:]
    else:
        words[at] = words[at][:8] + struct.pack("<q", rng.choice(INTEGERS) if rng.random() < 0.9 else 0)[:8]
    return b"".join(words)


def change_constants(rng, data):
    """Descriptors hold 32- and 64-bit fields: one of them, or some bytes, are changed."""
    if len(data) < 8 or rng.random() < 0.3:
        return damage(rng, data)
    at = rng.randrange(len(data) // 4) * 4
    form = rng.choice(["<i", "<q", "<f", "<B"])
    number = rng.choice(FLOATS) if form == "<f" else rng.choice(INTEGERS)
    if form != "<f":
        size = struct.calcsize(form)
        number = (number & (1 << 8 * size) - 1).to_bytes(size, "little")
    else:
        number = struct.pack(form, number)
    return data[:at] + number + data[at + len(number):]


def change_hosts(rng, data):
    """The table of host models: its count, a length, or a model."""
    way = rng.randrange(3)
    if way == 0 or len(data) < 13:
        return struct.pack("<I", rng.choice([0, 1, 2, 1000, 2**32 - 1])) + data[4:]
    if way == 1:
        return data[:4] + struct.pack("<Q", rng.choice(INTEGERS) & 2**64 - 1) + data[12:]
    length = struct.unpack_from("<Q", data, 4)[0]
    model = wire.mutate(rng, data[12:12 + length])[0]
    return data[:4] + struct.pack("<Q", len(model)) + model + data[12 + length:]


def mutate(rng, data):
    """One change of a program file, checksum mended, and what it was."""
    if rng.random() < 0.15:
        table = elf.HEADER.unpack_from(data)[6]
        at = rng.choice([rng.randrange(64), rng.randrange(table, len(data)), rng.randrange(16, 64)])
        size = rng.choice([1, 2, 4, 8])
        value = (rng.choice(INTEGERS) & (1 << 8 * size) - 1).to_bytes(size, "little")
        return elf.mend(data[:at] + value + data[at + size:]), f"header at {at}"
    sections = elf.split(data)
    sections.pop(".shstrtab", None)
    name = rng.choice([".rcn.code"] * 4 + [".rcn.const"] * 3 + [".rcn.meta"] * 6 + [".rcn.host", "list"])
    if name == ".rcn.code":
        sections[name] = change_words(rng, sections[name])
    elif name == ".rcn.const":
        sections[name] = change_constants(rng, sections[name])
    elif name == ".rcn.meta" and rng.random() < 0.9:
        sections[name] = json.dumps(change_json(rng, json.loads(sections[name]))).encode("utf-8", "surrogatepass")
    elif name == ".rcn.meta":
        sections[name] = damage(rng, sections[name], 2)
    elif name == ".rcn.host":
        sections[name] = change_hosts(rng, sections[name])
    listed = list(sections.items())
    if name == "list":
        other = rng.choice(listed)
        way = rng.randrange(3)
        if way == 0:
            listed.remove(other)
        elif way == 1:
            listed += [other] * rng.choice([1, 100])
        else:
            rng.shuffle(listed)
    return elf.join(listed), name


class Programs:
    """`m.rcn`."""
    name = "programs"

    def __init__(self, tool):
        self.seeds = build(tool)

    def mutant(self, rng):
        name, data = rng.choice(self.seeds)
        notes = []
        for _ in range(rng.choices([1, 2, 4], [80, 15, 5])[0]):
            try:
                data, note = mutate(rng, data)
                notes.append(note)
            except (struct.error, ValueError, IndexError, KeyError, OverflowError, RecursionError):
                break  # Too damaged to be taken apart again.
        return {"m.rcn": data}, f"{name}: {', '.join(notes)}"

    def examine(self, bench, rng):
        info = bench.run("info", "m.rcn", "--layers", "--tensors", "--provenance")
        if info.status:
            if rng.random() < 0.2:
                bench.run(rng.choice(["check", "run", "disasm", "estimate", "bench"]), "m.rcn")
            return info
        printed = bench.run("disasm", "m.rcn", "-o", "m.s")
        again = bench.run("asm", "m.s", "-o", "again.rcn")
        if printed.status or again.status:
            why = launch.plain(again.err or printed.err)
            bench.defect("disasm", f"info 0, disasm {printed.status}, asm {again.status}: {why}")
        elif [content("m.rcn", s) for s in elf.SECTIONS[:2]] != [content("again.rcn", s) for s in elf.SECTIONS[:2]]:
            bench.defect("disasm", "text assembles to other code or constants")
        more = rng.choice([[], [], ["--dump-layers", "layers"], ["--trace", "m.trace"], ["--engine", "reference"], ["--profile"],
                           ["--dequantize", "-o", "out"]])
        ran = execute(bench, rng, "m.rcn", more)
        if ran.status == 0 and rng.random() < 0.3:
            bench.run("estimate", "m.rcn")
        return info


def content(path, section):
    """A section of a file."""
    with open(path, "rb") as file:
        return elf.split(file.read()).get(section)
