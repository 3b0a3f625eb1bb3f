"""Soft Dice loss. Milletari et al. 2016, arXiv:1606.04797; denominator not squared, as most use
it.
"""

from torch import Tensor, nn

from seg.losses.target import is_planes, one_hot, probabilities, valid_pixels


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

    smooth: in pixels, above 0. pooled: one Dice of the whole batch, which small objects and empty
        images disturb less, but whose value depends on the batch size.
    """

    def __init__(self, *, smooth: float = 1.0, pooled: bool = False) -> None:
        super().__init__()
        if not smooth > 0:
            raise ValueError(
                f"loss.smooth={smooth} must be above 0: empty masks would divide 0 by 0"
            )
        self.smooth = smooth
        self.pooled = pooled

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        planes = is_planes(target)
        probs = probabilities(logits, planes=planes)
        truth = one_hot(target, probs.shape[1])
        if probs.shape[1] > 1 and not planes:
            probs, truth = probs[:, 1:], truth[:, 1:]  # background would drown the mean
        valid = valid_pixels(target)
        dice = soft_dice(probs, truth, valid, smooth=self.smooth, pooled=self.pooled)
        return 1 - dice.mean()
