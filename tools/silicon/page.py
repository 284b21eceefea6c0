"""The page of the book: how machines were fitted, each residual, the baselines, causes, and what is left out."""
import baselines
import compare
import machines
from fit import SHAPE, based, changes

HEAD = """# Published figures

*2026-12-01. Written by `tools/silicon.py --page`.*

How far is the clock from real accelerators? Vendors publish latencies of networks. Four machine files are fitted to
such figures and judged on rows that the fit has not seen. They are no vendor's model: nothing is known of these devices
but what the sources of `tools/silicon/latencies.csv` say, and the compiler here is not theirs. The names end in `-like`
for that.

```text
tools/silicon.py --rcar-iss BINARY --networks FOLDER            # compare
tools/silicon.py --rcar-iss BINARY --networks FOLDER --fit --page docs/book/src/silicon.md
```

## How

- **Rows.** Repeats of a network on a device collapse to the least latency. Each network is built from public code with
  random weights, quantized here, and given 8-bit inputs and outputs; heads of detectors end in raw maps.
- **Time.** `estimate`'s cycles over the clock, plus the start of an invocation, plus a launch for each device layer
  that has instructions, plus inputs and outputs over the rate of transfers: `[host]` of the machine file.
- **Split.** Certain rows of a device stand in the order of their latency, then of their name; the first, third, fifth
  and so on are fitted, the others held out. A network that takes seconds to estimate is held out, and does not count in
  that order: a fit estimates each network some hundred times. Rows are uncertain where the input, the graph or what ran
  on a CPU is not published; they are neither fitted nor held out.
- **Fit.** Only constants of the machine file change, from a base machine with the constants that public sources give.
  Least mean of |ln(time / published)| over the fitted rows, rounded off below a tenth, since measurements repeat no
  better, and where a row counts at most as one that is off by 2 times; plus 0.042 / rows for each doubling or halving
  of a constant, so that what the rows say nothing of stays where it was. Coordinate descent by factors of 2, √2 and the
  fourth root of 2, from each shape of the array and each start in `tools/silicon/devices.py`. A start of an invocation
  takes no longer than the shortest fitted row. Nothing is random: the same inputs give the same file.
- **What was seen.** Shapes, starts, which constants are given and the bounds of an error were chosen with the results of
  both halves in sight. Once a slow network, `hrnetv2-w48-fcn`, was among the fitted rows of the X5H: it pulled constants
  so far that dense networks were 40 to 60 % off, and slow networks have been held out since. So held-out rows are not
  blind; the constants themselves have not seen them.
- **Baselines**, fitted on the same rows by the same measure. *Roofline*: the greater of MACs over a rate and bytes of
  weights, inputs and outputs over a rate. *Additive*: a start, plus MACs over a rate, plus bytes of weights over a
  rate.
"""


def percent(number):
    return f"{100 * number:.1f} %"


def overview(results):
    lines = ["## Result", "", "Median and 90th percentile (nearest rank) of the error's size.", "",
             "| machine | rows | | here | roofline | additive |", "|---|---|---|---|---|---|"]
    for result in results:
        for group, count, errors in compare.summaries(result):
            cells = [f"{percent(median)}, {percent(most)}" for median, most in errors]
            lines.append(f"| `{result['device'].machine}` | {count} | {group} | " + " | ".join(cells) + " |")
    return [*lines, "", *verdict(results)]


def verdict(results):
    """Which machines are better than both baselines on rows that the fit has not seen."""
    better, worse = [], []
    for result in results:
        ours, *others = [compare.summary(result["residuals"], "held out", form) for form in ("ours", *result["forms"])]
        if ours:
            best = all(ours[1] < other[1] for other in others)
            (better if best else worse).append(f"`{result['device'].machine}`")
    lines = []
    if better:
        lines.append(f"Better than both baselines on held-out rows, in the median: {', '.join(better)}.")
    if worse:
        lines.append(f"Not better than both: {', '.join(worse)}.")
    return lines


