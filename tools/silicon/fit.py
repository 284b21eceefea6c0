"""The fit: coordinate descent over constants of a machine, on the fitted rows alone.

Minimized is the mean over rows of |ln(time / published)|, rounded off below a tenth, since measurements repeat no
better, and where a row counts at most as one that is off by 2 times; plus 0.042 / rows for each doubling or
halving of a constant from where the search began, so that constants which the rows say nothing of stay plausible, and
more rows say more. Constants move by factors of 2, then its square root, then its fourth root. For each machine, the
constants of the host are chosen on a grid; a start takes no longer than the shortest published invocation of the fitted
rows. All is deterministic.
"""
import math

import machines
from estimate import HOST, milliseconds

WORST = math.log(2)
EXACT = 0.1
DOUBLING = 0.042
STEPS = (2.0, 2 ** 0.5, 2 ** 0.25)


def based(device, folder):
    """The machine where the search begins."""
    machine = machines.read(folder / f"{device.base}.toml")
    machine = machines.changed(machine, {k: v for k, (v, _) in device.given.items()} | device.plausible)
    return machine | {"name": device.machine}


def loss(time, published):
    """What a row adds to the error."""
    off = min(abs(math.log(time / published)), WORST)
    return math.hypot(off, EXACT) - EXACT


SHAPE = ("mac.oc_lanes", "mac.ic_lanes", "mac.pixel_lanes")


def free_names(device):
    """Every constant that the fit may change, alone."""
    out = []
    for names in device.free:
        out += [name for name in names.split("+") if name not in out]
    return out


def changes(device, base, machine):
    """(name, value where the search began, value) of each free constant; ports that follow the shape begin there."""
    start = shaped(base, [machines.value(machine, name) for name in SHAPE], device.plausible)
    return [(n, machines.value(start, n), machines.value(machine, n)) for n in free_names(device)]


def file(device, base, machine):
    """The machine file's text."""
    notes = {name: "fitted" for name, before, after in changes(device, base, machine) if before != after}
    notes |= {name: who for name, (_, who) in device.given.items()}
    products = " · ".join(str(machines.value(machine, name)) for name in SHAPE)
    notes["mac.oc_lanes"] = f"{products} MAC a cycle: the product is published, the factors are fitted"
    head = [
        f"{device.machine}: fitted to published figures of {device.title}; not a vendor's model.",
        f"Written by tools/silicon.py --fit, from {device.base} and latencies.csv; the book's page",
        "on published figures has the residuals. Constants without a note are the base's or where the search began.",
    ]
    return machines.text(machine, head, notes)


def shaped(machine, shape, plausible):
    """Another factorization of the array, with ports as wide as dense products need if nothing better is known."""
    oc, ic, pixels = shape
    constants = {"mac.activation_bytes_per_cycle": pixels * ic, "mac.sum_bytes_per_cycle": 4 * pixels * oc}
    constants = {name: plausible.get(name, number) for name, number in constants.items()}
    return machines.changed(machine, constants | dict(zip(SHAPE, shape)))


def whole(name, number):
    """As a machine file may have it."""
    if name == "dram.bytes_per_cycle":
        return float(f"{number:.3g}") if number >= 0.1 else round(number, 3)
    if name == "spm.bytes":
        return max(round(number / 65536), 1) * 65536
    if name.startswith("host."):
        return int(float(f"{number:.2g}"))
    return max(round(number), 1)


class Fit:
    def __init__(self, device, base, rows, estimator, facts, tell=lambda line: None, jobs=1):
        self.device, self.base, self.rows, self.estimator, self.facts = device, base, rows, estimator, facts
        self.tell, self.jobs, self.doubling = tell, jobs, DOUBLING / len(rows)
        self.free = {k: v for k, v in device.free.items() if not k.startswith("host.")}
        self.host = [self.grid(k) for k in ("host.start_ns", "host.layer_ns")]

    def grid(self, name):
        """Values of a constant of the host, with their penalty."""
        start = machines.value(self.base, name)
        if name not in self.device.free:
            return [(start, 0)]
        least, greatest = self.device.free[name]
        if name == "host.start_ns":  # no longer than the shortest invocation
            greatest = min(greatest, 1e6 * min(row["latency_ms"] for row in self.rows))
        numbers = {whole(name, start * 2 ** (k / 2)): self.doubling * abs(k / 2) for k in range(-24, 25)}
        return [(n, p) for n, p in numbers.items() if least <= n <= greatest]

    def machine(self, shape, factors):
        """The base with another shape, and its free constants times powers of two."""
        constants, base = {}, shaped(self.base, shape, self.device.plausible)
        for names, (least, greatest) in self.free.items():
            for name in names.split("+"):
                start = machines.value(base, name)
                number = start * 2 ** factors.get(names, 0)
                if name == names.split("+")[0]:
                    number = min(max(number, least), greatest)
                constants[name] = whole(name, number)
        return machines.changed(base, constants)

    def within(self, shape, names, power):
        number = machines.value(shaped(self.base, shape, self.device.plausible), names.split("+")[0]) * 2 ** power
        least, greatest = self.free[names]
        return least * 0.999 <= number <= greatest * 1.001

    def score(self, shape, factors):
        """(what is minimized, the machine with its host)."""
        machine = self.machine(shape, factors)
        found = self.estimator.all(machine, [r["file"] for r in self.rows], self.facts, self.jobs)
        if None in found:
            return math.inf, machine
        bare = machines.changed(machine, {"host.start_ns": 0, "host.layer_ns": 0})
        times = [milliseconds(e, bare) for e in found]
        penalty = self.doubling * sum(abs(p) for p in factors.values())
        best = (math.inf, 0, 0)
        for start, start_penalty in self.host[0]:
            for layer, layer_penalty in self.host[1]:
                error = 0
                for time, one, row in zip(times, found, self.rows):
                    time += start * 1e-6 + one.launches * layer * 1e-6
                    error += loss(time, row["latency_ms"])
                best = min(best, (error / len(self.rows) + start_penalty + layer_penalty, start, layer))
        return best[0] + penalty, machines.changed(machine, {"host.start_ns": best[1], "host.layer_ns": best[2]})

    def descend(self, shape, factors, steps):
        best, machine = self.score(shape, factors)
        for step in steps:
            power, again = math.log2(step), True
            while again:
                again = False
                for names in self.free:
                    for sign in (1, -1):
                        while True:
                            other = dict(factors)
                            other[names] = other.get(names, 0) + sign * power
                            if not self.within(shape, names, other[names]):
                                break
                            if self.machine(shape, other) == self.machine(shape, factors):
                                break
                            score, found = self.score(shape, other)
                            if score > best - 1e-4:
                                break
                            best, machine, factors, again = score, found, other, True
                            first, host = names.split("+")[0], machine[HOST]
                            self.tell(f"  {best:.4f} {first} {machines.value(machine, first)},"
                                      f" start {host['start_ns']}, layer {host['layer_ns']}")
                self.estimator.save()
        return best, machine, factors

    def run(self):
        """The fitted machine: from each start, a coarse descent for each shape, then the best one in finer steps."""
        found = []
        for start in self.device.starts:
            coarse = []
            for shape in self.device.shapes:
                score, _, factors = self.descend(shape, start, STEPS[:1])
                self.tell(f"shape {shape}: {score:.4f}")
                coarse.append((score, shape, factors))
            _, shape, factors = min(coarse, key=lambda f: f[0])
            found.append(self.descend(shape, factors, STEPS))
        score, machine, _ = min(found, key=lambda f: f[0])
        self.tell(f"{self.device.machine}: {score:.4f} after {self.estimator.runs} estimates")
        return machine
