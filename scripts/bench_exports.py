"""timm's architectures, exported as torch.onnx.export does by default, run by Referee and by ONNX Runtime on the same images.

    bench_exports.py export DIR             choose one architecture per family, export each (what is there already is kept)
    bench_exports.py compare DIR BINARY [ARCHITECTURE...]
                                            run each (or only these) by both, print a line each and the share that agrees

A family is a module of timm.models; its architecture is the one with the fewest parameters among those that take images of at
most 256 pixels (of all, where none does), without timm's own `test_` networks. Weights are random, from a fixed seed.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import time

import numpy

IMAGES = 2
TOLERANCE = 1e-4  # of the largest logit, as the agreement tests ask


def choose():
    """One architecture per family: {family: architecture}."""
    import timm
    import torch
    from timm.models import _registry

    families = collections.defaultdict(list)
    for name in timm.list_models():
        if name.startswith("test_"):
            continue
        with torch.device("meta"):
            try:
                model = timm.create_model(name, num_classes=1000)
            except Exception:  # some need a device to be made at all; they are counted where they are exported
                continue
        side = model.pretrained_cfg["input_size"][-1]
        parameters = sum(parameter.numel() for parameter in model.parameters())
        families[_registry._model_to_module[name]].append((side > 256, parameters, name))
    return {family: min(candidates)[-1] for family, candidates in sorted(families.items())}


def export_one(name, path):
    """Export with default settings, in a process of its own: some exports take gigabytes."""
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=1000).eval()
    # A fresh network's running statistics and zero-initialised layers hide errors: give every tensor a spread of values.
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif key.endswith("running_mean"):
                tensor.normal_(0, 0.1)
            elif tensor.is_floating_point() and tensor.numel() and float(tensor.abs().max()) == 0:
                tensor.normal_(0, 0.02)
    image = torch.randn(1, *model.pretrained_cfg["input_size"])
    torch.onnx.export(model, (image,), str(path))


def why(failed):
    """One line of what a failed export wrote: the exporter's summary of the exception, or else the last error."""
    summary = re.search(r"## Exception summary\s+<class '(.+?)'>: (.*)", failed.stderr)
    if summary:
        return f"{summary[1]}: {summary[2]}"
    errors = [line for line in failed.stderr.splitlines() if re.match(r"[\w.]*(Error|Exception|Unsupported)\w*:", line)]
    return errors[-1] if errors else f"exit status {failed.returncode}"


def export(directory):
    directory.mkdir(parents=True, exist_ok=True)
    chosen = directory / "chosen.json"
    if not chosen.exists():
        chosen.write_text(json.dumps(choose(), indent=1))
    for family, name in json.loads(chosen.read_text()).items():
        path = directory / name / "model.onnx"
        reason = directory / name / "not-exported.txt"
        if path.exists() or reason.exists():
            continue
        path.parent.mkdir(exist_ok=True)
        started = time.time()
        done = subprocess.run([sys.executable, __file__, "export-one", name, path], capture_output=True, text=True)
        if done.returncode:
            path.unlink(missing_ok=True)
            reason.write_text(why(done))
        print(f"{family:28} {name:36} {'not exported: ' + reason.read_text()[:120] if reason.exists() else 'exported'} ({time.time() - started:.0f} s)", flush=True)


def compare_one(path, binary):
    """(agrees, what was seen)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (declared,) = session.get_inputs()
    images = numpy.random.default_rng(0).standard_normal((IMAGES, *declared.shape[1:]), dtype=numpy.float32)
    expected = numpy.concatenate([session.run(None, {declared.name: image[None]})[0] for image in images])
    if numpy.array_equal(expected[0], expected[1]):
        return False, "both images have the same logits: comparing them says nothing"
    inputs, outputs = path.with_name("images.npy"), path.with_name("logits.npy")
    numpy.save(inputs, images)
    outputs.unlink(missing_ok=True)
    started = time.time()
    done = subprocess.run([binary, path, inputs, outputs], capture_output=True, text=True, timeout=900)
    if done.returncode:
        return False, done.stderr.strip().splitlines()[-1][:300] if done.stderr.strip() else f"exit status {done.returncode}"
    logits = numpy.load(outputs)
    if logits.shape != expected.shape:
        return False, f"shape {logits.shape}, expected {expected.shape}"
    difference = float(numpy.abs(logits - expected).max() / numpy.abs(expected).max())
    notices = "".join(f"; {line.split(':')[0]}" for line in done.stderr.splitlines())
    return difference <= TOLERANCE, f"{difference:.1e} of the largest logit, {time.time() - started:.1f} s{notices}"


def compare(directory, binary, only):
    chosen = json.loads((directory / "chosen.json").read_text())
    chosen = {family: name for family, name in chosen.items() if not only or name in only}
    agreeing, tried, failures = 0, 0, []
    for family, name in chosen.items():
        path = directory / name / "model.onnx"
        if not path.exists():
            continue
        tried += 1
        try:
            agrees, seen = compare_one(path, binary)
        except Exception as error:
            agrees, seen = False, f"{type(error).__name__}: {error}"[:300]
        agreeing += agrees
        if not agrees:
            failures.append((name, seen))
        print(f"{'ok' if agrees else 'NO':3} {family:28} {name:36} {seen}", flush=True)
    reasons = {name: directory / name / "not-exported.txt" for name in chosen.values()}
    reasons = {name: reason.read_text() for name, reason in reasons.items() if reason.exists()}
    print(f"\nnot exported by torch itself: {len(reasons)}")
    for name, reason in reasons.items():
        print(f"  {name}: {reason[:200]}")
    print(f"do not run or do not agree: {len(failures)}")
    for name, seen in failures:
        print(f"  {name}: {seen}")
    print(f"{agreeing} of {tried} families run and agree with ONNX Runtime within {TOLERANCE:g} of the largest logit: {agreeing / tried:.1%}")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "export":
        export(pathlib.Path(arguments[0]))
    elif command == "export-one":
        export_one(arguments[0], pathlib.Path(arguments[1]))
    elif command == "compare":
        compare(pathlib.Path(arguments[0]), arguments[1], arguments[2:])
    else:
        sys.exit(__doc__)
