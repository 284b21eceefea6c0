"""Causes of residuals past 20 %, by row: what layer classes and the vendors' own tables say. Guesses are named so."""

PARTIAL = (
    "Dense 7×7 first convolution. The vendor's table has 6.1 and 6.5 MiB of external RAM, 8 and 6 bytes for each "
    "element of that convolution's output: presumably its partial results. Nothing is spilled here."
)
COPIES = (
    "Concatenation and shuffling. Channels are no multiple of 8 (58, 116, 232 against 24, 48, 96 of the network of "
    "half the width, which is not slow): presumably copied by the CPU there; here they are copies or none at all."
)
SILU = "SiLU after each convolution: part of the convolution here, for nothing; presumably steps of its own there."
RESIZE = (
    "Resize. The compiler here has no linear resize of integers: it converts to float, interpolates and converts back, "
    "on the vector unit."
)
MAPS = RESIZE + " The graph also ends in all classes' maps, the vendor's in the greatest class."
EXCITE = "Squeeze and excite, and swish: many small layers, which take longer at the vendor."

CAUSES = {
    "x5h-1/swin-t": "Attention in windows and the rearrangements around it, which have no array work to hide behind.",
    "x5h-1/mobilenetv3-small-050": EXCITE,
    "x5h-1/efficientnetv2-b2": (
        "Not explained. B0 has the same kinds of layers; B2 has 1.6 times its MACs, and takes 2.5 times as long at the "
        "vendor, on 12 cores as on one: presumably part of it did not run on the array."
    ),
    "x5h-1/hrnetv2-w48-fcn": (
        "Resize and additions of large tensors. At the vendor, one core does 0.59 T MAC/s of it and three do exactly "
        "three times that, where it does 1.1 T MAC/s of vgg16: presumably branches that do not fit its memory."
    ),
    "x5h-1/mobilenetv2": "The re-run of the card; its first figure is 1.05 ms. Launches are 40 % of the time here.",
    "x5h-1/centernet-r18": "Transposed convolutions; the vendor's may have deformable convolutions.",
    "x5h-1/efficientnet-b1": EXCITE,
    "x5h-1/efficientnet-b4": EXCITE,
    "x5h-1/efficientnet-b8": EXCITE,
    "x5h-1/yolov6s": "The input is a guess.",
    "stm32n6-1/dla46c": PARTIAL,
    "stm32n6-1/dla46xc": PARTIAL,
    "stm32n6-1/dla60xc": PARTIAL,
    "stm32n6-1/squeezenetv10": PARTIAL,
    "stm32n6-1/shufflenetv2-x100": COPIES,
    "stm32n6-1/shufflenetv2b-x100": COPIES,
    "stm32n6-1/hardnet39ds": COPIES,
    "stm32n6-1/semnasnet100": "Squeeze and excite: mnasnet-d050, without it, is not slow.",
    "stm32n6-1/yolov8n-192": SILU,
    "stm32n6-1/yolov8n-256": SILU,
    "stm32n6-1/yolov8n-320": SILU,
    "stm32n6-1/yolov8n-416": SILU,
    "stm32n6-1/regnetx002": "Grouped convolutions of 8 channels, which fill few lanes here.",
    "tda4vm-1/mobilenetv1": "The least of 11 measurements from 1.04 to 2.2 ms; the others are from 1.5 ms on.",
    "tda4vm-1/deeplabv3lite-mobilenetv2-ade20k32-quarter": RESIZE,
    "tda4vm-1/deeplabv3lite-mobilenetv2-cocoseg21": MAPS,
    "tda4vm-1/deeplabv3lite-mobilenetv2-ade20k32": MAPS,
    "tda4vm-1/deeplabv3-mobilenetv2-mlperf": MAPS,
    "tda4vm-1/deeplabv3lite-regnetx800mf": MAPS,
    "tda4vm-1/mobilenetv3-large": "By its name, layers ran on C7x beside the matrix unit: squeeze and excite, swish.",
    "imx93-1/keyword-spotting-dscnn": "Not explained: 2.7 M MACs that take longer than the 7.5 M of visual-wake-word.",
    "imx93-1/tiny-resnet": "Not explained: 12.5 M MACs take as long as the 13.6 M of mobilenetv1 in twice the layers.",
    "imx93-1/ssdlite-mobilenetv2": "Depthwise layers at 150×150; the vendor's may end in box decoding on the CPU.",
    "imx93-1/mobilenetv1": "Pointwise layers of few channels.",
}
