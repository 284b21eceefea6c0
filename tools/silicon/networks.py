"""Which network stands behind a published row, or why there is none.

For each device of `names.py` and each name: the graph of `graphs.py`, with what is uncertain about it and what a
reader must know; or the reason in words. Fits exclude what is uncertain. All graphs end before the work that vendors
leave to a CPU: softmax of classifiers, box decoding, suppression.
"""
import dataclasses

from stated import stated


@dataclasses.dataclass
class Known:
    graph: str
    uncertain: str = ""  # why fits must exclude it
    note: str = ""


def unsure(graph, why, note=""):
    return Known(graph, why, note)


RAW = "raw maps of the heads, without box decoding"
MAPS = (
    "ends in all classes' maps at the picture's extents; the vendor's chooses the greatest class before its output, "
    "which is 21 to 32 times smaller"
)
PADDED = (
    "published weights are 9 to 35 % more than the network has: presumably the vendor's tool of that release stores "
    "more for depthwise layers (mobilenet-a025, the same network by its next release, has as many as here)"
)
PRUNED = "pruned widths are not public"

NETWORKS = {
    "x5h": {
        "resnet18": Known("resnet18-224", note="the card leaves the input open; the zoo's model has 224"),
        "resnet50": Known("resnet50v1-224", note="strides in the first 1x1 convolutions"),
        "resnet50v2": Known("resnet50v2-224", note="the card leaves the input open; the zoo's model has 224"),
        "mobilenetv2": Known("mobilenetv2-224"),
        "mobilenetv3-small-050": Known("mobilenetv3-small-050-224"),
        "vgg16": Known("vgg16-224", note="the card leaves the input open; 25,088 inputs of its linear layer mean 224"),
        "inceptionv3": unsure("inceptionv3-299", "input not published; 299 is usual"),
        "dashcamnet": PRUNED,
        "peoplenet": PRUNED,
        "efficientnet-lite0": Known("efficientnet-lite0-224"),
        "efficientnet-b1": unsure("efficientnet-b1-240", "input not published; 240 is native"),
        "efficientnet-b4": unsure("efficientnet-b4-380", "input not published; 380 is native"),
        "efficientnet-b8": unsure("efficientnet-b8-672", "input not published; 672 is native"),
        "efficientnetv2-b0": Known("efficientnetv2-b0-224"),
        "efficientnetv2-b2": Known("efficientnetv2-b2-224"),
        "yolov6s": unsure("yolov6s-640", "input not published; 640 is usual; releases differ by 5 %", RAW),
        "scaled-yolov4": "neither size nor input is published",
        "detr-r50": unsure("detr-r50-800", "input not published; 800x1066 is a guess from its usual tests"),
        "mobileone-s1": unsure("mobileone-s1-224", "input not published; 224 is usual", "branches merged"),
        "swin-t": Known("swin-t-224"),
        "bevformer-tiny": "six cameras, attention by sampling and a state between frames: no plain public graph",
        "fcn-unet": "what was made separable is not public",
        "hrnetv2-w48-fcn": Known(
            "hrnetv2-w48-fcn-512", note="branches resized linearly; parameters as published, 7 % more operations"),
        "centernet-r18": unsure(
            "centernet-r18-512", "input is inferred; deformable convolutions may be in the vendor's", RAW),
        "dinov2-base": unsure("dinov2-base-518", "input not published; 518 is native"),
        "deit3-small": Known("deit3-small-224"),
        "darknet53": Known("darknet53-288"),
        "convnext-base": Known("convnext-base-448"),
    },
    "stm32n6": {
        "mobilenetv1-0.25-food101": Known("mobilenetv1-0.25-food101-224", note=PADDED),
        "mobilenetv1-0.5-food101": Known("mobilenetv1-0.5-food101-224", note=PADDED),
        "mobilenetv1-1.0-food101": Known("mobilenetv1-food101-224", note=PADDED),
        "mobilenetv1-0.25": Known("mobilenetv1-0.25-224", note=PADDED),
        "mobilenetv1-1.0": Known("mobilenetv1-224", note=PADDED),
        "mobilenetv2-1.0-food101": Known("mobilenetv2-food101-224", note=PADDED),
        "mobilenetv2-1.4": Known("mobilenetv2-1.4-224", note=PADDED),
        "regnetx002": Known("regnetx-002-224"),
        "mobilenet-a025": Known("mobilenet-wd4-224"),
        "mobilenet-a050": Known("mobilenet-wd2-224"),
        "mobilenet-a075": Known("mobilenet-w3d4-224"),
        "mobilenetb-a050": Known("mobilenetb-wd2-224"),
        "mobilenetv2-a025": Known("mobilenetv2-wd4-224"),
        "mobilenetv2-a050": Known("mobilenetv2-wd2-224"),
        "mobilenetv2-a075": Known("mobilenetv2-w3d4-224"),
        "mobilenetv2-w035": Known("mobilenetv2-035-224"),
        "mobilenetv2b-a075": Known("mobilenetv2b-w3d4-224"),
        "mnasnet-d050": Known("mnasnet-050-224"),
        "st-resnetpico-actrelu": "widths from the vendor's own search are not public",
        "st-resnetmilli-actrelu": "widths from the vendor's own search are not public",
        "squeezenetv10": Known("squeezenet1.0-224"),
        "shufflenetv2-x100": Known("shufflenetv2-1.0-224"),
        "shufflenetv2b-x050": Known("shufflenetv2b-wd2-224"),
        "shufflenetv2b-x100": Known("shufflenetv2b-w1-224"),
        "semnasnet100": Known("semnasnet-100-224"),
        "dla46c": Known("dla46-c-224"),
        "dla46xc": Known("dla46x-c-224"),
        "dla60xc": Known("dla60x-c-224"),
        "hardnet39ds": Known("hardnet39ds-224"),
        **{f"yolov8n-{n}": Known(f"yolov8n-person-{n}", note=RAW + "; the vendor's graph decodes them")
           for n in (192, 256, 320, 416)},
    },
    "tda4vm": {
        "deeplabv3lite-mobilenetv2-cocoseg21": unsure("deeplabv3lite-mobilenetv2-21-512", MAPS),
        "deeplabv3lite-mobilenetv2-ade20k32": unsure("deeplabv3lite-mobilenetv2-32-512", MAPS),
        "deeplabv3lite-mobilenetv2-ade20k32-quarter": Known(
            "deeplabv3lite-mobilenetv2-32-512-quarter",
            note="ends in all classes' maps at a quarter of the extents, without choosing the greatest"),
        "deeplabv3lite-regnetx800mf": unsure("deeplabv3lite-regnetx-008-21-512", MAPS),
        "deeplabv3-mobilenetv2-mlperf": unsure("deeplabv3-mobilenetv2-32-512", MAPS),
        "yolox-nano-lite": Known(
            "yolox-nano-lite-416", note=RAW + "; all 3x3 but the stem are separable, as its count says"),
        "yolox-tiny-lite": Known("yolox-tiny-lite-416", note=RAW),
        "yolox-s-lite": Known("yolox-s-lite-640", note=RAW),
        "yolox-s-lite-widerface": Known("yolox-s-lite-face-640", note=RAW),
        "yolov5s6-lite-640": Known("yolov5s6-lite-640", note=RAW),
        "yolov5s6-lite-384": Known("yolov5s6-lite-384", note=RAW),
        "mobilenetv1": Known("mobilenetv1-224", note="least of 11 measurements from 1.04 to 2.2 ms"),
        "mobilenetv2": Known("mobilenetv2-224"),
        "mobilenetv2-1.4": Known("mobilenetv2-1.4-224"),
        "mobilenetv3-large": unsure(
            "mobilenetv3-large-224", "its name suggests that layers ran beside the matrix unit, on C7x"),
        "inceptionv3": Known("inceptionv3-299"),
        "ssdlite-mobilenetv2-fpn": unsure(
            "ssdlite-mobilenetv2-fpn-512", "8 % above the published count: anchors differ between releases", RAW),
        "ssd-mobilenetv2-300": Known("ssd-mobilenetv2-300", note=RAW),
        "yolov3-mobilenetv1": "139 ms suggest that parts ran on the host CPU; which is not public",
        "ssdlite-mobiledet-dsp": "the searched sequence of its blocks is not in the paper",
    },
    "imx93": {
        "deep-autoencoder": Known("autoencoder-640"),
        "keyword-spotting-dscnn": Known("ds-cnn-49"),
        "eegtcnet": "which of its dilated 1-D convolutions and ELUs ran on the CPU is not public",
        "deepface-emotion": Known("emotion-48"),
        "mobilenetv1": Known("mobilenetv1-0.25-128"),
        "mobilenetv2": Known("mobilenetv2-224", note="input of 224 and count from the vendor's model page"),
        "resnet": Known(
            "resnet50v2-late-224", note="parameters and count of the vendor's page are those of Keras ResNet50V2"),
        "tiny-resnet": Known("resnet8-32"),
        "visual-wake-word": Known("vww-96"),
        "facenet512": Known("facenet512-160", note="Inception-ResNet v1; input and count from the vendor's model page"),
        "yolact-edge": "input, backbone and what ran on the CPU are not published",
        "sci": "two inputs under one name, and its published count is not that of the public network",
        "ssdlite-mobilenetv2": Known("ssdlite-mobilenetv2-300", note=RAW),
        "movenet": "neither parameters nor layers are public",
        "fast-srgan": "input not published",
    },
    "ra8p1": {
        "mobilenetv1-0.25": unsure("mobilenetv1-0.25-224", "1 ms is rounded"),
        "mobilenetv2": Known("mobilenetv2-224"),
        "mobilenetv3-small": Known("mobilenetv3-small-192"),
        "resnet8": Known("resnet8-32"),
        "shufflenetv2-x0.5": unsure("shufflenetv2-0.5-224", "147 ms suggest that shuffles ran on the CPU"),
        "squeezenet1.1": Known("squeezenet1.1-224"),
        "vww": Known("vww-96", note="least of two memories"),
        "yolox-tiny": unsure("yolox-tiny-224", "activation and stem as deployed are not published", RAW),
        "autoencoder": Known("autoencoder-640"),
    },
    "edgetpu": {
        "deeplabv3": unsure("deeplabv3-mobilenetv2-21-513", "width not published; likely resized on the CPU", MAPS),
        "densenet": unsure("densenet121-224", "depth not published; 121 is usual"),
        "inceptionv4": Known("inceptionv4-299"),
        "inception-resnetv2": Known("inception-resnetv2-299"),
        "mobilenetv1": Known("mobilenetv1-224"),
        "mobilenetv2": Known("mobilenetv2-224"),
        "ssd-mobilenetv1": unsure("ssd-mobilenetv1-224", "300 is native; likely with suppression on the CPU", RAW),
        "ssd-mobilenetv2": unsure("ssd-mobilenetv2-224", "300 is native; likely with suppression on the CPU", RAW),
        "resnet50v1": unsure("resnet50v1-299", "where its strides are is not published"),
        "resnet50v2": Known("resnet50v2-late-299"),
        "resnet152v2": Known("resnet152v2-late-299"),
        "squeezenet": unsure("squeezenet1.0-224", "version not published"),
        "vgg16": Known("vgg16-224"),
        "vgg19": Known("vgg19-224"),
        "efficientnet-es": Known("efficientnet-es-224"),
    },
}
NONE_YET = "no graph is built for it"


def known(row):
    """What the table, else the row's own words say of a collapsed row: a Known, or the reason in words."""
    device = row.device if row.device in NETWORKS else row.device.split("-")[0]
    found = NETWORKS.get(device, {}).get(row.name)
    if found is None:
        words = stated(row)
        return Known(*words) if words else NONE_YET
    return found
