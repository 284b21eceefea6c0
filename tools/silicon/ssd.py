"""SSD of MobileNet v1 and v2 as TensorFlow's zoo has them (Liu and others, 2016), up to the raw boxes and scores.

Six maps: the backbone's last at stride 16 and 32, and four that follow. Three anchors at the first, six at the others.
"""
from torch import nn

from blocks import conv, separable
from mobilenet import v1_layers, v2_layers

EXTRAS = (512, 256, 256, 128)


class Expanded(nn.Module):
    """MobileNet v2 up to the expansion of its 14th block (576 channels at stride 16), and on to 1280 at stride 32."""

    def __init__(self):
        super().__init__()
        layers = v2_layers()
        self.before, self.split = nn.Sequential(*layers[:14]), layers[14]
        self.after = nn.Sequential(*layers[15:], conv(320, 1280, act=nn.ReLU6))

    def forward(self, x):
        first = self.split.expand(self.before(x))
        return first, self.after(self.split.project(first))


class Plain(nn.Module):
    """MobileNet v1: 512 channels at stride 16 and 1024 at stride 32."""

    def __init__(self):
        super().__init__()
        layers, _ = v1_layers()
        self.before, self.after = nn.Sequential(*layers[:12]), nn.Sequential(*layers[12:])

    def forward(self, x):
        first = self.before(x)
        return first, self.after(first)


class Ssd(nn.Module):
    def __init__(self, backbone, channels, extra, head, classes=91):
        """`extra`: a 3x3 of stride 2 between two widths. `head`: a prediction of so many maps from a width."""
        super().__init__()
        self.backbone, widths = backbone, [*channels, *EXTRAS]
        self.extras = nn.ModuleList(
            nn.Sequential(conv(before, after // 2, act=nn.ReLU6), extra(after // 2, after))
            for before, after in zip(widths[1:], EXTRAS))
        anchors = [3, 6, 6, 6, 6, 6]
        self.boxes = nn.ModuleList(head(w, 4 * n) for w, n in zip(widths, anchors))
        self.scores = nn.ModuleList(head(w, classes * n) for w, n in zip(widths, anchors))

    def forward(self, x):
        maps = list(self.backbone(x))
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return tuple(head(m) for heads in (self.boxes, self.scores) for head, m in zip(heads, maps))


def regular(inputs, outputs):
    return conv(inputs, outputs, 3, 2, act=nn.ReLU6)


def light(inputs, outputs):
    return separable(inputs, outputs, 3, 2)


def light_head(inputs, outputs):
    return nn.Sequential(conv(inputs, inputs, 3, groups=inputs, act=nn.ReLU6), nn.Conv2d(inputs, outputs, 1))


def ssd_v1():
    return Ssd(Plain(), (512, 1024), regular, lambda i, o: nn.Conv2d(i, o, 1))


def ssd_v2():
    """Separable extras and 3x3 heads: of the variants the one that fits the quoted 16.8 M parameters and 1.89 G."""
    return Ssd(Expanded(), (576, 1280), light, lambda i, o: nn.Conv2d(i, o, 3, 1, 1))


def ssdlite_v2():
    return Ssd(Expanded(), (576, 1280), light, light_head)


class FpnLite(nn.Module):
    """TI's SSD of MobileNet v2 with a pyramid: three maps of the backbone, three more from the last, all of 256."""

    def __init__(self, classes=80, width=256):
        super().__init__()
        layers = v2_layers()
        self.stages = nn.ModuleList(nn.Sequential(*layers[a:b]) for a, b in ((0, 7), (7, 14), (14, 18)))
        self.lateral = nn.ModuleList(conv(n, width, act=None) for n in (32, 96, 320))
        self.smooth = nn.ModuleList(separable(width, width, act=nn.ReLU, last=None) for _ in range(3))
        self.more = nn.ModuleList(separable(n, width, 3, 2, act=nn.ReLU, last=None) for n in (320, width, width))
        anchors = [4, 6, 6, 6, 6, 4]
        head = lambda n: nn.Sequential(conv(width, width, 3, groups=width), nn.Conv2d(width, n, 1))
        self.boxes = nn.ModuleList(head(4 * n) for n in anchors)
        self.scores = nn.ModuleList(head((classes + 1) * n) for n in anchors)

    def forward(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        y = [lateral(m) for lateral, m in zip(self.lateral, maps)]
        for at in (1, 0):
            y[at] = y[at] + nn.functional.interpolate(y[at + 1], scale_factor=2.0, mode="bilinear", align_corners=False)
        y = [smooth(m) for smooth, m in zip(self.smooth, y)]
        for more in self.more:
            x = more(x)
            y.append(x)
        return tuple(head(m) for heads in (self.boxes, self.scores) for head, m in zip(heads, y))
