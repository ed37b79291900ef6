"""Whether Referee and ONNX Runtime agree on the same files: within 1e-4 of the largest logit.

    onnx_agreement.py DIR RUN_ONNX

DIR holds what the example `export_zoo` wrote. Each of its ONNX files is run by ONNX Runtime and, read back, by RUN_ONNX (the
example `run_onnx`); so is each of a few files made here as exporters make them. Integers have to be equal.
"""

import pathlib
import subprocess
import sys

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, save

TOLERANCE = 1e-4
random = numpy.random.default_rng(0)


def by_onnxruntime(path, images):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def by_referee(binary, path, images):
    numpy.save(path.with_suffix(".in.npy"), images)
    output = path.with_suffix(".out.npy")
    output.unlink(missing_ok=True)
    done = subprocess.run([binary, path, path.with_suffix(".in.npy"), output], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return numpy.load(output)


def difference(logits, expected):
    if logits.shape != expected.shape:
        raise RuntimeError(f"shape {logits.shape}, expected {expected.shape}")
    return float(numpy.abs(logits - expected).max() / numpy.abs(expected).max())


def tensor(name, *shape, scale=1.0):
    return numpy_helper.from_array((random.standard_normal(shape) * scale).astype(numpy.float32), name)


def integers(name, values):
    return numpy_helper.from_array(numpy.array(values, numpy.int64), name)


def model(nodes, initialisers, opset, shape, columns):
    """One input `image` of `shape`, one output `logits` of so many `columns`; `None`: of as many as it gets."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0], columns])],
        initialisers,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 10 if opset > 20 else 8
    return made


def attention():
    """A transformer's block: patches, LayerNormalization, attention spelled out, Gelu by Erf; external data."""
    node = helper.make_node
    split = [f"{part}_{step}" for step in ("flat", "heads") for part in "qkv"]
    nodes = [
        node("Conv", ["image", "patch"], ["patches"], kernel_shape=[8, 8], strides=[8, 8]),
        node("Reshape", ["patches", "to_rows"], ["rows"]),
        node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
        node("LayerNormalization", ["tokens", "gamma", "beta"], ["normal"], axis=-1),
        node("MatMul", ["normal", "qkv"], ["all"]),
        node("Split", ["all", "thirds"], split[:3], axis=2),
    ]
    for part in "qkv":
        nodes += [
            node("Reshape", [f"{part}_flat", "to_heads"], [f"{part}_apart"]),
            node("Transpose", [f"{part}_apart"], [f"{part}_heads"], perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("MatMul", ["q_heads", "k_heads"], ["products"]),
        node("Mul", ["products", "scale"], ["scaled"]),
        node("Softmax", ["scaled"], ["weights"], axis=-1),
        node("MatMul", ["weights", "v_heads"], ["mixed"]),
        node("Transpose", ["mixed"], ["together"], perm=[0, 2, 1, 3]),
        node("Reshape", ["together", "to_tokens"], ["attended"]),
        node("Add", ["attended", "tokens"], ["residual"]),
        node("Div", ["residual", "root_two"], ["divided"]),
        node("Erf", ["divided"], ["erf"]),
        node("Add", ["erf", "one"], ["shifted"]),
        node("Mul", ["residual", "shifted"], ["doubled"]),
        node("Mul", ["doubled", "half"], ["active"]),
        node("ReduceMean", ["active", "axis_one"], ["pooled"], keepdims=0),
        node("Gemm", ["pooled", "head", "bias"], ["logits"], transB=1),
    ]
    initialisers = [
        tensor("patch", 24, 3, 8, 8, scale=0.1), tensor("gamma", 24), tensor("beta", 24), tensor("qkv", 24, 72, scale=0.3),
        tensor("head", 10, 24), tensor("bias", 10), integers("to_rows", [0, 24, -1]), integers("thirds", [24, 24, 24]),
        integers("to_heads", [0, -1, 4, 6]), integers("to_tokens", [0, -1, 24]), integers("axis_one", [1]),
    ]
    scalars = {"scale": 6**-0.5, "root_two": 2**0.5, "one": 1, "half": 0.5}
    initialisers += [numpy_helper.from_array(numpy.array(value, numpy.float32), name) for name, value in scalars.items()]
    return model(nodes, initialisers, 18, ["batch", 3, 32, 32], 10), (2, 3, 32, 32)


def shapes_computed():
    """As PyTorch's older exporter: the batch read by Shape and Gather, attributes of opset 11, a Resize, a padded pooling."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "weight", "shift"], ["maps"], kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
        node("HardSigmoid", ["maps"], ["gate"], alpha=1 / 6),
        node("Mul", ["maps", "gate"], ["swish"]),
        node("Resize", ["swish", "roi", "scales"], ["large"], mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
        node("AveragePool", ["large"], ["small"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        node("Pad", ["small", "pads"], ["padded"], mode="reflect"),
        node("MaxPool", ["padded"], ["maxima"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", ["maxima"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Unsqueeze", ["batch"], ["batch_axis"], axes=[0]),
        node("Concat", ["batch_axis", "minus_one"], ["flat_shape"], axis=0),
        node("Reshape", ["maxima", "flat_shape"], ["row"]),
        node("Gemm", ["row", "head"], ["raw"]),
        node("LogSoftmax", ["raw"], ["logits"], axis=1),
    ]
    initialisers = [
        tensor("weight", 8, 1, 3, 3), tensor("shift", 8), integers("pads", [0, 0, 1, 1, 0, 0, 1, 1]),
        numpy_helper.from_array(numpy.array([], numpy.float32), "roi"),
        numpy_helper.from_array(numpy.array([1, 1, 1.5, 1.5], numpy.float32), "scales"),
        numpy_helper.from_array(numpy.array(0, numpy.int64), "zero"), integers("minus_one", [-1]), tensor("head", 8 * 6 * 6, 10, scale=0.1),
    ]
    return model(nodes, initialisers, 11, ["batch", 1, 28, 28], 10), (3, 1, 28, 28)


def quantised():
    """QuantizeLinear and DequantizeLinear around a convolution, weights as int8 with a scale for each channel."""
    node = helper.make_node
    weights = random.integers(-127, 128, (6, 3, 3, 3)).astype(numpy.int8)
    scales = random.uniform(0.01, 0.02, 6).astype(numpy.float32)
    nodes = [
        node("QuantizeLinear", ["image", "in_scale", "in_zero"], ["image_q"]),
        node("DequantizeLinear", ["image_q", "in_scale", "in_zero"], ["image_dq"]),
        node("DequantizeLinear", ["weight_q", "weight_scale", "weight_zero"], ["weight"], axis=0),
        node("Conv", ["image_dq", "weight"], ["maps"], kernel_shape=[3, 3]),
        node("Relu", ["maps"], ["active"]),
        node("GlobalAveragePool", ["active"], ["pooled"]),
        node("Flatten", ["pooled"], ["row"]),
        node("MatMul", ["row", "head"], ["logits"]),
    ]
    initialisers = [
        numpy_helper.from_array(weights, "weight_q"), numpy_helper.from_array(scales, "weight_scale"),
        numpy_helper.from_array(numpy.zeros(6, numpy.int8), "weight_zero"), tensor("head", 6, 10),
        numpy_helper.from_array(numpy.array(0.03, numpy.float32), "in_scale"),
        numpy_helper.from_array(numpy.array(121, numpy.uint8), "in_zero"),
    ]
    return model(nodes, initialisers, 13, ["batch", 3, 16, 16], 10), (2, 3, 16, 16)


def flattened(nodes, maps, initialisers, opset=18, shape=(2, 3, 8, 9)):
    """`nodes` from `image` to `maps`, every number of which is a logit."""
    nodes = [*nodes, helper.make_node("Flatten", [maps], ["logits"])]
    images = numpy.zeros(shape, numpy.float32)
    columns = by_onnxruntime(model(nodes, initialisers, opset, shape, None).SerializeToString(), images).shape[1]
    return model(nodes, initialisers, opset, ["batch", *shape[1:]], columns), shape


def constants_activated():
    """A learnt scale that the network clamps, and padding by arithmetic on the image's size, as PyTorch's older exporter writes them."""
    node = helper.make_node
    nodes = [
        node("Clip", ["scale", "", "most"], ["clamped"]),
        node("Exp", ["clamped"], ["factor"]),
        node("Sigmoid", ["gate"], ["opened"]),
        node("Mul", ["image", "factor"], ["scaled"]),
        node("Mul", ["scaled", "opened"], ["gated"]),
        node("Shape", ["image"], ["shape"]),
        node("Gather", ["shape", "last"], ["width"], axis=0),
        node("Cast", ["width"], ["width_float"], to=TensorProto.FLOAT),
        node("Sub", ["width_float", "twelve"], ["missing"]),
        node("Neg", ["missing"], ["needed"]),
        node("Relu", ["needed"], ["needed_or_none"]),
        node("Cast", ["needed_or_none"], ["pad"], to=TensorProto.INT64),
        node("Concat", ["zeros", "pad"], ["pads"], axis=0),
        node("Pad", ["gated", "pads"], ["maps"]),
    ]
    numbers = {"scale": [5.0], "gate": [0.3], "twelve": [12.0]}
    initialisers = [numpy_helper.from_array(numpy.array(value, numpy.float32), name) for name, value in numbers.items()]
    initialisers += [numpy_helper.from_array(numpy.array(4.6, numpy.float32), "most"), integers("last", [3]), integers("zeros", [0] * 7)]
    return flattened(nodes, "maps", initialisers)


def resized(mode, transformation, *scales, **attributes):
    """Resize by fractional scales, whose result is rounded down to whole pixels."""
    attributes = {"mode": mode, "coordinate_transformation_mode": transformation, **attributes}
    node = helper.make_node("Resize", ["image", "", "scales"], ["maps"], **attributes)
    values = numpy.array([1, 1, *scales], numpy.float32)
    return flattened([node], "maps", [numpy_helper.from_array(values, "scales")])


def fitted():
    """Resize that keeps the ratio of height and width."""
    attributes = {"mode": "linear", "keep_aspect_ratio_policy": "not_larger", "axes": [2, 3]}
    node = helper.make_node("Resize", ["image", "", "", "sizes"], ["maps"], **attributes)
    return flattened([node], "maps", [integers("sizes", [5, 7])])


def gathered():
    """GatherElements by fewer indices than there are elements on the other axes."""
    node = helper.make_node
    nodes = [
        node("Shape", ["image"], ["batch"], start=0, end=1),
        node("Concat", ["batch", "rest"], ["shape"], axis=0),
        node("Expand", ["indices", "shape"], ["for_each"]),
        node("GatherElements", ["image", "for_each"], ["maps"], axis=1),
    ]
    indices = random.integers(-3, 3, (1, 2, 5, 4))
    return flattened(nodes, "maps", [integers("indices", indices), integers("rest", indices.shape[1:])])


def in_blocks():
    """DequantizeLinear whose last block is shorter."""
    node = helper.make_node
    nodes = [
        node("DequantizeLinear", ["weight_q", "scale"], ["weight"], axis=0, block_size=4),
        node("MatMul", ["image", "weight"], ["maps"]),
    ]
    weight = random.integers(-127, 128, (9, 5)).astype(numpy.int8)
    return flattened(nodes, "maps", [numpy_helper.from_array(weight, "weight_q"), tensor("scale", 3, 5)], opset=21)


def in_integers(element, *steps, **constants):
    """The image's numbers as integers of a type, through `steps`: an operator, what it takes (`.`: from the step before;
    constants are of that type too, unless they are arrays), its attributes."""
    node = helper.make_node
    least, most = max(numpy.iinfo(element).min, -2000), min(numpy.iinfo(element).max, 2000)
    nodes = [
        node("Mul", ["image", "factor"], ["wide"]),
        node("Add", ["wide", "middle"], ["shifted"]),
        node("Clip", ["shifted", "least", "most"], ["clipped"]),
        node("Cast", ["clipped"], ["x"], to=helper.np_dtype_to_tensor_dtype(numpy.dtype(element))),
    ]
    numbers = {"factor": (most - least) / 4, "middle": (most + least) / 2, "least": least, "most": most}
    initialisers = [numpy_helper.from_array(numpy.array(value, numpy.float32), name) for name, value in numbers.items()]
    for name, value in constants.items():
        value = value if isinstance(value, numpy.ndarray) else numpy.array(value, element)
        initialisers.append(numpy_helper.from_array(value, name))
    before = "x"
    for at, (operator, operands, *attributes) in enumerate(steps):
        outputs = [f"step_{at}", "places"] if operator == "TopK" else [f"step_{at}"]
        inputs = [before if operand == "." else operand for operand in operands.split()]
        nodes.append(node(operator, inputs, outputs, **dict(*attributes)))
        before = f"step_{at}"
    nodes.append(node("Cast", [before], ["maps"], to=TensorProto.FLOAT))
    return flattened(nodes, "maps", initialisers)


def whole(dtype, *shape):
    """Any numbers of an integer type."""
    return random.integers(numpy.iinfo(dtype).min, numpy.iinfo(dtype).max, shape, dtype, endpoint=True)


MADE_HERE = {
    "attention": attention,
    "shapes_computed": shapes_computed,
    "quantised": quantised,
    "constants_activated": constants_activated,
    "resized, corners aligned": lambda: resized("linear", "align_corners", 1.7, 1.7),
    "resized, cubic, corners aligned": lambda: resized("cubic", "align_corners", 1.53, 1.53, cubic_coeff_a=-0.75),
    "resized, smaller, corners aligned": lambda: resized("linear", "align_corners", 0.6, 0.6),
    "resized, nearest": lambda: resized("nearest", "asymmetric", 0.8, 0.8, nearest_mode="floor"),
    "resized, nearest, larger": lambda: resized("nearest", "asymmetric", 1.2, 1.7, nearest_mode="floor"),
    "resized, nearest, half pixels": lambda: resized("nearest", "half_pixel", 1.7, 0.37),
    "fitted": fitted,
    "gathered": gathered,
    "in_blocks": in_blocks,
}

AT_MOST = ("ArgMax", ".", {"axis": 1}), ("GatherElements", "x .", {"axis": 1})
POOLED = "MaxPool", ".", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
INTEGERS = {
    "x - 128 of uint8": lambda: in_integers(numpy.uint8, ("Sub", ". by"), by=128),
    "x + 100 of int8": lambda: in_integers(numpy.int8, ("Add", ". by"), by=100),
    "3·x of uint8": lambda: in_integers(numpy.uint8, ("Mul", ". by"), by=3),
    "x·x·x of int32": lambda: in_integers(numpy.int32, ("Mul", ". x"), ("Mul", ". x")),
    "x/7 of int32": lambda: in_integers(numpy.int32, ("Div", ". by"), by=7),
    "x mod 7 of int32": lambda: in_integers(numpy.int32, ("Mod", ". by"), by=7),
    "x mod 7 of int8": lambda: in_integers(numpy.int8, ("Mod", ". by"), by=7),
    "x mod -7 of int64, as in C": lambda: in_integers(numpy.int64, ("Mod", ". by", {"fmod": 1}), by=-7),
    "x² of int32": lambda: in_integers(numpy.int32, ("Pow", ". by"), by=2),
    "x³ of int32": lambda: in_integers(numpy.int32, ("Pow", ". by"), by=3),
    "MatMul of int32": lambda: in_integers(numpy.int32, ("MatMul", ". weight"), weight=whole(numpy.int32, 9, 5)),
    "shifted left, uint8": lambda: in_integers(numpy.uint8, ("BitShift", ". by", {"direction": "LEFT"}), by=3),
    "shifted right, uint8": lambda: in_integers(numpy.uint8, ("BitShift", ". by", {"direction": "RIGHT"}), by=3),
    "not, uint8": lambda: in_integers(numpy.uint8, ("BitwiseNot", ".")),
    "and, int16": lambda: in_integers(numpy.int16, ("BitwiseAnd", ". by"), by=-300),
    "xor, uint32": lambda: in_integers(numpy.uint32, ("BitwiseXor", ". by"), by=4_000_000_000),
    "negative, int8": lambda: in_integers(numpy.int8, ("Neg", ".")),
    "absolute, int8": lambda: in_integers(numpy.int8, ("Abs", ".")),
    "sign, int8": lambda: in_integers(numpy.int8, ("Sign", ".")),
    "clipped, uint8": lambda: in_integers(numpy.uint8, ("Clip", ". low high"), low=90, high=200),
    "clipped, int64": lambda: in_integers(numpy.int64, ("Clip", ". low"), low=-5),
    "rectified, int8": lambda: in_integers(numpy.int8, ("Relu", ".")),
    "larger, uint8": lambda: in_integers(numpy.uint8, ("Max", ". by"), by=99),
    "largest, uint8": lambda: in_integers(numpy.uint8, ("ReduceMax", ". axes"), axes=numpy.array([1, 2])),
    "sum, int32": lambda: in_integers(
        numpy.int32, ("Mul", ". by"), ("ReduceSum", ". axes"), by=10_000, axes=numpy.array([1, 2, 3])
    ),
    "mean, int32": lambda: in_integers(numpy.int32, ("ReduceMean", ". axes"), axes=numpy.array([1, 3])),
    "running sum, int32": lambda: in_integers(numpy.int32, ("CumSum", ". axis"), axis=3),
    "ArgMax of uint8": lambda: in_integers(numpy.uint8, *AT_MOST),
    "ArgMax of int8": lambda: in_integers(numpy.int8, *AT_MOST),
    "ArgMax of int32": lambda: in_integers(numpy.int32, *AT_MOST),
    "ArgMin of int32, last": lambda: in_integers(numpy.int32, ("ArgMin", ".", {"axis": 3, "select_last_index": 1})),
    "TopK of int32": lambda: in_integers(numpy.int32, ("TopK", ". count", {"axis": 3}), count=numpy.array([3])),
    "int32 as int8": lambda: in_integers(numpy.int32, ("Cast", ".", {"to": TensorProto.INT8})),
    "int32 as uint8": lambda: in_integers(numpy.int32, ("Cast", ".", {"to": TensorProto.UINT8})),
    "int8 as uint32": lambda: in_integers(numpy.int8, ("Cast", ".", {"to": TensorProto.UINT32})),
    "odd, int32": lambda: in_integers(numpy.int32, ("Mod", ". two"), ("Equal", ". one"), two=2, one=1),
    "pooled, uint8": lambda: in_integers(numpy.uint8, POOLED),
    "pooled, int8": lambda: in_integers(numpy.int8, POOLED),
    "padded, int32": lambda: in_integers(
        numpy.int32, ("Pad", ". pads by"), pads=numpy.array([0, 0, 1, 1, 0, 0, 1, 1]), by=-7
    ),
    "ConvInteger": lambda: in_integers(
        numpy.uint8, ("ConvInteger", ". weight zero", {"pads": [1, 1, 1, 1]}), weight=whole(numpy.int8, 4, 3, 3, 3), zero=120
    ),
    "MatMulInteger": lambda: in_integers(
        numpy.uint8, ("MatMulInteger", ". weight zero other"), weight=whole(numpy.uint8, 9, 5), zero=120, other=7
    ),
}


def main(directory, binary):
    results = []

    def compare(name, logits, expected, tolerance=TOLERANCE):
        try:
            seen = difference(logits(), expected)
            results.append(seen <= tolerance)
            print(f"{name:34} {seen:.1e} of the largest logit{'' if results[-1] else '   FAILED'}", flush=True)
        except Exception as error:
            results.append(False)
            print(f"{name:34} FAILED: {error}", flush=True)

    for path in sorted(directory.glob("*.onnx")):
        name = path.name.removesuffix(".onnx")
        images = numpy.load(directory / f"{name}.images.npy")
        expected = by_onnxruntime(path, images)
        compare(name, lambda: numpy.load(directory / f"{name}.logits.npy"), expected)
        compare(f"{name}, fused", lambda: numpy.load(directory / f"{name}.fused.npy"), expected)
        compare(f"{name}, read back", lambda: by_referee(binary, path, images), expected)

    made_here = directory / "made-here"
    made_here.mkdir(exist_ok=True)
    for name, make in MADE_HERE.items():
        made, shape = make()
        path = made_here / f"{name}.onnx"
        save(made, path, save_as_external_data=make is attention, location=f"{name}.data", size_threshold=1024)
        images = random.standard_normal(shape).astype(numpy.float32)
        compare(name, lambda: by_referee(binary, path, images), by_onnxruntime(path, images))

    for name, make in INTEGERS.items():
        made, shape = make()
        path = made_here / "integers.onnx"
        save(made, path)
        images = random.standard_normal(shape).astype(numpy.float32)
        compare(name, lambda: by_referee(binary, path, images), by_onnxruntime(path, images), tolerance=0)

    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
