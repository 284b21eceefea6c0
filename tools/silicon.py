#!/usr/bin/env python3
"""Compare machines fitted to published figures with published latencies of real accelerators, or fit them.

usage: silicon.py --rcar-iss BINARY --networks FOLDER [--latencies FILE.csv] [--device NAME-like]... [--fit]
                  [--page FILE.md] [--jobs N] [--json] [--cache FOLDER]

For each device, `isa/machines/NAME-like.toml` is compared with the rows of the file: published and estimated time of
each row and the error, which rows were fitted, held out, or are too uncertain for either (`silicon/split.py`), and for
errors past 20 % the layers that take most cycles. Repeats of a row collapse to the least; rows without a network are
listed with the reason. The last lines give rows, median and 90th percentile of the error of each device, beside those
of two baselines fitted on the same rows. With --fit, the machine files are found and written first (`silicon/fit.py`);
with --page, all goes into a page of the book, too. Networks that FOLDER lacks are made (`silicon/make.py`).

Without --latencies the rows are those of `silicon/latencies.csv`. Of another file, what the committed fit has not seen
is held out; with --fit, that file is fitted.

Needs: numpy, onnx; where networks are made, torch, torchvision, timm, pytorchcv as `silicon/make.py` says
"""
import argparse
import dataclasses
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "silicon"))

import compare  # noqa: E402
import devices  # noqa: E402
import fit  # noqa: E402
import machines  # noqa: E402
import page  # noqa: E402
import rows as published  # noqa: E402
from estimate import Estimator  # noqa: E402
from sources import listed, ready  # noqa: E402
from split import split  # noqa: E402

MACHINES = HERE.parent / "isa/machines"
LATENCIES = HERE / "silicon/latencies.csv"


def tell(line):
    print(line, file=sys.stderr, flush=True)


def find(device, rows, facts, estimator, jobs):
    """Find the machine and write its file."""
    base = fit.based(device, MACHINES)
    machine = fit.Fit(device, base, rows, estimator, facts, tell, jobs).run()
    (MACHINES / f"{device.machine}.toml").write_text(fit.file(device, base, machine), encoding="utf-8")


def shown(result):
    device, residuals = result["device"], result["residuals"]
    print(f"{device.machine}, fitted to published figures of {device.title}")
    for r in residuals:
        if r.ours is None:
            print(f"  {r.id:48} {r.published:10.3f} ms  does not compile for the machine  {r.group}")
            continue
        large = abs(r.error()) > compare.LARGE
        mostly = ", ".join(f"{name} {100 * share:.0f} %" for name, share in r.classes if large)
        print(f"  {r.id:48} {r.published:10.3f} ms {r.ours:10.3f} {100 * r.error():+7.1f} %  {r.group:9}  {mostly}")
    for row, reason in result["none"]:
        print(f"  {row:48} not compared: {reason}")


def totals(result):
    for group, count, errors in compare.summaries(result):
        words = [f"{form} {100 * median:.1f} % and {100 * most:.1f} %"
                 for form, (median, most) in zip(compare.FORMS, errors)]
        print(f"{result['device'].machine:20} {group:9} {count:3} rows, median and 90th percentile of the error: "
              + ", ".join(words))


def document(results):
    return [{
        "machine": r["device"].machine,
        "rows": [{**dataclasses.asdict(one), "error": None if one.ours is None else one.error()}
                 for one in r["residuals"]],
        "not_compared": [{"id": i, "reason": why} for i, why in r["none"]],
        "baselines": r["forms"],
    } for r in results]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rcar-iss", required=True, type=pathlib.Path)
    parser.add_argument("--networks", required=True, type=pathlib.Path)
    parser.add_argument("--latencies", type=pathlib.Path, default=LATENCIES)
    parser.add_argument("--device", action="append", choices=[d.machine for d in devices.DEVICES])
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--page", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cache", type=pathlib.Path, help="keep estimates in this folder")
    a = parser.parse_args()
    binary, folder = a.rcar_iss.resolve(), a.networks.resolve()
    collapsed, reference, results = published.read(a.latencies), published.read(LATENCIES), []
    for device in devices.DEVICES:
        if a.device and device.machine not in a.device:
            continue
        rows, none = listed(collapsed, device)
        chosen = split(rows if a.fit else listed(reference, device)[0])[0]
        rows, facts, unmade = ready(rows, binary, folder, tell)
        chosen, more, _ = ready(chosen, binary, folder, tell)
        if a.cache:
            a.cache.mkdir(parents=True, exist_ok=True)
        estimator = Estimator(binary, folder / "integer", a.cache and a.cache / f"{device.machine}.json")
        if a.fit:
            find(device, chosen, more, estimator, a.jobs)
        machine = machines.read(MACHINES / f"{device.machine}.toml")
        residuals, forms = compare.judged(machine, rows, chosen, estimator, facts, a.jobs)
        estimator.save()
        notes = {r["id"]: r["note"] for r in rows if r["note"]}
        results.append({"device": device, "machine": machine, "residuals": residuals, "forms": forms,
                        "none": none + unmade, "notes": notes})
    if a.page:
        a.page.write_text(page.written(results, MACHINES), encoding="utf-8")
    if a.json:
        print(json.dumps(document(results), indent=1))
        return
    for result in results:
        shown(result)
    for result in results:
        totals(result)


if __name__ == "__main__":
    main()
