"""Runs the zoo's networks here and in a rival, one after the other, and prints images per second beside each other.

    bench_networks.py BENCH_NETWORKS SCRATCH SECONDS NAME...

On the processor the rival is ONNX Runtime with the same weights, which BENCH_NETWORKS exports; both use all cores. Where
REFEREE_DEVICE names a GPU, it is PyTorch on that GPU with torchvision's network of that name. All in single precision.
"""

import os
import subprocess
import sys
import time

binary, scratch, seconds, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
device = os.environ.get("REFEREE_DEVICE", "cpu")


def speed(run, batch):
    """Images per second of calls of `run`, after one that warms up."""
    run()
    runs, started = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - started < float(seconds):
        run()
        runs += 1
    return runs * batch / (time.perf_counter() - started)


class OnnxRuntime:
    def __init__(self):
        import onnxruntime

        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = len(os.sched_getaffinity(0))
        self.session = onnxruntime.InferenceSession
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {self.options.intra_op_num_threads} threads"

    def speed(self, name, batch):
        import numpy

        path = os.path.join(scratch, "network.onnx")
        subprocess.check_call([binary, "export", name, path])
        session = self.session(path, self.options, providers=["CPUExecutionProvider"])
        os.remove(path)
        given = session.get_inputs()[0]
        images = numpy.random.default_rng(1).random([batch, *given.shape[1:]], dtype=numpy.float32)
        return speed(lambda: session.run(None, {given.name: images}), batch)


class PyTorch:
    def __init__(self):
        import torch
        import torchvision

        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.torch, self.models = torch, torchvision.models
        self.name = f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}"

    def speed(self, name, batch):
        if not hasattr(self.models, name):
            return float("nan")
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        model = getattr(self.models, name)(**options).eval().to(device)
        images = self.torch.rand(batch, 3, 224, 224, device=device)

        def run():
            model(images)
            self.torch.cuda.synchronize()

        with self.torch.inference_mode():
            return speed(run, batch)


rival = PyTorch() if device.startswith("cuda") else OnnxRuntime()
print(f"on {device}, float32, beside {rival.name}; images/s")
print(f"{'network':<18} {'batch':>5} {'referee':>10} {'rival':>10} {'ratio':>6}")
for name in names:
    small = name.startswith(("perceptron", "mlp", "lenet"))
    batch = 256 if small else 64 if device.startswith("cuda") else 8
    ours = float(subprocess.check_output([binary, "speed", name, str(batch), seconds]))
    theirs = rival.speed(name, batch)
    print(f"{name:<18} {batch:>5} {ours:>10.1f} {theirs:>10.1f} {ours / theirs:>6.2f}", flush=True)
