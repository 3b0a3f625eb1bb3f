"""What losses of single pixels share: the likelihood of each pixel's truth, and a weighted mean."""

import torch
import torch.nn.functional as F
from torch import Tensor

from seg.losses.target import IGNORE, is_planes, one_hot, valid_pixels


def negative_log_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """-log of the probability of the truth, (N, 1, H, W), or (N, C, H, W) of planes; 0 if ignored.

    Args:
        logits: (N, C, H, W), unbounded; softmax of several channels, sigmoid of one or of planes.
        target: (N, H, W) int64, or planes (N, C, H, W); 255 is ignored.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if is_planes(target) or logits.shape[1] == 1:
        truth = one_hot(target, logits.shape[1]).to(logits.dtype)
        pixelwise = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    else:
        pixelwise = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
        pixelwise = pixelwise.unsqueeze(1)  # (N, 1, H, W)
    return pixelwise.masked_fill(~valid_pixels(target), 0.0)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Sum of weight x value over the sum of the weights; 0 where that is 0."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)
