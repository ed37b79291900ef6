#!/usr/bin/env python3
"""Writes the checkpoints beside it, with PyTorch, and what is in them as safetensors' own library writes it.

    python3 make.py         needs torch, safetensors and numpy; made with torch 2.15.0

NAME.pth is what `referee convert` reads; NAME.safetensors, where there is one, what it must write (tensor by tensor).
"""

import collections
import pathlib
import re
import zipfile

import torch
import torch.serialization
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
torch.manual_seed(1)

# The sources that a whole module brings along in the old format: kept, without the paths of this machine.
sources = torch.serialization.get_source_lines_and_file
torch.serialization.get_source_lines_and_file = lambda thing: (*sources(thing)[:2], pathlib.Path(sources(thing)[2]).name)


def save(name, saved, state_dict=None, **options):
    torch.save(saved, HERE / f"{name}.pth", **options)
    if state_dict is not None:
        save_file({key: value.detach().clone().contiguous() for key, value in state_dict.items()}, HERE / f"{name}.safetensors")


class Network(torch.nn.Module):
    """A convolution with batch norm and a linear layer: every kind of entry that a state dict has."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 2, 3)
        self.bn1 = torch.nn.BatchNorm2d(2)
        self.fc = torch.nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(self.bn1(self.conv1(x)).mean((2, 3)))


network = Network()
state_dict = network.state_dict()
# The same values as they are after an epoch: an optimizer with state, an accuracy as a tensor.
optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
network(torch.randn(4, 1, 5, 5)).sum().backward()
optimizer.step()
state_dict = {key: value.clone() for key, value in network.state_dict().items()}
ordered = collections.OrderedDict(state_dict)

save("zip", network.state_dict(), state_dict)
save("legacy", network.state_dict(), state_dict, _use_new_zipfile_serialization=False)
save("protocol4", ordered, state_dict, pickle_protocol=4)
save("parameters", {name: parameter for name, parameter in network.named_parameters()}, dict(network.named_parameters()))

# PyTorch's ImageNet example; timm's CheckpointSaver with --model-ema.
imagenet = {
    "epoch": 90,
    "arch": "resnet50",
    "state_dict": {f"module.{key}": value for key, value in state_dict.items()},
    "best_acc1": torch.tensor([76.13]),
    "optimizer": optimizer.state_dict(),
}
save("imagenet_example", imagenet, imagenet["state_dict"])
averaged = {key: value + 1 if value.is_floating_point() else value for key, value in state_dict.items()}
save("ema", {"state_dict": state_dict, "state_dict_ema": averaged, "epoch": 3, "version": 2}, averaged)
save("model_key", {"model": state_dict, "rng_state": torch.get_rng_state()[:16]}, state_dict)
save("nested", {"model": {"module": state_dict, "step": 3}, "args": None}, state_dict)

# channels_last, a transposed matrix, one row of another tensor, two views of one storage, a scalar expanded.
base = torch.arange(24, dtype=torch.float32)
strided = {
    "channels_last": torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last),
    "transposed": torch.randn(3, 2).t(),
    "row": base.view(4, 6)[1],
    "columns": base.view(4, 6)[:, 1::2],
    "shared_a": base[:6].view(2, 3),
    "shared_b": base[:6].view(2, 3),
    "expanded": torch.tensor([1.5]).expand(4),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(7),
}
save("strided", strided, strided)
save("strided_legacy", strided, strided, _use_new_zipfile_serialization=False)

kinds = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "bool", "complex64"]
types = {kind: torch.tensor([[1, 0], [2, 1]]).to(getattr(torch, kind)) for kind in kinds}
save("types", types, types)

# DenseNet's weights of 2017, as torchvision still offers them.
old = {
    "features.conv0.weight": torch.randn(2, 1, 1, 1),
    "features.denseblock1.denselayer1.norm.1.weight": torch.randn(2),
    "features.denseblock1.denselayer1.conv.2.weight": torch.randn(2, 2, 1, 1),
    "classifier.weight": torch.randn(3, 2),
}
new = {key.replace("norm.1", "norm1").replace("conv.2", "conv2"): value for key, value in old.items()}
save("densenet", old, new, _use_new_zipfile_serialization=False)

# What is no state dict.
save("whole_module", network)
save("whole_module_legacy", network, _use_new_zipfile_serialization=False)
save("whole_module_under_key", {"model": network, "epoch": 1})
torch.jit.script(Network()).save(HERE / "with_paths.pth")
torch.export.save(torch.export.export(Network().eval(), (torch.zeros(1, 1, 5, 5),)), HERE / "with_paths.pt2")
for name in ["torchscript.pth", "exported.pt2"]:
    # The same archive without the paths of this machine, which stand in debugging information.
    with_paths = (HERE / "with_paths").with_suffix(name[-4:])
    with zipfile.ZipFile(with_paths) as source, zipfile.ZipFile(HERE / name, "w") as target:
        for member in source.infolist():
            if not member.filename.endswith(".debug_pkl"):
                content = re.sub(rb"/[^\s\"\\\\]*/(?=\w+\.py)", b"", source.read(member))
                target.writestr(member.filename.replace("with_paths", name[:-4]), content, member.compress_type)
    with_paths.unlink()
save("quantised", {"fc.weight": torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)})
save("no_tensors", {"epoch": 3, "lr": 0.1, "notes": ["a", None]})
for path in HERE.iterdir():
    path.chmod(0o644)
