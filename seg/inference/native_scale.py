"""An image at a scale of its own, in one pass, or in windows that give what one pass would."""

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from seg.data.preprocess import image_to_size
from seg.inference import memory
from seg.inference.model import Predictor
from seg.inference.predictor import NetworkPredictor
from seg.inference.receptive_field import FAR, bytes_per_pixel, receptive_field
from seg.inference.resized import enlarged
from seg.inference.sliding_window import GRID, MOST_OVERLAP, SlidingWindow
from seg.inference.strips import Rows, joined
from seg.inference.tta import TestTimeAugmentation

log = logging.getLogger(__name__)

LARGEST = 2048  # a window's side in network pixels: more saves little


class ScaledPredictor:
    """Asks for an image at `scale` (network pixels for an image pixel), whatever its size.

    So the objects have the size that they had in training wherever they lie in a larger image:
    scale=0.5 for a network of 128 pixels whose training images were 256 wide. A network sees more
    at a time than in training, and must be one that takes any size, as convolutional ones do.

    tile: null for one pass over the whole image; auto for one pass if memory allows, else for the
    largest windows that it allows; a number for windows of as many image pixels. Windows overlap by
    twice what the network sees around a pixel, if they are large enough for that: then they give
    what one pass gives, but for the image's borders. What sees all of a window at once (see
    `reach`) cannot, and a line in the log says so.

    budget: bytes for a pass; None takes them from the memory at hand. Raises ValueError for a
    network whose size is fixed.
    """

    def __init__(
        self,
        asks: Predictor,
        *,
        scale: float,
        tile: int | str | None = "auto",
        overlap: float = 0.25,
        budget: int | None = None,
    ) -> None:
        if not 0 < scale <= 8:
            raise ValueError(f"scale={scale} must be above 0, and at most 8")
        predictor = _predictor(asks)
        self.asks, self.scale, self.tile = asks, scale, tile
        network = _Network(predictor)
        about = {"channels": predictor.normalize.mean.shape[1], "device": predictor.device}
        self.reach = receptive_field(network, **about)
        self.bytes_per_pixel = bytes_per_pixel(network, **about)
        self.budget = memory.network_budget(predictor.device) if budget is None else budget
        self.window = self._window(overlap)
        side = self.window.side
        self.tiled = SlidingWindow(
            exchanged(asks, lambda predictor: at_size(predictor, (side, side))),
            tile=round(side / scale) if tile in ("auto", None) else tile,
            network_size=(side, side),
            overlap=self.window.overlap,
            margin=math.ceil(self.window.margin / scale),
            batch_size=1,
        )

    def rows(self, image: NDArray) -> Rows:
        size = tuple(max(1, round(side * self.scale)) for side in image.shape[:2])
        if self._in_one(image.shape[:2]):
            probs = exchanged(self.asks, OwnSize).probabilities(image_to_size(image, size))
            return enlarged(probs, image.shape[:2], budget=memory.budget())
        return self.tiled.rows(image)

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.rows(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """One after the other: each has a size of its own."""
        return [self.probabilities(image) for image in images]

    def _in_one(self, size: tuple[int, int]) -> bool:
        if self.tile is None:
            return True
        if self.tile != "auto":
            return max(size) <= self.tile
        return size[0] * size[1] * self.scale**2 * self.bytes_per_pixel <= self.budget

    def _window(self, overlap: float) -> "Window":
        if isinstance(self.tile, int):
            side = max(1, round(self.tile * self.scale))
        else:
            side = choose(self.bytes_per_pixel, self.budget)
        found = window(side, self.reach, overlap)
        if not found.exact and self.tile is not None:
            log.warning(
                "windows of %d network pixels give not quite what one pass over a large image "
                "gives: %s",
                side,
                f"the network looks at all of an image, or {FAR} pixels around each and further"
                if self.reach is None
                else f"the network looks {self.reach} pixels around each, and needs windows of "
                f"{math.ceil((2 * self.reach + GRID) / MOST_OVERLAP)}",
            )
        return found


@dataclass(frozen=True)
class Window:
    """side, margin: network pixels. exact: whether margins cover all that a pixel depends on."""

    side: int
    overlap: float
    margin: int
    exact: bool


def choose(bytes_per_pixel: float, budget: int) -> int:
    """The side of the largest window whose pass stays within `budget` bytes, in network pixels."""
    side = int(math.sqrt(budget / bytes_per_pixel))
    return max(2 * GRID, min(LARGEST, side // GRID * GRID))


def window(side: int, seen: int | None, overlap: float) -> Window:
    """How windows of `side` pixels overlap, for a network that sees `seen` pixels around each."""
    needed = None if seen is None else 2 * seen + GRID  # what is left is blended
    if needed is None or needed > MOST_OVERLAP * side:
        return Window(side, overlap, 0, exact=False)
    return Window(side, max(overlap, needed / side), seen, exact=True)


def at_size(predictor: NetworkPredictor, size: tuple[int, int]) -> NetworkPredictor:
    """The same network, with the same weights, at another size of its input (height, width)."""
    other = copy.copy(predictor)
    other.size = size
    return other


class OwnSize:
    """Every image, and every view of it, goes through the network at the size that it has."""

    def __init__(self, predictor: NetworkPredictor) -> None:
        self.predictor = predictor

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return at_size(self.predictor, image.shape[:2]).probabilities(image)

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        return [self.probabilities(image) for image in images]


def exchanged(asks: Predictor, make: Callable[[NetworkPredictor], Predictor]) -> Predictor:
    """The same views of what `make` makes of the predictor, one at a time, to spare memory."""
    if isinstance(asks, TestTimeAugmentation):
        other = copy.copy(asks)
        other.views_at_once = 1
        other.asks = exchanged(asks.asks, make)
        return other
    return make(_predictor(asks))


def _predictor(asks: Predictor) -> NetworkPredictor:
    if isinstance(asks, TestTimeAugmentation):
        return _predictor(asks.asks)
    if not isinstance(asks, NetworkPredictor):
        raise ValueError(
            "scale needs a checkpoint: an exported file resizes images itself; leave scale=null"
        )
    return asks


class _Network(nn.Module):
    """Normalisation and network as a predictor runs them."""

    def __init__(self, predictor: NetworkPredictor) -> None:
        super().__init__()
        self.normalize, self.model = predictor.normalize, predictor.model
        self.dtype = predictor.dtype

    def forward(self, image: Tensor) -> Tensor:
        return self.model(self.normalize(image).to(self.dtype))
