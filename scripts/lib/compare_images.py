"""Compares the pixels that a network gets with Pillow's, on photographs: decoding, resizing and cropping.

    compare_images.py PREPARE_IMAGES

PREPARE_IMAGES is the example of that name in crates/networks, built. What it is compared with is what torchvision's
Resize(antialias) -> CenterCrop does with a picture that Pillow has opened; its arithmetic for sizes and offsets is repeated here.
The photographs are those that scikit-learn and scikit-image bring along. For every encoding and recipe the 99.9th percentile of the
difference must be at most one grey level.
"""

import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
import PIL
import skimage
import sklearn
from PIL import Image

FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def photographs():
    data = pathlib.Path(skimage.__file__).parent / "data"
    pictures = pathlib.Path(sklearn.__file__).parent / "datasets" / "images"
    files = [*pictures.glob("*.jpg"), *(path for path in data.iterdir() if path.suffix in (".jpg", ".png"))]
    opened = [(path.stem, Image.open(path)) for path in sorted(files)]
    photos = [(name, image.convert("RGB")) for name, image in opened if image.mode == "RGB" and min(image.size) >= 200]
    assert len(photos) >= 5, "the packages bring fewer photographs than they did"
    return [(name, image.crop((0, 0, min(image.width, 1200), min(image.height, 900)))) for name, image in photos]


def save(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def sixteen_bits(image):
    """Gray of 16 bits, most of it beyond 255; colour of 16 bits is what Pillow cannot write."""
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 3)


ENCODINGS = {
    "jpeg 4:2:0": lambda image: save(image, "JPEG", quality=90, subsampling=2),
    "jpeg 4:2:2": lambda image: save(image, "JPEG", quality=90, subsampling=1),
    "jpeg 4:4:4": lambda image: save(image, "JPEG", quality=90, subsampling=0),
    "jpeg coarse": lambda image: save(image, "JPEG", quality=40, subsampling=2),
    "jpeg progressive": lambda image: save(image, "JPEG", quality=85, progressive=True),
    "jpeg with restarts": lambda image: save(image, "JPEG", quality=75, restart_marker_blocks=7),
    "jpeg rgb": lambda image: save(image, "JPEG", quality=80, keep_rgb=True),
    "jpeg gray": lambda image: save(image.convert("L"), "JPEG", quality=90),
    "jpeg cmyk": lambda image: save(image.convert("CMYK"), "JPEG", quality=90),
    "jpeg turned by EXIF": lambda image: save(image, "JPEG", quality=90, exif=turned()),
    "png": lambda image: save(image, "PNG"),
    "png gray": lambda image: save(image.convert("L"), "PNG"),
    "png palette": lambda image: save(image.quantize(64), "PNG"),
    "png alpha": lambda image: save(with_alpha(image), "PNG"),
    "png gray alpha": lambda image: save(with_alpha(image).convert("LA"), "PNG"),
    "png 1 bit": lambda image: save(image.convert("1"), "PNG"),
    "png 16 bits": lambda image: save(sixteen_bits(image), "PNG"),
}


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def with_alpha(image):
    image = image.copy()
    image.putalpha(image.convert("L"))
    return image


RECIPES = [
    {"resize": resize, "crop": crop, "interpolation": interpolation}
    for resize, crop in [(256, 224), (232, 224), (342, 299), (224, 224), ([64, 96], None), ([700, 500], 512), (100, 160)]
    for interpolation in FILTERS
]


# Encodings that are tried with every recipe; with the others every filter is tried once.
EVERY_RECIPE = ("jpeg 4:2:0", "png")


def expected(encoded, recipe, mode):
    image = Image.open(io.BytesIO(encoded)).convert(mode)
    resize = recipe["resize"]
    if isinstance(resize, int):
        short, long = sorted(image.size)
        sides = {short: resize, long: int(resize * long / short)}
        width, height = (resize, resize) if short == long else (sides[image.width], sides[image.height])
    else:
        height, width = resize
    pixels = np.asarray(image.resize((width, height), FILTERS[recipe["interpolation"]]))
    crop = recipe["crop"]
    if crop is None:
        return pixels
    padding = [((max(crop - side, 0)) // 2, (max(crop - side, 0) + 1) // 2) for side in pixels.shape[:2]]
    pixels = np.pad(pixels, padding + [(0, 0)] * (pixels.ndim - 2))
    top, left = (round((side - crop) / 2) for side in pixels.shape[:2])
    return pixels[top : top + crop, left : left + crop]


def prepared(binary, directory, encoded, recipe, channels):
    archive, out = directory / "images.tar", directory / "pixels.npy"
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, content in enumerate(encoded):
            entry = tarfile.TarInfo(f"{number:04}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    text = json.dumps({key: value for key, value in recipe.items() if value is not None})
    subprocess.run([binary, archive, text, str(channels), out], check=True, capture_output=True, text=True)
    return np.load(out)


def main():
    binary = sys.argv[1]
    photos = photographs()
    print(f"{len(photos)} photographs ({', '.join(name for name, _ in photos)}), Pillow {PIL.__version__}")
    print(f"{'':20} {'mode':4}  {'equal':>7}  {'within 1':>9}  {'99.9 %':>6}  {'largest':>7}")
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, encode in ENCODINGS.items():
            encoded = [encode(image) for _, image in photos]
            for mode, channels in (("RGB", 3), ("L", 1)):
                differences = []
                for recipe in RECIPES if name in EVERY_RECIPE else RECIPES[: len(FILTERS)]:
                    actual = prepared(binary, pathlib.Path(directory), encoded, recipe, channels)
                    wanted = np.stack([expected(content, recipe, mode) for content in encoded])
                    difference = np.abs(actual.reshape(wanted.shape).astype(int) - wanted).ravel()
                    differences.append(difference)
                    if np.percentile(difference, 99.9) <= 1:
                        passed += 1
                    else:
                        failed += 1
                        print(f"{name}, {mode}, {recipe}: the 99.9th percentile is {np.percentile(difference, 99.9):.0f}")
                all_of_them = np.concatenate(differences)
                equal, within = (100 * np.mean(all_of_them <= limit) for limit in (0, 1))
                print(f"{name:20} {mode:4}  {equal:6.2f}%  {within:8.4f}%  {np.percentile(all_of_them, 99.9):6.0f}  {all_of_them.max():7}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
