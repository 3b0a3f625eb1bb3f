"""Figures at every threshold, from two histograms of the probabilities of each case.

Level k of L holds the probabilities in (k / L, (k + 1) / L], level 0 also 0 itself. So the levels
from k on are exactly the pixels with `prob > k / L`; `prob > 0.5` is level L / 2. L is a power of
two, which makes the scaling exact. Threshold 0 ends the curve: there every pixel is foreground.
"""

import numpy as np
from numpy.typing import NDArray

from seg.metrics.calibration import check_probabilities
from seg.metrics.overlap import dice, precision, recall


def level_counts(
    probs: NDArray, reference: NDArray[np.bool_], *, valid: NDArray | None = None, levels: int = 256
) -> NDArray[np.int64]:
    """Histograms of the probabilities of the background's and the foreground's pixels.

    Args:
        probs: (H, W) probability of the foreground, 0-1.
        reference: (H, W).
        valid: (H, W) bool, the pixels that count; all without it.
        levels: a power of two.

    Returns:
        (2, levels) pixels by level: background, foreground.

    Raises:
        ValueError: NaN, logits, shapes that differ.
    """
    if levels < 2 or levels & (levels - 1):
        raise ValueError(f"levels {levels} must be a power of two")
    if probs.shape != reference.shape:
        raise ValueError(f"shapes differ: probabilities {probs.shape}, mask {reference.shape}")
    check_probabilities(probs)
    index = np.clip(np.ceil(probs * levels).astype(np.int64) - 1, 0, levels - 1)
    index += levels * reference.astype(bool)
    index = index.ravel() if valid is None else index[valid]
    return np.bincount(index, minlength=2 * levels).reshape(2, levels)


def thresholds(levels: int = 256) -> NDArray[np.float64]:
    """(levels,): 0, 1 / levels, ..., 1 - 1 / levels."""
    return np.arange(levels) / levels


def counts_at(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """(..., 2, L) level counts to (..., L, 4): tp, fp, fn, tn at each threshold."""
    called = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]  # this level and above
    fp, tp = called[..., 0, :], called[..., 1, :]
    negatives, positives = counts[..., 0, :].sum(-1), counts[..., 1, :].sum(-1)
    fn, tn = positives[..., None] - tp, negatives[..., None] - fp
    return np.stack([tp, fp, fn, tn], axis=-1)


def curves(counts: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
    """Figures by threshold, each (L,), of the level counts (M, 2, L) of M cases.

    `threshold`; `precision`, `recall`, `dice`: mean over the cases; `precision_pooled`, ...: all
    pixels together. Zero denominators as in overlap.py: precision is 0 where nothing is predicted
    and the reference has foreground.
    """
    cases = np.moveaxis(counts_at(counts), -1, 0)  # (4, M, L)
    pooled = cases.sum(1)
    figures = {"threshold": thresholds(counts.shape[-1])}
    for name, metric in (("precision", precision), ("recall", recall), ("dice", dice)):
        figures[name] = metric(*cases).mean(0)
        figures[f"{name}_pooled"] = metric(*pooled)
    return figures


def average_precision(counts: NDArray[np.integer]) -> float:
    """Area under the steps of the pooled precision-recall curve, with the levels as scores.

    The definition is scikit-learn's. NaN without a foreground pixel.

    Args:
        counts: level counts (2, L), or (M, 2, L), which are added up.
    """
    pooled = counts.reshape(-1, 2, counts.shape[-1]).sum(0)
    if not pooled[1].any():
        return float("nan")
    tp, fp, _, _ = counts_at(pooled).T
    share = pooled[1] / pooled[1].sum()  # the recall gained at each level
    return float(np.sum(share * tp / np.maximum(tp + fp, 1)))


def best_threshold(counts: NDArray[np.integer]) -> tuple[float, float]:
    """The threshold with the highest mean Dice over cases (M, 2, L), and that Dice.

    Among equal ones the nearest to 0.5, then the lower. Only for validation cases: a threshold
    chosen on the test cases makes their figures too good.
    """
    scores = curves(counts)["dice"][1:]  # without 0, where every pixel is foreground
    at = thresholds(counts.shape[-1])[1:]
    equal = np.flatnonzero(scores >= scores.max() - 1e-12)
    best = equal[np.argmin(np.abs(at[equal] - 0.5))]
    return float(at[best]), float(scores[best])
