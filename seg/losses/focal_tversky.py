"""Focal Tversky loss. Abraham & Khan 2018, arXiv:1810.07842, FTL; their alpha weighs false
negatives, ours false positives, as in `tversky`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seg.losses.tversky import TverskyLoss

SMALL = 1e-6


def focal_error(error: Tensor, *, gamma: float) -> Tensor:
    """error^(1 / gamma), a straight line below 1e-6, where the power's slope has no bound.

    Args:
        error: 1 - Tversky index, in 0-1.
        gamma: above 0; above 1, classes with small errors count more.
    """
    power = error.clamp(min=SMALL) ** (1 / gamma)
    return torch.where(error > SMALL, power, error * SMALL ** (1 / gamma - 1))


class FocalTverskyLoss(TverskyLoss):
    """(1 - Tversky index)^(1 / gamma), averaged over images and foreground classes.

    Args:
        alpha: weight of false positives, from 0; the paper's choice is 0.3.
        beta: weight of false negatives, from 0; the paper's choice is 0.7.
        gamma: 1 is the Tversky loss; the paper's choice is 4/3, of 1 to 3.
        smooth: in pixels, above 0.
        pooled: one index of the whole batch (see `DiceLoss`).
        class_weights: of the mean over classes (see `ClassWeights`); then of the background too.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 4 / 3,
        smooth: float = 1.0,
        pooled: bool = False,
        class_weights: Sequence[float] | str | None = None,
    ) -> None:
        super().__init__(
            alpha=alpha, beta=beta, smooth=smooth, pooled=pooled, class_weights=class_weights
        )
        if not gamma > 0:
            raise ValueError(f"loss.gamma={gamma} must be above 0")
        self.gamma = gamma

    def error(self, index: Tensor) -> Tensor:
        return focal_error(1 - index, gamma=self.gamma)
