"""Models that mutants are made of: those of tests/golden/operators, the digit classifier, and some made here for what these
lack (host layers, branches, shape arithmetic, named extents, two inputs, several layers, constants in another file)."""
import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "operators"
PROGRAMS = ROOT / "programs"
OUTSIDE = "w.bin"  # The file of constants outside of models.
U8 = TensorProto.UINT8


def golden(name):
    """The path of an operator's model, whatever family it is in."""
    [path] = GOLDEN.rglob(f"{name}.onnx")
    return str(path)


def outside():
    """What the file of constants holds."""
    return np.random.default_rng(5).integers(-128, 128, 5000).astype(np.int8).tobytes()


def node(op, inputs, outputs, **attributes):
    domain = attributes.pop("domain", "")
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"n_{outputs.split()[0]}", domain=domain, **attributes)


def dq(name, **attributes):
    return node("DequantizeLinear", f"{name} s z", f"{name}_r", **attributes)


def q(name):
    return node("QuantizeLinear", f"{name} s z", f"{name}_q")


def model(nodes, shape, constants=None, inputs=None, outputs=(("y", None),), opset=17):
    """A model with input `x` of u8, scale `s` and zero point `z`."""
    constants = {"s": np.float32(0.03125), "z": np.uint8(100), **(constants or {})}
    graph = helper.make_graph(
        nodes, "g", inputs or [helper.make_tensor_value_info("x", U8, shape)],
        [helper.make_tensor_value_info(name, kind or U8, None) for name, kind in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def one(op, shape, constants=None, more="", **attributes):
    """A float operator between quantizers."""
    nodes = [dq("x"), node(op, f"x_r {more}", "t", **attributes), node("QuantizeLinear", "t s z", "y")]
    return model(nodes, shape, constants)


def branches(condition):
    """An If between quantizers: x + x or x * x."""
    sides = []
    for name, op in [("then", "Add"), ("else", "Mul")]:
        result = [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)]
        sides.append(helper.make_graph([node(op, "x_r x_r", f"{name}_y")], name, [], result))
    nodes = [dq("x"), node("Shape", "x", "shape"), node("Gather", "shape k", "one"), node("Equal", "one k", "c"),
             node("If", condition, "t", then_branch=sides[0], else_branch=sides[1]), node("QuantizeLinear", "t s z", "y")]
    return model(nodes, (1, 4, 5), {"k": np.int64(1), "yes": np.array(True)})


def chain():
    """Convolution, pool, sum with itself, product with a matrix, softmax; u8 activations, s8 weights."""
    rng = np.random.default_rng(1)
    constants = {
        "w": rng.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8), "sw": rng.uniform(0.001, 0.01, 8).astype(np.float32),
        "zw": np.zeros(8, np.int8), "b": rng.integers(-3000, 3000, 8).astype(np.int32),
        "sb": np.full(8, 0.0002, np.float32), "zb": np.zeros(8, np.int32), "shape": np.array([1, -1], np.int64),
        "m": rng.integers(-127, 128, (72, 10)).astype(np.int8), "sm": np.float32(0.01), "zm": np.int8(0)}
    nodes = [dq("x"), node("DequantizeLinear", "w sw zw", "w_r", axis=0), node("DequantizeLinear", "b sb zb", "b_r", axis=0),
             node("Conv", "x_r w_r b_r", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "r"), q("r"), dq("r_q"),
             node("MaxPool", "r_q_r", "p", kernel_shape=[2, 2], strides=[2, 2]), q("p"), dq("p_q"),
             node("Add", "p_q_r p_q_r", "a"), q("a"), dq("a_q"), node("Reshape", "a_q_r shape", "f"),
             node("DequantizeLinear", "m sm zm", "m_r"), node("MatMul", "f m_r", "u"), q("u"), dq("u_q"),
             node("Softmax", "u_q_r", "soft", axis=-1), node("QuantizeLinear", "soft s z", "y")]
    return model(nodes, (1, 3, 6, 6), constants)


def outside_model():
    """A QLinearMatMul with its matrix outside."""
    made = model([node("QLinearMatMul", "x s z w s zw s z", "y")], (3, 37), {"w": np.zeros((37, 19), np.int8), "zw": np.int8(0)})
    tensor = next(t for t in made.graph.initializer if t.name == "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in [("location", OUTSIDE), ("offset", "64"), ("length", str(37 * 19))]:
        tensor.external_data.add(key=key, value=value)
    return made


def made():
    """Name and bytes of the models that are made here."""
    f = np.float32
    two = [helper.make_tensor_value_info("a", U8, (2, 5)), helper.make_tensor_value_info("b", U8, (5, 3))]
    models = {
        "host_layernorm": one("LayerNormalization", (2, 3, 8), {"g": np.ones(8, f)}, "g"),
        "host_topk": model([dq("x"), node("TopK", "x_r k", "t i"), node("QuantizeLinear", "t s z", "y")], (2, 9),
                           {"k": np.array([3], np.int64)}, outputs=(("y", None), ("i", TensorProto.INT64))),
        "host_cumsum": one("CumSum", (2, 9), {"k": np.array(1, np.int64)}, "k"),
        "host_lstm": one("LSTM", (4, 1, 3), {"w": np.ones((1, 8, 3), f), "r": np.ones((1, 8, 2), f)}, "w r", hidden_size=2),
        "host_einsum": one("Einsum", (3, 4), {}, "x_r", equation="ij,kj->ik"),
        "branch_known": branches("yes"),
        "branch_of_shape": branches("c"),
        "chain": chain(),
        "outside": outside_model(),
        "two_inputs": model([node("QLinearMatMul", "a s z b s z s z", "y")], None, inputs=two),
        "named_extents": model([dq("x"), node("Relu", "x_r", "t"), node("QuantizeLinear", "t s z", "y")], ("N", 4)),
        "shape_arithmetic": model(
            [node("Shape", "x", "h"), node("Slice", "h k0 k1", "n"), node("Mul", "n k2", "m"),
             node("Concat", "m k3", "k", axis=0), node("Reshape", "x k", "y")], (4, 6),
            {"k0": np.array([0]), "k1": np.array([1]), "k2": np.array([2]), "k3": np.array([-1])}),
        "function_of_float": model([node("Sigmoid", "x", "t"), node("Mul", "x t", "u"), node("QuantizeLinear", "u s z", "y")],
                                   None, inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 8))]),
        "real_output": model([node("QLinearAdd", "x s z x s z s z", "t", domain="com.microsoft"), dq("t")], (2, 8),
                             outputs=(("t_r", TensorProto.FLOAT),)),
        "dynamic": model([node("DynamicQuantizeLinear", "x", "y sy zy")], None,
                         inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 8))]),
    }
    return {name: m.SerializeToString() for name, m in models.items()}


def models():
    """Name and bytes of every seed; small ones come more often by their number."""
    found = {path.stem: path.read_bytes() for path in sorted(GOLDEN.rglob("*.onnx"), key=lambda p: p.name)}
    for name in ["model", "qdq_sym"]:
        found[f"digit_{name}"] = (PROGRAMS / "digit_cnn" / f"{name}.onnx").read_bytes()
    for name, data in made().items():
        for i in range(8):
            found[f"{name}.{i}"] = data
    return found
