"""Overlap figures from counts of pixels. Taha and Hanbury 2015, doi:10.1186/s12880-015-0068-x.

tp, fp, fn, tn: numbers or arrays of one shape, from 0. A zero denominator scores 1 if fp and fn are
0, else 0: an empty mask that is predicted empty scores 1, and one with a false alarm 0.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seg.metrics.planes import area_of, valid_of


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN); equal to the F1 score."""
    return _ratio(np.multiply(2, tp), np.multiply(2, tp) + fp + fn, fp, fn)


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TP / (TP + FP + FN); the Jaccard index."""
    return _ratio(tp, np.add(tp, fp) + fn, fp, fn)


def precision(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TP / (TP + FP): the share of predicted pixels that are true."""
    return _ratio(tp, np.add(tp, fp), fp, fn)


def recall(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TP / (TP + FN): the share of true pixels that are predicted; sensitivity."""
    return _ratio(tp, np.add(tp, fn), fp, fn)


def specificity(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TN / (TN + FP): the share of the background that is predicted as background."""
    return _ratio(tn, np.add(tn, fp), fp, fn)


def accuracy(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """(TP + TN) / all pixels."""
    return _ratio(np.add(tp, tn), np.add(tp, fp) + fn + tn, fp, fn)


METRICS = {
    "dice": dice,
    "iou": iou,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
    "accuracy": accuracy,
}


def class_dice(reference: NDArray, mask: NDArray, index: int) -> float:
    """Dice of one class of two masks, both indices (H, W) or planes (K, H, W); 255 is ignored."""
    valid = valid_of(reference, index)
    true, called = area_of(reference, index) & valid, area_of(mask, index) & valid
    tp = np.count_nonzero(true & called)
    return float(dice(tp, np.count_nonzero(called) - tp, np.count_nonzero(true) - tp, 0))


def existing(pixels: ArrayLike) -> NDArray[np.bool_]:
    """Which classes have figures, (C,): those that any reference mask has; all if none is there.

    A class without a reference pixel has nothing that could be found: a figure of it would be 1, or
    0 for a single false alarm, and move the mean of the classes. Where all reference masks are
    empty, the figures tell whether they stayed empty.

    Args:
        pixels: (C,) of each class in all reference masks together.
    """
    found = np.asarray(pixels) > 0
    return found if found.any() else np.ones_like(found)


def existing_in(counts: NDArray) -> NDArray[np.bool_]:
    """`existing` of a table of cases. counts: (M, C, 4)."""
    return existing(counts[..., [0, 2]].sum((0, 2)))


def _ratio(above: ArrayLike, below: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    at_zero = np.where(np.add(fp, fn) == 0, 1.0, 0.0)
    return np.where(below > 0, above / np.where(below > 0, below, 1), at_zero)
