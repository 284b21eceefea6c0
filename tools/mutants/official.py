"""The node tests of the `onnx` package that have one float input and output worth quantizing, put between quantizers."""
import warnings

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

MOST = 4096
OPSET = 21


def wrapped(case):
    """The model of a test with its first input and its outputs in 8 bits, other inputs as constants; None if it has none."""
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    floats = [np.asarray(v) for v in [inputs[0], *outputs] if getattr(v, "dtype", None) == np.float32]
    opset = max((o.version for o in case.model.opset_import if o.domain == ""), default=0)
    if len(floats) != 2 or len(outputs) != 1 or floats[0].ndim == 0 or max(f.size for f in floats) > MOST or opset > OPSET:
        return None
    if any(not isinstance(v, np.ndarray) or v.dtype.kind not in "iufb" for v in inputs[1:]):
        return None
    constants = {i.name: v for i, v in zip(graph.input[1:], inputs[1:])}
    for i, values in enumerate(floats):
        finite = values[np.isfinite(values)]
        span = max(float(finite.max(initial=0) - finite.min(initial=0)), 1e-3)
        constants[f"s{i}"], constants[f"z{i}"] = np.float32(span / 200), np.uint8(0 if values.min(initial=0) >= 0 else 128)
    x, y = graph.input[0].name, graph.output[0].name
    nodes = [helper.make_node("DequantizeLinear", ["x8", "s0", "z0"], [x]), *graph.node,
             helper.make_node("QuantizeLinear", [y, "s1", "z1"], ["y8"])]
    made = helper.make_graph(
        nodes, case.name, [helper.make_tensor_value_info("x8", TensorProto.UINT8, floats[0].shape)],
        [helper.make_tensor_value_info("y8", TensorProto.UINT8, None)],
        [*graph.initializer, *(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())])
    opsets = [helper.make_opsetid("", max(opset, 13)), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


def models():
    """Name and bytes of each; the name begins with the operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases()
    found = {}
    for case in cases:
        if case.model is None or not case.data_sets or not case.data_sets[0][0]:
            continue
        if not any(n.domain for n in case.model.graph.node):
            data = wrapped(case)
            if data is not None:
                found[f"{case.model.graph.node[0].op_type}_{case.name}"] = data
    return found
