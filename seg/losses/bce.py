"""Binary cross-entropy with logits; for several classes, each against the rest."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.losses.target import one_hot, valid_pixels


def binary_cross_entropy(
    logits: Tensor, target: Tensor, valid: Tensor, *, pos_weight: float = 1.0
) -> Tensor:
    """Mean over the valid pixels and channels; a batch without valid pixels scores 0.

    Args:
        logits: (N, C, H, W), unbounded.
        target: (N, C, H, W) in 0-1.
        valid: (N, 1, H, W) bool, the pixels that count.
        pos_weight: weight of foreground pixels.
    """
    weight = torch.tensor(pos_weight, device=logits.device) if pos_weight != 1 else None
    pixelwise = F.binary_cross_entropy_with_logits(
        logits.float(), target, pos_weight=weight, reduction="none"
    )
    count = (valid.sum() * logits.shape[1]).clamp(min=1)
    return pixelwise.masked_fill(~valid, 0.0).sum() / count


class BCELoss(nn.Module):
    """Binary cross-entropy.

    Args:
        pos_weight: weight of foreground pixels, above 0.
    """

    def __init__(self, *, pos_weight: float = 1.0) -> None:
        super().__init__()
        if not pos_weight > 0:
            raise ValueError(f"loss.pos_weight={pos_weight} must be above 0")
        self.pos_weight = pos_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        valid = valid_pixels(target).unsqueeze(1)
        truth = one_hot(target, logits.shape[1])
        return binary_cross_entropy(logits, truth, valid, pos_weight=self.pos_weight)
