#!/usr/bin/env python3
"""Export architectures of torchvision and timm with random weights, and the pictures to calibrate and judge them on.

usage: export.py PICTURES FOLDER [NAME...]

Each network is exported in eval mode by torch.onnx.export as its package has it, at a small input, with fixed seeds. So that
activations neither explode nor vanish, batch normalization gets the statistics of pictures that pass through it; gains that an
initialization leaves at zero, so that a residual branch would not count, get those of a trained network's size. For NAME it
writes
  FOLDER/NAME.onnx   the float network
  FOLDER/NAME.npz    calib and held: 16 and 16 pictures, normalized, [N, 3, H, W] f32
and for no NAME all that FOLDER does not have yet. `judge.py` beside this file quantizes and holds them against ONNX Runtime.

Needs: numpy, pillow, torch, torchvision, timm (written with 1.13, 0.14 and 0.9.16)
"""
import logging
import pathlib
import sys
import warnings

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from torch import nn

# name: (package, size of the picture, opset, arguments). The opsets that torch 1.13 writes take turns.
VISION, TIMM = "torchvision", "timm"
NETWORKS = {
    "resnet18": (VISION, 64, 13, {}),
    "resnext50_32x4d": (VISION, 64, 14, {}),
    "wide_resnet50_2": (VISION, 64, 15, {}),
    "regnet_x_400mf": (VISION, 64, 16, {}),
    "regnet_y_400mf": (VISION, 64, 17, {}),
    "densenet121": (VISION, 64, 13, {}),
    "googlenet": (VISION, 96, 14, {"aux_logits": False, "init_weights": False}),
    "inception_v3": (VISION, 96, 15, {"aux_logits": False, "init_weights": False}),
    "mnasnet0_5": (VISION, 96, 16, {}),
    "mobilenet_v2": (VISION, 96, 17, {}),
    "mobilenet_v3_small": (VISION, 96, 14, {}),
    "mobilenet_v3_large": (VISION, 96, 13, {}),
    "shufflenet_v2_x0_5": (VISION, 96, 16, {}),
    "squeezenet1_1": (VISION, 96, 17, {}),
    "efficientnet_b0": (VISION, 96, 13, {}),
    "convnext_tiny": (VISION, 64, 14, {}),
    "vit_b_32": (VISION, 96, 15, {"image_size": 96}),
    "swin_t": (VISION, 64, 16, {}),
    "swin_v2_t": (VISION, 64, 17, {}),
    "deeplabv3_mobilenet_v3_large": (VISION, 96, 13, {"weights_backbone": None}),
    "lraspp_mobilenet_v3_large": (VISION, 96, 14, {"weights_backbone": None}),
    "fcn_resnet50": (VISION, 64, 15, {"weights_backbone": None}),
    "tf_efficientnet_lite0": (TIMM, 96, 13, {}),
    "tf_efficientnetv2_b0": (TIMM, 96, 14, {}),
    "tf_mobilenetv3_small_minimal_100": (TIMM, 96, 15, {}),
    "resnest14d": (TIMM, 64, 16, {}),
    "skresnet18": (TIMM, 64, 17, {}),
    "seresnet18": (TIMM, 64, 13, {}),
    "ecaresnet26t": (TIMM, 64, 14, {}),
    "gcresnet33ts": (TIMM, 64, 15, {}),
    "res2net50_26w_4s": (TIMM, 64, 16, {}),
    "nfnet_l0": (TIMM, 64, 17, {}),
    "nf_resnet26": (TIMM, 64, 13, {}),
    "resnetv2_50": (TIMM, 64, 14, {}),
    "resnetv2_50x1_bit": (TIMM, 64, 15, {}),
    "botnet26t_256": (TIMM, 128, 16, {"img_size": 128}),
    "dpn48b": (TIMM, 64, 17, {}),
    "dla34": (TIMM, 64, 13, {}),
    "hrnet_w18_small": (TIMM, 64, 14, {}),
    "repvgg_a0": (TIMM, 64, 15, {}),
    "rexnet_100": (TIMM, 96, 16, {}),
    "selecsls42b": (TIMM, 64, 17, {}),
    "xception41": (TIMM, 96, 13, {}),
    "ese_vovnet19b_dw": (TIMM, 64, 14, {}),
    "cspdarknet53": (TIMM, 64, 15, {}),
    "ghostnet_100": (TIMM, 96, 16, {}),
    "mixnet_s": (TIMM, 96, 17, {}),
    "fbnetc_100": (TIMM, 96, 13, {}),
    "lcnet_050": (TIMM, 96, 14, {}),
    "mobileone_s0": (TIMM, 64, 15, {}),
    "repvit_m1": (TIMM, 64, 16, {}),
    "convmixer_768_32": (TIMM, 64, 17, {}),
    "mixer_s32_224": (TIMM, 128, 13, {"img_size": 128}),
    "resmlp_12_224": (TIMM, 64, 14, {"img_size": 64}),
    "gmlp_ti16_224": (TIMM, 64, 15, {"img_size": 64}),
    "poolformer_s12": (TIMM, 64, 16, {}),
    "inception_next_tiny": (TIMM, 64, 17, {}),
    "convnextv2_atto": (TIMM, 64, 13, {}),
    "edgenext_xx_small": (TIMM, 64, 14, {}),
    "focalnet_tiny_srf": (TIMM, 64, 15, {}),
    "deit_tiny_patch16_224": (TIMM, 64, 16, {"img_size": 64}),
    "vit_relpos_small_patch16_224": (TIMM, 64, 17, {"img_size": 64}),
    "cait_xxs24_224": (TIMM, 64, 13, {"img_size": 64}),
    "xcit_nano_12_p16_224": (TIMM, 64, 14, {}),
    "twins_svt_small": (TIMM, 64, 15, {"img_size": 64}),
    "twins_pcpvt_small": (TIMM, 64, 16, {"img_size": 64}),
    "tiny_vit_5m_224": (TIMM, 224, 17, {}),
    "levit_128s": (TIMM, 224, 13, {}),
    "coatnet_pico_rw_224": (TIMM, 64, 14, {"img_size": 64}),
    "maxvit_rmlp_pico_rw_256": (TIMM, 64, 15, {"img_size": 64}),
    "mobilevit_xxs": (TIMM, 64, 16, {}),
    "mobilevitv2_050": (TIMM, 64, 17, {}),
    "pvt_v2_b0": (TIMM, 64, 13, {}),
    "efficientformer_l1": (TIMM, 224, 14, {}),
    "efficientvit_m0": (TIMM, 224, 15, {}),
    "pit_ti_224": (TIMM, 64, 16, {"img_size": 64}),
    "convit_tiny": (TIMM, 64, 17, {"img_size": 64}),
    "crossvit_tiny_240": (TIMM, 240, 13, {}),
    "davit_tiny": (TIMM, 64, 14, {}),
    "gcvit_xxtiny": (TIMM, 224, 15, {}),
    "nest_tiny": (TIMM, 64, 16, {"img_size": 64}),
    "visformer_tiny": (TIMM, 64, 17, {"img_size": 64}),
    "mvitv2_tiny": (TIMM, 64, 13, {"img_size": 64}),
    "caformer_s18": (TIMM, 64, 14, {}),
}
CALIBRATED = 16
HELD = 16


