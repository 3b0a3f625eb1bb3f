"""A large image in overlapping windows, each predicted as a training image was, and blended."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.inference.model import Predictor, Strips, joined

# Networks halve their input up to five times. Windows that start at multiples of 2^5 network pixels
# are halved at the same places, and agree where they overlap.
GRID = 32
MOST_OVERLAP = 0.75


class SlidingWindow:
    """Cuts an image into windows, predicts each as an image of its own, and blends them.

    Objects have the size that they had in training if a window shows what a training image showed:
    tile=256 for a slide of which training images were 256 pixels wide. An image that fits into one
    window is not cut.

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

    Raises:
        ValueError: a value is out of range.
    """

    def __init__(
        self,
        predictor: Predictor,
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

    def __str__(self) -> str:
        height, width = self.network_size
        return (
            f"images larger than {self.tile[1]}x{self.tile[0]} are cut into windows of that size, "
            f"overlapping by {self.overlap:.0%}, each resized to {width}x{height}"
        )

    def strips(self, image: NDArray) -> Strips:
        """Each strip as soon as no further window covers it."""
        height, width = image.shape[:2]
        if height <= self.tile[0] and width <= self.tile[1]:
            yield 0, self.predictor.probabilities(image)
            return
        tops, lefts = self.starts(height, axis=0), self.starts(width, axis=1)
        down = blending_weights(tops, self.tile[0], margin=self.margin)
        across = blending_weights(lefts, self.tile[1], margin=self.margin)
        # The sum of weighted windows, (K, tile, W): the rows from `tops[i]` on. Only these are in
        # memory, since rows above no longer change and rows below have no window yet.
        total: NDArray[np.float32] | None = None
        for n, probs in enumerate(self._windows(image, tops, lefts)):
            i, j = divmod(n, len(lefts))
            if total is None:
                shape = (len(probs), self.tile[0], lefts[-1] + self.tile[1])
                total = np.zeros(shape, dtype=np.float32)
            weighted = probs * (down[i][:, None] * across[j])
            total[:, :, lefts[j] : lefts[j] + self.tile[1]] += weighted
            if j < len(lefts) - 1:
                continue
            end = tops[i + 1] if i < len(tops) - 1 else height
            done = end - tops[i]
            yield tops[i], np.clip(total[:, :done, :width], 0, 1)
            left = self.tile[0] - done
            total[:, :left] = total[:, done:].copy()  # move up to where the next windows begin
            total[:, left:] = 0

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
        tile, network = self.tile[axis], self.network_size[axis]
        if length <= tile:
            return [0]
        # In network pixels, not image pixels, so that starts are multiples of GRID there.
        step = max(1, int(network * (1 - self.overlap)))
        grid = min(GRID, 2 ** int(math.log2(step)))
        scale = tile / network
        last = math.ceil((length / scale - network) / grid - 1e-9)  # in units of the grid
        count = math.ceil(last / (step // grid))
        return [round(grid * (i * last // count) * scale) for i in range(count + 1)]

    def _windows(
        self, image: NDArray, tops: Sequence[int], lefts: Sequence[int]
    ) -> Iterator[NDArray[np.float32]]:
        """The probabilities of all windows, row by row."""
        corners = [(y, x) for y in tops for x in lefts]
        for first in range(0, len(corners), self.batch_size):
            some = corners[first : first + self.batch_size]
            yield from self.predictor.batch([_cut(image, corner, self.tile) for corner in some])


def blending_weights(
    starts: Sequence[int], tile: int, *, margin: int = 0
) -> list[NDArray[np.float32]]:
    """The weight of each window at each of its pixels, along a line.

    Where windows overlap, their weights add up to 1. A weight falls by a squared cosine towards a
    neighbour, over the width of the narrowest overlap; at the ends of the line it stays 1. Windows
    on a grid are weighted with the product of the weights along both axes.

    Args:
        starts: first pixels of the windows, ascending, without gaps between them.
        tile: pixels of a window.
        margin: outermost pixels of a window that do not count where a neighbour has them, since
            the network sees only half of their surroundings.

    Raises:
        ValueError: windows do not overlap by more than two margins.
    """
    overlaps = [a + tile - b for a, b in zip(starts, starts[1:], strict=False)]
    narrowest = min(overlaps, default=tile)
    if narrowest < 0 or (margin and narrowest <= 2 * margin):
        raise ValueError(
            f"tiles of {tile} pixels overlap by {narrowest}: margin={margin} needs more than "
            f"{2 * margin}; raise overlap"
        )
    depth = np.arange(tile) + 0.5 - margin  # of a pixel's centre below its window's edge
    # half a pixel is a hard edge: windows that only touch
    rise = np.sin(np.pi / 2 * np.clip(depth / max(narrowest - 2 * margin, 0.5), 0, 1)) ** 2
    total = np.zeros(starts[-1] + tile)
    shares = []
    for i, start in enumerate(starts):
        share = np.ones(tile)
        if i > 0:
            share *= rise
        if i < len(starts) - 1:
            share *= rise[::-1]
        total[start : start + tile] += share
        shares.append(share)
    return [
        (share / total[start : start + tile]).astype(np.float32)
        for share, start in zip(shares, starts, strict=True)
    ]


def _cut(image: NDArray, corner: tuple[int, int], size: tuple[int, int]) -> NDArray:
    """A window of (H, W, C); what lies beyond the image is its mirror image."""
    (y, x), (height, width) = corner, size
    window = np.ascontiguousarray(image[y : y + height, x : x + width])
    bottom, right = height - window.shape[0], width - window.shape[1]
    if bottom or right:
        window = cv2.copyMakeBorder(window, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)
    return window.reshape(height, width, image.shape[2])
