"""What `rcar-iss estimate` says of a network on a machine, and the time of an invocation."""
import dataclasses
import hashlib
import json
import pathlib
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import machines
from classes import class_of

HOST = "host"  # the section of launches and transfers


@dataclasses.dataclass
class Estimate:
    cycles: int
    launches: int  # device layers that have instructions
    moved: int  # bytes of the network's inputs and outputs
    classes: dict  # cycles of each layer class
    macs: int


def key(machine):
    """Of the constants that change cycles: the name, the clock and the host's do not."""
    cycles = {k: v for k, v in machine.items() if k not in (HOST, "name", "clock_mhz")}
    return hashlib.sha256(json.dumps(cycles, sort_keys=True).encode()).hexdigest()[:16]


class Estimator:
    """Runs the binary, and keeps what it said; with a cache folder, for later processes too."""

    def __init__(self, binary, folder, cache=None):
        self.binary, self.folder, self.cache = binary, pathlib.Path(folder), cache
        self.known, self.runs = {}, 0
        if cache and cache.exists():
            self.known = {k: Estimate(**v) for k, v in json.loads(cache.read_text()).items()}

    def save(self):
        if self.cache:
            self.cache.write_text(json.dumps({k: dataclasses.asdict(v) for k, v in self.known.items()}))

    def all(self, machine, files, facts, jobs=1):
        """Estimates of several networks, in their order."""
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(lambda file: self.of(machine, file, facts[file]), files))

    def of(self, machine, file, facts):
        """The estimate of a network; None if it cannot be compiled for the machine."""
        name = f"{key(machine)}/{file}"
        if name not in self.known:
            found = self.run(machine, file, facts)
            if found is None:
                return None
            self.known[name] = found
        return self.known[name]

    def run(self, machine, file, facts):
        self.runs += 1
        cycles = {k: v for k, v in machine.items() if k != HOST}
        with tempfile.TemporaryDirectory() as part:
            path = pathlib.Path(part) / "machine.toml"
            path.write_text(machines.text(cycles), encoding="utf-8")
            done = subprocess.run([self.binary, "estimate", self.folder / file, "--machine", path, "--json"],
                                  capture_output=True, text=True)
        if done.returncode:
            return None
        report = json.loads(done.stdout)["profiles"][0]
        classes, launches = {}, 0
        for layer in report["layers"]:
            if layer["instructions"] and not layer["host"]:
                launches += 1
            name = class_of(layer, facts.nodes)
            classes[name] = classes.get(name, 0) + layer["cycles"]
        return Estimate(report["cycles"], launches, facts.moved, classes, report["macs"])


def milliseconds(estimate, machine):
    """An invocation: the device's cycles, its launches, and the transfer of inputs and outputs."""
    host = machine.get(HOST, {})
    time = estimate.cycles / (machine["clock_mhz"] * 1e3)
    time += host.get("start_ns", 0) * 1e-6 + estimate.launches * host.get("layer_ns", 0) * 1e-6
    rate = host.get("megabytes_per_second", 0)
    return time + (estimate.moved / (rate * 1e3) if rate else 0)
