"""The classes of a mask as areas, whatever its form: class indices (H, W), or a plane for each
class (K, H, W) where classes may share pixels. 255 is ignored.
"""

import numpy as np
from numpy.typing import NDArray

IGNORE = 255


def area_of(mask: NDArray, index: int) -> NDArray[np.bool_]:
    """(H, W): the pixels of class `index`, from 1."""
    return mask == index if mask.ndim == 2 else mask[index - 1] == 1


def valid_of(mask: NDArray, index: int) -> NDArray[np.bool_]:
    """(H, W): the pixels that count for class `index`."""
    return (mask if mask.ndim == 2 else mask[index - 1]) != IGNORE


def areas(mask: NDArray) -> dict[int, NDArray[np.bool_]]:
    """The area of each class that is there, and at last that of ignored pixels, as class 255."""
    if mask.ndim == 2:
        return {k: mask == k for k in np.unique(mask).tolist() if k}
    every = {k: area_of(mask, k) for k in range(1, len(mask) + 1)}
    every[IGNORE] = (mask == IGNORE).any(0)
    return {k: area for k, area in every.items() if area.any()}


def as_planes(mask: NDArray, classes: int) -> NDArray[np.uint8]:
    """(classes, H, W): 1 where a pixel is of the class, 255 where it is ignored."""
    planes = [np.where(valid_of(mask, k), area_of(mask, k), IGNORE) for k in range(1, classes + 1)]
    return np.stack(planes).astype(np.uint8)
