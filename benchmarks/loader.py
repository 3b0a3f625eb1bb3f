"""Images per second from the cache and from files. python benchmarks/loader.py --data DIR

cache  this project's loader: memory-mapped arrays at training size.
files  the same batches as most training code makes them: each file is decoded every time.

Both use the same augmentation (or none) and run by turns, so that other load on the machine slows
both: read the ratios. DIR has images/ and masks/. `--memory N` generates N pictures instead, and
prints the anonymous memory of the process (without mapped files, which the system can drop) while
they are decoded, and after each of three passes. Linux only.
"""

import argparse
import itertools
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from hydra.utils import instantiate
from torch.utils.data import DataLoader, Dataset

from seg.cli import compose
from seg.data.datamodule import SegmentationDataModule
from seg.data.pairs import Pair
from seg.data.preprocess import Preprocessing, image_to_size, mask_to_size, read_pair
from seg.data.sources.folder import Folder

SPLIT = {
    "val": 1, "test": 0, "by": "file", "seed": 0, "folds": None, "fold": None, "file": None,
    "duplicates": "ignore",
}  # fmt: skip


class Files(Dataset):
    """A case decoded from its files each time: image (C, H, W), mask (H, W)."""

    def __init__(self, pairs: Sequence[Pair], pre: Preprocessing, transform: object) -> None:
        self.pairs, self.pre, self.transform = pairs, pre, transform

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, mask, _ = read_pair(self.pairs[index], self.pre)
        image, mask = image_to_size(image, self.pre.size), mask_to_size(mask, self.pre.size)
        if self.transform is not None:
            augmented = self.transform(image=image, mask=mask)
            image, mask = augmented["image"], augmented["mask"]
        return torch.from_numpy(image).permute(2, 0, 1).contiguous(), torch.from_numpy(mask)


def rate(loader: DataLoader, batches: int, warmup: int) -> float:
    """Images per second over `batches` batches, after `warmup` batches."""
    steps = itertools.chain.from_iterable(itertools.repeat(loader))
    for _ in itertools.islice(steps, warmup):
        pass
    started = time.perf_counter()
    for _ in itertools.islice(steps, batches):
        pass
    return batches * int(loader.batch_size or 1) / (time.perf_counter() - started)


def data_module(
    root: Path, size: int, workers: int, augmentation: str, cache: Path
) -> SegmentationDataModule:
    transform = instantiate(
        compose.compose([f"augmentation={augmentation}"]).augmentation, _convert_="all"
    )
    data = SegmentationDataModule(
        source=Folder(root=str(root)), image_size=size, channels=3, batch_size=8,
        num_workers=workers, split=SPLIT, normalize="unit", cache_dir=str(cache),
        augmentation=None if augmentation == "none" else transform,
    )  # fmt: skip
    data.setup()
    return data


def compare(args: argparse.Namespace, cache: Path) -> None:
    by_round = {}
    print(f"{'side':>5} {'workers':>7} {'cache/s':>9} {'files/s':>9} {'ratio':>7}  (rounds)")
    for size, workers in itertools.product(args.sizes, args.workers):
        data = data_module(args.data, size, workers, args.augmentation, cache)
        pairs = [data.pairs[i] for i in data.rows("train")]
        ours = data.train_dataloader()
        plain = DataLoader(
            Files(pairs, data.preprocessing, data.augmentation), batch_size=8, shuffle=True,
            num_workers=workers, persistent_workers=workers > 0, drop_last=True,
        )  # fmt: skip
        rows = [
            (rate(ours, args.batches, 4), rate(plain, args.batches, 4)) for _ in range(args.rounds)
        ]
        ratios = [a / b for a, b in rows]
        a, b = (statistics.median(column) for column in zip(*rows, strict=True))
        spread = f"{min(ratios):.2f} - {max(ratios):.2f}"
        print(
            f"{size:5} {workers:7} {a:9.0f} {b:9.0f} {statistics.median(ratios):7.2f}  ({spread})"
        )
        name = f"{size} px, {args.augmentation}, {workers} workers"
        by_round[f"{name}, images/s"] = [a for a, _ in rows]
        by_round[f"{name}: times as fast as decoding files"] = ratios
    if args.json is not None:
        text = json.dumps({"by_round": by_round}, indent=2)
        args.json.write_text(text + "\n", encoding="utf-8")


def generate(root: Path, count: int, side: int) -> None:
    """Write `count` pictures of noise with a disc."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i in range(count):
        coarse = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR)
        mask = np.zeros((side, side), np.uint8)
        centre = tuple(int(c) for c in rng.integers(side // 4, 3 * side // 4, 2))
        cv2.circle(mask, centre, side // 6, 255, -1)
        cv2.imwrite(str(root / "images" / f"{i}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{i}.png"), mask)


def private_memory() -> float:
    """Anonymous memory of this process, in MB."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.split("RssAnon:")[1].split()[0]) / 1024


def memory(count: int, side: int, folder: Path) -> None:
    generate(folder / "set", count, side)
    print(
        f"{count} pictures of {side}x{side}; anonymous memory in MB: before {private_memory():.0f}"
    )
    peak = [0.0]

    def measured(steps: object, total: int, label: str) -> object:
        for number, step in enumerate(steps):
            if number % 1000 == 0:
                peak[0] = max(peak[0], private_memory())
            yield step

    data = SegmentationDataModule(
        source=Folder(root=str(folder / "set")), image_size=side, channels=3, batch_size=64,
        num_workers=0, split=SPLIT, normalize="unit", cache_dir=str(folder / "cache"),
        progress=measured,
    )  # fmt: skip
    started = time.perf_counter()
    data.setup()
    size = sum(f.stat().st_size for f in (folder / "cache").rglob("*") if f.is_file()) / 1e6
    print(f"  decoding: at most {peak[0]:.0f}, {time.perf_counter() - started:.0f} s, "
          f"{size:.0f} MB on disk; after it {private_memory():.0f}")  # fmt: skip
    loader = data.train_dataloader()
    for number in range(3):
        pictures = sum(len(batch["mask"]) for batch in loader)
        print(f"  pass {number + 1}: {private_memory():.0f} ({pictures} pictures)")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of images/ and masks/")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--augmentation", default="none")
    parser.add_argument("--batches", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for every round's figures")
    parser.add_argument("--memory", type=int, metavar="N", help="generate N pictures instead")
    args = parser.parse_args(argv)
    logging.getLogger("seg").setLevel(logging.ERROR)
    if args.memory is None and args.data is None:
        parser.error("give --data DIR or --memory N")
    with tempfile.TemporaryDirectory() as folder:
        if args.memory is not None:
            memory(args.memory, args.sizes[0], Path(folder))
        else:
            compare(args, Path(folder))


if __name__ == "__main__":
    main()
