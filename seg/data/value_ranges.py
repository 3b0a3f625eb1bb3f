"""Files whose values fill little of 0-255, such as 12 bits in 16-bit files, and their window."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg.data import formats
from seg.data.errors import DataError
from seg.data.formats.intensity import PERCENTILES, ValueRange, Window
from seg.data.pairs import Pair

NARROW = 32  # of the 255 levels: an image that fills fewer is narrow
SHARE = 0.25  # of the files of more than 8 bits that must be narrow
DARK_8 = 31  # highest value of a file of 8 bits that is nearly black
SHARE_8 = 0.5  # of the files of 8 bits that must be nearly black: some sets do have dark ones
BLANK = 0.1  # share of images that are not blank, above which blank ones mean nothing
SATURATED = 0.5  # of an image's pixels at 255, read through a window
SAMPLE = 400  # images that are looked at, of each SIDE pixels along a side
SIDE = 128
READ = 24  # files of each kind that are read once more, for their stored values
OWN = 4  # times between the ranges of two files, from which each has its own


@dataclass(frozen=True)
class Band:
    """What one image file fills of 0-255, as it is read.

    Args:
        low: the 0.5 percentile of its values; high: the 99.5 percentile.
        white: share of its pixels at 255.
        plane: of a volume.
    """

    path: Path
    plane: tuple[int, int] | None
    low: float
    high: float
    white: float

    @property
    def is_narrow(self) -> bool:
        return self.high - self.low < NARROW


@dataclass(frozen=True)
class Finding:
    """What is wrong in one line, with its fix; and the window that is the fix, if one is."""

    text: str
    window: list[float] | str | None


def bands_of_images(pairs: Sequence[Pair], images: Sequence[np.ndarray]) -> Iterator[Band]:
    """The band of each file. images: (H, W, C) in 0-255, the channels of a pair's files stacked."""
    for pair, image in zip(pairs, images, strict=True):
        for path, whole in zip(pair.images, np.split(image, len(pair.images), 2), strict=True):
            part = whole[:: max(1, whole.shape[0] // SIDE), :: max(1, whole.shape[1] // SIDE)]
            low, high = np.percentile(part, PERCENTILES)
            white = np.count_nonzero(part >= 254.9) / part.size
            yield Band(path, pair.plane, float(low), float(high), white)


def bands_of_histograms(pairs: Sequence[Pair], histograms: Sequence[np.ndarray]) -> Iterator[Band]:
    """The band of each file. histograms: (C, B), shares of the pixels in B equal bins of 0-255."""
    for pair, histogram in zip(pairs, histograms, strict=True):
        for path, part in zip(pair.images, np.split(histogram, len(pair.images)), strict=True):
            below, width = np.cumsum(part.mean(axis=0)), 256 / part.shape[1]
            low, high = np.searchsorted(below, np.array(PERCENTILES) / 100)
            white = float(part.mean(axis=0)[-1])
            yield Band(path, pair.plane, low * width, high * width + width - 1, white)


def examine(bands: Sequence[Band], window: Window) -> Finding | None:
    """Whether many of a set's files fill little of 0-255, are nearly black, or saturated.

    A single image may be dark. The stored values of a few files are read to name a window.

    Args:
        bands: of some of the set's files.
        window: through which they were read.
    """
    lit = [band for band in bands if band.high > band.low]  # the others are blank
    bands = lit if len(lit) > BLANK * len(bands) else bands
    if not bands or window == "percentile":
        return None
    white = [band for band in bands if band.white > SATURATED]
    if window is not None and len(white) > SHARE * len(bands):
        return _saturated(white, len(bands), window)
    narrow = [band for band in bands if band.is_narrow]
    if len(narrow) < max(2, 0.05 * len(bands)):
        return None
    # files of 8 bits and of more can be in one set
    stored = {id(b): _stored(b) for b in _some(narrow)}
    others = [band for band in bands if not band.is_narrow]
    stored |= {id(b): _stored(b) for b in _some(others)}
    deep = [[b for b in part if stored.get(id(b))] for part in (narrow, others)]
    count = [
        len(part) * len(found) / max(len(_some(part)), 1)
        for part, found in zip((narrow, others), deep, strict=True)
    ]
    if deep[0] and count[0] > SHARE * sum(count):
        ranges = [stored[id(band)] for part in deep for band in part]
        return _narrow(deep[0], ranges, round(count[0]), round(sum(count)), window)
    shallow = [band for band in _some(narrow) if stored[id(band)] is None]
    black = [band for band in shallow if band.low < band.high <= DARK_8]
    estimated, of = len(black) * len(narrow) / len(_some(narrow)), len(bands) - sum(count)
    if black and estimated > SHARE_8 * of:
        factor = math.floor(255 / max(1, *(band.high for band in black)))
        return Finding(
            f"{round(estimated)} of {round(of)} images of 8 bits hold 0 to "
            f"{max(band.high for band in black):.0f} of 255, nearly black: save them with their "
            f"values multiplied by {factor}",
            None,
        )
    return None


def _narrow(
    bands: Sequence[Band], ranges: list[tuple[float, float]], count: int, total: int, window: Window
) -> Finding:
    low, high = min(b.low for b in bands), max(b.high for b in bands)
    middle = float(np.median([(b.low + b.high) / 2 for b in bands]))
    if middle < NARROW:
        look = "nearly black"
    elif middle > 255 - NARROW:
        look = "nearly white"
    else:
        look = "nearly grey"
    how = "the range of their type" if window is None else f"dataset.window={list(window)}"
    text = f"are {look}, {low:.3g} to {high:.3g} of 255 when scaled by {how}"
    return _with_window(f"{count} of {total} images of more than 8 bits {text}", ranges)


def _saturated(white: Sequence[Band], total: int, window: tuple[float, float]) -> Finding | None:
    stored = [ends for band in _some(white) if (ends := _stored(band))]
    ranges = [ends for ends in stored if ends[1] > window[1]]
    if not ranges:
        return None  # white as stored
    text = f"{len(white)} of {total} images are mostly white, above dataset.window={list(window)}"
    return _with_window(text, ranges)


def _with_window(text: str, ranges: list[tuple[float, float]]) -> Finding:
    """The finding with the stored ranges, and the window that suits them."""
    ranges = sorted(ranges, key=lambda ends: ends[1] - ends[0])
    (low, high), (first, last) = ranges[0], ranges[-1]
    if last - first > OWN * (high - low):
        hold = f"{low:.5g} to {high:.5g} up to {first:.5g} to {last:.5g}, each a range of its own"
        window, key = "percentile", "dataset.window=percentile"
    else:
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        hold, window = f"{low:.5g} to {high:.5g}", _rounded(low, high)
        key = f"'dataset.window={window}'"
    return Finding(f"{text}; their files hold {hold}; set {key}", window)


def _some(bands: Sequence[Band]) -> Sequence[Band]:
    """About READ of them, evenly."""
    return bands[:: max(1, math.ceil(len(bands) / READ))]


def _stored(band: Band) -> tuple[float, float] | None:
    """The stored values' range, of a whole volume; None for a file of 8 bits.

    Without the outermost of them where these, such as dead pixels, make it more than four times as
    large.
    """
    try:
        pixels = formats.decode(band.path, band.plane)
        if pixels.values.dtype in (np.uint8, bool):
            return None
        values = pixels.value_range or ValueRange(lambda: pixels.values)
        if values.not_finite():
            return None
        (low, high), (first, last) = values.extremes(), values.percentiles()
    except DataError:
        return None
    if high - low <= OWN * (last - first):
        return low, high
    whole = pixels.values.dtype.kind in "iu"
    return (math.floor(first), math.ceil(last)) if whole else (first, last)


def _rounded(low: float, high: float) -> list[float]:
    """A window for values: 0 to 2^k - 1 where they fill half of that, else their own range."""
    whole = low == int(low) and high == int(high)
    if whole and 0 <= low < high / 4 and high >= 3:
        return [0, 2 ** math.ceil(math.log2(high + 1)) - 1]
    step = 10.0 ** (math.floor(math.log10(max(high - low, 1e-12))) - 2)
    ends = [math.floor(low / step) * step, math.ceil(high / step) * step]
    return [int(end) if whole else float(f"{end:.6g}") for end in ends]
