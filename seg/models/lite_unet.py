"""U-Net on an EfficientNet-Lite encoder, which can start from ImageNet weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.efficientnet_lite import DIVISOR, IMAGENET_MEAN, IMAGENET_STD, EfficientNetLite
from seg.models.sizes import heads, logits_of, pad_to_multiple, require_pixels
from seg.models.unet import DoubleConv

LEVELS = 5  # of the decoder
UPSAMPLINGS = ("bilinear", "nearest")


class LiteUNet(nn.Module):
    """An encoder for small processors, and a U-Net's decoder with few feature maps.

    Args:
        in_channels: of the image.
        out_channels: of the logits.
        encoder: `lite0`, `lite1` or `lite2`, from small to large.
        weights: `imagenet`, a file with the encoder's state_dict, or None for random weights.
        decoder: feature maps at 1/16, 1/8, 1/4, 1/2 and 1/1 of the image's size.
        up: how features are enlarged, `bilinear` or `nearest`.
        frozen_stages: of the encoder's seven, how many stay as they are in training; 2 are those of
            1/2 and 1/4 of the image's size.
        dropout: share of feature maps that the decoder drops at every level, 0 to 1.
        deep_supervision: in training, give a list of logits, also those of coarser levels.

    Attributes:
        expects: means and standard deviations by channel, in 0-255, that normalised the images that
            the weights were trained on; None with random weights.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        encoder: Literal["lite0", "lite1", "lite2"] = "lite0",
        weights: str | Path | None = None,
        decoder: Sequence[int] = (128, 64, 48, 32, 16),
        up: Literal["bilinear", "nearest"] = "nearest",
        frozen_stages: int = 0,
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        if len(decoder) != LEVELS:
            raise ValueError(f"model.decoder={list(decoder)} must have {LEVELS} numbers")
        if up not in UPSAMPLINGS:
            raise ValueError(f"model.up={up!r} is none of {', '.join(UPSAMPLINGS)}")
        self.encoder = EfficientNetLite(
            in_channels=in_channels, variant=encoder, frozen_stages=frozen_stages
        )
        self.up = up
        *skips, inputs = self.encoder.channels
        self.decoder = nn.ModuleList()
        for skip, width in zip([*reversed(skips), 0], decoder, strict=True):
            joined = inputs + skip
            self.decoder.append(
                DoubleConv(in_channels=joined, out_channels=width, norm="batch", dropout=dropout)
            )
            inputs = width
        self.head = nn.Conv2d(inputs, out_channels, 1)
        finer = decoder[-2:0:-1] if deep_supervision else ()  # without the coarsest
        self.auxiliary = heads(finer, out_channels)
        self.expects: tuple[list[float], list[float]] | None = None
        if weights is not None:
            self.encoder.load_weights(weights, variant=encoder)
            self.expects = [IMAGENET_MEAN] * in_channels, [IMAGENET_STD] * in_channels

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Image (N, C, H, W) of any H and W to logits (N, out_channels, H, W)."""
        padded = pad_to_multiple(image, DIVISOR)
        if self.training:
            require_pixels(padded, DIVISOR, norm="batch")
        *skips, x = self.encoder(padded)
        features = []
        for block in self.decoder:
            x = F.interpolate(x, scale_factor=2.0, mode=self.up)
            x = block(torch.cat([x, skips.pop()], dim=1) if skips else x)
            features.append(x)
        return logits_of(features, self.head, self.auxiliary if self.training else (), image)
