"""The mean and deviation of images, which normalisation needs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Images that are measured: more do not change the third digit.
SAMPLE = 2000
LINES = 1000  # and columns, of an image in patches, which may be very large


def mean_and_deviation(
    images: Sequence[NDArray], rows: Sequence[int], *, channels: int, thinned: bool = False
) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel, in 0-255.

    Args:
        images: (H, W, C) each, 0-255.
        rows: which of them.
        channels: C.
        thinned: whether evenly spread lines and columns of an image are enough.
    """
    rows = rows[:: max(1, len(rows) // SAMPLE)]
    total = np.zeros((2, channels))
    for row in rows:
        image = images[row]
        if thinned:
            down, across = (max(1, length // LINES) for length in image.shape[:2])
            image = image[::down, ::across]
        if image.dtype == np.uint8:  # sums of whole numbers: the same to the last digit, and faster
            counts, levels = histograms(image), np.arange(256)
            total += np.stack([counts @ levels, counts @ levels**2]) / counts[0].sum()
            continue
        image = np.asarray(image, dtype=np.float64)
        total += [image.mean((0, 1)), (image**2).mean((0, 1))]
    mean, square = total / len(rows)
    return mean.tolist(), np.sqrt(np.maximum(square - mean**2, 1e-6)).tolist()


def histograms(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(C, 256) how many pixels of each channel of an image (H, W, C) have each value."""
    channels = [image[..., channel].ravel() for channel in range(image.shape[2])]
    return np.array([np.bincount(values, minlength=256) for values in channels])
