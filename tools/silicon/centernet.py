"""CenterNet of ResNet-18 (Zhou and others, 2019) as MMDetection has it without deformable convolutions; raw maps."""
import torchvision
from torch import nn

from blocks import conv


class CenterNet(nn.Module):
    def __init__(self, classes=80):
        super().__init__()
        backbone = torchvision.models.resnet18(weights=None)
        layers = [m for name, m in backbone.named_children() if name not in ("avgpool", "fc")]
        channels = 512
        for outputs in (256, 128, 64):
            layers += [conv(channels, outputs, 3),
                       nn.ConvTranspose2d(outputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            channels = outputs
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU(), nn.Conv2d(64, n, 1)) for n in (classes, 2, 2))

    def forward(self, x):
        x = self.body(x)
        return tuple(head(x) for head in self.heads)
