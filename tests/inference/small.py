"""Small predictors, and pictures for them."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from seg.inference.predictor import NetworkPredictor
from seg.models.normalize import Normalize
from seg.models.unet import UNet


def predictor(
    size: int | tuple[int, int], *, outputs: int = 1, norm: str = "batch"
) -> NetworkPredictor:
    torch.manual_seed(0)
    model = UNet(in_channels=3, out_channels=outputs, width=4, depth=2, norm=norm)
    with torch.no_grad():
        for parameter in list(model.parameters())[-2:]:  # the last layer: odds far from even
            parameter.mul_(4)
    normalize = Normalize(mode="dataset", mean=[90.0, 100, 110], std=[50.0, 60, 70])
    both = (size, size) if isinstance(size, int) else size
    return NetworkPredictor(model=model, normalize=normalize, size=both)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


class Brightness:
    """Predicts pixel by pixel, so that every way of cutting gives the same; keeps all sizes."""

    def __init__(self) -> None:
        self.sizes: list[list[tuple[int, int]]] = []

    def probabilities(self, image: NDArray) -> NDArray[np.float32]:
        return self.batch([image])[0]

    def batch(self, images: list[NDArray]) -> list[NDArray[np.float32]]:
        self.sizes.append([image.shape[:2] for image in images])
        grey = [image.mean(2) / np.float32(255) for image in images]
        return [np.stack([g, 1 - g]).astype(np.float32) for g in grey]
