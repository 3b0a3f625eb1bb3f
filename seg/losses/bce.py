"""Binary cross-entropy with logits; for several classes, each against the rest."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.losses.target import one_hot, valid_pixels


def binary_cross_entropy(
    logits: Tensor, target: Tensor, valid: Tensor, *, pos_weight: Tensor | None = None
) -> Tensor:
    """Mean over the valid pixels and channels; a batch without valid pixels scores 0.

    Args:
        logits: (N, C, H, W), unbounded.
        target: (N, C, H, W) in 0-1.
        valid: (N, 1 or C, H, W) bool, the pixels that count.
        pos_weight: weight of foreground pixels, one number or (C, 1, 1).
    """
    pixelwise = F.binary_cross_entropy_with_logits(
        logits.float(), target, pos_weight=pos_weight, reduction="none"
    )
    count = valid.expand_as(logits).sum().clamp(min=1)
    return pixelwise.masked_fill(~valid, 0.0).sum() / count


class BCELoss(nn.Module):
    """Binary cross-entropy.

    Args:
        pos_weight: weight of foreground pixels, above 0; one number, or one for each channel.
    """

    def __init__(self, *, pos_weight: float | Sequence[float] = 1.0) -> None:
        super().__init__()
        weight = torch.tensor(pos_weight, dtype=torch.float32)
        if not (weight > 0).all():
            raise ValueError(f"loss.pos_weight={pos_weight} must be above 0")
        weight = weight[:, None, None] if weight.ndim else weight  # (C, 1, 1)
        # not in the state: checkpoints of all versions have the same keys
        self.register_buffer(
            "pos_weight", None if (weight == 1).all() else weight, persistent=False
        )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        channels = logits.shape[1]
        weight = self.pos_weight
        if weight is not None and weight.ndim and len(weight) != channels:
            raise ValueError(f"loss.pos_weight has {len(weight)} entries for {channels} channels")
        valid, truth = valid_pixels(target), one_hot(target, channels)
        return binary_cross_entropy(logits, truth, valid, pos_weight=weight)
