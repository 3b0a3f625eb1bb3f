"""Cross-entropy of the hardest pixels. Wu et al. 2016, arXiv:1605.06885, section 3.2, "online
bootstrapping"; a share of the pixels, as nnU-Net's TopKLoss, instead of a threshold.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seg.losses.class_weights import ClassWeights
from seg.losses.pixelwise import negative_log_likelihood, weighted_mean


def hardest(nll: Tensor, weights: Tensor, *, share: float) -> Tensor:
    """The weighted mean of the pixels with the highest weight x -log p; 0 if none counts.

    Args:
        nll: -log p of each pixel, where p is the probability of its truth.
        weights: of the same shape; pixels of weight 0 do not count.
        share: of the pixels that count, above 0, up to 1; at least one pixel is taken.
    """
    counted = weights > 0
    values, weights = nll[counted], weights[counted]
    if not len(values):
        return nll.sum() * 0  # with a gradient, of 0
    taken = torch.topk(values * weights, max(1, int(share * len(values))), sorted=False).indices
    return weighted_mean(values[taken], weights[taken])


class TopKCELoss(nn.Module):
    """Cross-entropy of the hardest pixels of the batch; a share of 1 is that of all.

    With one channel, and with classes that share pixels, it is the binary cross-entropy.

    Args:
        share: of the pixels, above 0, up to 1.
        class_weights: of the mean over pixels (see `ClassWeights`).
    """

    def __init__(
        self, *, share: float = 0.1, class_weights: Sequence[float] | str | None = None
    ) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"loss.share={share} must be above 0 and up to 1")
        self.share = share
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        weights = self.class_weights.of_pixels(target, logits.shape[1])
        return hardest(negative_log_likelihood(logits, target), weights, share=self.share)
