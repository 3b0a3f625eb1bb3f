"""Soft Jaccard (IoU) loss. Rahman & Wang 2016, doi:10.1007/978-3-319-50835-1_22, equations 3-5."""

from collections.abc import Sequence

from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.dice import require_smooth
from seg.losses.target import regions
from seg.losses.tversky import tversky_index


def soft_jaccard(
    probs: Tensor, target: Tensor, valid: Tensor, *, smooth: float = 1.0, pooled: bool = False
) -> Tensor:
    """Intersection over union in 0-1 of every image and class, (N, C); pooled (C,).

    Args:
        probs: (N, C, H, W) in 0-1; target likewise.
        valid: (N, 1 or C, H, W), pixels that count.
        smooth: added above and below, in pixels; with it, empty and predicted empty scores 1.
        pooled: over the whole batch.
    """
    # the union is TP + FP + FN
    return tversky_index(probs, target, valid, alpha=1, beta=1, smooth=smooth, pooled=pooled)


class JaccardLoss(nn.Module):
    """1 - soft Jaccard index, averaged over images and foreground classes.

    Args:
        smooth: in pixels, above 0.
        pooled: one index of the whole batch (see `DiceLoss`).
        class_weights: of the mean over classes (see `ClassWeights`); then of the background too.
    """

    def __init__(
        self,
        *,
        smooth: float = 1.0,
        pooled: bool = False,
        class_weights: Sequence[float] | str | None = None,
    ) -> None:
        super().__init__()
        self.smooth = require_smooth(smooth)
        self.pooled = pooled
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        probs, truth, valid = regions(logits, target, background=self.class_weights.given)
        index = soft_jaccard(probs, truth, valid, smooth=self.smooth, pooled=self.pooled)
        return self.class_weights.mean(1 - index)
