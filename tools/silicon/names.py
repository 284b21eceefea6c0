"""The short name of a network, from the words in which a vendor writes it.

The first row whose device and pattern fit gives the name; {size} is the first extent of the input. Rows of the same
device, cores and name are repeats of one measurement (`rows.py`). A name without a graph still has a row here:
`networks.py` says why.
"""
import re

# device: what its name starts with in the CSV.
DEVICES = {
    "x5h": "R-Car X5H",
    "stm32n6": "STM32N6",
    "tda4vm": "TI TDA4VM",
    "imx93": "NXP i.MX 93",
    "ra8p1": "Renesas RA8P1",
    "edgetpu-usb": "Coral Edge TPU (USB",
    "edgetpu-board": "Coral Edge TPU (Dev",
}

NAMES = {
    "x5h": [
        (r"ResNet18 v1", "resnet18"),
        (r"ResNet50 v1", "resnet50"),
        (r"ResNet50 v2", "resnet50v2"),
        (r"MobileNetV2", "mobilenetv2"),
        (r"MobileNetV3-Small-050", "mobilenetv3-small-050"),
        (r"VGG16", "vgg16"),
        (r"InceptionV3", "inceptionv3"),
        (r"DashCamNet", "dashcamnet"),
        (r"PeopleNet", "peoplenet"),
        (r"EfficientNet-Lite0", "efficientnet-lite0"),
        (r"EfficientNet-B(\d)", r"efficientnet-b\1"),
        (r"EfficientNetV2-B(\d)", r"efficientnetv2-b\1"),
        (r"YOLOv6-S", "yolov6s"),
        (r"Scaled-YOLOv4", "scaled-yolov4"),
        (r"DETR", "detr-r50"),
        (r"MobileOne-S1", "mobileone-s1"),
        (r"Swin-Tiny", "swin-t"),
        (r"BEVFormer", "bevformer-tiny"),
        (r"FCN-UNet", "fcn-unet"),
        (r"HRNetV2-W48", "hrnetv2-w48-fcn"),
        (r"CenterNet-R18", "centernet-r18"),
        (r"DINOv2-Base", "dinov2-base"),
        (r"DeiT3-Small", "deit3-small"),
        (r"Darknet-53", "darknet53"),
        (r"ConvNeXt-Base", "convnext-base"),
    ],
    "stm32n6": [
        (r"MobileNet v1 ([\d.]+) fft", r"mobilenetv1-\1-food101"),
        (r"MobileNet v1 ([\d.]+) \(ImageNet", r"mobilenetv1-\1"),
        (r"MobileNet v2 ([\d.]+) \(food", r"mobilenetv2-\1-food101"),
        (r"MobileNet v2 ([\d.]+) \(ImageNet", r"mobilenetv2-\1"),
        (r"YOLOv8n", "yolov8n-{size}"),
        (r"(\w+)_pt_224", r"\1"),
    ],
    "tda4vm": [
        (r"yolox[-_]nano[-_]lite", "yolox-nano-lite"),
        (r"yolox[-_]tiny[-_]lite", "yolox-tiny-lite"),
        (r"yolox-s-lite-mmdet-widerface", "yolox-s-lite-widerface"),
        (r"yolox[-_]s[-_]lite", "yolox-s-lite"),
        (r"yolov5s6", "yolov5s6-lite-{size}"),
        (r"deeplabv3plus_mobilenetv2_tv", "deeplabv3lite-mobilenetv2-cocoseg21"),
        (r"deeplabv3_mnv2_ade20k|deeplabv3_mobv2-ade20k32-mlperf", "deeplabv3-mobilenetv2-mlperf"),
        (r"deeplabv3lite_mobilenetv2", "deeplabv3lite-mobilenetv2-ade20k32"),
        (r"deeplabv3lite-mobv2-ade20k32", "deeplabv3lite-mobilenetv2-ade20k32-quarter"),
        (r"deeplabv3lite-regnetx800mf", "deeplabv3lite-regnetx800mf"),
        (r"mobilenet_v1|mobileNetV1", "mobilenetv1"),
        (r"mobileNetV2-1p4", "mobilenetv2-1.4"),
        (r"onnx_mobilenetv2", "mobilenetv2"),
        (r"mobilenetv3_large", "mobilenetv3-large"),
        (r"inceptionnetv3", "inceptionv3"),
        (r"ssd-lite_mobilenetv2_fpn", "ssdlite-mobilenetv2-fpn"),
        (r"ssd_mobilenet_v2_300", "ssd-mobilenetv2-300"),
        (r"yolov3-mobv1", "yolov3-mobilenetv1"),
        (r"mobDet-DSP", "ssdlite-mobiledet-dsp"),
    ],
    "imx93": [(r"(.+)", r"\1")],
    "ra8p1": [
        (r"MobileNetV1 0.25", "mobilenetv1-0.25"),
        (r"MobileNetV2", "mobilenetv2"),
        (r"MobileNetV3-Small", "mobilenetv3-small"),
        (r"ResNet8", "resnet8"),
        (r"ShuffleNetV2", "shufflenetv2-x0.5"),
        (r"SqueezeNet", "squeezenet1.1"),
        (r"Visual Wake Words", "vww"),
        (r"YOLOX-tiny", "yolox-tiny"),
        (r"Auto-encoder", "autoencoder"),
    ],
    "edgetpu": [
        (r"DeepLab V3", "deeplabv3"),
        (r"DenseNet", "densenet"),
        (r"Inception v4", "inceptionv4"),
        (r"Inception-ResNet V2", "inception-resnetv2"),
        (r"MobileNet v(\d) SSD", r"ssd-mobilenetv\1"),
        (r"MobileNet v(\d)", r"mobilenetv\1"),
        (r"ResNet-(\d+) V(\d)", r"resnet\1v\2"),
        (r"SqueezeNet", "squeezenet"),
        (r"VGG(\d+)", r"vgg\1"),
        (r"EfficientNet-EdgeTpu-S", "efficientnet-es"),
    ],
}


def short_device(device):
    """The key of a device of the CSV; None for one that is not in the table."""
    return next((key for key, start in DEVICES.items() if device.startswith(start)), None)


def short_name(device, model, size):
    """The name of a network of a device (its key); None for words that no pattern fits."""
    for pattern, name in NAMES.get(device) or NAMES.get(device.split("-")[0], []):
        found = re.search(pattern, model)
        if found:
            return found.expand(name).replace("{size}", str(size)).lower().replace("_", "-")
    return None
