"""Numbers and names that code tends not to expect."""
import math

INTEGERS = [0, 1, -1, 2, 3, 4, 7, 16, 127, 128, 255, 256, -128, -129, 65535, 65536, 1_000_003, 2**31 - 1, -2**31, 2**31,
            2**32 - 1, 2**32, 2**40, 2**62, 2**63 - 1, -2**63, -2**63 + 1]
FLOATS = [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1e-45, 1.2e-38, 1e-30, 1e-10, 0.5, 1.0, 255.0, 65536.0, 1e10,
          1e30, 3.4e38]
NAMES = ["", " ", "x", "y", "\n", "a\tb", "é", "\u202e\U0001f600", "../../x", "/", "a" * 5000, "\0", "'\"`{}", "%s%n",
         "-o", "CON", "\x1b[31m", ".", "a=b"]


def small(rng):
    """An integer as attributes, extents and lengths have them, or an extreme one."""
    return rng.choice([-2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16]) if rng.random() < 0.6 else rng.choice(INTEGERS)


def near(rng, value):
    """An integer made from another one."""
    return rng.choice([value + 1, value - 1, -value, value * 2, value // 2, value ^ 1 << rng.randrange(62), small(rng)])


def damage(rng, data, most=4):
    """Bytes with some flipped, cut out, copied, or cut off."""
    data = bytearray(data)
    for _ in range(rng.randint(1, most)):
        if not data:
            break
        at = rng.randrange(len(data))
        length = rng.choice([1, 2, 4, 8, 64])
        way = rng.randrange(6)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at:at + length] = rng.choice([b"\xff", b"\0", b"\x80", b"\x7f"]) * length
        elif way == 2:
            del data[at:at + length]
        elif way == 3:
            data[at:at] = data[at:at + length]
        elif way == 4:
            data[at:at + length] = rng.randbytes(length)
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)
