"""The cases that a protocol scores: checked, at its resolution, and kept in natural order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.metrics.calibration import check_probabilities, failed, worst
from seg.metrics.cases import IGNORE

T = TypeVar("T")
Key = tuple[str, str]  # group, case
Resolution = str | Sequence[int]


@dataclass(frozen=True)
class Foreground:
    """One class of a case, each (H, W): probs float64 0-1, reference and valid boolean."""

    probs: NDArray
    reference: NDArray
    valid: NDArray
    failed: bool

    def counts(self, threshold: float) -> tuple[int, int, int, int]:
        """tp, fp, fn, tn over the valid pixels; above `threshold` is foreground."""
        called, true = (self.probs > threshold)[self.valid], self.reference[self.valid]
        tp, fp, fn = (called & true).sum(), (called & ~true).sum(), (~called & true).sum()
        return int(tp), int(fp), int(fn), int(true.size - tp - fp - fn)


def foreground(
    probs: NDArray, reference: NDArray, *, at: Resolution, size: tuple[int, int]
) -> Foreground:
    """The one class of a binary case, resized. Raises ValueError for more classes."""
    values = np.unique(reference[reference != IGNORE])
    if reference.ndim == 3 or len(probs) > 2 or (values > 1).any():
        classes = max(len(probs) - 1, int(values.max(initial=0)))
        classes = len(reference) if reference.ndim == 3 else classes
        raise ValueError(f"this protocol is of one class, not of {classes}: use protocol=seg")
    probs, reference, is_failed = resized(probs, reference, at=at, size=size)
    true = reference == 1
    p = worst(true) if is_failed else probs[-1]  # the last of two channels is the foreground
    return Foreground(p.astype(np.float64), true, reference != IGNORE, is_failed)


def resized(
    probs: NDArray, reference: NDArray, *, at: Resolution, size: tuple[int, int]
) -> tuple[NDArray, NDArray, bool]:
    """Probabilities (bilinear) and mask (nearest) at a resolution, and whether the case failed.

    Args:
        probs: (C, H, W) in 0-1.
        reference: (H, W) class indices, or (C, H, W) planes; 255 is ignored.
        at: `native` (as they come), `training` (the network's `size`) or [height, width].
        size: height and width of the network's input.

    Raises:
        ValueError: shapes that differ, logits, another `at`.
    """
    if probs.ndim != 3 or probs.shape[1:] != reference.shape[-2:]:
        raise ValueError(f"probs {probs.shape} must be (C, H, W) over a mask {reference.shape}")
    is_failed = failed(probs)
    if not is_failed:
        check_probabilities(probs)
    if at not in ("native", "training") and (isinstance(at, str) or len(at) != 2):
        raise ValueError(f"at {at!r} must be native, training or [height, width]")
    own = reference.shape[-2:]
    height, width = own if at == "native" else size if at == "training" else at
    if own == (height, width):
        return probs, reference, is_failed
    # Bilinear to fewer pixels too: a map that was enlarged to the mask's size comes back unchanged.
    planes = [
        cv2.resize(plane.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        for plane in probs
    ]
    masks = [
        cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        for mask in reference.reshape(-1, *own)
    ]
    mask = np.stack(masks).reshape(*reference.shape[:-2], height, width)
    return np.stack(planes), mask, is_failed


def key(case: str, group: str | None) -> Key:
    """Under which a protocol keeps a case; cases of two groups may have one name."""
    return ("" if group is None else str(group), str(case))


def in_order(cases: Mapping[Key, T]) -> list[tuple[Key, T]]:
    """The cases in natural order (`2` before `10`), in whatever order they were scored.

    Raises:
        ValueError: no case.
    """
    if not cases:
        raise ValueError("no case was scored")
    return sorted(cases.items(), key=lambda item: [_natural_key(part) for part in item[0]])


def means(cases: Mapping[Key, dict[str, float]]) -> dict[str, float]:
    """The mean of every figure over the cases."""
    rows = [figures for _, figures in in_order(cases)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    """The order of data/pairs.py, which this package must not import."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
