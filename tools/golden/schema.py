#!/usr/bin/env python3
"""Writes src/onnx/schema/generated.rs: which element types every operator allows, as ONNX Runtime's registry has it.

The registry holds ONNX's own operators with all their versions (the same as `onnx.defs` of onnx 1.23) and ONNX
Runtime's. Left out: operators on sequences, optionals, maps or strings alone, and what no model holds.
A version whose signature is that of the version before it has no row.
Needs: pip install onnxruntime==1.32
"""
import pathlib

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

# By their numbers in ONNX's TensorProto.DataType.
ELEMENTS = [
    None, "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double", "uint32",
    "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
    "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2", "float6e2m3", "float6e3m2",
]
STRING = 1 << ELEMENTS.index("string")

MICROSOFT = """
    BiasGelu ConvTransposeWithDynamicPads DequantizeLinear DynamicQuantizeMatMul FastGelu FusedConv FusedGemm
    FusedMatMul GatherND Gelu Inverse MatMulInteger16 MatMulIntegerToFloat MulInteger NhwcMaxPool Pad QGemm QLinearAdd
    QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
    QLinearSigmoid QLinearSoftmax QLinearWhere QuantizeLinear QuickGelu Range ReduceSumInteger SkipLayerNormalization
    SkipSimplifiedLayerNormalization TransposeMatMul Trilu Unique
""".split()

# Made by ONNX Runtime itself, or for one of its back ends.
INTERNAL = ("Memcpy", "EfficientNMS_TRT", "MultilevelCropAndResize_TRT", "PyramidROIAlign_TRT", "DisentangledAttention_TRT")


def bits(schema, parameter):
    """The element types that a parameter allows as tensors; whether there are others beside tensors does not matter."""
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    of_tensors = [t[7:-1] for t in allowed.get(parameter.typeStr, [parameter.typeStr]) if t.startswith("tensor(")]
    return sum(1 << ELEMENTS.index(t) for t in of_tensors)


def option(parameter):
    return str(parameter.option).split(".")[-1]


class Sets:
    """Names for sets of element types."""

    def __init__(self):
        self.used = set()

    def name(self, mask):
        self.used.add(mask)
        if mask & (mask - 1) == 0:
            return ELEMENTS[mask.bit_length() - 1].upper()
        return f"S_{mask:X}"

    def lines(self):
        for mask in sorted(self.used, key=lambda m: (m & (m - 1) != 0, m)):
            names = [e for i, e in enumerate(ELEMENTS) if mask >> i & 1]
            comment = f" // {' '.join(names)}" if len(names) > 1 else ""
            yield f"const {self.name(mask)}: TypeSet = TypeSet(0x{mask:x});{comment}"


def parameter_text(schema, p, sets, least):
    kind = {"Single": "one", "Optional": "optional", "Variadic": "many"}[option(p)]
    if kind == "many":
        end = f", {least}"
        kind = "many" if p.isHomogeneous else "mixed"
    else:
        assert p.isHomogeneous, (schema.name, p.name)
        end = ""
    variable = p.typeStr.removeprefix("tensor(").removesuffix(")")
    return f'{kind}("{p.name}", "{variable}", {sets.name(bits(schema, p))}{end})'


def list_text(schema, parameters, sets, least):
    # How many a variadic parameter wants shows in the least of the whole list.
    rows = [parameter_text(schema, p, sets, max(0, least - i)) for i, p in enumerate(parameters)]
    return f"&[{', '.join(rows)}]"


def signature(schema, sets):
    if schema.deprecated:
        return "gone"
    for parameters, least, most in [(schema.inputs, schema.min_input, schema.max_input),
                                    (schema.outputs, schema.min_output, schema.max_output)]:
        variadic = any(option(p) == "Variadic" for p in parameters)
        singles = [i + 1 for i, p in enumerate(parameters) if option(p) == "Single"]
        assert most == (2**31 - 1 if variadic else len(parameters)), schema.name
        assert variadic or least == max(singles, default=0), schema.name
    inputs = list_text(schema, schema.inputs, sets, schema.min_input)
    outputs = list_text(schema, schema.outputs, sets, schema.min_output)
    return f"{inputs}, {outputs}"


def wanted(schema):
    if schema.domain == "com.microsoft":
        named = schema.name in MICROSOFT
    else:
        named = schema.domain == "" and not schema.name.startswith(INTERNAL)
    parameters = [*schema.inputs, *schema.outputs]
    tensors = all(bits(schema, p) for p in parameters)
    return named and tensors and not (schema.inputs and bits(schema, schema.inputs[0]) == STRING)


def table(schemas, sets):
    before = {}
    for schema in sorted(schemas, key=lambda s: (s.name, s.since_version)):
        text = signature(schema, sets)
        if before.get(schema.name) == text:
            continue
        before[schema.name] = text
        if text == "gone":
            yield f'    gone("{schema.name}", {schema.since_version}),'
        else:
            yield f'    operator("{schema.name}", {schema.since_version}, {text}),'


def main():
    schemas = [s for s in state.get_all_operator_schema() if wanted(s)]
    sets = Sets()
    tables = []
    for domain, constant in [("", "ONNX"), ("com.microsoft", "MICROSOFT")]:
        rows = table([s for s in schemas if s.domain == domain], sets)
        tables += ["", f"pub(super) const {constant}: &[Signature] = &[", *rows, "];"]
    head = [
        f"// Generated by tools/golden/schema.py from the registry of onnxruntime {ort.__version__}.",
        "",
        "use super::signature::{Signature, TypeSet, gone, many, mixed, one, operator, optional};",
        "",
    ]
    path = pathlib.Path(__file__).resolve().parents[2] / "src/onnx/schema/generated.rs"
    path.write_text("\n".join([*head, *sets.lines(), *tables]) + "\n")


main()
