#!/usr/bin/env python3
"""Sets the blocks of a quantized network's weights that are smallest in magnitude to zero.

    python3 tools/measure/prune.py MODEL.onnx OUT.onnx [--share 0.7] [--block 64x16]

For networks in QOperator form (QLinearConv, QGemm). A block is so many output channels × input channels at one tap of the kernel;
--share of each layer's blocks become zero, that is equal to the zero point. Depthwise layers stay as they are. Nothing is trained
again: this shows what zero blocks cost, not what a pruned network is worth. Needs: numpy, onnx
"""
import argparse

import numpy as np
import onnx
from onnx import numpy_helper


def prune(weights, zero, share, block):
    """`weights` [OC, IC, KH, KW], changed in place."""
    blocks = []
    for o in range(0, weights.shape[0], block[0]):
        for i in range(0, weights.shape[1], block[1]):
            for y in range(weights.shape[2]):
                for x in range(weights.shape[3]):
                    at = (slice(o, o + block[0]), slice(i, i + block[1]), y, x)
                    blocks.append((np.abs(weights[at].astype(np.int64) - zero).mean(), len(blocks), at))
    for _, _, at in sorted(blocks, key=lambda b: b[:2])[:int(len(blocks) * share)]:
        weights[at] = zero


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--share", type=float, default=0.7)
    parser.add_argument("--block", default="64x16")
    options = parser.parse_args()
    block = tuple(int(n) for n in options.block.split("x"))
    model = onnx.load(options.model)
    constants = {t.name: t for t in model.graph.initializer}
    zeros = total = 0
    for node in model.graph.node:
        if node.op_type not in ("QLinearConv", "QGemm"):
            continue
        weights = numpy_helper.to_array(constants[node.input[3]]).copy()
        zero = int(numpy_helper.to_array(constants[node.input[5]]).reshape(-1)[0])
        matrix = weights.ndim == 2
        turned = matrix and not any(a.name == "transB" and a.i for a in node.attribute)
        four = (weights.T if turned else weights)[:, :, None, None] if matrix else weights
        if four.shape[1] > 1:
            prune(four, zero, options.share, block)
        zeros, total = zeros + int((four == zero).sum()), total + four.size
        constants[node.input[3]].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weights), node.input[3]))
    onnx.save(model, options.out)
    print(f"{options.out}: {100 * zeros / total:.1f} % of {total} weights are zero")


main()
