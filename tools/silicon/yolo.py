"""YOLOv5-s6, YOLOv6-S, YOLOv8-n and YOLOX, up to the raw maps of their heads: no box is decoded, none is suppressed."""
import torch
from torch import nn

from blocks import conv
from yolo_parts import C2f, Csp, Focus, Spp, Sppf, focus_lite, three


def doubled(x):
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Pan(nn.Module):
    """Down the pyramid and up again, at any number of levels: of YOLOv5 and YOLOX (with laterals), YOLOv8."""

    def __init__(self, channels, block, lateral, act, light=False):
        super().__init__()
        self.has_lateral, self.lateral = lateral, nn.ModuleList()
        self.down, self.halve, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for high, low in zip(channels[:0:-1], channels[-2::-1]):
            self.lateral.append(conv(high, low, act=act) if lateral else nn.Identity())
            self.down.append(block(2 * low if lateral else high + low, low))
        for low, high in zip(channels, channels[1:]):
            self.halve.append(three(light)(low, low, 2, act))
            self.up.append(block(2 * low if lateral else low + high, high))

    def forward(self, maps):
        x, kept = maps[-1], []
        for lateral, block, skip in zip(self.lateral, self.down, maps[-2::-1]):
            x = lateral(x)
            kept.append(x)
            x = block(torch.cat([doubled(x), skip], 1))
        out = [x]
        skips = kept[::-1] if self.has_lateral else [*kept[:0:-1], maps[-1]]
        for halve, block, skip in zip(self.halve, self.up, skips):
            x = block(torch.cat([halve(x), skip], 1))
            out.append(x)
        return out


class Staged(nn.Module):
    """A stem and stages; the maps of the last `levels` stages."""

    def __init__(self, stem, stages, levels):
        super().__init__()
        self.stem, self.stages, self.levels = stem, nn.ModuleList(stages), levels

    def forward(self, x):
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[-self.levels:]


class Detector(nn.Module):
    """Backbone, neck, and a head for each level; its outputs are the heads' maps."""

    def __init__(self, backbone, neck, heads):
        super().__init__()
        self.backbone, self.neck, self.heads = backbone, neck, nn.ModuleList(heads)

    def forward(self, x):
        return tuple(out for head, level in zip(self.heads, self.neck(self.backbone(x))) for out in head(level))


class Heads(nn.Module):
    """A stem and branches from it; each branch's layers, and the outputs that follow from a branch's end."""

    def __init__(self, stem, branches):
        super().__init__()
        self.stem = stem
        self.branches = nn.ModuleList(body for body, _ in branches)
        self.outputs = nn.ModuleList(nn.ModuleList(outputs) for _, outputs in branches)

    def forward(self, x):
        x = self.stem(x)
        out = []
        for body, outputs in zip(self.branches, self.outputs):
            y = body(x)
            out += [last(y) for last in outputs]
        return out


def yolox(width, depth=0.33, classes=80, lite=False, light=False):
    """YOLOX; `lite` as TI has it: ReLU, no Focus, chained pools; `light` with separable 3x3s, as its nano."""
    act = nn.ReLU if lite else nn.SiLU
    c = [int(n * width) for n in (64, 128, 256, 512, 1024)]
    few, many = max(round(3 * depth), 1), max(round(9 * depth), 1)
    down = lambda i: three(light)(c[i], c[i + 1], 2, act)
    csp = lambda i, o, repeats, adds=True: Csp(i, o, repeats, adds, act, light)
    stages = [
        nn.Sequential(down(0), csp(c[1], c[1], few)),
        nn.Sequential(down(1), csp(c[2], c[2], many)),
        nn.Sequential(down(2), csp(c[3], c[3], many)),
        nn.Sequential(down(3), Spp(c[4], c[4], act=act, chained=lite), csp(c[4], c[4], few, False)),
    ]
    neck = Pan(c[2:], lambda i, o: csp(i, o, few, False), True, act, light)
    twice = lambda: nn.Sequential(*[three(light)(c[2], c[2], act=act) for _ in range(2)])
    last = lambda n: nn.Conv2d(c[2], n, 1)
    heads = [Heads(conv(n, c[2], act=act), [(twice(), [last(classes)]), (twice(), [last(4), last(1)])]) for n in c[2:]]
    return Detector(Staged(focus_lite(c[0]) if lite else Focus(c[0], act), stages, 3), neck, heads)


