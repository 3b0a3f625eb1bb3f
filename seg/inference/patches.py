"""Whole images with a network that was trained on patches of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seg.data.preprocess import image_to_size
from seg.data.windows import OVERLAP
from seg.inference import memory
from seg.inference.model import LoadedModel, Predictor, Strips, joined
from seg.inference.resized import enlarged
from seg.inference.sliding_window import SlidingWindow


class PatchPredictor:
    """Predicts an image in windows of the size of a training patch, at the training's scale.

    An image is brought to `size` first, if training did that. Probabilities are at its own size.

    Args:
        predictor: predicts windows of the size `patch`.
        patch: (height, width) of a window.
        size: (height, width) that images are resized to before; None for their own.
        overlap: of neighbouring windows, at least, as a share of one.
        batch_size: windows that are predicted together.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        patch: tuple[int, int],
        size: tuple[int, int] | None,
        overlap: float = OVERLAP,
        batch_size: int = 8,
    ) -> None:
        self.size = size
        self.windows = SlidingWindow(
            predictor,
            tile=max(patch),
            network_size=patch,
            overlap=overlap,
            batch_size=batch_size,
            pad=True,
        )

    def __str__(self) -> str:
        height, width = self.windows.tile
        before = "" if self.size is None else f"resized to {self.size[1]}x{self.size[0]} and "
        return (
            f"images are {before}cut into windows of {width}x{height} that overlap by "
            f"{self.windows.overlap:.0%}, as patches were in training"
        )

    def strips(self, image: NDArray) -> Strips:
        if self.size is None:
            return self.windows.strips(image)
        probs = self.windows.probabilities(image_to_size(image, self.size))
        return enlarged(probs, image.shape[:2], budget=memory.budget())

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return joined(self.strips(image), image.shape[0])

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]:
        """One image after the other: the windows of one image are a batch."""
        return [self.probabilities(image) for image in images]


def for_whole_images(model: LoadedModel) -> Predictor:
    """What predicts whole images as training does in its validation."""
    pre = model.preprocessing
    if pre.patch is None:
        return model.predictor
    return PatchPredictor(model.predictor, patch=pre.patch, size=pre.size)
