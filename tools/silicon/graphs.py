"""The networks: how each is built, its input, and the multiply-accumulates that were published for it.

A name is NETWORK-EXTENT. Published counts are in 10^9 multiply-accumulates. Those of TI's YOLO and SSD networks and of
i.MX 93 were read on the vendors' model pages; the others are quoted from memory of papers and cards, without a source
looked up. So they check that a graph is the right one and are nothing to fit to. None where none is known, or where it
counts activations too.

Heads of detectors end in raw maps: box decoding and suppression run on the host CPU at the vendors.
"""
import dataclasses
from collections.abc import Callable

import timm
import torchvision
from torch import nn
from timm.utils.model import reparameterize_model

import centernet
import deeplab
import detr
import hrnet
import mobilenet
import resnet
import ssd
import tiny
import yolo


@dataclasses.dataclass
class Graph:
    build: Callable  # the network, in torch
    shape: tuple  # of its input
    macs: float | None = None  # published, 10^9
    large: bool = False  # calibrate on one input
    opset: int = 17  # 16 writes layer normalization as steps, which the device has; 17 as an operator of the host


def of(package, name, **arguments):
    """A network of torchvision, timm or pytorchcv, with random weights."""
    if package == "torchvision":
        return lambda: torchvision.models.get_model(name, weights=None, **arguments)
    if package == "timm":
        return lambda: timm.create_model(name, pretrained=False, **arguments)
    from pytorchcv.model_provider import get_model  # the least usual package: only its networks need it
    return lambda: get_model(name, pretrained=False, **arguments)


def square(build, extent, macs=None, **more):
    return Graph(build, (1, 3, extent, extent), macs, **more)


def vision(name, extent=224, macs=None, large=False, opset=17, **arguments):
    return square(of("torchvision", name, **arguments), extent, macs, large=large, opset=opset)


def timms(name, extent=224, macs=None, large=False, opset=17, **arguments):
    return square(of("timm", name, **arguments), extent, macs, large=large, opset=opset)


def cv(name, extent=224, **arguments):
    return square(of("pytorchcv", name, **arguments), extent)


def fused(build):
    """The network with the branches of its blocks merged, as it is deployed."""
    return lambda: reparameterize_model(build().eval())


def facenet512():
    """Inception-ResNet v1 on faces of 160x160, ending in its 512 features."""
    network = of("pytorchcv", "inceptionresnetv1")()
    network.features.final_pool = nn.AdaptiveAvgPool2d(1)
    network.output.fc2 = nn.Identity()
    return network


UNAUXILIARY = {"aux_logits": False, "init_weights": False}

