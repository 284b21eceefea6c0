#!/usr/bin/env python3
"""Writes tests/golden/rescale.json: TOSA's RESCALE computed with Python's big integers.

A million random cases (by a generator that the test repeats) as digests, and every kind of tie in full. Where the package
tosa-tools is installed, its reference model computes the same cases first, and this script fails if the two disagree.
Needs: numpy, xxhash; for the reference model tosa-tools
"""
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import xxhash

MASK = (1 << 64) - 1


def splitmix(state):
    """The generator of the test: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def rescale(value, multiplier, shift, double):
    """apply_scale_32 of the TOSA 1.0 specification."""
    rounding = 1 << (shift - 1)
    if double and shift > 31:
        rounding += (1 << 30) if value >= 0 else -(1 << 30)
    return (value * multiplier + rounding) >> shift


def cases(count):
    random = splitmix(31)
    for _ in range(count):
        shift = 2 + next(random) % 61
        multiplier = next(random) % (1 << 31)
        # TOSA wants the value in this range, so that the result fits 32 bits.
        limit = min(1 << (shift - 1), 1 << 31)
        yield next(random) % (2 * limit) - limit, multiplier, shift


def ties():
    for shift in range(2, 63):
        limit = min(1 << (shift - 1), 1 << 31)
        for zeros in range(31):
            for odd in (1, 3):
                multiplier, value = odd << zeros, 1 << max(shift - 1 - zeros, 0)
                if zeros > shift - 1 or multiplier >= 1 << 31:
                    continue
                for v in (value, -value, 3 * value, -3 * value, value - 1, value + 1):
                    if -limit <= v < limit:
                        yield v, multiplier, shift


def reference(cases, double):
    """What the TOSA reference model computes: one RESCALE for each multiplier and shift, per channel."""
    try:
        import serializer.tosa_serializer as ts
        from tosa.RoundingMode import RoundingMode
        from tosa.Op import Op
    except ImportError:
        return None
    values = np.array([[c[0] for c in cases]], np.int32)
    multipliers = np.array([c[1] for c in cases], np.int32)
    shifts = np.array([c[2] for c in cases], np.int8)
    with tempfile.TemporaryDirectory() as folder:
        s = ts.TosaSerializer(folder)
        shape = list(values.shape)
        x = s.addPlaceholder(shape, ts.DType.INT32, values)
        m = s.addConst([len(cases)], ts.DType.INT32, multipliers)
        k = s.addConst([len(cases)], ts.DType.INT8, shifts)
        zero = s.addConst([1], ts.DType.INT32, np.array([0], np.int32))
        out = s.addConst([1], ts.DType.INT32, np.array([0], np.int32))
        y = s.addOutput(shape, ts.DType.INT32)
        attr = ts.TosaSerializerAttribute()
        mode = RoundingMode.DOUBLE_ROUND if double else RoundingMode.SINGLE_ROUND
        attr.RescaleAttribute(True, mode, True, False, False)
        s.addOperator(Op.RESCALE, [x.name, m.name, k.name, zero.name, out.name], [y.name], attr)
        pathlib.Path(folder, "test.tosa").write_bytes(bytes(s.serialize()))
        test = json.loads(s.writeJson("test.tosa"))
        test.update(expected_return_code=0, expected_failure=False)
        pathlib.Path(folder, "desc.json").write_text(json.dumps(test))
        done = subprocess.run(["tosa_reference_model", "--test_desc", f"{folder}/desc.json", "--tosa_level", "NONE"],
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the reference model failed:\n{done.stdout}\n{done.stderr}")
        return np.load(f"{folder}/{test['ofm_file'][0]}").ravel().tolist()


def main():
    million, every_tie = list(cases(1_000_000)), sorted(set(ties()))
    stored = {"count": len(million), "ties": [list(t) for t in every_tie]}
    by = ["big integers of Python"]
    for name, double in [("single", False), ("double", True)]:
        results = np.array([rescale(*c, double) for c in million], np.int32)
        tie_results = [rescale(*t, double) for t in every_tie]
        for chosen, mine in [(million[:200_000], results[:200_000].tolist()), (every_tie, tie_results)]:
            theirs = reference(chosen, double)
            if theirs is not None and theirs != mine:
                i = next(i for i, (a, b) in enumerate(zip(theirs, mine)) if a != b)
                raise SystemExit(f"the reference model says {theirs[i]}, not {mine[i]}, for {chosen[i]} ({name} rounding)")
            if theirs is not None and len(by) == 1:
                by.append("the TOSA reference model (the first 200,000 cases and all ties)")
        stored[name] = {"digest": xxhash.xxh3_64_hexdigest(results.tobytes()), "ties": tie_results}
    path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/rescale.json"
    path.write_text(json.dumps({"oracle": " and ".join(by), **stored}, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, "bytes;", len(every_tie), "ties; by", " and ".join(by))


main()
