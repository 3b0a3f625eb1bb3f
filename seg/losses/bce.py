"""Binary cross-entropy with logits; for several classes, each against the rest."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.pixelwise import weighted_mean
from seg.losses.target import is_planes, one_hot, valid_pixels


def binary_cross_entropy(
    logits: Tensor,
    target: Tensor,
    valid: Tensor,
    *,
    pos_weight: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean over the valid pixels and channels; a batch without valid pixels scores 0.

    Args:
        logits: (N, C, H, W), unbounded.
        target: (N, C, H, W) in 0-1.
        valid: (N, 1 or C, H, W) bool, the pixels that count.
        pos_weight: weight of foreground pixels, one number or (C, 1, 1).
        weights: (N, C, H, W), 0 where not valid; the mean is over their sum then.
    """
    pixelwise = F.binary_cross_entropy_with_logits(
        logits.float(), target, pos_weight=pos_weight, reduction="none"
    )
    if weights is not None:
        return weighted_mean(pixelwise, weights)
    count = valid.expand_as(logits).sum().clamp(min=1)
    return pixelwise.masked_fill(~valid, 0.0).sum() / count


class BCELoss(nn.Module):
    """Binary cross-entropy.

    Args:
        pos_weight: weight of foreground pixels, above 0; one number, or one for each channel.
        class_weights: of the mean over pixels (see `ClassWeights`); of several classes, each of
            which is a channel against the rest, of the mean over channels.
    """

    def __init__(
        self,
        *,
        pos_weight: float | Sequence[float] = 1.0,
        class_weights: Sequence[float] | str | None = None,
    ) -> None:
        super().__init__()
        self.class_weights = ClassWeights(class_weights)
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
        weights = self._weights(target, channels) if self.class_weights.given else None
        return binary_cross_entropy(logits, truth, valid, pos_weight=weight, weights=weights)

    def _weights(self, target: Tensor, channels: int) -> Tensor:
        if channels == 1 or is_planes(target):
            return self.class_weights.of_pixels(target, channels)
        return valid_pixels(target) * self.class_weights.of(channels)[:, None, None]
