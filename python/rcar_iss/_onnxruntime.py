"""Running a model as ONNX Runtime's users write it."""

from ._core import Model, RcarIssError

_TYPES = {
    "float32": "tensor(float)",
    "uint8": "tensor(uint8)",
    "int8": "tensor(int8)",
    "uint16": "tensor(uint16)",
    "int16": "tensor(int16)",
    "int32": "tensor(int32)",
    "int64": "tensor(int64)",
    "bool": "tensor(bool)",
}


class NodeArg:
    """An input or an output: `name`, `type` and `shape`."""

    def __init__(self, port):
        self.name = port.name
        self.type = _TYPES[port.dtype]
        self.shape = list(port.shape)

    def __repr__(self):
        return f"NodeArg(name={self.name!r}, type={self.type!r}, shape={self.shape})"


class InferenceSession:
    """A quantized model, compiled for a machine and run on it.

    >>> session = InferenceSession("programs/digit_cnn/model.onnx")
    >>> session.get_inputs()
    [NodeArg(name='input', type='tensor(float)', shape=[1, 1, 28, 28])]
    >>> import numpy
    >>> [scores] = session.run(None, {"input": numpy.zeros((1, 1, 28, 28), numpy.float32)})
    >>> scores.shape
    (1, 10)
    """

    def __init__(self, path_or_bytes, machine=None, *, threads=1, **options):
        self.program = Model(path_or_bytes).compile(machine, **options)
        self._session = self.program.session(threads=threads)

    def get_inputs(self):
        """The inputs, in the order of the model."""
        return [NodeArg(port) for port in self.program.inputs]

    def get_outputs(self):
        """The outputs, in the order of the model."""
        return [NodeArg(port) for port in self.program.outputs]

    def run(self, output_names, input_feed):
        """The outputs of these names as a list, all of them for `None`. Names of tensors between layers are taken, too, where
        `keep` kept them.
        """
        if isinstance(output_names, str):
            raise TypeError(f"output names are a list, like [{output_names!r}]")
        if output_names is None:
            return list(self._session.run(input_feed).values())
        found = self._session.run(input_feed, list(output_names))
        return [found[name] for name in output_names]


__all__ = ["InferenceSession", "NodeArg", "RcarIssError"]
