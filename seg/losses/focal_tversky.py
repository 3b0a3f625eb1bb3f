"""Focal Tversky loss. Abraham & Khan 2018, arXiv:1810.07842, FTL; their alpha weighs false
negatives, ours false positives, as in `tversky`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.dice import require_smooth
from seg.losses.target import regions
from seg.losses.tversky import tversky_index

SMALL = 1e-6


def focal_error(error: Tensor, *, gamma: float) -> Tensor:
    """error^(1 / gamma), a straight line below 1e-6, where the power's slope has no bound.

    Args:
        error: 1 - Tversky index, in 0-1.
        gamma: above 0; above 1, classes with small errors count more.
    """
    power = error.clamp(min=SMALL) ** (1 / gamma)
    return torch.where(error > SMALL, power, error * SMALL ** (1 / gamma - 1))


class FocalTverskyLoss(nn.Module):
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
        super().__init__()
        if not gamma > 0:
            raise ValueError(f"loss.gamma={gamma} must be above 0")
        if not (alpha >= 0 and beta >= 0 and alpha + beta > 0):
            raise ValueError(
                f"loss.alpha={alpha} and loss.beta={beta} must be from 0, one of them above"
            )
        self.gamma = gamma
        self.options = {"alpha": alpha, "beta": beta, "pooled": pooled}
        self.options["smooth"] = require_smooth(smooth)
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        probs, truth, valid = regions(logits, target, background=self.class_weights.given)
        index = tversky_index(probs, truth, valid, **self.options)
        return self.class_weights.mean(focal_error(1 - index, gamma=self.gamma))
