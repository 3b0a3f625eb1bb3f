"""How wide the structures of masks are."""

from collections.abc import Iterable

import cv2
import numpy as np

from seg.data.masks import IGNORE
from seg.metrics.planes import areas


def structure_width(masks: Iterable[np.ndarray]) -> float | None:
    """Median width in pixels of the thinnest class in masks, indices or planes; None if all empty.

    The width of a mask is twice its area over the length of its outlines: exact for long stripes,
    half the diameter for discs.
    """
    widths: dict[int, list[float]] = {}
    for mask in masks:
        classes = {k: area for k, area in areas(mask).items() if k != IGNORE}
        for index, inside in classes.items():
            area = inside.astype(np.uint8)
            contours, _ = cv2.findContours(area, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            length = sum(cv2.arcLength(contour, closed=True) for contour in contours)
            widths.setdefault(index, []).append(2 * np.count_nonzero(area) / max(length, 1.0))
    return min((float(np.median(w)) for w in widths.values()), default=None)
