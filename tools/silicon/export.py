"""A torch network with random weights as a float ONNX file, and random inputs to calibrate it on.

Weights decide no cycles here but zeros do: gains that an initialization leaves at zero get those of a trained network's
size, and batch normalization the statistics of the inputs, so that activations neither explode nor vanish. Seeds are
fixed.
"""
import logging
import warnings

import numpy as np
import timm.layers
import torch
from torch import nn


def alive(network, inputs):
    generator = torch.Generator().manual_seed(1)
    uniform = lambda p, low, high: p.copy_(torch.rand(p.shape, generator=generator) * (high - low) + low)
    with torch.no_grad():
        for p in network.parameters():
            if p.numel() and float(p.abs().max()) < 1e-3:
                size = 0.1 if p.numel() == max(p.shape, default=1) else (3 / p[0].numel()) ** 0.5
                uniform(p, -size, size)
        normalizations = [m for m in network.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
        network.eval()
        for m in normalizations:
            uniform(m.weight, 0.5, 1.5)
            uniform(m.bias, -0.3, 0.3)
            m.train()
            m.momentum = None
            m.reset_running_stats()
        for m in network.modules():
            for gain in ("gamma", "layer_scale"):  # of ConvNeXt and vision transformers
                if isinstance(getattr(m, gain, None), nn.Parameter):
                    uniform(getattr(m, gain), 0.3, 0.9)
        if normalizations:
            network(inputs)
    return network.eval()


def export(graph, model, calibration):
    """Write the float network to `model` and its inputs, stacked, to `calibration` (.npy)."""
    warnings.filterwarnings("ignore")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    timm.layers.set_fused_attn(False)
    network = graph.build()
    inputs = torch.randn((1 if graph.large else 2, *graph.shape[1:]))
    alive(network, inputs if inputs.shape[0] > 1 else torch.cat([inputs, inputs.flip(-1)]))
    with torch.no_grad():
        torch.onnx.export(network, inputs[:1], str(model), opset_version=graph.opset, input_names=["x"], dynamo=False)
    np.save(calibration, inputs.numpy())
