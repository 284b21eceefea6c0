"""Mutants of traces: head and index as JSON, records, and the numbers that say where these lie."""
import json
import struct
import subprocess

import seeds
from programs import change_json
from values import INTEGERS, damage

FILTERS = [["--layer", "conv"], ["--node", "conv"], ["--unit", "mac"], ["--unit", "control"], ["--pc", "0..3"], ["--pc", "5..2"],
           ["--cycles", "0..18446744073709551615"], ["--cycles", "9..1"], ["--writes", "spm:0x100"], ["--writes", "-1"],
           ["--writes", "dram:9223372036854775807"], []]


def split(data):
    """Head, records, index."""
    length = struct.unpack_from("<Q", data, 8)[0]
    at, size = struct.unpack_from("<QQ", data, len(data) - 16)
    return data[16:16 + length], data[16 + length:at], data[at:at + size]


def join(head, records, index, moved):
    """A trace of these parts; chunks of the index are moved along with the records if `moved` says from where."""
    before = 16 + len(head)
    if moved is not None:
        chunks = json.loads(index)
        for chunk in chunks:
            chunk["offset"] += before - moved
        index = json.dumps(chunks).encode()
    data = b"RCNTRACE" + struct.pack("<Q", len(head)) + head + records
    return data + index + struct.pack("<QQ", len(data), len(index))


def mutate(rng, data):
    """A mutant, and what was changed."""
    head, records, index = split(data)
    moved = 16 + len(head)
    way = rng.choice(["head", "index", "records", "records", "place", "bytes", "cut"])
    if way == "head":
        head = json.dumps(change_json(rng, json.loads(head))).encode("utf-8", "surrogatepass")
    elif way == "index":
        return join(head, records, json.dumps(change_json(rng, json.loads(index))).encode("utf-8", "surrogatepass"), None), way
    elif way == "records":
        size = len(records)
        records = damage(rng, records, 2)[:size].ljust(size, b"\xff")
    elif way == "place":
        at = rng.choice([8, len(data) - 16, len(data) - 8])
        return data[:at] + struct.pack("<Q", rng.choice(INTEGERS) & 2**64 - 1) + data[at + 8:], way
    elif way == "bytes":
        return damage(rng, data), way
    else:
        return data[:rng.randrange(len(data))], way
    return join(head, records, index, moved), way


class Traces:
    """`m.trace`, beside the trace that it was made of."""
    name = "traces"

    def __init__(self, tool):
        self.seeds = []
        for source in ["banks", "loop", "scalar", "loads_over_loads"]:
            command = [tool, "run", str(seeds.PROGRAMS / f"{source}.s"), "--trace", "seed.trace"]
            subprocess.run(command, check=True, capture_output=True)
            with open("seed.trace", "rb") as file:
                self.seeds.append((source, file.read()))

    def mutant(self, rng):
        name, data = rng.choice(self.seeds)
        made, note = mutate(rng, data)
        return {"m.trace": made, "good.trace": data}, f"{name}: {note}"

    def examine(self, bench, rng):
        form = ["--format", rng.choice(["text", "json", "csv", "perfetto", "konata"])]
        first = bench.run("trace", "m.trace", *form, *rng.choice(FILTERS))
        pair = ["m.trace", "good.trace"]
        rng.shuffle(pair)
        bench.run("diff", *pair, *rng.choice([[], ["--json"]]))
        return first
