"""Contrast around each channel's mean, an augmentation that albumentations lacks."""

from typing import Any

import numpy as np
from albumentations import BasicTransform, ImageOnlyTransform
from numpy.typing import NDArray


class Contrast(ImageOnlyTransform):
    """Spreads or narrows the values of each channel around its mean, within its own range.

    As nnU-Net's (batchgenerators, `ContrastAugmentationTransform`). That of
    `albumentations.RandomBrightnessContrast` is around black, which only brightens or darkens.

    Args:
        factor: (lowest, highest), drawn for each channel.
        p: probability.
    """

    class InitSchema(BasicTransform.InitSchema):
        factor: tuple[float, float]

    def __init__(self, *, factor: tuple[float, float] = (0.75, 1.25), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.factor = factor

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        channels = data["image"].shape[2] if data["image"].ndim == 3 else 1
        return {"factors": self.random_generator.uniform(*self.factor, channels)}

    def apply(self, img: NDArray, factors: NDArray[np.float64], **params: Any) -> NDArray:
        channels = np.atleast_3d(img)  # (H, W, C), uint8 or float32
        changed = np.empty_like(channels)
        for c, factor in enumerate(factors):
            values = channels[..., c].astype(np.float32)
            spread = (values - values.mean()) * np.float32(factor) + values.mean()
            spread = spread.clip(values.min(), values.max())
            changed[..., c] = spread.round() if img.dtype == np.uint8 else spread
        return changed.reshape(img.shape)
