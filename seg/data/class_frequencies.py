"""How frequent each class is in masks, for weights of classes."""

from collections.abc import Iterable

import numpy as np

from seg.data.masks import IGNORE
from seg.data.planes import class_pixels


def class_frequencies(
    masks: Iterable[np.ndarray], classes: int, *, overlap: bool = False
) -> list[float]:
    """Share of the pixels of each class in the masks that have it, 0-1; 0 where none has.

    Args:
        masks: (H, W) class indices, or (H, W, K) planes with `overlap`; 255 does not count.
        classes: without the background.
    Returns:
        The background's share first; with `overlap` those of the classes alone.
    """
    pixels = totals = np.zeros(classes if overlap else 1 + classes)
    for mask in masks:
        counts = np.array(class_pixels(mask, classes))[int(overlap) :]
        sizes = np.count_nonzero(mask != IGNORE, axis=(0, 1))  # of each plane
        pixels, totals = pixels + counts, totals + sizes * (counts > 0)
    return (pixels / np.maximum(totals, 1)).tolist()
