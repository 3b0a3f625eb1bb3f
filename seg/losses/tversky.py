"""Tversky loss. Salehi et al. 2017, arXiv:1706.05721, equation 3."""

from collections.abc import Sequence

from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.dice import require_smooth
from seg.losses.target import regions


def tversky_index(
    probs: Tensor,
    target: Tensor,
    valid: Tensor,
    *,
    alpha: float,
    beta: float,
    smooth: float = 1.0,
    pooled: bool = False,
) -> Tensor:
    """TP / (TP + alpha FP + beta FN) in 0-1 of every image and class, (N, C); pooled (C,).

    Args:
        probs: (N, C, H, W) in 0-1; target likewise.
        valid: (N, 1 or C, H, W), pixels that count.
        alpha: weight of false positives. 0.5 and 0.5 are Dice, 1 and 1 the Jaccard index.
        beta: weight of false negatives.
        smooth: added above and below, in pixels; with it, empty and predicted empty scores 1.
        pooled: over the whole batch.
    """
    dims = (0, 2, 3) if pooled else (2, 3)
    probs, target = probs * valid, target * valid
    overlap = (probs * target).sum(dims)
    missed, invented = target.sum(dims) - overlap, probs.sum(dims) - overlap
    return (overlap + smooth) / (overlap + alpha * invented + beta * missed + smooth)


class TverskyLoss(nn.Module):
    """1 - Tversky index, averaged over images and foreground classes.

    Args:
        alpha: weight of false positives, from 0; the paper's choice is 0.3.
        beta: weight of false negatives, from 0; the paper's choice is 0.7.
        smooth: in pixels, above 0.
        pooled: one index of the whole batch (see `DiceLoss`).
        class_weights: of the mean over classes (see `ClassWeights`); then of the background too.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        pooled: bool = False,
        class_weights: Sequence[float] | str | None = None,
    ) -> None:
        super().__init__()
        if not (alpha >= 0 and beta >= 0 and alpha + beta > 0):
            raise ValueError(
                f"loss.alpha={alpha} and loss.beta={beta} must be from 0, one of them above"
            )
        self.options = {"alpha": alpha, "beta": beta, "pooled": pooled}
        self.options["smooth"] = require_smooth(smooth)
        self.class_weights = ClassWeights(class_weights)

    def error(self, index: Tensor) -> Tensor:
        """The loss of every image and class whose Tversky index this is."""
        return 1 - index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        probs, truth, valid = regions(logits, target, background=self.class_weights.given)
        return self.class_weights.mean(
            self.error(tversky_index(probs, truth, valid, **self.options))
        )
