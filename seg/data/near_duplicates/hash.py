"""Near-duplicate images: candidates by a perceptual hash, confirmed on thumbnails.

The hash is the sign of each low frequency of the cosine transform, as in pHash (Zauner 2010,
"Implementation and benchmarking of perceptual image hash functions"), with 256 bits instead of 64.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from seg.data import Progress, no_progress
from seg.data.cores import usable_cores
from seg.data.file_threads import mapped, undivided_products
from seg.data.near_duplicates.verify import SIDE, has_structure, interpolation, show_the_same
from seg.data.statistics import histograms

_FREQUENCIES = 16  # of the cosine transform, along each axis: 256 bits
_LOW_BITS = 18  # candidates differ in at most so many of the 63 lowest frequencies,
_ALL_BITS = 80  # and in so many of all 255
# Further hashes are of parts of the image, to find cropped copies: the shares left off at the top,
# the bottom, the left and the right.
_CUTS = np.array(
    [
        [0, 0, 0, 0],
        [0.02, 0.02, 0.02, 0.02],
        [0.05, 0.05, 0.05, 0.05],
        [0.05, 0, 0.05, 0],
        [0.05, 0, 0, 0.05],
        [0, 0.05, 0.05, 0],
        [0, 0.05, 0, 0.05],
    ]
)
_BLANK_SIDE = 256  # pixels along each axis that are looked at
_BLANK_LEVELS, _BLANK_SHARE = 3, 0.005  # blank: fewer pixels are further from the median, of 255
_CELLS = 1 << 17  # hash comparisons at once, 1 MiB
_BATCH = 128  # thumbnails compared at once
_THREADS = min(16, usable_cores())  # numpy works without the interpreter's lock


class Fingerprint(NamedTuple):
    """hash: (4,) uint64. thumbnail: (128, 128) uint8, grey, stretched to 0-255; all 0: unusable.
    blank: whether the image is of one value but for a few pixels.
    """

    hash: np.ndarray
    thumbnail: np.ndarray
    blank: bool


class Fingerprints(NamedTuple):
    """hashes: (N, 4) uint64. thumbnails: (N, 128, 128) uint8. blank: (N,) bool."""

    hashes: np.ndarray
    thumbnails: np.ndarray
    blank: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """(N,) False for images with too little structure to tell one from another."""
        return np.array([thumbnail.any() for thumbnail in self.thumbnails], dtype=bool)


def empty(count: int, *, folder: Path | None = None) -> Fingerprints:
    """Arrays to fill in; a fingerprint that is not filled in is unusable.

    Args:
        count: of images.
        folder: in which the thumbnails, 16 KB each, are a file without a name; None: in memory.
    """
    hashes, shape = np.zeros((count, 4), np.uint64), (count, SIDE, SIDE)
    if folder is None or count == 0:
        thumbnails = np.zeros(shape, np.uint8)
    else:  # all bytes of a new file are 0
        with tempfile.TemporaryFile(dir=folder) as file:
            thumbnails = np.memmap(file, np.uint8, mode="w+", shape=shape)
    return Fingerprints(hashes, thumbnails, np.zeros(count, dtype=bool))


def stack(prints: Sequence[Fingerprint | None]) -> Fingerprints:
    """Fingerprints of single images in one; None is unusable."""
    stacked = empty(len(prints))
    for i, one in enumerate(prints):
        if one is not None:
            stacked.hashes[i], stacked.thumbnails[i], stacked.blank[i] = one
    return stacked


def fingerprint(image: np.ndarray) -> Fingerprint:
    """image: (H, W, C) of any size and range, uint8 or float."""
    blank = _is_blank(image)
    thumbnail = np.zeros((SIDE, SIDE), np.uint8) if blank else _thumbnail(image)
    whole = _hash(thumbnail[None], np.array([0]), *_COSINES_OF_PARTS[0])
    return Fingerprint(whole[0], thumbnail, blank)


@undivided_products
def near_pairs(
    a: Fingerprints, b: Fingerprints | None = None, *, progress: Progress = no_progress
) -> list[tuple[int, int]]:
    """Sorted index pairs of near-duplicates: i < j within `a`, or i of `a` and j of `b`.

    Re-encoded, resized, slightly blurred, brightened, cropped (by 5 % of a side) or labelled copies
    are pairs, and so are images that differ as little: neighbouring slices or frames, which only
    matter in different groups (`split.leakage.join`). Unusable images are in no pair.
    """
    rows, columns = np.flatnonzero(a.usable), np.flatnonzero((a if b is None else b).usable)
    left, right = a.thumbnails, (a if b is None else b).thumbnails
    height = max(1, _CELLS // max(1, len(columns)))
    starts = range(0, len(rows), height)
    left_hashes = _all_hashes(left, rows)
    right_hashes = left_hashes if b is None else _all_hashes(right, columns)

    def pairs_from(start: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        rest = slice(start, start + height), slice(start + 1 if b is None else 0, None)
        i, j, cut = _candidates(left_hashes, right_hashes, *rest, upper=b is None)
        for inner_is_right in (True, False):  # where neither is cut, both are tried
            chosen = np.flatnonzero(cut >= 0 if inner_is_right else cut <= 0)
            for k in range(0, len(chosen), _BATCH):
                some = chosen[k : k + _BATCH]
                some_i, some_j = rows[i[some]], columns[j[some]]
                images = left[some_i], right[some_j]
                outer, inner = images if inner_is_right else images[::-1]
                near = show_the_same(outer, inner, _CROPS[np.abs(cut[some])])
                found += zip(some_i[near].tolist(), some_j[near].tolist(), strict=True)
        return found

    blocks = mapped(pairs_from, starts, threads=_THREADS)
    found = progress(blocks, len(starts), "near-duplicates")
    return sorted({pair for some in found for pair in some})


def _is_blank(image: np.ndarray) -> bool:
    step = [max(1, side // _BLANK_SIDE) for side in image.shape[:2]]  # a sample is enough
    image = image[:: step[0], :: step[1]]
    if image.dtype == np.uint8:
        counts = histograms(image)
        ends, count = counts.cumsum(axis=1), image.shape[0] * image.shape[1]
        middle = [(ends > place).argmax(axis=1) for place in ((count - 1) // 2, count // 2)]
        median = np.mean(middle, axis=0)  # (C,)
        if (counts * _is_away(np.arange(256), median[:, None])).sum(
            1
        ).max() >= _BLANK_SHARE * count:
            return False  # as nearly all images are; one channel is enough
    else:
        image = image.astype(np.float32)
        median = np.median(image, axis=(0, 1))
    return bool(_is_away(image, median).any(axis=2).mean() < _BLANK_SHARE)


def _is_away(values: np.ndarray, median: np.ndarray) -> np.ndarray:
    return np.abs(values - median) > _BLANK_LEVELS


def _thumbnail(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float32)
    rgb = values.shape[2] == 3
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32) if rgb else values.mean(axis=2)
    height, width = grey.shape
    # Average along an axis that shrinks; OpenCV would sample both where only one of them shrinks.
    small = (min(width, SIDE), min(height, SIDE))
    grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    grey = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    low, high = grey.min(), grey.max()
    if high - low < 1:  # of 255: rounding and noise, if anything
        return np.zeros((SIDE, SIDE), np.uint8)
    stretched = np.rint((grey - low) * (255 / (high - low))).astype(np.uint8)
    return stretched * np.uint8(has_structure(stretched))


_COSINES = np.cos(
    np.pi / SIDE * np.outer(np.arange(_FREQUENCIES), np.arange(SIDE) + 0.5)
)  # (frequencies, SIDE)
_CROPS = np.stack(  # (cuts, axis, 2) shift and stretch, as `verify` has them
    [(_CUTS[:, ::2] - _CUTS[:, 1::2]) / 2, -_CUTS[:, ::2] - _CUTS[:, 1::2]], axis=2
).astype(np.float32)


def _cosines_of(shift: float, stretch: float) -> np.ndarray:
    """(frequencies, SIDE) of a part of a line."""
    position = (np.arange(SIDE) + 0.5) * (1 + stretch) + SIDE * (shift - stretch / 2) - 0.5
    return _COSINES @ interpolation(position, SIDE)


_COSINES_OF_PARTS = [[_cosines_of(*axis) for axis in crop] for crop in _CROPS]
# Low frequencies first, so that the first word of a hash is the usual 8 x 8 one.
_ORDER = np.array(
    sorted(np.ndindex(_FREQUENCIES, _FREQUENCIES), key=lambda uv: (max(uv), uv))
).T  # (2, 256)


def _hash(
    thumbnails: np.ndarray, indices: np.ndarray, vertical: np.ndarray, horizontal: np.ndarray
) -> np.ndarray:
    """(N, 4) uint64: the signs of the lowest 256 DCT coefficients; the mean's bit is 0."""
    hashes = np.empty((len(indices), _FREQUENCIES**2 // 64), np.uint64)
    for start in range(0, len(indices), _BATCH):
        spectrum = vertical @ thumbnails[indices[start : start + _BATCH]] @ horizontal.T
        # Not > 0: a coefficient that is zero but for rounding must not give a random bit.
        bits = spectrum[:, _ORDER[0], _ORDER[1]] > 1e-3
        bits[:, 0] = False
        packed = np.ascontiguousarray(np.packbits(bits, axis=1))
        hashes[start : start + _BATCH] = packed.view(np.uint64)
    return hashes


def _all_hashes(thumbnails: np.ndarray, indices: np.ndarray) -> list[np.ndarray]:
    """Of the whole image and of its parts, (N, 4) each."""
    return [_hash(thumbnails, indices, *cosines) for cosines in _COSINES_OF_PARTS]


def _candidates(
    left: Sequence[np.ndarray],
    right: Sequence[np.ndarray],
    rows: slice,
    columns: slice,
    *,
    upper: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices i in `rows`, j in `columns` of similar hashes, and which cut makes them so.

    upper: only j > i. The cut: k where part k of the left image is like the whole right one, -k
    where part k of the right one is like the whole left one; of several, the most alike.
    """
    flat, distances, cuts = [], [], []  # flat: i * columns + j
    width = len(right[0][columns])
    for cut in range(1 - len(left), len(left)):
        some, others = left[max(cut, 0)][rows], right[max(-cut, 0)][columns]
        low = np.ascontiguousarray(others[:, 0])
        few = np.bitwise_count(some[:, :1] ^ low) <= _LOW_BITS
        i, j = np.divmod(np.flatnonzero(few), max(1, width))
        distance = np.bitwise_count(some[i] ^ others[j]).sum(axis=1)
        close = (distance <= _ALL_BITS) & (not upper or j >= i)
        flat.append(i[close] * width + j[close])
        distances.append(distance[close])
        cuts.append(np.full(close.sum(), cut))
    flat, distances, cuts = (np.concatenate(part) for part in (flat, distances, cuts))
    order = np.lexsort([np.abs(cuts), distances, flat])
    flat, first = np.unique(flat[order], return_index=True)
    i, j = np.divmod(flat, max(1, width))
    return i + rows.start, j + columns.start, cuts[order][first]
