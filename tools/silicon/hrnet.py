"""HRNetV2-W48 with the head of a fully convolutional network (Sun and others, 2019), for 19 classes.

Its output has a quarter of the extents. The backbone is timm's, without its classifier; its branches are resized
linearly as segmentation has them.
"""
import timm
import torch
from torch import nn

from blocks import conv


class HrnetFcn(nn.Module):
    def __init__(self, name="hrnet_w48", channels=(48, 96, 192, 384), classes=19):
        super().__init__()
        self.backbone = timm.create_model(name, pretrained=False, features_only=True, feature_location="")
        for m in self.backbone.modules():
            if isinstance(m, nn.Upsample):
                m.mode, m.align_corners = "bilinear", False
        width = sum(channels)
        self.head = nn.Sequential(conv(width, width), nn.Conv2d(width, classes, 1))

    def forward(self, x):
        maps = self.backbone(x)[-4:]
        size = maps[0].shape[2:]
        same = [nn.functional.interpolate(m, size=size, mode="bilinear", align_corners=False) for m in maps[1:]]
        return self.head(torch.cat([maps[0], *same], 1))
