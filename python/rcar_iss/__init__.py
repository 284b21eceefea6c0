"""Compiles quantized ONNX networks to RCN, a modeled integer accelerator, and simulates them bit-exactly with a clock.

>>> import numpy, rcar_iss
>>> program = rcar_iss.compile("programs/digit_cnn/model.onnx", machine="rcn-s")
>>> program.inputs
[Port("input", float32, [1, 1, 28, 28])]
>>> outputs = program.session().run({"input": numpy.zeros((1, 1, 28, 28), numpy.float32)})
>>> outputs["output"].shape
(1, 10)
>>> profile = program.profile()
>>> program.cycles == sum(layer.cycles for layer in program.layers) + profile["prologue"] + profile["epilogue"]
True
"""

from ._core import (
    IllegalProgram,
    InvalidInput,
    Layer,
    Machine,
    Model,
    Port,
    Program,
    RcarIssError,
    Session,
    UnsupportedModel,
    UsageError,
    __version__,
)
from ._onnxruntime import InferenceSession, NodeArg

__all__ = [
    "IllegalProgram",
    "InferenceSession",
    "InvalidInput",
    "Layer",
    "Machine",
    "Model",
    "NodeArg",
    "Port",
    "Program",
    "RcarIssError",
    "Session",
    "UnsupportedModel",
    "UsageError",
    "compile",
    "estimate",
    "quantize",
]


def compile(model, machine=None, **options):
    """Compiles a quantized model (a path, or bytes) for a machine: `Model(model).compile(machine, **options)`.

    >>> compile("programs/digit_cnn/model.onnx")
    Program("digit_cnn", rcn-m, ... cycles)
    """
    return Model(model).compile(machine, **options)


def estimate(model, machine=None, **options):
    """Cycles of a quantized model, as a dictionary: `Model(model).estimate(machine, **options)`.

    >>> estimate("programs/digit_cnn/model.onnx", "rcn-l")["machine"]
    'rcn-l'
    """
    return Model(model).estimate(machine, **options)


def quantize(model, samples, *, threads=1, **settings):
    """The quantized model of a float network (a path, or bytes): `Model(model).quantize(samples, **settings)`.

    >>> import numpy
    >>> samples = [{"input": numpy.full((1, 1, 28, 28), n, numpy.float32)} for n in range(4)]
    >>> quantized = quantize("programs/digit_cnn/float.onnx", samples, method="mse")
    >>> quantized.compile("rcn-s").machine
    'rcn-s'
    """
    return Model(model).quantize(samples, threads=threads, **settings)
