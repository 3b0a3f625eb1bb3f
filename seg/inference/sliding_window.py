"""A large image in overlapping windows, each predicted as a training image was, and blended."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.inference.blending import weights
from seg.inference.model import Predictor
from seg.inference.strips import Rows, joined

# Networks halve their input up to five times. Windows that start at multiples of 2^5 network pixels
# are halved at the same places, and agree where they overlap.
GRID = 32
MOST_OVERLAP = 0.75


class SlidingWindow:
    """Windows of `tile` image pixels, each given to `asks` as an image of its own.

    So the objects have the size that they had in training if a window shows what a training image
    showed: tile=256 for a slide of which training images were 256 pixels wide. An image that fits
    into one tile is not cut.

    tile: the longer side of a window; the other is in proportion to `network_size` (height, width),
    which `asks` resizes windows to. overlap: of neighbours, at least, as a share of a window.
    margin: outermost image pixels of a window that do not count where a neighbour has them.
    batch_size: windows asked for at a time.

    Where the overlap exceeds twice what a network sees around a pixel, and margin is half of that,
    the result is that of one pass over the whole image at the same scale, except near the image's
    borders. Not with layers that look at a window as a whole: instance and group normalisation, or
    dataset.normalize=image.

    Raises ValueError for values out of range.
    """

    def __init__(
        self,
        asks: Predictor,
        *,
        tile: int,
        network_size: tuple[int, int],
        overlap: float = 0.25,
        margin: int = 0,
        batch_size: int = 8,
    ) -> None:
        if tile < 16:
            raise ValueError(f"tile={tile} must be at least 16 pixels, or null")
        if not 0 <= overlap <= MOST_OVERLAP:
            raise ValueError(f"overlap={overlap} must lie in 0 to {MOST_OVERLAP}")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        if margin and 2 * margin >= overlap * tile:
            raise ValueError(f"margin={margin} must be below half of the overlap of {overlap}")
        self.asks = asks
        self.network_size = network_size
        longer = max(network_size)
        self.tile = (
            max(1, round(tile * network_size[0] / longer)),
            max(1, round(tile * network_size[1] / longer)),
        )
        self.overlap = overlap
        self.margin = margin
        self.batch_size = batch_size

    def rows(self, image: NDArray) -> Rows:
        """Parts as soon as no window below reaches them; two rows of windows are held at most."""
        height, width = image.shape[:2]
        if height <= self.tile[0] and width <= self.tile[1]:
            yield 0, self.asks.probabilities(image)
            return
        tops, lefts = self.starts(height, axis=0), self.starts(width, axis=1)
        down = weights(tops, self.tile[0], margin=self.margin)
        across = weights(lefts, self.tile[1], margin=self.margin)
        held: NDArray[np.float32] | None = None  # (K, tile, W), from `tops[i]` on
        for n, probs in enumerate(self._asked(image, tops, lefts)):
            i, j = divmod(n, len(lefts))
            if held is None:
                shape = (len(probs), self.tile[0], lefts[-1] + self.tile[1])
                held = np.zeros(shape, dtype=np.float32)
            part = probs * (down[i][:, None] * across[j])
            held[:, :, lefts[j] : lefts[j] + self.tile[1]] += part
            if j < len(lefts) - 1:
                continue
            end = tops[i + 1] if i < len(tops) - 1 else height
            done = end - tops[i]
            yield tops[i], np.clip(held[:, :done, :width], 0, 1)
            left = self.tile[0] - done
            held[:, :left] = held[:, done:].copy()
            held[:, left:] = 0

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.rows(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """One image after the other: the windows of one are a batch."""
        return [self.probabilities(image) for image in images]

    def starts(self, length: int, *, axis: int) -> list[int]:
        """First pixels of the windows along an axis, spread evenly; the last may reach beyond."""
        tile, network = self.tile[axis], self.network_size[axis]
        if length <= tile:
            return [0]
        step = max(1, int(network * (1 - self.overlap)))  # network pixels, as all to the end
        grid = min(GRID, 2 ** int(math.log2(step)))
        scale = tile / network
        last = math.ceil((length / scale - network) / grid - 1e-9)  # in units of the grid
        count = math.ceil(last / (step // grid))
        return [round(grid * (i * last // count) * scale) for i in range(count + 1)]

    def _asked(
        self, image: NDArray, tops: Sequence[int], lefts: Sequence[int]
    ) -> Iterator[NDArray[np.float32]]:
        """The probabilities of all windows, row by row."""
        corners = [(y, x) for y in tops for x in lefts]
        for first in range(0, len(corners), self.batch_size):
            chosen = corners[first : first + self.batch_size]
            yield from self.asks.batch([_window(image, corner, self.tile) for corner in chosen])


def _window(image: NDArray, corner: tuple[int, int], size: tuple[int, int]) -> NDArray:
    """Of (H, W, C); what lies beyond the image is its mirror image."""
    (y, x), (height, width) = corner, size
    part = np.ascontiguousarray(image[y : y + height, x : x + width])
    bottom, right = height - part.shape[0], width - part.shape[1]
    if bottom or right:
        part = cv2.copyMakeBorder(part, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)
    return part.reshape(height, width, image.shape[2])
