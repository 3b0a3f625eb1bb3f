"""Facts that are measured on the arrays of an image and of its mask."""

import hashlib
import math

import cv2
import numpy as np

from seg.data.masks import GREYS, IGNORE, to_indices
from seg.data.near_duplicates.hash import fingerprint
from seg.preparation.audit.facts import VALUES, CaseFacts

BINS = 64  # of the intensity histograms, over 0-255
KEPT_VALUES = 64  # raw values kept of one mask: a label mask has fewer
TINY_PIXELS, TINY_SHARE = 4, 0.001  # a speck: at most so many pixels, below this share of the mask


def measure_image(facts: CaseFacts, image: np.ndarray) -> None:
    """image: (H, W, C) in 0-255."""
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
    facts.low, facts.high = float(image.min()), float(image.max())
    facts.fingerprint = fingerprint(image)


def measure_mask(
    facts: CaseFacts, values: np.ndarray, *, classes: dict | None, ignore_value: int | None
) -> None:
    """values: (H, W), or (H, W, 3) colours, as `read_mask` gives them; `facts.lossy` is known."""
    if facts.lossy:
        grey = values if values.ndim == 2 else values.max(axis=2)
        black, white = np.count_nonzero(grey < GREYS.start), np.count_nonzero(grey >= GREYS.stop)
        facts.greys = (int(black), int(grey.size - black - white), int(white))
    else:
        _count_values(facts, values)
    labels = None
    with facts.noting(VALUES, facts.mask):
        labels = to_indices(
            values, lossy=facts.lossy, classes=classes, ignore_value=ignore_value, path=facts.mask
        )
        counts = np.bincount(labels.ravel(), minlength=256)
        facts.class_pixels = counts[: 1 + len(classes or "1")].tolist()
        facts.void_pixels = int(counts[IGNORE])
        facts.labels_sha256 = hashlib.sha256(labels).hexdigest()
    if labels is not None:
        _measure_shape(facts, labels)
    elif not facts.lossy:
        present = values.any(axis=2) if values.ndim == 3 else values != 0
        if values.ndim == 2 and ignore_value is not None:
            present &= values != ignore_value
        _measure_shape(facts, present.astype(np.uint8))
        facts.specks = facts.pinholes = 0  # a stray pixel is named as such


def _count_values(facts: CaseFacts, values: np.ndarray) -> None:
    if values.ndim == 3:
        red, green, blue = (values[..., c].astype(np.int32) for c in range(3))
        found, counts = np.unique(red << 16 | green << 8 | blue, return_counts=True)
    elif values.dtype == np.uint8:
        counts = np.bincount(values.ravel(), minlength=256)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(values, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:KEPT_VALUES])
    name = "#{:06x}".format if values.ndim == 3 else str
    facts.distinct = len(found)
    facts.values = {name(int(found[i])): int(counts[i]) for i in kept}


def _measure_shape(facts: CaseFacts, labels: np.ndarray) -> None:
    inside = ((labels > 0) & (labels != IGNORE)).astype(np.uint8)
    area = cv2.countNonZero(inside)
    facts.foreground = area / inside.size
    facts.frame = float(
        np.concatenate([inside[0], inside[-1], inside[1:-1, 0], inside[1:-1, -1]]).mean()
    )
    tiny = min(TINY_PIXELS, math.ceil(TINY_SHARE * area) - 1)
    sizes = _part_sizes(inside)
    facts.components = len(sizes)
    present = [k for k, n in enumerate(facts.class_pixels or []) if n and k]
    for k in present if len(present) > 1 else []:
        facts.specks += int((_part_sizes((labels == k).astype(np.uint8)) <= tiny).sum())
    if len(present) <= 1:
        facts.specks = int((sizes <= tiny).sum())
    outside = np.pad((labels == 0).astype(np.uint8), 1, constant_values=1)  # (H + 2, W + 2)
    facts.pinholes = int((_part_sizes(outside) <= tiny).sum())


def _part_sizes(area: np.ndarray) -> np.ndarray:
    """Pixels of each part of a 0/1 array (H, W), connected by edges or corners."""
    return cv2.connectedComponentsWithStats(area, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
