"""Overlap figures from counts of pixels. Definitions: Taha and Hanbury 2015,
doi:10.1186/s12880-015-0068-x.

tp, fp, fn, tn: arrays of one shape, non-negative. Rule for a zero denominator: 1 if nothing was
missed or invented, else 0; so an empty mask that is predicted empty scores 1, and one with a false
alarm scores 0.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def _ratio(above: ArrayLike, below: ArrayLike, errors: ArrayLike) -> NDArray[np.float64]:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    at_zero = np.where(np.asarray(errors) == 0, 1.0, 0.0)
    return np.where(below > 0, above / np.where(below > 0, below, 1), at_zero)


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN); equal to the F1 score."""
    tp, fp, fn = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(2 * tp, 2 * tp + fp + fn, fp + fn)


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TP / (TP + FP + FN); the Jaccard index."""
    tp, fp, fn = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(tp, tp + fp + fn, fp + fn)


def precision(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TP / (TP + FP): the share of predicted pixels that are right."""
    tp, fp, fn = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(tp, tp + fp, fp + fn)


def recall(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TP / (TP + FN): the share of true pixels that were found; sensitivity."""
    tp, fp, fn = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(tp, tp + fn, fp + fn)


def specificity(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """TN / (TN + FP): the share of background that was left alone."""
    fp, fn, tn = np.asarray(fp), np.asarray(fn), np.asarray(tn)
    return _ratio(tn, tn + fp, fp + fn)


def accuracy(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> NDArray[np.float64]:
    """(TP + TN) / all pixels."""
    tp, fp, fn, tn = (np.asarray(x) for x in (tp, fp, fn, tn))
    return _ratio(tp + tn, tp + fp + fn + tn, fp + fn)


METRICS = {
    "dice": dice,
    "iou": iou,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
    "accuracy": accuracy,
}
