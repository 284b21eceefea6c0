"""DETR of ResNet-50 (Carion and others, 2020): six encoder and six decoder layers of width 256, 100 queries, two heads.

The picture fills the input, so no position is masked, and the positions' sines are constants.
"""
import math

import torch
import torchvision
from torch import nn

WIDTH, HEADS, HIDDEN, QUERIES = 256, 8, 2048, 100


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, q, k, v):
        split = lambda x: x.reshape(x.shape[0], -1, HEADS, WIDTH // HEADS).transpose(1, 2)
        q, k, v = split(self.q(q)), split(self.k(k)), split(self.v(v))
        weights = (q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention of a sequence to itself, to `memory` if the layer is a decoder's, and two linear layers."""

    def __init__(self, crosses):
        super().__init__()
        self.own, self.cross = Attention(), Attention() if crosses else None
        self.feed = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3 if crosses else 2))

    def forward(self, x, at, memory=None, memory_at=None):
        x = self.norms[0](x + self.own(x + at, x + at, x))
        if self.cross:
            x = self.norms[2](x + self.cross(x + at, memory + memory_at, memory))
        return self.norms[1](x + self.feed(x))


def sines(height, width):
    """The positions' code: half of the channels for each axis, sine and cosine in turn."""
    rates = 10000 ** (2 * (torch.arange(WIDTH // 2) // 2) / (WIDTH // 2))
    code = lambda n: (torch.arange(1, n + 1) / n * 2 * math.pi)[:, None] / rates
    turns = lambda x: torch.stack([x[:, ::2].sin(), x[:, 1::2].cos()], 2).flatten(1)
    rows, columns = turns(code(height)), turns(code(width))
    both = torch.cat([rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)], 2)
    return both.reshape(1, height * width, WIDTH)


class Detr(nn.Module):
    def __init__(self, height, width, classes=91):
        super().__init__()
        backbone = torchvision.models.resnet50(weights=None)
        self.backbone = nn.Sequential(*[m for name, m in backbone.named_children() if name not in ("avgpool", "fc")])
        self.project = nn.Conv2d(2048, WIDTH, 1)
        self.encoder = nn.ModuleList(Layer(False) for _ in range(6))
        self.decoder = nn.ModuleList(Layer(True) for _ in range(6))
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("at", sines(math.ceil(height / 32), math.ceil(width / 32)))
        self.queries = nn.Parameter(torch.randn(1, QUERIES, WIDTH) * 0.5)
        self.register_buffer("start", torch.zeros(1, QUERIES, WIDTH))
        self.score = nn.Linear(WIDTH, classes + 1)
        self.box = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 4))

    def forward(self, x):
        memory = self.project(self.backbone(x)).flatten(2).transpose(1, 2)
        for layer in self.encoder:
            memory = layer(memory, self.at)
        x = self.start.expand(x.shape[0], -1, -1)
        for layer in self.decoder:
            x = layer(x, self.queries, memory, self.at)
        x = self.norm(x)
        return self.score(x), self.box(x)
