"""The LightningDataModule: a source's pairs, decoded once, split by group, in batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from seg.data import Progress, case_sampling, no_progress, patches, shared_memory, value_ranges
from seg.data.cache import Cache, load
from seg.data.class_presence import in_any, missing
from seg.data.dataset import Batch, EpochSampler, SegmentationDataset
from seg.data.pairs import Pair
from seg.data.patches import Patches
from seg.data.preprocess import preprocessing
from seg.data.sources import Source, read_pairs
from seg.data.split import assign, file
from seg.data.split.draw import SPLITS, check_sizes, fingerprint
from seg.data.statistics import mean_and_deviation
from seg.data.transfer import to_device
from seg.data.worker import prepare_worker


class SegmentationDataModule(pl.LightningDataModule):
    """Train, validation and test batches of one source.

    Args:
        image_size: side, or [height, width], in pixels; None: each image's own, with patches.
        channels: 1 (grey), 3 (RGB), or as many as the image files of a case have.
        split: val, test (fractions or counts), by (`group` or `file`), seed, folds, fold, file,
            duplicates, as in conf/dataset/shared/loading.yaml.
        normalize: `unit` (0-255 to 0-1), `dataset` (mean and deviation of the training images),
            `image` (of each image), or `auto` (what the network's weights expect, else `dataset`);
            the training module applies it.
        cache_dir: where decoded arrays are kept.
        window: for images of more than 8 bits (see `images.read_image`).
        mask_threshold: stored value from which masks of one class are foreground.
        overlap: whether classes may share pixels; masks are planes then.
        augmentation: `augmentation(image=, mask=)` for training batches, or None.
        patch_size: side, or [height, width], of patches for training; validation and test get whole
            images, one at a time. None: whole images everywhere.
        patch_foreground: see `patches.Patches`.
        patches_per_image: in each epoch; `auto`: an epoch has as many pixels as the images.
        sampling: of training cases, `uniform` or `foreground` (see `case_sampling`).
        sampling_foreground: share of an epoch's draws that have foreground at least.
        seed: of the order of training cases and of their augmentation.
    """

    def __init__(
        self,
        *,
        source: Source,
        image_size: int | list[int] | None,
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
        patch_size: int | list[int] | None = None,
        patch_foreground: float = 0.33,
        patches_per_image: int | str = "auto",
        sampling: str = "uniform",
        sampling_foreground: float = 0.5,
        seed: int = 0,
        progress: Progress = no_progress,
    ) -> None:
        super().__init__()
        check_sizes(**{key: split[key] for key in ("val", "test", "folds", "fold")})
        self.source = source
        self.window = window
        meaning = {"classes": source.classes, "ignore_value": source.ignore_value}
        meaning |= {"mask_threshold": mask_threshold, "overlap": overlap, "window": window}
        sizes = {"image_size": image_size, "patch_size": patch_size}
        self.preprocessing = preprocessing(channels=channels, **sizes, **meaning)
        self.patch_keys = {"foreground": patch_foreground, "per_image": patches_per_image}
        self.sampling_keys = {"sampling": sampling, "share": sampling_foreground}
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
        patches.warn_of_small(self.cache.masks, self.preprocessing.patch)
        rows = self.rows("train")
        self.sampling = case_sampling.of_cases(
            self.cache.masks, rows, **self.sampling_keys, classes=len(self.class_names),
            draws=len(self.samples("train", augment=True)),
        )  # fmt: skip

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
        sizes = "x".join(map(str, self.preprocessing.size or ())) or "their own size"
        sizes += f", in {cut}" if (cut := self._patches()) else ""
        drawn = f"{self.sampling}; " if self.sampling else ""
        split_id = fingerprint([p.case for p in self.pairs], self.labels)
        return (
            f"{len(self.pairs)} cases at {sizes}: {', '.join(parts)}; "
            f"{empty:.0%} without foreground; {drawn}split {split_id}"
        )

    def classes_in(self, split: str) -> NDArray[np.bool_]:
        """Which foreground classes, (C,), have a pixel in the masks of a split."""
        classes = len(self.class_names)
        return in_any(self.cache.masks, self.rows(split), classes=classes)

    def missing_classes(self) -> list[str]:
        """A line for each split that lacks classes: which, and what follows."""
        found = {split: self.classes_in(split) for split in filter(self.rows, SPLITS)}
        return missing(found, self.class_names)

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and deviation of each channel of the training images, in 0-255."""
        pre = self.preprocessing
        return mean_and_deviation(
            self.cache.images, self.rows("train"), channels=pre.channels, thinned=bool(pre.patch)
        )

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
        """The cases of a split as cached; or as training gets them: patches, augmented."""
        return SegmentationDataset(
            images=self.cache.images,
            masks=self.cache.masks,
            cases=self.rows(split),
            transform=self.augmentation if augment else None,
            patches=self._patches() if augment else None,
            seed=self.seed,
        )

    def example(self) -> Batch:
        """A training sample of the size that the network gets, as a batch."""
        samples = self.samples("train")
        samples.patches = self._patches()
        return samples[0]

    def _patches(self) -> Patches | None:
        """What is cut out of the training images; None for whole images."""
        size, masks = self.preprocessing.patch, self.cache.masks
        return patches.of_images(masks, self.rows("train"), size=size, **self.patch_keys)

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", augment=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader("val")

    def test_dataloader(self) -> DataLoader:
        return self._loader("test")

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, *_: int) -> Batch:
        return to_device(batch, device)

    def _loader(self, split: str, *, augment: bool = False) -> DataLoader:
        samples = self.samples(split, augment=augment)
        trainer = self.trainer
        whole = self.preprocessing.patch is not None and not augment  # one image at a time
        batch_size = 1 if whole else self.batch_size
        if self.num_workers:
            largest = samples.largest() if whole else 0
            one = sum(tensor.nbytes for tensor in samples[largest].values())
            self.num_workers = shared_memory.workers_that_fit(
                self.num_workers,
                batch_bytes=one * batch_size,
                ranks=trainer.num_devices if trainer else 1,
            )
        sampler = EpochSampler(
            size=len(samples),
            shuffle=augment,
            sampling=self.sampling if augment else None,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            ranks=trainer.world_size if trainer else 1,
            start=(self.start[0], self.start[1] * self.batch_size if augment else 0),
        )
        return DataLoader(
            samples,
            sampler=sampler,
            batch_size=batch_size,
            num_workers=self.num_workers,
            worker_init_fn=prepare_worker,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=shared_memory.share,
        )
