"""Mutants of ONNX models: what `check` accepts must compile and run, and both engines must agree on its outputs."""
import filecmp
import os

import onnx

import inputs
import launch
import onnx_mutators
import onnx_mutators_more
import seeds
import wire


class Models:
    """`m.onnx`, beside a file of constants."""
    name = "models"

    def __init__(self, _):
        self.seeds = list(seeds.models().items())
        self.outside = seeds.outside()

    def mutant(self, rng):
        seed, data = rng.choice(self.seeds)
        if rng.random() < 0.25:
            data, note = wire.mutate(rng, data)
            return {"m.onnx": data, seeds.OUTSIDE: self.outside}, f"{seed}: wire {note}"
        model = onnx.ModelProto()
        model.ParseFromString(data)
        times = rng.choices([1, 2, 3, 5], [70, 18, 8, 4])[0]
        notes = [onnx_mutators_more.mutate(model, rng, onnx_mutators.graphs) for _ in range(times)]
        return {"m.onnx": model.SerializeToString(), seeds.OUTSIDE: self.outside}, f"{seed}: {'; '.join(notes)}"

    def examine(self, bench, rng):
        options = ["--machine", rng.choice(["rcn-s", "rcn-l"])] if rng.random() < 0.2 else []
        options += ["--dim", "N=3"] if b"N" in bench.note.encode() and "named" in bench.note else []
        options += rng.choice([["--no-host"], ["--observe", "all"], ["--numeric", "q31"]]) if rng.random() < 0.15 else []
        check = bench.run("check", "m.onnx", *options)
        if check.late or check.status < 0:
            return check
        compiled = bench.run("compile", "m.onnx", "-o", "m.rcn", *options)
        if check.status != compiled.status:
            bench.defect("compile", f"check {check.status}, compile {compiled.status}: {launch.plain(compiled.err or check.out)}")
        if compiled.status == 0:
            self.execute(bench, rng, options)
        elif rng.random() < 0.1:
            bench.run("estimate", "m.onnx", *options)
        return check

    def execute(self, bench, rng, options):
        given = inputs.give(rng, "m.rcn")
        if given is None:
            bench.run("estimate", "m.onnx", *options)
            return
        ran = bench.run("run", "m.onnx", *given, "-o", "out", *options)
        if ran.refused():
            bench.defect("run", f"check 0, run {ran.status}: {launch.plain(ran.err)}")
        if ran.status:
            return
        way = rng.randrange(8)
        if way < 3:
            more = [[], ["--dump-layers", "layers"], ["--profile", "--trace", "m.trace"]][way]
            again = bench.run("run", "m.rcn", *given, "-o", "again", "--engine", "reference", *more)
            if again.status == 0 and not same("out", "again"):
                bench.defect("run", "the engines differ")
            elif again.refused():
                bench.defect("run", f"model 0, program {again.status}: {launch.plain(again.err)}")
        elif way == 3:
            estimate = bench.run("estimate", "m.onnx", *options)
            if estimate.refused():
                bench.defect("estimate", f"check 0, estimate {estimate.status}: {launch.plain(estimate.err)}")
        elif way == 4:
            info = bench.run("info", "m.rcn", "--layers", "--tensors", "--provenance")
            if info.refused():
                bench.defect("info", f"compile 0, info {info.status}: {launch.plain(info.err)}")


def same(one, other):
    """Whether two folders hold the same files."""
    files = sorted(os.listdir(one))
    return files == sorted(os.listdir(other)) and not any(filecmp.cmpfiles(one, other, files, shallow=False)[1:])
