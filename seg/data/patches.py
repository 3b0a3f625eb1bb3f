"""Where the training's patches lie in images: anywhere, or around a pixel of a class."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seg.data.masks import BACKGROUND, IGNORE
from seg.data.windows import cut, cut_mask

log = logging.getLogger(__name__)

KEPT = 2000  # masks whose lines stay counted: some MB


@dataclass(kw_only=True, eq=False)
class Patches:
    """Draws patches of cached images.

    A share of them is centred, as far as the image allows, on a pixel of a class: the class is
    drawn first, so that rare ones are seen (as nnU-Net, Isensee et al. 2021). Beyond an image that
    is smaller than a patch lies its mirror image, which the mask ignores.

    Args:
        masks: of all rows, class indices (H, W) or planes (H, W, K), memory-mapped.
        size: (height, width) of a patch.
        foreground: the share of patches around foreground, 0 to 1.
        per_image: patches of an image in each epoch.
    """

    masks: Sequence[NDArray[np.uint8]]
    size: tuple[int, int]
    foreground: float
    per_image: int
    # each loader process counts for itself, a mask when it is first drawn from
    _counted: dict[int, dict[int, NDArray[np.int64]]] = field(default_factory=dict, init=False)

    def __str__(self) -> str:
        height, width = self.size
        return f"{self.per_image} patches of {height}x{width} an epoch from each"

    def cut(
        self, image: NDArray, row: int, rng: np.random.Generator, *, surround: bool
    ) -> tuple[NDArray, NDArray, int]:
        """A patch of `image`, the one of `row`, and of its mask.

        Args:
            surround: up to half as much again is cut as well, so that turning the patch brings no
                black corners into it.

        Returns:
            Image (H, W, C), mask (H, W), and how many pixels on each side surround the patch.
        """
        mask = self.masks[row]
        y, x = self.corner(row, rng)
        height, width = self.size
        room = (y, x, mask.shape[0] - y - height, mask.shape[1] - x - width)
        extra = max(0, min(min(self.size) // 4, *room)) if surround else 0
        corner, size = (y - extra, x - extra), (height + 2 * extra, width + 2 * extra)
        return cut(image, corner, size), cut_mask(mask, corner, size, fill=IGNORE), extra

    def corner(self, row: int, rng: np.random.Generator) -> tuple[int, int]:
        """Top row and left column of a patch."""
        shape = self.masks[row].shape
        last = [max(0, length - side) for length, side in zip(shape, self.size, strict=False)]
        by_class = self._lines(row) if rng.random() < self.foreground else {}
        if not by_class:
            return tuple(int(rng.integers(end + 1)) for end in last)
        index = int(rng.choice(list(by_class)))
        centre = self._pixel(row, index, by_class[index], rng)
        places = zip(centre, self.size, last, strict=True)
        return tuple(min(max(place - side // 2, 0), end) for place, side, end in places)

    def _pixel(
        self, row: int, index: int, ends: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Any pixel of a class, each as likely. Only one line of the mask is read."""
        number = int(rng.integers(ends[-1]))
        y = int(np.searchsorted(ends, number, side="right"))
        before = int(ends[y - 1]) if y else 0
        line = self.masks[row][y]  # (W,) or (W, K)
        here = line == index if line.ndim == 1 else line[:, index - 1] == 1
        return y, int(np.flatnonzero(here)[number - before])

    def _lines(self, row: int) -> dict[int, NDArray[np.int64]]:
        """By class of a mask, how many of its pixels lie in each line or above."""
        if row not in self._counted:
            if len(self._counted) >= KEPT:
                self._counted.clear()
            ends = np.cumsum([_pixels(line) for line in self.masks[row]], axis=0)  # (H, classes)
            present = set(np.flatnonzero(ends[-1]).tolist()) - {BACKGROUND, IGNORE}
            self._counted[row] = {index: ends[:, index].copy() for index in sorted(present)}
        return self._counted[row]


def _pixels(line: NDArray[np.uint8]) -> NDArray[np.int64]:
    """By class, how many pixels of a line are of it: indices (W,), or planes (W, K)."""
    if line.ndim == 1:
        return np.bincount(line, minlength=256)
    return np.concatenate([[0], np.count_nonzero(line == 1, axis=0)])


def of_images(
    masks: Sequence[NDArray[np.uint8]],
    rows: Sequence[int],
    *,
    size: tuple[int, int] | None,
    foreground: float,
    per_image: int | str,
) -> Patches | None:
    """The patches of some images; None where `size` is.

    Args:
        rows: of these images.
        per_image: `auto` for as many that an epoch has as many pixels as the images together.
    """
    if size is None:
        return None
    if per_image == "auto":
        pixels = sum(math.prod(masks[row].shape[:2]) for row in rows)
        per_image = max(1, math.ceil(pixels / (math.prod(size) * max(1, len(rows)))))
    return Patches(masks=masks, size=size, foreground=foreground, per_image=int(per_image))


def warn_of_small(masks: Sequence[NDArray], size: tuple[int, int] | None) -> None:
    """Warn of images that are smaller than a patch, if there are patches."""
    if size is None:
        return
    small = sum(any(np.less(mask.shape[:2], size)) for mask in masks)
    if small:
        log.warning(
            "%d of %d images are smaller than dataset.patch_size=[%d,%d]: they are filled up with "
            "their mirror image, which no loss and no metric counts",
            small, len(masks), *size,
        )  # fmt: skip
