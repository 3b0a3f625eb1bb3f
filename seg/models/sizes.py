"""Images of any size for networks that halve it several times, and logits of all their levels."""

from collections.abc import Iterable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def pad_to_multiple(image: Tensor, divisor: int) -> Tensor:
    """(N, C, H, W), its last row and column repeated until H and W are multiples of `divisor`."""
    bottom, right = (-side % divisor for side in image.shape[-2:])
    return F.pad(image, (0, right, 0, bottom), mode="replicate") if bottom or right else image


def require_pixels(image: Tensor, divisor: int, *, norm: str) -> None:
    """Raise ValueError where a normalisation would get a single pixel, whose deviation is 0.

    Args:
        image: (N, C, H, W), padded.
        divisor: of H and W at the lowest level.
        norm: `batch` normalises over the images as well, `instance` over one; others never fail.
    """
    count = image[0, 0].numel() // divisor**2 * (image.shape[0] if norm == "batch" else 1)
    if count == 1 and norm in ("batch", "instance"):
        raise ValueError(
            f"model: {divisor.bit_length() - 1} halvings leave one pixel of "
            f"{image.shape[-2]}x{image.shape[-1]} to normalise: raise dataset.image_size"
            f"{' or dataset.batch_size' if norm == 'batch' else ''}"
        )


def norm_of(network: nn.Module) -> str:
    """`instance` or `batch` where a network has such layers, else `none`; see `require_pixels`."""
    kinds = {"instance": nn.InstanceNorm2d, "batch": nn.modules.batchnorm._BatchNorm}
    layers = list(network.modules())
    has = (name for name, kind in kinds.items() if any(isinstance(m, kind) for m in layers))
    return next(has, "none")


def logits_of(
    features: Sequence[Tensor], head: nn.Module, auxiliary: Iterable[nn.Module], image: Tensor
) -> Tensor | list[Tensor]:
    """The logits at the size of the image; with deep supervision also those of coarser levels.

    Deep supervision: Lee et al. 2015, arXiv:1409.5185. The coarser logits are enlarged to the
    image's size, so that any loss takes them.

    Args:
        features: of the decoder, coarse to fine; the last has the size of the padded image.
        head: makes the logits of the finest; auxiliary: those of the others, fine to coarse, none
            without deep supervision.
        image: (N, C, H, W) before it was padded.

    Returns:
        (N, outputs, H, W), or a list of these, finest first.
    """
    height, width = image.shape[-2:]
    finest = head(features[-1])[..., :height, :width]
    coarser = [
        F.interpolate(layer(x), size=features[-1].shape[-2:], mode="bilinear")
        for layer, x in zip(auxiliary, reversed(features[:-1]), strict=False)
    ]
    return [finest, *(x[..., :height, :width] for x in coarser)] if coarser else finest


def heads(widths: Iterable[int], out_channels: int) -> nn.ModuleList:
    """1x1 convolutions from feature maps of these widths to logits."""
    return nn.ModuleList(nn.Conv2d(width, out_channels, 1) for width in widths)
