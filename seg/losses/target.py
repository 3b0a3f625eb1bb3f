"""The target as losses need it: which pixels count, and their classes as channels."""

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 255


def is_planes(target: Tensor) -> bool:
    """Whether the target has a plane for each class, (N, C, H, W), which may share pixels."""
    return target.ndim == 4


def valid_pixels(target: Tensor) -> Tensor:
    """(N, 1, H, W) bool, False at ignored pixels; (N, C, H, W) of a target of planes."""
    valid = target != IGNORE
    return valid if is_planes(target) else valid.unsqueeze(1)


def one_hot(target: Tensor, channels: int) -> Tensor:
    """(N, H, W) int64 to (N, C, H, W) float: foreground alone for one channel, else every class.

    Planes (N, C, H, W) stay as they are. Ignored pixels are background here; the caller leaves
    them out with `valid_pixels`.
    """
    target = target.masked_fill(target == IGNORE, 0)
    if is_planes(target):
        return target.float()
    if channels == 1:
        return (target > 0).unsqueeze(1).float()
    return F.one_hot(target, channels).movedim(-1, 1).float()


def probabilities(logits: Tensor, *, planes: bool = False) -> Tensor:
    """(N, C, H, W) logits to float32 probabilities: sigmoid of one channel, softmax of more; the
    sigmoid of each where the target is `planes`.
    """
    logits = logits.float()
    each = planes or logits.shape[1] == 1
    return torch.sigmoid(logits) if each else torch.softmax(logits, dim=1)


def regions(
    logits: Tensor, target: Tensor, *, background: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """What a loss of regions compares: probabilities and truth of each class, and valid pixels.

    Args:
        logits: (N, C, H, W), unbounded.
        target: (N, H, W) int64, or planes (N, C, H, W); 255 is ignored.
        background: whether the background is a class too. It would drown the mean of the others,
            so it is one only where it has a weight; planes have none.
    Returns:
        probabilities (N, K, H, W) float32, truth likewise, 0 or 1, and valid (N, 1 or K, H, W).
    """
    planes = is_planes(target)
    probs = probabilities(logits, planes=planes)
    truth = one_hot(target, probs.shape[1])
    if not planes and background and probs.shape[1] == 1:
        probs, truth = torch.cat([1 - probs, probs], 1), torch.cat([1 - truth, truth], 1)
    elif not planes and not background and probs.shape[1] > 1:
        probs, truth = probs[:, 1:], truth[:, 1:]
    return probs, truth, valid_pixels(target)
