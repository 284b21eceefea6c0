"""More structural changes of ONNX models: names, inputs and outputs, versions, subgraphs, functions."""
from onnx import helper

from onnx_mutators import MUTATORS, mutator, names, some
from values import INTEGERS, NAMES, small


@mutator
def rename(_, graph, rng):
    """One value gets another name everywhere."""
    old = some(rng, names(graph))
    if old is None:
        return None
    new = rng.choice([*NAMES, *names(graph)])
    for node in graph.node:
        for list_ in (node.input, node.output):
            for i, name in enumerate(list_):
                if name == old:
                    list_[i] = new
    for value in [*graph.input, *graph.output, *graph.initializer, *graph.value_info]:
        if value.name == old:
            value.name = new
    return f"a value named {new[:20]!r}"


@mutator
def inputs(_, graph, rng):
    way = rng.choice(["none", "twice", "more", "constant", "order", "gone"])
    if way == "none":
        graph.ClearField("input")
    elif way == "twice" and graph.input:
        graph.input.add().CopyFrom(rng.choice(graph.input))
    elif way == "constant" and graph.initializer:
        tensor = rng.choice(graph.initializer)
        graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        if rng.random() < 0.5:
            graph.initializer.remove(tensor)
    elif way == "gone" and graph.initializer:
        graph.initializer.pop(rng.randrange(len(graph.initializer)))
    elif way == "order" and graph.initializer:
        graph.initializer.add().CopyFrom(rng.choice(graph.initializer))
    else:
        shape = [small(rng) for _ in range(rng.randrange(5))]
        graph.input.append(helper.make_tensor_value_info("more", rng.randrange(17), shape))
    return f"inputs: {way}"


@mutator
def outputs(_, graph, rng):
    way = rng.choice(["none", "twice", "inner", "inner", "unknown"])
    if way == "none":
        graph.ClearField("output")
    elif way == "twice" and graph.output:
        graph.output.add().CopyFrom(rng.choice(graph.output))
    elif way == "inner" and names(graph):
        graph.output.add(name=rng.choice(names(graph)))
    else:
        graph.output.add(name=rng.choice(NAMES))
    return f"outputs: {way}"


@mutator
def versions(model, _, rng):
    way = rng.randrange(5)
    if way == 0:
        model.ir_version = rng.choice(INTEGERS)
    elif way == 1:
        model.ClearField("opset_import")
    elif way == 2:
        model.opset_import.add(domain=rng.choice(["", "ai.onnx", "com.microsoft", "x"]), version=rng.choice(INTEGERS))
    elif model.opset_import:
        at = rng.choice(model.opset_import)
        at.version = rng.randrange(1, 27) if rng.random() < 0.7 else rng.choice(INTEGERS)
    return f"versions, way {way}"


@mutator
def branch(_, graph, rng):
    """A node goes into a branch of an If, or into branches in branches."""
    if not graph.node:
        return None
    at = rng.randrange(len(graph.node))
    node = graph.node[at]
    if not node.output or not node.output[0]:
        return None
    depth = rng.choice([1, 1, 2, 30, 300])
    inner = node
    for i in range(depth):
        result = [helper.make_value_info(inner.output[0], None)]
        body = helper.make_graph([inner], f"g{i}", [], result)
        other = body if depth < 5 else helper.make_graph([], "empty", [], [])
        condition = rng.choice([*names(graph), "", "unknown"])
        outside = helper.make_node(rng.choice(["If", "If", "If", "Loop", "Scan"]), [condition], [f"{inner.output[0]}_"])
        outside.attribute.append(helper.make_attribute("then_branch" if outside.op_type == "If" else "body", body))
        if outside.op_type == "If":
            outside.attribute.append(helper.make_attribute("else_branch", other))
        inner = outside
    inner.output[0] = node.output[0]
    graph.node[at].CopyFrom(inner)
    return f"a node in {depth} branches"


@mutator
def function(model, graph, rng):
    """A node becomes a call of a function of the model, which may call itself."""
    node = some(rng, graph.node)
    if node is None:
        return None
    made = model.functions.add(name="F", domain="f")
    made.input.extend(node.input)
    made.output.extend(node.output)
    made.node.add().CopyFrom(node)
    made.opset_import.extend(model.opset_import)
    if rng.random() < 0.7:
        model.opset_import.add(domain="f", version=1)
    if rng.random() < 0.3:
        made.node[0].op_type, made.node[0].domain = "F", "f"
    node.op_type, node.domain = "F", "f"
    return "a node in a function"


@mutator
def constant_node(_, graph, rng):
    """An initializer becomes a Constant node, or one that says its value in another way."""
    tensor = some(rng, graph.initializer)
    if tensor is None:
        return None
    way = rng.choice(["value", "value", "value_int", "value_ints", "value_float", "value_floats", "value_string", None])
    node = helper.make_node("Constant", [], [tensor.name])
    given = {"value": tensor, "value_int": small(rng), "value_ints": [1, 2], "value_float": 0.5, "value_floats": [0.5],
             "value_string": "x"}
    if way:
        node.attribute.append(helper.make_attribute(way, given[way]))
    graph.initializer.remove(tensor)
    graph.node.insert(0, node)
    return f"Constant with {way}"


@mutator
def sparse(_, graph, rng):
    tensor = some(rng, graph.initializer)
    if tensor is None:
        return None
    made = graph.sparse_initializer.add()
    made.values.CopyFrom(tensor)
    made.dims.extend(tensor.dims)
    made.indices.data_type = 7
    graph.initializer.remove(tensor)
    return "sparse initializer"


def mutate(model, rng, graphs):
    """One change of a model, somewhere in it, and what it was."""
    for _ in range(20):
        graph = rng.choice(list(graphs(model.graph)))
        change = rng.choice(MUTATORS)
        try:
            note = change(model, graph, rng)
        except (TypeError, ValueError, OverflowError):
            continue  # What protobuf cannot hold is no mutant.
        if note:
            return f"{change.__name__}: {note}"
    return "nothing"
