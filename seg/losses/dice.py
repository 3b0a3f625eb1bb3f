"""Soft Dice loss. Milletari et al. 2016, arXiv:1606.04797; denominator not squared, as most use
it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.target import regions


def soft_dice(
    probs: Tensor, target: Tensor, valid: Tensor, *, smooth: float = 1.0, pooled: bool = False
) -> Tensor:
    """Soft Dice in 0-1 of every image and class (N, C), or of every class over the batch (C,) if
    pooled.

    probs, target: (N, C, H, W) in 0-1. valid: (N, 1 or C, H, W), pixels that count.
    smooth: added above and below, in pixels; with it, empty and predicted empty scores 1.
    """
    dims = (0, 2, 3) if pooled else (2, 3)
    probs, target = probs * valid, target * valid
    overlap = (probs * target).sum(dims)
    return (2 * overlap + smooth) / (probs.sum(dims) + target.sum(dims) + smooth)


class DiceLoss(nn.Module):
    """1 - soft Dice, averaged over images and foreground classes.

    Args:
        smooth: in pixels, above 0.
        pooled: one Dice of the whole batch, which small objects and empty images disturb less, but
            whose value depends on the batch size.
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
        dice = soft_dice(probs, truth, valid, smooth=self.smooth, pooled=self.pooled)
        return 1 - self.class_weights.mean(dice)


def require_smooth(smooth: float) -> float:
    """The value itself. Raises ValueError if it is not above 0."""
    if not smooth > 0:
        raise ValueError(f"loss.smooth={smooth} must be above 0: empty masks would divide 0 by 0")
    return smooth
