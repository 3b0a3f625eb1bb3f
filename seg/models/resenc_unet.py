"""U-Net with a residual encoder, as nnU-Net's ResEnc presets.

Isensee et al. 2024, arXiv:2404.09556; average pooling in the shortcuts: He et al. 2019,
arXiv:1812.01187.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.sizes import heads, logits_of, pad_to_multiple, require_pixels

_SLOPE = 0.01  # of the leaky ReLU


class _Conv(nn.Sequential):
    """3x3 convolution, instance normalisation and, unless `linear`, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, linear: bool = False) -> None:
        layers = [
            nn.Conv2d(inputs, outputs, 3, stride, padding=1),
            nn.InstanceNorm2d(outputs, affine=True),
        ]
        super().__init__(*layers, *([] if linear else [nn.LeakyReLU(_SLOPE, inplace=True)]))


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, which is averaged and projected where shapes change."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Conv(inputs, outputs, stride=stride), _Conv(outputs, outputs, linear=True)
        )
        shortcut: list[nn.Module] = [nn.AvgPool2d(stride)] if stride > 1 else []
        if inputs != outputs:
            shortcut += [
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.InstanceNorm2d(outputs, affine=True),
            ]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.layers(x) + self.shortcut(x), _SLOPE)


class ResEncUNet(nn.Module):
    """A deep residual encoder and a decoder of one convolution a level.

    Args:
        in_channels: of the image.
        out_channels: of the logits.
        width: feature maps at full resolution, doubled at each halving up to `max_width`.
        blocks: residual blocks of each level, the full resolution first; one halving less than
            levels.
        max_width: most feature maps of a level.
        deep_supervision: in training, give a list of logits, also those of coarser levels.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        blocks: Sequence[int] = (1, 3, 4, 6, 6, 6),
        max_width: int = 512,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        if len(blocks) < 2 or min(blocks) < 1:
            raise ValueError(f"model.blocks={list(blocks)} must be two or more counts from 1")
        self.divisor = 2 ** (len(blocks) - 1)
        widths = [min(max_width, width * 2**level) for level in range(len(blocks))]
        self.stem = _Conv(in_channels, width)
        self.encoder = nn.ModuleList()
        inputs = width
        for level, (count, outputs) in enumerate(zip(blocks, widths, strict=True)):
            stride = 2 if level else 1
            first = _ResidualBlock(inputs, outputs, stride=stride)
            rest = (_ResidualBlock(outputs, outputs, stride=1) for _ in range(count - 1))
            self.encoder.append(nn.Sequential(first, *rest))
            inputs = outputs
        self.up = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for outputs in reversed(widths[:-1]):
            self.up.append(nn.ConvTranspose2d(inputs, outputs, 2, stride=2))
            self.decoder.append(_Conv(2 * outputs, outputs))
            inputs = outputs
        self.head = nn.Conv2d(width, out_channels, 1)
        # the coarsest level is left out, as nnU-Net does
        self.auxiliary = heads(widths[1:-2] if deep_supervision else (), out_channels)
        self.apply(_initialize)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Image (N, C, H, W) of any H and W to logits (N, out_channels, H, W)."""
        padded = pad_to_multiple(image, self.divisor)
        if self.training:
            require_pixels(padded, self.divisor, norm="instance")
        x = self.stem(padded)
        skips = []
        for blocks in self.encoder:
            x = blocks(x)  # (N, 2C, H/2, W/2), but for the first
            skips.append(x)
        skips.pop()
        features = []
        for up, conv in zip(self.up, self.decoder, strict=True):
            x = conv(torch.cat([up(x), skips.pop()], dim=1))
            features.append(x)
        return logits_of(features, self.head, self.auxiliary if self.training else (), image)


def _initialize(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, _ResidualBlock):
        # a block starts as its shortcut: He et al. 2019, arXiv:1812.01187
        nn.init.zeros_(layer.layers[1][1].weight)
