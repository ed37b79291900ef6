"""The data of `scripts/bench upload`: challenges of 100,000 and 125,000 images, and files for them. DIR is the argument."""

import array
import pathlib
import random
import sys

CLASSES = 1000


def challenge(directory: pathlib.Path, images: int) -> None:
    directory.mkdir()
    (directory / "challenge.toml").write_text(
        f'slug = "{directory.name}"\ntitle = "{images} images"\nclasses = "classes.txt"\n'
        '[test]\nlabels = "labels.csv"\n[limits]\nupload_mb = 1024\n'
    )
    (directory / "classes.txt").write_text("".join(f"class {c}\n" for c in range(CLASSES)))
    rows = (f"{image},{random.randrange(CLASSES)}\n" for image in range(images))
    (directory / "labels.csv").write_text("image,label\n" + "".join(rows))


def text(path: pathlib.Path, images: int) -> None:
    """ILSVRC text: five different classes from 1 a line."""
    guesses = range(1, CLASSES + 1)
    with path.open("w") as file:
        for _ in range(images):
            print(*random.sample(guesses, 5), file=file)


def scores(path: pathlib.Path, images: int) -> None:
    """NPY, float32 [images, 1000]: a different permutation of the same scores in each row."""
    row = array.array("f", random.sample(range(CLASSES), CLASSES))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({images}, {CLASSES}), }}"
    header = header.ljust(128 - 10 - 1) + "\n"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        for image in range(images):
            turn = image % CLASSES
            (row[turn:] + row[:turn]).tofile(file)


def main() -> None:
    random.seed(20120930)
    directory = pathlib.Path(sys.argv[1])
    challenge(directory / "hundred-thousand", 100_000)
    challenge(directory / "large", 125_000)
    challenge(directory / "board", 1_000)
    text(directory / "predictions.txt", 100_000)
    scores(directory / "large.npy", 125_000)


main()
