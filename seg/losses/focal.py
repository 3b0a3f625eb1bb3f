"""Focal loss. Lin et al. 2017, arXiv:1708.02002, equations 4 and 5; the mean is over pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.pixelwise import negative_log_likelihood, weighted_mean


def focal(nll: Tensor, *, gamma: float) -> Tensor:
    """(1 - p)^gamma x -log p of each pixel, where p is the probability of its truth.

    Args:
        nll: -log p, from 0.
        gamma: from 0; 0 is cross-entropy.
    """
    error = -torch.expm1(-nll)  # 1 - p
    # a power below 1 has no gradient at 0
    return error.clamp(min=1e-7) ** gamma * nll


class FocalLoss(nn.Module):
    """Cross-entropy in which pixels that are predicted well count less.

    Args:
        gamma: how much less, from 0; the paper's choice is 2.
        class_weights: of the mean over pixels (see `ClassWeights`). The paper's alpha = 0.25 for
            one class is [0.75, 0.25].
    """

    def __init__(
        self, *, gamma: float = 2.0, class_weights: Sequence[float] | str | None = None
    ) -> None:
        super().__init__()
        if not gamma >= 0:
            raise ValueError(f"loss.gamma={gamma} must be from 0")
        self.gamma = gamma
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        pixelwise = focal(negative_log_likelihood(logits, target), gamma=self.gamma)
        return weighted_mean(pixelwise, self.class_weights.of_pixels(target, logits.shape[1]))
