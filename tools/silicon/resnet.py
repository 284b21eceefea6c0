"""ResNets whose strides or order differ from torchvision's (He and others, 2015 and 2016)."""
import torchvision
from torch import nn

from blocks import Classifier

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet50_v1():
    """The first paper's: a stage's stride is in the first 1x1 convolution, not in the 3x3."""
    network = torchvision.models.resnet50(weights=None)
    for m in network.modules():
        if isinstance(m, torchvision.models.resnet.Bottleneck) and m.stride != 1:
            m.conv1.stride, m.conv2.stride = m.conv2.stride, (1, 1)
    return network


class PreActivated(nn.Module):
    """A bottleneck with normalization first; a shortcut without a convolution is pooled by the stride."""

    def __init__(self, inputs, width, stride, projects):
        super().__init__()
        outputs = 4 * width
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if projects else None
        self.pool = nn.MaxPool2d(1, stride) if not projects and stride > 1 else nn.Identity()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, outputs, 1))

    def forward(self, x):
        y = self.first(x)
        return self.body(y) + (self.shortcut(y) if self.shortcut else self.pool(x))


def resnet_v2_late(depth, classes=1000):
    """Version 2 as TF-Slim and Keras have it: the stride of a stage is in its last block."""
    layers, channels = [nn.Conv2d(3, 64, 7, 2, 3), nn.MaxPool2d(3, 2, 1)], 64
    for stage, repeats in enumerate(DEPTHS[depth]):
        width = 64 << stage
        for at in range(repeats):
            stride = 2 if at == repeats - 1 and stage < 3 else 1
            layers.append(PreActivated(channels, width, stride, at == 0))
            channels = 4 * width
    layers += [nn.BatchNorm2d(channels), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), channels, classes)
