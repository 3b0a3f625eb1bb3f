"""Milliseconds per image of every augmentation. python benchmarks/augmentation.py --data DIR

From the cache's arrays to a batch, on one thread, in CPU time; the augmentations run by turns. DIR
has images/ and masks/.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
from hydra.utils import instantiate

from seg.cli import compose
from seg.data.cache import load
from seg.data.dataset import SegmentationDataset
from seg.data.preprocess import preprocessing
from seg.data.sources.folder import Folder

CASES, BATCH = 32, 8


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder of images/ and masks/")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 352])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    logging.getLogger("seg").setLevel(logging.ERROR)
    cv2.setNumThreads(0)
    names = sorted(path.stem for path in (compose.CONF_DIR / "augmentation").glob("*.yaml"))
    transforms = {
        name: instantiate(
            compose.compose([f"augmentation={name}"]).augmentation, _convert_="all"
        ) for name in names
    }  # fmt: skip
    pairs = Folder(root=str(args.data)).pairs()[:CASES]
    for size in args.sizes:
        shape = {"image_size": size, "channels": 3, "window": None}
        seconds: dict[str, list[float]] = {name: [] for name in names}
        with tempfile.TemporaryDirectory() as folder:
            pre = preprocessing(**shape, classes=None, ignore_value=None)
            cached = load(pairs, pre, folder=Path(folder))
            for number in range(args.rounds):
                for name, transform in transforms.items():
                    cases = SegmentationDataset(
                        images=cached.images, masks=cached.masks, cases=range(len(pairs)),
                        transform=None if name == "none" else transform,
                    )  # fmt: skip
                    started = time.process_time()
                    for key in range(0, 3 * CASES, BATCH):
                        cases.__getitems__([number * 3 * CASES + key + i for i in range(BATCH)])
                    seconds[name].append((time.process_time() - started) / (3 * CASES))
        for name in names:
            median = 1000 * statistics.median(seconds[name])
            print(f"{size:5} {name:24} {median:6.2f} ms")


if __name__ == "__main__":
    main()