GRAPHS = {
    # R-Car X5H
    "resnet18-224": vision("resnet18", macs=1.82),
    "resnet50v1-224": square(resnet.resnet50_v1, 224, 3.86),
    "resnet50v2-224": timms("resnetv2_50", macs=4.1),
    "mobilenetv2-224": vision("mobilenet_v2", macs=0.300),
    "mobilenetv3-small-050-224": timms("mobilenetv3_small_050"),
    "vgg16-224": vision("vgg16", macs=15.5, large=True),
    "inceptionv3-299": vision("inception_v3", 299, 5.71, **UNAUXILIARY),
    "efficientnet-lite0-224": timms("tf_efficientnet_lite0", macs=0.407),
    "efficientnet-b1-240": timms("tf_efficientnet_b1", 240, 0.70),
    "efficientnet-b4-380": timms("tf_efficientnet_b4", 380, 4.2),
    "efficientnet-b8-672": timms("tf_efficientnet_b8", 672, 63.5, large=True),
    "efficientnetv2-b0-224": timms("tf_efficientnetv2_b0", macs=0.72),
    "efficientnetv2-b2-224": timms("tf_efficientnetv2_b2"),
    "yolov6s-640": square(yolo.yolov6s, 640, 22.1),
    "detr-r50-800": Graph(lambda: detr.Detr(800, 1066), (1, 3, 800, 1066), 86.0, True, 16),
    "mobileone-s1-224": square(fused(of("timm", "mobileone_s1")), 224, 0.825),
    "swin-t-224": vision("swin_t", macs=4.5, opset=16),
    "hrnetv2-w48-fcn-512": Graph(hrnet.HrnetFcn, (1, 3, 512, 1024), 174.0, large=True),
    "centernet-r18-512": square(centernet.CenterNet, 512),
    "dinov2-base-518": timms("vit_base_patch14_dinov2", 518, 151.7, large=True, opset=16),
    "deit3-small-224": timms("deit3_small_patch16_224", macs=4.6, opset=16),
    "darknet53-288": timms("darknet53", 288, 11.8),
    "convnext-base-448": timms("convnext_base", 448, 61.5, large=True, opset=16),
    # STM32N6
    "mobilenetv1-0.25-food101-224": square(lambda: mobilenet.mobilenet_v1(0.25, 101), 224),
    "mobilenetv1-0.5-food101-224": square(lambda: mobilenet.mobilenet_v1(0.5, 101), 224),
    "mobilenetv1-food101-224": square(lambda: mobilenet.mobilenet_v1(1.0, 101), 224),
    "mobilenetv1-0.25-224": square(lambda: mobilenet.mobilenet_v1(0.25), 224, 0.041),
    "mobilenetv1-224": square(mobilenet.mobilenet_v1, 224, 0.569),
    "mobilenetv2-food101-224": vision("mobilenet_v2", num_classes=101),
    "mobilenetv2-1.4-224": timms("mobilenetv2_140", macs=0.582),
    "regnetx-002-224": timms("regnetx_002", macs=0.20),
    "mobilenet-wd4-224": cv("mobilenet_wd4"),
    "mobilenet-wd2-224": cv("mobilenet_wd2"),
    "mobilenet-w3d4-224": cv("mobilenet_w3d4"),
    "mobilenetb-wd2-224": cv("mobilenetb_wd2"),
    "mobilenetv2-wd4-224": cv("mobilenetv2_wd4"),
    "mobilenetv2-wd2-224": cv("mobilenetv2_wd2"),
    "mobilenetv2-w3d4-224": cv("mobilenetv2_w3d4"),
    "mobilenetv2-035-224": timms("mobilenetv2_035"),
    "mobilenetv2b-w3d4-224": cv("mobilenetv2b_w3d4"),
    "mnasnet-050-224": vision("mnasnet0_5", macs=0.10),
    "squeezenet1.0-224": vision("squeezenet1_0", macs=0.82),
    "shufflenetv2-1.0-224": vision("shufflenet_v2_x1_0", macs=0.146),
    "shufflenetv2b-wd2-224": cv("shufflenetv2b_wd2"),
    "shufflenetv2b-w1-224": cv("shufflenetv2b_w1"),
    "semnasnet-100-224": timms("semnasnet_100", macs=0.32),
    "dla46-c-224": timms("dla46_c", macs=0.58),
    "dla46x-c-224": timms("dla46x_c", macs=0.54),
    "dla60x-c-224": timms("dla60x_c", macs=0.59),
    "hardnet39ds-224": cv("hardnet39ds"),
    **{f"yolov8n-person-{n}": square(lambda: yolo.yolov8n(1), n) for n in (192, 256, 320, 416)},
    # TDA4VM
    "deeplabv3lite-mobilenetv2-21-512": square(lambda: deeplab.lite_mobilenet(21), 512),
    "deeplabv3lite-mobilenetv2-32-512": square(lambda: deeplab.lite_mobilenet(32), 512),
    "deeplabv3lite-mobilenetv2-32-512-quarter": square(lambda: deeplab.lite_mobilenet(32, True), 512),
    "deeplabv3lite-regnetx-008-21-512": square(lambda: deeplab.lite_regnet(21), 512),
    "deeplabv3-mobilenetv2-32-512": square(lambda: deeplab.Mobile(32), 512, 2.7),
    "yolox-nano-lite-416": square(lambda: yolo.yolox(0.25, lite=True, light=True), 416, 0.552),
    "yolox-tiny-lite-416": square(lambda: yolo.yolox(0.375, lite=True), 416, 3.24),
    "yolox-s-lite-640": square(lambda: yolo.yolox(0.5, lite=True), 640, 13.43),
    "yolox-s-lite-face-640": square(lambda: yolo.yolox(0.5, classes=1, lite=True), 640),
    "yolov5s6-lite-640": square(yolo.yolov5s6_lite, 640, 8.74),
    "yolov5s6-lite-384": square(yolo.yolov5s6_lite, 384, 3.15),
    "ssdlite-mobilenetv2-fpn-512": square(ssd.FpnLite, 512, 2.29),
    "ssd-mobilenetv2-300": square(ssd.ssd_v2, 300, 1.888),
    "mobilenetv3-large-224": vision("mobilenet_v3_large", macs=0.219),
    # i.MX 93
    "autoencoder-640": Graph(tiny.autoencoder, (1, 640), 0.000264),
    "ds-cnn-49": Graph(tiny.ds_cnn, (1, 1, 49, 10), 0.00266),
    "emotion-48": Graph(tiny.emotion, (1, 1, 48, 48), 0.0292),
    "mobilenetv1-0.25-128": square(lambda: mobilenet.mobilenet_v1(0.25, 1001), 128, 0.014),
    "resnet50v2-late-224": square(lambda: resnet.resnet_v2_late(50), 224, 3.49),
    "resnet8-32": square(tiny.resnet8, 32, 0.0125),
    "vww-96": square(tiny.visual_wake_words, 96, 0.0075),
    "facenet512-160": square(facenet512, 160, 1.42),
    "ssdlite-mobilenetv2-300": square(ssd.ssdlite_v2, 300, 0.763),
    # RA8P1
    "mobilenetv3-small-192": vision("mobilenet_v3_small", 192),
    "shufflenetv2-0.5-224": vision("shufflenet_v2_x0_5", macs=0.041),
    "squeezenet1.1-224": vision("squeezenet1_1", macs=0.35),
    "yolox-tiny-224": square(lambda: yolo.yolox(0.375), 224),
    # Edge TPU
    "deeplabv3-mobilenetv2-21-513": square(lambda: deeplab.Mobile(21), 513, 2.75),
    "densenet121-224": vision("densenet121", macs=2.83),
    "inceptionv4-299": timms("inception_v4", 299, 12.28, large=True),
    "inception-resnetv2-299": timms("inception_resnet_v2", 299, 13.18, large=True),
    "ssd-mobilenetv1-224": square(ssd.ssd_v1, 224),
    "ssd-mobilenetv2-224": square(ssd.ssd_v2, 224),
    "resnet50v1-299": square(resnet.resnet50_v1, 299),
    "resnet50v2-late-299": square(lambda: resnet.resnet_v2_late(50), 299),
    "resnet152v2-late-299": square(lambda: resnet.resnet_v2_late(152), 299, large=True),
    "vgg19-224": vision("vgg19", macs=19.6, large=True),
    "efficientnet-es-224": timms("efficientnet_es", macs=1.8),
}
