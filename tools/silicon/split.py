"""Which rows are fitted.

Rows of a device that are certain stand in the order of their latency, then of their name; the first, third, fifth ...
are fitted, the others held out. Networks that take seconds to estimate are held out, too, and do not count in that
order: a fit estimates each network some hundred times. Uncertain rows are neither fitted nor held out.
"""

SLOW = ("hrnetv2-w48-fcn-512", "efficientnet-b8-672", "dinov2-base-518", "detr-r50-800")


def order(rows):
    return sorted(rows, key=lambda r: (r["latency_ms"], r["id"]))


def split(rows):
    """(fitted, held out, uncertain)."""
    certain = order(r for r in rows if not r["uncertain"])
    quick = [r for r in certain if r["file"].removesuffix(".onnx") not in SLOW]
    held = order(quick[1::2] + [r for r in certain if r not in quick])
    return quick[0::2], held, order(r for r in rows if r["uncertain"])
