"""Mutants of .npy and .npz files, given as inputs, for calibration, as reference, and to dequantize."""
import io
import struct
import zlib

import numpy as np

import seeds
from values import INTEGERS, damage

MODEL = seeds.golden("add_broadcast_u8")
FLOAT = str(seeds.PROGRAMS / "digit_cnn" / "float.onnx")
KINDS = ["|u1", "|i1", "<u2", "<i2", "<i4", "<i8", "<u4", "<u8", "<f2", "<f4", "<f8", ">f4", ">i2", "|b1", "<c8", "|O", "<U4",
         "|S3", "<M8[ns]", "|V4", "u1", "uint8", "<f16", "", "<i3", "|u2", "=f4", "[('a','<i4')]"]
ENTRY = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")


def header(kind, order, shape, extra=""):
    """A .npy head before the data."""
    text = f"{{'descr': {kind if kind.startswith('[') else repr(kind)}, 'fortran_order': {order}, 'shape': {shape}, {extra}}}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode("utf-8", "replace")


def npy(rng, array):
    """A mutant of an array as .npy, and what was changed."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    data = buffer.getvalue()
    way = rng.choice(["kind", "shape", "order", "version", "length", "text", "bytes", "cut", "order", "raw"])
    body = array.tobytes()
    shape = list(array.shape)
    if way == "kind":
        kind = rng.choice(KINDS)
        return header(kind, False, array.shape) + body, f"kind {kind}"
    if way == "shape":
        for _ in range(rng.randint(1, 2)):
            shape.insert(rng.randrange(len(shape) + 1), rng.choice([0, 1, 1, 2, *INTEGERS]))
        if rng.random() < 0.5:
            shape = shape[:rng.randrange(len(shape) + 1)]
        text = rng.choice([str(tuple(shape)), str(shape), "()", f"({'1,' * 500})", "(1e3,)", "(-1,)", "(0x10,)", f"({2**64},)",
                           "1"])
        return header(array.dtype.str, False, text) + body, f"shape {text[:30]}"
    if way == "order":
        text = rng.choice(["True", "True", "1", "None", "'x'"])
        return header(array.dtype.str, text, array.shape) + body, f"order {text}"
    if way == "version":
        return data[:6] + bytes([rng.choice([0, 2, 3, 4, 255]), rng.choice([0, 1])]) + data[8:], "version"
    if way == "length":
        return data[:8] + struct.pack("<H", rng.choice([0, 1, 10, 117, 119, 65535])) + data[10:], "length of the head"
    if way == "text":
        text = rng.choice(["'more': 1", "'descr': '<f4'", "'shape': (1,)", "{" * 1000, "# x", "\0", "é", "'" * 99])
        return header(array.dtype.str, False, array.shape, text) + body, "head"
    if way == "cut":
        return data[:rng.randrange(len(data))], "cut"
    if way == "bytes":
        return damage(rng, data), "bytes"
    return data + rng.choice([b"", b"\0", bytes(5000)]), "longer"


def npz(rng, members):
    """An archive whose directory lies: sizes, offsets, ways of compression, names, bombs; checksums right."""
    places, body, lie = [], b"", rng.randrange(len(members))
    ways = ["size", "packed", "offset", "method", "name", "bomb", "flags", "twice", "cut", "none", "crc", "end"]
    way = rng.choice(ways)
    for i, (name, content) in enumerate(members):
        method = rng.choice([0, 8])
        if way == "bomb" and i == lie:
            content, method = header("|u1", False, f"({rng.choice([10, 10**9])},)") + bytes(60_000_000), 8
        pack = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = pack.compress(content) + pack.flush() if method else content
        crc, size, stored, flags = zlib.crc32(content), len(content), len(packed), 0
        bad = i == lie
        number = rng.choice(INTEGERS) & 0xffffffff
        size = number if bad and way == "size" else size
        stored = number if bad and way == "packed" else stored
        method = rng.choice([1, 6, 12, 14, 99, 8 - method]) if bad and way == "method" else method
        flags = rng.choice([1, 8, 0x800, 0xffff]) if bad and way == "flags" else flags
        crc = crc ^ 1 if bad and way == "crc" else crc
        raw = rng.choice(["", "../x.npy", "x", "a" * 60000, "\0", "/x.npy", "é.npy"]) if bad and way == "name" else name
        raw = raw.encode("utf-8")
        at = number if bad and way == "offset" else len(body)
        shared = (flags, method, 0, 0, crc, stored, size)
        body += ENTRY.pack(b"PK\3\4", 20, *shared, len(raw), 0) + raw + packed
        places.append(CENTRAL.pack(b"PK\1\2", 20, 20, *shared, len(raw), 0, 0, 0, 0, 0, at) + raw)
    if way == "twice":
        places.append(places[lie])
    directory = b"".join(places)
    count, at, size = len(places), len(body), len(directory)
    if way == "end":
        count, size, at = rng.choice([(0xffff, size, at), (count, 2**32 - 1, at), (count, size, 2**32 - 1), (0, 0, 0)])
    data = body + directory + END.pack(b"PK\5\6", 0, 0, count, count, size, at, 0)
    return data[:rng.randrange(len(data))] if way == "cut" else data, f"npz {way}"


class Arrays:
    """`x.npy` or `x.npz`."""
    name = "arrays"

    def __init__(self, _):
        random = np.random.default_rng(3)
        self.integers = random.integers(0, 256, (1, 5, 6, 7)).astype(np.uint8)
        self.pixels = random.standard_normal((1, 1, 28, 28)).astype(np.float32)

    def mutant(self, rng):
        array = rng.choice([self.integers, self.pixels])
        made, note = npy(rng, array)
        if rng.random() < 0.4:
            whole = io.BytesIO()
            np.save(whole, array)
            members = [("x.npy", whole.getvalue()), ("y.npy", whole.getvalue()), ("z.npy", made)]
            rng.shuffle(members)
            made, note = npz(rng, members[:rng.randint(1, 3)])
            return {"x.npz": made}, note
        return {"x.npy": made}, note

    def examine(self, bench, rng):
        file = "x.npz" if bench.note.split(": ")[1].startswith("npz") else "x.npy"
        commands = [["run", MODEL, f"--input={file}", "-o", "out"]] * 4
        target = rng.choice(["y.npy", "y.csv", "y.npz", "y"])
        commands += [["dequantize", file, "--scale", "0.5", "--zero-point", "3", "-o", target]] * 4
        commands += [["quantize", FLOAT, "--calib", file, "-o", "q.onnx"],
                     ["compare", MODEL, "--reference", ".", f"--input={file}"],
                     ["compare", MODEL, "--reference", file, f"--input={file}"]]
        return bench.run(*rng.choice(commands))
