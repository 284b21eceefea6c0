"""RCN program files: sections taken apart, put together again, and the checksum mended (src/program/elf.rs)."""
import json
import struct

import xxhash

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SECTIONS = [".rcn.code", ".rcn.const", ".rcn.meta", ".rcn.host", ".rcn.checksum"]
MACHINE, VERSION = 0x5243, 1


def split(data):
    """Name and content of each section."""
    header = HEADER.unpack_from(data)
    offset, count, names_at = header[6], header[12], header[13]
    table = [SECTION.unpack_from(data, offset + i * SECTION.size) for i in range(count)]
    strings = table[names_at]
    names = data[strings[4]:strings[4] + strings[5]]
    found = {}
    for section in table[1:]:
        name = names[section[0]:names.index(b"\0", section[0])].decode()
        found[name] = data[section[4]:section[4] + section[5]]
    return found


def join(sections):
    """A program file of these sections (name, content), with a right checksum."""
    body, placed, names = bytearray(HEADER.size), [], bytearray(b"\0")
    for name, content in [*sections, (".shstrtab", b"")]:
        align = 4096 if name == ".rcn.const" else 16
        body += bytes(-len(body) % align)
        placed.append((len(names), len(body), len(content), align))
        names += name.encode() + b"\0"
        body += content
    placed[-1] = (placed[-1][0], placed[-1][1], len(names), 1)
    body += names
    body += bytes(-len(body) % 8)
    table = len(body)
    body += bytes(SECTION.size)
    for i, (name, at, size, align) in enumerate(placed):
        kind = 3 if i + 1 == len(placed) else 1
        body += SECTION.pack(name, kind, 0, 0, at, size, 0, 0, align, 0)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = len(placed) + 1
    HEADER.pack_into(body, 0, ident, 2, MACHINE, 1, 0, 0, table, VERSION, HEADER.size, 56, 0, SECTION.size, count, count - 1)
    return mend(bytes(body))


def mend(data):
    """The file with the checksum of its bytes, if it still has a place for one."""
    try:
        header = HEADER.unpack_from(data)
        offset, count, names_at = header[6], header[12], header[13]
        strings = SECTION.unpack_from(data, offset + names_at * SECTION.size)[4]
        for i in range(min(count, 70)):
            name, _, _, _, at, size, *_ = SECTION.unpack_from(data, offset + i * SECTION.size)
            if data[strings + name:strings + name + 14] == b".rcn.checksum\0" and size == 8 and at + 8 <= len(data):
                zeroed = data[:at] + bytes(8) + data[at + 8:]
                return data[:at] + struct.pack("<Q", xxhash.xxh3_64_intdigest(zeroed)) + data[at + 8:]
    except (struct.error, OverflowError):
        pass
    return data


def meta(data):
    """The tables of a program file."""
    return json.loads(split(data)[".rcn.meta"])
