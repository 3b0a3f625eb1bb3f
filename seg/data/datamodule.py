"""The LightningDataModule: a source's pairs, decoded once, split by group, in batches."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from seg.data import Progress, no_progress, shared_memory, value_ranges
from seg.data.cache import Cache, load
from seg.data.dataset import EpochSampler, SegmentationDataset
from seg.data.pairs import Pair
from seg.data.planes import class_pixels
from seg.data.preprocess import preprocessing
from seg.data.sources import Source, read_pairs
from seg.data.split import assign, file
from seg.data.split.draw import SPLITS, check_sizes, fingerprint

# Images whose mean and deviation are measured: more do not change the third digit.
STATISTICS_SAMPLE = 2000
GRACE = 60  # seconds that a loader process goes on after SIGTERM


class SegmentationDataModule(pl.LightningDataModule):
    """Train, validation and test batches of one source.

    Args:
        image_size: side, or [height, width], in pixels.
        channels: 1 (grey), 3 (RGB), or as many as the image files of a case have.
        split: val, test (fractions or counts), by (`group` or `file`), seed, folds, fold, file,
            duplicates, as in conf/dataset/shared/loading.yaml.
        normalize: `unit` (0-255 to 0-1), `dataset` (mean and deviation of the training images) or
            `image` (of each image); the training module applies it.
        cache_dir: where decoded arrays are kept.
        window: for images of more than 8 bits (see `images.read_image`).
        mask_threshold: stored value from which masks of one class are foreground.
        overlap: whether classes may share pixels; masks are planes then.
        augmentation: `augmentation(image=, mask=)` for training batches, or None.
        seed: of the order of training cases and of their augmentation.
    """

    def __init__(
        self,
        *,
        source: Source,
        image_size: int | list[int],
        channels: int,
        batch_size: int,
        num_workers: int,
        split: dict[str, Any],
        normalize: str,
        cache_dir: str,
        window: list[float] | str | None = None,
        mask_threshold: float | None = None,
        overlap: bool = False,
        augmentation: Callable | None = None,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> None:
        super().__init__()
        check_sizes(**{key: split[key] for key in ("val", "test", "folds", "fold")})
        self.source = source
        self.window = window
        meaning = {"classes": source.classes, "ignore_value": source.ignore_value}
        meaning |= {"mask_threshold": mask_threshold, "overlap": overlap}
        self.preprocessing = preprocessing(
            image_size=image_size, channels=channels, window=window, **meaning
        )
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.split = split
        self.normalize = normalize
        self.cache_dir = Path(cache_dir).expanduser()
        self.augmentation = augmentation
        self.seed = seed
        self.progress = progress
        self.pairs: list[Pair] = []
        self.start = (0, 0)  # epoch and batch at which a resumed run continues

    @property
    def class_names(self) -> list[str]:
        """Names of the foreground classes, index 1 first."""
        return list(self.source.classes or {"foreground": 255})

    def setup(self, stage: str | None = None) -> None:
        """Read, decode and split; a second call does nothing."""
        if self.pairs:
            return
        pairs, problems = read_pairs(self.source)
        self.cache: Cache = load(
            pairs, self.preprocessing, folder=self.cache_dir, progress=self.progress,
            problems=problems,
        )  # fmt: skip
        self.groups, self.labels = assign(
            pairs,
            foreground=self.cache.foreground.tolist(),
            image_sha256=self.cache.image_sha256,
            blank=self.cache.blank.tolist(),
            near=[(int(i), int(j)) for i, j in self.cache.near],
            split=self.split,
        )
        self.pairs = pairs

    def rows(self, split: str) -> list[int]:
        """Indices of the cases of `train`, `val` or `test`."""
        return [i for i, label in enumerate(self.labels) if label == split]

    def describe(self) -> str:
        """One line: cases and groups of each split, share of empty masks."""
        parts = []
        for name in SPLITS:
            rows = self.rows(name)
            groups = len({self.groups[i] for i in rows})
            parts.append(f"{name} {len(rows)}")
            if groups != len(rows):
                parts[-1] += f" ({groups} groups)"
        empty = float(np.mean(self.cache.foreground == 0))
        size = "x".join(map(str, self.preprocessing.size))
        split_id = fingerprint([p.case for p in self.pairs], self.labels)
        return (
            f"{len(self.pairs)} cases at {size}: {', '.join(parts)}; "
            f"{empty:.0%} without foreground; split {split_id}"
        )

    def classes_in(self, split: str) -> NDArray[np.bool_]:
        """Which foreground classes, (C,), have a pixel in the masks of a split."""
        found = np.zeros(len(self.class_names), dtype=bool)
        for row in self.rows(split):
            found |= np.array(class_pixels(self.cache.masks[row], len(found))[1:]) > 0
            if found.all():
                break
        return found

    def missing_classes(self) -> list[str]:
        """A line for each split that lacks classes: which, and what follows."""
        lines = []
        for split in filter(self.rows, SPLITS):
            found = self.classes_in(split)
            names = [self.class_names[j] for j in np.flatnonzero(~found)]
            if split == "train":
                then = "the network cannot learn it"
            elif found.any():
                then = "no figure of it, and means are over the other classes"
            else:
                then = "figures there only tell whether empty masks stayed empty"
            lines += [f"class {', '.join(names)} has no pixel in {split}: {then}"] if names else []
        return lines

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and deviation of each channel of the training images, in 0-255."""
        rows = self.rows("train")
        rows = rows[:: max(1, len(rows) // STATISTICS_SAMPLE)]
        total = np.zeros((2, self.preprocessing.channels))
        for row in rows:
            image = np.asarray(self.cache.images[row], dtype=np.float64)
            total += [image.mean((0, 1)), (image**2).mean((0, 1))]
        mean, square = total / len(rows)
        return mean.tolist(), np.sqrt(np.maximum(square - mean**2, 1e-6)).tolist()

    def narrow_values(self) -> value_ranges.Finding | None:
        """What is wrong where many training images are nearly black, white or grey."""
        rows = self.rows("train")
        rows = rows[:: max(1, len(rows) // value_ranges.SAMPLE)]
        pairs, images = [self.pairs[i] for i in rows], [self.cache.images[i] for i in rows]
        bands = list(value_ranges.bands_of_images(pairs, images))
        return value_ranges.examine(bands, self.preprocessing.window)

    def fingerprint(self) -> str:
        """sha256 of split.csv: cases, groups, their split and the digests of the files."""
        return file.digest(self.split_rows())

    def split_rows(self) -> list[list[str]]:
        """The rows of split.csv: image, mask (relative to the root), group, split, both digests."""
        digests = self.cache.image_sha256, self.cache.mask_sha256
        return file.rows(self.pairs, self.groups, self.labels, *digests)

    def samples(self, split: str, *, augment: bool = False) -> SegmentationDataset:
        """The cases of a split as cached, or augmented."""
        return SegmentationDataset(
            images=self.cache.images,
            masks=self.cache.masks,
            cases=self.rows(split),
            transform=self.augmentation if augment else None,
            seed=self.seed,
        )

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", augment=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader("val")

    def test_dataloader(self) -> DataLoader:
        return self._loader("test")

    def _loader(self, split: str, *, augment: bool = False) -> DataLoader:
        samples = self.samples(split, augment=augment)
        trainer = self.trainer
        if self.num_workers:
            one = sum(tensor.nbytes for tensor in samples[0].values())
            self.num_workers = shared_memory.workers_that_fit(
                self.num_workers,
                batch_bytes=one * self.batch_size,
                ranks=trainer.num_devices if trainer else 1,
            )
        sampler = EpochSampler(
            size=len(samples),
            shuffle=augment,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            ranks=trainer.world_size if trainer else 1,
            start=(self.start[0], self.start[1] * self.batch_size if augment else 0),
        )
        return DataLoader(
            samples,
            sampler=sampler,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            worker_init_fn=_prepare_worker,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=shared_memory.share,
        )


def _prepare_worker(worker: int) -> None:
    # OpenCV's own threads in every worker would compete with the training for the cores.
    cv2.setNumThreads(0)
    # A scheduler signals all processes of a job, but the training needs its workers until it has
    # finished its batch and saved. Workers end with their parent; the alarm ends one that hangs.
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
