"""Runs the zoo's networks here and in ONNX Runtime, one after the other, and prints images per second beside each other.

    bench_networks.py BENCH_NETWORKS SCRATCH SECONDS NAME...

The same weights: BENCH_NETWORKS exports each network as ONNX. Both use all cores, in single precision.
"""

import os
import subprocess
import sys
import time

import numpy
import onnxruntime

binary, scratch, seconds, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
threads = len(os.sched_getaffinity(0))


def runtime_speed(path, batch):
    """Images per second of ONNX Runtime, warmed up with one batch as the other side is."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    images = numpy.random.default_rng(1).random([batch, *given.shape[1:]], dtype=numpy.float32)
    session.run(None, {given.name: images})
    runs, started = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - started < float(seconds):
        session.run(None, {given.name: images})
        runs += 1
    return runs * batch / (time.perf_counter() - started)


print(f"{threads} threads, float32, ONNX Runtime {onnxruntime.__version__}; images/s")
print(f"{'network':<18} {'batch':>5} {'referee':>10} {'runtime':>10} {'ratio':>6}")
for name in names:
    small = name.startswith(("perceptron", "mlp", "lenet"))
    batch = 256 if small else 8
    ours = float(subprocess.check_output([binary, "speed", name, str(batch), seconds]))
    path = os.path.join(scratch, "network.onnx")
    subprocess.check_call([binary, "export", name, path])
    theirs = runtime_speed(path, batch)
    os.remove(path)
    print(f"{name:<18} {batch:>5} {ours:>10.1f} {theirs:>10.1f} {ours / theirs:>6.2f}", flush=True)
