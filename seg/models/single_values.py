"""Batch normalisation of layers that may get a single value for each channel."""

import torch.nn.functional as F
from torch import Tensor, nn


class _BatchNorm(nn.BatchNorm2d):
    """Takes its running statistics where a batch has none: one image, pooled to one pixel."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1] and self.track_running_stats:
            statistics = self.running_mean, self.running_var
            return F.batch_norm(x, *statistics, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(x)


def spare_single_values(network: nn.Module) -> None:
    """Let a network with global pooling train on a batch of one image, as an epoch's last may be.

    torch raises an error there. The names and shapes of its weights stay as they are.
    """
    for layer in network.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = _BatchNorm
