"""The loss of a network that gives logits at several levels of its decoder."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def deeply_supervised(
    loss: Callable[[Tensor, Tensor], Tensor], levels: Sequence[Tensor], target: Tensor
) -> Tensor:
    """The mean of a loss over several levels of logits, each weighs half as much as the finer.

    Lee et al. 2015, arXiv:1409.5185; the weights are nnU-Net's, Isensee et al. 2021,
    doi:10.1038/s41592-020-01008-z.

    Args:
        levels: logits (N, C, H, W), finest first; one without deep supervision.
    """
    if len(levels) == 1:
        return loss(levels[0], target)
    weights = [0.5**level for level in range(len(levels))]
    terms = [w * loss(logits, target) for w, logits in zip(weights, levels, strict=True)]
    return torch.stack(terms).sum() / sum(weights)
