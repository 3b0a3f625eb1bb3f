"""What one pair of files holds, measured on its arrays, and why training would refuse it."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from seg.data.errors import DataError
from seg.data.grey_masks import GREYS
from seg.data.near_duplicates.hash import Fingerprint, fingerprint
from seg.data.pairs import Pair
from seg.data.planes import class_pixels, foreground_of, planes_first
from seg.data.preprocess import MaskPart, Preprocessing, unite
from seg.metrics.planes import area_of

# Kinds of faults and findings, on the contact sheet as well.
UNREADABLE, GEOMETRY, VALUES, UNPAIRED = "unreadable", "size differs", "mask values", "unpaired"

BINS = 64  # of the intensity histograms, over 0-255
KEPT_VALUES = 64  # raw values kept of one mask: a label mask has fewer
TINY_PIXELS, TINY_SHARE = 4, 0.001  # a speck: at most so many pixels, below this share of the mask


class Fault(NamedTuple):
    """Why training would refuse a file. text: the message of the error."""

    kind: str
    file: Path
    text: str
    error: DataError | None = None


@dataclass
class CaseFacts:
    """What one pair of files holds; None where the files cannot be read.

    Args:
        size: (H, W) as stored.
        kind: the image's format and pixels, such as "PNG 8-bit RGB"; mask_kind likewise.
        histogram: (channels, 64) shares of the pixels over 0-255.
        mean: grey level 0-255 over all channels.
        deviation: of the channel that varies most.
        values: stored mask value, or '#rrggbb', -> pixels, the 64 most frequent; empty for lossy
            masks.
        greys: of a lossy mask, the number of black, grey and white pixels.
        labels_sha256: of the class indices.
        class_pixels: pixels of background and of each class; None if a value has no class. Then
            the following fields are measured on all that is not 0.
        foreground: share of the pixels.
        frame: share of the outermost pixels that are foreground.
        components: connected parts of the foreground.
        specks: parts of at most 4 pixels that are less than 0.1 % of the foreground; pinholes are
            such holes.
        faults: why training would refuse the pair; empty if it would not.
    """

    pair: Pair
    size: tuple[int, int] | None = None
    kind: str = ""
    mask_kind: str = ""
    orientation: int = 1
    spacing: tuple[float, ...] | None = None
    image_sha256: str | None = None
    mask_sha256: str | None = None
    histogram: np.ndarray | None = None
    mean: float | None = None
    deviation: float | None = None
    fingerprint: Fingerprint | None = None
    lossy: bool = False
    values: dict[str, int] = field(default_factory=dict)
    greys: tuple[int, int, int] | None = None
    labels_sha256: str | None = None
    class_pixels: list[int] | None = None
    foreground: float | None = None
    frame: float | None = None
    components: int | None = None
    specks: int = 0
    pinholes: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def case(self) -> str:
        return self.pair.case

    @property
    def group(self) -> str:
        return self.pair.group

    @property
    def problems(self) -> list[str]:
        """The message of each fault."""
        return [fault.text for fault in self.faults]

    @property
    def blank(self) -> bool:
        """Whether the image is of one value, or nearly: such images are never duplicates."""
        return self.fingerprint is not None and self.fingerprint.blank

    @property
    def empty(self) -> bool:
        return self.foreground == 0

    def has_fault(self, kind: str) -> bool:
        return any(fault.kind == kind for fault in self.faults)

    @contextmanager
    def noting(self, kind: str, file: Path) -> Iterator[None]:
        """Make a DataError within the block a fault; each message is kept once."""
        try:
            yield
        except DataError as error:
            if str(error) not in self.problems:
                self.faults.append(Fault(kind, file, str(error), error))


def measure_image(facts: CaseFacts, image: np.ndarray) -> None:
    """Fill in what an image (H, W, C) in 0-255 tells."""
    facts.size = image.shape[:2]
    if image.dtype == np.uint8:
        counts = np.stack([np.bincount(c.ravel(), minlength=256) for c in cv2.split(image)])
        counts = counts.reshape(len(counts), BINS, -1).sum(axis=2)
    else:
        bins = np.clip(image * (BINS / 256), 0, BINS - 1).astype(np.uint8)
        counts = np.stack([np.bincount(c.ravel(), minlength=BINS) for c in cv2.split(bins)])
    facts.histogram = (counts / (image.shape[0] * image.shape[1])).astype(np.float32)
    mean, deviation = cv2.meanStdDev(image)  # (C, 1) each
    facts.mean, facts.deviation = float(mean.mean()), float(deviation.max())
    facts.fingerprint = fingerprint(image)


def measure_mask(facts: CaseFacts, parts: Sequence[MaskPart], pre: Preprocessing) -> None:
    """Fill in what the mask files of a case tell; the image's size is known."""
    facts.lossy = any(part.lossy for part in parts)
    if facts.lossy:
        greys = [_count_greys(part.values) for part in parts]
        facts.greys = tuple(map(sum, zip(*greys, strict=True)))
    elif parts:
        facts.values = _count_values([part.values for part in parts])
    size = parts[0].values.shape[:2] if parts else facts.size or (1, 1)
    labels = None
    with facts.noting(VALUES, parts[0].file.path if parts else facts.pair.image):
        labels = unite(parts, pre, size=size)
        facts.class_pixels = class_pixels(labels, len(pre.classes or "1"))
        facts.labels_sha256 = hashlib.sha256(labels).hexdigest()
    if labels is not None:
        _measure_shape(facts, labels)
    elif not facts.lossy:
        present = np.zeros(size, dtype=bool)
        for _, values, _ in parts:
            of_part = values.any(axis=2) if values.ndim == 3 else values != 0
            if values.ndim == 2 and pre.ignore_value is not None:
                of_part &= values != pre.ignore_value
            present |= of_part
        _measure_shape(facts, present.astype(np.uint8))
        facts.specks = facts.pinholes = 0  # a stray pixel is reported as a fault already


