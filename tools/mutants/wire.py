"""Damage to protobuf bytes below the message level: fields are changed where they stand, lengths of all messages around
them mended."""
from values import INTEGERS, damage

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def number(n):
    """A varint."""
    out = bytearray()
    n &= (1 << 64) - 1
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def take(data, at):
    """The varint at a place, and where it ends; IndexError behind the end."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise IndexError


def fields(data):
    """Key, payload of each field; None if the bytes are no message."""
    found, at = [], 0
    try:
        while at < len(data):
            key, at = take(data, at)
            start = at
            if key & 7 == VARINT:
                _, at = take(data, at)
            elif key & 7 == BYTES:
                length, start = take(data, at)
                at = start + length
            elif key & 7 in (FIXED64, FIXED32):
                at += 8 if key & 7 == FIXED64 else 4
            else:
                return None
            if at > len(data) or key >> 3 == 0:
                return None
            found.append((key, data[start:at]))
    except IndexError:
        return None
    return found


def join(found):
    """Fields as bytes."""
    return b"".join(number(key) + (number(len(data)) if key & 7 == BYTES else b"") + data for key, data in found)


def mutate(rng, data, depth=0):
    """The message with one field changed, somewhere below it, and how."""
    found = fields(data)
    if not found:
        return damage(rng, data), f"bytes at depth {depth}"
    at = rng.randrange(len(found))
    key, content = found[at]
    if key & 7 == BYTES and len(content) > 1 and rng.random() < 0.75 and fields(content):
        content, note = mutate(rng, content, depth + 1)
        found[at] = key, content
        return join(found), f"{key >> 3}.{note}"
    way = rng.choice(["key", "value", "value", "value", "twice", "gone", "cut", "nest", "length", "many"])
    if way == "key":
        found[at] = rng.choice([key ^ 1 << rng.randrange(8), key + 8, 8 << rng.randrange(26)]), content
    elif way == "value" and key & 7 == VARINT:
        found[at] = key, number(rng.choice(INTEGERS))
    elif way == "value":
        found[at] = key, damage(rng, content)
    elif way == "twice":
        found.insert(rng.randrange(len(found) + 1), (key, content))
    elif way == "gone":
        del found[at]
    elif way == "cut":
        return join(found)[:-rng.randint(1, max(1, len(content)))], f"{key >> 3} cut"
    elif way == "nest":
        inner = content
        for _ in range(rng.choice([1, 3, 50, 200])):
            inner = join([(key | BYTES if key & 7 == VARINT else key, inner)])
        found[at] = key & ~7 | BYTES, inner
    elif way == "length":
        wrong = number(key & ~7 | BYTES) + number(rng.choice([len(content) + 1, 2**31, 2**63, 2**64 - 1])) + content
        return join(found[:at]) + wrong + join(found[at + 1:]), f"{key >> 3} length"
    else:
        found[at:at] = [(key, content[:64])] * rng.choice([10, 1000])
    return join(found), f"{key >> 3} {way}"
