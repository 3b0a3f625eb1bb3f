"""A sum of losses: BCE + Dice, cross-entropy + Dice, or any others."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """Sum of weight x loss.

    Args:
        losses: called as `loss(logits, target)`.
        weights: a number for each loss.
    """

    def __init__(self, *, losses: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if not losses or len(losses) != len(weights):
            raise ValueError(f"loss.weights has {len(weights)} entries for {len(losses)} losses")
        self.losses = nn.ModuleList(losses)
        self.weights = list(weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        terms = [
            w * loss(logits, target) for w, loss in zip(self.weights, self.losses, strict=True)
        ]
        return torch.stack(terms).sum()
