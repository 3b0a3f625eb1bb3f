"""A mask as class indices (H, W), or as a plane for each class (H, W, K) where classes may share
pixels (`dataset.overlap`); 255 is ignored.
"""

import numpy as np

from seg.data.masks import BACKGROUND, IGNORE


def foreground_of(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: the pixels of any class."""
    labelled = (mask != BACKGROUND) & (mask != IGNORE)
    return labelled if mask.ndim == 2 else labelled.any(axis=2)


def class_pixels(mask: np.ndarray, classes: int) -> list[int]:
    """The pixels of the background, which have no class, and of each class."""
    if mask.ndim == 2:
        return np.bincount(mask.ravel(), minlength=256)[: 1 + classes].tolist()
    background = int(np.count_nonzero((mask == BACKGROUND).all(axis=2)))
    return [background, *np.count_nonzero(mask == 1, axis=(0, 1)).tolist()]


def planes_first(mask: np.ndarray) -> np.ndarray:
    """(H, W) as it is, (H, W, K) as (K, H, W), like probabilities."""
    return mask if mask.ndim == 2 else np.ascontiguousarray(np.moveaxis(mask, 2, 0))
