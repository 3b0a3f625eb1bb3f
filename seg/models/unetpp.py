"""UNet++, nested skip connections. Zhou et al. 2018, arXiv:1807.10165."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.sizes import heads, logits_of, pad_to_multiple, require_pixels
from seg.models.unet import DoubleConv, initialize


class UNetPlusPlus(nn.Module):
    """A U-Net whose skip connections are decoders of their own.

    Node (i, j) has 1 / 2**i of the image's size; it joins nodes (i, 0) to (i, j - 1) and the
    enlarged (i + 1, j - 1). Nodes (0, 1) to (0, depth) have the full size: deep supervision gives
    the logits of all of them.

    Args:
        in_channels: of the image.
        out_channels: of the logits.
        width: feature maps at full resolution, doubled at each of the `depth` halvings.
        depth: how often height and width are halved.
        norm: see `unet.NORMS`.
        dropout: share of feature maps that are dropped at every node, 0 to 1.
        deep_supervision: in training, give a list of logits, those of the deepest decoder first.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        depth: int = 4,
        norm: Literal["none", "batch", "instance", "group"] = "batch",
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        self.divisor = 2**depth
        self.norm = norm
        widths = [width * 2**level for level in range(depth + 1)]
        self.nodes = nn.ModuleList()  # by column j, then row i
        for column in range(depth + 1):
            rows = nn.ModuleList()
            for row in range(depth + 1 - column):
                if column:
                    inputs = column * widths[row] + widths[row + 1]
                else:
                    inputs = widths[row - 1] if row else in_channels
                rows.append(
                    DoubleConv(
                        in_channels=inputs, out_channels=widths[row], norm=norm, dropout=dropout
                    )
                )
            self.nodes.append(rows)
        self.head = nn.Conv2d(width, out_channels, 1)
        self.auxiliary = heads([width] * (depth - 1) if deep_supervision else (), out_channels)
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Image (N, C, H, W) of any H and W to logits (N, out_channels, H, W)."""
        x = pad_to_multiple(image, self.divisor)
        if self.training:
            require_pixels(x, self.divisor, norm=self.norm)
        levels: list[list[Tensor]] = []  # of each row, its nodes so far
        for row, node in enumerate(self.nodes[0]):
            x = node(F.max_pool2d(x, 2) if row else x)
            levels.append([x])
        for column in self.nodes[1:]:
            for row, node in enumerate(column):
                below = F.interpolate(levels[row + 1][-1], scale_factor=2.0, mode="bilinear")
                levels[row].append(node(torch.cat([*levels[row], below], dim=1)))
            levels.pop()  # its last node has been used
        full = levels[0][1:]  # nodes (0, 1) to (0, depth)
        return logits_of(full, self.head, self.auxiliary if self.training else (), image)
