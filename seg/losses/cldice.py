"""Centreline Dice (clDice) of thin, branching objects. Shit et al. 2021, arXiv:2003.07311."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.dice import require_smooth
from seg.losses.target import regions


def soft_skeleton(masks: Tensor, iterations: int) -> Tensor:
    """The centrelines of soft masks (N, C, H, W) in 0-1; algorithm 1.

    Args:
        iterations: at least the radius, in pixels, of the thickest object.
    """
    skeleton = F.relu(masks - _opened(masks))
    for _ in range(iterations):
        masks = _eroded(masks)
        more = F.relu(masks - _opened(masks))
        skeleton = skeleton + F.relu(more - skeleton * more)
    return skeleton


def _eroded(masks: Tensor) -> Tensor:
    by_column = -F.max_pool2d(-masks, (3, 1), 1, (1, 0))
    by_row = -F.max_pool2d(-masks, (1, 3), 1, (0, 1))
    return torch.minimum(by_column, by_row)


def _opened(masks: Tensor) -> Tensor:
    return F.max_pool2d(_eroded(masks), 3, 1, 1)


def soft_cldice(
    probs: Tensor, target: Tensor, valid: Tensor, *, iterations: int, smooth: float = 1.0
) -> Tensor:
    """Soft clDice in 0-1 of every image and class, (N, C); equations 1 and 2, algorithm 2.

    Args:
        probs: (N, C, H, W) in 0-1; target likewise.
        valid: (N, 1 or C, H, W), pixels that count; the others are background for the centrelines.
        iterations: see `soft_skeleton`.
        smooth: added above and below, in pixels; with it, empty and predicted empty scores 1.
    """
    probs, target = probs * valid, target * valid
    line, true_line = soft_skeleton(probs, iterations), soft_skeleton(target, iterations)
    precision = ((line * target).sum((2, 3)) + smooth) / (line.sum((2, 3)) + smooth)
    sensitivity = ((true_line * probs).sum((2, 3)) + smooth) / (true_line.sum((2, 3)) + smooth)
    return 2 * precision * sensitivity / (precision + sensitivity)


class CLDiceLoss(nn.Module):
    """1 - soft clDice, averaged over images and foreground classes.

    The paper adds it to the soft Dice loss, each with a weight of 0.5 (equation 3), since by itself
    it leaves the width of objects open.

    Args:
        iterations: at least the radius, in pixels, of the thickest object.
        smooth: in pixels, above 0.
        class_weights: of the mean over classes (see `ClassWeights`); then of the background too.
    """

    def __init__(
        self,
        *,
        iterations: int = 5,
        smooth: float = 1.0,
        class_weights: Sequence[float] | str | None = None,
    ) -> None:
        super().__init__()
        if iterations < 1:
            raise ValueError(f"loss.iterations={iterations} must be from 1")
        self.iterations = iterations
        self.smooth = require_smooth(smooth)
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        probs, truth, valid = regions(logits, target, background=self.class_weights.given)
        options = {"iterations": self.iterations, "smooth": self.smooth}
        return self.class_weights.mean(1 - soft_cldice(probs, truth, valid, **options))
