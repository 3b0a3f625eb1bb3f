"""The mean loss of an epoch."""

import torch
import torchmetrics
from torch import Tensor


class MeanLoss(torchmetrics.Metric):
    """The mean over images of losses that are means over batches.

    torchmetrics' MeanMetric gives the same digits, but takes three times as long on the host, and
    stalls a GPU at each step or ignores weights, by its `nan_strategy` (version 1.9).
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("mean_value", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("weight", default=torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, loss: Tensor, images: int) -> None:
        """Add a batch. loss: (), mean over its `images`."""
        self.mean_value.add_(loss.repeat(images).sum())  # nn.Module would look at what is assigned
        self.weight.add_(images)

    def compute(self) -> Tensor:
        """The mean, (); NaN without an image."""
        return self.mean_value / self.weight
