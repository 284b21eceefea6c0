"""Networks with 8-bit inputs and outputs: a vendor's figure has no conversion from and to float on the accelerator."""
import onnx


def integer(model):
    """Take away the QuantizeLinear that alone reads an input, and the DequantizeLinear that makes an output."""
    graph = model.graph
    constants = {c.name: c for c in graph.initializer}
    for value in graph.input:
        readers = [n for n in graph.node if value.name in n.input]
        if len(readers) == 1 and readers[0].op_type == "QuantizeLinear" and len(readers[0].input) == 3:
            value.name = readers[0].output[0]
            value.type.tensor_type.elem_type = constants[readers[0].input[2]].data_type
            graph.node.remove(readers[0])
    for value in graph.output:
        maker = next(n for n in graph.node if value.name in n.output)
        read = any(value.name in n.input for n in graph.node)
        if maker.op_type == "DequantizeLinear" and not read and len(maker.input) == 3:
            value.name = maker.input[0]
            value.type.tensor_type.elem_type = constants[maker.input[2]].data_type
            graph.node.remove(maker)
    return model


def made_integer(source, target):
    onnx.save(integer(onnx.load(source)), target)
