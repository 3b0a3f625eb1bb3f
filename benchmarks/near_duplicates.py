"""Near-duplicates that are found, and false ones. python benchmarks/near_duplicates.py DIR

DIR holds the samples `lgg`, `lgg_lookalikes`, `kvasir_seg_256`, `wbc` and `chase_db1`, or some of
them. Prints each pair of images that is called near-duplicate though its groups differ (for LGG the
patient's folder, else the file), and how many of 80 altered copies of each set are found.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from seg.data.images import read_image
from seg.data.near_duplicates.hash import fingerprint, near_pairs, stack

COPIES_OF = 80
SETS = {
    "lgg + lgg_lookalikes": ["lgg/kaggle_3m/*/*[0-9].tif", "lgg_lookalikes/kaggle_3m/*/*[0-9].tif"],
    "kvasir_seg_256": ["kvasir_seg_256/images/*"],
    "wbc": ["wbc/images/*"],
    "chase_db1": ["chase_db1/images/*"],
}


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=mode)


def levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def cropped(image: np.ndarray, first: float, last: float) -> np.ndarray:
    """Without a share at the top and left, and another at the bottom and right."""
    height, width = image.shape[:2]
    rows = slice(round(height * first), height - round(height * last))
    return image[rows, round(width * first) : width - round(width * last)]


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG 90": lambda image: jpeg(image, 90),
    "JPEG 50": lambda image: jpeg(image, 50),
    "JPEG 30": lambda image: jpeg(image, 30),
    "half size": lambda image: resized(image, 0.5),
    "a third": lambda image: resized(image, 1 / 3),
    "double size": lambda image: resized(image, 2),
    "10 % brighter": lambda image: levels(image * 1.1),
    "30 % brighter": lambda image: levels(image * 1.3),
    "less contrast": lambda image: levels((image - 128.0) * 0.8 + 128),
    "gamma 0.7": lambda image: levels(255 * (image / 255) ** 0.7),
    "gamma 1.4": lambda image: levels(255 * (image / 255) ** 1.4),
    "noise 5": lambda image: levels(image + np.random.default_rng(0).normal(0, 5, image.shape)),
    "2 % cropped (1 % a side)": lambda image: cropped(image, 0.01, 0.01),
    "5 % cropped (2.5 % a side)": lambda image: cropped(image, 0.025, 0.025),
    "10 % cropped (5 % a side)": lambda image: cropped(image, 0.05, 0.05),
    "5 % cropped at top and left": lambda image: cropped(image, 0.05, 0),
    "20 % cropped (10 % a side)": lambda image: cropped(image, 0.1, 0.1),
    "cropped, smaller, JPEG 60": lambda image: jpeg(resized(cropped(image, 0.02, 0.01), 0.7), 60),
}


def measure(name: str, files: list[Path]) -> None:
    groups = [file.parent.name if "lgg" in name else file.name for file in files]
    images = [read_image(file, channels=3) for file in files]
    prints = stack([fingerprint(image) for image in images])
    start = time.perf_counter()
    pairs = near_pairs(prints)
    seconds = time.perf_counter() - start
    sizes = np.unique(groups, return_counts=True)[1]
    every = (sizes.sum() ** 2 - (sizes**2).sum()) // 2
    between = [(files[i].stem, files[j].stem) for i, j in pairs if groups[i] != groups[j]]
    print(
        f"{name}: {len(files)} images of {len(sizes)} groups, {seconds:.1f} s; {len(between)} of "
        f"{every} pairs between groups are near, {len(pairs) - len(between)} within"
    )
    for pair in between:
        print("  " + " = ".join(pair))
    usable = np.flatnonzero(prints.usable)
    chosen = np.random.default_rng(0).permutation(usable)[:COPIES_OF]
    originals = stack([fingerprint(images[i]) for i in chosen])
    for kind, copy in COPIES.items():
        copies = stack([fingerprint(copy(images[i])) for i in chosen])
        found = sum(i == j for i, j in near_pairs(originals, copies))
        print(f"  {kind:28} {found} of {len(chosen)} found")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    root = parser.parse_args().folder
    for name, patterns in SETS.items():
        if files := sorted(file for pattern in patterns for file in root.glob(pattern)):
            measure(name, files)
