"""How many lesions were found: components of the masks, matched one to one.

Components touch by sides or corners (8-connected). A component of the prediction finds one of the
reference if their IoU reaches `overlap`; pairs are made greedily by falling IoU, each component in
one pair at most. Localisation by mask IoU and one-to-one assignment as in Metrics Reloaded
(Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z); the default of 0.1 is ours: found or
not is asked here, and Dice asks how well. Two lesions under one prediction are one hit and one
miss, one lesion in two pieces is one hit and one false alarm.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from seg.metrics.overlap import dice


def lesions(
    reference: NDArray[np.bool_], prediction: NDArray[np.bool_], *, overlap: float = 0.1
) -> tuple[int, int, int]:
    """tp, fp, fn in components of two (H, W) masks.

    overlap: the least IoU of a match, above 0 to 1. From 0.5 on no component has two candidates;
    below, pairs of equal IoU are taken in the order of the rows in which the components begin.
    """
    if reference.shape != prediction.shape:
        raise ValueError(f"masks differ in shape: {reference.shape}, {prediction.shape}")
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap {overlap} must be above 0 and at most 1")
    truth, true_areas = _components(reference)
    found, found_areas = _components(prediction)
    both = (truth > 0) & (found > 0)
    codes, shared = np.unique(
        truth[both].astype(np.int64) * len(found_areas) + found[both], return_counts=True
    )
    of, by = np.divmod(codes, len(found_areas))
    iou = shared / (true_areas[of] + found_areas[by] - shared)
    taken_true, taken_found, tp = set(), set(), 0
    for pair in np.lexsort((by, of, -iou)):
        if iou[pair] < overlap:
            break
        if of[pair] not in taken_true and by[pair] not in taken_found:
            taken_true.add(of[pair])
            taken_found.add(by[pair])
            tp += 1
    return tp, len(found_areas) - 1 - tp, len(true_areas) - 1 - tp


def f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) of lesions; no lesion and none called scores 1, as in overlap.py."""
    return dice(tp, fp, fn, 0)


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Labels (H, W) from 1 on, and the area of each label, of the background first."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return labels, np.bincount(labels.ravel(), minlength=count)
