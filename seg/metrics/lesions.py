"""Detection of lesions: connected components of the masks, matched one to one.

Pixels are connected by sides and corners (8 neighbours). A predicted component matches one of the
reference if their IoU is at least `overlap`; pairs are made greedily from the highest IoU down,
each component in at most one. Localisation by mask IoU and one-to-one matching as in Metrics
Reloaded (Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z); the default IoU of 0.1 is ours:
this figure is about detection, Dice about delineation. Two lesions under one prediction are one hit
and one miss, one lesion in two pieces is one hit and one false alarm.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from seg.metrics.overlap import dice


def lesions(
    reference: NDArray[np.bool_], prediction: NDArray[np.bool_], *, overlap: float = 0.1
) -> tuple[int, int, int]:
    """tp, fp, fn in components.

    Args:
        reference: (H, W).
        prediction: (H, W).
        overlap: lowest IoU of a match, above 0 to 1. From 0.5 on no component has two candidates;
            below, pairs of equal IoU are taken in the order of the rows where components begin.
    """
    if reference.shape != prediction.shape:
        raise ValueError(f"masks differ in shape: {reference.shape}, {prediction.shape}")
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap {overlap} must be above 0 and at most 1")
    true_labels, true_areas = _components(reference)
    labels, areas = _components(prediction)
    both = (true_labels > 0) & (labels > 0)
    codes, shared = np.unique(
        true_labels[both].astype(np.int64) * len(areas) + labels[both], return_counts=True
    )
    true, called = np.divmod(codes, len(areas))  # the labels of each pair that shares pixels
    iou = shared / (true_areas[true] + areas[called] - shared)
    matched_true, matched, tp = set(), set(), 0
    for pair in np.lexsort((called, true, -iou)):
        if iou[pair] < overlap:
            break
        if true[pair] not in matched_true and called[pair] not in matched:
            matched_true.add(true[pair])
            matched.add(called[pair])
            tp += 1
    return tp, len(areas) - 1 - tp, len(true_areas) - 1 - tp


def f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) in lesions; no lesion and none predicted scores 1, as for Dice."""
    return dice(tp, fp, fn, 0)


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Labels (H, W), 0 is background, and the area of each label, background first."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return labels, np.bincount(labels.ravel(), minlength=count)
