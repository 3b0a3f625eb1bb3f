"""A large image resized whole, as in training; its probabilities are enlarged strip by strip."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data.preprocess import image_to_size
from seg.inference import memory
from seg.inference.model import Predictor, Strips, joined

FLOAT = 4  # bytes
# Arrays of a strip's size that `enlarged` and its caller have at the same time: the interpolated
# rows, the two terms of the sum, and the strip before, which may still be in use.
COPIES = 4


class ResizedPredictor:
    """Predicts an image at the network's size and enlarges the probabilities strip by strip.

    An image whose probabilities fit into memory is left to `predictor` altogether, and so predicted
    to the last bit as in evaluation; a larger one agrees to rounding.

    Args:
        predictor: gives an image of `network_size` back without resizing it, as a
            `NetworkPredictor` of that size does.
        network_size: (height, width) of the network's input.
        outputs: K of the probabilities.
        budget: bytes for probabilities at an image's own size; None takes `memory.budget`.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        network_size: tuple[int, int],
        outputs: int,
        budget: int | None = None,
    ) -> None:
        self.predictor = predictor
        self.network_size = network_size
        self.outputs = outputs
        self.budget = memory.budget() if budget is None else budget

    def __str__(self) -> str:
        height, width = self.network_size
        return f"images are resized whole to {width}x{height}, as in training"

    def strips(self, image: NDArray) -> Strips:
        if self._fit([image]):
            yield 0, self.predictor.probabilities(image)
            return
        probs = self.predictor.probabilities(image_to_size(image, self.network_size))
        yield from enlarged(probs, image.shape[:2], budget=self.budget)

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.strips(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """All together where they fit into memory, else one after the other."""
        if self._fit(images):
            return self.predictor.batch(images)
        return [self.probabilities(image) for image in images]

    def _fit(self, images: Sequence[NDArray]) -> bool:
        pixels = sum(image.shape[0] * image.shape[1] for image in images)
        return 2 * self.outputs * pixels * FLOAT <= self.budget  # resized, and clipped


def enlarged(probs: NDArray[np.float32], size: tuple[int, int], *, budget: int) -> Strips:
    """Probabilities resized strip by strip: bilinear, pixel centres aligned.

    Together the strips are what `cv2.resize` makes of the whole, to rounding.

    Args:
        probs: (K, h, w).
        size: (H, W) to resize to.
        budget: bytes that a strip may take while it is made; a strip has at least one row.
    """
    rows, columns = size
    height = max(1, budget // (len(probs) * columns * FLOAT * COPIES))
    known = probs.shape[1]
    wide = np.stack(  # (K, h, W): only the rows are left to interpolate
        [cv2.resize(one, (columns, known), interpolation=cv2.INTER_LINEAR) for one in probs]
    )
    for top in range(0, rows, height):
        centre = (np.arange(top, min(top + height, rows)) + 0.5) * (known / rows) - 0.5
        centre = np.clip(centre, 0, known - 1)  # beyond the outermost centres nothing changes
        above = np.floor(centre).astype(np.intp)
        share = (centre - above).astype(np.float32)[:, None]
        strip = wide[:, above]
        strip *= 1 - share
        strip += wide[:, np.minimum(above + 1, known - 1)] * share
        yield top, np.clip(strip, 0, 1, out=strip)
