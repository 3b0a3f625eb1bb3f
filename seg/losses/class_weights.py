"""A weight for each class, given or computed from the training masks."""

from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor, nn

from seg.losses.target import IGNORE, is_planes, valid_pixels

AUTO = "auto"


def median_frequency(frequencies: Sequence[float]) -> list[float]:
    """Weights of classes: the median of their frequencies over each one's own.

    Eigen & Fergus 2015, arXiv:1411.4734. A class without a pixel gets 1.

    Args:
        frequencies: share of the pixels of each class, in the images that have it; 0-1.
    """
    middle = median([f for f in frequencies if f > 0] or [1.0])
    return [middle / f if f > 0 else 1.0 for f in frequencies]


class ClassWeights(nn.Module):
    """Weights of the classes of a loss: background first; classes that share pixels have none.

    Args:
        values: one number for each class, from 0; None: all count the same; "auto": `fill` is
            called before the first step.
    """

    def __init__(self, values: Sequence[float] | str | None) -> None:
        super().__init__()
        self.is_auto = values == AUTO
        # those that are given are in the configuration; the others stay the same in a resumed run
        self.register_buffer("values", None, persistent=self.is_auto)
        if values is not None and not self.is_auto:
            self.fill(values)

    @property
    def given(self) -> bool:
        """Whether classes count differently. Raises ValueError before `fill`, with "auto"."""
        if self.is_auto and self.values is None:
            raise ValueError("loss.class_weights=auto: computed by seg.train; give a list here")
        return self.values is not None

    def fill(self, values: Sequence[float]) -> None:
        """Set the weights. Raises ValueError if they are no numbers from 0, one of them above."""
        weights = torch.tensor([float(value) for value in values])
        if not (torch.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError(
                f"loss.class_weights={list(values)}: must be numbers from 0, one of them above"
            )
        self.values = weights

    def of(self, classes: int) -> Tensor:
        """(C,) Raises ValueError if the weights are not those of so many classes."""
        if len(self.values) != classes:
            raise ValueError(
                f"loss.class_weights has {len(self.values)} entries for {classes} classes"
            )
        return self.values

    def of_pixels(self, target: Tensor, channels: int) -> Tensor:
        """(N, 1, H, W) the weight of each pixel's class, or (N, C, H, W) of planes; 0 if ignored.

        Args:
            target: (N, H, W) int64, or planes (N, C, H, W).
            channels: of the logits; one has two classes.
        """
        valid = valid_pixels(target).float()
        if not self.given:
            return valid
        if is_planes(target):
            return valid * self.of(channels)[:, None, None]
        index = target.masked_fill(target == IGNORE, 0)
        index = (index > 0).long() if channels == 1 else index
        return valid * self.of(max(2, channels))[index].unsqueeze(1)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of (..., C), in which each class counts by its weight; a scalar."""
        if not self.given:
            return values.mean()
        weights = self.of(values.shape[-1])
        return ((values * weights).sum(-1) / weights.sum()).mean()
