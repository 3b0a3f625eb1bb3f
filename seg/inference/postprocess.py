"""What is made of probabilities: class indices, and what is mended in them."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# {"largest_component": names of classes, "fill_holes": names of classes}: plain, so that a
# checkpoint can carry it.
Postprocess = Mapping[str, Sequence[str]]
NOTHING: dict[str, list[str]] = {"largest_component": [], "fill_holes": []}


def decide(probs: NDArray, threshold: float) -> NDArray[np.uint8]:
    """(K, H, W) probabilities to (H, W) class indices: above `threshold`, or the likeliest of
    several.
    """
    if len(probs) == 1:
        return (probs[0] > threshold).astype(np.uint8)
    return probs.argmax(0).astype(np.uint8)


def largest_component(mask: NDArray[np.uint8], index: int = 1) -> NDArray[np.uint8]:
    """(H, W) class indices in which of class `index` only the largest part is left (8 neighbours).

    Of parts of one size the uppermost stays.
    """
    count, parts, stats, _ = cv2.connectedComponentsWithStats(
        (mask == index).astype(np.uint8), connectivity=8
    )
    if count <= 2:
        return mask
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.where((parts > 0) & (parts != largest), 0, mask).astype(np.uint8)


def fill_holes(mask: NDArray[np.uint8], index: int = 1) -> NDArray[np.uint8]:
    """(H, W) class indices in which background that class `index` encloses is of this class.

    Other classes inside it stay as they are. Background is connected by 4 neighbours, since the
    class is by 8.
    """
    count, parts = cv2.connectedComponents((mask != index).astype(np.uint8), connectivity=4)
    outside = np.zeros(count, dtype=bool)
    outside[0] = True  # the class itself
    for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        outside[edge] = True
    return np.where(~outside[parts] & (mask == 0), index, mask).astype(np.uint8)


def apply(mask: NDArray[np.uint8], steps: Postprocess, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Class by class, first the largest part and then its holes. classes: index 1 first."""
    for index, name in enumerate(classes, start=1):
        if name in steps["largest_component"]:
            mask = largest_component(mask, index)
        if name in steps["fill_holes"]:
            mask = fill_holes(mask, index)
    return mask
