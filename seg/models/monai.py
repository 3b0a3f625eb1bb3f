"""Networks of MONAI. Cardoso et al. 2022, arXiv:2211.02701."""

import inspect
import logging
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from seg.models.efficientnet_lite import adapt_channels
from seg.models.libraries import build, load_library, nearest
from seg.models.normalize import Statistics, by_channel
from seg.models.sizes import norm_of, pad_to_multiple, require_pixels

log = logging.getLogger(__name__)

# means and deviations of ImageNet's images, in 0-255
RGB = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class MonaiNetwork(nn.Module):
    """A network of `monai.networks.nets` for 2-D images.

    Args:
        in_channels: of the image.
        out_channels: of the logits.
        arch: the class, such as `SegResNet`.
        divisor: the image is padded to a multiple of it.
        weights: `imagenet` for `FlexibleUNet` on an EfficientNet, else None for random ones. The
            first convolution is adapted to images of other than 3 channels by `adapt_channels`.
        arguments: as the class calls them, such as `init_filters`.

    Attributes:
        expects: means and standard deviations by channel, in 0-255, that normalised the images that
            the weights were trained on; None with random weights.

    Raises:
        ImportError: MONAI is missing; it names the extra.
        OSError: the weights cannot be downloaded.
        ValueError: there is no such class, weights or argument.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        arch: str,
        divisor: int = 32,
        weights: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        nets = load_library("monai.networks.nets", extra="monai")
        factory = getattr(nets, arch, None)
        if not (inspect.isclass(factory) and issubclass(factory, nn.Module)):
            names = [name for name in dir(nets) if inspect.isclass(getattr(nets, name))]
            raise ValueError(f"model.arch={arch}: no such{nearest(arch, names)}")
        own = {"spatial_dims": 2, "in_channels": in_channels, "out_channels": out_channels}
        if "pretrained" in inspect.signature(factory).parameters:
            own["pretrained"] = weights is not None
        url: str | None = None
        self.expects: Statistics | None = None
        if weights is not None:
            url = _url(nets, arch, weights, arguments.get("backbone"))
            own["in_channels"] = 3
            self.expects = by_channel(RGB, in_channels)
        self.network = build(factory, own, arguments, url=url)
        if weights is not None and in_channels != 3:
            stem = self.network.encoder._conv_stem
            stem.weight = nn.Parameter(adapt_channels(stem.weight.detach(), in_channels))
            stem.in_channels = in_channels
        if arch == "FlexibleUNet":
            _drop_classifier(self.network.encoder)
        self.divisor = divisor
        self.norm = norm_of(self)

    @property
    def encoder(self) -> nn.Module:
        """What the weights are of; raises AttributeError where the class has no such part."""
        return self.network.encoder

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, C, H, W) of any H and W to logits (N, out_channels, H, W)."""
        height, width = image.shape[-2:]
        padded = pad_to_multiple(image, self.divisor)
        if self.training:
            require_pixels(padded, self.divisor, norm=self.norm)
        return self.network(padded)[..., :height, :width]


def _url(nets: ModuleType, arch: str, weights: str, backbone: Any) -> str:
    """Where MONAI's weights are. Raises ValueError where it has none."""
    urls = nets.efficientnet.url_map
    if arch != "FlexibleUNet" or backbone not in urls:
        raise ValueError(
            f"model.weights={weights}: of 2-D networks MONAI has weights of FlexibleUNet on "
            "efficientnet-b0 to b7; set null"
        )
    if weights != "imagenet":
        raise ValueError(f"model.weights={weights}: imagenet or null")
    log.info("weights of %s, from %s", backbone, urls[backbone])
    return urls[backbone]


def _drop_classifier(encoder: nn.Module) -> None:
    """Take out layers without a gradient, for which several GPUs would wait."""
    for name in ("_conv_head", "_bn1", "_fc"):
        if hasattr(encoder, name):
            setattr(encoder, name, nn.Identity())
