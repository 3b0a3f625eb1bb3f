"""A case as a protocol wants it: checked, at the resolution that is asked for, of one class."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.metrics.calibration import check_probabilities, failed, worst
from seg.metrics.cases import IGNORE

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
    """The one class of a binary set, at the resolution asked for. ValueError for several."""
    values = np.unique(reference[reference != IGNORE])
    if len(probs) > 2 or (values > 1).any():
        classes = max(len(probs) - 1, int(values.max(initial=0)))
        raise ValueError(f"this protocol is of one class, not of {classes}: use protocol=seg")
    probs, reference, lost = brought(probs, reference, at=at, size=size)
    true = reference == 1
    p = worst(true) if lost else probs[-1]  # the last of two channels is the foreground
    return Foreground(p.astype(np.float64), true, reference != IGNORE, lost)


def brought(
    probs: NDArray, reference: NDArray, *, at: Resolution, size: tuple[int, int]
) -> tuple[NDArray, NDArray, bool]:
    """Both, checked and at the resolution `at`, and whether the prediction failed."""
    if probs.ndim != 3 or probs.shape[1:] != reference.shape:
        raise ValueError(f"probs {probs.shape} must be (C, H, W) over a mask {reference.shape}")
    lost = failed(probs)
    if not lost:
        check_probabilities(probs)
    if at not in ("native", "training") and (isinstance(at, str) or len(at) != 2):
        raise ValueError(f"at {at!r} must be native, training or [height, width]")
    if at == "native":
        height, width = reference.shape
    else:
        height, width = size if at == "training" else at
    if reference.shape == (height, width):
        return probs, reference, lost
    # Not by area: a map that was enlarged to the mask's size comes back nearly as it was.
    planes = [
        cv2.resize(plane.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        for plane in probs
    ]
    mask = cv2.resize(
        reference.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return np.stack(planes), mask, lost
