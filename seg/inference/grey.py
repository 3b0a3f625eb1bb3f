"""A network of grey images among those of colour images: it is shown the same picture in grey."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seg.inference.model import Predictor
from seg.inference.strips import Rows, rows_of


class AsGrey:
    """asks: of (H, W, 1). Takes (H, W, 3), made grey as the reader makes files grey."""

    def __init__(self, asks: Predictor) -> None:
        self.asks = asks

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.asks.probabilities(to_grey(image))

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        return self.asks.batch([to_grey(image) for image in images])

    def rows(self, image: NDArray) -> Rows:
        return rows_of(self.asks, to_grey(image))


def to_grey(image: NDArray) -> NDArray:
    """(H, W, 3) in 0-255 to (H, W, 1) by the weights of `seg.data.images.read_image`."""
    if image.dtype == np.uint8:
        return np.array(Image.fromarray(image).convert("L"))[..., None]
    weights = np.array([19595, 38470, 7471], dtype=np.float32) / 65536
    return (image @ weights)[..., None]
