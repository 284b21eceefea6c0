"""A machine judged by the rows of its device: each row's time and error, the baselines', and medians."""
import dataclasses
import math
import statistics

import baselines
from causes import CAUSES
from estimate import milliseconds
from fit import loss
from split import order

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


def grouped(rows, fitted):
    """Rows by group: what is certain and was not fitted is held out."""
    ids = {r["id"] for r in fitted}
    uncertain = order(r for r in rows if r["uncertain"])
    return {
        "fitted": order(r for r in rows if r["id"] in ids),
        "held out": order(r for r in rows if r["id"] not in ids and not r["uncertain"]),
        "uncertain": uncertain,
    }


def judged(machine, rows, fitted, estimator, facts, jobs=1):
    """(residuals of all rows, constants of the baselines)."""
    groups = grouped(rows, fitted)
    forms = {name: baselines.fitted(form, fitted, loss) for name, form in baselines.FORMS.items()}
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


FORMS = ("ours", "roofline", "additive")


def summary(residuals, group, form="ours"):
    """(rows, median, 90th percentile by the nearest rank) of a group's errors; None without rows."""
    errors = sorted(abs(r.error(form)) for r in residuals if r.group == group and getattr(r, form) is not None)
    if not errors:
        return None
    return len(errors), statistics.median(errors), errors[math.ceil(0.9 * len(errors)) - 1]


def summaries(result):
    """Of each group that has rows: its name, how many, and the median and 90th percentile of each form's error."""
    for group in GROUPS:
        found = [summary(result["residuals"], group, form) for form in FORMS]
        if found[0]:
            yield group, found[0][0], [one[1:] for one in found if one]
