"""Rows of a CSV of published latencies, with the repeats of one measurement collapsed to the least latency.

Columns: device, cores, clock_mhz, model, input, precision, latency_ms, includes, source, topology_from. The repeats
of a network on a device with as many cores (tool versions, runtimes) differ by up to 2 times: the least says most
about the hardware. Of the R-Car X5H only its own runtime (MWMX) counts: the ONNX Runtime provider adds work of the
host.
"""
import csv
import dataclasses
import re

from names import short_device, short_name


@dataclasses.dataclass
class Row:
    id: str  # stable: device-cores/name
    device: str  # short: x5h, stm32n6, ...
    cores: int
    clock_mhz: float
    name: str
    model: str  # in the vendor's words
    size: tuple  # height and width of the input as published; empty if it is not
    input: str  # the same in the vendor's words
    latency_ms: float
    includes: str
    topology_from: str
    published_weights_kib: float | None  # where `includes` says
    sources: list  # of every repeat
    repeats: list  # (model, latency) of every repeat


def extents(text):
    """Height and width from 1x3x224x224, 224x224x3 or 416x416; empty where nothing of this form is said."""
    found = re.search(r"\d+(?:x\d+)+", text)
    if not found:
        return ()
    numbers = [int(n) for n in found[0].split("x")]
    if len(numbers) == 4:  # N, C, H, W
        numbers = numbers[2:]
    return tuple(numbers[:2])


def slug(words):
    """A name for words that no table has."""
    return re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-")


def weights_kib(includes):
    found = re.search(r"weights ([\d.]+) KiB", includes)
    return float(found[1]) if found else None


def read(path):
    """The collapsed rows of the CSV, in its order."""
    rows = {}
    with open(path, newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            device = short_device(line["device"]) or slug(line["device"])
            if device == "x5h" and "ONNX Runtime" in line["includes"]:
                continue
            size = extents(line["input"])
            name = short_name(device, line["model"], size[0] if size else "") or slug(line["model"])
            row = Row(
                id=f"{device}-{line['cores']}/{name}",
                device=device,
                cores=int(line["cores"]),
                clock_mhz=float(line["clock_mhz"]),
                name=name,
                model=line["model"],
                size=size,
                input=line["input"],
                latency_ms=float(line["latency_ms"]),
                includes=line["includes"],
                topology_from=line["topology_from"],
                published_weights_kib=weights_kib(line["includes"]),
                sources=[line["source"]],
                repeats=[(line["model"], float(line["latency_ms"]))],
            )
            first = rows.get(row.id)
            if first is None:
                rows[row.id] = row
                continue
            first.sources += [s for s in row.sources if s not in first.sources]
            first.repeats += row.repeats
            first.size = first.size or row.size
            if row.latency_ms < first.latency_ms:
                first.latency_ms, first.includes = row.latency_ms, row.includes
    return list(rows.values())
