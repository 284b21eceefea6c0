#!/usr/bin/env python3
"""Write golden models of attention whose scores fit no scratchpad of the smallest machine, so that they lie in DRAM.

usage: attention.py

Scores of 5 heads over 130 tokens take 270 KB where heads are padded to a block of lanes. The input is query, key and
value at once. Needs: numpy, onnx, onnxruntime, xxhash.
"""
import numpy as np
from onnx import helper

from cases import MS, case, f

HEADS, TOKENS, DEPTH = 5, 130, 16
CONSTANTS = {
    "s": f(0.02), "z": np.uint8(128), "ps": f(1 / 256), "pz": np.uint8(0),
    "mask": np.random.default_rng(5).integers(100, 156, (1, 1, TOKENS, TOKENS)).astype(np.uint8),
}
TURNED = helper.make_node("Transpose", ["x"], ["k"], perm=[0, 1, 3, 2])
SCORES = helper.make_node("QLinearMatMul", ["x", "s", "z", "k", "s", "z", "s", "z"], ["scores"])
MASKED = helper.make_node("QLinearAdd", ["scores", "s", "z", "mask", "s", "z", "s", "z"], ["masked"], domain=MS)
SHARES = helper.make_node("QLinearSoftmax", ["masked", "s", "z", "ps", "pz"], ["shares"], domain=MS, axis=-1, opset=13)


def product(scores, scale):
    return helper.make_node("QLinearMatMul", [scores, *scale, "x", "s", "z", "s", "z"], ["y"])


SHAPE = (1, HEADS, TOKENS, DEPTH)
case("product_attention_many_tokens", "u8", SHAPE, [TURNED, SCORES, MASKED, SHARES, product("shares", ("ps", "pz"))], CONSTANTS)
case("product_scores_many_tokens", "u8", SHAPE, [TURNED, SCORES, product("scores", ("s", "z"))], CONSTANTS)
OUT = [helper.make_node("QLinearMatMul", ["x", "s", "z", "k", "s", "z", "s", "z"], ["y"])]
case("product_scores_are_the_output", "u8", SHAPE, [TURNED, *OUT], CONSTANTS)