def _count_greys(values: np.ndarray) -> tuple[int, int, int]:
    """Black, grey and white pixels of a lossy mask."""
    grey = values if values.ndim == 2 else values.max(axis=2)
    black, white = np.count_nonzero(grey < GREYS.start), np.count_nonzero(grey >= GREYS.stop)
    return int(black), int(grey.size - black - white), int(white)


def _count_values(arrays: Sequence[np.ndarray]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for values in arrays:
        totals.update(_values_of_one(values))
    return dict(totals)


def _values_of_one(values: np.ndarray) -> dict[str, int]:
    if values.ndim == 3:
        red, green, blue = (values[..., c].astype(np.int32) for c in range(3))
        present, counts = np.unique(red << 16 | green << 8 | blue, return_counts=True)
    elif values.dtype == np.uint8:
        counts = np.bincount(values.ravel(), minlength=256)
        present = np.flatnonzero(counts)
        counts = counts[present]
    else:
        present, counts = np.unique(values, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:KEPT_VALUES])
    name = "#{:06x}".format if values.ndim == 3 else str
    return {name(int(present[i])): int(counts[i]) for i in kept}


def _measure_shape(facts: CaseFacts, labels: np.ndarray) -> None:
    inside = foreground_of(labels).astype(np.uint8)
    area = cv2.countNonZero(inside)
    facts.foreground = area / inside.size
    outermost = [inside[0], inside[-1], inside[1:-1, 0], inside[1:-1, -1]]
    facts.frame = float(np.concatenate(outermost).mean())
    tiny = min(TINY_PIXELS, math.ceil(TINY_SHARE * area) - 1)
    sizes = _part_sizes(inside)
    facts.components = len(sizes)
    present = [k for k, n in enumerate(facts.class_pixels or []) if n and k]
    if len(present) <= 1:
        facts.specks = int((sizes <= tiny).sum())
    else:
        mask = planes_first(labels)
        parts = (_part_sizes(area_of(mask, k).astype(np.uint8)) for k in present)
        facts.specks = sum(int((sizes <= tiny).sum()) for sizes in parts)
    background = (labels == 0) if labels.ndim == 2 else (labels == 0).all(2)
    outside = np.pad(background.astype(np.uint8), 1, constant_values=1)  # (H + 2, W + 2)
    facts.pinholes = int((_part_sizes(outside) <= tiny).sum())


def _part_sizes(area: np.ndarray) -> np.ndarray:
    """Pixels of each part of a 0/1 array (H, W), connected by edges or corners."""
    return cv2.connectedComponentsWithStats(area, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
