"""Attention U-Net: gates on the skip connections. Oktay et al. 2018, arXiv:1804.03999."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.unet import UNet, Up


class AttentionGate(nn.Module):
    """Weights a skip connection, pixel by pixel, by what the coarser level has found there.

    Args:
        skip: channels of the skip connection; gate: those of the coarser level, at half its size.
    """

    def __init__(self, *, skip: int, gate: int) -> None:
        super().__init__()
        hidden = max(1, skip // 2)
        self.of_skip = nn.Conv2d(skip, hidden, 2, stride=2, bias=False)
        self.of_gate = nn.Conv2d(gate, hidden, 1)
        self.weight = nn.Conv2d(hidden, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        weight = self.weight(F.relu(self.of_skip(skip) + self.of_gate(gate)))  # (N, 1, H/2, W/2)
        return skip * F.interpolate(torch.sigmoid(weight), scale_factor=2.0, mode="bilinear")


class GatedUp(Up):
    """A decoder's level whose skip connection goes through a gate."""

    def __init__(self, *, channels: int, up: str, norm: str, dropout: float) -> None:
        super().__init__(channels=channels, up=up, norm=norm, dropout=dropout)
        self.gate = AttentionGate(skip=channels // 2, gate=channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return super().forward(x, self.gate(skip, x))


class AttentionUNet(UNet):
    """A `UNet`, with the same arguments, whose skip connections go through attention gates."""

    level = GatedUp
