"""From probabilities to class indices, and how sure the network was of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg.inference.postprocess import Postprocess, apply, decide
from seg.inference.strips import Rows

BLOCK = 1 << 20  # pixels that are measured at a time


class NonFiniteError(ValueError):
    """The network gave probabilities that are none."""


@dataclass(frozen=True)
class Segmentation:
    """mask: (H, W) class indices. confidence: mean over pixels of the probability of the likeliest
    class. entropy: mean over pixels of the entropy of the classes, as a share of the largest one: 0
    is sure everywhere, 1 is knowing nothing. Both are of the probabilities, whatever threshold and
    clean-up made of them. probs: (K, H, W), or None where they were not to be kept.
    """

    mask: NDArray[np.uint8]
    confidence: float
    entropy: float
    probs: NDArray[np.float32] | None = None


def segmentation(
    rows: Rows,
    size: tuple[int, int],
    *,
    threshold: float,
    steps: Postprocess,
    classes: list[str],
    keep: bool = False,
) -> Segmentation:
    """Rows are decided as they come, so that memory holds few of their probabilities.

    size: (H, W) of the image. Raises NoNumbers where a probability is not finite.
    """
    mask = np.empty(size, dtype=np.uint8)
    kept: NDArray[np.float32] | None = None
    sure = unsure = 0.0
    for y, probs in rows:  # (K, h, W)
        end = y + probs.shape[1]
        if keep:
            kept = np.empty((len(probs), *size), np.float32) if kept is None else kept
            kept[:, y:end] = probs
        step = max(1, BLOCK // size[1])
        for top in range(0, probs.shape[1], step):
            part = probs[:, top : top + step]
            a, b = _sureness(part)
            sure, unsure = sure + a, unsure + b
            mask[y + top : y + top + part.shape[1]] = decide(part, threshold)
    if not np.isfinite(sure + unsure):
        raise NonFiniteError("the network gives no numbers for it (NaN or infinite)")
    pixels = size[0] * size[1]
    return Segmentation(apply(mask, steps, classes), sure / pixels, unsure / pixels, kept)


def _sureness(probs: NDArray[np.float32]) -> tuple[float, float]:
    """Sums over pixels of the largest probability and of the relative entropy; NaN stays NaN."""
    if len(probs) == 1:
        p = probs[0]
        largest = np.maximum(p, 1 - p)
        entropy = _plogp(p) + _plogp(1 - p)
    else:
        largest = probs.max(0)
        entropy = sum(_plogp(p) for p in probs)
    most = np.log(max(2, len(probs)))
    return float(largest.sum(dtype=np.float64)), float(entropy.sum(dtype=np.float64) / most)


def _plogp(p: NDArray[np.float32]) -> NDArray[np.float32]:
    return -p * np.log(np.maximum(p, np.float32(1e-12)))
