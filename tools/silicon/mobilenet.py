"""MobileNet v1 with a width multiplier (Howard and others, 2017), and MobileNet v2's layers (Sandler and others, 2018).

Extents are those of torch's padding; Keras pads one-sided, which changes no count.
"""
from torch import nn

from blocks import Classifier, conv, separable

# Channels and stride of the 13 separable convolutions.
V1 = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
# Expansion, channels, repeats and stride of the inverted residuals.
V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def v1_layers(alpha=1.0, inputs=3):
    """The first convolution and the 13 separable ones, one module each."""
    channels = int(32 * alpha)
    layers = [conv(inputs, channels, 3, 2, act=nn.ReLU6)]
    for outputs, stride in V1:
        layers.append(separable(channels, int(outputs * alpha), 3, stride))
        channels = int(outputs * alpha)
    return layers, channels


def mobilenet_v1(alpha=1.0, classes=1000, inputs=3):
    layers, channels = v1_layers(alpha, inputs)
    return Classifier(nn.Sequential(*layers), channels, classes)


class Inverted(nn.Module):
    """An inverted residual (linear bottleneck)."""

    def __init__(self, inputs, outputs, stride, expansion, dilation=1):
        super().__init__()
        hidden = inputs * expansion
        self.expand = conv(inputs, hidden, act=nn.ReLU6) if expansion > 1 else nn.Identity()
        self.project = nn.Sequential(
            conv(hidden, hidden, 3, stride, groups=hidden, act=nn.ReLU6, dilation=dilation),
            conv(hidden, outputs, act=None),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        out = self.project(self.expand(x))
        return x + out if self.adds else out


def v2_layers(output_stride=32):
    """The first convolution and the 17 inverted residuals; strides past `output_stride` become dilations."""
    layers, channels, reached, dilation = [conv(3, 32, 3, 2, act=nn.ReLU6)], 32, 2, 1
    for expansion, outputs, repeats, stride in V2:
        for at in range(repeats):
            step, rate = (stride if at == 0 else 1), dilation
            if step == 2 and reached == output_stride:
                step, dilation = 1, dilation * 2
            reached *= step
            layers.append(Inverted(channels, outputs, step, expansion, rate))
            channels = outputs
    return layers
