"""Writes the ONNX files here as PyTorch exports them, and prints what ONNX Runtime answers to `image` (in tests/face/exports.rs).

    python make.py     # torch 2.15, onnx 1.23, onnxruntime 1.32
"""

import numpy
import onnx
import onnxruntime
import torch
from torch.nn.functional import scaled_dot_product_attention


class Block(torch.nn.Module):
    """Patches of 4 x 4 pixels, an RMSNorm, attention with two heads, the head."""

    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 8, 4, 4)
        self.norm = torch.nn.RMSNorm(8, eps=1e-5)
        self.qkv = torch.nn.Linear(8, 24)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, x):
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        qkv = self.qkv(x).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        x = scaled_dot_product_attention(*qkv.unbind(0)).transpose(1, 2).flatten(2)
        return self.head(x.mean(1))


def export(name, model, batch, **options):
    image = (torch.zeros(batch, 3, 8, 8),)
    torch.onnx.export(model.eval(), image, name, external_data=False, verbose=False, **options)
    file = onnx.load(name)
    # The exporter's stack traces are most of a small file.
    for node in file.graph.node:
        del node.metadata_props[:]
    for value in [*file.graph.value_info, *file.graph.input, *file.graph.output, *file.graph.initializer]:
        del value.metadata_props[:]
    del file.graph.metadata_props[:]
    del file.graph.value_info[:]
    onnx.save(file, name)
    answer(name, batch)


def answer(name, batch):
    pixels = (numpy.arange(batch * 192, dtype=numpy.float32) * 7 % 31 / 31).reshape(batch, 3, 8, 8)
    session = onnxruntime.InferenceSession(name, providers=["CPUExecutionProvider"])
    operators = sorted({node.op_type for node in onnx.load(name).graph.node})
    print(name, operators, session.run(None, {session.get_inputs()[0].name: pixels})[0].tolist(), flush=True)


torch.manual_seed(1)
dynamic = {"x": {0: torch.export.Dim("batch")}}
export("attention.onnx", Block(), 2, opset_version=23, dynamic_shapes=dynamic)
