"""Peak memory, time and Dice of the mask of a large image. python benchmarks/large_image.py ...

--run RUN --data DIR [--side 6000] [--tile 256] [--output DIR]

Makes a mosaic of the pictures of DIR (images/ and masks/) that RUN was not trained with, and in a
process for each way reads it, predicts it some rows at a time, decides, and writes the mask:

read      reads the mosaic and loads the network: what the others start from.
whole     resizes it whole, as `seg.predict` does by itself.
at once   the same in one piece, as evaluation does.
tiles     windows of --tile pixels, a quarter overlapping; flips: each in four views.
scale     the same scale, in windows as large as memory allows.

Linux only: the peak is the process's own (VmHWM), with all that Python and torch take.
"""

import argparse
import csv
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.cli.make import make
from seg.data.images import read_image
from seg.data.preprocess import Preprocessing, read_pair
from seg.data.sources.folder import Folder
from seg.inference.load import Loader
from seg.inference.model import LoadedModel, strips_of
from seg.inference.segmentation import decide
from seg.metrics.overlap import dice
from seg.predict import wrap

WAYS = ("read", "whole", "at once", "tiles", "tiles, flips", "scale")


def make_mosaic(data: Path, run: Path, shape: Preprocessing, side: int, folder: Path) -> int:
    """mosaic.png and reference.png in `folder`; returns how many different pictures they show."""
    with (run / "split.csv").open(newline="", encoding="utf-8") as handle:
        seen = {row["image"] for row in csv.DictReader(handle) if row["split"] == "train"}
    pairs = [pair for pair in Folder(root=str(data)).pairs() if pair.case not in seen]
    if not pairs:
        raise SystemExit(f"{data}: all pictures were trained with")
    image = np.zeros((side, side, shape.channels), np.uint8)
    mask = np.zeros((side, side), np.uint8)
    unused = itertools.cycle(pairs)
    y = 0
    while y < side:
        x, below = 0, side
        while x < side:
            part, reference, _ = read_pair(next(unused), shape)
            height, width = min(part.shape[0], side - y), min(part.shape[1], side - x)
            image[y : y + height, x : x + width] = part[:height, :width]
            mask[y : y + height, x : x + width] = reference[:height, :width]
            x, below = x + width, min(below, y + height)
        y = below
    cv2.imwrite(str(folder / "mosaic.png"), image[..., ::-1])
    cv2.imwrite(str(folder / "reference.png"), mask)
    return len(pairs)


def load(run: Path) -> LoadedModel:
    return Loader(build=make).load_run(run)


def predict(way: str, run: Path, folder: Path, tile: int) -> dict[str, float]:
    """In a process of its own: seconds after loading, and the peak in MiB."""
    model = load(run)
    started = time.perf_counter()
    image = read_image(folder / "mosaic.png", channels=model.preprocessing.channels)
    if way != "read":
        if way != "at once":
            model = wrap(
                model,
                tta="flips" in way and "flips",
                tta_check=False,  # the time of four views, whatever the run's training had
                tile=tile if "tiles" in way else "auto",
                scale=max(model.preprocessing.size) / tile if way == "scale" else None,
            )
        mask = np.empty(image.shape[:2], np.uint8)
        for top, probs in strips_of(model.predictor, image):
            mask[top : top + probs.shape[1]] = decide(probs, model.threshold)
        cv2.imwrite(str(folder / f"{way}.png"), mask)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"seconds": seconds, "mib": int(peak.split()[1]) / 1024}


def dice_of(mask: NDArray, reference: NDArray) -> float:
    true, called = reference > 0, mask > 0
    tp, fp = (true & called).sum(), (~true & called).sum()
    return float(dice(tp, fp, (true & ~called).sum(), (~true & ~called).sum()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(predict(args.one, args.run, args.output, args.tile)))
        return
    if args.data is None:
        parser.error("--data is needed")
    with tempfile.TemporaryDirectory() as made:
        folder = args.output or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        shape = load(args.run).preprocessing
        count = make_mosaic(args.data, args.run, shape, args.side, folder)
        print(f"{args.side}x{args.side} pixels, {count} pictures the run was not trained with")
        reference = cv2.imread(str(folder / "reference.png"), cv2.IMREAD_GRAYSCALE)
        for way in WAYS:
            command = [sys.executable, __file__, "--run", args.run, "--output", folder,
                       "--tile", args.tile, "--one", way]  # fmt: skip
            done = subprocess.run(list(map(str, command)), check=True, capture_output=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            line = f"{way:<13} {figures['mib']:6.0f} MiB at most  {figures['seconds']:6.1f} s"
            if way != "read":
                mask = cv2.imread(str(folder / f"{way}.png"), cv2.IMREAD_GRAYSCALE)
                line += f"  Dice {dice_of(mask, reference):.3f} of all pixels"
            print(line, flush=True)


if __name__ == "__main__":
    main()
