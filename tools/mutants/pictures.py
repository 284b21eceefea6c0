"""Mutants of pictures: PNG chunks and JPEG segments changed, checksums right, odd colour types and sizes."""
import io
import struct
import subprocess
import zlib

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

import seeds
from values import damage

FLOAT = str(seeds.PROGRAMS / "digit_cnn" / "float.onnx")
SIZES = [0, 1, 2, 28, 255, 256, 4096, 8192, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1]
BOMB = zlib.compress(bytes(50_000_000))
EXTRA = [(b"PLTE", bytes(n)) for n in (0, 3, 4, 768, 771)] + [(b"tRNS", bytes(n)) for n in (0, 1, 2, 6, 300)] + [
    (b"iCCP", b"x\0\0" + BOMB), (b"zTXt", b"x\0\0" + BOMB), (b"acTL", struct.pack(">II", 2**31, 0)), (b"fcTL", bytes(26)),
    (b"tEXt", b"")]
SIDECAR = b"[input.x]\nmean = 33.3\nstd = 78.5\n"


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def chunks(data):
    """Name and content of each chunk."""
    found, at = [], 8
    while at < len(data):
        length = struct.unpack_from(">I", data, at)[0]
        found.append((data[at + 4:at + 8], data[at + 8:at + 8 + length]))
        at += length + 12
    return found


def header(rng, old):
    """An IHDR with one or two fields changed."""
    fields = list(struct.unpack(">IIBBBBB", old))
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(7)
        fields[at] = rng.choice([SIZES, SIZES, [1, 2, 4, 8, 16, 0, 3, 255], [0, 2, 3, 4, 6, 1, 5, 7], [0, 1, 255], [0, 1, 255],
                                 [0, 1, 2]][at])
    return struct.pack(">IIBBBBB", *fields)


def png(rng, data):
    """A mutant of a PNG file, and what was changed."""
    found = chunks(data)
    at = rng.randrange(len(found))
    name, content = found[at]
    way = rng.choice(["header", "header", "pixels", "bomb", "drop", "twice", "order", "name", "data", "extra", "crc", "length"])
    if way == "header":
        found[0] = found[0][0], header(rng, found[0][1])
    elif way == "pixels":
        where = next(i for i, c in enumerate(found) if c[0] == b"IDAT")
        raw = damage(rng, zlib.decompress(b"".join(c for n, c in found if n == b"IDAT")))
        found = [c for c in found if c[0] != b"IDAT"]
        found.insert(where, (b"IDAT", zlib.compress(raw)))
    elif way == "bomb":
        side = rng.choice([28, 8000, 20000])
        form = rng.choice([1, 8, 16]), rng.choice([0, 2, 6]), 0, 0, rng.randrange(2)
        found = [(b"IHDR", struct.pack(">IIBBBBB", side, side, *form)),
                 (b"IDAT", rng.choice([BOMB, zlib.compress(bytes(10))])), (b"IEND", b"")]
    elif way == "drop":
        del found[at]
    elif way == "twice":
        found.insert(at, found[at])
    elif way == "order":
        rng.shuffle(found)
    elif way == "name":
        found[at] = rng.choice([b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"fdAT", b"gAMA", b"\0\0\0\0"]), content
    elif way == "data":
        found[at] = name, damage(rng, content)
    elif way == "extra":
        found.insert(rng.randrange(len(found) + 1), rng.choice(EXTRA))
    made = data[:8] + b"".join(chunk(*c) for c in found)
    if way == "crc":
        return damage(rng, made), "png bytes"
    if way == "length":
        return made[:8] + struct.pack(">I", rng.choice(SIZES)) + made[12:], "png length"
    return made, f"png {way}"


