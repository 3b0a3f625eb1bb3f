"""Cached cases to batches: which case when, and its augmentation."""

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import albumentations
import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from seg.data.case_sampling import CaseSampling
from seg.data.patches import Patches
from seg.data.symmetries import draw_from

Batch = dict[str, torch.Tensor]

_SIZING = "Crop|Resize|Pad|RandomScale|MaxSize"
_TURNING = ("D4", "RandomRotate90", "Rotate90", "Transpose")


@dataclass(kw_only=True, eq=False)
class SegmentationDataset(Dataset):
    """Batches of cached cases, with a new augmentation in each epoch.

    A key is that of the case modulo their number, and another one each time that the case is drawn
    (`EpochSampler`). The augmentation is drawn from (seed, key) alone: it is the same for any
    number of workers and after a resume, and another one in every epoch.
    Albumentations by itself repeats one stream in all workers.

    Args:
        images: (N, H, W, C) uint8, or float32 in 0-255.
        masks: (N, H, W) uint8 class indices, or (N, H, W, K) planes; 255 ignored.
        cases: the rows that belong to this split.
        transform: `transform(image=, mask=)`, with `set_random_seed`, or None.
        patches: what is cut out of the images, several times in an epoch; None: whole images.
    """

    images: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]
    cases: Sequence[int]
    transform: Callable | None = None
    seed: int = 0
    patches: Patches | None = None

    def __post_init__(self) -> None:
        self.cases = np.asarray(self.cases, dtype=np.int64)
        if not getattr(self.transform, "transforms", True):
            self.transform = None  # an empty Compose takes longer than the rest of the loading

    def __len__(self) -> int:
        return len(self.cases) * (self.patches.per_image if self.patches else 1)

    def largest(self) -> int:
        """The position of the largest image."""
        return int(np.argmax([self.masks[row].size for row in self.cases]))

    def __getitem__(self, key: int) -> Batch:
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[int]) -> Batch:
        """A batch of image (N, C, H, W), channels last in memory; mask (N, H, W), of planes
        (N, K, H, W); case (N,) row.
        """
        rows = [int(self.cases[key % len(self.cases)]) for key in keys]
        cases = [self._case(row, key) for row, key in zip(rows, keys, strict=True)]
        image = torch.from_numpy(np.stack([image for image, _ in cases]))  # (N, H, W, C)
        mask = torch.from_numpy(np.stack([mask for _, mask in cases]))
        return {
            "image": image.permute(0, 3, 1, 2),  # (N, C, H, W), no copy: stays channels last
            "mask": mask if mask.ndim == 3 else mask.permute(0, 3, 1, 2),
            "case": torch.tensor(rows, dtype=torch.int64),
        }

    def _case(self, row: int, key: int) -> tuple[np.ndarray, np.ndarray]:
        surround = 0
        if self.patches is None:
            image, mask = self.images[row], self.masks[row]
        else:
            place = np.random.default_rng([self.seed, key])
            turned = self.transform is not None
            image, mask, surround = self.patches.cut(self.images[row], row, place, surround=turned)
        if self.transform is None:
            return image, mask
        image, mask = np.array(image), np.array(mask)  # what the cache gives is read-only
        seed = int(np.random.SeedSequence([self.seed, key]).generate_state(1)[0])
        draw_from(self.transform, seed)
        deep = image.dtype == np.float32  # albumentations takes float images in 0-1
        augmented = self.transform(image=image / np.float32(255) if deep else image, mask=mask)
        image, new_mask = augmented["image"], augmented["mask"]
        if new_mask.shape != mask.shape:
            key = "image_size" if self.patches is None else "patch_size"
            raise ValueError(_other_size(self.transform, mask.shape[:2], new_mask.shape[:2], key))
        inner = np.s_[surround : mask.shape[0] - surround, surround : mask.shape[1] - surround]
        image, new_mask = image[inner], new_mask[inner]
        return (image * np.float32(255) if deep else image), new_mask


@dataclass(kw_only=True, eq=False)
class EpochSampler(Sampler[int]):
    """Keys for `SegmentationDataset`, shuffled in each epoch from (seed, epoch), split among ranks.

    Every rank gets equally many: the first cases are repeated to fill up, and metrics drop repeats
    by their case. Lightning calls `set_epoch` before each epoch, also after a resume.

    Args:
        size: number of cases.
        ranks: number of processes; `rank` is that of this one.
        sampling: which cases are drawn how often; None: all alike.
        start: (epoch, number): in that epoch the first `number` keys of each rank are left out,
            since the run saw them before it was interrupted. The length stays that of an epoch.
    """

    size: int
    shuffle: bool
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    sampling: CaseSampling | None = None
    start: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        # Lightning starts the workers, which read ahead, before it calls `set_epoch`.
        self.epoch = self.start[0]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.size / self.ranks)

    def __iter__(self) -> Iterator[int]:
        order, span = np.arange(self.size), self.size
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.sampling is not None:
            order, span = self.sampling.keys(rng), self.sampling.span
        elif self.shuffle:
            order = rng.permutation(self.size)
        order = np.resize(order, len(self) * self.ranks)[self.rank :: self.ranks]
        seen = self.start[1] if self.epoch == self.start[0] else 0
        return iter((order[seen:] + self.epoch * span).tolist())


def refuse_channels(transform: Callable | None, channels: int) -> None:
    """Raise ValueError for an augmentation that takes RGB, but not images of `channels`.

    Each of its transforms is tried, since one of a small probability would fail late in a training.
    """
    for one in _single_transforms(transform):
        always = copy.deepcopy(one)
        always.p = 1.0
        try:
            _try(always, channels)
        except Exception as error:
            try:
                _try(always, 3)
            except Exception:  # it is not for the channels
                continue
            raise ValueError(
                f"augmentation: {type(one).__name__} cannot take dataset.channels={channels}; set "
                "augmentation=flip_rotate_zoom, or augmentation=mri for 2 channels and more"
            ) from error


def _single_transforms(transform: Any) -> Iterator[albumentations.BasicTransform]:
    if isinstance(transform, albumentations.BaseCompose):
        for one in transform.transforms:
            yield from _single_transforms(one)
    elif isinstance(transform, albumentations.BasicTransform):
        yield transform


def _try(transform: albumentations.BasicTransform, channels: int) -> None:
    image = np.full((64, 64, channels), 128, dtype=np.uint8)
    albumentations.Compose([transform])(image=image, mask=np.zeros((64, 64), dtype=np.uint8))


def _other_size(
    transform: Callable, before: tuple[int, ...], after: tuple[int, ...], key: str
) -> str:
    """Why an augmentation changed the size of an image, and what to do about it."""
    sizes = f"{before[1]}x{before[0]} to {after[1]}x{after[0]}"
    names = [type(step).__name__ for step in getattr(transform, "transforms", [])]
    if after == before[::-1]:
        turning = [name for name in names if name in _TURNING] or ["it"]
        return f"augmentation: {turning[0]} turns {sizes}; dataset.{key} must be square"
    changing = [
        name for name in names if re.search("Crop|Resize|Pad|RandomScale|MaxSize", name)
    ] or ["it"]
    return (
        f"augmentation: {changing[0]} changes images from {sizes}; let it end with "
        f"albumentations.Resize(height={before[0]}, width={before[1]})"
    )
