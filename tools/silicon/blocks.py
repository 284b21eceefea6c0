"""Convolution, normalization and activation in one, as the hand-built networks here use it."""
from torch import nn


def conv(inputs, outputs, kernel=1, stride=1, groups=1, act=nn.ReLU, dilation=1):
    """A convolution that keeps the extents but for its stride, and batch normalization; `act` None leaves it linear."""
    padding = dilation * (kernel - 1) // 2
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, act()) if act else nn.Sequential(*layers)


def separable(inputs, outputs, kernel=3, stride=1, act=nn.ReLU6, **last):
    """Depthwise, then pointwise, each with the activation; last=None leaves the pointwise one linear."""
    return nn.Sequential(
        conv(inputs, inputs, kernel, stride, groups=inputs, act=act), conv(inputs, outputs, act=last.get("last", act)))


class Classifier(nn.Module):
    """Features, their mean over the picture, and a linear layer."""

    def __init__(self, features, channels, classes):
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(channels, classes)

    def forward(self, x):
        return self.last(self.pool(self.features(x)).flatten(1))
