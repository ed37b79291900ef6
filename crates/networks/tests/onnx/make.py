"""Writes the ONNX files here as PyTorch exports them, and what is to be answered to `image` (in tests/face/exports.rs): answers.json.

    python make.py     # torch 2.15, torchvision 0.29, onnx 1.23, onnxruntime 1.32
"""

import json
import pathlib

import numpy
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from torch.nn.functional import scaled_dot_product_attention
from torchvision.models import VisionTransformer

HERE = pathlib.Path(__file__).parent
ANSWERS = HERE / "answers.json"


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


class Convolutional(torch.nn.Module):
    """What most classifiers are made of, with statistics and biases that do something."""

    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(inplace=True),
            torch.nn.MaxPool2d(3, 2, 1),
            torch.nn.Conv2d(8, 8, 3, padding=1, groups=2),
            torch.nn.Hardswish(),
            torch.nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(8, 5))
        norm = self.features[1]
        for tensor, low, high in [(norm.weight, 0.5, 1.5), (norm.bias, -0.2, 0.2), (norm.running_mean, -0.2, 0.2), (norm.running_var, 0.5, 1.5)]:
            torch.nn.init.uniform_(tensor, low, high)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Pixels(Convolutional):
    """Preprocessing as part of the network: uint8, channels last."""

    def forward(self, x):
        return super().forward(x.permute(0, 3, 1, 2).float() / 255)


class Squeezing(Convolutional):
    """At batch 1 the batch goes as well."""

    def forward(self, x):
        return self.classifier(self.features(x).squeeze())


class Unbatched(Convolutional):
    def forward(self, x):
        return super().forward(x.unsqueeze(0)).squeeze(0)


def image(batch):
    return (numpy.arange(batch * 192, dtype=numpy.float32) * 7 % 31 / 31).reshape(batch, 3, 8, 8)


def strip(name):
    """Without the exporter's stack traces, which are most of a small file."""
    file = onnx.load(HERE / name, load_external_data=False)
    for node in file.graph.node:
        del node.metadata_props[:]
    for value in [*file.graph.value_info, *file.graph.input, *file.graph.output, *file.graph.initializer]:
        del value.metadata_props[:]
    del file.graph.metadata_props[:]
    del file.graph.value_info[:]
    (HERE / name).write_bytes(file.SerializeToString())


def export(name, model, given, **options):
    options = {"external_data": False, "dynamo": True} | options
    torch.onnx.export(model, (given,), HERE / name, verbose=False, **options)
    strip(name)
    print(name, (HERE / name).stat().st_size, sorted({node.op_type for node in onnx.load(HERE / name).graph.node}), flush=True)


def session(name):
    return onnxruntime.InferenceSession(HERE / name, providers=["CPUExecutionProvider"])


def by_onnx_runtime(name, given):
    """The logits, given as many images at a time as the file is for."""
    running = session(name)
    (declared,) = running.get_inputs()
    step = declared.shape[0] if isinstance(declared.shape[0], int) else len(given)
    parts = [running.run(None, {declared.name: given[at : at + step]})[0] for at in range(0, len(given), step)]
    return numpy.concatenate(parts).tolist()


def by_pytorch(model, given):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(given)).tolist()


if __name__ == "__main__":
    answers = {}
    one, two = torch.from_numpy(image(1)), image(2)

    torch.manual_seed(1)
    export("attention.onnx", Block().eval(), torch.zeros(2, 3, 8, 8), opset_version=23, dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    answers["attention.onnx"] = by_onnx_runtime("attention.onnx", two)

    torch.manual_seed(2)
    network = Convolutional().eval()
    # By default: one image, weights in a file beside it.
    export("default.onnx", network, one, external_data=True)
    export("legacy.onnx", network, one, dynamo=False, opset_version=17)
    for name in ["default.onnx", "legacy.onnx"]:
        answers[name] = by_onnx_runtime(name, two)
    # In training mode ONNX Runtime takes the batch's own statistics; the answer is what the network says in evaluation mode.
    export("training.onnx", network.train(), one, dynamo=False, opset_version=17, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
    answers["training.onnx"] = by_pytorch(network, two)
    # The rounded weights, computed with in float32.
    for kind in ["float16", "bfloat16", "float64"]:
        torch.manual_seed(2)
        of_kind = Convolutional().eval().to(getattr(torch, kind))
        export(f"{kind}.onnx", of_kind, one.to(getattr(torch, kind)))
        answers[f"{kind}.onnx"] = by_pytorch(of_kind.float(), two)

    torch.manual_seed(2)
    pixels = Pixels().eval()
    raw = (two * 31).round().astype(numpy.uint8).transpose(0, 2, 3, 1).copy()
    export("pixels.onnx", pixels, torch.from_numpy(raw[:1]))
    answers["pixels.onnx"] = by_onnx_runtime("pixels.onnx", raw)

    # torchvision's, smaller: batch and patches merged in one dimension, and a class token for each image.
    torch.manual_seed(3)
    transformer = VisionTransformer(image_size=8, patch_size=4, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=5).eval()
    torch.nn.init.normal_(transformer.class_token)
    torch.nn.init.normal_(transformer.heads[-1].weight)
    export("transformer.onnx", transformer, one)
    answers["transformer.onnx"] = by_onnx_runtime("transformer.onnx", two)

    torch.manual_seed(2)
    export("squeeze.onnx", Squeezing().eval(), one)
    export("unbatched.onnx", Unbatched().eval(), one[0])

    # What onnx and ONNX Runtime make of it.
    file = onnx.load(HERE / "legacy.onnx")
    recipe = {"resize": 9, "crop": 8, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bicubic"}
    onnx.helper.set_model_props(file, {"preprocess": json.dumps(recipe), "class_order": "wnid"})
    onnx.save(file, HERE / "recipe.onnx")

    class Images(CalibrationDataReader):
        left = [{"x": image(8)[at : at + 1]} for at in range(8)]

        def get_next(self):
            return self.left.pop() if self.left else None

    Images.left = [{session("legacy.onnx").get_inputs()[0].name: given["x"]} for given in Images.left]
    quantize_static(HERE / "legacy.onnx", HERE / "int8.onnx", Images(), quant_format=QuantFormat.QDQ)
    answers["int8.onnx"] = by_onnx_runtime("int8.onnx", two)

    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n")
    for path in HERE.iterdir():
        path.chmod(0o644)
