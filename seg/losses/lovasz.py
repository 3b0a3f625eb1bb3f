"""Lovász losses, convex surrogates of the Jaccard loss. Berman et al. 2018, arXiv:1705.08790."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.target import is_planes, one_hot, probabilities, valid_pixels


def lovasz_extension(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """The Lovász extension of the Jaccard loss of each mask, (...); equation 9, algorithm 1.

    Args:
        errors: (..., P) of each pixel; those below 0 count as 0.
        truth: (..., P) bool, the mask.
        valid: (..., P) bool, pixels that count.
    """
    # ignored pixels come last, where they change nothing before them
    errors = errors.masked_fill(~valid, torch.finfo(errors.dtype).min)
    errors, order = errors.sort(dim=-1, descending=True)
    inside = (truth & valid).gather(-1, order).to(errors.dtype)
    outside = (~truth & valid).gather(-1, order).to(errors.dtype)
    total = inside.sum(-1, keepdim=True)
    union = total + outside.cumsum(-1)
    jaccard = 1 - (total - inside.cumsum(-1)) / union.clamp(min=1)
    steps = torch.diff(jaccard, dim=-1, prepend=torch.zeros_like(total))
    return (errors.relu() * steps).sum(-1)


class LovaszLoss(nn.Module):
    """Lovász softmax of several classes; Lovász hinge of one, and of each that shares pixels.

    As in the paper's code: the softmax is averaged over the classes that an image has, background
    included, and the hinge of an empty mask is its largest error.

    Args:
        pooled: one Jaccard index of the whole batch, instead of one of each image.
        class_weights: of the mean over classes (see `ClassWeights`). With one channel the hinge of
            the background is averaged in.
    """

    def __init__(
        self, *, pooled: bool = False, class_weights: Sequence[float] | str | None = None
    ) -> None:
        super().__init__()
        self.pooled = pooled
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        channels = logits.shape[1]
        truth, valid = one_hot(target, channels), valid_pixels(target)
        is_hinge = channels == 1 or is_planes(target)
        if is_hinge:
            scores = logits.float()
            if self.class_weights.given and not is_planes(target):
                scores, truth = torch.cat([-scores, scores], 1), torch.cat([1 - truth, truth], 1)
            errors = 1 - scores * (2 * truth - 1)
        else:
            errors = (truth - probabilities(logits)).abs()
        flat = [self._flat(x) for x in (errors, truth > 0, valid.expand_as(errors))]
        values = lovasz_extension(*flat)  # (N, K), or (1, K) pooled
        if is_hinge:
            return self.class_weights.mean(values)
        present = (flat[1] & flat[2]).any(-1).float()
        if self.class_weights.given:
            present = present * self.class_weights.of(channels)
        return ((values * present).sum(-1) / present.sum(-1).clamp(min=1e-6)).mean()

    def _flat(self, pixels: Tensor) -> Tensor:
        """(N, K, H, W) to (N, K, P), or (1, K, P) of the whole batch."""
        if self.pooled:
            pixels = pixels.transpose(0, 1).unsqueeze(0)  # (1, K, N, H, W)
        return pixels.flatten(2)
