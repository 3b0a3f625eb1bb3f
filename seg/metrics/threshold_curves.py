"""What depends on all thresholds: two histograms of a case's probabilities, and curves from them.

Level k of L holds the probabilities in (k / L, (k + 1) / L], level 0 also 0 itself. So the levels
from k on are exactly the pixels with `prob > k / L`; `prob > 0.5` is level L / 2. L is a power of
two, which makes the scaling exact. Threshold 0 is the curve's end: it calls every pixel.
"""

import numpy as np
from numpy.typing import NDArray

from seg.metrics.calibration import check_probabilities
from seg.metrics.overlap import dice, precision, recall


def level_counts(
    probs: NDArray, reference: NDArray[np.bool_], *, valid: NDArray | None = None, levels: int = 256
) -> NDArray[np.int64]:
    """(2, levels): pixels of the background and of the foreground by level of the probability.

    probs: 0-1, reference and valid: boolean, all (H, W). Raises ValueError for NaN and for logits.
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
    called = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]  # pixels of this level and above
    fp, tp = called[..., 0, :], called[..., 1, :]
    negatives, positives = counts[..., 0, :].sum(-1), counts[..., 1, :].sum(-1)
    fn, tn = positives[..., None] - tp, negatives[..., None] - fp
    return np.stack([tp, fp, fn, tn], axis=-1)


def curves(counts: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
    """Figures by threshold, each (L,), of the level counts (M, 2, L) of M cases.

    `threshold`; `precision`, `recall`, `dice`: mean over the cases; `precision_pooled`, ...: all
    pixels together. Zero denominators as in overlap.py: precision is 0 where nothing is called and
    something was there.
    """
    cases = np.moveaxis(counts_at(counts), -1, 0)  # (4, M, L)
    pooled = cases.sum(1)
    figures = {"threshold": thresholds(counts.shape[-1])}
    for name, metric in (("precision", precision), ("recall", recall), ("dice", dice)):
        figures[name] = metric(*cases).mean(0)
        figures[f"{name}_pooled"] = metric(*pooled)
    return figures


def average_precision(counts: NDArray[np.integer]) -> float:
    """Area under the steps of the pooled precision-recall curve; scikit-learn's on quantised
    scores.

    counts: (2, L), or (M, 2, L), which are pooled. NaN without a foreground pixel.
    """
    pooled = counts.reshape(-1, 2, counts.shape[-1]).sum(0)
    if not pooled[1].any():
        return float("nan")
    tp, fp, _, _ = counts_at(pooled).T
    share = pooled[1] / pooled[1].sum()  # the recall gained at each level
    return float(np.sum(share * tp / np.maximum(tp + fp, 1)))


def best_threshold(counts: NDArray[np.integer]) -> tuple[float, float]:
    """The threshold with the largest mean Dice over cases (M, 2, L), and that Dice.

    Of equals the one nearest 0.5, then the lower. For validation: a threshold chosen on the test
    cases flatters them.
    """
    scores = curves(counts)["dice"][1:]  # not 0, which would call every pixel
    at = thresholds(counts.shape[-1])[1:]
    equal = np.flatnonzero(scores >= scores.max() - 1e-12)
    best = equal[np.argmin(np.abs(at[equal] - 0.5))]
    return float(at[best]), float(scores[best])
