"""Which rows are fitted.

Rows of a device that are certain stand in the order of their latency, then of their name; the first, third, fifth ...
are fitted, the others held out. Uncertain rows are neither.
"""


def order(rows):
    return sorted(rows, key=lambda r: (r["latency_ms"], r["id"]))


def split(rows):
    """(fitted, held out, uncertain)."""
    certain = order(r for r in rows if not r["uncertain"])
    return certain[0::2], certain[1::2], order(r for r in rows if r["uncertain"])
