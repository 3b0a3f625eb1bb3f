"""An image at a pixel scale of the user's choice, in one pass or in windows that equal one pass."""

import copy
import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from seg.data.preprocess import image_to_size
from seg.data.windows import GRID
from seg.inference import memory
from seg.inference.model import Predictor, Strips, joined
from seg.inference.predictor import NetworkPredictor
from seg.inference.receptive_field import FAR, bytes_per_pixel, receptive_field
from seg.inference.resized import enlarged
from seg.inference.sliding_window import MOST_OVERLAP, SlidingWindow
from seg.inference.tta import TestTimeAugmentation

log = logging.getLogger(__name__)

LARGEST = 2048  # network pixels of a window's side; larger windows save little


class ScaledPredictor:
    """Predicts images at `scale` network pixels for an image pixel, whatever their size.

    Objects have the size that they had in training wherever they lie in a larger image: scale=0.5
    for a network of 128 pixels whose training images were 256 wide. The network sees more at a time
    than in training and must take any size, as convolutional networks do.

    Windows overlap by twice the receptive field where they are large enough for that. Then they
    give what one pass gives, except near the image's borders. A network whose receptive field is
    the whole image cannot, and a warning in the log says so.

    Args:
        predictor: a `NetworkPredictor`, or test-time augmentation around one.
        scale: network pixels for an image pixel, above 0 and at most 8.
        tile: None for one pass over the whole image; `auto` for one pass if memory allows, else
            for the largest windows that it allows; a number for windows of as many image pixels.
        overlap: of neighbouring windows, at least, as a share of a window.
        budget: bytes for one pass; None takes `memory.network_budget`.

    Raises:
        ValueError: a value is out of range, or the network resizes images by itself.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        scale: float,
        tile: int | str | None = "auto",
        overlap: float = 0.25,
        budget: int | None = None,
    ) -> None:
        if not 0 < scale <= 8:
            raise ValueError(f"scale={scale} must be above 0, and at most 8")
        network = _network_of(predictor)
        self.predictor, self.scale, self.tile = predictor, scale, tile
        module = _Normalized(network)
        about = {"channels": network.normalize.mean.shape[1], "device": network.device}
        self.receptive_field = receptive_field(module, **about)
        self.bytes_per_pixel = bytes_per_pixel(module, **about)
        self.budget = memory.network_budget(network.device) if budget is None else budget
        if isinstance(tile, int):
            side = max(1, round(tile * scale))
        else:
            side = largest_side(self.bytes_per_pixel, self.budget)
            tile = round(side / scale)
        self.window = window_of(side, self.receptive_field, overlap)
        if not self.window.exact and self.tile is not None:
            self._warn()
        self.windows = SlidingWindow(
            at_size(predictor, (side, side)),
            tile=tile,
            network_size=(side, side),
            overlap=self.window.overlap,
            margin=math.ceil(self.window.margin / scale),
            batch_size=1,
        )

    def __str__(self) -> str:
        large = f"windows of {round(self.window.side / self.scale)} image pixels"
        where = {None: "in one pass", "auto": f"in one pass or in {large}, as memory allows"}
        return f"images are seen at scale {self.scale}, {where.get(self.tile, f'in {large}')}"

    def strips(self, image: NDArray) -> Strips:
        if not self._fits(image.shape[:2]):
            return self.windows.strips(image)
        size = tuple(max(1, round(side * self.scale)) for side in image.shape[:2])
        probs = at_size(self.predictor, None).probabilities(image_to_size(image, size))
        return enlarged(probs, image.shape[:2], budget=memory.budget())

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.strips(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """One after the other: each has a size of its own."""
        return [self.probabilities(image) for image in images]

    def _fits(self, size: tuple[int, int]) -> bool:
        """Whether an image goes through the network in one pass."""
        if self.tile is None:
            return True
        if self.tile != "auto":
            return max(size) <= self.tile
        return size[0] * size[1] * self.scale**2 * self.bytes_per_pixel <= self.budget

    def _warn(self) -> None:
        reach = self.receptive_field
        log.warning(
            "windows of %d network pixels give not quite what one pass over a large image "
            "gives: %s",
            self.window.side,
            f"the network looks at all of an image, or {FAR} pixels around each and further"
            if reach is None
            else f"the network looks {reach} pixels around each, and needs windows of "
            f"{math.ceil((2 * reach + GRID) / MOST_OVERLAP)}",
        )


class Window(NamedTuple):
    """The windows of an image, in network pixels."""

    side: int
    overlap: float  # of neighbours, as a share of a window
    margin: int  # outermost pixels that do not count where a neighbour has them
    exact: bool  # whether the margin covers the receptive field, so that windows equal one pass


def largest_side(bytes_per_pixel: float, budget: int) -> int:
    """Network pixels of a side of the largest window whose pass takes at most `budget` bytes."""
    side = int(math.sqrt(budget / bytes_per_pixel))
    return max(2 * GRID, min(LARGEST, side // GRID * GRID))


def window_of(side: int, reach: int | None, overlap: float) -> Window:
    """Windows that overlap enough to equal one pass; where they cannot, they overlap by `overlap`.

    Args:
        side: of a window, in network pixels.
        reach: pixels of the receptive field to each side; None for the whole image.
        overlap: the least one, as a share of a window.
    """
    needed = None if reach is None else 2 * reach + GRID  # GRID pixels are left to blend
    if needed is None or needed > MOST_OVERLAP * side:
        return Window(side, overlap, 0, exact=False)
    return Window(side, max(overlap, needed / side), reach, exact=True)


def at_size(predictor: Predictor, size: tuple[int, int] | None) -> Predictor:
    """The same predictor, whose network takes images of (height, width), or of any size."""
    other = copy.copy(predictor)
    if isinstance(other, TestTimeAugmentation):
        other.predictor = at_size(other.predictor, size)
        other.views_at_once = 1  # the budget is for one pass at a time
    else:
        other.size = size
    return other


def _network_of(predictor: Predictor) -> NetworkPredictor:
    if isinstance(predictor, TestTimeAugmentation):
        return _network_of(predictor.predictor)
    if not isinstance(predictor, NetworkPredictor):
        raise ValueError(
            "scale needs a checkpoint: an exported file resizes images itself; leave scale=null"
        )
    return predictor


class _Normalized(nn.Module):
    """Normalisation and network as one module, to be measured."""

    def __init__(self, network: NetworkPredictor) -> None:
        super().__init__()
        self.normalize, self.model = network.normalize, network.model
        self.dtype = network.dtype

    def forward(self, image: Tensor) -> Tensor:
        return self.model(self.normalize(image).to(self.dtype))
