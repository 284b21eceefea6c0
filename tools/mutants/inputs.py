"""Inputs for a program, made as its tables say."""
import numpy as np

import elf

TYPES = {"u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16, "s32": np.int32, "s64": np.int64, "f32": np.float32,
         "bool": np.bool_}
MOST_BYTES = 1 << 23
MOST_MACS = 1_000_000_000


def array(rng, kind, shape):
    """Integers over the whole range of their type, or floats around zero."""
    random = np.random.default_rng(rng.randrange(1 << 32))
    if np.dtype(kind).kind == "f":
        return (random.standard_normal(shape) * 2).astype(kind)
    if kind is np.bool_:
        return random.integers(0, 2, shape).astype(bool)
    info = np.iinfo(kind)
    low, high = (-100, 100) if info.bits > 16 else (info.min, info.max + 1)
    return random.integers(low, high, shape).astype(kind)


def give(rng, program):
    """Writes the inputs of a program file beside it and returns the arguments that name them; None if they are too large
    to be worth a test."""
    with open(program, "rb") as file:
        tables = elf.meta(file.read())
    macs = sum(layer["macs"] for layer in tables["layers"])
    if tables["dram_bytes"] > 4 * MOST_BYTES or macs > MOST_MACS:
        return None
    arguments = []
    for i, tensor in enumerate(t for t in tables["tensors"] if t["role"] == "input"):
        kind = TYPES[tensor["dtype"]]
        if "\0" in tensor["name"]:
            return None
        if np.prod(tensor["shape"], dtype=float) * np.dtype(kind).itemsize > MOST_BYTES:
            return None
        np.save(f"x{i}.npy", array(rng, kind, tensor["shape"]))
        arguments.append(f"--input={tensor['name']}=x{i}.npy")
    return arguments
