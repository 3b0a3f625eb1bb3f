"""Cross-entropy over classes of which each pixel has one."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.target import IGNORE, is_planes


def cross_entropy(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Mean over the valid pixels; a batch without valid pixels scores 0.

    A single channel z is read as the two classes (0, z), whose softmax is the sigmoid of z.

    Args:
        logits: (N, C, H, W), unbounded.
        target: (N, H, W) int64; 255 is ignored.
        weight: (C,) a weight for each class; the mean is over their sum, as in torch.
    """
    logits = logits.float()
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)  # (N, 2, H, W)
    if weight is not None and len(weight) != logits.shape[1]:
        raise ValueError(
            f"loss.class_weights has {len(weight)} entries for {logits.shape[1]} classes"
        )
    total = F.cross_entropy(logits, target, weight, ignore_index=IGNORE, reduction="sum")
    valid = target != IGNORE
    counts = weight[target[valid]].sum() if weight is not None else valid.sum()
    return total / counts.clamp(min=1e-6)


class CELoss(nn.Module):
    """Cross-entropy.

    Args:
        class_weights: of the mean over pixels (see `ClassWeights`).
        weight: its name in earlier versions.
    """

    def __init__(
        self,
        *,
        class_weights: Sequence[float] | str | None = None,
        weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if class_weights is not None and weight is not None:
            raise ValueError("loss.weight: is the earlier name of class_weights; remove it")
        self.class_weights = ClassWeights(weight if class_weights is None else class_weights)
        # checkpoints of earlier versions have the weights, which the configuration says as well
        self.register_load_state_dict_pre_hook(
            lambda module, state, prefix, *_: state.pop(f"{prefix}weight", None)
        )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        if is_planes(target):
            raise ValueError(
                "cross-entropy is of classes of which each pixel has one; with "
                "dataset.overlap=true take loss=bce or loss=bce_dice"
            )
        weight = self.class_weights.values if self.class_weights.given else None
        return cross_entropy(logits, target, weight=weight)
