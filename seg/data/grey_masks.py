"""Masks of one class in greys: JPEGs, soft outlines, probabilities."""

from pathlib import Path

import cv2
import numpy as np

from seg.data.errors import DataError

# A lossy binary mask has greys only along its outlines. Measured between 32 and 223: at most 0.66 %
# of the pixels in 405 Kvasir-SEG masks, 7.6 % where retinal vessels were shrunk to 256x256, from
# 67 % in photographs; and no 5x5 patch of even grey in any of these masks, nor at JPEG quality
# 10 or enlarged 4 times, but at least 14 of them in 100 blood cell masks of three levels. A disc
# of a third grey is detected from 9 pixels across at quality 75, and from 15 at quality 10.
GREYS = slice(32, 224)
_MAX_GREY_SHARE = 0.15
_PATCH, _PATCH_RANGE = 5, 48

PNG = "save the masks as PNG"


def from_threshold(
    values: np.ndarray, threshold: float, *, ignore_value: int | None, path: Path
) -> np.ndarray:
    """A binary mask of greys or probabilities (H, W) as 0 and its one class, which `to_indices`
    takes without `classes`.

    Args:
        values: as stored; a mask of the whole numbers 0 and 1 alone stays as it is.
        threshold: in stored units; the class from this value on.
        ignore_value: of ignored pixels, which it stays.

    Raises:
        DataError: a mask in colour, or of probabilities below the threshold.
    """
    if values.ndim == 3:
        raise DataError(path, "mask in colour", "dataset.mask_threshold is for greys: take it out")
    highest = values.max(initial=0)
    if values.dtype.kind == "f" and threshold > 1 >= highest > 0:
        reason = f"values up to {highest:.3g}, below dataset.mask_threshold={threshold:g}"
        raise DataError(path, reason, "dataset.mask_threshold=0.5 for probabilities")
    inside = values >= (1 if values.dtype.kind != "f" and highest == 1 else threshold)
    labels = np.where(inside, 255 if ignore_value == 1 else 1, 0)
    if ignore_value is not None:
        labels[values == ignore_value] = ignore_value
    return labels.astype(np.uint8) if labels.max(initial=0) <= 255 else labels


def binarise(values: np.ndarray, path: Path) -> np.ndarray:
    """A lossy binary mask (H, W) as 0 and 255: 128 and above is foreground."""
    if values.ndim == 3:
        raise DataError(path, "JPEG in colour is no binary mask", PNG)
    brightest = int(values.max())
    if 0 < brightest < GREYS.start:
        reason = f"JPEG mask of values 0 to {brightest} only: JPEG does not keep such values"
        raise DataError(path, reason, PNG)
    if 0 < brightest < GREYS.stop:
        raise DataError(path, f"JPEG mask without white, its brightest grey is {brightest}", PNG)
    grey = ((values >= GREYS.start) & (values < GREYS.stop)).astype(np.uint8)
    share = grey.mean()
    if share > _MAX_GREY_SHARE:
        reason = f"JPEG mask of which {100 * share:.0f} % is neither black nor white"
        raise DataError(path, reason, f"{PNG}, or dataset.mask_threshold=128 if it is one class")
    if share:
        # Greys along an outline go from black to white within a few pixels. A patch that is all
        # grey and even is an area of its own: a third class, which thresholding would lose.
        square = np.ones((_PATCH, _PATCH), np.uint8)
        inside = cv2.erode(grey, square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
        even = cv2.dilate(values, square) - cv2.erode(values, square) < _PATCH_RANGE
        if (inside & even).any():
            level = int(np.median(values[inside & even]))
            raise DataError(path, f"JPEG mask with a third grey level, about {level}", PNG)
    return np.where(values >= 128, 255, 0).astype(np.uint8)
