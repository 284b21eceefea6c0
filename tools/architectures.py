#!/usr/bin/env python3
"""Quantize small networks built like those of torchvision and timm, and hold them against ONNX Runtime's quantizer.

usage: architectures.py RCAR_ISS [--write FOLDER] [NAME...]

Each network has the blocks of an architecture at a small size, as PyTorch exports them (constants in nodes, shapes by Shape and
Gather, normalization and GELU taken apart as before opset 17), with random weights. Calibration inputs are smooth noise; batch
normalization has the statistics of what it reads. For each network it says:
  ours, theirs   signal to quantization noise at the outputs, in dB, of `rcar-iss quantize` and of quantize_static: min-max, u8
                 activations, weights per channel, the same inputs; both models are run by ONNX Runtime
  steps          how far rcar-iss and ONNX Runtime are apart on the model of rcar-iss, in steps of the output
  without MACs   the largest share of cycles of a layer that has no products, and its name
and ends with 1 if one is refused, is more than 1 dB below, or is more than one step from ONNX Runtime where that computes
integers.

Needs: numpy, onnx, onnxruntime
"""
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

f = np.float32
ALL = {}


class Net:
    """A graph under construction. Values are names; operators return the name of their result."""

    def __init__(self, name, shape=(1, 3, 32, 32)):
        self.rng = np.random.default_rng(abs(hash_of(name)))
        self.name, self.shape, self.nodes, self.weights, self.outputs = name, shape, [], [], []
        self.known = {"x": tuple(shape)}

    def weight(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        self.known[name] = np.asarray(values).shape
        return name

    def op(self, op, *inputs, outputs=1, **attributes):
        names = [i if isinstance(i, str) else self.weight(i) for i in inputs]
        out = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, names, out, name=f"/{op}_{len(self.nodes)}", **attributes))
        return out[0] if outputs == 1 else out

    def shape_of(self, x):
        """What a value's shape is, by ONNX's own inference."""
        if x not in self.known:
            model = onnx.shape_inference.infer_shapes(self.model([x]), data_prop=True)
            dims = model.graph.output[0].type.tensor_type.shape.dim
            self.known[x] = tuple(d.dim_value for d in dims)
        return self.known[x]

    def model(self, outputs):
        graph = helper.make_graph(
            self.nodes, self.name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    # layers
    def conv(self, x, out, k=3, s=1, groups=1, bias=True, pad=None, dilation=1, bn=False, act=None, **more):
        kh, kw = (k, k) if isinstance(k, int) else k
        c = self.shape_of(x)[1]
        w = self.rng.normal(0, (2 / (c // groups * kh * kw)) ** 0.5, (out, c // groups, kh, kw)).astype(f)
        inputs = [x, w] + ([self.rng.normal(0, 0.1, out).astype(f)] if bias and not bn else [])
        pads = [dilation * (kh - 1) // 2, dilation * (kw - 1) // 2] * 2 if pad is None else pad
        y = self.op("Conv", *inputs, kernel_shape=[kh, kw], strides=[s, s], pads=pads, group=groups, dilations=[dilation] * 2, **more)
        return self.act(self.bn(y) if bn else y, act)

    def bn(self, x):
        c = self.shape_of(x)[1]
        r = self.rng
        return self.op("BatchNormalization", x, r.uniform(0.5, 1.5, c).astype(f), r.normal(0, 0.2, c).astype(f),
                       r.normal(0, 0.3, c).astype(f), r.uniform(0.5, 1.5, c).astype(f))

    def act(self, x, act):
        if act in (None, ""):
            return x
        if act == "relu6":
            return self.op("Clip", x, np.array(0, f), np.array(6, f))
        if act == "silu":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if act == "gelu":
            t = self.op("Add", self.op("Erf", self.op("Div", x, np.array(2**0.5, f))), np.array(1, f))
            return self.op("Mul", self.op("Mul", x, t), np.array(0.5, f))
        if act == "gelu_tanh":
            cube = self.op("Mul", self.op("Pow", x, np.array(3, f)), np.array(0.044715, f))
            t = self.op("Tanh", self.op("Mul", self.op("Add", x, cube), np.array((2 / np.pi) ** 0.5, f)))
            return self.op("Mul", self.op("Mul", x, self.op("Add", t, np.array(1, f))), np.array(0.5, f))
        if act == "leaky":
            return self.op("LeakyRelu", x, alpha=0.1)
        if act == "celu":
            return self.op("Celu", x, alpha=1.0)
        if act == "hsigmoid":
            return self.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)
        names = {"relu": "Relu", "hswish": "HardSwish", "sigmoid": "Sigmoid", "elu": "Elu", "selu": "Selu", "tanh": "Tanh", "mish": None}
        if act == "mish":
            return self.op("Mul", x, self.op("Tanh", self.op("Softplus", x)))
        return self.op(names[act], x)

    def linear(self, x, out, bias=True, act=None):
        k = self.shape_of(x)[-1]
        y = self.op("MatMul", x, self.rng.normal(0, k**-0.5, (k, out)).astype(f))
        return self.act(self.op("Add", self.rng.normal(0, 0.2, out).astype(f), y) if bias else y, act)

    def gemm(self, x, out, act=None):
        k = self.shape_of(x)[-1]
        y = self.op("Gemm", x, self.rng.normal(0, k**-0.5, (out, k)).astype(f), self.rng.normal(0, 0.1, out).astype(f), transB=1)
        return self.act(y, act)

    def ln(self, x, whole=True):
        c = self.shape_of(x)[-1]
        g, b = self.rng.uniform(0.7, 1.3, c).astype(f), self.rng.normal(0, 0.1, c).astype(f)
        if whole:
            return self.op("LayerNormalization", x, g, b, axis=-1, epsilon=1e-6)
        d = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1], keepdims=1))
        v = self.op("ReduceMean", self.op("Pow", d, np.array(2, f)), axes=[-1], keepdims=1)
        y = self.op("Div", d, self.op("Sqrt", self.op("Add", v, np.array(1e-5, f))))
        return self.op("Add", self.op("Mul", y, g), b)

    def add(self, a, b):
        return self.op("Add", a, b)

    def reshape(self, x, *shape):
        return self.op("Reshape", x, np.array(shape, np.int64))

    def turn(self, x, *perm):
        return self.op("Transpose", x, perm=list(perm))

    def pool(self, x, k=3, s=2, pad=1, kind="MaxPool"):
        return self.op(kind, x, kernel_shape=[k, k], strides=[s, s], pads=[pad] * 4)

    def se(self, x, part=4, gate="sigmoid", mean="GlobalAveragePool", act="relu"):
        c = self.shape_of(x)[1]
        y = self.op("GlobalAveragePool", x) if mean == "GlobalAveragePool" else self.op("ReduceMean", x, axes=[2, 3], keepdims=1)
        return self.op("Mul", x, self.act(self.conv(self.conv(y, max(c // part, 4), 1, act=act), c, 1), gate))

    def head(self, x, classes=40):
        return self.gemm(self.op("Flatten", self.op("GlobalAveragePool", x), axis=1), classes)

    def tokens(self, x):
        b, c, h, w = self.shape_of(x)
        return self.turn(self.reshape(x, b, c, h * w), 0, 2, 1)

    def image(self, x, h, w):
        b, _, c = self.shape_of(x)
        return self.reshape(self.turn(x, 0, 2, 1), b, c, h, w)

    def attention(self, x, heads=2, qkv="one", bias=None, mask=None, cosine=False, talk=False, softmax=True):
        b, n, c = self.shape_of(x)
        d = c // heads
        if qkv == "one":
            y = self.turn(self.reshape(self.linear(x, 3 * c), b, n, 3, heads, d), 2, 0, 3, 1, 4)
            q, k, v = [self.op("Gather", y, np.array(i, np.int64), axis=0) for i in range(3)]
        else:
            q, k, v = [self.turn(self.reshape(self.linear(x, c), b, n, heads, d), 0, 2, 1, 3) for _ in range(3)]
        if cosine:
            q, k = [self.op("Div", t, self.op("Clip", self.op("ReduceL2", t, axes=[-1], keepdims=1), np.array(1e-6, f), np.array(1e6, f))) for t in (q, k)]
            s = self.op("Mul", self.op("MatMul", q, self.turn(k, 0, 1, 3, 2)), np.full((heads, 1, 1), 10, f))
        else:
            s = self.op("MatMul", self.op("Mul", q, np.array(d**-0.5, f)), self.turn(k, 0, 1, 3, 2))
        if bias:
            s = self.op("Add", s, self.rng.normal(0, 0.5, (1, heads, n, n)).astype(f))
        if mask is not None:
            w = mask.shape[0]
            s = self.reshape(s, b // w, w, heads, n, n)
            s = self.reshape(self.op("Add", s, mask[None, :, None]), b, heads, n, n)
        if talk:
            mix = lambda t: self.turn(self.linear(self.turn(t, 0, 2, 3, 1), heads), 0, 3, 1, 2)
            s = mix(s)
        s = self.op("Softmax", s, axis=-1) if softmax else s
        s = mix(s) if talk else s
        y = self.reshape(self.turn(self.op("MatMul", s, v), 0, 2, 1, 3), b, n, c)
        return self.linear(y, c)

    def mlp(self, x, part=2, act="gelu"):
        c = self.shape_of(x)[-1]
        return self.linear(self.linear(x, part * c, act=act), c)

    def block(self, x, act="gelu", scale=False, whole=True, **how):
        c = self.shape_of(x)[-1]
        s = (lambda t: self.op("Mul", t, self.rng.uniform(0.2, 0.8, c).astype(f))) if scale else (lambda t: t)
        x = self.add(x, s(self.attention(self.ln(x, whole), **how)))
        return self.add(x, s(self.mlp(self.ln(x, whole), act=act)))

    def classify(self, x, classes=40):
        return self.gemm(self.op("ReduceMean", self.ln(x), axes=[1], keepdims=0), classes)


def hash_of(text):
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def network(*names, **variants):
    def register(build):
        for name in names:
            ALL[name] = (build, variants.get(name, {}))
        return build
    return register


@network("resnet18", "resnet50", "resnext50", "wide_resnet50", "resnet18_d", "seresnet50", "ecaresnet50", "skresnet18",
         resnet50=dict(wide=4), resnext50=dict(wide=4, groups=4), wide_resnet50=dict(wide=4, inner=2), resnet18_d=dict(stem=True),
         seresnet50=dict(wide=4, se=True), ecaresnet50=dict(wide=4, eca=True), skresnet18=dict(sk=True))
def resnet(n, wide=1, groups=1, inner=1, stem=False, se=False, eca=False, sk=False):
    x = n.conv("x", 16, 3, 2, bn=True, act="relu")
    x = n.conv(x, 16, 3, bn=True, act="relu") if stem else n.pool(x)
    for c, s in ((16, 1), (24, 2), (32, 2)):
        y = n.conv(x, c * inner, 1 if wide > 1 else 3, 1 if wide > 1 else s, bn=True, act="relu")
        if sk:
            parts = [n.conv(y, c, 3, 1, bn=True, act="relu"), n.conv(y, c, 3, 1, dilation=2, bn=True, act="relu")]
            b, _, h, w = n.shape_of(parts[0])
            both = n.op("Concat", *[n.op("Unsqueeze", p, np.array([1])) for p in parts], axis=1)
            sums = n.op("ReduceMean", n.op("ReduceSum", both, np.array([1]), keepdims=0), axes=[2, 3], keepdims=1)
            a = n.reshape(n.conv(n.conv(sums, 8, 1, bn=True, act="relu"), 2 * c, 1), b, 2, c, 1, 1)
            y = n.op("ReduceSum", n.op("Mul", both, n.op("Softmax", a, axis=1)), np.array([1]), keepdims=0)
        elif wide > 1:
            y = n.conv(n.conv(y, c * inner, 3, s, groups, bn=True, act="relu"), c * wide, 1, bn=True)
        else:
            y = n.conv(y, c, 3, 1, bn=True)
        if se:
            y = n.se(y)
        if eca:
            b, k, _, _ = n.shape_of(y)
            a = n.reshape(n.op("GlobalAveragePool", y), b, 1, k)
            a = n.op("Conv", a, n.rng.normal(0, 1, (1, 1, 3)).astype(f), kernel_shape=[3], pads=[1, 1])
            y = n.op("Mul", y, n.op("Expand", n.reshape(n.act(a, "sigmoid"), b, k, 1, 1), np.array(n.shape_of(y))))
        same = n.shape_of(y) == n.shape_of(x)
        if not same:
            if stem:
                x = n.op("AveragePool", x, kernel_shape=[2, 2], strides=[s, s], ceil_mode=1, count_include_pad=0) if s > 1 else x
                x = n.conv(x, n.shape_of(y)[1], 1, 1, bn=True)
            else:
                x = n.conv(x, n.shape_of(y)[1], 1, s, bn=True)
        x = n.act(n.add(y, x), "relu")
    return n.head(x)


@network("resnest14", "resnest26", resnest26=dict(groups=2))
def resnest(n, groups=1, radix=2):
    x = n.pool(n.conv("x", 16, 3, 2, bn=True, act="relu"))
    for c in (16, 16):
        y = n.conv(x, c * radix, 3, groups=groups * radix, bn=True, act="relu")
        b, _, h, w = n.shape_of(y)
        parts = n.reshape(y, b, radix, c, h, w)
        gap = n.op("ReduceMean", n.op("ReduceSum", parts, np.array([1]), keepdims=0), axes=[2, 3], keepdims=1)
        a = n.conv(n.conv(gap, 8, 1, groups=groups, bn=True, act="relu"), c * radix, 1, groups=groups)
        a = n.op("Softmax", n.turn(n.reshape(a, b, groups, radix, c // groups), 0, 2, 1, 3), axis=1)
        a = n.reshape(n.reshape(a, b, c * radix, 1, 1), b, radix, c, 1, 1)
        y = n.op("ReduceSum", n.op("Mul", parts, a), np.array([1]), keepdims=0)
        x = n.act(n.add(n.conv(y, 16, 1, bn=True), x), "relu")
    return n.head(x)


@network("vgg11", "vgg11_bn", "alexnet", vgg11_bn=dict(bn=True), alexnet=dict(large=True))
def vgg(n, bn=False, large=False):
    x = "x"
    for c in (16, 24, 32):
        x = n.pool(n.conv(x, c, 5 if large else 3, bn=bn, act="relu"), 2, 2, 0)
    x = n.op("Dropout", n.op("Flatten", n.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])))
    return n.gemm(n.gemm(x, 32, act="relu"), 40)


@network("mobilenet_v2", "mobilenet_v3", "mnasnet", "efficientnet_b0", "efficientnet_lite0", "fbnet", "mixnet", "tf_efficientnet",
         mobilenet_v3=dict(act="hswish", se="hsigmoid"), mnasnet=dict(act="relu"), efficientnet_b0=dict(act="silu", se="sigmoid"),
         fbnet=dict(act="relu", k=5), mixnet=dict(act="silu", se="sigmoid", mixed=True), tf_efficientnet=dict(act="silu", se="sigmoid", same=True))
def mobilenet(n, act="relu6", se=None, k=3, mixed=False, same=False):
    x = n.conv("x", 16, 3, 2, bn=True, act=act)
    for c, s, e in ((16, 1, 1), (24, 2, 4), (24, 1, 4), (32, 2, 4)):
        y = n.conv(x, n.shape_of(x)[1] * e, 1, bn=True, act=act) if e > 1 else x
        m = n.shape_of(y)[1]
        if mixed:
            parts = n.op("Split", y, np.array([m // 2, m - m // 2]), axis=1, outputs=2)
            y = n.act(n.bn(n.op("Concat", *[n.conv(p, n.shape_of(p)[1], kk, s, n.shape_of(p)[1], bias=False) for p, kk in zip(parts, (3, 5))], axis=1)), act)
        elif same and s == 2:
            # extents of "same" padding are computed from shapes, as floats
            size = n.op("Cast", n.op("Gather", n.op("Shape", y), np.array(2)), to=1)
            steps = n.op("Ceil", n.op("Div", size, np.array(2, f)))
            total = n.op("Sub", n.op("Add", n.op("Mul", n.op("Sub", steps, np.array(1, f)), np.array(2, f)), np.array(3, f)), size)
            total = n.op("Cast", n.op("Clip", total, np.array(0, f)), to=7)
            before = n.op("Div", total, np.array(2))
            after = n.op("Unsqueeze", n.op("Sub", total, before), np.array([0]))
            before = n.op("Unsqueeze", before, np.array([0]))
            y = n.op("Pad", y, n.op("Concat", np.array([0, 0]), before, before, np.array([0, 0]), after, after, axis=0))
            h, w = n.shape_of(x)[2:]
            n.known[y] = (1, m, h + 1, w + 1)
            y = n.conv(y, m, 3, s, m, bn=True, act=act, pad=[0] * 4)
            n.known[y] = (1, m, h // 2, w // 2)
        else:
            y = n.conv(y, m, k, s, m, bn=True, act=act)
        y = n.conv(n.se(y, gate=se, mean="ReduceMean", act="relu" if act == "hswish" else act) if se else y, c, 1, bn=True)
        x = n.add(x, y) if n.shape_of(x) == n.shape_of(y) else y
    return n.head(n.conv(x, 48, 1, bn=True, act=act))


@network("shufflenet_v2", "shufflenet_v1", shufflenet_v1=dict(groups=2))
def shufflenet(n, groups=0):
    x = n.pool(n.conv("x", 16, 3, 2, bn=True, act="relu"))
    for _ in range(2):
        b, c, h, w = n.shape_of(x)
        shuffle = lambda t, g: n.reshape(n.turn(n.reshape(t, b, g, c // g, h, w), 0, 2, 1, 3, 4), b, c, h, w)
        if groups:
            y = shuffle(n.conv(x, c, 1, groups=groups, bn=True, act="relu"), groups)
            x = n.act(n.add(x, n.conv(n.conv(y, c, 3, groups=c, bn=True), c, 1, groups=groups, bn=True)), "relu")
        else:
            a, y = n.op("Split", x, np.array([c // 2, c // 2]), axis=1, outputs=2)
            y = n.conv(n.conv(n.conv(y, c // 2, 1, bn=True, act="relu"), c // 2, 3, groups=c // 2, bn=True), c // 2, 1, bn=True, act="relu")
            x = shuffle(n.op("Concat", a, y, axis=1), 2)
    return n.op("Identity", n.gemm(n.op("ReduceMean", x, axes=[2, 3], keepdims=0), 40))


@network("densenet121", "dpn68", "squeezenet", "googlenet", "inception_v3", "res2net50", "hrnet", "dla34", "ghostnet", "repvgg", "darknet53", "cspresnet50")
def several(n):
    x = n.conv("x", 16, 3, 2, bn=True, act="leaky" if n.name.startswith(("darknet", "csp")) else "relu")
    kind = n.name
    for _ in range(2):
        c = n.shape_of(x)[1]
        cbr = lambda t, out, k=1, **more: n.conv(t, out, k, bn=True, act="relu", **more)
        if kind == "densenet121":
            y = n.act(n.bn(x), "relu")
            x = n.op("Concat", x, n.conv(cbr(y, 16), 8, 3, bias=False), axis=1)
        elif kind == "dpn68":
            y = n.conv(cbr(x, 16), 24, 3, groups=4)
            keep, more = n.op("Split", y, np.array([16, 8]), axis=1, outputs=2)
            first = n.op("Slice", x, np.array([0]), np.array([16]), np.array([1]))
            rest = [n.op("Slice", x, np.array([16]), np.array([c]), np.array([1]))] if c > 16 else []
            x = n.op("Concat", n.add(first, keep), *rest, more, axis=1)
        elif kind == "squeezenet":
            s = n.conv(x, 8, 1, act="relu")
            x = n.op("Concat", n.conv(s, 16, 1, act="relu"), n.conv(s, 16, 3, act="relu"), axis=1)
        elif kind in ("googlenet", "inception_v3"):
            parts = [cbr(x, 8), cbr(cbr(x, 8), 12, 3), cbr(n.pool(x, 3, 1, 1, "MaxPool" if kind == "googlenet" else "AveragePool"), 8)]
            parts.append(cbr(cbr(x, 8, (1, 7)), 8, (7, 1)) if kind == "inception_v3" else cbr(cbr(x, 4), 8, 5))
            x = n.op("Concat", *parts, axis=1)
        elif kind == "res2net50":
            parts = n.op("Split", cbr(x, 16), np.array([4] * 4), axis=1, outputs=4)
            done = [parts[0]]
            for p in parts[1:]:
                done.append(cbr(n.add(done[-1], p), 4, 3))
            x = n.act(n.add(x, n.conv(n.op("Concat", *done, axis=1), c, 1, bn=True)), "relu")
        elif kind == "hrnet":
            low = n.conv(x, 16, 3, 2, bn=True, act="relu")
            up = n.op("Resize", n.conv(low, c, 1, bn=True), "", np.array([1, 1, 2, 2], f), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            x = n.act(n.add(n.conv(x, c, 3, bn=True), up), "relu")
        elif kind == "dla34":
            a = cbr(x, c, 3)
            x = n.act(n.add(cbr(n.op("Concat", a, cbr(a, c, 3), axis=1), c), x), "relu")
        elif kind == "ghostnet":
            a = cbr(x, 8)
            x = n.add(x, n.op("Concat", a, cbr(a, 8, 3, groups=8), axis=1)) if c == 16 else cbr(x, 16)
        elif kind == "repvgg":
            x = n.act(n.add(n.add(n.conv(x, c, 3, bn=True), n.conv(x, c, 1, bn=True)), n.bn(x)), "relu")
        elif kind == "darknet53":
            x = n.add(x, n.conv(n.conv(x, 8, 1, bn=True, act="leaky"), c, 3, bn=True, act="leaky"))
        else:
            a, b = n.conv(x, 8, 1, bn=True, act="leaky"), n.conv(x, 8, 1, bn=True, act="leaky")
            x = n.conv(n.op("Concat", n.add(b, n.conv(b, 8, 3, bn=True, act="leaky")), a, axis=1), c, 1, bn=True, act="leaky")
    return n.head(x)


@network("nfnet_f0", "resnetv2_bit", nfnet_f0=dict(act="gelu"), resnetv2_bit=dict(act="relu", group=True))
def standardized(n, act="relu", group=False):
    """Weights are standardized by a BatchNormalization in training mode, as the exporter leaves it."""
    def conv(x, out, k=3):
        c = n.shape_of(x)[1]
        w = n.rng.normal(0, 0.2, (out, c, k, k)).astype(f)
        flat = n.weight(w.reshape(1, out, -1))
        w = n.op("BatchNormalization", flat, n.rng.uniform(0.5, 1.5, out).astype(f) * (c * k * k) ** -0.5, np.zeros(out, f), np.zeros(out, f),
                 np.ones(out, f), outputs=3, training_mode=1, epsilon=1e-6)[0]
        w = n.op("Reshape", w, np.array([out, c, k, k]))
        return n.op("Conv", x, w, n.rng.normal(0, 0.1, out).astype(f), kernel_shape=[k, k], pads=[k // 2] * 4)
    x = n.pool(conv("x", 16))
    for _ in range(2):
        y = x
        if group:
            b, c, h, w = n.shape_of(x)
            y = n.op("InstanceNormalization", n.reshape(x, 0, 4, -1), np.ones(4, f), np.zeros(4, f), epsilon=1e-5)
            y = n.op("Reshape", y, n.op("Shape", x))
            y = n.op("Add", n.op("Mul", y, n.rng.uniform(0.5, 1.5, (c, 1, 1)).astype(f)), n.rng.normal(0, 0.1, (c, 1, 1)).astype(f))
        y = n.act(n.op("Mul", y, np.array(0.9, f)), act)
        x = n.add(x, n.op("Mul", conv(n.act(conv(y, 16), act), 16, 1), np.array(0.2, f)))
    return n.head(n.act(x, act))


@network("vit_tiny", "deit_tiny", "beit", "cait", "vit_relpos", "tiny_vit", "levit", "deit_exporter11", "vit_gelu_tanh", "eva",
         deit_tiny=dict(cls=True), beit=dict(cls=True, bias=True, scale=True), cait=dict(talk=True, scale=True), vit_relpos=dict(bias=True),
         tiny_vit=dict(bias=True, stem=True), levit=dict(bias=True, stem=True, act="hswish"), deit_exporter11=dict(cls=True, whole=False, qkv="three"),
         vit_gelu_tanh=dict(act="gelu_tanh"), eva=dict(qkv="three", act="silu", cls=True))
def vit(n, cls=False, stem=False, act="gelu", **how):
    c = 24
    x = n.conv(n.conv("x", 12, 3, 2, bn=True, act="hswish"), c, 3, 2, bn=True) if stem else n.conv("x", c, 8, 8, pad=[0] * 4)
    x = n.tokens(n.pool(x, 2, 2, 0) if stem else x)
    if cls:
        x = n.op("Concat", n.rng.normal(0, 0.3, (1, 1, c)).astype(f), x, axis=1)
    x = n.op("Add", x, n.rng.normal(0, 0.3, (1, n.shape_of(x)[1], c)).astype(f))
    for _ in range(2):
        x = n.block(x, act=act, **how)
    return n.gemm(n.op("Gather", n.ln(x), np.array(0), axis=1), 40) if cls else n.classify(x)


@network("swin_tiny", "swinv2_tiny", "maxvit", "nest", "twins_svt", "davit", "gcvit", "coatnet",
         swinv2_tiny=dict(cosine=True), maxvit=dict(grid=True), nest=dict(shift=False, bias=False), twins_svt=dict(shift=False, bias=False, reduced=True),
         davit=dict(shift=False, bias=False, channels=True), gcvit=dict(shift=False), coatnet=dict(shift=False, local=True))
def swin(n, shift=True, bias=True, cosine=False, grid=False, reduced=False, channels=False, local=False, win=4):
    c, heads = 24, 2
    x = n.turn(n.conv("x", c, 4, 4, pad=[0] * 4), 0, 2, 3, 1)
    b, h, w, _ = n.shape_of(x)
    if local:
        y = n.turn(x, 0, 3, 1, 2)
        y = n.conv(n.se(n.conv(n.conv(y, 2 * c, 1, bn=True, act="gelu"), 2 * c, 3, groups=2 * c, bn=True, act="gelu")), c, 1)
        x = n.add(x, n.turn(y, 0, 2, 3, 1))
    count = (h // win) * (w // win)
    for at in range(2):
        y, moved = n.ln(x), shift and at
        if moved:
            s = win // 2
            cut = lambda t, a, z, axis: n.op("Slice", t, np.array([a]), np.array([z]), np.array([axis]))
            for axis, e in ((1, h), (2, w)):
                y = n.op("Concat", cut(y, s, 2**62, axis), cut(y, 0, s, axis), axis=axis)
        apart = grid and at
        shape = (b, win, h // win, win, w // win, c) if apart else (b, h // win, win, w // win, win, c)
        y = n.reshape(n.turn(n.reshape(y, *shape), 0, *((2, 4, 1, 3) if apart else (1, 3, 2, 4)), 5), count * b, win * win, c)
        mask = None
        if moved:
            region = np.zeros((h, w))
            for i, r in enumerate((slice(0, -win), slice(-win, -win // 2), slice(-win // 2, None))):
                for j, q in enumerate((slice(0, -win), slice(-win, -win // 2), slice(-win // 2, None))):
                    region[r, q] = 3 * i + j
            region = region.reshape(h // win, win, w // win, win).transpose(0, 2, 1, 3).reshape(count, -1)
            mask = np.where(region[:, None] != region[:, :, None], -100, 0).astype(f)
        y = n.attention(y, heads, bias=bias, mask=mask, cosine=cosine)
        y = n.turn(n.reshape(y, b, h // win, w // win, win, win, c), 0, *((3, 1, 4, 2) if apart else (1, 3, 2, 4)), 5)
        y = n.reshape(y, b, h, w, c)
        if moved:
            for axis, e in ((1, h), (2, w)):
                y = n.op("Concat", cut(y, e - s, 2**62, axis), cut(y, 0, e - s, axis), axis=axis)
        x = n.add(x, y)
        if reduced:
            y = n.conv(n.turn(n.ln(x), 0, 3, 1, 2), c, 4, 4, pad=[0] * 4)
            q = n.turn(n.reshape(n.linear(n.reshape(n.ln(x), b, h * w, c), c), b, h * w, heads, c // heads), 0, 2, 1, 3)
            kv = n.turn(n.reshape(n.linear(n.ln(n.tokens(y)), 2 * c), b, -1, 2, heads, c // heads), 2, 0, 3, 1, 4)
            n.known[kv] = (2, b, heads, count, c // heads)
            k, v = [n.op("Squeeze", p, np.array([0])) for p in n.op("Split", kv, np.array([1, 1]), axis=0, outputs=2)]
            a = n.op("Softmax", n.op("Mul", n.op("MatMul", q, n.turn(k, 0, 1, 3, 2)), np.array((c // heads) ** -0.5, f)), axis=-1)
            y = n.linear(n.reshape(n.turn(n.op("MatMul", a, v), 0, 2, 1, 3), b, h * w, c), c)
            x = n.add(x, n.reshape(y, b, h, w, c))
        if channels:
            t = n.reshape(n.linear(n.reshape(n.ln(x), b, h * w, c), 3 * c), b, h * w, 3, heads, c // heads)
            q, k, v = [n.op("Gather", n.turn(t, 2, 0, 3, 1, 4), np.array(i), axis=0) for i in range(3)]
            a = n.op("Softmax", n.op("MatMul", n.turn(n.op("Mul", k, np.array((h * w) ** -0.5, f)), 0, 1, 3, 2), v), axis=-1)
            y = n.turn(n.op("MatMul", a, n.turn(q, 0, 1, 3, 2)), 0, 3, 1, 2)
            x = n.add(x, n.reshape(n.linear(n.reshape(y, b, h * w, c), c), b, h, w, c))
        x = n.add(x, n.mlp(n.ln(x)))
    # patches are merged as Swin does
    parts = [n.op("Slice", x, np.array([i, j]), np.array([2**62, 2**62]), np.array([1, 2]), np.array([2, 2])) for j in (0, 1) for i in (0, 1)]
    x = n.linear(n.ln(n.op("Concat", *parts, axis=-1)), 2 * c, bias=False)
    return n.gemm(n.op("ReduceMean", n.ln(x), axes=[1, 2], keepdims=0), 40)


@network("convnext_tiny", "convmixer", "poolformer", "mixer_b16", "resmlp", "gmlp", "edgenext", "mobilevit", "pvt_v2", "efficientformer", "xcit", "crossvit", "caformer", "segformer")
def hybrid(n):
    kind, c = n.name, 24
    x = n.conv("x", c, 4, 4, pad=[0] * 4, act="gelu" if kind == "convmixer" else None, bn=kind == "convmixer")
    b, _, h, w = n.shape_of(x)
    last = lambda t: n.turn(t, 0, 2, 3, 1)
    first = lambda t: n.turn(t, 0, 3, 1, 2)
    for at in range(2):
        if kind in ("convnext_tiny", "edgenext"):
            y = n.mlp(n.ln(last(n.conv(x, c, 7, groups=c))))
            x = n.add(x, first(n.op("Mul", y, n.rng.uniform(0.2, 0.8, c).astype(f))))
            if kind == "edgenext" and at:
                x = n.add(x, n.image(n.attention(n.ln(n.tokens(x)), cosine=True), h, w))
        elif kind == "convmixer":
            x = n.conv(n.add(x, n.bn(n.act(n.conv(x, c, 5, groups=c), "gelu"))), c, 1, act="gelu")
        elif kind in ("poolformer", "efficientformer") and (kind == "poolformer" or not at):
            y = n.pool(x, 3, 1, 1, "AveragePool")
            x = n.add(x, n.op("Mul", n.op("Sub", y, x), n.rng.uniform(0.2, 0.8, (c, 1, 1)).astype(f)))
            x = n.add(x, n.conv(n.conv(x, 2 * c, 1, bn=True, act="gelu"), c, 1, bn=True))
        elif kind == "efficientformer":
            x = n.image(n.block(n.tokens(x), bias=True, scale=True), h, w)
        elif kind in ("mixer_b16", "resmlp", "gmlp"):
            t = n.tokens(x)
            if kind == "gmlp":
                y = n.linear(n.ln(t), 2 * c, act="gelu")
                u, v = n.op("Split", y, np.array([c, c]), axis=-1, outputs=2)
                v = n.turn(n.linear(n.turn(n.ln(v), 0, 2, 1), h * w), 0, 2, 1)
                t = n.add(t, n.linear(n.op("Mul", u, v), c))
            else:
                y = n.turn(n.ln(t) if kind == "mixer_b16" else n.op("Add", n.op("Mul", t, n.rng.uniform(0.5, 1.5, c).astype(f)), n.rng.normal(0, 0.1, c).astype(f)), 0, 2, 1)
                t = n.add(t, n.turn(n.mlp(y, 1) if kind == "mixer_b16" else n.linear(y, h * w), 0, 2, 1))
                t = n.add(t, n.mlp(n.ln(t)))
            x = n.image(t, h, w)
        elif kind == "mobilevit":
            y = n.conv(n.conv(x, c, 3, bn=True, act="silu"), c, 1)
            y = n.turn(n.reshape(y, b * c * h // 2, 2, w // 2, 2), 0, 2, 1, 3)
            y = n.reshape(n.turn(n.reshape(y, b, c, h * w // 4, 4), 0, 3, 2, 1), b * 4, h * w // 4, c)
            y = n.block(y, act="silu")
            y = n.turn(n.reshape(y, b, 4, h * w // 4, c), 0, 3, 2, 1)
            y = n.reshape(n.turn(n.reshape(y, b * c * h // 2, w // 2, 2, 2), 0, 2, 1, 3), b, c, h, w)
            x = n.conv(n.op("Concat", x, n.conv(y, c, 1, bn=True, act="silu"), axis=1), c, 3, bn=True, act="silu")
        elif kind in ("pvt_v2", "segformer"):
            t = n.tokens(x)
            q = n.turn(n.reshape(n.linear(n.ln(t), c), b, h * w, 2, c // 2), 0, 2, 1, 3)
            small = n.ln(n.tokens(n.conv(n.image(n.ln(t), h, w), c, 2, 2, pad=[0] * 4)))
            kv = n.turn(n.reshape(n.linear(small, 2 * c), b, h * w // 4, 2, 2, c // 2), 2, 0, 3, 1, 4)
            k, v = [n.op("Gather", kv, np.array(i), axis=0) for i in (0, 1)]
            a = n.op("Softmax", n.op("Mul", n.op("MatMul", q, n.turn(k, 0, 1, 3, 2)), np.array((c // 2) ** -0.5, f)), axis=-1)
            t = n.add(t, n.linear(n.reshape(n.turn(n.op("MatMul", a, v), 0, 2, 1, 3), b, h * w, c), c))
            y = n.image(n.linear(n.ln(t), 2 * c), h, w)
            y = n.linear(n.act(n.tokens(n.conv(y, 2 * c, 3, groups=2 * c)), "gelu"), c)
            x = n.image(n.add(t, y), h, w)
        elif kind == "xcit":
            t = n.tokens(x)
            y = n.turn(n.reshape(n.linear(n.ln(t), 3 * c), b, h * w, 3, 2, c // 2), 2, 0, 3, 4, 1)
            q, k, v = [n.op("Gather", y, np.array(i), axis=0) for i in range(3)]
            q, k = [n.op("Div", p, n.op("ReduceL2", p, axes=[-1], keepdims=1)) for p in (q, k)]
            a = n.op("Softmax", n.op("Mul", n.op("MatMul", q, n.turn(k, 0, 1, 3, 2)), np.ones((2, 1, 1), f) * f(2)), axis=-1)
            y = n.linear(n.reshape(n.turn(n.op("MatMul", a, v), 0, 3, 1, 2), b, h * w, c), c)
            x = n.image(n.add(t, n.op("Mul", y, n.rng.uniform(0.3, 1, c).astype(f))), h, w)
            x = n.add(x, n.conv(n.bn(n.conv(x, c, 3, groups=c, act="gelu")), c, 3, groups=c))
        elif kind == "crossvit":
            x = n.image(n.block(n.tokens(x), qkv="three"), h, w)
            up = n.op("Resize", n.pool(x, 2, 2, 0), "", "", np.array([1, c, h, w]), mode="cubic", coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.75)
            x = n.add(x, up)
        else:
            y = n.linear(last(x), 2 * c, bias=False)
            y = n.act(n.op("Add", n.op("Mul", n.act(y, "relu"), n.act(y, "relu")), np.array(0.1, f)), None)
            y = n.linear(last(n.conv(first(y), 2 * c, 7, groups=2 * c, bias=False)), c, bias=False)
            x = n.add(x, first(y))
            x = n.add(x, first(n.mlp(n.ln(last(x)))))
    if kind == "segformer":
        up = n.op("Resize", n.conv(x, 5, 1), "", np.array([1, 1, 2, 2], f), mode="linear", coordinate_transformation_mode="half_pixel")
        return n.op("Softmax", up, axis=1)
    return n.head(x)


@network("unet", "deeplab_v3", "fcn_resnet", "lraspp", "ssdlite")
def dense(n):
    kind = n.name
    a = n.conv("x", 12, 3, bn=True, act="relu")
    b = n.conv(n.pool(a, 2, 2, 0), 16, 3, bn=True, act="relu")
    x = n.conv(n.pool(b, 2, 2, 0), 24, 3, bn=True, act="relu")
    if kind == "unet":
        for skip, c in ((b, 16), (a, 12)):
            x = n.op("ConvTranspose", x, n.rng.normal(0, 0.2, (n.shape_of(x)[1], c, 2, 2)).astype(f), np.zeros(c, f), kernel_shape=[2, 2], strides=[2, 2])
            x = n.conv(n.op("Concat", skip, x, axis=1), c, 3, bn=True, act="relu")
        return n.conv(x, 4, 1)
    if kind == "ssdlite":
        out = []
        for t in (b, x):
            _, c, h, w = n.shape_of(t)
            t = n.conv(n.conv(t, c, 3, groups=c, bn=True, act="relu6"), 8, 1)
            out.append(n.reshape(n.turn(n.reshape(t, 1, 2, 4, h, w), 0, 3, 4, 1, 2), 1, h * w * 2, 4))
        return n.op("Concat", *out, axis=1)
    if kind == "deeplab_v3":
        _, c, h, w = n.shape_of(x)
        mean = n.conv(n.op("GlobalAveragePool", x), 12, 1, bn=True, act="relu")
        mean = n.op("Resize", mean, "", "", np.array([1, 12, h, w]), mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
        x = n.conv(n.op("Concat", n.conv(x, 12, 1, bn=True, act="relu"), n.conv(x, 12, 3, dilation=2, bn=True, act="relu"), mean, axis=1), 16, 1, bn=True, act="relu")
    if kind == "lraspp":
        x = n.op("Mul", n.conv(x, 16, 1, bn=True, act="relu"), n.act(n.conv(n.op("GlobalAveragePool", x), 16, 1), "sigmoid"))
    x = n.conv(x, 4, 1)
    shape = n.op("Concat", n.op("Slice", n.op("Shape", x), np.array([0]), np.array([2]), np.array([0])),
                 n.op("Slice", n.op("Shape", "x"), np.array([2]), np.array([4]), np.array([0])), axis=0)
    return n.op("Resize", x, "", "", shape, mode="linear", coordinate_transformation_mode="half_pixel")


def smooth(rng, shape, count):
    """Noise with the spectrum of photos."""
    out = []
    for _ in range(count):
        spectrum = np.fft.fft2(rng.normal(0, 1, shape), axes=(-2, -1))
        fy, fx = np.meshgrid(np.fft.fftfreq(shape[-2]), np.fft.fftfreq(shape[-1]), indexing="ij")
        image = np.fft.ifft2(spectrum / np.maximum((fy**2 + fx**2) ** 0.5, 1 / shape[-1]), axes=(-2, -1)).real
        out.append((image / image.std()).astype(f))
    return out


class Reader(CalibrationDataReader):
    def __init__(self, inputs):
        self.left = [{"x": x} for x in inputs]

    def get_next(self):
        return self.left.pop() if self.left else None


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def decibels(path, inputs, reference):
    s = session(path)
    found = [s.run(None, {"x": x})[0].astype(np.float64) for x in inputs]
    noise = sum(((a - b) ** 2).sum() for a, b in zip(found, reference))
    return 10 * np.log10(sum((b**2).sum() for b in reference) / max(noise, 1e-30))


def judged(iss, name, folder):
    """A line about a network, and whether it holds."""
    build, how = ALL[name]
    net = Net(name)
    model = net.model([build(net, **how)])
    float_file, ours, theirs = folder / f"{name}.onnx", folder / f"{name}.q.onnx", folder / f"{name}.ort.onnx"
    onnx.save(model, float_file)
    inputs = smooth(np.random.default_rng(1), net.shape, 40)
    calib = folder / f"{name}.npy"
    np.save(calib, np.concatenate(inputs[:8]))
    run = lambda *a: subprocess.run([iss, *map(str, a)], capture_output=True, text=True)
    r = run("quantize", float_file, "-o", ours, "--calib", f"x={calib}")
    first = lambda r: " ".join((r.stderr or r.stdout).split())[:200]
    if r.returncode:
        return f"refused: {first(r)}", False
    float_session = session(float_file)
    reference = [float_session.run(None, {"x": x})[0].astype(np.float64) for x in inputs]
    quantize_static(str(float_file), str(theirs), Reader(inputs[:8]), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8)
    mine, others = decibels(ours, inputs, reference), decibels(theirs, inputs, reference)
    np.save(folder / "x.npy", inputs[-1])
    r = run("run", ours, "--input", f"x={folder / 'x.npy'}", "-o", folder / f"{name}.out")
    if r.returncode:
        return f"its own result is refused: {first(r)}", False
    found = np.load(next((folder / f"{name}.out").rglob("*.npy"))).astype(np.float64)
    want = session(ours).run(None, {"x": inputs[-1]})[0]
    q = onnx.load(ours)
    scales = [i for i in q.graph.initializer if i.name == q.graph.output[0].name + "_scale"]
    step = float(numpy_helper.to_array(scales[0])) if scales else np.abs(want).max() / 255
    steps = np.abs(found - want).max() / step
    r = run("estimate", ours, "--exact", "--json")
    machine = json.loads(r.stdout)["profiles"][0]
    others_layers = [(l["cycles"] / machine["cycles"], l["name"], l["kind"]) for l in machine["layers"]
                     if not l.get("macs") and l["kind"] not in ("quantize", "dequantize", "host")]
    share, layer, kind = max(others_layers, default=(0, "", ""))
    text = f"ours {mine:5.1f} dB, theirs {others:5.1f} dB, {steps:4.1f} steps apart, {machine['cycles']:9,} cycles, without MACs at most {share:.0%} ({layer}, {kind})"
    return text, mine >= others - 1 and steps <= 1.01


def main():
    logging.disable(logging.CRITICAL)
    arguments = sys.argv[1:]
    folder = None
    if "--write" in arguments:
        at = arguments.index("--write")
        folder = pathlib.Path(arguments[at + 1])
        folder.mkdir(parents=True, exist_ok=True)
        del arguments[at:at + 2]
    iss, names = str(pathlib.Path(arguments[0]).resolve()), arguments[1:] or sorted(ALL)
    held = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            text, holds = judged(iss, name, folder or pathlib.Path(temporary))
            held += holds
            print(f"{name:18} {'' if holds else 'FAILS: '}{text}", flush=True)
    print(f"{held} of {len(names)} networks hold")
    sys.exit(held != len(names))


if __name__ == "__main__":
    main()
