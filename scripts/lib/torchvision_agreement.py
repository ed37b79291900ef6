"""Writes torchvision's networks with random weights, and what they answer, for the example `torchvision_agreement`.

    torchvision_agreement.py DIR NAME...

Running statistics, scales and shifts are random too, so that a swapped or ignored tensor shows.
"""

import sys

import numpy
import torch
import torchvision
from safetensors.torch import save_file

directory, names = sys.argv[1], sys.argv[2:]
for name in names:
    torch.manual_seed(len(name))
    options = {"aux_logits": False, "transform_input": True, "init_weights": False} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(**options).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.7, 1.3)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.7, 1.3)
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        logits = model(images)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items() if "num_batches_tracked" not in key}
    save_file(tensors, f"{directory}/{name}.safetensors")
    numpy.save(f"{directory}/{name}.images.npy", images.numpy())
    numpy.save(f"{directory}/{name}.logits.npy", logits.numpy())
