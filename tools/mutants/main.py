#!/usr/bin/env python3
"""Structure-aware mutants of everything that the command line reads: whatever a file holds, the tool ends in time with a
documented status and a message, in little memory, and commands agree with each other.

    cargo build --release
    python3 tools/mutants/main.py --tool target/release/rcar-iss --out OUT --count 40000
    python3 tools/mutants/main.py --tool … --out … --kinds models --only 1234    # that mutant again

Seeds are the files of programs/ and tests/golden/operators, and a few made in seeds.py. Mutant number i of a kind depends on
--seed and i only. The table has one line for each kind: by the first command, how many mutants were fine or refused (by
status), and how many showed a defect. The smallest example of each kind of defect stands in OUT/findings, with the commands
that show it. Exit status 1: there are findings. Needs: numpy, onnx, pillow, xxhash
"""
import argparse
import os
import pathlib
import random
import resource
import shutil
import sys

from arrays import Arrays
from assembly import Assembly
from findings import Bench, Findings
from floats import Floats
from machines import Machines
from models import Models
from pictures import Pictures
from programs import Programs
from texts import Texts
from traces import Traces

# Kinds, and the share of mutants of each.
KINDS = {Models: 20, Programs: 12, Assembly: 15, Machines: 6, Arrays: 12, Pictures: 12, Traces: 10, Texts: 8, Floats: 5}
ADDRESS_SPACE = 8 << 30


def clear():
    """Empties the current folder."""
    for entry in os.scandir():
        shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)


def one(kind, tool, findings, seed, number):
    """Makes a mutant in the current folder and examines it."""
    clear()
    rng = random.Random(f"{seed}/{kind.name}/{number}")
    files, note = kind.mutant(rng)
    for name, data in files.items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        pathlib.Path(name).write_bytes(data)
    bench = Bench(tool, findings, kind.name, f"{number}: {note}", sum(map(len, files.values())))
    bench.close(kind.examine(bench, rng))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="the rcar-iss to test")
    parser.add_argument("--out", required=True, help="folder for findings; replaced")
    parser.add_argument("--count", type=int, default=40000, help="mutants of all kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(k.name for k in KINDS))
    parser.add_argument("--first", type=int, default=0, help="begin with the mutant of this number, in each kind")
    parser.add_argument("--only", type=int, help="only the mutant of this number")
    parser.add_argument("--json", help="file for the table and the findings as JSON")
    args = parser.parse_args()
    tool, out = os.path.abspath(args.tool), os.path.abspath(args.out)
    report = args.json and os.path.abspath(args.json)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(os.path.join(out, "work"))
    os.chdir(os.path.join(out, "work"))
    findings = Findings(os.path.join(out, "findings"))
    chosen = {kind: share for kind, share in KINDS.items() if kind.name in args.kinds.split(",")}
    for kind, share in chosen.items():
        made = kind(tool)
        count = args.count * share // sum(chosen.values())
        numbers = range(args.first, count) if args.only is None else [args.only]
        for number in numbers:
            one(made, tool, findings, args.seed, number)
            if number % 1000 == 999:
                print(f"{kind.name} {number + 1}: {len(findings.found)} findings so far", file=sys.stderr, flush=True)
    if args.only is None:
        clear()
    print(findings.summary())
    if report:
        findings.write(report)
    return 1 if findings.found else 0


if __name__ == "__main__":
    sys.exit(main())
