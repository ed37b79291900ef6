"""Makes the ONNX files of these tests with onnx 1.22: `python make_onnx.py`."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

IMAGE = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 28, 28])


def write(name, nodes, initializers, classes):
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])
    graph = helper.make_graph(nodes, "graph", [IMAGE], [logits], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, name)


def tensor(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


# Half a gigabyte for each image, from a file of a few hundred bytes.
write(
    "greedy.onnx",
    [
        helper.make_node("Tile", ["image", "times"], ["large"]),
        helper.make_node("GlobalMaxPool", ["large"], ["largest"]),
        helper.make_node("Flatten", ["largest"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ],
    [tensor("times", np.int64([1, 1, 400, 400])), tensor("weights", np.ones((1, 10), np.float32))],
    10,
)

# Seven columns for ten classes.
write(
    "seven.onnx",
    [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ],
    [tensor("weights", np.ones((1, 7), np.float32))],
    7,
)
