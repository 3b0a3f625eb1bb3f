"""A large image in overlapping windows, each predicted as a training image was, and blended."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from seg.data import windows
from seg.inference.model import Predictor, Strips, joined

MOST_OVERLAP = 0.75


class SlidingWindow:
    """Cuts an image into windows, predicts each as an image of its own, and blends them.

    Objects have the size that they had in training if a window shows what a training image showed:
    tile=256 for a slide of which training images were 256 pixels wide. An image that fits into one
    window is not cut; with `pad` it is mirrored to the size of one, as training patches are.

    If the overlap exceeds twice the receptive field, and `margin` covers the receptive field, the
    result is that of one pass over the whole image at the same scale, except near the image's
    borders. That does not hold for layers that look at a window as a whole: instance and group
    normalisation, or dataset.normalize=image.

    Args:
        predictor: predicts a window; resizes it to `network_size`.
        tile: the longer side of a window, in image pixels; the other side has the proportion of
            `network_size`.
        network_size: (height, width) of the network's input.
        overlap: of neighbouring windows, at least, as a share of a window.
        margin: outermost image pixels of a window that do not count where a neighbour has them.
        batch_size: windows that are predicted together.
        pad: whether an image smaller than a window keeps its scale.

    Raises:
        ValueError: a value is out of range.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        tile: int,
        network_size: tuple[int, int],
        overlap: float = windows.OVERLAP,
        margin: int = 0,
        batch_size: int = 8,
        pad: bool = False,
    ) -> None:
        if tile < 16:
            raise ValueError(f"tile={tile} must be at least 16 pixels, or null")
        if not 0 <= overlap <= MOST_OVERLAP:
            raise ValueError(f"overlap={overlap} must lie in 0 to {MOST_OVERLAP}")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        if margin and 2 * margin >= overlap * tile:
            raise ValueError(f"margin={margin} must be below half of the overlap of {overlap}")
        self.predictor = predictor
        self.network_size = network_size
        longer = max(network_size)
        self.tile = (
            max(1, round(tile * network_size[0] / longer)),
            max(1, round(tile * network_size[1] / longer)),
        )
        self.overlap = overlap
        self.margin = margin
        self.batch_size = batch_size
        self.pad = pad

    def __str__(self) -> str:
        height, width = self.network_size
        return (
            f"images larger than {self.tile[1]}x{self.tile[0]} are cut into windows of that size, "
            f"overlapping by {self.overlap:.0%}, each resized to {width}x{height}"
        )

    def strips(self, image: NDArray) -> Strips:
        """Each strip as soon as no further window covers it."""
        height, width = image.shape[:2]
        if height <= self.tile[0] and width <= self.tile[1] and not self.pad:
            yield 0, self.predictor.probabilities(image)
            return
        tops, lefts = self.starts(height, axis=0), self.starts(width, axis=1)
        probs = (torch.from_numpy(one) for one in self._windows(image, tops, lefts))
        for top, strip in windows.blended(
            probs, tops=tops, lefts=lefts, tile=self.tile, size=(height, width), margin=self.margin
        ):
            yield top, strip.numpy()

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.strips(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """One image after the other: the windows of one image are a batch."""
        return [self.probabilities(image) for image in images]

    def starts(self, length: int, *, axis: int) -> list[int]:
        """First pixels of the windows along an axis, spread evenly.

        Args:
            length: of the image along the axis; the last window may reach beyond.
            axis: 0 for rows, 1 for columns.
        """
        return windows.starts(
            length, tile=self.tile[axis], network=self.network_size[axis], overlap=self.overlap
        )

    def _windows(
        self, image: NDArray, tops: Sequence[int], lefts: Sequence[int]
    ) -> Iterator[NDArray[np.float32]]:
        """The probabilities of all windows, row by row."""
        corners = [(y, x) for y in tops for x in lefts]
        for first in range(0, len(corners), self.batch_size):
            some = corners[first : first + self.batch_size]
            cut = [windows.cut(image, corner, self.tile) for corner in some]
            yield from self.predictor.batch([np.ascontiguousarray(window) for window in cut])
