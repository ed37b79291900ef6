#!/usr/bin/env python3
"""Writes the names and shapes of the tensors that torchvision's and timm's networks have.

    python3 make.py         needs torchvision and timm; made with torchvision 0.29.2 and timm 1.0.31

torchvision.csv: for each architecture the number of tensors that a network computes with, and the SHA-256 of its sorted lines
`name shape`, the auxiliary heads and `num_batches_tracked` left out.
timm_NAME.txt: all lines `name shape` of networks that timm calls otherwise.
"""

import hashlib
import pathlib

import timm
import torchvision

HERE = pathlib.Path(__file__).parent
ARCHITECTURES = """alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn googlenet resnet18 resnet34 resnet50 resnet101
resnet152 wide_resnet50_2 wide_resnet101_2 resnext50_32x4d squeezenet1_0 squeezenet1_1 densenet121 mobilenet_v2""".split()


def lines(network):
    return [f"{name} {'x'.join(map(str, tensor.shape))}" for name, tensor in network.state_dict().items()]


with open(HERE / "torchvision.csv", "w") as table:
    print("architecture,tensors,sha256", file=table)
    for architecture in ARCHITECTURES:
        options = {"init_weights": False} if architecture == "googlenet" else {}
        kept = [line for line in lines(torchvision.models.get_model(architecture, **options)) if "num_batches" not in line and not line.startswith("aux")]
        digest = hashlib.sha256("".join(f"{line}\n" for line in sorted(kept)).encode()).hexdigest()
        print(architecture, len(kept), digest, sep=",", file=table)

for name in ["vgg11", "vgg16_bn", "mobilenetv2_100", "vit_tiny_patch16_224"]:
    (HERE / f"timm_{name}.txt").write_text("\n".join(lines(timm.create_model(name))) + "\n")