def pictures(folder, size):
    """Centre parts of the pictures as networks of ImageNet read them, in the order of their names."""
    paths = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(paths) < CALIBRATED + HELD:
        sys.exit(f"{folder}: {len(paths)} pictures, {CALIBRATED + HELD} needed")
    out = []
    for path in paths[:: len(paths) // (CALIBRATED + HELD)][: CALIBRATED + HELD]:
        picture = Image.open(path).convert("RGB")
        side = min(picture.size)
        x, y = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((x, y, x + side, y + side)).resize((size, size), Image.BILINEAR)
        values = np.asarray(picture, np.float32) / np.float32(255)
        out.append(((values - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])).transpose(2, 0, 1))
    # Calibration and held pictures take turns: names of one series stand beside each other.
    return np.ascontiguousarray(np.stack(out[::2])), np.ascontiguousarray(np.stack(out[1::2]))


class First(nn.Module):
    """The main output of a network that returns a dictionary: segmentation."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)["out"]


def built(name):
    package, _, _, arguments = NETWORKS[name]
    if package == TIMM:
        return timm.create_model(name, pretrained=False, **arguments)
    return torchvision.models.get_model(name, weights=None, **arguments)


def made_alive(network, values):
    """Give the network the statistics and gains without which random weights compute nothing worth quantizing."""
    generator = torch.Generator().manual_seed(1)
    uniform = lambda p, low, high: p.copy_(torch.rand(p.shape, generator=generator) * (high - low) + low)
    with torch.no_grad():
        for p in network.parameters():
            # Layer scales, skip gains, the last normalization of a branch and some classifiers start at (nearly) zero.
            if p.numel() and float(p.abs().max()) < 1e-3:
                size = 0.1 if p.numel() == max(p.shape, default=1) else (3 / p[0].numel()) ** 0.5
                uniform(p, -size, size)
        for m in network.modules():
            if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) and m.affine:
                uniform(m.weight, 0.5, 1.5)
                uniform(m.bias, -0.3, 0.3)
            for gain in ("gamma", "gamma1", "gamma2", "gamma3", "ls1", "ls2", "layer_scale", "skipinit_gain"):
                p = getattr(m, gain, None)
                if isinstance(p, nn.Parameter):
                    uniform(p, 0.3, 0.9)
        network.eval()
        normalizations = [m for m in network.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) and m.track_running_stats]
        for m in normalizations:
            m.train()
            m.momentum = None  # the mean of all batches
            m.reset_running_stats()
        if normalizations:
            for at in range(0, len(values), 8):
                network(torch.from_numpy(values[at:at + 8]))
        network.eval()
    return network


def export(name, photos, folder):
    _, size, opset, _ = NETWORKS[name]
    torch.manual_seed(0)
    calib, held = pictures(photos, size)
    network = built(name)
    network = made_alive(First(network) if isinstance(network.eval()(torch.zeros(1, 3, size, size)), dict) else network, calib)
    with torch.no_grad():
        out = network(torch.from_numpy(held))
    out = out[0] if isinstance(out, (tuple, list)) else out
    # Networks whose output hardly depends on the picture say nothing about a quantizer.
    alive = float(out.std(0).mean() / out.abs().mean().clamp(min=1e-30))
    part = folder / f"{name}.part"
    torch.onnx.export(network, torch.from_numpy(calib[:1]), part, opset_version=opset, input_names=["x"], output_names=["y"])
    np.savez(folder / f"{name}.npz", calib=calib, held=held)
    part.rename(folder / f"{name}.onnx")
    return f"opset {opset}, {size}x{size}, outputs {float(out.abs().mean()):.3g} in the mean, {alive:.2g} of it by the picture"


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    photos, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    names = sys.argv[3:] or [n for n in NETWORKS if not (folder / f"{n}.onnx").exists()]
    failed = []
    for name in names:
        try:
            text = export(name, photos, folder)
        except Exception as error:  # one network that this torch cannot export must not stop the others
            failed.append(name)
            text = f"cannot be exported: {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        print(f"{name:34} {text}", flush=True)
    if failed:
        sys.exit(f"{len(failed)} cannot be exported: {' '.join(failed)}")


if __name__ == "__main__":
    main()
