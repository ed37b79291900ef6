"""Writes keras.onnx here as Keras exports it and tf2onnx.onnx as tf2onnx converts the same network, and adds to answers.json what is to
be answered to `image` (in tests/face/exports.rs).

    python make_keras.py     # keras 3, tensorflow-cpu 2, tf2onnx 1.17
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy

HERE = pathlib.Path(__file__).parent

if __name__ == "__main__":
    keras.utils.set_random_seed(4)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.Activation("swish"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(5),
        ]
    )
    norm = network.layers[1]
    random = numpy.random.default_rng(4)
    norm.set_weights([random.uniform(low, high, 8) for low, high in [(0.5, 1.5), (-0.2, 0.2), (-0.2, 0.2), (0.5, 1.5)]])
    image = (numpy.arange(2 * 192, dtype=numpy.float32) * 7 % 31 / 31).reshape(2, 3, 8, 8).transpose(0, 2, 3, 1)
    expected = network(image).numpy().tolist()

    network.export(HERE / "keras.onnx", format="onnx")
    with tempfile.TemporaryDirectory() as saved:
        network.export(saved)
        subprocess.run([sys.executable, "-m", "tf2onnx.convert", "--saved-model", saved, "--output", HERE / "tf2onnx.onnx"], check=True)
    answers = json.loads((HERE / "answers.json").read_text())
    answers |= {"keras.onnx": expected, "tf2onnx.onnx": expected}
    (HERE / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
