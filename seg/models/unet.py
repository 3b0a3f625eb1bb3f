"""U-Net. Ronneberger et al. 2015, arXiv:1505.04597; same padding instead of valid convolutions."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.sizes import heads, logits_of, pad_to_multiple, require_pixels

NORMS = ("none", "batch", "instance", "group")
UPSAMPLINGS = ("transposed", "bilinear")
GROUPS = 8  # channels are normalised in this many groups, or in fewer where they do not divide


def normalization(kind: str, channels: int) -> nn.Module:
    """The normalisation layer for `channels` feature maps; `kind` is one of `NORMS`."""
    if kind == "none":
        return nn.Identity()
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if kind == "group":
        groups = next(g for g in range(min(GROUPS, channels), 0, -1) if channels % g == 0)
        return nn.GroupNorm(groups, channels)
    raise ValueError(f"model.norm={kind!r} is none of {', '.join(NORMS)}")


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions with normalisation and ReLU, then dropout of whole feature maps."""

    def __init__(self, *, in_channels: int, out_channels: int, norm: str, dropout: float) -> None:
        bias = norm == "none"  # a normalisation layer has its own
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers += [
                nn.Conv2d(channels, out_channels, 3, padding=1, bias=bias),
                normalization(norm, out_channels),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers, nn.Dropout2d(dropout))


class Up(nn.Module):
    """Double the resolution, halve the channels, join the skip connection, convolve."""

    def __init__(self, *, channels: int, up: str, norm: str, dropout: float) -> None:
        super().__init__()
        half = channels // 2
        if up == "transposed":
            self.up: nn.Module = nn.ConvTranspose2d(channels, half, 2, stride=2)
        elif up == "bilinear":
            # The 1x1 convolution comes first: both are linear, so the order does not change the
            # result, and here it has a quarter of the pixels.
            self.up = nn.Sequential(
                nn.Conv2d(channels, half, 1), nn.Upsample(scale_factor=2, mode="bilinear")
            )
        else:
            raise ValueError(f"model.up={up!r} is none of {', '.join(UPSAMPLINGS)}")
        self.conv = DoubleConv(in_channels=channels, out_channels=half, norm=norm, dropout=dropout)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.conv(torch.cat([skip, self.up(x)], dim=1))  # (N, C, H, W) of the skip, halved


class UNet(nn.Module):
    """Encoder and decoder with skip connections; logits have the image's height and width.

    Convolutions are initialised as in He et al. 2015, arXiv:1502.01852.

    Args:
        in_channels: of the image.
        out_channels: of the logits.
        width: feature maps at full resolution, doubled at each of the `depth` halvings.
        depth: how often height and width are halved.
        norm: one of `NORMS`.
        dropout: share of feature maps that are dropped at every level, 0 to 1.
        up: one of `UPSAMPLINGS`.
        deep_supervision: in training, give a list of logits, also those of coarser levels.
    """

    level = Up  # of the decoder

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        width: int = 64,
        depth: int = 4,
        norm: Literal["none", "batch", "instance", "group"] = "batch",
        dropout: float = 0.0,
        up: Literal["transposed", "bilinear"] = "transposed",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("depth", depth), ("width", width)):
            if value < 1:
                raise ValueError(f"model.{name}={value} must be at least 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"model.dropout={dropout} must lie in 0 to 1")
        self.divisor = 2**depth
        self.norm = norm
        widths = [width * 2**level for level in range(depth + 1)]
        rest = {"norm": norm, "dropout": dropout}
        self.stem = DoubleConv(in_channels=in_channels, out_channels=width, **rest)
        self.down = nn.ModuleList(
            DoubleConv(in_channels=a, out_channels=b, **rest)
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.up = nn.ModuleList(self.level(channels=w, up=up, **rest) for w in reversed(widths[1:]))
        self.head = nn.Conv2d(width, out_channels, 1)
        self.auxiliary = heads(widths[1:-1] if deep_supervision else (), out_channels)
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Image (N, C, H, W) of any H and W to logits (N, out_channels, H, W)."""
        x = pad_to_multiple(image, self.divisor)
        if self.training:
            require_pixels(x, self.divisor, norm=self.norm)
        x = self.stem(x)
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(F.max_pool2d(x, 2))  # (N, 2C, H/2, W/2)
        features = []
        for block in self.up:
            x = block(x, skips.pop())
            features.append(x)
        return logits_of(features, self.head, self.auxiliary if self.training else (), image)


def initialize(layer: nn.Module) -> None:
    """For `apply`: convolutions as in He et al. 2015, biases 0."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
