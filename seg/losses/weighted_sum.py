"""A sum of losses, each by its name: BCE + Dice, cross-entropy + Dice, or any others."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """Sum of scale x loss.

    Args:
        terms: losses by their names, called as `loss(logits, target)`.
        scales: a number for each name; 1 where there is none.
        losses: instead of `terms`, without names: the form of earlier versions.
        weights: a number for each of `losses`, or of `terms` instead of their scales.
    """

    def __init__(
        self,
        *,
        terms: Mapping[str, nn.Module] | None = None,
        scales: Mapping[str, float] | None = None,
        losses: Sequence[nn.Module] = (),
        weights: Sequence[float] = (),
    ) -> None:
        super().__init__()
        # experiments of earlier versions lay `losses` over today's bce_dice, which has terms
        if losses:
            weights = weights or [1.0] * len(losses)
        elif terms:
            losses = terms.values()
            weights = weights or [(scales or {}).get(name, 1.0) for name in terms]
        if not losses:
            raise ValueError("loss.terms: has no loss")
        if len(losses) != len(weights):
            raise ValueError(f"loss.weights has {len(weights)} entries for {len(losses)} losses")
        self.losses = nn.ModuleList(losses)
        self.weights = list(weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        terms = [
            w * loss(logits, target) for w, loss in zip(self.weights, self.losses, strict=True)
        ]
        return torch.stack(terms).sum()
