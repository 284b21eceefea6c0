"""Parts that the hand-built YOLO networks share: cross-stage blocks and pyramid pooling."""
import torch
from torch import nn

from blocks import conv, separable


def three(light):
    """A 3x3 convolution, regular or (`light`) separable."""
    return (lambda i, o, stride=1, act=None: separable(i, o, 3, stride, act)) if light else (
        lambda i, o, stride=1, act=None: conv(i, o, 3, stride, act=act))


class Bottleneck(nn.Module):
    """Two convolutions with a skip: 1x1 then 3x3 (v5, X), or 3x3 twice (v8)."""

    def __init__(self, channels, kernel, adds, act, light=False):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels, kernel, act=act), three(light)(channels, channels, act=act))
        self.adds = adds

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class Csp(nn.Module):
    """C3 of YOLOv5, CSPLayer of YOLOX: half of the channels pass bottlenecks, half pass none."""

    def __init__(self, inputs, outputs, repeats=1, adds=True, act=nn.SiLU, light=False):
        super().__init__()
        half = outputs // 2
        self.left, self.right = conv(inputs, half, act=act), conv(inputs, half, act=act)
        self.body = nn.Sequential(*[Bottleneck(half, 1, adds, act, light) for _ in range(repeats)])
        self.last = conv(2 * half, outputs, act=act)

    def forward(self, x):
        return self.last(torch.cat([self.body(self.left(x)), self.right(x)], 1))


class C2f(nn.Module):
    """YOLOv8's: every bottleneck's output is kept for the last convolution."""

    def __init__(self, inputs, outputs, repeats=1, adds=False, act=nn.SiLU):
        super().__init__()
        half = outputs // 2
        self.first = conv(inputs, outputs, act=act)
        self.body = nn.ModuleList(Bottleneck(half, 3, adds, act) for _ in range(repeats))
        self.last = conv((2 + repeats) * half, outputs, act=act)

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for block in self.body:
            parts.append(block(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Spp(nn.Module):
    """Pools of growing kernels side by side: each a chain of small pools, or one large pool (`chained` false)."""

    def __init__(self, inputs, outputs, kernels=(5, 9, 13), act=nn.SiLU, chained=False):
        super().__init__()
        half = inputs // 2
        self.first = conv(inputs, half, act=act)
        pool = lambda k: nn.MaxPool2d(k, 1, k // 2)
        chain = lambda k: nn.Sequential(*[pool(3) for _ in range(k // 2)])
        self.pools = nn.ModuleList(chain(k) if chained else pool(k) for k in kernels)
        self.last = conv(half * (len(kernels) + 1), outputs, act=act)

    def forward(self, x):
        x = self.first(x)
        return self.last(torch.cat([x, *[pool(x) for pool in self.pools]], 1))


class Sppf(nn.Module):
    """The same as a series of three pools of 5."""

    def __init__(self, inputs, outputs, act=nn.SiLU):
        super().__init__()
        self.first, self.last = conv(inputs, inputs // 2, act=act), conv(inputs * 2, outputs, act=act)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Focus(nn.Module):
    """Space to depth by slices, then a convolution."""

    def __init__(self, outputs, act):
        super().__init__()
        self.conv = conv(12, outputs, 3, act=act)

    def forward(self, x):
        even, odd = x[..., ::2, :], x[..., 1::2, :]
        return self.conv(torch.cat([even[..., ::2], odd[..., ::2], even[..., 1::2], odd[..., 1::2]], 1))


def focus_lite(outputs):
    """What TI has instead of Focus: a light strided convolution to the same 12 channels, then the same convolution."""
    return nn.Sequential(conv(3, 12, 3, 2), conv(12, outputs, 3))
