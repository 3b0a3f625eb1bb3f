"""How sure a network is of a mask as a whole, from the predicted probabilities alone."""

import numpy as np
from numpy.typing import NDArray

from seg.metrics.planes import area_of


class ForegroundConfidence:
    """The mean probability of the pixels of each class's mask.

    The probability of the predicted class, Hendrycks and Gimpel 2017, arXiv:1610.02136, as a mean
    over the predicted foreground, as Mehrtash et al. 2020, arXiv:1911.13273, take the entropy's:
    over the whole image it would tell mostly of the background. It is the precision to be expected
    where the probabilities are right, and knows nothing of what the mask misses. Chosen by
    `benchmarks/failure_prediction.py`, see docs/prediction.md; the soft Dice confidence of Borges
    et al. 2024, arXiv:2402.10665, was worse: low probabilities all over the background add up.

    A class that is nowhere in the mask has 1 - its largest probability (ours).

    Args:
        classes: number of foreground classes.
    """

    def __init__(self, classes: int) -> None:
        self._sum, self._largest = np.zeros((2, classes))
        self._pixels = np.zeros(classes, dtype=np.int64)

    def add(self, probs: NDArray, mask: NDArray[np.uint8]) -> None:
        """Add a part of the image.

        Args:
            probs: (K, H, W) in 0-1, of the classes, or of the background and the classes.
            mask: (H, W) class indices, or (K, H, W) planes.
        """
        for j, p in enumerate(probs[len(probs) - len(self._sum) :]):
            area = area_of(mask, j + 1)
            self._sum[j] += p[area].sum(dtype=np.float64)
            self._pixels[j] += np.count_nonzero(area)
            self._largest[j] = max(self._largest[j], p.max(initial=0))

    def replace(self, index: int, probs: NDArray, area: NDArray[np.bool_]) -> None:
        """Give class `index`, from 1, another area of the whole image. probs: its own, (H, W)."""
        self._sum[index - 1] = probs[area].sum(dtype=np.float64)
        self._pixels[index - 1] = np.count_nonzero(area)

    def values(self) -> NDArray[np.float64]:
        """(C,), 0-1."""
        mean = self._sum / np.maximum(self._pixels, 1)
        return np.where(self._pixels > 0, mean, 1 - self._largest)


def foreground_confidence(
    probs: NDArray, mask: NDArray[np.uint8], *, classes: int
) -> NDArray[np.float64]:
    """(C,): `ForegroundConfidence` of a whole image."""
    confidence = ForegroundConfidence(classes)
    confidence.add(probs, mask)
    return confidence.values()
