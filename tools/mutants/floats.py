"""Mutants of float networks: what `quantize` writes passes `check` and runs."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import inputs
import launch
import onnx_mutators
import onnx_mutators_more
import seeds
import wire
from seeds import node


def network(nodes, constants, shape=(1, 3, 8, 8)):
    """A float model with input `x` and output `y`."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def networks():
    """Small networks with all that `quantize` rewrites: factors, sums, batch normalization, functions, pads, shared weights."""
    rng = np.random.default_rng(6)

    def f(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    weights = {"w": f(4, 3, 3, 3), "b": f(4), "v": f(4, 1, 3, 3), "k": f(4, 1, 1), "m": f(64, 5), "n": f(5), "one": f(4) ** 2 + 1,
               "shape": np.array([1, -1]), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "axes": np.array([2, 3])}
    conv = node("Conv", "x w b", "c", pads=[1, 1, 1, 1])
    norm = node("BatchNormalization", "d one b b one", "e")
    return {
        "normalized": network([conv, node("Mul", "c k", "d"), norm, node("Relu", "e", "y")], weights),
        "depthwise": network([conv, node("Relu", "c", "r"), node("Pad", "r pads", "p"), node("Conv", "p v", "q", group=4),
                              node("Sigmoid", "q", "s"), node("Mul", "q s", "y")], weights),
        "classifier": network([conv, node("Relu", "c", "r"), node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]),
                               node("Reshape", "p shape", "f"), node("Gemm", "f m n", "g"), node("Softmax", "g", "y")], weights),
        "residual": network([conv, node("Clip", "c", "r"), node("Conv", "r v", "d", group=4, pads=[1, 1, 1, 1]),
                             node("Add", "d c", "s"), node("Concat", "s c", "t", axis=1),
                             node("ReduceMean", "t", "y", axes=[2, 3])], weights),
        "host": network([conv, node("LayerNormalization", "c n8", "l"), node("Erf", "l", "e"), node("MatMul", "e e", "y")],
                        {**weights, "n8": f(8)}),
    }


class Floats:
    """`m.onnx` and an input `x.npy`."""
    name = "floats"

    def __init__(self, _):
        self.seeds = list(networks().items())
        self.outside = seeds.outside()

    def mutant(self, rng):
        name, data = rng.choice(self.seeds)
        files = {seeds.OUTSIDE: self.outside}
        if rng.random() < 0.15:
            data, note = wire.mutate(rng, data)
            return {"m.onnx": data, **files}, f"{name}: wire {note}"
        model = onnx.ModelProto()
        model.ParseFromString(data)
        times = rng.choices([1, 2, 3], [75, 18, 7])[0]
        notes = [onnx_mutators_more.mutate(model, rng, onnx_mutators.graphs) for _ in range(times)]
        return {"m.onnx": model.SerializeToString(), **files}, f"{name}: {'; '.join(notes)}"

    def examine(self, bench, rng):
        np.save("x.npy", inputs.array(rng, np.float32, (2, 3, 8, 8)))
        more = rng.choice([[], [], ["--equalize"], ["--bias-correction"], ["--prune", "0.5", "--prune-block", "2x2"],
                           ["--method", "entropy"], ["--method", "mse"], ["--bits", "16"], ["--activations", "s8"],
                           ["--per-tensor"]])
        made = bench.run("quantize", "m.onnx", "--calib", "x.npy", "-o", "q.onnx", *more)
        if made.status == 0:
            check = bench.run("check", "q.onnx")
            ran = bench.run("run", "q.onnx", "--input=x.npy")
            if check.status not in (0, 4) or ran.status != check.status:
                why = launch.plain(ran.err or check.out)
                bench.defect("quantize", f"quantize 0, check {check.status}, run {ran.status}: {why}")
        return made
