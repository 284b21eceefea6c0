"""Mutants of assembly text: what assembles prints as text that assembles to the same bytes, and what passes `check` runs."""
import filecmp
import re

import inputs
import launch
import seeds
from values import INTEGERS, NAMES, damage, near

NUMBER = re.compile(r"(?<![\w.])-?(?:0x[0-9a-fA-F]+|\d+)(?![\w.])")
WORD = re.compile(r"[A-Za-z_.][\w.]*")
PIECES = """.const .code .model .in .layer .tensor .host .removed .buffer .name .isa .machine .dram .u8 .s8 .u16 .s16 .s32 .s64
.f32 .hex .zero .align .tdesc .qdesc .wdesc .word wait( {bias} t0 t31 q0 w0 x0 x31 a0 dmain dmaout mac vec [ ] { } ( ) " ' , : ;
= at layer zp= m0= nan inf -inf 1e999 0x 0xffffffffffffffffffffffffffffffffff -9223372036854775809
\\ \\n \\u0000 \\ud800""".split()
LIMITS = ["--max-instructions", "300000", "--max-macs", "100000000", "--max-bytes", "1000000000",
          "--max-comparisons", "10000000"]


def extreme(rng, text):
    """Another number in place of one."""
    if rng.random() < 0.5:
        value = near(rng, int(text, 16 if "x" in text else 10))
    else:
        value = rng.choice([*INTEGERS, 2**63, -2**63 - 1, 2**64 - 1, 2**64, 2**127, 2**128])
    return hex(value) if rng.random() < 0.2 else str(value)


def mutate(rng, text):
    """One change of a text, and what it was."""
    lines = text.split("\n")
    code = [i for i, line in enumerate(lines) if line.strip() and not line.startswith(";")] or [0]
    at = rng.choice(code)
    way = rng.choice(["number"] * 6 + ["word"] * 3 + ["piece", "drop", "twice", "swap", "cut", "join", "bytes", "name", "move"])
    places = list(NUMBER.finditer(lines[at])) if way == "number" else list(WORD.finditer(lines[at]))
    if way == "number" and places:
        place = rng.choice(places)
        lines[at] = lines[at][:place.start()] + extreme(rng, place[0]) + lines[at][place.end():]
    elif way == "word" and places:
        place = rng.choice(places)
        other = rng.choice(WORD.findall(lines[rng.choice(code)]) or ["x"])
        lines[at] = lines[at][:place.start()] + other + lines[at][place.end():]
    elif way == "piece":
        where = rng.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:where] + rng.choice([" ", ""]) + rng.choice(PIECES) + " " + lines[at][where:]
    elif way == "drop":
        del lines[at]
    elif way == "twice":
        lines[at:at] = [lines[at]] * rng.choice([1, 1, 5])
    elif way == "swap":
        other = rng.choice(code)
        lines[at], lines[other] = lines[other], lines[at]
    elif way == "move":
        lines.insert(rng.randrange(len(lines)), lines.pop(at))
    elif way == "cut":
        lines[at] = lines[at][:rng.randrange(len(lines[at]) + 1)]
    elif way == "join" and at + 1 < len(lines):
        lines[at] += lines.pop(at + 1)
    elif way == "name":
        lines[at] = WORD.sub(lambda _: rng.choice(NAMES), lines[at], count=1)
    else:
        return damage(rng, text.encode(), 2).decode("latin1"), "bytes"
    return "\n".join(lines), f"{way} in line {at + 1}"


def execute(bench, rng, program, options=()):
    """Runs a program file under limits; what `check` accepts must not fault, except in the host and at a limit."""
    try:
        given = inputs.give(rng, program)
    except (ValueError, KeyError, MemoryError, OSError):
        given = []
    ran = bench.run("run", program, *(given or []), *LIMITS, *options)
    if "watchdog" in ran.err and rng.random() < 0.97:
        return ran  # `check` takes no limits and would count to 10^9.
    check = bench.run("check", program)
    excused = ["watchdog", "--max", "host layer failed"]
    if check.status == 0 and ran.status == 5 and not any(word in ran.err for word in excused):
        bench.defect("run", f"check 0, run 5: {launch.plain(ran.err)}")
    if check.status and ran.status == 0 and "host layer" not in check.err:
        bench.defect("check", f"run 0, check {check.status}: {launch.plain(check.err)}")
    return ran


class Assembly:
    """`m.s`."""
    name = "assembly"

    def __init__(self, _):
        self.seeds = [(path.stem, path.read_text()) for path in sorted(seeds.PROGRAMS.glob("*.s"))]
        self.seeds = [(name, text) for name, text in self.seeds if name != "fault_watchdog"]

    def mutant(self, rng):
        name, text = rng.choice(self.seeds)
        notes = []
        for _ in range(rng.choices([1, 2, 4], [75, 17, 8])[0]):
            text, note = mutate(rng, text)
            notes.append(note)
        return {"m.s": text.encode("utf-8", "surrogateescape")}, f"{name}: {', '.join(notes)}"

    def examine(self, bench, rng):
        built = bench.run("asm", "m.s", "-o", "m.rcn")
        if built.status:
            if rng.random() < 0.2:
                checked = bench.run("check", "m.s")
                if checked.status != built.status and "host layer" not in checked.err:
                    bench.defect("check", f"asm {built.status}, check {checked.status}: {launch.plain(checked.err)}")
            return built
        printed = bench.run("disasm", "m.rcn", "-o", "again.s")
        again = bench.run("asm", "again.s", "-o", "again.rcn")
        if printed.status or again.status:
            bench.defect("disasm", f"asm 0, disasm {printed.status}, asm again {again.status}: {launch.plain(again.err)}")
        elif not filecmp.cmp("m.rcn", "again.rcn", shallow=False):
            bench.defect("disasm", "text assembles to other bytes")
        execute(bench, rng, "m.rcn")
        return built
