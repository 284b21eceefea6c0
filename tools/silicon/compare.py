"""A machine judged by the rows of its device: each row's time and error, the baselines', and medians."""
import dataclasses
import math
import statistics

import baselines
from causes import CAUSES
from estimate import milliseconds
from fit import loss
from split import split

LARGE = 0.20  # errors past this are named by layer class
GROUPS = ("fitted", "held out", "uncertain")


@dataclasses.dataclass
class Residual:
    id: str
    group: str
    published: float
    ours: float | None  # milliseconds; None: the network cannot be compiled for the machine
    roofline: float
    additive: float
    classes: list  # (layer class, share of the cycles), greatest first
    cause: str

    def error(self, form="ours"):
        return getattr(self, form) / self.published - 1


def judged(device, machine, rows, estimator, facts, jobs=1):
    """(residuals of all rows, constants of the baselines)."""
    for row in rows:
        row["weight_bytes"], row["moved"] = facts[row["file"]].weights, facts[row["file"]].moved
    groups = dict(zip(GROUPS, split(rows)))
    forms = {name: baselines.fitted(form, groups["fitted"], loss) for name, form in baselines.FORMS.items()}
    out = []
    for group, members in groups.items():
        estimates = estimator.all(machine, [r["file"] for r in members], facts, jobs)
        for row, found in zip(members, estimates):
            ours, shares = None, []
            if found:
                ours = milliseconds(found, machine)
                shares = sorted(((k, v / found.cycles) for k, v in found.classes.items()), key=lambda kv: -kv[1])
            others = {name: form(forms[name], row) for name, form in baselines.FORMS.items()}
            cause = ""
            if ours and abs(ours / row["latency_ms"] - 1) > LARGE:
                cause = CAUSES.get(row["id"], "")
            out.append(Residual(row["id"], group, row["latency_ms"], ours, **others, classes=shares[:3], cause=cause))
    return out, forms


def summary(residuals, group, form="ours"):
    """(rows, median, 90th percentile by the nearest rank) of a group's errors; None without rows."""
    errors = sorted(abs(r.error(form)) for r in residuals if r.group == group and getattr(r, form) is not None)
    if not errors:
        return None
    return len(errors), statistics.median(errors), errors[math.ceil(0.9 * len(errors)) - 1]
