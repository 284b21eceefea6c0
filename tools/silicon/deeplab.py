"""DeepLab v3 and v3+ of MobileNet v2 and RegNetX as phones and TI have them (Chen and others, 2017 and 2018).

They end in the classes' maps at the extents of the picture; choosing the greatest class of a pixel is left out.
"""
import timm
import torch
from torch import nn

from blocks import conv
from mobilenet import v2_layers


def resized(x, size):
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Taps(nn.Module):
    """MobileNet v2 at stride 16; its map at stride 4 and its last one."""

    def __init__(self):
        super().__init__()
        layers = v2_layers(16)
        self.near, self.far = nn.Sequential(*layers[:4]), nn.Sequential(*layers[4:])

    def forward(self, x):
        near = self.near(x)
        return near, self.far(near)


class RegnetTaps(nn.Module):
    """RegNetX-800MF at stride 16; the same two maps."""

    def __init__(self):
        super().__init__()
        self.network = timm.create_model("regnetx_008", pretrained=False, features_only=True, output_stride=16)

    def forward(self, x):
        maps = self.network(x)
        return maps[1], maps[-1]


class Lite(nn.Module):
    """TI's v3+: separable pyramid of three dilations and a 1x1, shortcut of 48, separable prediction, linear resize."""

    def __init__(self, backbone, near, far, classes, width=256, group=1, quarter=False):
        """`quarter` leaves out the last resize: the maps have a quarter of the picture's extents."""
        super().__init__()
        self.backbone, self.quarter = backbone, quarter
        sep = lambda i, o, d=1, act=nn.ReLU: nn.Sequential(
            conv(i, i, 3, groups=i // group, act=act, dilation=d), conv(i, o, act=act))
        self.pyramid = nn.ModuleList([conv(far, width), *[sep(far, width, d) for d in (6, 12, 18)]])
        self.merge, self.shortcut = conv(4 * width, width), conv(near, 48)
        merged = width + 48
        self.predict = nn.Sequential(
            nn.Conv2d(merged, merged, 3, 1, 1, groups=merged // group, bias=False), nn.Conv2d(merged, classes, 1))

    def forward(self, x):
        size = x.shape[2:]
        near, far = self.backbone(x)
        far = self.merge(torch.cat([branch(far) for branch in self.pyramid], 1))
        near = self.shortcut(near)
        out = self.predict(torch.cat([resized(far, near.shape[2:]), near], 1))
        return out if self.quarter else resized(out, size)


class Mobile(nn.Module):
    """The phone's v3 (MLPerf Mobile, TensorFlow): only the picture's mean and a 1x1 side by side, then classes."""

    def __init__(self, classes, width=256):
        super().__init__()
        self.backbone = nn.Sequential(*v2_layers(16))
        self.pool, self.mean = nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Conv2d(320, width, 1), nn.ReLU())
        self.direct, self.merge = conv(320, width), conv(2 * width, width)
        self.predict = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        y = self.backbone(x)
        mean = self.mean(self.pool(y)).expand(-1, -1, *y.shape[2:])
        return resized(self.predict(self.merge(torch.cat([mean, self.direct(y)], 1))), x.shape[2:])


def lite_mobilenet(classes, quarter=False):
    return Lite(Taps(), 24, 320, classes, quarter=quarter)


def lite_regnet(classes):
    return Lite(RegnetTaps(), 64, 672, classes, group=16)
