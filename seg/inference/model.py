"""What predicts: a checkpoint's network or an exported file, behind one face."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seg.data.preprocess import Preprocessing
from seg.inference.postprocess import Postprocess


class Predictor(Protocol):
    """Images (H, W, C) in 0-255, of any sizes, to probabilities (K, H, W) in 0-1, each at its own
    size. K is 1 for a single class, else background and the classes, which add up to 1.
    """

    def probabilities(self, image: NDArray) -> NDArray[np.float32]: ...

    def batch(self, images: Sequence[NDArray]) -> list[NDArray[np.float32]]: ...


@dataclass(frozen=True)
class LoadedModel:
    """What a prediction needs, and all that it needs.

    classes: names of the foreground classes, index 1 first. threshold: on the probability of a
    single class. mean, std: of the training images by channel, in 0-255. path: where it came from.
    """

    asks: Predictor
    classes: list[str]
    preprocessing: Preprocessing
    threshold: float
    postprocess: Postprocess
    mean: list[float]
    std: list[float]
    path: Path