def yolov5s6_lite(classes=80):
    """YOLOv5-s6 as TI has it: ReLU, no Focus, chained pools; four levels of three anchors."""
    c = [32, 64, 128, 256, 384, 512]
    stages = [nn.Sequential(conv(c[i], c[i + 1], 3, 2), Csp(c[i + 1], c[i + 1], n, act=nn.ReLU))
              for i, n in enumerate((1, 3, 3, 1))]
    spp = Spp(512, 512, (3, 5, 7), act=nn.ReLU, chained=True)
    stages.append(nn.Sequential(conv(384, 512, 3, 2), spp, Csp(512, 512, 1, False, act=nn.ReLU)))
    neck = Pan(c[2:], lambda i, o: Csp(i, o, 1, False, act=nn.ReLU), True, nn.ReLU)
    heads = [Heads(nn.Identity(), [(nn.Identity(), [nn.Conv2d(n, 3 * (classes + 5), 1)])]) for n in c[2:]]
    return Detector(Staged(focus_lite(32), stages, 4), neck, heads)


def yolov8n(classes=80):
    c = [16, 32, 64, 128, 256]
    stages = [nn.Sequential(conv(c[i], c[i + 1], 3, 2, act=nn.SiLU), C2f(c[i + 1], c[i + 1], n, True))
              for i, n in enumerate((1, 2, 2, 1))]
    stages[-1].append(Sppf(256, 256))
    neck = Pan(c[2:], lambda i, o: C2f(i, o), False, nn.SiLU)
    box, score = max(16, c[2] // 4, 64), max(c[2], min(classes, 100))
    branch = lambda n, hidden, outputs: (
        nn.Sequential(conv(n, hidden, 3, act=nn.SiLU), conv(hidden, hidden, 3, act=nn.SiLU)),
        [nn.Conv2d(hidden, outputs, 1)])
    heads = [Heads(nn.Identity(), [branch(n, box, 64), branch(n, score, classes)]) for n in c[2:]]
    return Detector(Staged(conv(3, 16, 3, 2, act=nn.SiLU), stages, 3), neck, heads)


class RepPan(nn.Module):
    """YOLOv6's neck: transposed convolutions upwards, and blocks whose branches are merged for inference."""

    def __init__(self, c, repeats):
        super().__init__()
        block = lambda i, o: nn.Sequential(conv(i, o, 3), *[conv(o, o, 3) for _ in range(repeats - 1)])
        self.reduce = nn.ModuleList([conv(c[4], c[2]), conv(c[2], c[1])])
        self.grow = nn.ModuleList(nn.ConvTranspose2d(n, n, 2, 2) for n in (c[2], c[1]))
        self.down = nn.ModuleList([block(c[3] + c[2], c[2]), block(c[2] + c[1], c[1])])
        self.halve = nn.ModuleList([conv(c[1], c[1], 3, 2), conv(c[2], c[2], 3, 2)])
        self.up = nn.ModuleList([block(2 * c[1], c[2]), block(2 * c[2], c[3])])

    def forward(self, maps):
        x, kept = maps[-1], []
        for reduce, grow, block, skip in zip(self.reduce, self.grow, self.down, maps[-2::-1]):
            kept.append(reduce(x))
            x = block(torch.cat([grow(kept[-1]), skip], 1))
        out = [x]
        for halve, block, skip in zip(self.halve, self.up, kept[::-1]):
            out.append(block(torch.cat([halve(out[-1]), skip], 1)))
        return out


def yolov6s(classes=80):
    """The first release's S, with merged branches; its heads have SiLU."""
    c = [32, 64, 128, 256, 512]
    stages = [nn.Sequential(conv(c[i], c[i + 1], 3, 2), *[conv(c[i + 1], c[i + 1], 3) for _ in range(n)])
              for i, n in enumerate((2, 4, 6, 2))]
    stages[-1].append(Sppf(512, 512, nn.ReLU))
    act = nn.SiLU
    head = lambda n: Heads(conv(n, n, act=act), [
        (conv(n, n, 3, act=act), [nn.Conv2d(n, classes, 1)]),
        (conv(n, n, 3, act=act), [nn.Conv2d(n, 4, 1)])])
    return Detector(Staged(conv(3, 32, 3, 2), stages, 3), RepPan(c, 4), [head(n) for n in (64, 128, 256)])