def constants(result, folder):
    """A table of what the fit changed."""
    device, machine = result["device"], result["machine"]
    lines = ["| constant | where the search began | fitted |", "|---|---|---|"]
    same = []
    for name, before, after in changes(device, based(device, folder), machine):
        if before == after:
            same.append(f"`{name}`")
        else:
            lines.append(f"| `{name}` | {before:,} | {after:,} |")
    shape = " · ".join(str(machines.value(machine, name)) for name in SHAPE)
    given = "; ".join(f"`{name}` {value:,} ({who})" for name, (value, who) in device.given.items())
    kept = "" if not same else "\nFree, but left by the fit: " + ", ".join(same) + "."
    tried = ", ".join(" · ".join(map(str, s)) for s in device.shapes)
    array = f"Array: {shape} MACs a cycle (output channels, input channels, pixels), of {tried}."
    return [f"Base: `{device.base}`. Given: {given}.", "", array, "", *lines, kept, "",
            *([device.remark, ""] if device.remark else [])]


def table(result, group):
    members = [r for r in result["residuals"] if r.group == group]
    if not members:
        return []
    lines = [f"### {group.capitalize()}", "",
             "| row | published | here | error | roofline | additive | most cycles |", "|---|---|---|---|---|---|---|"]
    for r in members:
        if r.ours is None:
            lines.append(f"| {r.id} | {r.published:g} ms | does not compile | | | | |")
            continue
        mostly = ", ".join(f"{name} {100 * share:.0f} %" for name, share in r.classes[:2])
        lines.append(
            f"| {r.id} | {r.published:.3f} ms | {r.ours:.3f} ms | {100 * r.error():+.1f} % | "
            f"{100 * r.error('roofline'):+.1f} % | {100 * r.error('additive'):+.1f} % | {mostly} |")
    return [*lines, ""]


def causes(result):
    """Errors past 20 %, with the cause."""
    large = [r for r in result["residuals"] if r.ours is not None and abs(r.error()) > compare.LARGE]
    if not large:
        return []
    lines = ["### What stays", ""]
    by_cause = {}
    for r in large:
        classes = ", ".join(name for name, _ in r.classes[:2])
        words = r.cause or f"Not explained; most cycles: {classes}."
        by_cause.setdefault(words, []).append(f"{r.id.split('/')[1]} {100 * r.error():+.0f} %")
    return lines + [f"- {', '.join(rows)}: {words}" for words, rows in by_cause.items()] + [""]


def left_out(results):
    lines = ["## Left out", "", "Rows without a network:", ""]
    for result in results:
        reasons = {}
        for row, why in result["none"]:
            reasons.setdefault(why, []).append(row.split("/")[1])
        lines += [f"- `{result['device'].machine}`: {', '.join(rows)}: {why}." for why, rows in reasons.items()]
    lines += ["", "What is uncertain of the rows that are neither fitted nor held out:", ""]
    for result in results:
        unsure = {r.id for r in result["residuals"] if r.group == "uncertain"}
        lines += [f"- {row}: {note}." for row, note in result["notes"].items() if row in unsure]
    lines += ["", "Rows of several cores, of RA8P1 and of Edge TPU are in the file of latencies, with networks, and",
              "are not fitted: the clock has one core, and four devices are enough to judge it.", ""]
    return lines


def written(results, folder):
    lines = [HEAD, *overview(results), ""]
    for result in results:
        device = result["device"]
        lines += [f"## `{device.machine}`", "", f"Fitted to published figures of {device.title}.", ""]
        lines += constants(result, folder)
        forms = "; ".join(f"{name}: {baselines.words(name, k)}" for name, k in result["forms"].items())
        lines += [f"Baselines: {forms}.", ""]
        for group in compare.GROUPS:
            lines += table(result, group)
        lines += causes(result)
    return "\n".join([*lines, *left_out(results)]).rstrip() + "\n"
