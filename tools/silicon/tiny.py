"""The networks of MLPerf Tiny (Banbury and others, 2021): anomalies, keywords, small pictures, wake words.

Also the emotion classifier of DeepFace, which is of their size.
"""
import torch
from torch import nn

from blocks import Classifier, conv, separable
from mobilenet import mobilenet_v1


def autoencoder(inputs=640):
    """640 features, four layers of 128, a bottleneck of 8, and back."""
    widths = [inputs, 128, 128, 128, 128, 8, 128, 128, 128, 128]
    layers = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, inputs))


def ds_cnn(classes=12):
    """Keyword spotting on 49x10 features: a convolution of 10x4 and four separable ones of 64 channels."""
    first = nn.Sequential(nn.Conv2d(1, 64, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU())
    return Classifier(nn.Sequential(first, *[separable(64, 64, act=nn.ReLU) for _ in range(4)]), 64, classes)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3, act=None))
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        return torch.relu(self.shortcut(x) + self.body(x))


def resnet8(classes=10):
    """Three residual blocks of 16, 32 and 64 channels on pictures of 32x32."""
    return Classifier(
        nn.Sequential(conv(3, 16, 3), Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)), 64, classes)


def visual_wake_words():
    """MobileNet v1 of a quarter's width on 96x96, person or not."""
    return mobilenet_v1(0.25, 2)


def emotion():
    """Five convolutions without padding and three linear layers on a grey face of 48x48."""
    step = lambda inputs, outputs, kernel: [nn.Conv2d(inputs, outputs, kernel), nn.ReLU()]
    return nn.Sequential(
        *step(1, 64, 5), nn.MaxPool2d(5, 2),
        *step(64, 64, 3), *step(64, 64, 3), nn.AvgPool2d(3, 2),
        *step(64, 128, 3), *step(128, 128, 3), nn.AvgPool2d(3, 2), nn.Flatten(),
        nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 7))