def jpeg(rng, data):
    """A mutant of a JPEG file, and what was changed."""
    starts = [i for i in range(2, len(data) - 4) if data[i] == 0xff and data[i + 1] in
              (0xc0, 0xc1, 0xc2, 0xc4, 0xda, 0xdb, 0xdd, 0xe0, 0xee)]
    at = rng.choice(starts)
    frame = next(i for i in starts if data[i + 1] in (0xc0, 0xc1, 0xc2))
    length = struct.unpack_from(">H", data, at + 2)[0]
    way = rng.choice(["size", "size", "parts", "depth", "marker", "length", "table", "twice", "drop", "bytes", "cut", "scan"])
    if way == "size":
        size = struct.pack(">HH", rng.choice(SIZES) & 0xffff, rng.choice(SIZES) & 0xffff)
        return data[:frame + 5] + size + data[frame + 9:], "jpeg size"
    if way == "parts":
        where = frame + 9 + rng.randrange(10)
        number = rng.choice([0, 1, 2, 3, 4, 0x11, 0x22, 0x41, 0x44, 255])
        return data[:where] + bytes([number]) + data[where + 1:], "jpeg components"
    if way == "depth":
        return data[:frame + 4] + bytes([rng.choice([0, 1, 2, 12, 16, 255])]) + data[frame + 5:], "jpeg depth"
    if way == "marker":
        return data[:at + 1] + bytes([rng.randrange(0xc0, 0x100)]) + data[at + 2:], "jpeg marker"
    if way == "length":
        length = rng.choice([0, 1, 2, 3, length + 1, length - 1, 65535])
        return data[:at + 2] + struct.pack(">H", length) + data[at + 4:], "jpeg length"
    if way == "table":
        return data[:at + 4] + damage(rng, data[at + 4:at + 2 + length]) + data[at + 2 + length:], "jpeg segment"
    if way == "twice":
        return data[:at] + data[at:at + 2 + length] * rng.choice([2, 100]) + data[at + 2 + length:], "jpeg twice"
    if way == "drop":
        return data[:at] + data[at + 2 + length:], "jpeg drop"
    if way == "cut":
        return data[:rng.randrange(len(data))], "jpeg cut"
    if way == "scan":
        scan = data.index(b"\xff\xda")
        return data[:scan + 14] + damage(rng, data[scan + 14:]), "jpeg scan"
    return damage(rng, data), "jpeg bytes"


def drawn():
    """A picture in every mode that both formats know."""
    random = np.random.default_rng(4)
    colours = Image.fromarray(random.integers(0, 256, (31, 40, 3)).astype(np.uint8))
    found = []
    for form, modes in [("PNG", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]), ("JPEG", ["L", "RGB", "CMYK"])]:
        for mode in modes:
            for options in [{}, {"progressive": True}] if form == "JPEG" else [{}]:
                buffer = io.BytesIO()
                deep = random.integers(0, 65536, (31, 40)).astype(np.uint16)
                picture = Image.fromarray(deep) if mode == "I;16" else colours.convert(mode)
                picture.save(buffer, form, **options)
                found.append((form, buffer.getvalue()))
    return found


def programs(tool):
    """Programs that quantize a picture: of one channel or three, normalized or as it is."""
    found = {}
    real, integer = seeds.node("QuantizeLinear", "x s z", "y"), seeds.node("Transpose", "x", "y", perm=[0, 2, 3, 1])
    for name, kind, channels in [("grey", TensorProto.FLOAT, 1), ("colours", TensorProto.FLOAT, 3),
                                 ("bytes", TensorProto.UINT8, 3)]:
        nodes = [integer if name == "bytes" else real]
        image = [helper.make_tensor_value_info("x", kind, (1, channels, 28, 28))]
        with open("p.onnx", "wb") as file:
            file.write(seeds.model(nodes, None, inputs=image).SerializeToString())
        with open("p.toml", "wb") as file:
            file.write(SIDECAR if name != "bytes" else b"")
        subprocess.run([tool, "compile", "p.onnx", "-o", "p.rcn"], check=True, capture_output=True)
        with open("p.rcn", "rb") as file:
            found[name] = file.read()
    return found


class Pictures:
    """`x.png`, whatever it is."""
    name = "pictures"

    def __init__(self, tool):
        self.programs = list(programs(tool).values())
        self.seeds = drawn()
        self.seeds.append(("PNG", (seeds.PROGRAMS / "digit_cnn" / "seven.png").read_bytes()))
        self.seeds.append(("JPEG", (seeds.PROGRAMS / "photos" / "clock.jpg").read_bytes()))

    def mutant(self, rng):
        form, data = rng.choice(self.seeds)
        data, note = (png if form == "PNG" else jpeg)(rng, data)
        return {"x.png": data, "p.rcn": rng.choice(self.programs)}, note

    def examine(self, bench, rng):
        if rng.random() < 0.95:
            return bench.run("run", "p.rcn", "--input=x.png", "-o", "out")
        size = ["--resize", str(rng.choice([1, 28, 4000, 2**32 - 1]))] if rng.random() < 0.3 else []
        return bench.run("quantize", FLOAT, "--calib", "x.png", "-o", "q.onnx", *size)
