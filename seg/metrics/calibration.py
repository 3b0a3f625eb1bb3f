"""Calibration of probabilities (ECE and Brier score), and what a failed prediction scores.

A prediction with NaN or infinity anywhere is a failed case. It is never left out and never
repaired: it scores as `worst`, the opposite of the truth at every pixel.
"""

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6  # interpolation may leave 0-1 by this much


def failed(probs: NDArray) -> bool:
    """Whether a prediction of any shape holds NaN or infinity."""
    return not np.isfinite(probs).all()


def worst(reference: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W) probabilities with the worst figure of every pixel and lesion metric.

    1 on the background and 0 on the foreground of `reference`: Dice, IoU, precision, recall,
    specificity, accuracy and lesion F1 are 0, Brier 1, whatever the threshold. Distances are the
    exception, since the outline is nearly the same: use `surface.missed`.
    """
    return (~reference).astype(np.float32)


def check_probabilities(probs: NDArray) -> None:
    """Raise ValueError for values that are not finite or not in 0-1, such as logits."""
    if not probs.size:
        return
    low, high = probs.min(), probs.max()
    if np.isnan(low) or np.isinf(low) or np.isinf(high):
        raise ValueError("probabilities hold NaN or infinity: a failed case is scored as `worst`")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(
            f"probabilities lie in 0-1, these in {low:.4g} to {high:.4g}: apply the sigmoid first"
        )


def bins(
    probs: NDArray, reference: NDArray[np.bool_], *, valid: NDArray | None = None, count: int = 15
) -> NDArray[np.float64]:
    """A reliability histogram of one class, to be added up over cases before `ece`.

    Args:
        probs: (H, W) probability of the foreground, 0-1.
        reference: (H, W).
        valid: (H, W) bool, the pixels that count; all without it.
        count: number of bins; bin m is (m / count, (m + 1) / count], the first includes 0.

    Returns:
        (3, count): pixels, sum of their probabilities, positive pixels.
    """
    if count < 1:
        raise ValueError(f"count {count} must be 1 or more")
    p, true = _pixels(probs, reference, valid)
    index = np.clip(np.ceil(p * count).astype(np.int64) - 1, 0, count - 1)
    return np.stack(
        [
            np.bincount(index, minlength=count),
            np.bincount(index, p, minlength=count),
            np.bincount(index[true], minlength=count),
        ]
    )


def ece(counts: NDArray) -> float:
    """Expected calibration error of one class. Guo et al. 2017, arXiv:1706.04599.

    Different from the paper, the confidence is the probability of the foreground and the accuracy
    its share of the pixels, so that both decisions count. NaN without a pixel.

    Args:
        counts: `bins`, (3, count), or (cases, 3, count), which are added up.
    """
    pixels, confidence, positives = np.asarray(counts).reshape(-1, *counts.shape[-2:]).sum(0)
    total = pixels.sum()
    return float(np.abs(confidence - positives).sum() / total) if total else float("nan")


def brier(probs: NDArray, reference: NDArray[np.bool_], *, valid: NDArray | None = None) -> float:
    """Mean squared difference of probability and truth, Brier 1950; arguments as in `bins`.

    NaN without a pixel.
    """
    p, true = _pixels(probs, reference, valid)
    return float(np.mean((p - true) ** 2)) if p.size else float("nan")


def _pixels(
    probs: NDArray, reference: NDArray, valid: NDArray | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if probs.shape != reference.shape:
        raise ValueError(f"shapes differ: probabilities {probs.shape}, mask {reference.shape}")
    check_probabilities(probs)
    keep = np.ones(reference.shape, dtype=bool) if valid is None else valid
    return probs[keep].astype(np.float64), reference[keep].astype(bool)
