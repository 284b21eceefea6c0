"""Two forms to beat, fitted on the same rows by the same measure of error.

Roofline: the greater of MACs / rate and bytes / rate, bytes being weights, inputs and outputs. Additive: start +
MACs / rate + bytes of weights / rate.
"""
import itertools
import math


def roofline(constants, row):
    macs, channel = constants
    return max(row["macs"] / macs, (row["weight_bytes"] + row["moved"]) / channel)


def additive(constants, row):
    start, macs, channel = constants
    return start + row["macs"] / macs + row["weight_bytes"] / channel


def error(form, constants, rows, loss):
    return sum(loss(form(constants, r), r["latency_ms"]) for r in rows) / len(rows)


# Where the search begins: milliseconds, MACs and bytes a millisecond.
STARTS = {
    roofline: ((1e8, 1e9, 1e10), (1e6, 1e7, 1e8)),
    additive: ((0.001, 0.01, 0.1, 1.0), (1e7, 1e8, 1e9, 1e10), (1e5, 1e6, 1e7, 1e8)),
}


def fitted(form, rows, loss):
    """The constants with the least error: a descent by ever smaller factors from each point of a coarse grid."""
    best = (math.inf, None)
    for point in itertools.product(*STARTS[form]):
        here, at = error(form, point, rows, loss), point
        for factor in (4, 2, 2 ** 0.5, 2 ** 0.25, 2 ** 0.125, 2 ** 0.0625, 2 ** 0.03125):
            moved = True
            while moved:
                moved = False
                for i in range(len(at)):
                    for f in (factor, 1 / factor):
                        other = (*at[:i], at[i] * f, *at[i + 1:])
                        found = error(form, other, rows, loss)
                        if found < here - 1e-9:
                            here, at, moved = found, other, True
        best = min(best, (here, at))
    return best[1]


FORMS = {"roofline": roofline, "additive": additive}


def rate(number, unit):
    """In 10^9 or 10^12 a second; a rate that no row is bound by grows without end."""
    return f"{number:.3g} {unit}" if number < 1e4 else "no bound"


def words(name, constants):
    *start, macs, channel = constants
    parts = [f"{start[0]:.3f} ms"] if start else []
    parts.append(f"MACs {rate(macs / 1e9, 'T/s')}")
    parts.append(f"{'bytes' if name == 'roofline' else 'bytes of weights'} {rate(channel / 1e6, 'GB/s')}")
    return ", ".join(parts)
