"""The target as losses need it: which pixels count, and their classes as channels."""

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 255


def valid_pixels(target: Tensor) -> Tensor:
    """(N, H, W) bool: False at ignored pixels."""
    return target != IGNORE


def one_hot(target: Tensor, channels: int) -> Tensor:
    """(N, H, W) int64 to (N, C, H, W) float: foreground alone for one channel, else every class.

    Ignored pixels are background here; the caller leaves them out with `valid_pixels`.
    """
    target = target.masked_fill(target == IGNORE, 0)
    if channels == 1:
        return (target > 0).unsqueeze(1).float()
    return F.one_hot(target, channels).movedim(-1, 1).float()


def probabilities(logits: Tensor) -> Tensor:
    """(N, C, H, W) logits to float32 probabilities: sigmoid of one channel, softmax of more."""
    logits = logits.float()
    return torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)
