"""Stored intensities to network input; a layer, so that it is saved with the weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MODES = ("unit", "dataset", "image")
Statistics = tuple[list[float], list[float]]  # means and deviations by channel, in 0-255


def choose(
    mode: str, network: nn.Module, statistics: Statistics
) -> tuple[str, list[float], list[float]]:
    """The mode, means and deviations of `Normalize`, with `auto` decided.

    Args:
        mode: one of `MODES`, or `auto`: what the network's weights expect, else `dataset`.
        network: its attribute `expects`, if it has one, holds means and deviations or None.
        statistics: means and deviations by channel of the training images, in 0-255.
    """
    if mode == "auto":
        mode, statistics = "dataset", getattr(network, "expects", None) or statistics
    return mode, *statistics


def by_channel(rgb: Statistics, channels: int) -> Statistics:
    """What weights for RGB expect of images of `channels` channels, adapted as their first
    convolution is: of grey the mean over RGB, of others R, G and B in turn.
    """
    if channels == 1:
        means, deviations = ([sum(values) / len(values)] for values in rgb)
    else:
        means, deviations = ([values[i % 3] for i in range(channels)] for values in rgb)
    return means, deviations


class Normalize(nn.Module):
    """(N, C, H, W) uint8 or float in 0-255 to float32 of about unit size.

    Args:
        mode: `unit` divides by 255, `dataset` uses `mean` and `std`, `image` those of each image
            and channel.
        mean: by channel, in 0-255.
        std: by channel, in 0-255.
    """

    def __init__(self, *, mode: str, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"dataset.normalize={mode!r} is none of {', '.join(MODES)}")
        if mode == "unit":
            mean, std = [0.0] * len(mean), [255.0] * len(std)
        self.per_image = mode == "image"
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        if self.per_image:
            image = image.float()
            std, mean = torch.std_mean(image, dim=(2, 3), keepdim=True, correction=0)
            return (image - mean) / std.clamp(min=1.0)
        return (image - self.mean).div_(self.std)  # uint8 minus float32 is float32, a new tensor
