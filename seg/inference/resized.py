"""A large image resized whole, as in training, its probabilities made some rows at a time."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data.preprocess import image_to_size
from seg.inference import memory
from seg.inference.model import Predictor
from seg.inference.strips import Rows, joined

FLOAT = 4  # bytes
COPIES = 4  # of a part at a time: what is interpolated, its summands, what was handed on before


class ResizedPredictor:
    """Asks for an image at the network's size; what comes back is resized to the image's in parts.

    asks: gives an image of `network_size` (height, width) back without resizing it, as a Predictor
    of that size does. outputs: K of its probabilities. budget: bytes for them at an image's own
    size; None takes it from the memory at hand (`memory.budget`).

    Images whose probabilities fit are left to `asks` altogether, and are therefore predicted to the
    last bit as in evaluation; larger ones agree to rounding.
    """

    def __init__(
        self,
        asks: Predictor,
        *,
        network_size: tuple[int, int],
        outputs: int,
        budget: int | None = None,
    ) -> None:
        self.asks = asks
        self.network_size = network_size
        self.outputs = outputs
        self.budget = memory.budget() if budget is None else budget

    def rows(self, image: NDArray) -> Rows:
        if self._fit([image]):
            yield 0, self.asks.probabilities(image)
            return
        probs = self.asks.probabilities(image_to_size(image, self.network_size))
        yield from enlarged(probs, image.shape[:2], budget=self.budget)

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.rows(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """All at once where they fit together, else one after the other."""
        if self._fit(images):
            return self.asks.batch(images)
        return [self.probabilities(image) for image in images]

    def _fit(self, images: Sequence[NDArray]) -> bool:
        pixels = sum(image.shape[0] * image.shape[1] for image in images)
        return 2 * self.outputs * pixels * FLOAT <= self.budget  # resized, and clipped


def enlarged(probs: NDArray[np.float32], size: tuple[int, int], *, budget: int) -> Rows:
    """(K, h, w) resized to (K, *size), in parts of at least a row: bilinear, pixel centres aligned.

    What `cv2.resize` makes of the whole, to rounding. budget: bytes for what is made of a part.
    """
    rows, columns = size
    height = max(1, budget // (len(probs) * columns * FLOAT * COPIES))
    known = probs.shape[1]
    wide = np.stack(  # (K, h, W)
        [cv2.resize(one, (columns, known), interpolation=cv2.INTER_LINEAR) for one in probs]
    )
    for y in range(0, rows, height):
        centre = (np.arange(y, min(y + height, rows)) + 0.5) * (known / rows) - 0.5
        centre = np.clip(centre, 0, known - 1)  # beyond the outermost centres nothing changes
        above = np.floor(centre).astype(np.intp)
        share = (centre - above).astype(np.float32)[:, None]
        part = wide[:, above]
        part *= 1 - share
        part += wide[:, np.minimum(above + 1, known - 1)] * share
        yield y, np.clip(part, 0, 1, out=part)
