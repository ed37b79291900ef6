"""Data and rivals for scripts/bench-scoring: numpy and scikit-learn score the same files, on one thread, in the same run.

    bench_scoring.py make DIR           write the files into DIR (nothing where they are there already)
    bench_scoring.py compare DIR BIN REFEREE
                                        time BIN (crates/scoring's example bench_scoring), REFEREE and the rivals, print the table
"""

import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.metrics import top_k_accuracy_score

CLASSES = 1000
LINES = 100_000  # ILSVRC's test set
IMAGES = 50_000  # ILSVRC's validation set
MILLION = 1_000_000
REPEATS = 3


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(2012)
    make_text(folder / "predictions", LINES, random)
    make_text(folder / "million", MILLION, random)
    if (folder / "scores-labels.csv").exists():
        return
    labels = random.integers(0, CLASSES, IMAGES)
    scores = random.standard_normal((IMAGES, CLASSES), dtype=np.float32)
    scores[np.arange(IMAGES), labels] += 3  # so that about three in four are in the top 5
    np.save(folder / "scores.npy", scores)
    write_labels(folder / "scores-labels.csv", labels)


def make_text(path: Path, lines: int, random: np.random.Generator) -> None:
    """PATH.txt, five different guesses a line, and PATH-labels.csv, right on 85 % of them."""
    if path.with_name(f"{path.name}-labels.csv").exists():
        return
    steps = random.integers(1, CLASSES // 5, (lines, 5))
    guesses = (steps.cumsum(axis=1) + random.integers(0, CLASSES, (lines, 1))) % CLASSES
    np.savetxt(path.with_suffix(".txt"), guesses + 1, fmt="%d")
    hit = random.random(lines) < 0.85
    labels = np.where(hit, guesses[np.arange(lines), random.integers(0, 5, lines)], random.integers(0, CLASSES, lines))
    write_labels(path.with_name(f"{path.name}-labels.csv"), labels)


def write_labels(path: Path, labels: np.ndarray) -> None:
    rows = "".join(f"{image},{label}\n" for image, label in enumerate(labels))
    path.write_text("image,label\n" + rows)


def read_labels(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64)[:, 1]


def fastest(function) -> tuple[float, object]:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def top5_misses(guesses: np.ndarray, labels: np.ndarray) -> int:
    return int((guesses != labels[:, None]).all(axis=1).sum())


def ours(binary: str, predictions: Path, labels: Path) -> dict[str, float]:
    command = [binary, str(predictions), str(labels), str(CLASSES)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split("\t") for line in output.splitlines())}


def report(name: str, size: float, seconds: float, reference: float) -> None:
    print(f"  {name:<48}{seconds * 1000:>10.1f} ms{size / seconds / 1e6:>10.0f} MB/s{seconds / reference:>9.1f} x")


def compare_text(folder: Path, binary: str) -> None:
    path = folder / "predictions.txt"
    labels = read_labels(folder / "predictions-labels.csv")
    own = ours(binary, path, folder / "predictions-labels.csv")
    text = path.read_text()

    def loadtxt() -> int:
        return top5_misses(np.loadtxt(path, dtype=np.int64) - 1, labels)

    def fromstring() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            guesses = np.fromstring(text, dtype=np.int64, sep=" ")
        return top5_misses(guesses.reshape(LINES, 5) - 1, labels)

    print(f"ILSVRC text, {LINES} lines of 5, scored against labels")
    report("referee", own["bytes"], own["score_seconds"], own["score_seconds"])
    for name, function in (("numpy fromstring + membership", fromstring), ("numpy loadtxt + membership", loadtxt)):
        seconds, misses = fastest(function)
        assert misses == own["top5_misses"], (name, misses, own["top5_misses"])
        report(name, own["bytes"], seconds, own["score_seconds"])


def compare_million(folder: Path, referee: str) -> None:
    """The whole process, from start to end, beside numpy's reading of both files and the count."""
    path, labels = folder / "million.txt", folder / "million-labels.csv"
    size = path.stat().st_size + labels.stat().st_size
    memory = []

    def score() -> int:
        process = subprocess.Popen([referee, "score", "--labels", labels, path, "--json"], stdout=subprocess.PIPE)
        document = json.load(process.stdout)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        memory.append(usage.ru_maxrss)
        return round(document["top5_error"] * document["images"])

    def loadtxt() -> int:
        return top5_misses(np.loadtxt(path, dtype=np.int64) - 1, read_labels(labels))

    seconds, misses = fastest(score)
    print(f"referee score, the whole process, {MILLION} lines of 5 and as many labels ({max(memory) / 1024:.0f} MB at most)")
    report("referee score", size, seconds, seconds)
    rival, other = fastest(loadtxt)
    assert misses == other, (misses, other)
    report("numpy loadtxt of both + membership", size, rival, seconds)


def compare_scores(folder: Path, binary: str) -> float:
    """Prints the table for the score matrix and returns how long the referee took to rank 100 submissions."""
    path = folder / "scores.npy"
    labels = read_labels(folder / "scores-labels.csv")
    own = ours(binary, path, folder / "scores-labels.csv")
    scores = np.load(path)

    def sklearn() -> int:
        hits = top_k_accuracy_score(labels, scores, k=5, labels=np.arange(CLASSES), normalize=False)
        return IMAGES - int(hits)

    def argpartition() -> int:
        return top5_misses(np.argpartition(scores, -5, axis=1)[:, -5:], labels)

    print(f"NPY float32 [{IMAGES},{CLASSES}], scored against labels")
    report("referee", own["bytes"], own["score_seconds"], own["score_seconds"])
    report("summing the file's bytes (Rust, vectorised)", own["bytes"], own["byte_sum_seconds"], own["score_seconds"])
    for name, function in (("numpy argpartition + membership", argpartition), ("scikit-learn top_k_accuracy_score", sklearn)):
        seconds, misses = fastest(function)
        assert misses == own["top5_misses"], (name, misses, own["top5_misses"])
        report(name, own["bytes"], seconds, own["score_seconds"])
    return own["rank_ranges_seconds"]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", folder]:
            make(Path(folder))
        case ["compare", folder, binary, referee]:
            compare_text(Path(folder), binary)
            compare_million(Path(folder), referee)
            ranks = compare_scores(Path(folder), binary)
            print(f"Tied ranks of 100 submissions on 100000 images: {ranks * 1000:.1f} ms")
        case _:
            sys.exit(__doc__)
